package dev.gale.bench.parity;

import dev.gale.tensor.Parameter;
import dev.gale.tensor.ops.TensorOps;
import java.nio.ByteBuffer;
import java.util.List;
import java.util.zip.CRC32C;

/// What a training run left: the mean loss of every step, and a checksum over the bits of what was trained.
record Curve(List<Double> losses, long checksum) {

    static Curve of(List<Double> losses, List<Parameter> trained, TensorOps ops) {
        CRC32C sum = new CRC32C();
        for (Parameter parameter : trained) {
            float[] values = ops.toFloats(parameter.value());
            ByteBuffer bytes = ByteBuffer.allocate(values.length * Float.BYTES);
            bytes.asFloatBuffer().put(values);
            sum.update(bytes);
        }
        return new Curve(List.copyOf(losses), sum.getValue());
    }

    /// Of the losses of a step, relative to this curve's; infinite where one is not finite or is missing.
    double difference(Curve other, int step) {
        if (other.losses.size() != losses.size()) return Double.POSITIVE_INFINITY;
        double difference = Math.abs(other.losses.get(step) - losses.get(step)) / Math.abs(losses.get(step));
        return Double.isFinite(difference) ? difference : Double.POSITIVE_INFINITY;
    }

    /// The step, from 0, at which curves differ most.
    int farthest(Curve other) {
        int farthest = 0;
        for (int i = 1; i < losses.size(); i++) {
            if (difference(other, i) > difference(other, farthest)) farthest = i;
        }
        return farthest;
    }
}
