package dev.gale.train.jinja;

import java.util.List;

/// An expression.
sealed interface Expr {
    /// The line it starts on, from 1.
    int line();

    record Constant(Object value, int line) implements Expr {}

    record Name(String name, int line) implements Expr {}

    record ListLiteral(List<Expr> items, int line) implements Expr {}

    record TupleLiteral(List<Expr> items, int line) implements Expr {}

    record DictLiteral(List<Entry> entries, int line) implements Expr {}

    record Entry(Expr key, Expr value) {}

    /// `object.name`
    record Attribute(Expr object, String name, int line) implements Expr {}

    /// `object[key]`
    record Item(Expr object, Expr key, int line) implements Expr {}

    /// `object[start:stop:step]`; a bound that is not given is null.
    record Slice(Expr object, Expr start, Expr stop, Expr step, int line) implements Expr {}

    record Call(Expr callee, CallArguments arguments, int line) implements Expr {}

    /// `input | name(arguments)`; the input is null in a filter block, where the block's text takes its place.
    record Filter(Expr input, String name, CallArguments arguments, int line) implements Expr {}

    /// `subject is name(arguments)`
    record Test(Expr subject, String name, CallArguments arguments, int line) implements Expr {}

    /// `not x`, `-x`, `+x`
    record Unary(String operator, Expr operand, int line) implements Expr {}

    /// An arithmetic operation.
    record Binary(String operator, Expr left, Expr right, int line) implements Expr {}

    /// `a < b < c`, which holds if every neighbouring pair does.
    record Compare(Expr first, List<Comparison> rest, int line) implements Expr {}

    record Comparison(String operator, Expr operand) {}

    record And(Expr left, Expr right, int line) implements Expr {}

    record Or(Expr left, Expr right, int line) implements Expr {}

    /// `a ~ b ~ c`
    record Concat(List<Expr> parts, int line) implements Expr {}

    /// `then if condition else otherwise`; `otherwise` is null if not given.
    record Conditional(Expr condition, Expr then, Expr otherwise, int line) implements Expr {}

    /// The arguments of a call, filter or test; `spread` (`*x`) and `namedSpread` (`**x`) are null if not given.
    record CallArguments(List<Expr> positional, List<Keyword> named, Expr spread, Expr namedSpread) {
        static final CallArguments NONE = new CallArguments(List.of(), List.of(), null, null);
    }

    record Keyword(String name, Expr value) {}
}
