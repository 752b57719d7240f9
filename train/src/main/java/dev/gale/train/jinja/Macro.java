package dev.gale.train.jinja;

import java.util.function.BiFunction;

/// A macro as a value: what it runs and the scope in which it was defined.
record Macro(Stmt.Routine routine, Scope scope, BiFunction<Macro, Arguments, Object> invocation) implements Callable {
    String name() {
        return routine.name();
    }

    @Override
    public Object call(Arguments arguments) {
        return invocation.apply(this, arguments);
    }

    @Override
    public String typeName() {
        return "Macro";
    }

    /// A property, or [Values#ABSENT].
    Object member(String member) {
        return switch (member) {
            case "name" -> routine.name();
            case "arguments" -> Tuple.of(routine.parameters().toArray());
            case "catch_kwargs" -> routine.takes("kwargs");
            case "catch_varargs" -> routine.takes("varargs");
            case "caller" -> routine.mentioned().contains("caller");
            default -> Values.ABSENT;
        };
    }

    @Override
    public boolean equals(Object other) {
        return this == other;
    }

    @Override
    public int hashCode() {
        return System.identityHashCode(this);
    }
}
