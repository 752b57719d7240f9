package dev.gale.train.jinja;

import dev.gale.train.jinja.Stmt.Body;
import dev.gale.train.jinja.Stmt.Routine;
import dev.gale.train.jinja.Stmt.Target;
import dev.gale.train.jinja.TemplateException.Kind;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Collectors;

/// What jinja2's compiler finds out before a template runs: unknown filters and tests, `break` outside of a loop, and
/// which variables a body assigns before it uses them.
///
/// Such a variable exists in its body from the start, unset, and hides one of the same name in the context, even from
/// loops and macros inside that run before the assignment does.
final class Analysis {
    private static final int MAX_DEPTH = 300;

    private final Map<Body, Set<String>> unset = new HashMap<>();
    /// Bodies inside others are analysed when everything around them is known.
    private final Deque<Runnable> pending = new ArrayDeque<>();
    private int depth;

    private Analysis() {}

    /// The unset variables of every body that has some.
    static Map<Body, Set<String>> of(Body template) {
        Analysis analysis = new Analysis();
        analysis.open(template, new Symbols(null), new Place(false, false, false));
        while (!analysis.pending.isEmpty()) {
            analysis.pending.pop().run();
        }
        return analysis.unset;
    }

    /// The variables that a body knows; true for those unset when it starts.
    private static final class Symbols {
        private final Symbols outer;
        private final Map<String, Boolean> known = new HashMap<>();

        Symbols(Symbols outer) {
            this.outer = outer;
        }

        boolean knows(String name) {
            return known.containsKey(name) || outer != null && outer.knows(name);
        }

        void use(String name) {
            if (!knows(name)) {
                known.put(name, false);
            }
        }

        void assign(String name) {
            known.putIfAbsent(name, outer == null || !outer.knows(name));
        }

        void parameter(String name) {
            known.put(name, false);
        }

        Symbols branch() {
            Symbols branch = new Symbols(outer);
            branch.known.putAll(known);
            return branch;
        }

        /// What a branch assigned may come from outside, because another branch may have run.
        void merge(List<Symbols> branches) {
            Set<String> before = Set.copyOf(known.keySet());
            branches.forEach(branch -> branch.known.keySet().stream().filter(name -> !before.contains(name))
                    .forEach(name -> known.put(name, false)));
        }
    }

    /// Where a statement stands.
    ///
    /// @param optional under a condition, so that unknown filters matter only when they are reached
    /// @param turn     directly in a loop's body, where `break` is allowed
    /// @param loop     anywhere inside a loop
    private record Place(boolean optional, boolean turn, boolean loop) {
        Place conditional() {
            return new Place(true, turn, loop);
        }

        Place body() {
            return new Place(false, turn, loop);
        }

        Place routine() {
            return new Place(false, false, loop);
        }

        Place turnOf() {
            return new Place(false, true, true);
        }
    }

    private void open(Body body, Symbols symbols, Place place) {
        statements(body, symbols, symbols, place);
        Set<String> names = symbols.known.entrySet().stream().filter(Map.Entry::getValue).map(Map.Entry::getKey)
                .collect(Collectors.toUnmodifiableSet());
        if (!names.isEmpty()) {
            unset.put(body, names);
        }
    }

    /// `symbols` are those of the branch in which the statements stand, `frame` those of the whole body.
    private void statements(Body body, Symbols symbols, Symbols frame, Place place) {
        for (Stmt statement : body.statements()) {
            try {
                statement(statement, symbols, frame, place);
            } catch (TemplateException failure) {
                throw failure.at(statement.line());
            }
        }
    }

    private void later(Stmt statement, Runnable analysis) {
        pending.add(() -> {
            try {
                analysis.run();
            } catch (TemplateException failure) {
                throw failure.at(statement.line());
            }
        });
    }

