package dev.gale.bench.operation;

import dev.gale.nn.Mixture;
import dev.gale.nn.ModelConfig;
import dev.gale.tensor.DType;
import dev.gale.tensor.Tensor;
import dev.gale.tensor.ops.AttentionSpec;
import dev.gale.tensor.ops.CrossEntropySpec;
import dev.gale.tensor.ops.LowRank;
import dev.gale.tensor.ops.LowRankGrads;
import dev.gale.tensor.ops.TensorOps;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.function.IntUnaryOperator;
import java.util.stream.IntStream;

/// What a LoRA step does with one layer, the embedding and the head, an operation at a time.
final class OperationCases {
    static final int RANK = 16;

    private final ModelConfig config;
    private final AttentionSpec spec;
    private final int seq;
    private final int tokens;
    private final List<OperationCase> cases = new ArrayList<>();

    private OperationCases(ModelConfig config, int batch, int seq) {
        this.config = config;
        this.seq = seq;
        spec = config.attention();
        tokens = batch * seq;
    }

    /// In the order in which a step meets them.
    static List<OperationCase> of(ModelConfig config, int batch, int seq) {
        OperationCases all = new OperationCases(config, batch, seq);
        all.lookup();
        all.norms();
        all.attention();
        int hidden = config.hiddenSize();
        Mixture mixture = config.variant().mixture();
        if (mixture == null) all.gates(all.tokens, config.intermediateSize());
        else all.gates(all.tokens * mixture.route().perToken(), mixture.width());
        all.linear("q", hidden, all.spec.queryWidth(), false);
        all.linear("k", hidden, all.spec.keyWidth(), false);
        all.linear("o", all.spec.queryWidth(), hidden, true);
        if (mixture == null) {
            all.linear("gate", hidden, config.intermediateSize(), false);
            all.linear("down", config.intermediateSize(), hidden, true);
        } else {
            all.cases.addAll(ExpertCases.of(mixture, hidden, all.tokens));
        }
        all.loss();
        all.update();
        return List.copyOf(all.cases);
    }

    private void add(String name, String operands, OperationCase.Preparation prepare) {
        cases.add(new OperationCase(name, operands, prepare));
    }

    private int[] perToken(IntUnaryOperator value) {
        return IntStream.range(0, tokens).map(value).toArray();
    }

    private int[] randomIds() {
        return new Random(2).ints(tokens, 0, config.vocabSize()).toArray();
    }

    private void lookup() {
        int hidden = config.hiddenSize();
        add("gatherRows", tokens + " of " + config.vocabSize() + "x" + hidden, in -> {
            Tensor table = in.weight(config.vocabSize(), hidden);
            Tensor y = in.empty(in.ops().activationType(), tokens, hidden);
            Tensor ids = in.ints(randomIds());
            return () -> in.ops().gatherRows(y, table, ids);
        });
    }

    private void norms() {
        int hidden = config.hiddenSize();
        float eps = (float) config.rmsNormEps();
        String size = tokens + "x" + hidden;
        add("rmsNormForward", size, in -> {
            Tensor x = in.activations(tokens, hidden);
            Tensor y = in.empty(x.dtype(), tokens, hidden);
            Tensor rstd = in.empty(DType.F32, tokens);
            Tensor w = in.filled(DType.BF16, 1f, hidden);
            return () -> in.ops().rmsNormForward(y, rstd, x, w, eps);
        });
        add("rmsNormBackward", size, in -> {
            Tensor x = in.activations(tokens, hidden);
            Tensor dy = in.activations(tokens, hidden);
            Tensor dx = in.activations(tokens, hidden);
            Tensor rstd = in.filled(DType.F32, 1f, tokens);
            Tensor w = in.filled(DType.BF16, 1f, hidden);
            return () -> in.ops().rmsNormBackward(dx, true, null, dy, x, w, rstd);
        });
    }

    private void attention() {
        int half = config.headDim() / 2;
        String size = "%dx%d h%d/%d k%d".formatted(tokens / seq, seq, spec.numHeads(), spec.numKvHeads(), spec.headDim());
        add("rope", size, in -> {
            Tensor q = in.activations(tokens, spec.queryWidth());
            Tensor k = in.activations(tokens, spec.keyWidth());
            Tensor cos = in.filled(DType.F32, 0.6f, seq, half);
            Tensor sin = in.filled(DType.F32, 0.8f, seq, half);
            Tensor positions = in.ints(perToken(i -> i % seq));
            return () -> in.ops().rope(q, k, cos, sin, positions, spec, false);
        });
        add("attentionForward", size, in -> {
            Attended a = new Attended(in);
            return a::forward;
        });
        add("attentionBackward", size, in -> {
            Attended a = new Attended(in);
            a.forward();
            Tensor dO = in.activations(tokens, spec.queryWidth());
            Tensor dq = in.empty(dO.dtype(), tokens, spec.queryWidth());
            Tensor dk = in.empty(dO.dtype(), tokens, spec.keyWidth());
            Tensor dv = in.empty(dO.dtype(), tokens, spec.keyWidth());
            return () -> in.ops().attentionBackward(dq, dk, dv, dO, a.q, a.k, a.v, a.o, a.lse, a.start, a.stop, spec);
        });
    }

