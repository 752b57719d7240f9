package dev.gale.train.jinja;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.gale.train.jinja.TemplateException.Kind;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class TemplateTest {
    private static Rendering render(String template) {
        return Template.parse(template).render(Map.of());
    }

    private static TemplateException failure(String template) {
        return assertThrows(TemplateException.class, () -> render(template));
    }

    @Test
    void generationSpansCountCharsOfTheText() {
        Rendering rendering = render("🦙{% generation %}a🦙{% endgeneration %}-{% generation %}{% endgeneration %}"
                + "{% generation %}c{% endgeneration %}!");
        assertEquals("🦙a🦙-c!", rendering.text());
        assertEquals(List.of(new Span(2, 5), new Span(6, 6), new Span(6, 7)), rendering.generation());
        assertEquals("a🦙", rendering.text().substring(2, 5));
    }

    @Test
    void generationInsideAMacroCountsFromWhereTheMacroStands() {
        Rendering rendering = render("ab{% macro m() %}xyz{% generation %}q{% endgeneration %}{% endmacro %}{{ m() }}");
        assertEquals("abxyzq", rendering.text());
        assertEquals(List.of(new Span(2, 3)), rendering.generation());
    }

    @Test
    void raiseExceptionArrivesUnchangedWithItsLine() {
        TemplateException failure = failure(
                "a\n{% if true %}\n  {{ raise_exception('no \"tool\" here') }}\n{% endif %}");
        assertEquals("no \"tool\" here", failure.getMessage());
        assertEquals(Kind.RAISED, failure.kind());
        assertEquals(3, failure.line());
    }

    @Test
    void syntaxErrorsNameTheirLine() {
        TemplateException failure = assertThrows(TemplateException.class,
                () -> Template.parse("one\n{# two\n#}\r\n{{ 1 +\n }}"));
        assertEquals(Kind.SYNTAX, failure.kind());
        assertEquals(5, failure.line());
        assertEquals("unexpected 'end of print statement'", failure.getMessage());
    }

    @Test
    void contextTakesJavaValuesAndFunctions() {
        Map<String, Object> context = new LinkedHashMap<>();
        context.put("i", 1);
        context.put("l", new Object[] {(short) 2, 3.5f, null});
        context.put("m", Map.of("k", List.of(true)));
        context.put("f", (TemplateFunction) (positional, named) -> positional.getFirst() + "/" + named.get("x"));
        context.put("strftime_now", (TemplateFunction) (positional, named) -> "then");
        Rendering rendering = Template.parse("{{ i }} {{ l }} {{ m }} {{ f('a', x=2) }} {{ strftime_now('%Y') }}")
                .render(context);
        assertEquals("1 [2, 3.5, None] {'k': [True]} a/2 then", rendering.text());
    }

    @Test
    void functionsSeePlainJavaValues() {
        List<Object> seen = new ArrayList<>();
        TemplateFunction see = (positional, named) -> seen.addAll(positional);
        Template.parse("{% if f((1, 'a'|safe), {'k': (2,)}, missing, range(2), [1]|map('string')) %}{% endif %}")
                .render(Map.of("f", see));
        assertEquals(Arrays.asList(List.of(1L, "a"), Map.of("k", List.of(2L)), null, List.of(0L, 1L), List.of("1")),
                seen);
    }

    @Test
    void unknownJavaTypesAreRefused() {
        Template template = Template.parse("{{ x }}");
        assertThrows(IllegalArgumentException.class, () -> template.render(Map.of("x", new StringBuilder("a"))));
    }

    @Test
    void contextIsCopiedAndCannotBeChanged() {
        List<Object> list = new ArrayList<>(Arrays.asList(1, 2));
        assertEquals(Kind.SECURITY, assertThrows(TemplateException.class,
                () -> Template.parse("{{ l.append(3) }}").render(Map.of("l", list))).kind());
        assertEquals(List.of(1, 2), list);
    }

    @ParameterizedTest
    @ValueSource(strings = {
        "{% for a in range(100000) %}{% for b in range(100000) %}{% endfor %}{% endfor %}",
        "{% set ns = namespace(x='aaaaaaaaaaaaaaaa') %}{% for i in range(90) %}"
                + "{% set ns.x = ns.x ~ ns.x %}{% endfor %}",
        "{% set ns = namespace(x=[1]) %}{% for i in range(90) %}{% set ns.x = ns.x + ns.x %}{% endfor %}",
        "{% set ns = namespace(x=[1]) %}{% for i in range(90) %}{% set ns.x = [ns.x, ns.x] %}{% endfor %}{{ ns.x }}",
        "{% set ns = namespace(x=[1]) %}{% for i in range(90) %}{% set ns.x = [ns.x, ns.x] %}{% endfor %}"
                + "{{ ns.x|tojson }}",
        "{% set ns = namespace(x=[1], y=[1]) %}{% for i in range(90) %}{% set ns.x = [ns.x, ns.x] %}"
                + "{% set ns.y = [ns.y, ns.y] %}{% endfor %}{{ ns.x == ns.y }}",
        "{% for i in range(100000) %}{{ 'aaaaaaaaaa' * 1000 }}{% endfor %}",
        "{{ 'a' * 1000000000 }}", "{{ [1] * 1000000000 }}", "{{ '%999999999d' % 1 }}", "{{ '{:999999999}'.format(1) }}",
        "{{ 'a'.center(999999999) }}", "{{ 9 ** 999999999 }}", "{{ 'a'|indent(999999999, true) }}",
        "{{ [1]|tojson(indent=999999999) }}", "{{ ('a' * 100000).replace('a', 'b' * 100000) }}",
        "{{ range(100000)|join('a' * 10000) }}", "{{ [1]|batch(999999999, 1)|list }}", "{{ 1.5|round(999999999) }}"
                + "{{ range(100000)|map('string')|map('center', 10000)|list|length }}",
    })
    void whatGrowsWithoutEndIsStopped(String template) {
        TemplateException failure = failure(template);
        assertEquals(Kind.LIMIT, failure.kind(), failure.getMessage());
    }

    @Test
    void limitsCanBeSet() {
        TemplateOptions small = TemplateOptions.TRANSFORMERS.withLimits(1000, 50);
        Template loop = Template.parse("{% for i in range(1000) %}{% endfor %}", small);
        assertEquals("the template took more than 1,000 steps: it may loop without end",
                assertThrows(TemplateException.class, () -> loop.render(Map.of())).getMessage());
        Template text = Template.parse("{% for i in range(51) %}a{% endfor %}", small);
        assertEquals("the template built a value of more than 50 characters",
                assertThrows(TemplateException.class, () -> text.render(Map.of())).getMessage());
        assertEquals(50, Template.parse("{{ 'a' * 50 }}", small).render(Map.of()).text().length());
    }

    @Test
    void deepNestingIsAnErrorNotAnOverflow() {
        List<String> templates = List.of("{{ " + "(".repeat(5000) + "1" + ")".repeat(5000) + " }}",
                "{{ " + "[".repeat(5000) + "]".repeat(5000) + " }}", "{{ " + "not ".repeat(5000) + "1 }}",
                "{{ " + "-".repeat(5000) + "1 }}", "{{ 1" + " + 1".repeat(5000) + " }}",
                "{{ 1" + "|abs".repeat(5000) + " }}",
                "{{ a" + ".a".repeat(5000) + " }}", "{{ 1" + " if 1 else 1".repeat(5000) + " }}",
                "{% if 1 %}".repeat(5000) + "{% endif %}".repeat(5000),
                "{% set " + "(".repeat(5000) + "a" + ")".repeat(5000) + " = 1 %}");
        for (String template : templates) {
            TemplateException failure = failure(template);
            assertTrue(failure.getMessage().contains("deep"), failure.getMessage());
            assertEquals(Kind.SYNTAX, failure.kind());
        }
    }

    @Test
    void endlessRecursionIsAnError() {
        assertEquals(Kind.LIMIT, failure("{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}").kind());
        assertEquals(Kind.LIMIT, failure("{% for x in [1] recursive %}{{ loop([1]) }}{% endfor %}").kind());
        assertEquals(Kind.LIMIT, failure("{% set ns = namespace(x=1) %}{% for i in range(5000) %}"
                + "{% set ns.x = [ns.x] %}{% endfor %}{{ ns.x }}").kind());
    }

    @Test
    void recursionOfUsefulDepthWorks() {
        Rendering rendering = render("{% macro m(n) %}{% if n > 0 %}{% for i in [n] %}({{ m(i - 1) }}){% endfor %}"
                + "{% endif %}{% endmacro %}{{ m(60) }}");
        assertEquals("(".repeat(60) + ")".repeat(60), rendering.text());
    }

    @Test
    void longTemplatesAndChainsOfElifAreNoNesting() {
        StringBuilder template = new StringBuilder("{% if x == 0 %}0");
        for (int i = 1; i < 3000; i++) {
            template.append("{% elif x == ").append(i).append(" %}").append(i);
        }
        template.append("{% endif %}");
        assertEquals("2999", Template.parse(template.toString()).render(Map.of("x", 2999)).text());
        assertEquals("1".repeat(5000), render("{{ 1 }}".repeat(5000)).text());
    }

    @Test
    void otherTemplatesAreRefused() {
        assertEquals("the tag 'include' is not supported: a chat template stands alone",
                failure("{% include 'x' %}").getMessage());
    }

    @Test
    void templateCanBeRenderedByManyThreads() throws InterruptedException {
        Template template = Template.parse("{% set ns = namespace(n=0) %}{% for i in range(k) %}"
                + "{% set ns.n = ns.n + i %}{% endfor %}{{ ns.n }}");
        List<String> texts = java.util.Collections.synchronizedList(new ArrayList<>());
        List<Thread> threads = new ArrayList<>();
        for (int t = 0; t < 4; t++) {
            int k = 100 * t;
            threads.add(Thread.startVirtualThread(() ->
                    texts.add(k + ":" + template.render(Map.of("k", k)).text())));
        }
        for (Thread thread : threads) {
            thread.join();
        }
        assertEquals(List.of("0:0", "100:4950", "200:19900", "300:44850"), texts.stream().sorted().toList());
    }
}