    private void statement(Stmt statement, Symbols symbols, Symbols frame, Place place) {
        switch (statement) {
            case Stmt.Data ignored -> { }
            case Stmt.Print print -> use(print.value(), symbols, place);
            case Stmt.If condition -> branches(condition, symbols, frame, place);
            case Stmt.For loop -> {
                use(loop.items(), symbols, place);
                later(loop, () -> loop(loop, frame, place));
            }
            case Stmt.Set set -> {
                use(set.value(), symbols, place);
                assign(set.target(), symbols, place);
            }
            case Stmt.SetBlock set -> {
                assign(set.target(), symbols, place);
                later(set, () -> filtered(set.filter(), set.body(), frame, place.body()));
            }
            case Stmt.With with -> {
                with.values().forEach(value -> use(value, symbols, place));
                later(with, () -> {
                    Symbols inner = new Symbols(frame);
                    with.targets().forEach(target -> parameters(target, inner));
                    open(with.body(), inner, place.body());
                });
            }
            case Stmt.MacroDefinition definition -> {
                symbols.assign(definition.macro().name());
                later(definition, () -> routine(definition.macro(), frame, place.routine()));
            }
            case Stmt.CallBlock block -> {
                use(block.call(), symbols, place);
                later(block, () -> routine(block.caller(), frame, place.routine()));
            }
            case Stmt.FilterBlock block -> {
                use(block.filter(), symbols, place);
                later(block, () -> filtered(block.filter(), block.body(), frame, place.body()));
            }
            case Stmt.Generation block -> later(block, () -> routine(block.body(), frame, place.routine()));
            case Stmt.Break ignored -> requireTurn(place, "'break' outside loop");
            case Stmt.Continue ignored -> requireTurn(place, "'continue' not properly in loop");
        }
    }

    private static void requireTurn(Place place, String message) {
        if (!place.turn()) {
            throw new TemplateException(Kind.SYNTAX, message);
        }
    }

    private void branches(Stmt.If condition, Symbols symbols, Symbols frame, Place place) {
        use(condition.branches().getFirst().condition(), symbols, place.conditional());
        Symbols first = symbols.branch();
        statements(condition.branches().getFirst().body(), first, frame, place.conditional());
        Symbols others = symbols.branch();
        for (Stmt.Branch branch : condition.branches().subList(1, condition.branches().size())) {
            use(branch.condition(), others, place.conditional());
            Symbols body = others.branch();
            statements(branch.body(), body, frame, place.conditional());
            others.merge(List.of(body));
        }
        Symbols last = symbols.branch();
        statements(condition.otherwise(), last, frame, place.conditional());
        symbols.merge(List.of(first, others, last));
    }

    private void loop(Stmt.For loop, Symbols frame, Place place) {
        Symbols turn = new Symbols(frame);
        turn.parameter("loop");
        requireNoLoopVariable(loop.target());
        parameters(loop.target(), turn);
        open(loop.body(), turn, place.turnOf());
        open(loop.otherwise(), new Symbols(frame), loop.recursive() ? place.routine() : place.body());
        if (loop.condition() != null) {
            Symbols test = new Symbols(frame);
            parameters(loop.target(), test);
            use(loop.condition(), test, place.body());
        }
    }

    private void filtered(Expr.Filter filter, Body body, Symbols frame, Place place) {
        Symbols inner = new Symbols(frame);
        open(body, inner, place);
        if (filter != null) {
            use(filter, inner, place);
        }
    }

    private void routine(Routine routine, Symbols frame, Place place) {
        Symbols inner = new Symbols(frame);
        routine.parameters().forEach(inner::parameter);
        Set.of("caller", "kwargs", "varargs").stream().filter(routine::takes).forEach(inner::parameter);
        routine.defaults().forEach(value -> use(value, inner, place));
        open(routine.body(), inner, place);
    }

    private static void parameters(Target target, Symbols symbols) {
        switch (target) {
            case Target.Variable variable -> symbols.parameter(variable.name());
            case Target.Field field -> symbols.use(field.namespace());
            case Target.Unpacking unpacking -> unpacking.targets().forEach(part -> parameters(part, symbols));
        }
    }

