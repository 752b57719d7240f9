package dev.gale.tensor.cpu;

import dev.gale.tensor.Convert;
import dev.gale.tensor.DType;
import dev.gale.tensor.Tensor;
import dev.gale.tensor.cpu.Scratch.Use;
import jdk.incubator.vector.DoubleVector;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorOperators;
import jdk.incubator.vector.VectorSpecies;

/// What optimizers with F32 states need: squared norms and updates.
final class Updates {
    private static final int NORM_BLOCK = 64 * Team.BLOCK;             // one partial sum each, whoever computes it
    private static final VectorSpecies<Double> D = VectorSpecies.of(double.class, Lanes.F.vectorShape());

    private final Team team;
    private double[] partial = new double[1];

    Updates(Team team) {
        this.team = team;
    }

    long bytes() {
        return 8L * partial.length;
    }

    void sumSquares(Tensor sum, Tensor x) {
        int parts = Math.toIntExact(Math.ceilDiv(x.size(), NORM_BLOCK));
        if (partial.length < parts) partial = new double[parts];
        team.tasks(parts, (part, scratch) -> {
            long from = (long) part * NORM_BLOCK;
            long to = Math.min(x.size(), from + NORM_BLOCK);
            double total = 0;
            for (long at = from; at < to; at += Team.BLOCK) {
                total += squares(scratch.get(Use.A, Team.BLOCK), x, at, (int) Math.min(Team.BLOCK, to - at));
            }
            partial[part] = total;
        });
        double total = Convert.get(sum.segment(), DType.F32, 0);
        for (int part = 0; part < parts; part++) total += partial[part];
        Convert.set(sum.segment(), DType.F32, 0, (float) total);
    }

    private static double squares(float[] values, Tensor x, long at, int count) {
        Lanes.load(values, 0, x, at, count);
        java.util.Arrays.fill(values, count, Lanes.roundUp(count), 0f);
        DoubleVector low = DoubleVector.zero(D);
        DoubleVector high = DoubleVector.zero(D);
        for (int i = 0; i < count; i += Lanes.WIDTH) {
            FloatVector v = Lanes.at(values, i);
            DoubleVector first = (DoubleVector) v.convertShape(VectorOperators.F2D, D, 0);
            DoubleVector second = (DoubleVector) v.convertShape(VectorOperators.F2D, D, 1);
            low = first.fma(first, low);
            high = second.fma(second, high);
        }
        double total = 0;
        for (double lane : low.add(high).toArray()) total += lane;
        return total;
    }

    static void clipFactor(Tensor out, Tensor sumSquares, Tensor tokens, float maxNorm) {
        double count = Convert.get(tokens.segment(), DType.F32, 0);
        double norm = Math.sqrt(Convert.get(sumSquares.segment(), DType.F32, 0)) / count;
        double clip = maxNorm > 0 ? Math.min(1, maxNorm / (norm + 1e-6)) : 1;
        Convert.set(out.segment(), DType.F32, 0, (float) (clip / count));
        Convert.set(out.segment(), DType.F32, 1, (float) norm);
    }

    void adamW(Tensor param, Tensor grad, Tensor m, Tensor v, Tensor hyper, Tensor factor) {
        double[] h = new double[7];
        for (int i = 0; i < h.length; i++) h[i] = Convert.get(hyper.segment(), DType.F32, i);
        float scale = Convert.get(factor.segment(), DType.F32, 0);
        team.blocks(param.size(), (at, count, scratch) -> {
            float[] p = scratch.get(Use.A, Team.BLOCK);
            float[] g = scratch.get(Use.B, Team.BLOCK);
            float[] first = scratch.get(Use.C, Team.BLOCK);
            float[] second = scratch.get(Use.D, Team.BLOCK);
            Lanes.load(p, 0, param, at, count);
            Lanes.load(g, 0, grad, at, count);
            Lanes.load(first, 0, m, at, count);
            Lanes.load(second, 0, v, at, count);
            step(p, g, first, second, count, h, scale);
            Lanes.store(param, at, p, 0, count);
            Lanes.store(m, at, first, 0, count);
            Lanes.store(v, at, second, 0, count);
        });
    }

    /// h = lr, b1, b2, eps, wd, 1 - b1^t, 1 - b2^t. `sqrt(v) / sqrt(1 - b2^t)` is `sqrt(v * (1 / (1 - b2^t)))`.
    private static void step(float[] p, float[] g, float[] m, float[] v, int count, double[] h, float scale) {
        float keep = (float) (1 - h[0] * h[4]);
        float beta1 = (float) h[1];
        float beta2 = (float) h[2];
        float rest1 = (float) (1 - h[1]);
        float rest2 = (float) (1 - h[2]);
        float rate = (float) (h[0] / h[5]);
        float eps = (float) h[3];
        float inverse2 = (float) (1 / h[6]);
        for (int i = 0; i < count; i += Lanes.WIDTH) {
            FloatVector gradient = Lanes.at(g, i).mul(scale);
            FloatVector first = Lanes.at(m, i).mul(beta1).add(gradient.mul(rest1));
            FloatVector second = Lanes.at(v, i).mul(beta2).add(gradient.mul(gradient).mul(rest2));
            FloatVector change = first.mul(rate).div(second.mul(inverse2).sqrt().add(eps));
            Lanes.at(p, i).mul(keep).sub(change).intoArray(p, i);
            first.intoArray(m, i);
            second.intoArray(v, i);
        }
    }

