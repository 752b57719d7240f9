package dev.gale.kernels.emulator;

import java.util.Random;

/// In which order groups, and the threads of a group between two barriers, take their turns.
enum Order {
    ASCENDING, DESCENDING, SHUFFLED;

    /// Fills items with 0 to length - 1 in this order; a shuffle is another one at every call.
    void arrange(int[] items, Random random) {
        for (int i = 0; i < items.length; i++) items[i] = this == DESCENDING ? items.length - 1 - i : i;
        if (this != SHUFFLED) return;
        for (int i = items.length - 1; i > 0; i--) {
            int other = random.nextInt(i + 1);
            int item = items[i];
            items[i] = items[other];
            items[other] = item;
        }
    }
}
