package dev.gale.train.jinja;

import dev.gale.train.jinja.Token.Type;
import java.util.List;

/// The tokens of a template, read one after the other.
final class TokenStream {
    private final List<Token> tokens;
    private int next;

    TokenStream(List<Token> tokens) {
        this.tokens = tokens;
    }

    Token current() {
        return tokens.get(next);
    }

    Token lookahead() {
        return tokens.get(Math.min(next + 1, tokens.size() - 1));
    }

    int line() {
        return current().line();
    }

    /// Returns the current token and goes on to the next one.
    Token advance() {
        Token token = current();
        if (next < tokens.size() - 1) {
            next++;
        }
        return token;
    }

    boolean at(Type type) {
        return current().is(type);
    }

    boolean atName(String name) {
        return current().isName(name);
    }

    boolean atOperator(String symbol) {
        return current().isOperator(symbol);
    }

    boolean skipName(String name) {
        boolean found = atName(name);
        if (found) {
            advance();
        }
        return found;
    }

    boolean skipOperator(String symbol) {
        boolean found = atOperator(symbol);
        if (found) {
            advance();
        }
        return found;
    }

    Token expect(Type type) {
        if (!at(type)) {
            throw unexpected(type.description());
        }
        return advance();
    }

    void expectName(String name) {
        if (!skipName(name)) {
            throw unexpected(name);
        }
    }

    void expectOperator(String symbol) {
        if (!skipOperator(symbol)) {
            throw unexpected(symbol);
        }
    }

    private TemplateException unexpected(String expected) {
        return fail(at(Type.END)
                ? "unexpected end of template, expected " + Repr.quote(expected) + "."
                : "expected token " + Repr.quote(expected) + ", got " + Repr.quote(current().describe()));
    }

    /// A syntax error in the current line.
    TemplateException fail(String message) {
        return TemplateException.syntax(line(), message);
    }
}
