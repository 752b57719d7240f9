package dev.gale.train.jinja;

import dev.gale.train.jinja.Stmt.Body;
import dev.gale.train.jinja.Stmt.Routine;
import dev.gale.train.jinja.Stmt.Target;
import dev.gale.train.jinja.TemplateException.Kind;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;

/// Runs the statements of one rendering.
final class Interpreter {
    /// How a statement ended: whether the loop around it goes on.
    private enum Flow { NORMAL, BREAK, CONTINUE }

    private final Map<Body, Set<String>> unset;
    private final Values values;
    private final Evaluator evaluator;
    private final StringBuilder text = new StringBuilder();
    private final List<Span> generation = new ArrayList<>();

    /// `unset` says which variables a body assigns before anything else, see [Analysis].
    Interpreter(Map<Body, Set<String>> unset, Values values) {
        this.unset = unset;
        this.values = values;
        evaluator = new Evaluator(values);
    }

    Rendering render(Body template, Scope context) {
        run(template, open(template, context), text);
        return new Rendering(text.toString(), generation);
    }

    private Scope open(Body body, Scope outer) {
        return outer.inner(unset.getOrDefault(body, Set.of()));
    }

    private Flow run(Body body, Scope scope, StringBuilder out) {
        for (Stmt statement : body.statements()) {
            values.budget().enter();
            try {
                Flow flow = run(statement, scope, out);
                if (flow != Flow.NORMAL) {
                    values.budget().leave();
                    return flow;
                }
            } catch (TemplateException failure) {
                throw failure.at(statement.line());
            }
            values.budget().leave();
        }
        return Flow.NORMAL;
    }

    private Flow run(Stmt statement, Scope scope, StringBuilder out) {
        switch (statement) {
            case Stmt.Data data -> write(data.text(), out);
            case Stmt.Print print -> write(values.string(evaluator.evaluate(print.value(), scope)), out);
            case Stmt.If condition -> {
                return run(chosen(condition, scope), scope, out);
            }
            case Stmt.For loop -> {
                return loop(loop, scope, out);
            }
            case Stmt.Set set -> {
                requireNamespaces(set.target(), scope);
                bind(set.target(), evaluator.evaluate(set.value(), scope), scope);
            }
            case Stmt.SetBlock set -> {
                return setBlock(set, scope);
            }
            case Stmt.With with -> {
                return with(with, scope, out);
            }
            case Stmt.MacroDefinition definition ->
                    scope.set(definition.macro().name(), new Macro(definition.macro(), scope, this::invoke));
            case Stmt.CallBlock block -> {
                Macro caller = new Macro(block.caller(), scope, this::invoke);
                write(values.string(evaluator.call(block.call(), scope, caller)), out);
            }
            case Stmt.FilterBlock block -> {
                return filterBlock(block, scope, out);
            }
            case Stmt.Generation block -> {
                // Transformers counts from the text that is already out, whatever is being collected on top of it
                int start = text.length();
                String body = invoke(new Macro(block.body(), scope, this::invoke), Arguments.NONE);
                generation.add(new Span(start, start + body.length()));
                write(body, out);
            }
            case Stmt.Break ignored -> {
                return Flow.BREAK;
            }
            case Stmt.Continue ignored -> {
                return Flow.CONTINUE;
            }
        }
        return Flow.NORMAL;
    }

    private void write(String part, StringBuilder out) {
        values.budget().length(part.length());
        out.append(part);
        values.budget().growing(out);
    }

    private Body chosen(Stmt.If condition, Scope scope) {
        for (Stmt.Branch branch : condition.branches()) {
            if (Types.truth(evaluator.evaluate(branch.condition(), scope))) {
                return branch.body();
            }
        }
        return condition.otherwise();
    }

    private Flow loop(Stmt.For loop, Scope scope, StringBuilder out) {
        Object items = evaluator.evaluate(loop.items(), scope);
        if (!loop.recursive()) {
            return turns(loop, items, 0, scope, out);
        }
        write(recursive(loop, items, 0, scope), out);
        return Flow.NORMAL;
    }

    private String recursive(Stmt.For loop, Object items, int depth, Scope scope) {
        StringBuilder out = new StringBuilder();
        values.budget().enter();
        turns(loop, items, depth, scope, out);
        values.budget().leave();
        return out.toString();
    }

    private Flow turns(Stmt.For loop, Object items, int depth, Scope scope, StringBuilder out) {
        Object selected = loop.condition() == null ? items : selected(loop, items, scope);
        Loop state = new Loop(selected, values, depth,
                loop.recursive() ? (inner, level) -> recursive(loop, inner, level, scope) : null);
        // jinja2 notes a turn when its body has reached its end: a first turn that breaks off counts as none
        boolean completed = false;
        Flow flow = Flow.NORMAL;
        while (flow != Flow.BREAK && state.advance()) {
            Scope turn = open(loop.body(), scope);
            turn.set("loop", state);
            bind(loop.target(), state.current(), turn);
            flow = run(loop.body(), turn, out);
            completed |= flow == Flow.NORMAL;
        }
        return completed ? Flow.NORMAL : run(loop.otherwise(), open(loop.otherwise(), scope), out);
    }

