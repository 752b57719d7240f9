package dev.gale.kernels.emulator;

import java.lang.invoke.MethodHandle;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.MethodType;
import java.lang.reflect.Field;
import java.util.List;
import uk.ac.manchester.tornado.api.KernelContext;

/// Writes the final fields of a `KernelContext` that say where in the grid a thread is.
final class ThreadIds {
    private static final MethodHandle GLOBAL = setter("globalIdx", "globalIdy", "globalIdz");
    private static final MethodHandle GROUP = setter("groupIdx", "groupIdy", "groupIdz");
    private static final MethodHandle LOCAL = setter("localIdx", "localIdy", "localIdz");
    private static final MethodHandle GRID_SIZE = setter("globalGroupSizeX", "globalGroupSizeY", "globalGroupSizeZ");
    private static final MethodHandle GROUP_SIZE = setter("localGroupSizeX", "localGroupSizeY", "localGroupSizeZ");

    private ThreadIds() {}

    /// Takes a context and a value for each of these fields.
    private static MethodHandle setter(String x, String y, String z) {
        MethodType type = MethodType.methodType(void.class, KernelContext.class, Integer.class, Integer.class, Integer.class);
        MethodHandle all = MethodHandles.empty(type);
        try {
            List<String> names = List.of(x, y, z);
            for (int i = 0; i < names.size(); i++) {
                Field field = KernelContext.class.getField(names.get(i));
                field.setAccessible(true);
                MethodHandle one = MethodHandles.lookup().unreflectSetter(field);
                all = MethodHandles.foldArguments(all, MethodHandles.permuteArguments(one, type, 0, i + 1));
            }
        } catch (ReflectiveOperationException e) {
            throw new AssertionError("KernelContext has no field to set", e);
        }
        return all;
    }

    static void place(KernelContext context, Extent local, Extent grid, Extent group) {
        try {
            LOCAL.invokeExact(context, (Integer) local.x(), (Integer) local.y(), (Integer) local.z());
            GRID_SIZE.invokeExact(context, (Integer) grid.x(), (Integer) grid.y(), (Integer) grid.z());
            GROUP_SIZE.invokeExact(context, (Integer) group.x(), (Integer) group.y(), (Integer) group.z());
        } catch (Throwable e) {
            throw new AssertionError("a setter failed", e);
        }
    }

    /// Moves a context to the same place in another group.
    static void move(KernelContext context, Extent at, Extent local, Extent group) {
        try {
            GROUP.invokeExact(context, (Integer) at.x(), (Integer) at.y(), (Integer) at.z());
            GLOBAL.invokeExact(context, (Integer) (at.x() * group.x() + local.x()),
                    (Integer) (at.y() * group.y() + local.y()), (Integer) (at.z() * group.z() + local.z()));
        } catch (Throwable e) {
            throw new AssertionError("a setter failed", e);
        }
    }
}
