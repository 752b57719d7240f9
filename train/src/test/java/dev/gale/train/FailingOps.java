package dev.gale.train;

import dev.gale.tensor.ops.TensorOps;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.lang.reflect.Proxy;
import java.util.Set;
import java.util.function.Function;
import java.util.function.Supplier;

/// Operations that do what others do until one of them was called so many times, and fail from then on, as those of a device
/// that is lost do; or that differ in one thing.
public final class FailingOps {
    /// What works without the device.
    private static final Set<String> HOST_ONLY = Set.of("close", "release", "memory", "name", "batchRows", "activationType",
            "scratchBytes");

    private FailingOps() {}

    /// @param operation name of the operation that is counted
    /// @param calls     that go well
    public static TensorOps after(TensorOps ops, String operation, int calls, Supplier<Throwable> failure) {
        int[] counted = new int[1];
        return proxy((method, args) -> {
            if (method.getName().equals(operation)) counted[0]++;
            if (counted[0] > calls && !HOST_ONLY.contains(method.getName())) throw failure.get();
            return method.invoke(ops, args);
        });
    }

    /// Counts the calls of an operation.
    public static TensorOps counting(TensorOps ops, String operation, int[] counted) {
        return proxy((method, args) -> {
            if (method.getName().equals(operation)) counted[0]++;
            return method.invoke(ops, args);
        });
    }

    /// Does something else for one operation.
    public static TensorOps replacing(TensorOps ops, String operation, Function<Object[], Object> other) {
        return proxy((method, args) -> method.getName().equals(operation) ? other.apply(args) : method.invoke(ops, args));
    }

    private interface Call {
        Object of(Method method, Object[] args) throws Throwable;
    }

    private static TensorOps proxy(Call call) {
        Class<?>[] types = {TensorOps.class};
        return (TensorOps) Proxy.newProxyInstance(TensorOps.class.getClassLoader(), types, (self, method, args) -> {
            try {
                return call.of(method, args);
            } catch (InvocationTargetException e) {
                throw e.getCause();
            }
        });
    }
}
