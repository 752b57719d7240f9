package dev.gale.train.cli;

/// Makes the Vector API visible, an incubator module that the JVM leaves out unless it is asked for. Asking for it with
/// `--add-modules` prints a warning at every start, so the launcher instead opens the package through which the JDK
/// loads its own modules late.
final class VectorModule {
    private static final String NAME = "jdk.incubator.vector";

    private VectorModule() {}

    /// Throws: IllegalStateException saying which option of `java` is missing.
    static void load() {
        if (ModuleLayer.boot().findModule(NAME).isPresent()) return;
        try {
            Class.forName("jdk.internal.module.Modules").getMethod("loadModule", String.class).invoke(null, NAME);
        } catch (ReflectiveOperationException e) {
            throw new IllegalStateException("the Vector API is not loaded: start java with --add-modules " + NAME, e);
        }
    }
}
