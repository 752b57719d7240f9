package dev.gale.train.jinja;

/// One token of a template.
///
/// @param type  what it is
/// @param text  its text in the source; for [Type#DATA] the text to print
/// @param value the value of a literal, else null
/// @param line  line of its first character, from 1
record Token(Type type, String text, Object value, int line) {
    enum Type {
        DATA("template data / text"), BLOCK_BEGIN("begin of statement block"), BLOCK_END("end of statement block"),
        VARIABLE_BEGIN("begin of print statement"), VARIABLE_END("end of print statement"), NAME("name"),
        STRING("string"), INTEGER("integer"), FLOAT("float"), OPERATOR("operator"), END("end of template");

        private final String description;

        Type(String description) {
            this.description = description;
        }

        String description() {
            return description;
        }
    }

    boolean is(Type type) {
        return this.type == type;
    }

    boolean isName(String name) {
        return type == Type.NAME && text.equals(name);
    }

    boolean isOperator(String symbol) {
        return type == Type.OPERATOR && text.equals(symbol);
    }

    String describe() {
        return type == Type.NAME || type == Type.OPERATOR ? text : type.description();
    }
}
