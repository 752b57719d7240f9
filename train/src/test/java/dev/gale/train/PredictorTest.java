package dev.gale.train;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.gale.nn.generate.GenerationConfig;
import dev.gale.nn.generate.Generator;
import dev.gale.tensor.cpu.CpuOps;
import dev.gale.train.data.Batches;
import dev.gale.train.data.Example;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class PredictorTest {
    @TempDir
    private Path folder;

    @Test
    void predictsWhatGreedyGenerationSaysAndAgreesWithTheEvaluation() throws IOException {
        try (FastLanguageModel model = TinyRuns.adapted(TinyRuns.base(folder.resolve("fresh")), 0, new CpuOps())) {
            List<int[]> prompts = List.of(new int[] {5, 9, 17}, new int[] {250, 3});
            List<int[]> said = new Generator(model.model()).generate(prompts, GenerationConfig.greedy(30, List.of()));
            List<Example> examples = new ArrayList<>();
            for (int i = 0; i < prompts.size(); i++) {
                int from = prompts.get(i).length;
                int[] ids = Arrays.copyOf(prompts.get(i), from + said.get(i).length);
                System.arraycopy(said.get(i), 0, ids, from, said.get(i).length);
                boolean[] trained = new boolean[ids.length];
                Arrays.fill(trained, from, ids.length, true);
                examples.add(new Example(ids, trained));
            }
            Predictor predictor = new Predictor(model.ops(), model.model());
            List<Prediction> greedy = predictor.predict(examples);
            for (int i = 0; i < said.size(); i++) {
                assertArrayEquals(said.get(i), greedy.get(i).predicted());
                assertArrayEquals(said.get(i), greedy.get(i).labels());
            }
            examples.addAll(TinyRuns.examples(20));
            int right = 0;
            int all = 0;
            for (Prediction prediction : predictor.predict(examples)) {
                for (int t = 0; t < prediction.labels().length; t++) {
                    if (prediction.labels()[t] == prediction.predicted()[t]) right++;
                    all++;
                }
            }
            double accuracy = new Evaluator(model.ops(), model.model()).evaluate(Batches.inOrder(examples, 4)).accuracy();
            assertTrue(accuracy > 0.1 && accuracy < 0.9, "accuracy " + accuracy);
            assertEquals(accuracy, (double) right / all, 1e-9);
        }
    }
}
