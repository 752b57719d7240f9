package dev.gale.train.jinja;

import dev.gale.train.jinja.Stmt.Body;
import dev.gale.train.jinja.Stmt.Branch;
import dev.gale.train.jinja.Stmt.Routine;
import dev.gale.train.jinja.Stmt.Target;
import dev.gale.train.jinja.Token.Type;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Deque;
import java.util.List;
import java.util.Set;
import java.util.stream.Collectors;

/// Reads the statements of a template.
final class Parser {
    private static final Set<String> OTHER_TEMPLATES = Set.of("extends", "block", "include", "import", "from");

    private final TokenStream tokens;
    private final ExpressionParser expressions;
    private final Deque<String> openTags = new ArrayDeque<>();
    private final Deque<List<String>> awaited = new ArrayDeque<>();

    private Parser(TokenStream tokens) {
        this.tokens = tokens;
        expressions = new ExpressionParser(tokens);
    }

    static Body parse(String source, TemplateOptions options) {
        return new Parser(new TokenStream(Lexer.tokens(source, options))).statementsUntil(List.of());
    }

    /// Statements up to a tag that starts with one of these names (its name is then the current token), or to the end.
    private Body statementsUntil(List<String> ends) {
        List<Stmt> statements = new ArrayList<>();
        awaited.push(ends);
        while (!tokens.at(Type.END)) {
            Token token = tokens.advance();
            switch (token.type()) {
                case DATA -> statements.add(new Stmt.Data(token.text(), token.line()));
                case VARIABLE_BEGIN -> {
                    statements.add(new Stmt.Print(expressions.tuple(), token.line()));
                    tokens.expect(Type.VARIABLE_END);
                }
                default -> {
                    if (tokens.at(Type.NAME) && ends.contains(tokens.current().text())) {
                        awaited.pop();
                        return new Body(statements);
                    }
                    statements.addAll(expressions.nested(this::statement));
                    tokens.expect(Type.BLOCK_END);
                }
            }
        }
        if (!ends.isEmpty()) {
            throw tokens.fail(lookingFor("Unexpected end of template.", null));
        }
        awaited.pop();
        return new Body(statements);
    }

    private Body body(String... ends) {
        tokens.skipOperator(":");
        tokens.expect(Type.BLOCK_END);
        return statementsUntil(List.of(ends));
    }

    /// A body whose end tag has one name, which is consumed.
    private Body bodyAndEnd(String end) {
        Body body = body(end);
        tokens.advance();
        return body;
    }

    private List<Stmt> statement() {
        if (!tokens.at(Type.NAME)) {
            throw tokens.fail("tag name expected");
        }
        Token tag = tokens.advance();
        openTags.push(tag.text());
        int line = tag.line();
        List<Stmt> statements = switch (tag.text()) {
            case "for" -> List.of(loop(line));
            case "if" -> List.of(condition(line));
            case "set" -> List.of(assignment(line));
            case "with" -> List.of(with(line));
            case "macro" -> List.of(macro(line));
            case "call" -> List.of(callBlock(line));
            case "filter" -> List.of(filterBlock(line));
            case "generation" -> List.of(generation(line));
            case "print" -> print();
            case "break" -> List.of(new Stmt.Break(line));
            case "continue" -> List.of(new Stmt.Continue(line));
            default -> throw unknownTag(tag);
        };
        openTags.pop();
        return statements;
    }

    private TemplateException unknownTag(Token tag) {
        openTags.pop();
        if (OTHER_TEMPLATES.contains(tag.text())) {
            return TemplateException.syntax(tag.line(), "the tag '" + tag.text()
                    + "' is not supported: a chat template stands alone");
        }
        return TemplateException.syntax(tag.line(),
                lookingFor("Encountered unknown tag " + Repr.quote(tag.text()) + ".", tag.text()));
    }

    private String lookingFor(String message, String tag) {
        StringBuilder text = new StringBuilder(message);
        List<String> ends = awaited.isEmpty() ? List.of() : awaited.peek();
        if (!ends.isEmpty()) {
            String wanted = ends.stream().map(Repr::quote).collect(Collectors.joining(" or "));
            boolean nestedWrongly = tag != null && awaited.stream().flatMap(Collection::stream).anyMatch(tag::equals);
            text.append(nestedWrongly
                    ? " You probably made a nesting mistake. Jinja is expecting this tag, but currently looking for "
                    : " Jinja was looking for the following tags: ").append(wanted).append('.');
        }
        if (!openTags.isEmpty()) {
            text.append(" The innermost block that needs to be closed is ").append(Repr.quote(openTags.peek()))
                    .append('.');
        }
        return text.toString();
    }

    private Stmt loop(int line) {
        Target target = target(() -> tokens.atName("in"), false);
        tokens.expectName("in");
        Expr items = expressions.tupleWithoutIf(() -> tokens.atName("recursive"));
        Expr condition = tokens.skipName("if") ? expressions.expression() : null;
        boolean recursive = tokens.skipName("recursive");
        Body body = body("endfor", "else");
        Body otherwise = tokens.advance().isName("else") ? bodyAndEnd("endfor") : new Body(List.of());
        return new Stmt.For(target, items, condition, recursive, body, otherwise, line);
    }

    private Stmt condition(int line) {
        List<Branch> branches = new ArrayList<>();
        while (true) {
            Expr condition = expressions.tupleWithoutIf(() -> false);
            branches.add(new Branch(condition, body("elif", "else", "endif")));
            Token end = tokens.advance();
            if (!end.isName("elif")) {
                Body otherwise = end.isName("else") ? bodyAndEnd("endif") : new Body(List.of());
                return new Stmt.If(branches, otherwise, line);
            }
        }
    }

