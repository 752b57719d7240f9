package dev.gale.train.jinja;

/// A value that a template can call.
interface Callable {
    Object call(Arguments arguments);

    /// The name of its Python type.
    default String typeName() {
        return "function";
    }

    /// A named function.
    record Function(String name, String typeName, java.util.function.Function<Arguments, Object> body)
            implements Callable {
        Function(String name, java.util.function.Function<Arguments, Object> body) {
            this(name, "function", body);
        }

        @Override
        public Object call(Arguments arguments) {
            return body.apply(arguments);
        }
    }
}
