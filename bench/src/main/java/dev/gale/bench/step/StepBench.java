package dev.gale.bench.step;

import dev.gale.bench.report.BenchCsv;
import dev.gale.nn.CausalLm;
import dev.gale.nn.ModelConfig;
import dev.gale.nn.RopeConfig;
import dev.gale.optim.AdamW;
import dev.gale.optim.ParamGroups;
import dev.gale.peft.LoraConfig;
import dev.gale.peft.PeftModel;
import dev.gale.tensor.DType;
import dev.gale.tensor.cpu.CpuOps;
import dev.gale.tensor.ops.Activation;
import dev.gale.tensor.ops.MemoryUse;
import dev.gale.tensor.ops.NullOps;
import dev.gale.tensor.ops.TensorOps;
import dev.gale.train.MemoryPlan;
import dev.gale.train.SftConfig;
import dev.gale.train.TrainStep;
import dev.gale.train.data.Batch;
import dev.gale.train.data.Example;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Random;

/// A whole LoRA step of a 135M Llama shape on the CPU: time, tokens/s, peak memory against the plan. The peer runs the
/// same shape in Transformers and PEFT: bench/peer/hf_lora_step.py.
public final class StepBench {
    private static final ModelConfig SHAPE = new ModelConfig("LlamaForCausalLM", 576, 1536, 30, 9, 3, 64, 49152, 2048, 1e-5,
            Activation.SILU, false, false, true, RopeConfig.plain(10000), 1, List.of(2), -1, DType.F32, 0.02);

    private StepBench() {}

    /// @param args tokens, steps, whether to checkpoint; each may be left out
    public static void run(String[] args, BenchCsv csv) throws IOException {
        int tokens = args.length > 0 ? Integer.parseInt(args[0]) : 512;
        int steps = args.length > 1 ? Integer.parseInt(args[1]) : 6;
        boolean checkpointing = args.length > 2 && Boolean.parseBoolean(args[2]);
        long planned;
        double flops;
        try (NullOps ops = new NullOps()) {
            run(ops, tokens, 2, checkpointing);                      // gradients come with the first step
            flops = ops.totalFlops() / 2.0;
            planned = ops.memory().reservedBytes() + MemoryPlan.RUNTIME_BYTES;
        }
        try (CpuOps ops = new CpuOps()) {
            double best = run(ops, tokens, steps, checkpointing);
            MemoryUse memory = ops.memory();
            long rss = peakResidentBytes();
            System.out.printf(Locale.ROOT, "step %.3f s, %.1f tokens/s, %.1f GFLOP/s, tensors %.1f MB, process peak %.1f MB (plan %.1f MB)%n",
                    best, tokens / best, flops / best / 1e9, memory.reservedBytes() / 1e6, rss / 1e6, planned / 1e6);
            String shape = "llama-135m lora-r16 1x" + tokens + (checkpointing ? " checkpointing" : "");
            csv.add("lora step", shape, ops.threads(), tokens / best, "tokens/s");
            csv.add("lora step", shape, ops.threads(), best, "s");
            csv.add("lora step", shape, ops.threads(), rss / 1e6, "MB peak");
            csv.add("lora step", shape, ops.threads(), planned / 1e6, "MB planned");
        }
    }

    /// Seconds of the fastest step; the first one warms up.
    private static double run(TensorOps ops, int tokens, int steps, boolean checkpointing) {
        SftConfig config = SftConfig.builder().gradientCheckpointing(checkpointing).build();
        List<Double> seconds = new ArrayList<>();
        try (CausalLm model = CausalLm.random(SHAPE, 1, DType.F32, ops)) {
            PeftModel peft = PeftModel.inject(model, LoraConfig.builder().r(16).loraAlpha(16).targetModules("all-linear").build(), 1);
            try (AdamW optimizer = new AdamW(ops, ParamGroups.byDecay(peft.trainableParameters(), 0), AdamW.Settings.DEFAULT);
                 TrainStep step = new TrainStep(ops, model, optimizer, config)) {
                Batch batch = randomBatch(tokens);
                for (int i = 0; i < steps; i++) {
                    long begin = System.nanoTime();
                    step.run(List.of(batch), i + 1, 2e-4);
                    seconds.add((System.nanoTime() - begin) / 1e9);
                }
            }
        }
        return seconds.stream().skip(steps > 1 ? 1 : 0).mapToDouble(Double::doubleValue).min().orElseThrow();
    }

    private static Batch randomBatch(int tokens) {
        int[] ids = new Random(1).ints(tokens, 0, SHAPE.vocabSize()).toArray();
        boolean[] trained = new boolean[tokens];
        Arrays.fill(trained, true);
        return Batch.of(List.of(new Example(ids, trained)));
    }

    /// The kernel's record of the largest resident set (`VmHWM`), 0 where there is no such record.
    private static long peakResidentBytes() throws IOException {
        Path status = Path.of("/proc/self/status");
        if (!Files.exists(status)) return 0;
        return Files.readAllLines(status).stream().filter(line -> line.startsWith("VmHWM:"))
                .mapToLong(line -> Long.parseLong(line.replaceAll("\\D", "")) * 1024).findFirst().orElse(0);
    }
}
