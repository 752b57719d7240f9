package dev.gale.bench.operation;

import dev.gale.nn.Mixture;
import dev.gale.tensor.DType;
import dev.gale.tensor.Tensor;
import dev.gale.tensor.ops.GroupedLowRank;
import dev.gale.tensor.ops.GroupedLowRankGrads;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.function.Supplier;
import java.util.stream.Stream;

/// What a LoRA step does with the projections of a layer's experts, a product at a time: as many rows as tokens have choices,
/// the experts drawn at random, each as likely.
final class ExpertCases {
    private static final int RANK = OperationCases.RANK;

    private final int count;
    private final int rows;
    private final List<OperationCase> cases = new ArrayList<>();

    private ExpertCases(Mixture mixture, int tokens) {
        count = mixture.numExperts();
        rows = tokens * mixture.route().perToken();
    }

    static List<OperationCase> of(Mixture mixture, int hidden, int tokens) {
        ExpertCases all = new ExpertCases(mixture, tokens);
        all.projection("gate", hidden, mixture.width());
        all.projection("down", mixture.width(), hidden);
        return all.cases;
    }

    private void projection(String which, int inFeatures, int outFeatures) {
        for (boolean nf4 : new boolean[] {false, true}) {
            String name = which + (nf4 ? "-nf4" : "");
            product(name, inFeatures, outFeatures, true, nf4);
            product(name + "-back", outFeatures, inFeatures, false, nf4);
        }
        linear(which, inFeatures, outFeatures);
        narrow(which + "-low", inFeatures, RANK, true, false);
        narrow(which + "-lowUp", RANK, outFeatures, true, true);
        narrow(which + "-dLow", outFeatures, RANK, false, false);
        narrow(which + "-dLowUp", RANK, inFeatures, false, true);
        gradient(which + "-dA", RANK, inFeatures, false);
        gradient(which + "-dB", outFeatures, RANK, true);
    }

    private int[] offsets() {
        int[] offsets = new int[count + 1];
        new Random(3).ints(rows, 0, count).forEach(expert -> offsets[expert + 1]++);
        for (int e = 0; e < count; e++) offsets[e + 1] += offsets[e];
        return offsets;
    }

    private String size(int in, int out) {
        return "%dx%dx%d of %d".formatted(rows, out, in, count);
    }

    /// Matrices side by side, as loading a model leaves them.
    private List<Tensor> each(Operands operands, long bytes, Supplier<Tensor> matrix) {
        operands.ops().reserve(count * (bytes + 64));
        return Stream.generate(matrix).limit(count).toList();
    }

    private void add(String name, String operands, OperationCase.Preparation prepare) {
        cases.add(new OperationCase(name, operands, prepare));
    }

    private void product(String which, int in, int out, boolean transposed, boolean nf4) {
        int height = transposed ? out : in;
        int width = transposed ? in : out;
        add("groupedMatmul:" + which, size(in, out), operands -> {
            Tensor x = operands.activations(rows, in);
            Tensor y = operands.empty(x.dtype(), rows, out);
            List<Tensor> w = each(operands, (nf4 ? 1L : 2L) * height * width,
                    () -> nf4 ? operands.nf4(height, width) : operands.weight(height, width));
            Tensor offsets = operands.ints(offsets());
            return () -> operands.ops().groupedMatmul(y, x, w, transposed, offsets, 1f, false);
        });
    }

    /// With adapters, all of them in one operation.
    private void linear(String which, int in, int out) {
        add("groupedLinearForward:" + which, size(in, out), operands -> {
            Tensor x = operands.activations(rows, in);
            Tensor y = operands.empty(x.dtype(), rows, out);
            List<Tensor> w = each(operands, 2L * in * out, () -> operands.weight(out, in));
            GroupedLowRank side = side(operands, x, out);
            Tensor offsets = operands.ints(offsets());
            return () -> operands.ops().groupedLinearForward(y, x, w, offsets, side);
        });
        add("groupedLinearBackward:" + which, size(in, out), operands -> {
            Tensor x = operands.activations(rows, in);
            Tensor dy = operands.activations(rows, out);
            Tensor dx = operands.empty(x.dtype(), rows, in);
            List<Tensor> w = each(operands, 2L * in * out, () -> operands.weight(out, in));
            GroupedLowRank side = side(operands, x, out);
            GroupedLowRankGrads grads = new GroupedLowRankGrads(adapters(operands, RANK, in, false),
                    adapters(operands, out, RANK, false), operands.empty(DType.F32, rows, RANK), null);
            Tensor offsets = operands.ints(offsets());
            return () -> operands.ops().groupedLinearBackward(dx, false, dy, w, offsets, side, grads);
        });
    }

    private GroupedLowRank side(Operands operands, Tensor x, int out) {
        return new GroupedLowRank(x, adapters(operands, RANK, x.cols(), true), adapters(operands, out, RANK, true),
                operands.random(DType.F32, rows, RANK), 1f);
    }

    private List<Tensor> adapters(Operands operands, int height, int width, boolean random) {
        return each(operands, 4L * height * width,
                () -> random ? operands.random(DType.F32, height, width) : operands.filled(DType.F32, 0f, height, width));
    }

    /// @param widens whether the rank is the depth, and the product is added to an activation
    private void narrow(String which, int in, int out, boolean transposed, boolean widens) {
        add("groupedMatmul:" + which, size(in, out), operands -> {
            Tensor x = widens ? operands.random(DType.F32, rows, in) : operands.activations(rows, in);
            Tensor y = widens ? operands.activations(rows, out) : operands.empty(DType.F32, rows, out);
            List<Tensor> w = each(operands, 4L * in * out,
                    () -> operands.random(DType.F32, transposed ? out : in, transposed ? in : out));
            Tensor offsets = operands.ints(offsets());
            return () -> operands.ops().groupedMatmul(y, x, w, transposed, offsets, 1f, widens);
        });
    }

    /// @param low whether the rank is that of the right operand
    private void gradient(String which, int m, int n, boolean low) {
        add("groupedGradient:" + which, size(m, n), operands -> {
            Tensor a = low ? operands.activations(rows, m) : operands.random(DType.F32, rows, m);
            Tensor b = low ? operands.random(DType.F32, rows, n) : operands.activations(rows, n);
            List<Tensor> dw = adapters(operands, m, n, false);
            Tensor offsets = operands.ints(offsets());
            return () -> operands.ops().groupedGradient(dw, a, b, offsets, 1f);
        });
    }
}
