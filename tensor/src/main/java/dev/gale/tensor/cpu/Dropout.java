package dev.gale.tensor.cpu;

import dev.gale.tensor.Convert;
import dev.gale.tensor.Tensor;
import dev.gale.tensor.cpu.Scratch.Use;
import dev.gale.tensor.random.Philox;

/// Inverted dropout with counter-based random numbers.
final class Dropout {
    private final Team team;

    Dropout(Team team) {
        this.team = team;
    }

    void run(Tensor y, Tensor x, float p, Tensor rng, int stream, boolean accumulate) {
        int[] state = new int[4];
        for (int i = 0; i < 4; i++) state[i] = Convert.getInt(rng.segment(), i);
        float scale = (float) (1 / (1 - (double) p));
        team.blocks(x.size(), (at, count, scratch) -> {
            float[] values = scratch.get(Use.A, Team.BLOCK);
            float[] before = scratch.get(Use.B, Team.BLOCK);
            Lanes.load(values, 0, x, at, count);
            if (accumulate) Lanes.load(before, 0, y, at, count);
            mask(values, count, p, scale, state, stream, at);
            if (accumulate) Lanes.addScaled(values, 0, 1f, before, 0, Lanes.roundUp(count));
            Lanes.store(y, at, values, 0, count);
        });
    }

    /// A dropped NaN is dropped. `at` is a multiple of 4, and block numbers wrap as the contract's 32-bit counter does.
    private static void mask(float[] values, int count, float p, float scale, int[] state, int stream, long at) {
        int[] words = new int[4];
        for (int i = 0; i < count; i += 4) {
            Philox.block(state[0], state[1], (int) ((at + i) / 4), stream, state[2], state[3], words);
            for (int j = i; j < Math.min(count, i + 4); j++) {
                values[j] = Philox.uniform(words[j - i]) >= p ? values[j] * scale : 0f;
            }
        }
    }
}
