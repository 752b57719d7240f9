package dev.gale.kernels.emulator;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.lang.classfile.ClassFile;
import java.lang.classfile.ClassTransform;
import java.lang.classfile.Opcode;
import java.lang.classfile.instruction.TypeCheckInstruction;
import java.lang.constant.ClassDesc;
import java.lang.constant.ConstantDescs;
import java.lang.constant.MethodTypeDesc;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;
import java.lang.invoke.MethodHandles;
import java.lang.reflect.Method;
import java.util.Arrays;
import java.util.List;
import java.util.function.Consumer;
import uk.ac.manchester.tornado.api.KernelContext;
import uk.ac.manchester.tornado.api.types.arrays.FloatArray;

/// Lets `(FloatArray) (Object) array`, with which a kernel hands local memory or a private array to `mmaStore`, run on the
/// JVM. The CUDA backend emits no code for that cast and takes the address as that of an array with a header: element i of
/// the `FloatArray` is `array[i + 4]`, its bits if that is an int. Here the kernel's class is loaded again with such casts
/// turned into calls of `cast`. Helpers that it calls in other classes must be public.
public final class SharedFloats extends ClassLoader {
    private static final ClassDesc ARRAY = FloatArray.class.describeConstable().orElseThrow();
    private static final ClassDesc SELF = SharedFloats.class.describeConstable().orElseThrow();
    private final List<String> again;

    private SharedFloats(ClassLoader parent, List<String> again) {
        super(parent);
        this.again = again;
    }

    /// Loads all classes again whose names begin with one of these, so that what launches kernels finds them.
    public static ClassLoader loader(String... prefixes) {
        return new SharedFloats(SharedFloats.class.getClassLoader(), List.of(prefixes));
    }

    /// What the cast means on the device.
    public static FloatArray cast(Object value) {
        return switch (value) {
            case float[] floats -> view(MemorySegment.ofArray(floats));
            case int[] ints -> view(MemorySegment.ofArray(ints));
            default -> (FloatArray) value;
        };
    }

    private static FloatArray view(MemorySegment array) {
        int first = array.get(ValueLayout.JAVA_INT, 0);
        FloatArray view = FloatArray.fromSegmentShallow(array);
        array.set(ValueLayout.JAVA_INT, 0, first);    // the view wrote its size there, which the device does not
        return view;
    }

    static Consumer<KernelContext> kernel(Class<?> owner, String name, Object[] arguments) {
        try {
            Class<?> loaded = Class.forName(owner.getName(), true, loader(owner.getName()));
            Method method = Arrays.stream(loaded.getDeclaredMethods())
                    .filter(each -> each.getName().equals(name) && each.getParameterCount() == arguments.length + 1)
                    .findFirst().orElseThrow(() -> new IllegalArgumentException("%s has no kernel %s of %d arguments"
                            .formatted(owner.getName(), name, arguments.length)));
            method.setAccessible(true);
            MethodHandle bound = MethodHandles.insertArguments(MethodHandles.lookup().unreflect(method), 1, arguments);
            return context -> call(bound, context);
        } catch (ReflectiveOperationException e) {
            throw new IllegalArgumentException("cannot load " + owner.getName() + " again", e);
        }
    }

    private static void call(MethodHandle kernel, KernelContext context) {
        try {
            kernel.invokeExact(context);
        } catch (RuntimeException | Error e) {
            throw e;
        } catch (Throwable e) {
            throw new AssertionError("a kernel cannot throw a checked exception", e);
        }
    }

    @Override
    protected Class<?> loadClass(String name, boolean resolve) throws ClassNotFoundException {
        if (again.stream().noneMatch(name::startsWith)) return super.loadClass(name, resolve);
        synchronized (getClassLoadingLock(name)) {
            Class<?> loaded = findLoadedClass(name);
            if (loaded != null) return loaded;
            byte[] bytes = rewritten(name);
            return defineClass(name, bytes, 0, bytes.length);
        }
    }

    private byte[] rewritten(String name) throws ClassNotFoundException {
        try (InputStream in = getParent().getResourceAsStream(name.replace('.', '/') + ".class")) {
            if (in == null) throw new ClassNotFoundException(name);
            ClassFile format = ClassFile.of();
            MethodTypeDesc type = MethodTypeDesc.of(ARRAY, ConstantDescs.CD_Object);
            return format.transformClass(format.parse(in.readAllBytes()),
                    ClassTransform.transformingMethodBodies((code, element) -> {
                        boolean cast = element instanceof TypeCheckInstruction check
                                && check.opcode() == Opcode.CHECKCAST && check.type().asSymbol().equals(ARRAY);
                        if (cast) code.invokestatic(SELF, "cast", type);
                        else code.with(element);
                    }));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
