package dev.gale.train.jinja;

import dev.gale.train.jinja.TemplateException.Kind;

/// The value of what does not exist: prints as nothing, is false and empty, and fails in any other use.
record Undefined(Kind kind, String message) {
    static Undefined variable(String name) {
        return because(Repr.quote(name) + " is undefined");
    }

    static Undefined because(String message) {
        return new Undefined(Kind.UNDEFINED, message);
    }

    /// `object` has no attribute or element `key`.
    static Undefined member(Object object, Object key, Values values) {
        String owner = object == null ? "None" : Types.qualifiedName(object) + " object";
        return because(key instanceof String name
                ? Repr.quote(owner) + " has no attribute " + Repr.quote(name)
                : owner + " has no element " + values.repr(key));
    }

    /// What the sandbox hides: it may be looked at, but not used.
    static Undefined unsafe(Object object, String name) {
        return new Undefined(Kind.SECURITY, "access to attribute " + Repr.quote(name) + " of "
                + Repr.quote(Types.name(object)) + " object is unsafe.");
    }

    TemplateException failure() {
        return new TemplateException(kind, message);
    }

    @Override
    public boolean equals(Object other) {
        return other instanceof Undefined;
    }

    @Override
    public int hashCode() {
        return 7;
    }
}
