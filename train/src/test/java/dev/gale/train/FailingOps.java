package dev.gale.train;

import dev.gale.tensor.ops.TensorOps;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Proxy;
import java.util.Set;
import java.util.function.Supplier;

/// Operations that do what others do until one of them was called so many times, and fail from then on: a device that is lost.
public final class FailingOps {
    /// What works without the device.
    private static final Set<String> HOST_ONLY = Set.of("close", "release", "memory", "name", "batchRows", "activationType",
            "scratchBytes");

    private FailingOps() {}

    /// @param operation name of the operation that is counted
    /// @param calls     that go well
    public static TensorOps after(TensorOps ops, String operation, int calls, Supplier<Throwable> failure) {
        int[] counted = new int[1];
        return proxy(ops, method -> {
            if (method.equals(operation)) counted[0]++;
            if (counted[0] > calls && !HOST_ONLY.contains(method)) throw failure.get();
        });
    }

    /// Counts the calls of an operation.
    public static TensorOps counting(TensorOps ops, String operation, int[] counted) {
        return proxy(ops, method -> {
            if (method.equals(operation)) counted[0]++;
        });
    }

    private interface Before {
        void call(String method) throws Throwable;
    }

    private static TensorOps proxy(TensorOps ops, Before before) {
        Class<?>[] types = {TensorOps.class};
        return (TensorOps) Proxy.newProxyInstance(TensorOps.class.getClassLoader(), types, (self, method, args) -> {
            before.call(method.getName());
            try {
                return method.invoke(ops, args);
            } catch (InvocationTargetException e) {
                throw e.getCause();
            }
        });
    }
}
