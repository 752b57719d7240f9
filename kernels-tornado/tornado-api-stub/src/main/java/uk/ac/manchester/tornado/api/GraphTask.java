package uk.ac.manchester.tornado.api;

import java.lang.invoke.MethodHandle;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.MethodType;
import uk.ac.manchester.tornado.api.common.LibraryTaskDescriptor;

/// One task of a graph: the method and its arguments, or, with a null call, a function of a library.
record GraphTask(String id, MethodHandle call, LibraryTaskDescriptor library, Object[] arguments) {

    static GraphTask of(String id, Class<?> type, Object code, Object[] arguments) {
        try {
            MethodType signature = MethodType.genericMethodType(arguments.length).changeReturnType(void.class);
            MethodHandle apply = MethodHandles.publicLookup().findVirtual(type, "apply", signature);
            return new GraphTask(id, apply.bindTo(code).asSpreader(Object[].class, arguments.length), null, arguments);
        } catch (ReflectiveOperationException e) {
            throw new AssertionError(type + " has no method apply of " + arguments.length + " arguments", e);
        }
    }

    static GraphTask library(String id, LibraryTaskDescriptor call) {
        return new GraphTask(id, null, call, call.getParameters());
    }

    boolean usesContext() {
        for (Object argument : arguments) if (argument instanceof KernelContext) return true;
        return false;
    }

    /// Runs the method once, with this context in the place of the one given to the graph.
    void run(KernelContext context) {
        Object[] bound = arguments.clone();
        for (int i = 0; i < bound.length; i++) if (bound[i] instanceof KernelContext) bound[i] = context;
        try {
            call.invokeExact(bound);
        } catch (RuntimeException | Error e) {
            throw e;
        } catch (Throwable e) {
            throw new AssertionError("a kernel cannot throw a checked exception", e);
        }
    }
}
