package dev.gale.train.jinja;

import dev.gale.train.jinja.Expr.CallArguments;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/// Computes expressions.
final class Evaluator {
    private final Values values;
    private final Operators operators;
    private final Subscripts subscripts;
    private final Filters filters;
    private final Tests tests;

    Evaluator(Values values) {
        this.values = values;
        operators = new Operators(values);
        subscripts = new Subscripts(values);
        tests = new Tests(values, operators);
        filters = new Filters(values, operators, subscripts, tests);
    }

    Object evaluate(Expr expression, Scope scope) {
        values.budget().enter();
        Object value = switch (expression) {
            case Expr.Constant constant -> constant.value();
            case Expr.Name name -> scope.get(name.name());
            case Expr.ListLiteral list -> all(list.items(), scope);
            case Expr.TupleLiteral tuple -> new Tuple(all(tuple.items(), scope));
            case Expr.DictLiteral dict -> dict(dict, scope);
            case Expr.Attribute access -> subscripts.attribute(evaluate(access.object(), scope), access.name());
            case Expr.Item access -> subscripts.item(evaluate(access.object(), scope), evaluate(access.key(), scope));
            case Expr.Slice slice -> subscripts.slice(evaluate(slice.object(), scope), bound(slice.start(), scope),
                    bound(slice.stop(), scope), bound(slice.step(), scope));
            case Expr.Call call -> call(call, scope, null);
            case Expr.Filter filter -> filter(filter, evaluate(filter.input(), scope), scope);
            case Expr.Test test -> tests.holds(test.name(), evaluate(test.subject(), scope),
                    arguments(test.arguments(), scope));
            case Expr.Unary unary -> operators.unary(unary.operator(), evaluate(unary.operand(), scope));
            case Expr.Binary binary -> operators.binary(binary.operator(), evaluate(binary.left(), scope),
                    evaluate(binary.right(), scope));
            case Expr.Compare compare -> compare(compare, scope);
            case Expr.And and -> {
                Object left = evaluate(and.left(), scope);
                yield Types.truth(left) ? evaluate(and.right(), scope) : left;
            }
            case Expr.Or or -> {
                Object left = evaluate(or.left(), scope);
                yield Types.truth(left) ? left : evaluate(or.right(), scope);
            }
            case Expr.Concat concat -> concat(concat, scope);
            case Expr.Conditional conditional -> conditional(conditional, scope);
        };
        values.budget().leave();
        return value;
    }

    private List<Object> all(List<Expr> expressions, Scope scope) {
        List<Object> items = new ArrayList<>(expressions.size());
        for (Expr expression : expressions) {
            items.add(evaluate(expression, scope));
        }
        return items;
    }

    private Object bound(Expr expression, Scope scope) {
        return expression == null ? null : evaluate(expression, scope);
    }

    private Map<Object, Object> dict(Expr.DictLiteral literal, Scope scope) {
        Map<Object, Object> dict = LinkedHashMap.newLinkedHashMap(literal.entries().size());
        for (Expr.Entry entry : literal.entries()) {
            Object key = evaluate(entry.key(), scope);
            values.put(dict, key, evaluate(entry.value(), scope));
        }
        return dict;
    }

    /// Calls a function; `caller` is the body of a call block, or null.
    Object call(Expr.Call call, Scope scope, Macro caller) {
        Object callee = evaluate(call.callee(), scope);
        Arguments arguments = arguments(call.arguments(), scope);
        Values.requireDefined(callee);
        if (!(callee instanceof Callable callable)) {
            throw TemplateException.type("'%s' object is not callable", Types.name(callee));
        }
        return callable.call(caller == null ? arguments : arguments.with("caller", caller));
    }

    private Arguments arguments(CallArguments source, Scope scope) {
        if (source == CallArguments.NONE) {
            return Arguments.NONE;
        }
        List<Object> positional = all(source.positional(), scope);
        if (source.spread() != null) {
            positional.addAll(values.list(evaluate(source.spread(), scope)));
        }
        Map<String, Object> named = LinkedHashMap.newLinkedHashMap(source.named().size());
        for (Expr.Keyword keyword : source.named()) {
            named.put(keyword.name(), evaluate(keyword.value(), scope));
        }
        if (source.namedSpread() != null) {
            spread(evaluate(source.namedSpread(), scope), named);
        }
        return new Arguments(positional, named);
    }

    private static void spread(Object value, Map<String, Object> named) {
        if (!(value instanceof Map<?, ?> dict)) {
            throw TemplateException.type("argument after ** must be a mapping, not %s", Types.name(value));
        }
        dict.forEach((key, item) -> {
            if (!(key instanceof String name)) {
                throw TemplateException.type("keywords must be strings");
            }
            if (named.putIfAbsent(name, item) != null) {
                throw TemplateException.type("got multiple values for keyword argument '%s'", name);
            }
        });
    }

    /// Applies a filter to an input, or in a filter block every filter of a chain to the block's text.
    Object filter(Expr.Filter filter, Object input, Scope scope) {
        return filters.apply(filter.name(), input, arguments(filter.arguments(), scope));
    }

    /// Applies a chain of filters that starts without an input.
    Object filterChain(Expr.Filter filter, String text, Scope scope) {
        Object input = filter.input() == null ? text : filterChain((Expr.Filter) filter.input(), text, scope);
        return filter(filter, input, scope);
    }

    private boolean compare(Expr.Compare compare, Scope scope) {
        Object left = evaluate(compare.first(), scope);
        for (Expr.Comparison comparison : compare.rest()) {
            Object right = evaluate(comparison.operand(), scope);
            if (!operators.compare(comparison.operator(), left, right)) {
                return false;
            }
            left = right;
        }
        return true;
    }

    private String concat(Expr.Concat concat, Scope scope) {
        StringBuilder text = new StringBuilder();
        for (Iterator<Expr> parts = concat.parts().iterator(); parts.hasNext();) {
            text.append(values.string(evaluate(parts.next(), scope)));
            values.budget().growing(text);
        }
        values.budget().length(text.length());
        return text.toString();
    }

    private Object conditional(Expr.Conditional conditional, Scope scope) {
        if (Types.truth(evaluate(conditional.condition(), scope))) {
            return evaluate(conditional.then(), scope);
        }
        if (conditional.otherwise() == null) {
            return Undefined.because("the inline if-expression on line " + conditional.line()
                    + " evaluated to false and no else section was defined.");
        }
        return evaluate(conditional.otherwise(), scope);
    }
}