    private Generator selected(Stmt.For loop, Object items, Scope scope) {
        Iterator<Object> source = values.iterate(items);
        return Generator.selecting(() -> source, item -> {
            Scope inner = scope.inner(Set.of());
            bind(loop.target(), item, inner);
            return Types.truth(evaluator.evaluate(loop.condition(), inner));
        });
    }

    private Flow setBlock(Stmt.SetBlock set, Scope scope) {
        StringBuilder collected = new StringBuilder();
        Scope inner = open(set.body(), scope);
        Flow flow = run(set.body(), inner, collected);
        if (flow == Flow.NORMAL) {
            requireNamespaces(set.target(), scope);
            Object value = set.filter() == null ? collected.toString()
                    : evaluator.filterChain(set.filter(), collected.toString(), inner);
            bind(set.target(), value, scope);
        }
        return flow;
    }

    private Flow with(Stmt.With with, Scope scope, StringBuilder out) {
        Scope inner = open(with.body(), scope);
        for (int i = 0; i < with.targets().size(); i++) {
            bind(with.targets().get(i), evaluator.evaluate(with.values().get(i), scope), inner);
        }
        return run(with.body(), inner, out);
    }

    private Flow filterBlock(Stmt.FilterBlock block, Scope scope, StringBuilder out) {
        StringBuilder collected = new StringBuilder();
        Scope inner = open(block.body(), scope);
        Flow flow = run(block.body(), inner, collected);
        if (flow == Flow.NORMAL) {
            write(values.string(evaluator.filterChain(block.filter(), collected.toString(), inner)), out);
        }
        return flow;
    }

    private void requireNamespaces(Target target, Scope scope) {
        switch (target) {
            case Target.Variable ignored -> { }
            case Target.Field field -> {
                if (!(scope.get(field.namespace()) instanceof Namespace)) {
                    throw new TemplateException(Kind.RUNTIME, "cannot assign attribute on non-namespace object");
                }
            }
            case Target.Unpacking unpacking -> unpacking.targets().forEach(part -> requireNamespaces(part, scope));
        }
    }

    private void bind(Target target, Object value, Scope scope) {
        switch (target) {
            case Target.Variable variable -> scope.set(variable.name(), value);
            case Target.Field field ->
                    ((Namespace) scope.get(field.namespace())).fields().put(field.field(), value);
            case Target.Unpacking unpacking -> unpack(unpacking.targets(), value, scope);
        }
    }

    private void unpack(List<Target> targets, Object value, Scope scope) {
        if (!Values.isIterable(value)) {
            throw TemplateException.type("cannot unpack non-iterable %s object", Types.name(value));
        }
        List<Object> items = new ArrayList<>(targets.size());
        for (Iterator<Object> rest = values.iterate(value); rest.hasNext() && items.size() <= targets.size();) {
            items.add(rest.next());
        }
        if (items.size() > targets.size()) {
            throw TemplateException.value("too many values to unpack (expected %d)", targets.size());
        }
        if (items.size() < targets.size()) {
            throw TemplateException.value("not enough values to unpack (expected %d, got %d)", targets.size(),
                    items.size());
        }
        for (int i = 0; i < items.size(); i++) {
            bind(targets.get(i), items.get(i), scope);
        }
    }

    private String invoke(Macro macro, Arguments arguments) {
        Routine routine = macro.routine();
        Scope scope = open(routine.body(), macro.scope());
        setParameters(routine, arguments, scope);
        for (int i = 0; i < routine.parameters().size(); i++) {
            String name = routine.parameters().get(i);
            if (scope.isUnset(name)) {
                scope.set(name, i < routine.firstDefault()
                        ? Undefined.because("parameter " + Repr.quote(name) + " was not provided")
                        : evaluator.evaluate(routine.defaults().get(i - routine.firstDefault()), scope));
            }
        }
        StringBuilder out = new StringBuilder();
        run(routine.body(), scope, out);
        return out.toString();
    }

    private static void setParameters(Routine routine, Arguments arguments, Scope scope) {
        List<String> parameters = routine.parameters();
        int taken = Math.min(arguments.positional().size(), parameters.size());
        Map<String, Object> named = new LinkedHashMap<>(arguments.named());
        for (int i = 0; i < parameters.size(); i++) {
            String name = parameters.get(i);
            scope.set(name, i < taken ? arguments.positional().get(i)
                    : named.containsKey(name) ? named.remove(name) : Scope.UNSET);
        }
        if (routine.takes("caller")) {
            Object caller = named.remove("caller");
            scope.set("caller", caller == null ? Undefined.because("No caller defined") : caller);
        }
        if (routine.takes("kwargs")) {
            scope.set("kwargs", new LinkedHashMap<Object, Object>(named));
        } else if (!named.isEmpty()) {
            throw TemplateException.type(named.containsKey("caller")
                    ? "macro %s was invoked with two values for the special caller argument. This is most likely a bug."
                    : "macro %s takes no keyword argument %s",
                    quoted(routine), Repr.quote(named.keySet().iterator().next()));
        }
        List<Object> more = arguments.positional().subList(taken, arguments.positional().size());
        if (routine.takes("varargs")) {
            scope.set("varargs", new Tuple(new ArrayList<>(more)));
        } else if (!more.isEmpty()) {
            throw TemplateException.type("macro %s takes not more than %d argument(s)", quoted(routine),
                    parameters.size());
        }
    }

    private static String quoted(Routine routine) {
        return routine.name() == null ? "None" : Repr.quote(routine.name());
    }
}
