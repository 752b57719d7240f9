package dev.gale.peft;

import dev.gale.tensor.DType;
import dev.gale.tensor.Parameter;
import dev.gale.tensor.Shape;
import dev.gale.tensor.Storage;
import dev.gale.tensor.Tensor;
import dev.gale.tensor.cpu.CpuOps;
import dev.gale.tensor.ops.TensorOps;

/// Starting values that come out of the base's weight W, and the weight that the base has then.
///
/// Everything is computed on the host in F32, whatever the model computes with: a device may round products to BF16, and
/// then base and adapter would not add up to W any more.
/// Source: peft `LoraLayer.pissa_init`, `olora_init`, `utils/loftq_utils.py`.
final class WeightInit implements AutoCloseable {
    private final TensorOps ops;
    private final InitLoraWeights init;
    private final LoftqConfig loftq;
    private final TensorOps host = new CpuOps();

    /// @param ops the model's
    WeightInit(TensorOps ops, LoraConfig config) {
        this.ops = ops;
        init = config.initLoraWeights();
        loftq = config.loftqConfig();
    }

    /// A and B, and the base's new weight, like W in dtype and place.
    record Start(LoraInit.Values values, Tensor base) {}

    /// @param r at most the number of W's rows, and of its columns
    Start of(Parameter weight, int r, float scale) {
        Tensor w = weight.value();
        Tensor base = ops.allocate(weight.name(), w.dtype(), w.shape());
        if (!ops.computes()) {
            return new Start(new LoraInit.Values(new float[r * w.cols()], new float[w.rows() * r]), base);
        }
        Tensor rest = onHost(w);
        LoraInit.Values values = switch (init.method()) {
            case PISSA -> pissa(rest, r, scale);
            case OLORA -> olora(rest, r, scale);
            case LOFTQ -> loftq(rest, r, scale);
            default -> throw new IllegalArgumentException(init.method() + " leaves the base as it is");
        };
        write(base, rest);
        host.release(rest);
        return new Start(values, base);
    }

    private Tensor onHost(Tensor w) {
        Tensor copy = host.allocate(w.name(), DType.F32, w.shape());
        if (w.storage() instanceof Storage.Host) host.copy(copy, w);
        else host.write(copy, ops.toFloats(w));
        return copy;
    }

    private void write(Tensor base, Tensor rest) {
        if (base.storage() instanceof Storage.Host) host.copy(base, rest);
        else ops.write(base, host.toFloats(rest));
    }

    /// Writes: `w -= scale * B A`.
    private LoraInit.Values pissa(Tensor w, int r, float scale) {
        LoraInit.Values values = values(init.iterations() == 0 ? LowRankSvd.converged(host, w, r)
                : LowRankSvd.iterated(host, w, r, init.iterations()), r, scale);
        subtract(w, values, r, scale);
        return values;
    }

    /// `A = sqrt(S / scale) Vᵀ`, `B = U sqrt(S / scale)`.
    private static LoraInit.Values values(LowRankSvd.Parts parts, int r, float scale) {
        int in = parts.v().length / r;
        int out = parts.u().length / r;
        float[] a = new float[r * in];
        float[] b = new float[out * r];
        for (int i = 0; i < r; i++) {
            double root = Math.sqrt(parts.s()[i] / scale);
            for (int c = 0; c < in; c++) a[i * in + c] = (float) (root * parts.v()[i * in + c]);
            for (int o = 0; o < out; o++) b[o * r + i] = (float) (root * parts.u()[i * out + o]);
        }
        return new LoraInit.Values(a, b);
    }

    /// Only the first r columns of Q are needed, which come from those of W, and `R = Qᵀ W`. Signs are such that R's diagonal
    /// is positive; LAPACK's may differ, in Q and R alike.
    /// Writes: `w -= scale * B A`.
    private LoraInit.Values olora(Tensor w, int r, float scale) {
        int out = w.rows();
        float[] all = host.toFloats(w);
        double[][] columns = new double[r][out];
        for (int o = 0; o < out; o++) {
            for (int c = 0; c < r; c++) columns[c][o] = all[o * w.cols() + c];
        }
        int kept = GramSchmidt.rows(columns);
        float[] b = new float[out * r];
        for (int o = 0; o < out; o++) {
            for (int c = 0; c < kept; c++) b[o * r + c] = (float) columns[c][o];
        }
        Tensor up = tensor(b, out, r);
        Tensor down = host.allocate("a", DType.F32, Shape.of(r, w.cols()));
        host.matmul(down, up, true, w, false, 1f, false);
        LoraInit.Values values = new LoraInit.Values(host.toFloats(down), b);
        host.release(up);
        host.release(down);
        subtract(w, values, r, scale);
        return values;
    }

    /// Alternates between quantizing what the low-rank part lacks, and decomposing what the quantized part lacks. PEFT does
    /// not divide by the scale, so that its layers begin right with a scale of 1 alone.
    /// Writes: `w =` the last quantization.
    private LoraInit.Values loftq(Tensor w, int r, float scale) {
        float[] exact = host.toFloats(w);
        float[] quantized = new float[exact.length];
        Tensor rest = host.allocate("rest", DType.F32, w.shape());
        Nf4RoundTrip.run(exact, quantized);
        LoraInit.Values values = lack(rest, w, quantized, r, scale);
        for (int i = 1; i < loftq.loftqIter(); i++) {
            host.copy(rest, w);
            subtract(rest, values, r, scale);
            Nf4RoundTrip.run(host.toFloats(rest), quantized);
            values = lack(rest, w, quantized, r, scale);
        }
        host.write(w, quantized);
        host.release(rest);
        return values;
    }

    /// Decomposes `w - quantized`.
    private LoraInit.Values lack(Tensor rest, Tensor w, float[] quantized, int r, float scale) {
        host.write(rest, quantized);
        Tensor lack = host.allocate("lack", DType.F32, w.shape());
        host.copy(lack, w);
        host.addScaled(lack, rest, -1f);
        LoraInit.Values values = values(LowRankSvd.converged(host, lack, r), r, scale);
        host.release(lack);
        return values;
    }

    private void subtract(Tensor w, LoraInit.Values values, int r, float scale) {
        Tensor a = tensor(values.a(), r, w.cols());
        Tensor b = tensor(values.b(), w.rows(), r);
        host.matmul(w, b, false, a, false, -scale, true);
        host.release(a);
        host.release(b);
    }

    private Tensor tensor(float[] values, int rows, int cols) {
        Tensor tensor = host.allocate("factor", DType.F32, Shape.of(rows, cols));
        host.write(tensor, values);
        return tensor;
    }

    @Override
    public void close() {
        host.close();
    }
}
