package dev.gale.train.jinja;

import dev.gale.train.jinja.Expr.CallArguments;
import dev.gale.train.jinja.Expr.Comparison;
import dev.gale.train.jinja.Expr.Entry;
import dev.gale.train.jinja.Expr.Keyword;
import dev.gale.train.jinja.Token.Type;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.function.BooleanSupplier;
import java.util.function.Supplier;

/// Reads expressions, with the precedence of jinja2: `if`, `or`, `and`, `not`, comparisons, `+ -`, `~`, `* / // %`,
/// `**` (from the left), signs, then what follows a value: `.`, `[]`, `()`, and last `|` and `is`.
final class ExpressionParser {
    private static final int MAX_NESTING = 100;
    private static final Set<String> COMPARISONS = Set.of("==", "!=", "<", "<=", ">", ">=");

    private final TokenStream tokens;
    private Set<String> mentioned = new HashSet<>();
    private int nesting;

    ExpressionParser(TokenStream tokens) {
        this.tokens = tokens;
    }

    /// Runs `parse` and returns the names that expressions used meanwhile.
    Set<String> namesMentionedBy(Runnable parse) {
        Set<String> outer = mentioned;
        mentioned = new HashSet<>();
        parse.run();
        Set<String> inner = mentioned;
        outer.addAll(inner);
        mentioned = outer;
        return Set.copyOf(inner);
    }

    /// Guards the recursion of this parser and of the statements' parser.
    <T> T nested(Supplier<T> parse) {
        if (++nesting > MAX_NESTING) {
            throw tokens.fail("the template nests more than " + MAX_NESTING + " levels deep");
        }
        T result = parse.get();
        nesting--;
        return result;
    }

    Expr expression() {
        return nested(this::conditional);
    }

    /// One expression, or several with commas between them, which make a tuple.
    Expr tuple() {
        return tuple(this::expression, () -> false, false);
    }

    /// Like [#tuple()], without `if` at the top, and ended by `end` too.
    Expr tupleWithoutIf(BooleanSupplier end) {
        return tuple(() -> nested(this::or), end, false);
    }

    private Expr tuple(Supplier<Expr> item, BooleanSupplier end, boolean inParentheses) {
        int line = tokens.line();
        List<Expr> items = new ArrayList<>();
        boolean isTuple = false;
        while (!atTupleEnd() && !end.getAsBoolean()) {
            items.add(item.get());
            if (!tokens.skipOperator(",")) {
                break;
            }
            isTuple = true;
        }
        if (!isTuple && !items.isEmpty()) {
            return items.getFirst();
        }
        if (!isTuple && !inParentheses) {
            throw tokens.fail("Expected an expression, got " + Repr.quote(tokens.current().describe()));
        }
        return new Expr.TupleLiteral(items, line);
    }

    boolean atTupleEnd() {
        return tokens.at(Type.VARIABLE_END) || tokens.at(Type.BLOCK_END) || tokens.atOperator(")");
    }

    private Expr conditional() {
        int line = tokens.line();
        Expr result = or();
        while (tokens.skipName("if")) {
            Expr condition = or();
            Expr otherwise = tokens.skipName("else") ? nested(this::conditional) : null;
            result = new Expr.Conditional(condition, result, otherwise, line);
        }
        return result;
    }

    private Expr or() {
        int line = tokens.line();
        Expr left = and();
        while (tokens.skipName("or")) {
            left = new Expr.Or(left, and(), line);
        }
        return left;
    }

    private Expr and() {
        int line = tokens.line();
        Expr left = not();
        while (tokens.skipName("and")) {
            left = new Expr.And(left, not(), line);
        }
        return left;
    }

    private Expr not() {
        int line = tokens.line();
        return tokens.skipName("not") ? new Expr.Unary("not", nested(this::not), line) : comparison();
    }

    private Expr comparison() {
        int line = tokens.line();
        Expr first = sum();
        List<Comparison> rest = new ArrayList<>();
        while (true) {
            if (tokens.at(Type.OPERATOR) && COMPARISONS.contains(tokens.current().text())) {
                String operator = tokens.advance().text();
                rest.add(new Comparison(operator, sum()));
            } else if (tokens.skipName("in")) {
                rest.add(new Comparison("in", sum()));
            } else if (tokens.atName("not") && tokens.lookahead().isName("in")) {
                tokens.advance();
                tokens.advance();
                rest.add(new Comparison("not in", sum()));
            } else {
                return rest.isEmpty() ? first : new Expr.Compare(first, rest, line);
            }
        }
    }

