package dev.gale.tensor.autograd;

import dev.gale.tensor.ops.TensorOps;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Proxy;
import java.util.HashMap;
import java.util.Map;

/// Counts the calls of each method of an implementation, and how often an argument was null.
final class CountedCalls {
    private final TensorOps ops;
    private final Map<String, Integer> calls = new HashMap<>();
    private final Map<String, Integer> nulls = new HashMap<>();

    private CountedCalls(TensorOps counted) {
        ops = (TensorOps) Proxy.newProxyInstance(TensorOps.class.getClassLoader(), new Class<?>[] {TensorOps.class},
                (proxy, method, arguments) -> {
                    calls.merge(method.getName(), 1, Integer::sum);
                    for (int i = 0; arguments != null && i < arguments.length; i++) {
                        if (arguments[i] == null) nulls.merge(method.getName() + " " + i, 1, Integer::sum);
                    }
                    try {
                        return method.invoke(counted, arguments);
                    } catch (InvocationTargetException thrown) {
                        throw thrown.getCause();
                    }
                });
    }

    static CountedCalls of(TensorOps counted) {
        return new CountedCalls(counted);
    }

    TensorOps ops() {
        return ops;
    }

    Map<String, Integer> calls() {
        return calls;
    }

    /// How often the argument at this index was null.
    int nulls(String method, int argument) {
        return nulls.getOrDefault(method + " " + argument, 0);
    }

    void reset() {
        calls.clear();
        nulls.clear();
    }
}