    static float[] numbers(Tensor hyper) {
        float[] h = new float[(int) hyper.size()];
        for (int i = 0; i < h.length; i++) h[i] = Convert.get(hyper.segment(), DType.F32, i);
        return h;
    }

    void lion(Tensor param, Tensor grad, Tensor m, Tensor hyper, Tensor factor) {
        float[] h = numbers(hyper);
        float keep = (float) (1 - (double) h[0] * h[3]);
        float scale = Convert.get(factor.segment(), DType.F32, 0);
        team.blocks(param.size(), (at, count, scratch) -> {
            float[] p = scratch.get(Use.A, Team.BLOCK);
            float[] g = scratch.get(Use.B, Team.BLOCK);
            float[] mean = scratch.get(Use.C, Team.BLOCK);
            Lanes.load(p, 0, param, at, count);
            Lanes.load(g, 0, grad, at, count);
            Lanes.load(mean, 0, m, at, count);
            for (int i = 0; i < count; i += Lanes.WIDTH) {
                FloatVector gradient = Lanes.at(g, i).mul(scale);
                FloatVector before = Lanes.at(mean, i);
                FloatVector mixed = before.mul(h[1]).add(gradient.mul(1 - h[1]));
                FloatVector sign = mixed.blend(1f, mixed.compare(VectorOperators.GT, 0f))
                        .blend(-1f, mixed.compare(VectorOperators.LT, 0f));
                Lanes.at(p, i).mul(keep).sub(sign.mul(h[0])).intoArray(p, i);
                before.mul(h[2]).add(gradient.mul(1 - h[2])).intoArray(mean, i);
            }
            Lanes.store(param, at, p, 0, count);
            Lanes.store(m, at, mean, 0, count);
        });
    }

    void sgd(Tensor param, Tensor grad, Tensor m, Tensor hyper, Tensor factor) {
        float[] h = numbers(hyper);
        float scale = Convert.get(factor.segment(), DType.F32, 0);
        team.blocks(param.size(), (at, count, scratch) -> {
            float[] p = scratch.get(Use.A, Team.BLOCK);
            float[] g = scratch.get(Use.B, Team.BLOCK);
            float[] momentum = scratch.get(Use.C, Team.BLOCK);
            Lanes.load(p, 0, param, at, count);
            Lanes.load(g, 0, grad, at, count);
            if (m != null) Lanes.load(momentum, 0, m, at, count);
            for (int i = 0; i < count; i += Lanes.WIDTH) {
                FloatVector change = Lanes.at(g, i).mul(scale).add(Lanes.at(p, i).mul(h[2]));
                if (m != null) change = change.add(Lanes.at(momentum, i).mul(h[1]));
                change.intoArray(momentum, i);
                Lanes.at(p, i).sub(change.mul(h[0])).intoArray(p, i);
            }
            Lanes.store(param, at, p, 0, count);
            if (m != null) Lanes.store(m, at, momentum, 0, count);
        });
    }

    void scheduleFreeAdamW(Tensor y, Tensor grad, Tensor z, Tensor v, Tensor hyper, Tensor factor) {
        float[] h = numbers(hyper);
        float pull = (float) ((double) h[0] * ((double) h[1] * (1 - (double) h[5]) - 1));
        float inverse2 = (float) (1 / (double) h[6]);
        float scale = Convert.get(factor.segment(), DType.F32, 0);
        team.blocks(y.size(), (at, count, scratch) -> {
            float[] p = scratch.get(Use.A, Team.BLOCK);
            float[] g = scratch.get(Use.B, Team.BLOCK);
            float[] base = scratch.get(Use.C, Team.BLOCK);
            float[] second = scratch.get(Use.D, Team.BLOCK);
            Lanes.load(p, 0, y, at, count);
            Lanes.load(g, 0, grad, at, count);
            Lanes.load(base, 0, z, at, count);
            Lanes.load(second, 0, v, at, count);
            for (int i = 0; i < count; i += Lanes.WIDTH) {
                FloatVector gradient = Lanes.at(g, i).mul(scale);
                FloatVector moment = Lanes.at(second, i).mul(h[2]).add(gradient.mul(gradient).mul(1 - h[2]));
                FloatVector here = Lanes.at(p, i);
                FloatVector there = Lanes.at(base, i);
                FloatVector change = gradient.div(moment.mul(inverse2).sqrt().add(h[3])).add(here.mul(h[4]));
                here.add(there.sub(here).mul(h[5])).add(change.mul(pull)).intoArray(p, i);
                there.sub(change.mul(h[0])).intoArray(base, i);
                moment.intoArray(second, i);
            }
            Lanes.store(y, at, p, 0, count);
            Lanes.store(z, at, base, 0, count);
            Lanes.store(v, at, second, 0, count);
        });
    }
}
