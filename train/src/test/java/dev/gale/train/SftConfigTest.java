package dev.gale.train;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.gale.optim.OptimArgs;
import dev.gale.tensor.InputException;
import java.util.function.UnaryOperator;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class SftConfigTest {
    @Test
    void intervalsAreStepsOrSharesOfTheRun() {
        SftConfig config = SftConfig.builder().warmupSteps(0.1).evalSteps(7).loggingSteps(0.001).build();
        assertEquals(11, config.warmupStepsOf(101));
        assertEquals(7, config.evalStepsOf(101));
        assertEquals(1, config.loggingStepsOf(101));
        assertEquals(500, config.saveStepsOf(101));
        assertEquals(7, SftConfig.builder().warmupSteps(7).build().warmupStepsOf(101));
        assertEquals(1, SftConfig.builder().warmupSteps(1).build().warmupStepsOf(101));
        assertEquals(0, SftConfig.builder().build().warmupStepsOf(101));
    }

    @Test
    void evaluationsFollowLoggingUnlessSaidOtherwise() {
        assertEquals(3, SftConfig.builder().loggingSteps(3).build().evalStepsOf(50));
    }

    @ParameterizedTest
    @CsvSource({"loss, eval_loss, false", "eval_loss, eval_loss, false", "perplexity, eval_perplexity, false",
            "mean_token_accuracy, eval_mean_token_accuracy, true"})
    void theDirectionOfTheBestMetricIsKnown(String name, String logged, boolean greater) {
        SftConfig config = SftConfig.builder().metricForBestModel(name).build();
        assertEquals(logged, config.bestMetric());
        assertEquals(greater, config.bestIsGreatest());
        assertTrue(SftConfig.builder().metricForBestModel(name).greaterIsBetter(true).build().bestIsGreatest());
    }

    @Test
    void theOrderOfExamplesFollowsTheSeedUnlessItHasItsOwn() {
        assertEquals(5, SftConfig.builder().seed(5).build().orderSeed());
        assertEquals(6, SftConfig.builder().seed(5).dataSeed(6).build().orderSeed());
    }

    @Test
    void valuesOutOfRangeAreNamed() {
        assertRefused("learning_rate must be above 0 and finite, found -1.0", b -> b.learningRate(-1));
        assertRefused("learning_rate must be", b -> b.learningRate(Double.NaN));
        assertRefused("per_device_train_batch_size must be at least 1, found 0", b -> b.perDeviceTrainBatchSize(0));
        assertRefused("adam_beta1 must be in [0, 1), found 1.0", b -> b.adamBeta1(1));
        assertRefused("max_steps must be at least 1", b -> b.maxSteps(0));
        assertRefused("num_train_epochs must be above 0", b -> b.numTrainEpochs(0));
        assertRefused("save_steps must be a whole number of steps or a share", b -> b.saveSteps(2.5));
        assertRefused("logging_steps must be", b -> b.loggingSteps(0));
        assertRefused("warmup_steps must be", b -> b.warmupSteps(-1));
        assertRefused("warmup_steps must be", b -> b.warmupSteps(Double.NaN));
        assertRefused("unknown optim 'lion'; did you mean 'lion_32bit'?", b -> b.optim("lion"));
        assertRefused("unknown sgd option in optim_args 'momentun'; did you mean 'momentum'?",
                b -> b.optim("sgd").optimArgs(OptimArgs.parse("momentun=0.9")));
        assertRefused("did you mean 'cosine'?", b -> b.lrSchedulerType("cosin"));
        assertRefused("set eval_strategy", b -> b.loadBestModelAtEnd(true));
    }

    @Test
    void epochsDoNotMatterWhenStepsAreCounted() {
        assertFalse(SftConfig.builder().maxSteps(5).numTrainEpochs(0).build().packing());
    }

    private static void assertRefused(String sentence, UnaryOperator<SftConfigBuilder> change) {
        SftConfigBuilder builder = change.apply(SftConfig.builder());
        String message = assertThrows(InputException.class, builder::build).getMessage();
        assertTrue(message.contains(sentence), message);
    }
}