    private Stmt assignment(int line) {
        Target target = target(() -> false, true);
        if (tokens.skipOperator("=")) {
            return new Stmt.Set(target, expressions.tuple(), line);
        }
        Expr.Filter filter = tokens.skipOperator("|") ? expressions.filters(null) : null;
        return new Stmt.SetBlock(target, filter, bodyAndEnd("endset"), line);
    }

    private Stmt with(int line) {
        List<Target> targets = new ArrayList<>();
        List<Expr> values = new ArrayList<>();
        while (!tokens.at(Type.BLOCK_END)) {
            if (!targets.isEmpty()) {
                tokens.expectOperator(",");
            }
            targets.add(target(() -> false, false));
            tokens.expectOperator("=");
            values.add(expressions.expression());
        }
        return new Stmt.With(targets, values, bodyAndEnd("endwith"), line);
    }

    private Stmt macro(int line) {
        String name = assignable(tokens.expect(Type.NAME));
        return new Stmt.MacroDefinition(routine(name, true, "endmacro"), line);
    }

    private Stmt callBlock(int line) {
        Signature signature = tokens.atOperator("(") ? signature() : new Signature(List.of(), List.of());
        if (!(expressions.expression() instanceof Expr.Call call)) {
            throw TemplateException.syntax(line, "expected call");
        }
        return new Stmt.CallBlock(call, routine(null, signature, "endcall"), line);
    }

    private Stmt filterBlock(int line) {
        Expr.Filter filter = expressions.filters(null);
        return new Stmt.FilterBlock(filter, bodyAndEnd("endfilter"), line);
    }

    private Stmt generation(int line) {
        return new Stmt.Generation(routine(null, false, "endgeneration"), line);
    }

    private List<Stmt> print() {
        List<Stmt> prints = new ArrayList<>();
        while (!tokens.at(Type.BLOCK_END)) {
            if (!prints.isEmpty()) {
                tokens.expectOperator(",");
            }
            prints.add(new Stmt.Print(expressions.expression(), tokens.line()));
        }
        return prints;
    }

    private record Signature(List<String> parameters, List<Expr> defaults) {}

    private Signature signature() {
        List<String> parameters = new ArrayList<>();
        List<Expr> defaults = new ArrayList<>();
        tokens.expectOperator("(");
        while (!tokens.atOperator(")")) {
            if (!parameters.isEmpty()) {
                tokens.expectOperator(",");
            }
            String name = assignable(tokens.expect(Type.NAME));
            if (parameters.contains(name)) {
                throw tokens.fail("duplicate argument " + Repr.quote(name) + " in function definition");
            }
            parameters.add(name);
            if (tokens.skipOperator("=")) {
                defaults.add(expressions.expression());
            } else if (!defaults.isEmpty()) {
                throw tokens.fail("non-default argument follows default argument");
            }
        }
        tokens.expectOperator(")");
        return new Signature(parameters, defaults);
    }

    private Routine routine(String name, boolean withSignature, String end) {
        return routine(name, withSignature ? signature() : new Signature(List.of(), List.of()), end);
    }

    private Routine routine(String name, Signature signature, String end) {
        Body[] body = new Body[1];
        int line = tokens.line();
        Set<String> mentioned = expressions.namesMentionedBy(() -> body[0] = bodyAndEnd(end));
        Routine routine = new Routine(name, signature.parameters(), signature.defaults(), body[0], mentioned);
        int caller = signature.parameters().indexOf("caller");
        if (caller >= 0 && caller < routine.firstDefault() && mentioned.contains("caller")) {
            throw TemplateException.syntax(line, "When defining macros or call blocks the special \"caller\" argument "
                    + "must be omitted or be given a default.");
        }
        return routine;
    }

    private Target target(java.util.function.BooleanSupplier end, boolean withFields) {
        List<Target> targets = new ArrayList<>();
        boolean isTuple = false;
        while (!expressions.atTupleEnd() && !end.getAsBoolean()) {
            targets.add(expressions.nested(() -> singleTarget(withFields)));
            if (!tokens.skipOperator(",")) {
                break;
            }
            isTuple = true;
        }
        if (targets.isEmpty()) {
            throw tokens.fail("Expected an expression, got " + Repr.quote(tokens.current().describe()));
        }
        return isTuple ? new Target.Unpacking(targets) : targets.getFirst();
    }

    private Target singleTarget(boolean withFields) {
        if (tokens.skipOperator("(")) {
            Target inner = target(() -> false, withFields);
            tokens.expectOperator(")");
            return inner;
        }
        if (!tokens.at(Type.NAME)) {
            throw tokens.at(Type.OPERATOR) ? tokens.fail("unexpected " + Repr.quote(tokens.current().describe()))
                    : tokens.fail("can't assign to " + Repr.quote("const"));
        }
        Token name = tokens.advance();
        if (withFields && tokens.skipOperator(".")) {
            return new Target.Field(name.text(), tokens.expect(Type.NAME).text());
        }
        return new Target.Variable(assignable(name));
    }

    private static String assignable(Token name) {
        return switch (name.text()) {
            case "true", "True", "false", "False", "none", "None" ->
                    throw TemplateException.syntax(name.line(), "can't assign to 'const'");
            default -> name.text();
        };
    }
}
