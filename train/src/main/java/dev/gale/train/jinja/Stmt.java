package dev.gale.train.jinja;

import java.util.List;

/// A statement: text, a print tag or a block tag.
sealed interface Stmt {
    /// The line it starts on, from 1.
    int line();

    /// Statements in order. Compared by identity, because the analysis attaches facts to each body.
    final class Body {
        private final List<Stmt> statements;

        Body(List<Stmt> statements) {
            this.statements = List.copyOf(statements);
        }

        List<Stmt> statements() {
            return statements;
        }
    }

    record Data(String text, int line) implements Stmt {}

    record Print(Expr value, int line) implements Stmt {}

    /// `otherwise` is an empty body if there is no `else`.
    record If(List<Branch> branches, Body otherwise, int line) implements Stmt {}

    record Branch(Expr condition, Body body) {}

    /// `condition` is null if the loop does not filter.
    record For(Target target, Expr items, Expr condition, boolean recursive, Body body, Body otherwise, int line)
            implements Stmt {}

    record Set(Target target, Expr value, int line) implements Stmt {}

    /// `{% set target | filter %}...{% endset %}`; the filter is null if not given.
    record SetBlock(Target target, Expr.Filter filter, Body body, int line) implements Stmt {}

    record With(List<Target> targets, List<Expr> values, Body body, int line) implements Stmt {}

    record MacroDefinition(Routine macro, int line) implements Stmt {}

    record CallBlock(Expr.Call call, Routine caller, int line) implements Stmt {}

    record FilterBlock(Expr.Filter filter, Body body, int line) implements Stmt {}

    /// `{% generation %}...{% endgeneration %}`, which marks the text of the assistant.
    record Generation(Routine body, int line) implements Stmt {}

    record Break(int line) implements Stmt {}

    record Continue(int line) implements Stmt {}

    /// What a macro runs, or a call block, or a generation block (which have no name).
    ///
    /// @param defaults  of the last parameters
    /// @param mentioned names that occur in the body; it decides whether `caller`, `kwargs` and `varargs` are set
    record Routine(String name, List<String> parameters, List<Expr> defaults, Body body,
            java.util.Set<String> mentioned) {
        /// The index of the first parameter that has a default.
        int firstDefault() {
            return parameters.size() - defaults.size();
        }

        /// Whether the routine takes this special argument without listing it as a parameter.
        boolean takes(String special) {
            return mentioned.contains(special) && !parameters.contains(special);
        }
    }

    /// What an assignment or a loop binds.
    sealed interface Target {
        record Variable(String name) implements Target {}

        /// `namespace.field`
        record Field(String namespace, String field) implements Target {}

        record Unpacking(List<Target> targets) implements Target {}
    }
}
