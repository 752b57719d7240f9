package dev.gale.tensor.cpu;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;

import dev.gale.tensor.DType;
import dev.gale.tensor.Shape;
import dev.gale.tensor.Tensor;
import dev.gale.tensor.ops.ReferenceOps;
import dev.gale.tensor.quant.Codec;
import dev.gale.tensor.quant.Quantization;
import dev.gale.tensor.testing.Fixtures;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

class NibblesTest {
    @ParameterizedTest
    @EnumSource(value = Quantization.class, names = "INT8", mode = EnumSource.Mode.EXCLUDE)
    void everyPlaceAndCountHasTheBitsOfTheCodec(Quantization quantization) {
        try (ReferenceOps ops = new ReferenceOps()) {
            Tensor values = ops.allocate("values", DType.F32, Shape.of(6, 64));
            Tensor q = ops.allocate("q", quantization, values.shape());
            ops.write(values, Fixtures.normal(384, 0.02, 1));
            ops.quantize(q, values);
            for (int from = 0; from < 70; from++) {
                for (int count = 0; count <= 200; count++) {
                    float[] want = new float[count + 4];
                    float[] got = new float[count + 4];
                    Codec.load(want, 3, q, from, count);
                    Nibbles.load(got, 3, q, from, count);
                    assertArrayEquals(want, got, from + " " + count);
                }
            }
        }
    }
}