    private Expr sum() {
        return fromTheLeft(this::concat, "+", "-");
    }

    private Expr concat() {
        int line = tokens.line();
        List<Expr> parts = new ArrayList<>(List.of(product()));
        while (tokens.skipOperator("~")) {
            parts.add(product());
        }
        return parts.size() == 1 ? parts.getFirst() : new Expr.Concat(parts, line);
    }

    private Expr product() {
        return fromTheLeft(this::power, "*", "/", "//", "%");
    }

    private Expr power() {
        return fromTheLeft(() -> signed(true), "**");
    }

    private Expr fromTheLeft(Supplier<Expr> operand, String... operators) {
        int line = tokens.line();
        Expr left = operand.get();
        while (tokens.at(Type.OPERATOR) && List.of(operators).contains(tokens.current().text())) {
            String operator = tokens.advance().text();
            left = new Expr.Binary(operator, left, operand.get(), line);
        }
        return left;
    }

    private Expr signed(boolean withFilters) {
        int line = tokens.line();
        Expr value;
        if (tokens.atOperator("-") || tokens.atOperator("+")) {
            String sign = tokens.advance().text();
            value = new Expr.Unary(sign, nested(() -> signed(false)), line);
        } else {
            value = primary();
        }
        value = postfix(value);
        return withFilters ? filtersAndTests(value) : value;
    }

    private Expr primary() {
        Token token = tokens.current();
        return switch (token.type()) {
            case NAME -> {
                tokens.advance();
                yield nameOrConstant(token);
            }
            case STRING -> {
                StringBuilder text = new StringBuilder();
                while (tokens.at(Type.STRING)) {
                    text.append(tokens.advance().value());
                }
                yield new Expr.Constant(text.toString(), token.line());
            }
            case INTEGER, FLOAT -> new Expr.Constant(tokens.advance().value(), token.line());
            case OPERATOR -> bracketed(token);
            default -> throw unexpected(token);
        };
    }

    private Expr nameOrConstant(Token token) {
        return switch (token.text()) {
            case "true", "True" -> new Expr.Constant(true, token.line());
            case "false", "False" -> new Expr.Constant(false, token.line());
            case "none", "None" -> new Expr.Constant(null, token.line());
            default -> {
                mentioned.add(token.text());
                yield new Expr.Name(token.text(), token.line());
            }
        };
    }

    private Expr bracketed(Token token) {
        switch (token.text()) {
            case "(" -> {
                tokens.advance();
                Expr inner = tuple(this::expression, () -> false, true);
                tokens.expectOperator(")");
                return inner;
            }
            case "[" -> {
                tokens.advance();
                List<Expr> items = new ArrayList<>();
                separated("]", () -> items.add(expression()));
                return new Expr.ListLiteral(items, token.line());
            }
            case "{" -> {
                tokens.advance();
                List<Entry> entries = new ArrayList<>();
                separated("}", () -> {
                    Expr key = expression();
                    tokens.expectOperator(":");
                    entries.add(new Entry(key, expression()));
                });
                return new Expr.DictLiteral(entries, token.line());
            }
            default -> throw unexpected(token);
        }
    }

    private TemplateException unexpected(Token token) {
        return TemplateException.syntax(token.line(), "unexpected " + Repr.quote(token.describe()));
    }

    /// Items with commas between them, and one more comma if it likes, up to the closing bracket, which is consumed.
    void separated(String close, Runnable item) {
        boolean first = true;
        while (!tokens.atOperator(close)) {
            if (!first) {
                tokens.expectOperator(",");
                if (tokens.atOperator(close)) {
                    break;
                }
            }
            item.run();
            first = false;
        }
        tokens.expectOperator(close);
    }

    private Expr postfix(Expr value) {
        Expr result = value;
        while (true) {
            if (tokens.atOperator(".")) {
                result = attribute(result);
            } else if (tokens.atOperator("[")) {
                result = subscript(result);
            } else if (tokens.atOperator("(")) {
                result = new Expr.Call(result, callArguments(), tokens.line());
            } else {
                return result;
            }
        }
    }

    private Expr attribute(Expr object) {
        int line = tokens.advance().line();
        Token name = tokens.advance();
        return switch (name.type()) {
            case NAME -> new Expr.Attribute(object, name.text(), line);
            case INTEGER -> new Expr.Item(object, new Expr.Constant(name.value(), line), line);
            default -> throw TemplateException.syntax(name.line(), "expected name or number");
        };
    }

