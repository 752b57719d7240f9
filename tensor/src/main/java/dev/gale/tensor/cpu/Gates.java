package dev.gale.tensor.cpu;

import dev.gale.tensor.Tensor;
import dev.gale.tensor.cpu.Scratch.Use;
import dev.gale.tensor.ops.Activation;
import java.util.Arrays;
import jdk.incubator.vector.FloatVector;

/// Activations, gated or not.
final class Gates {
    private final Team team;

    Gates(Team team) {
        this.team = team;
    }

    void forward(Tensor y, Tensor gate, Tensor up, Activation activation) {
        team.blocks(y.size(), (at, count, scratch) -> {
            float[] g = scratch.get(Use.A, Team.BLOCK);
            float[] u = scratch.get(Use.B, Team.BLOCK);
            Lanes.load(g, 0, gate, at, count);
            if (up == null) Arrays.fill(u, 0, Lanes.roundUp(count), 1f);
            else Lanes.load(u, 0, up, at, count);
            switch (activation) {
                case SILU -> silu(g, u, count);
                case GELU -> gelu(g, u, count);
                case GELU_TANH -> geluTanh(g, u, count);
                case SIGMOID -> sigmoid(g, u, count);
            }
            Lanes.store(y, at, u, 0, count);
        });
    }

    private static void silu(float[] g, float[] u, int count) {
        for (int i = 0; i < count; i += Lanes.WIDTH) {
            FloatVector x = Lanes.at(g, i);
            x.mul(Maths.sigmoid(x)).mul(Lanes.at(u, i)).intoArray(u, i);
        }
    }

    private static void sigmoid(float[] g, float[] u, int count) {
        for (int i = 0; i < count; i += Lanes.WIDTH) Maths.sigmoid(Lanes.at(g, i)).mul(Lanes.at(u, i)).intoArray(u, i);
    }

    private static void gelu(float[] g, float[] u, int count) {
        for (int i = 0; i < count; i += Lanes.WIDTH) {
            FloatVector x = Lanes.at(g, i);
            x.mul(Maths.normalCdf(x)).mul(Lanes.at(u, i)).intoArray(u, i);
        }
    }

    private static void geluTanh(float[] g, float[] u, int count) {
        for (int i = 0; i < count; i += Lanes.WIDTH) {
            FloatVector x = Lanes.at(g, i);
            x.mul(Maths.sigmoid(Maths.geluArgument(x))).mul(Lanes.at(u, i)).intoArray(u, i);
        }
    }

    void backward(Tensor dGate, Tensor dUp, Tensor dy, Tensor gate, Tensor up, Activation activation) {
        team.blocks(dy.size(), (at, count, scratch) -> {
            float[] g = scratch.get(Use.A, Team.BLOCK);
            float[] u = scratch.get(Use.B, Team.BLOCK);
            float[] d = scratch.get(Use.C, Team.BLOCK);
            Lanes.load(g, 0, gate, at, count);
            if (up == null) Arrays.fill(u, 0, Lanes.roundUp(count), 1f);
            else Lanes.load(u, 0, up, at, count);
            Lanes.load(d, 0, dy, at, count);
            switch (activation) {
                case SILU -> siluBackward(g, u, d, count);
                case GELU -> geluBackward(g, u, d, count);
                case GELU_TANH -> geluTanhBackward(g, u, d, count);
                case SIGMOID -> sigmoidBackward(g, u, d, count);
            }
            Lanes.store(dGate, at, g, 0, count);
            if (dUp != null) Lanes.store(dUp, at, d, 0, count);
        });
    }

    /// Writes: g = gradient of the gate, d = gradient of up. With s = sigmoid: `act = x s`, `act' = s (1 + x (1 - s))`.
    private static void siluBackward(float[] g, float[] u, float[] d, int count) {
        for (int i = 0; i < count; i += Lanes.WIDTH) {
            FloatVector x = Lanes.at(g, i);
            FloatVector dy = Lanes.at(d, i);
            FloatVector s = Maths.sigmoid(x);
            FloatVector rest = FloatVector.broadcast(Lanes.F, 1f).sub(s);
            FloatVector slope = s.mul(x.mul(rest).add(1f));
            dy.mul(Lanes.at(u, i)).mul(slope).intoArray(g, i);
            dy.mul(x.mul(s)).intoArray(d, i);
        }
    }

    /// As `siluBackward`, with `act = s`, `act' = s (1 - s)`, 1 - s(x) being s(-x).
    private static void sigmoidBackward(float[] g, float[] u, float[] d, int count) {
        for (int i = 0; i < count; i += Lanes.WIDTH) {
            FloatVector x = Lanes.at(g, i);
            FloatVector dy = Lanes.at(d, i);
            FloatVector s = Maths.sigmoid(x);
            dy.mul(Lanes.at(u, i)).mul(s.mul(Maths.sigmoid(x.neg()))).intoArray(g, i);
            dy.mul(s).intoArray(d, i);
        }
    }

    /// As `siluBackward`, with `act' = P(x) + x p(x)` of the normal distribution.
    private static void geluBackward(float[] g, float[] u, float[] d, int count) {
        for (int i = 0; i < count; i += Lanes.WIDTH) {
            FloatVector x = Lanes.at(g, i);
            FloatVector dy = Lanes.at(d, i);
            FloatVector cdf = Maths.normalCdf(x);
            FloatVector slope = x.fma(Maths.normalDensity(x), cdf);
            dy.mul(Lanes.at(u, i)).mul(slope).intoArray(g, i);
            dy.mul(x.mul(cdf)).intoArray(d, i);
        }
    }

    /// As `siluBackward`, with `act = x s(a)`, `act' = s + x s (1 - s) a'`.
    private static void geluTanhBackward(float[] g, float[] u, float[] d, int count) {
        for (int i = 0; i < count; i += Lanes.WIDTH) {
            FloatVector x = Lanes.at(g, i);
            FloatVector dy = Lanes.at(d, i);
            FloatVector s = Maths.sigmoid(Maths.geluArgument(x));
            FloatVector rest = FloatVector.broadcast(Lanes.F, 1f).sub(s);
            FloatVector slope = x.mul(s).mul(rest).fma(Maths.geluArgumentSlope(x), s);
            dy.mul(Lanes.at(u, i)).mul(slope).intoArray(g, i);
            dy.mul(x.mul(s)).intoArray(d, i);
        }
    }
}
