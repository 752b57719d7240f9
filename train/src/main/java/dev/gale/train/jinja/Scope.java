package dev.gale.train.jinja;

import java.util.HashMap;
import java.util.Map;
import java.util.Set;

/// The variables of a template, a loop's turn, a macro's call or a block, on top of those around it.
final class Scope {
    /// A variable that jinja2 knows to be assigned here, but not yet: it hides an outer one of its name.
    static final Object UNSET = new Object();

    private final Scope outer;
    private final Map<String, Object> variables;

    private Scope(Scope outer, Map<String, Object> variables) {
        this.outer = outer;
        this.variables = variables;
    }

    static Scope outermost(Map<String, Object> variables) {
        return new Scope(null, variables);
    }

    /// A scope inside this one, with these variables unset.
    Scope inner(Set<String> unset) {
        Scope scope = new Scope(this, new HashMap<>());
        unset.forEach(name -> scope.set(name, UNSET));
        return scope;
    }

    void set(String name, Object value) {
        variables.put(name, value);
    }

    /// The value of a variable, or an [Undefined].
    Object get(String name) {
        for (Scope scope = this; scope != null; scope = scope.outer) {
            Object value = scope.variables.getOrDefault(name, Values.ABSENT);
            if (value != Values.ABSENT) {
                return value == UNSET ? Undefined.variable(name) : value;
            }
        }
        return Undefined.variable(name);
    }

    /// Whether a parameter of a macro was given.
    boolean isUnset(String name) {
        return variables.get(name) == UNSET;
    }
}
