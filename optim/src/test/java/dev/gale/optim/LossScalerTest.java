package dev.gale.optim;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.gale.tensor.InputException;
import java.util.Map;
import org.junit.jupiter.api.Test;

class LossScalerTest {
    @Test
    void growsAfterTwoThousandCleanSteps() {
        LossScaler scaler = new LossScaler();
        assertEquals(65536, scaler.scale());
        for (int i = 0; i < 1999; i++) assertTrue(scaler.update(3));
        assertEquals(65536, scaler.scale());
        assertTrue(scaler.update(0));
        assertEquals(131072, scaler.scale());
        for (int i = 0; i < 2000; i++) scaler.update(1);
        assertEquals(262144, scaler.scale());
    }

    @Test
    void stepsWithoutFiniteGradientsAreLeftOutAndBeginTheCountAgain() {
        LossScaler scaler = new LossScaler();
        for (int i = 0; i < 1999; i++) scaler.update(1);
        assertFalse(scaler.update(Double.POSITIVE_INFINITY));
        assertEquals(32768, scaler.scale());
        assertFalse(scaler.update(Double.NaN));
        assertEquals(16384, scaler.scale());
        for (int i = 0; i < 1999; i++) scaler.update(1);
        assertEquals(16384, scaler.scale());
        scaler.update(1);
        assertEquals(32768, scaler.scale());
    }

    @Test
    void goesOnFromItsState() {
        LossScaler scaler = new LossScaler();
        scaler.update(Double.NaN);
        for (int i = 0; i < 1500; i++) scaler.update(1);
        LossScaler resumed = new LossScaler();
        resumed.restore(scaler.state(), "checkpoint");
        for (int i = 0; i < 500; i++) resumed.update(1);
        assertEquals(65536, resumed.scale());
        assertEquals(1, resumed.skipped());
        assertThrows(InputException.class, () -> resumed.restore(Map.of("scale", 1.0), "checkpoint"));
    }

    /// GradScaler scales mean losses; a sum has as many times the gradient as it has tokens, up to a power of two.
    @Test
    void theScaleOfASumIsAPowerOfTwo() {
        LossScaler scaler = new LossScaler();
        assertEquals(65536, scaler.sumScale(1));
        assertEquals(1024, scaler.sumScale(64));
        assertEquals(512, scaler.sumScale(65));
        assertEquals(0x1p-14f, scaler.sumScale(1L << 30));
    }

    @Test
    void theScaleStaysWhatF32Holds() {
        LossScaler scaler = new LossScaler();
        scaler.restore(Map.of("scale", 0x1p127, "growth_tracker", 1999.0, "skipped", 0.0), "checkpoint");
        scaler.update(1);
        assertEquals(0x1p127, scaler.scale());
        scaler.restore(Map.of("scale", 2.0, "growth_tracker", 0.0, "skipped", 0.0), "checkpoint");
        scaler.update(Double.NaN);
        assertFalse(scaler.isExhausted());
        scaler.update(Double.NaN);
        assertTrue(scaler.isExhausted());
    }
}
