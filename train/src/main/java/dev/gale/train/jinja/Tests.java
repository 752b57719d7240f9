package dev.gale.train.jinja;

import dev.gale.train.jinja.TemplateException.Kind;
import java.util.HashMap;
import java.util.Map;
import java.util.Set;

/// What can follow `is`.
final class Tests {
    private interface Check {
        boolean holds(Tests tests, Object subject, Arguments arguments);
    }

    private interface Plain {
        boolean holds(Object subject);
    }

    private static final Map<String, Check> CHECKS = new HashMap<>();

    static {
        plain("defined", subject -> !(subject instanceof Undefined));
        plain("undefined", subject -> subject instanceof Undefined);
        plain("none", subject -> subject == null);
        plain("boolean", subject -> subject instanceof Boolean);
        plain("true", subject -> Boolean.TRUE.equals(subject));
        plain("false", subject -> Boolean.FALSE.equals(subject));
        plain("integer", subject -> Types.isInteger(subject) && !(subject instanceof Boolean));
        plain("float", subject -> subject instanceof Double);
        plain("number", Types::isNumber);
        plain("string", Types::isText);
        plain("mapping", subject -> subject instanceof Map);
        plain("iterable", subject -> Values.isIterable(subject) || subject instanceof Loop);
        plain("sequence", subject -> Values.lengthOrMinusOne(subject) >= 0 && !(subject instanceof DictView)
                && !(subject instanceof Loop));
        plain("callable", subject -> subject instanceof Callable || subject instanceof Undefined);
        plain("escaped", subject -> subject instanceof Markup);
        CHECKS.put("lower", (tests, subject, arguments) -> Text.isLower(tests.values.string(subject)));
        CHECKS.put("upper", (tests, subject, arguments) -> Text.isUpper(tests.values.string(subject)));
        CHECKS.put("odd", (tests, subject, arguments) -> tests.remainder(subject, 2L, 1L));
        CHECKS.put("even", (tests, subject, arguments) -> tests.remainder(subject, 2L, 0L));
        CHECKS.put("divisibleby", (tests, subject, arguments) ->
                tests.remainder(subject, arguments.bind("test_divisibleby", 1, "num").get(0), 0L));
        CHECKS.put("sameas", (tests, subject, arguments) ->
                isSame(subject, arguments.bind("test_sameas", 1, "other").get(0)));
        CHECKS.put("filter", (tests, subject, arguments) -> Filters.names().contains(Types.text(subject)));
        CHECKS.put("test", (tests, subject, arguments) -> names().contains(Types.text(subject)));
        comparison("in", "in");
        comparison("==", "==", "eq", "equalto");
        comparison("!=", "!=", "ne");
        comparison("<", "<", "lt", "lessthan");
        comparison("<=", "<=", "le");
        comparison(">", ">", "gt", "greaterthan");
        comparison(">=", ">=", "ge");
    }

    private final Values values;
    private final Operators operators;

    Tests(Values values, Operators operators) {
        this.values = values;
        this.operators = operators;
    }

    private static void plain(String name, Plain check) {
        CHECKS.put(name, (tests, subject, arguments) -> {
            arguments.bind("test_" + name, 0);
            return check.holds(subject);
        });
    }

    private static void comparison(String operator, String... names) {
        for (String name : names) {
            CHECKS.put(name, (tests, subject, arguments) ->
                    tests.operators.compare(operator, subject, arguments.bind(name, 1, "other").get(0)));
        }
    }

    static Set<String> names() {
        return CHECKS.keySet();
    }

    boolean holds(String name, Object subject, Arguments arguments) {
        Check check = CHECKS.get(name);
        if (check == null) {
            throw new TemplateException(Kind.RUNTIME, "No test named " + Repr.quote(name) + " found.");
        }
        values.budget().step();
        return check.holds(this, subject, arguments);
    }

    private boolean remainder(Object subject, Object divisor, Object expected) {
        return values.equal(operators.binary("%", subject, divisor), expected);
    }

    /// Numbers and strings have no identity in Java, so equal ones of one type are taken to be the same.
    private static boolean isSame(Object a, Object b) {
        boolean scalar = a instanceof String || a instanceof Boolean || a instanceof Number;
        return a == b || scalar && a.equals(b);
    }
}