    private static void assign(Target target, Symbols symbols, Place place) {
        if (place.loop()) {
            requireNoLoopVariable(target);
        }
        switch (target) {
            case Target.Variable variable -> symbols.assign(variable.name());
            case Target.Field field -> symbols.use(field.namespace());
            case Target.Unpacking unpacking -> unpacking.targets().forEach(part -> assign(part, symbols, place));
        }
    }

    private static void requireNoLoopVariable(Target target) {
        switch (target) {
            case Target.Variable variable when variable.name().equals("loop") -> throw new TemplateException(
                    Kind.ASSERTION, "Can't assign to special loop variable in for-loop target");
            case Target.Unpacking unpacking -> unpacking.targets().forEach(Analysis::requireNoLoopVariable);
            default -> { }
        }
    }

    private void use(Expr expression, Symbols symbols, Place place) {
        if (expression == null) {
            return;
        }
        if (++depth > MAX_DEPTH) {
            throw TemplateException.syntax(expression.line(),
                    "an expression nests more than " + MAX_DEPTH + " operations deep");
        }
        switch (expression) {
            case Expr.Constant ignored -> { }
            case Expr.Name name -> symbols.use(name.name());
            case Expr.ListLiteral list -> list.items().forEach(item -> use(item, symbols, place));
            case Expr.TupleLiteral tuple -> tuple.items().forEach(item -> use(item, symbols, place));
            case Expr.DictLiteral dict -> dict.entries().forEach(entry -> {
                use(entry.key(), symbols, place);
                use(entry.value(), symbols, place);
            });
            case Expr.Attribute access -> use(access.object(), symbols, place);
            case Expr.Item access -> useAll(symbols, place, access.object(), access.key());
            case Expr.Slice slice -> useAll(symbols, place, slice.object(), slice.start(), slice.stop(), slice.step());
            case Expr.Call call -> {
                use(call.callee(), symbols, place);
                use(call.arguments(), symbols, place);
            }
            case Expr.Filter filter -> {
                requireKnown(Filters.names(), "filter", filter.name(), filter.line(), place);
                use(filter.input(), symbols, place);
                use(filter.arguments(), symbols, place);
            }
            case Expr.Test test -> {
                requireKnown(Tests.names(), "test", test.name(), test.line(), place);
                use(test.subject(), symbols, place);
                use(test.arguments(), symbols, place);
            }
            case Expr.Unary unary -> use(unary.operand(), symbols, place);
            case Expr.Binary binary -> useAll(symbols, place, binary.left(), binary.right());
            case Expr.Compare compare -> {
                use(compare.first(), symbols, place);
                compare.rest().forEach(comparison -> use(comparison.operand(), symbols, place));
            }
            case Expr.And and -> useAll(symbols, place, and.left(), and.right());
            case Expr.Or or -> useAll(symbols, place, or.left(), or.right());
            case Expr.Concat concat -> concat.parts().forEach(part -> use(part, symbols, place));
            case Expr.Conditional conditional -> useAll(symbols, place.conditional(), conditional.condition(),
                    conditional.then(), conditional.otherwise());
        }
        depth--;
    }

    private void useAll(Symbols symbols, Place place, Expr... expressions) {
        for (Expr expression : expressions) {
            use(expression, symbols, place);
        }
    }

    private void use(Expr.CallArguments arguments, Symbols symbols, Place place) {
        arguments.positional().forEach(argument -> use(argument, symbols, place));
        arguments.named().forEach(argument -> use(argument.value(), symbols, place));
        useAll(symbols, place, arguments.spread(), arguments.namedSpread());
    }

    private static void requireKnown(Set<String> names, String what, String name, int line, Place place) {
        if (!place.optional() && !names.contains(name)) {
            throw new TemplateException(Kind.ASSERTION, "No " + what + " named " + Repr.quote(name) + ".").at(line);
        }
    }
}
