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
        assertThrows(InputException.class, () -> resumed.restore(Map.of("scale", 1.0), "checkpoint"));
    }
}
