package dev.gale.kernels.emulator;

import java.lang.invoke.MethodHandle;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.MethodType;

/// Code that stops halfway and goes on later, on the thread of its caller: what the JDK makes virtual threads of, without
/// a scheduler between two of them, which took a third of the emulator's time. The JVM needs
/// `--add-exports java.base/jdk.internal.vm=ALL-UNNAMED`.
final class Coroutine {
    private static final Object SCOPE;
    private static final MethodHandle NEW;
    private static final MethodHandle RUN;
    private static final MethodHandle YIELD;
    private static final MethodHandle STACK;

    static {
        try {
            MethodHandles.Lookup lookup = MethodHandles.lookup();
            Class<?> scope = Class.forName("jdk.internal.vm.ContinuationScope");
            Class<?> type = Class.forName("jdk.internal.vm.Continuation");
            SCOPE = lookup.findConstructor(scope, MethodType.methodType(void.class, String.class)).invoke("emulator");
            NEW = lookup.findConstructor(type, MethodType.methodType(void.class, scope, Runnable.class))
                    .asType(MethodType.methodType(Object.class, Object.class, Runnable.class));
            RUN = lookup.findVirtual(type, "run", MethodType.methodType(void.class))
                    .asType(MethodType.methodType(void.class, Object.class));
            YIELD = lookup.findStatic(type, "yield", MethodType.methodType(boolean.class, scope)).bindTo(SCOPE);
            STACK = lookup.findVirtual(type, "getStackTrace", MethodType.methodType(StackTraceElement[].class))
                    .asType(MethodType.methodType(StackTraceElement[].class, Object.class));
        } catch (Throwable e) {
            throw new ExceptionInInitializerError(new IllegalStateException(
                    "the emulator needs Java's option --add-exports java.base/jdk.internal.vm=ALL-UNNAMED", e));
        }
    }

    private final Object continuation;

    /// @param code must not throw
    Coroutine(Runnable code) {
        try {
            continuation = (Object) NEW.invokeExact(SCOPE, code);
        } catch (Throwable e) {
            throw new AssertionError("a continuation cannot be made", e);
        }
    }

    /// Begins or goes on, until the code pauses or ends.
    void run() {
        try {
            RUN.invokeExact(continuation);
        } catch (RuntimeException | Error e) {
            throw e;
        } catch (Throwable e) {
            throw new AssertionError("a continuation threw a checked exception", e);
        }
    }

    /// Called by the code itself: gives the turn back to who called `run`.
    static void pause() {
        try {
            boolean ignored = (boolean) YIELD.invokeExact();
        } catch (RuntimeException | Error e) {
            throw e;
        } catch (Throwable e) {
            throw new AssertionError("a continuation threw a checked exception", e);
        }
    }

    /// Where code that has paused stands.
    StackTraceElement[] stack() {
        try {
            return (StackTraceElement[]) STACK.invokeExact(continuation);
        } catch (Throwable e) {
            throw new AssertionError("a continuation has no stack", e);
        }
    }
}
