package dev.gale.train.jinja;

import java.util.ArrayList;
import java.util.List;

/// Python's operators on values of any type.
final class Operators {
    private final Values values;

    Operators(Values values) {
        this.values = values;
    }

    Object unary(String operator, Object operand) {
        if (operator.equals("not")) {
            return !Types.truth(operand);
        }
        Values.requireDefined(operand);
        if (!Types.isNumber(operand)) {
            throw TemplateException.type("bad operand type for unary %s: '%s'", operator, Types.name(operand));
        }
        return operator.equals("-") ? Numbers.negate(operand) : Numbers.plus(operand);
    }

    Object binary(String operator, Object left, Object right) {
        if (Types.isNumber(left) && Types.isNumber(right)) {
            return Numbers.arithmetic(operator, left, right);
        }
        if (operator.equals("%") && Types.isText(left)) {
            return PercentFormat.format(left, right, values);
        }
        Values.requireDefined(left);
        Values.requireDefined(right);
        Object result = switch (operator) {
            case "+" -> concatenation(left, right);
            case "*" -> Types.isInteger(right) ? repetition(left, right)
                    : Types.isInteger(left) ? repetition(right, left) : null;
            default -> null;
        };
        if (result == null && operator.equals("*") && (isRepeatable(left) || isRepeatable(right))) {
            throw TemplateException.type("can't multiply sequence by non-int of type '%s'",
                    Types.name(isRepeatable(left) ? right : left));
        }
        if (result == null) {
            throw TemplateException.type("unsupported operand type(s) for %s: '%s' and '%s'",
                    operator.equals("**") ? "** or pow()" : operator, Types.name(left), Types.name(right));
        }
        return result;
    }

    private static boolean isRepeatable(Object value) {
        return Types.isText(value) || Types.sequence(value) != null && !(value instanceof Range);
    }

    private Object concatenation(Object left, Object right) {
        if (left instanceof Markup || right instanceof Markup && Types.isText(left)) {
            if (!Types.isText(right)) {
                return null;
            }
            return new Markup(joined(Markup.escaped(left, values).text(), Markup.escaped(right, values).text()));
        }
        if (left instanceof String text) {
            requireSame(right instanceof String, "str", right);
            return joined(text, (String) right);
        }
        if (left instanceof Tuple tuple) {
            requireSame(right instanceof Tuple, "tuple", right);
            return new Tuple(joined(tuple.items(), ((Tuple) right).items()));
        }
        if (left instanceof List<?> list && !(left instanceof Range)) {
            requireSame(right instanceof List<?> && !(right instanceof Range), "list", right);
            return joined(list, (List<?>) right);
        }
        return null;
    }

    private static void requireSame(boolean same, String type, Object right) {
        if (!same) {
            throw TemplateException.type("can only concatenate %s (not \"%s\") to %s", type, Types.name(right), type);
        }
    }

    private String joined(String left, String right) {
        values.budget().length((long) left.length() + right.length());
        return left.concat(right);
    }

    private List<Object> joined(List<?> left, List<?> right) {
        values.budget().steps((long) left.size() + right.size());
        List<Object> items = new ArrayList<>(left.size() + right.size());
        items.addAll(left);
        items.addAll(right);
        return items;
    }

    private Object repetition(Object value, Object count) {
        int times = Math.max(0, Numbers.index(count));
        return switch (value) {
            case String text -> Text.repeat(text, times, values.budget());
            case Markup markup -> new Markup(Text.repeat(markup.text(), times, values.budget()));
            case Tuple tuple -> new Tuple(repeated(tuple.items(), times));
            case Range range -> null;
            case List<?> list -> repeated(list, times);
            default -> null;
        };
    }

    private List<Object> repeated(List<?> items, int times) {
        values.budget().steps((long) items.size() * times);
        List<Object> result = new ArrayList<>(items.size() * times);
        for (int i = 0; i < times && !items.isEmpty(); i++) {
            result.addAll(items);
        }
        return result;
    }

    boolean compare(String operator, Object left, Object right) {
        return switch (operator) {
            case "==" -> values.equal(left, right);
            case "!=" -> !values.equal(left, right);
            case "in" -> values.contains(right, left);
            case "not in" -> !values.contains(right, left);
            default -> values.ordered(operator, left, right);
        };
    }
}
