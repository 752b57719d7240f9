package dev.gale.bench.parity;

import dev.gale.nn.LoadOptions;
import dev.gale.tensor.ops.TensorOps;
import dev.gale.train.FastLanguageModel;
import dev.gale.train.SftTrainer;
import dev.gale.train.data.Dataset;
import dev.gale.train.demo.Demo;
import dev.gale.train.metric.MetricSink;
import dev.gale.train.metric.StepMetrics;
import java.util.ArrayList;
import java.util.List;

/// The first steps of what `gale demo` trains.
///
/// @param demo with its base model and training file written
record DemoRun(Demo demo, int steps) {

    /// Writes the demo's files.
    static DemoRun in(Demo demo, int examples, int steps) {
        demo.unpackBase();
        demo.write(demo.trainFile(), demo.examples(examples));
        return new DemoRun(demo, steps);
    }

    Curve run(TensorOps ops) {
        List<Double> losses = new ArrayList<>();
        MetricSink collector = new MetricSink() {
            @Override
            public void step(StepMetrics metrics) {
                losses.add(metrics.loss());
            }
        };
        try (FastLanguageModel model = FastLanguageModel.open(demo.base(), LoadOptions.defaults(), ops)) {
            model.getPeftModel(Demo.LORA);
            new SftTrainer(model, Dataset.load(demo.trainFile()), demo.training().maxSteps(steps).build())
                    .observe(total -> collector).train();
            return Curve.of(losses, model.trainable(), ops);
        }
    }
}
