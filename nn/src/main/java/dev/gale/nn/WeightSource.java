package dev.gale.nn;

import dev.gale.nn.safetensors.QuantizedTensors;
import dev.gale.nn.safetensors.WeightFiles;
import dev.gale.tensor.DType;
import dev.gale.tensor.InputException;
import dev.gale.tensor.Shape;
import dev.gale.tensor.Storage;
import dev.gale.tensor.Tensor;
import dev.gale.tensor.ops.TensorOps;
import dev.gale.tensor.quant.Nf4;
import dev.gale.tensor.quant.Quantization;
import dev.gale.tensor.random.Philox;
import java.lang.foreign.MemorySegment;
import java.util.HashMap;
import java.util.Map;
import java.util.Set;
import java.util.function.ObjIntConsumer;
import java.util.stream.IntStream;

/// Where the weights of a model come from when it is built. Sources put what they allocate into a set that the model
/// releases.
interface WeightSource {

    /// The weight of that name, where the model computes.
    /// Throws: InputException when the source has none of that name and shape.
    Tensor get(String name, Shape shape);

    /// As `get`, the weight of a projection: what a quantized model has in few bits.
    default Tensor projection(String name, Shape shape) {
        return get(name, shape);
    }

    /// As `get`, the weight of a small projection that decides much, such as a router: dense unless its file has it otherwise.
    default Tensor router(String name, Shape shape) {
        return get(name, shape);
    }

    /// The same weights in host memory, from which a device takes them by turns.
    WeightSource onHost();

    /// The same weights, those of projections in host memory.
    default WeightSource projectionsOnHost() {
        WeightSource all = this;
        WeightSource waiting = onHost();
        return new WeightSource() {
            @Override
            public Tensor get(String name, Shape shape) {
                return all.get(name, shape);
            }

            @Override
            public Tensor projection(String name, Shape shape) {
                return waiting.projection(name, shape);
            }

            @Override
            public Tensor router(String name, Shape shape) {
                return waiting.router(name, shape);
            }

            @Override
            public WeightSource onHost() {
                return waiting;
            }
        };
    }

    /// The module that a weight belongs to.
    static String path(String name) {
        return name.substring(0, name.lastIndexOf('.'));
    }

    /// Weights of opened files, converted where the options say so; they must be floating numbers, or quantized ones of
    /// projections.
    ///
    /// @param packed how projections are quantized in the files, null when they are dense
    static WeightSource files(WeightFiles files, LoadOptions options, BitsAndBytesConfig packed, TensorOps ops,
            Set<Tensor> owned) {
        return new FileWeights(files, options, packed, ops, owned, false);
    }

    /// See `files`.
    record FileWeights(WeightFiles files, LoadOptions options, BitsAndBytesConfig packed, TensorOps ops, Set<Tensor> owned,
                       boolean waits) implements WeightSource {
        @Override
        public WeightSource onHost() {
            return new FileWeights(files, options, packed, ops, owned, true);
        }

        @Override
        public Tensor get(String name, Shape shape) {
            Tensor stored = stored(name, shape);
            if (waits) return waiting(stored, options.dtype(stored.dtype()));
            Tensor placed = ops.place(stored);
            DType dtype = options.dtype(stored.dtype());
            boolean asItIs = dtype == stored.dtype() && !options.trainable();
            if (asItIs) {
                if (placed != stored) owned.add(placed);
                return placed;
            }
            Tensor converted = ops.allocate(name, dtype, shape);
            owned.add(converted);
            ops.copy(converted, placed);
            if (placed != stored) ops.release(placed);
            return converted;
        }

        private Tensor waiting(Tensor stored, DType dtype) {
            Tensor tensor = stored.scales() == null ? ops.allocateOnHost(stored.name(), dtype, stored.shape())
                    : ops.allocateOnHost(stored.name(), Quantization.of(stored), stored.shape());
            owned.add(tensor);
            HostCopy.copy(tensor, stored);
            return tensor;
        }

        /// As it is where it is quantized in the file, else quantized from the file, one weight at a time.
        @Override
        public Tensor projection(String name, Shape shape) {
            if (packed != null) return packed.skipModules().skips(path(name)) ? get(name, shape) : packed(name, shape);
            if (!options.quantizes(path(name))) return get(name, shape);
            Tensor stored = stored(name, shape);
            if (options.quantization().dtype() != DType.I8 && shape.size() % Nf4.BLOCK != 0) {
                throw new InputException(("%s: blocks of %d do not divide the %d elements of tensor %s; name its module in "
                        + "llm_int8_skip_modules").formatted(files.file(name), Nf4.BLOCK, shape.size(), name));
            }
            Tensor quantized = waits ? ops.allocateOnHost(name, options.quantization(), shape)
                    : ops.allocate(name, options.quantization(), shape);
            owned.add(quantized);
            ops.quantize(quantized, stored);
            return quantized;
        }

        @Override
        public Tensor router(String name, Shape shape) {
            return packed != null && QuantizedTensors.isQuantized(files, name) ? packed(name, shape) : get(name, shape);
        }

        private Tensor packed(String name, Shape shape) {
            Tensor stored = QuantizedTensors.read(files, name, shape, packed.quantization().dtype());
            if (waits) return waiting(stored, stored.dtype());
            Tensor placed = ops.place(stored);
            if (placed != stored) owned.add(placed);
            return placed;
        }

        private Tensor stored(String name, Shape shape) {
            if (QuantizedTensors.isQuantized(files, name)) {
                throw new InputException(("%s: tensor %s is quantized where a dense one is needed; the quantization_config of "
                        + "config.json must have it, and embedding and head stay dense").formatted(files.file(name), name));
            }
            Tensor stored = files.tensor(name, shape);
            if (!stored.dtype().floating()) {
                throw new InputException("%s: tensor %s holds %s instead of floating numbers; convert the file"
                        .formatted(files.file(name), name, stored.dtype()));
            }
            return stored;
        }
    }

