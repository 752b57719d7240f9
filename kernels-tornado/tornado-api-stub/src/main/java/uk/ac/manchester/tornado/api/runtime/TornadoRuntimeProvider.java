package uk.ac.manchester.tornado.api.runtime;

import dev.gale.tornado.stub.JvmRuntime;
import uk.ac.manchester.tornado.api.TornadoRuntime;

/// Gives the runtime; on the JVM one with a single backend.
public class TornadoRuntimeProvider {
    public TornadoRuntimeProvider() {}

    public static TornadoRuntime getTornadoRuntime() {
        return JvmRuntime.RUNTIME;
    }

    /// Sets an option of TornadoVM, as `-D` does.
    public static void setProperty(String key, String value) {
        System.setProperty(key, value);
    }

    public static String getProperty(String key) {
        return System.getProperty(key);
    }

    public static String getProperty(String key, String otherwise) {
        return System.getProperty(key, otherwise);
    }
}
