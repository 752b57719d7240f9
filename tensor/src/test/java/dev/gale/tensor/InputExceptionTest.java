package dev.gale.tensor;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;

import java.util.List;
import org.junit.jupiter.api.Test;

class InputExceptionTest {
    private static final List<String> KNOWN = List.of("learning_rate", "lora_alpha", "r");

    @Test
    void suggestsTheNearestName() {
        assertEquals("learning_rate", InputException.nearest("laerning_rate", KNOWN));
        assertEquals("learning_rate", InputException.nearest("learningRate", KNOWN));
        assertEquals("lora_alpha", InputException.nearest("lora_alfa", KNOWN));
    }

    @Test
    void suggestsNothingWhenNothingIsNear() {
        assertNull(InputException.nearest("output_dir", KNOWN));
        assertNull(InputException.nearest("anything", List.of()));
    }

    @Test
    void listsWhatIsKnown() {
        assertEquals("unknown option 'lora_alpa'; did you mean 'lora_alpha'? (known: learning_rate, lora_alpha, r)",
                InputException.unknown("option", "lora_alpa", KNOWN).getMessage());
        assertEquals("unknown option 'seed' (known: learning_rate, lora_alpha, r)",
                InputException.unknown("option", "seed", KNOWN).getMessage());
    }
}
