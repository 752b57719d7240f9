package dev.gale.kernels.emulator;

import java.lang.invoke.MethodHandle;
import java.lang.invoke.MethodHandles;
import java.lang.reflect.Field;
import uk.ac.manchester.tornado.api.KernelContext;

/// Writes the final fields of a `KernelContext` that say where in the grid a thread is.
final class ThreadIds {
    private static final MethodHandle[] GLOBAL = setters("globalIdx", "globalIdy", "globalIdz");
    private static final MethodHandle[] GROUP = setters("groupIdx", "groupIdy", "groupIdz");
    private static final MethodHandle[] LOCAL = setters("localIdx", "localIdy", "localIdz");
    private static final MethodHandle[] GRID_SIZE =
            setters("globalGroupSizeX", "globalGroupSizeY", "globalGroupSizeZ");
    private static final MethodHandle[] GROUP_SIZE = setters("localGroupSizeX", "localGroupSizeY", "localGroupSizeZ");

    private ThreadIds() {}

    private static MethodHandle[] setters(String... names) {
        MethodHandle[] setters = new MethodHandle[names.length];
        try {
            for (int i = 0; i < names.length; i++) {
                Field field = KernelContext.class.getField(names[i]);
                field.setAccessible(true);
                setters[i] = MethodHandles.lookup().unreflectSetter(field);
            }
        } catch (ReflectiveOperationException e) {
            throw new AssertionError("KernelContext has no field to set", e);
        }
        return setters;
    }

    static void place(KernelContext context, Extent local, Extent grid, Extent group) {
        set(LOCAL, context, local.x(), local.y(), local.z());
        set(GRID_SIZE, context, grid.x(), grid.y(), grid.z());
        set(GROUP_SIZE, context, group.x(), group.y(), group.z());
    }

    /// Moves a context to the same place in another group.
    static void move(KernelContext context, Extent at, Extent local, Extent group) {
        set(GROUP, context, at.x(), at.y(), at.z());
        set(GLOBAL, context, at.x() * group.x() + local.x(), at.y() * group.y() + local.y(),
                at.z() * group.z() + local.z());
    }

    private static void set(MethodHandle[] setters, KernelContext context, int x, int y, int z) {
        try {
            setters[0].invokeExact(context, (Integer) x);
            setters[1].invokeExact(context, (Integer) y);
            setters[2].invokeExact(context, (Integer) z);
        } catch (Throwable e) {
            throw new AssertionError("a setter failed", e);
        }
    }
}