    /// Causal attention within each sequence.
    private final class Attended {
        private final TensorOps ops;
        private final Tensor q;
        private final Tensor k;
        private final Tensor v;
        private final Tensor o;
        private final Tensor lse;
        private final Tensor start;
        private final Tensor stop;

        Attended(Operands in) {
            ops = in.ops();
            q = in.activations(tokens, spec.queryWidth());
            k = in.activations(tokens, spec.keyWidth());
            v = in.activations(tokens, spec.keyWidth());
            o = in.empty(q.dtype(), tokens, spec.queryWidth());
            lse = in.empty(DType.F32, spec.numHeads(), tokens);
            start = in.ints(perToken(i -> i / seq * seq));
            stop = in.ints(perToken(i -> i + 1));
        }

        void forward() {
            ops.attentionForward(o, lse, q, k, v, start, stop, spec);
        }
    }

    private void gates(int rows, int width) {
        String size = rows + "x" + width;
        add("gluForward", size, in -> {
            Tensor gate = in.activations(rows, width);
            Tensor up = in.activations(rows, width);
            Tensor y = in.empty(gate.dtype(), rows, width);
            return () -> in.ops().gluForward(y, gate, up, config.activation());
        });
        add("gluBackward", size, in -> {
            Tensor gate = in.activations(rows, width);
            Tensor up = in.activations(rows, width);
            Tensor dy = in.activations(rows, width);
            Tensor dGate = in.empty(gate.dtype(), rows, width);
            Tensor dUp = in.empty(gate.dtype(), rows, width);
            return () -> in.ops().gluBackward(dGate, dUp, dy, gate, up, config.activation());
        });
    }

    /// @param added whether the layer adds its result to the residual stream
    private void linear(String which, int inFeatures, int outFeatures, boolean added) {
        String size = tokens + "x" + outFeatures + "x" + inFeatures;
        add("linearForward:" + which, size, in -> {
            Tensor x = in.activations(tokens, inFeatures);
            Tensor w = in.weight(outFeatures, inFeatures);
            Tensor residual = added ? in.activations(tokens, outFeatures) : null;
            Tensor y = in.empty(x.dtype(), tokens, outFeatures);
            LowRank side = side(in, x, outFeatures);
            return () -> in.ops().linearForward(y, x, w, null, residual, side);
        });
        add("linearBackward:" + which, size, in -> {
            Tensor x = in.activations(tokens, inFeatures);
            Tensor dy = in.activations(tokens, outFeatures);
            Tensor w = in.weight(outFeatures, inFeatures);
            Tensor dx = in.empty(x.dtype(), tokens, inFeatures);
            LowRank side = side(in, x, outFeatures);
            LowRankGrads grads = new LowRankGrads(in.filled(DType.F32, 0f, RANK, inFeatures),
                    in.filled(DType.F32, 0f, outFeatures, RANK), in.empty(DType.F32, tokens, RANK), null);
            return () -> in.ops().linearBackward(dx, false, dy, w, side, grads);
        });
    }

    private LowRank side(Operands in, Tensor x, int outFeatures) {
        return new LowRank(x, in.random(DType.F32, RANK, x.cols()), in.random(DType.F32, outFeatures, RANK),
                in.random(DType.F32, tokens, RANK), 1f);
    }

    private void loss() {
        int hidden = config.hiddenSize();
        add("linearCrossEntropy", tokens + "x" + config.vocabSize() + "x" + hidden, in -> {
            Tensor x = in.activations(tokens, hidden);
            Tensor w = in.weight(config.vocabSize(), hidden);
            Tensor dx = in.empty(x.dtype(), tokens, hidden);
            Tensor stats = in.filled(DType.F32, 0f, 2);
            Tensor targets = in.ints(randomIds());
            long rows = in.ops().scratchBytes() / (4L * config.vocabSize());
            CrossEntropySpec chunks = CrossEntropySpec.chunked(Math.clamp(rows, 16, 2048));
            return () -> in.ops().linearCrossEntropy(stats, null, dx, null, x, w, targets, chunks);
        });
    }

    private void update() {
        int width = config.intermediateSize();
        String size = RANK + "x" + width;
        add("sumSquares", size, in -> {
            Tensor grad = in.random(DType.F32, RANK, width);
            Tensor sum = in.filled(DType.F32, 0f, 1);
            return () -> in.ops().sumSquares(sum, grad);
        });
        add("adamW", size, in -> {
            Tensor param = in.random(DType.F32, RANK, width);
            Tensor grad = in.random(DType.F32, RANK, width);
            Tensor m = in.filled(DType.F32, 0f, RANK, width);
            Tensor v = in.filled(DType.F32, 0f, RANK, width);
            Tensor hyper = in.empty(DType.F32, 7);
            in.ops().write(hyper, new float[] {2e-4f, 0.9f, 0.999f, 1e-8f, 0f, 0.1f, 0.001f});
            Tensor factor = in.filled(DType.F32, 1f, 1);
            return () -> in.ops().adamW(param, grad, m, v, hyper, factor);
        });
    }
}