    /// Fresh weights: norms 1 (0 where they are differences from 1), biases 0, all others normal with mean 0 and the
    /// configuration's deviation. Weight n of a model takes its numbers from stream n of the seed, so they do not depend on the
    /// machine.
    static WeightSource random(ModelConfig config, long seed, LoadOptions options, TensorOps ops, Set<Tensor> owned) {
        return new FreshWeights(options, ops, owned, config.variant().form().norm(),
                (tensor, stream) -> writeNormal(ops, tensor, seed, stream, config.initializerRange()), null, false);
    }

    /// As `random`, but with rows out of tables, and quantized weights of one shape alike.
    static WeightSource randomRows(RandomRows rows, NormKind norms, LoadOptions options, TensorOps ops, Set<Tensor> owned) {
        return new FreshWeights(options, ops, owned, norms, (tensor, number) -> rows.fill(tensor), new HashMap<>(), false);
    }

    /// See `random`.
    ///
    /// @param matrix    fills a weight that is neither norm nor bias, given how many weights were made before
    /// @param quantized those to be used again for their shapes, on the host; null makes each anew
    /// @param waits     whether the weights stay there
    record FreshWeights(LoadOptions options, TensorOps ops, Set<Tensor> owned, NormKind norms, ObjIntConsumer<Tensor> matrix,
                        Map<Shape, Tensor> quantized, boolean waits) implements WeightSource {
        @Override
        public WeightSource onHost() {
            return new FreshWeights(options, ops, owned, norms, matrix, quantized, true);
        }

        @Override
        public Tensor get(String name, Shape shape) {
            Tensor made = filled(name, ops.allocate(name, options.dtype(), shape));
            if (!waits) return made;
            Tensor waiting = ops.allocateOnHost(name, options.dtype(), shape);
            if (waiting.storage() instanceof Storage.Host(MemorySegment bytes)) ops.readBytes(bytes.asSlice(0, made.byteSize()),
                    made);
            ops.release(made);
            owned.remove(made);
            owned.add(waiting);
            return waiting;
        }

        @Override
        public Tensor projection(String name, Shape shape) {
            if (!options.quantizes(path(name))) return get(name, shape);
            Tensor weight;
            if (quantized != null && !ops.onHost()) weight = again(name, quantized.computeIfAbsent(shape,
                    s -> made(name, s, true)));
            else weight = made(name, shape, waits);
            owned.add(weight);
            return weight;
        }

        private Tensor again(String name, Tensor made) {
            if (!waits) return ops.place(new Tensor(name, made.dtype(), made.shape(), made.storage(), made.scales()));
            Tensor weight = ops.allocateOnHost(name, options.quantization(), made.shape());
            HostCopy.copy(weight, made);
            return weight;
        }

        private Tensor made(String name, Shape shape, boolean onHost) {
            Tensor made = onHost ? ops.allocateOnHost(name, options.quantization(), shape)
                    : ops.allocate(name, options.quantization(), shape);
            if (!ops.computes()) return made;
            Tensor dense = filled(name, ops.allocate(name, options.dtype(), shape));
            ops.quantize(made, dense);
            ops.release(dense);
            owned.remove(dense);
            return made;
        }

        private Tensor filled(String name, Tensor tensor) {
            int number = owned.size();
            owned.add(tensor);
            if (!ops.computes()) return tensor;                                // a plan needs no values
            if (name.endsWith("norm.weight")) ops.fill(tensor, norms == NormKind.SHIFTED_RMS ? 0f : 1f);
            else if (name.endsWith(".bias")) ops.fill(tensor, 0f);
            else matrix.accept(tensor, number);
            return tensor;
        }
    }

    /// Normal numbers with mean 0, from the beginning of a stream of the seed.
    static void writeNormal(TensorOps ops, Tensor tensor, long seed, int stream, double deviation) {
        int piece = 1 << 18;
        for (long at = 0; at < tensor.size(); at += piece) {
            ops.write(tensor, at, normal(seed, stream, at, (int) Math.min(piece, tensor.size() - at), deviation));
        }
    }

    /// Normal numbers `from`, `from` + 1, ... of a stream, four per Philox block, by Box and Muller's transform.
    /// Precondition: 4 divides `from`.
    private static float[] normal(long seed, int stream, long from, int size, double deviation) {
        int perTask = 1 << 14;
        float[] values = new float[size];
        IntStream.range(0, Math.ceilDiv(size, perTask)).parallel().forEach(task -> {
            int[] words = new int[4];
            int end = (int) Math.min(size, (task + 1L) * perTask);
            for (int at = task * perTask; at < end; at += 2) {
                int block = Math.toIntExact((from + at) / 4);
                if (at % 4 == 0) Philox.block((int) seed, (int) (seed >>> 32), block, stream, 0, 0, words);
                double radius = deviation * Math.sqrt(-2 * Math.log(((words[at & 2] >>> 8) + 1) * 0x1p-24));
                double angle = 2 * Math.PI * Philox.uniform(words[at & 2 | 1]);
                values[at] = (float) (radius * Math.cos(angle));
                if (at + 1 < end) values[at + 1] = (float) (radius * Math.sin(angle));
            }
        });
        return values;
    }
}