    private Expr subscript(Expr object) {
        int line = tokens.advance().line();
        if (tokens.atOperator("]")) {
            tokens.advance();
            return new Expr.Item(object, new Expr.TupleLiteral(List.of(), line), line);
        }
        Expr first = tokens.atOperator(":") ? null : expression();
        if (tokens.skipOperator(":")) {
            Expr stop = sliceBound();
            Expr step = tokens.skipOperator(":") ? sliceBound() : null;
            tokens.expectOperator("]");
            return new Expr.Slice(object, first, stop, step, line);
        }
        List<Expr> keys = new ArrayList<>(List.of(first));
        while (!tokens.atOperator("]")) {
            tokens.expectOperator(",");
            keys.add(expression());
        }
        tokens.expectOperator("]");
        return new Expr.Item(object, keys.size() == 1 ? first : new Expr.TupleLiteral(keys, line), line);
    }

    private Expr sliceBound() {
        return tokens.atOperator(":") || tokens.atOperator("]") ? null : expression();
    }

    private Expr filtersAndTests(Expr value) {
        Expr result = value;
        while (true) {
            if (tokens.skipOperator("|")) {
                result = filter(result);
            } else if (tokens.atName("is")) {
                result = test(result);
            } else if (tokens.atOperator("(")) {
                result = new Expr.Call(result, callArguments(), tokens.line());
            } else {
                return result;
            }
        }
    }

    /// A filter from its name on, and those that follow it after `|`.
    Expr.Filter filters(Expr input) {
        Expr.Filter filter = filter(input);
        while (tokens.skipOperator("|")) {
            filter = filter(filter);
        }
        return filter;
    }

    private Expr.Filter filter(Expr input) {
        int line = tokens.line();
        String name = dottedName();
        CallArguments arguments = tokens.atOperator("(") ? callArguments() : CallArguments.NONE;
        return new Expr.Filter(input, name, arguments, line);
    }

    private String dottedName() {
        StringBuilder name = new StringBuilder(tokens.expect(Type.NAME).text());
        while (tokens.skipOperator(".")) {
            name.append('.').append(tokens.expect(Type.NAME).text());
        }
        return name.toString();
    }

    private Expr test(Expr subject) {
        int line = tokens.advance().line();
        boolean negated = tokens.skipName("not");
        String name = dottedName();
        CallArguments arguments = CallArguments.NONE;
        if (tokens.atOperator("(")) {
            arguments = callArguments();
        } else if (startsTestArgument()) {
            if (tokens.atName("is")) {
                throw tokens.fail("You cannot chain multiple tests with is");
            }
            arguments = new CallArguments(List.of(postfix(primary())), List.of(), null, null);
        }
        Expr test = new Expr.Test(subject, name, arguments, line);
        return negated ? new Expr.Unary("not", test, line) : test;
    }

    private boolean startsTestArgument() {
        Token token = tokens.current();
        return switch (token.type()) {
            case NAME -> !token.isName("else") && !token.isName("or") && !token.isName("and");
            case STRING, INTEGER, FLOAT -> true;
            case OPERATOR -> token.isOperator("[") || token.isOperator("{");
            default -> false;
        };
    }

    private CallArguments callArguments() {
        tokens.expectOperator("(");
        List<Expr> positional = new ArrayList<>();
        List<Keyword> named = new ArrayList<>();
        Expr[] spreads = new Expr[2];
        separated(")", () -> argument(positional, named, spreads));
        return new CallArguments(positional, named, spreads[0], spreads[1]);
    }

    private void argument(List<Expr> positional, List<Keyword> named, Expr[] spreads) {
        if (tokens.atOperator("*") && spreads[0] == null && spreads[1] == null) {
            tokens.advance();
            spreads[0] = expression();
        } else if (tokens.atOperator("**") && spreads[1] == null) {
            tokens.advance();
            spreads[1] = expression();
        } else if (tokens.at(Type.NAME) && tokens.lookahead().isOperator("=") && spreads[1] == null) {
            String name = tokens.advance().text();
            tokens.advance();
            if (named.stream().anyMatch(keyword -> keyword.name().equals(name))) {
                throw tokens.fail("keyword argument repeated: " + name);
            }
            named.add(new Keyword(name, expression()));
        } else if (spreads[0] == null && spreads[1] == null && named.isEmpty()) {
            positional.add(expression());
        } else {
            throw tokens.fail("invalid syntax for function call expression");
        }
    }
}
