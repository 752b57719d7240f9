package dev.gale.peft;

import dev.gale.tensor.DType;
import dev.gale.tensor.Parameter;
import dev.gale.tensor.Shape;
import dev.gale.tensor.Storage;
import dev.gale.tensor.Tensor;
import dev.gale.tensor.cpu.CpuOps;
import dev.gale.tensor.ops.TensorOps;
import dev.gale.tensor.quant.Quantization;
import java.util.Optional;
import java.util.function.Function;

/// Starting values that come out of the base's weight W, and the weight that the base has then.
///
/// W is taken from its file where the base is quantized, so that what quantization lost is in the adapter, and what is left
/// of it is quantized in its turn.
///
/// Everything is computed on the host in F32, whatever the model computes with: a device may round products to BF16, and
/// then base and adapter would not add up to W any more.
/// Source: peft `LoraLayer.pissa_init`, `olora_init`, `utils/loftq_utils.py`.
final class WeightInit implements AutoCloseable {
    private final TensorOps ops;
    private final InitLoraWeights init;
    private final LoftqConfig loftq;
    private final Function<String, Optional<Tensor>> stored;
    private final TensorOps host = new CpuOps();

    /// @param ops    the model's
    /// @param stored weights by name as their files have them, in host memory
    WeightInit(TensorOps ops, LoraConfig config, Function<String, Optional<Tensor>> stored) {
        this.ops = ops;
        this.stored = stored;
        init = config.initLoraWeights();
        loftq = config.loftqConfig();
    }

    /// A and B, and the base's new weight, like W in dtype and place.
    record Start(LoraInit.Values values, Tensor base) {}

    /// @param r at most the number of W's rows, and of its columns
    Start of(Parameter weight, int r, float scale) {
        Tensor w = weight.value();
        boolean quantized = w.dtype().quantized();
        Quantization kind = quantized ? Quantization.of(w) : Quantization.NF4;
        Tensor base = quantized ? ops.allocate(weight.name(), kind, w.shape())
                : ops.allocate(weight.name(), w.dtype(), w.shape());
        if (!ops.computes()) {
            return new Start(new LoraInit.Values(new float[r * w.cols()], new float[w.rows() * r]), base);
        }
        Tensor rest = onHost(weight);
        LoraInit.Values values = switch (init.method()) {
            case PISSA -> pissa(rest, r, scale);
            case OLORA -> olora(rest, r, scale);
            case LOFTQ -> loftq(rest, r, scale, kind);
            default -> throw new IllegalArgumentException(init.method() + " leaves the base as it is");
        };
        if (quantized) ops.quantize(base, rest);
        else if (base.storage() instanceof Storage.Host) host.copy(base, rest);
        else ops.write(base, host.toFloats(rest));
        host.release(rest);
        return new Start(values, base);
    }

    private Tensor onHost(Parameter weight) {
        Tensor w = weight.value();
        Tensor copy = host.allocate(w.name(), DType.F32, w.shape());
        Optional<Tensor> file = w.dtype().quantized() ? stored.apply(weight.name()) : Optional.empty();
        if (file.isPresent()) {
            host.copy(copy, file.get());
        } else if (w.dtype().quantized()) {
            Tensor dense = ops.allocate(w.name(), DType.F32, w.shape());
            ops.dequantize(dense, w);
            host.write(copy, ops.toFloats(dense));
            ops.release(dense);
        } else if (w.storage() instanceof Storage.Host) {
            host.copy(copy, w);
        } else {
            host.write(copy, ops.toFloats(w));
        }
        return copy;
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
    /// Writes: `w =` what the last quantization stands for; quantized once more it stays the same.
    private LoraInit.Values loftq(Tensor w, int r, float scale, Quantization kind) {
        Tensor quantized = host.allocate("quantized", kind, w.shape());
        Tensor rest = host.allocate("rest", DType.F32, w.shape());
        LoraInit.Values values = null;
        for (int i = 0; i < loftq.loftqIter(); i++) {
            host.copy(rest, w);
            if (values != null) subtract(rest, values, r, scale);
            host.quantize(quantized, rest);
            host.dequantize(rest, quantized);
            Tensor lack = host.allocate("lack", DType.F32, w.shape());
            host.copy(lack, w);
            host.addScaled(lack, rest, -1f);
            values = values(LowRankSvd.converged(host, lack, r), r, scale);
            host.release(lack);
        }
        host.copy(w, rest);
        host.release(rest);
        host.release(quantized);
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
