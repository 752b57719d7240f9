package dev.gale.tensor.autograd;

import dev.gale.tensor.Tensor;
import dev.gale.tensor.ops.TensorOps;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Proxy;

/// Operations whose `rowNorm` of an adapted weight always gives the same norms.
final class HeldNorms {
    private HeldNorms() {}

    static TensorOps of(TensorOps ops, Tensor norms) {
        return (TensorOps) Proxy.newProxyInstance(TensorOps.class.getClassLoader(), new Class<?>[] {TensorOps.class},
                (proxy, method, arguments) -> {
                    if (method.getName().equals("rowNorm") && arguments[1] != null) {
                        ops.copy((Tensor) arguments[0], norms);
                        return null;
                    }
                    try {
                        return method.invoke(ops, arguments);
                    } catch (InvocationTargetException thrown) {
                        throw thrown.getCause();
                    }
                });
    }
}
