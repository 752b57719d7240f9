package dev.gale.kernels.runtime;

import dev.gale.tensor.DeviceException;
import dev.gale.tensor.InputException;
import dev.gale.tensor.ops.KernelTime;
import java.io.UncheckedIOException;
import java.lang.foreign.MemorySegment;
import java.util.List;
import java.util.Locale;
import java.util.function.Supplier;

/// A device whose failures are `DeviceException`s. TornadoVM reports them with exceptions that have no common type, some of
/// them errors, and with messages of several lines.
record GuardedLink(DeviceLink link) implements DeviceLink {
    private static final int LONGEST_REASON = 200;

    @Override
    public DeviceChunk chunk(int number, long bytes) {
        String what = String.format(Locale.ROOT, "did not give %,.1f MB of its memory", bytes / 1e6);
        return guarded(what, () -> link.chunk(number, bytes));
    }

    @Override
    public void launch(Launch launch) {
        run("failed", () -> link.launch(launch));
    }

    @Override
    public void run() {
        run("failed", link::run);
    }

    @Override
    public List<KernelTime> takeKernelTimes() {
        return link.takeKernelTimes();
    }

    @Override
    public void upload(DeviceChunk chunk, int word, MemorySegment bytes) {
        run("failed before or while it was written to", () -> link.upload(chunk, word, bytes));
    }

    @Override
    public void download(DeviceChunk chunk, int word, MemorySegment bytes) {
        run("failed before or while it was read", () -> link.download(chunk, word, bytes));
    }

    @Override
    public HostTransfers transfers() {
        return guarded("has no copies beside launches", link::transfers);
    }

    @Override
    public long usedBytes() {
        return guarded("does not tell its memory", link::usedBytes);
    }

    @Override
    public void close() {
        run("failed at its end", link::close);
    }

    private static void run(String what, Runnable work) {
        guarded(what, () -> {
            work.run();
            return null;
        });
    }

    private static <T> T guarded(String what, Supplier<T> work) {
        try {
            return work.get();
        } catch (DeviceException | InputException | UncheckedIOException | VirtualMachineError e) {
            throw e;
        } catch (RuntimeException | Error e) {
            throw new DeviceException("the device %s: %s".formatted(what, reason(e)), e);
        }
    }

    /// One line of a message, or what else is known.
    static String reason(Throwable error) {
        String message = error.getMessage() == null ? "" : error.getMessage();
        String line = message.replaceAll("\u001B\\[[0-9;]*m", "").replaceAll("\\s+", " ").strip();
        if (line.isEmpty()) return error.getClass().getSimpleName();
        return line.length() <= LONGEST_REASON ? line : line.substring(0, LONGEST_REASON) + "...";
    }
}
