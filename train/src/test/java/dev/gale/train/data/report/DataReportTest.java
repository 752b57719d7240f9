package dev.gale.train.data.report;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.gale.tensor.InputException;
import dev.gale.train.data.read.ReadOptions;
import dev.gale.train.testing.TestFiles;
import dev.gale.train.tokenizer.Tokenizer;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class DataReportTest {
    private static final String STORY = "Once upon a time there was a small village by the sea, and in it lived an old "
            + "fisherman who went out with his boat every morning";

    @TempDir
    private Path folder;

    private List<String> findings;

    private String report(List<String> lines, Optional<List<String>> validation, Optional<Path> tokenizer, int maxLength)
            throws IOException {
        Path file = folder.resolve("data.jsonl");
        Files.write(file, lines);
        Optional<Path> held = validation.map(rows -> folder.resolve("valid.jsonl"));
        if (held.isPresent()) Files.write(held.get(), validation.get());
        Path page = folder.resolve("page.html");
        findings = DataReport.write(new ReportOptions("data.jsonl", ReadOptions.of(file), held.map(ReadOptions::of), tokenizer,
                maxLength, false, 0.8, List.of(), 6), page);
        return Files.readString(page);
    }

    private static String row(String prompt, String completion, String label) {
        return "{\"prompt\": \"%s\", \"completion\": \"%s\", \"label\": \"%s\"}".formatted(prompt, completion, label);
    }

    private static String numbers(int i) {
        return "Please tell me what you know about the numbers %d and %d and %d".formatted(i, i * i + 7, i * 31);
    }

    private void assertFinding(String... words) {
        for (String word : words) assertTrue(findings.stream().anyMatch(line -> line.contains(word)), word + " is not in "
                + findings);
    }

    @Test
    void tokensAreShownDecoded() throws IOException {
        Path tokenizer = TestFiles.tokenizer("llama3");
        List<String> lines = new ArrayList<>();
        try (Tokenizer loaded = Tokenizer.load(tokenizer)) {
            for (String answer : List.of("The <cat> sat on the mat.", "Write to jane@example.com, please.",
                    "The <cat> sat on the mat.")) {
                int[] prompt = loaded.ids("What happened here?", false);
                int[] said = loaded.ids(" " + answer, false);
                int[] ids = IntStream.concat(IntStream.of(prompt), IntStream.of(said)).toArray();
                int[] mask = IntStream.range(0, ids.length).map(i -> i < prompt.length ? 0 : 1).toArray();
                lines.add("{\"input_ids\": %s, \"completion_mask\": %s}".formatted(Arrays.toString(ids),
                        Arrays.toString(mask)));
            }
        }
        lines.add("{\"input_ids\": [1, 999999]}");
        String page = report(lines, Optional.empty(), Optional.of(tokenizer), 256);
        assertFinding("1 rows cannot be read", "1 of 3 rows (33.3 %) repeat an earlier row", "Personal data",
                "get another answer");
        String shown = page.replaceAll("</?i>", "");
        assertTrue(shown.contains("What happened here?<mark> The &lt;cat&gt; sat on the mat.</mark>"), "not shown as text");
        InputException e = assertThrows(InputException.class, () -> report(lines, Optional.empty(), Optional.empty(), 256));
        assertTrue(e.getMessage().contains("name the tokenizer that they are of with --tokenizer"), e.getMessage());
    }

    @Test
    void everythingThatIsWrongIsFound() throws IOException {
        List<String> lines = new ArrayList<>();
        for (int i = 0; i < 60; i++) lines.add(row(numbers(i), "They are whole numbers.", i < 57 ? "usual" : "rare"));
        lines.add(row(numbers(3), "They are whole numbers.", "usual"));
        lines.add(row(numbers(4), "I would rather not say anything.", "usual"));
        lines.add(row("Tell me a story.", STORY, "usual"));
        lines.add(row("Say nothing", "", "usual"));
        lines.add(row("Who are you?", "Write to me at jane@example.com, or at the caf\u00c3\u00a9.", "usual"));
        lines.add(row("Now one in German please", "Es war einmal ein kleines Dorf am Meer, darin lebte ein alter Fischer.",
                "usual"));
        lines.add(row("long", "word ".repeat(400), "usual"));
        lines.add("{\"prompt\": ");
        String page = report(lines, Optional.of(List.of(row(numbers(7), "They are whole numbers.", "usual"),
                row("Something else altogether", "Yes.", "usual"))), Optional.empty(), 256);
        assertFinding("1 rows cannot be read", "are longer than 256 tokens", "repeat an earlier row", "get another answer",
                "1 of 2 validation rows", "have an empty answer", "an answer that seems to break off", "Personal data",
                "a wrong encoding left", "repeat themselves", "values of 'label' are far from even: 64 to 3 rows");
        assertTrue(page.contains("line 68"), "the row that cannot be read is not named");
        for (String part : List.of("findings", "rows", "lengths", "duplicates", "leakage", "answers", "personal",
                "languages", "text", "labels", "examples")) assertTrue(page.contains("<section id=\"" + part + "\""), part);
        assertTrue(page.contains("German (de)") && page.contains("E-mail addresses (1 pieces)"));
        assertFalse(page.substring(0, page.indexOf("<section id=\"examples\"")).contains("jane@"),
                "personal data outside of examples");
        assertTrue(findings.indexOf(findings.stream().filter(f -> f.startsWith("Worth")).findFirst().orElseThrow())
                > findings.indexOf(findings.stream().filter(f -> f.startsWith("Problem")).findFirst().orElseThrow()));
    }

    @Test
    void cleanDataHasNoFindings() throws IOException {
        List<String> subjects = List.of("The harbour master counted every vessel that returned before the storm.",
                "A violin needs dry wood, patient hands and a quiet workshop to come to life.",
                "Mathematicians proved the theorem twice, once with geometry and once without.",
                "Bread rises slowly in winter because yeast prefers a warmer kitchen.");
        String page = report(subjects.stream().map(text -> "{\"text\": \"" + text + "\"}").toList(), Optional.empty(),
                Optional.empty(), 256);
        assertEquals(List.of(), findings);
        assertTrue(page.contains("Every row fits into 256 tokens") && page.contains("No row is there twice"));
    }

    @Test
    void learnedTokensAreMarked() throws IOException {
        String page = report(List.of(row("What is it?", "A boat.", "x"), row("And that?", "A &lt; b <b>", "y")),
                Optional.empty(), Optional.of(TestFiles.tokenizer("llama3")), 256);
        String example = page.substring(page.indexOf("Line 1<"), page.indexOf("Line 2<"));
        String learned = example.substring(example.indexOf("<mark>"), example.indexOf("</mark>")).replaceAll("<.*?>", "");
        assertTrue(learned.strip().startsWith("A boat."), learned);
        String read = example.substring(example.indexOf("tokens\">") + 1, example.indexOf("<mark>")).replaceAll("<.*?>", "");
        assertTrue(read.contains("What is it?"), read);
    }

    /// The answer that is preferred stands for the row.
    @Test
    void pairsOfAnswersAreRows() throws IOException {
        String page = report(List.of("{\"prompt\": \"What is it?\", \"chosen\": \" A boat.\", \"rejected\": \" No.\"}",
                "{\"prompt\": \"And that?\", \"chosen\": \" A pier.\", \"rejected\": \" No.\"}"), Optional.empty(),
                Optional.of(TestFiles.tokenizer("llama3")), 256);
        assertFalse(findings.stream().anyMatch(line -> line.contains("cannot be read")), findings.toString());
        String example = page.substring(page.indexOf("Line 1<"), page.indexOf("Line 2<"));
        String learned = example.substring(example.indexOf("<mark>"), example.indexOf("</mark>")).replaceAll("<.*?>", "");
        assertTrue(learned.strip().startsWith("A boat."), learned);
    }

    @Test
    void whatStandsInDataStaysText() throws IOException {
        String evil = "<script>alert(1)</script><img src=x onerror=alert(2)> %s %n & \\\" `x`";
        String page = report(List.of(row(evil, evil, "<b>bad</b>"), row(evil + "2", evil, "<b>bad</b>"), row("a", "b", "<i>"),
                row("c", "d", "<i>"), row("e", "f", "<i>"), row("g", "h", "<i>"), "{\"<u>col</u>\": 1, \"text\""),
                Optional.empty(), Optional.empty(), 256);
        assertFalse(page.matches("(?s).*<(script|img|b>|i>[^<]*bad|u>).*"), page);
        assertTrue(page.contains("&lt;script&gt;alert(1)"));
    }

    @Test
    void nothingComesFromElsewhere() throws IOException {
        String page = report(List.of(row("a", "b", "c")), Optional.empty(), Optional.empty(), 256);
        assertFalse(page.matches("(?s).*(https?://|src=|<link|@import|url\\(|<script).*"));
        assertTrue(page.contains("prefers-color-scheme: dark") && page.contains("<html lang=\"en\">")
                && page.contains("role=\"img\""));
    }

    @Test
    void mistakesLeaveAnEarlierPage() throws IOException {
        report(List.of(row("a", "b", "c")), Optional.empty(), Optional.empty(), 256);
        String earlier = Files.readString(folder.resolve("page.html"));
        for (List<String> wrong : List.<List<String>>of(List.of(), List.of("{", "3"))) {
            InputException e = assertThrows(InputException.class, () -> report(wrong, Optional.empty(), Optional.empty(), 256));
            assertEquals(1, e.getMessage().lines().count());
        }
        assertThrows(InputException.class, () -> report(List.of(row("a", "b", "c")), Optional.empty(), Optional.of(folder),
                256));
        assertEquals(earlier, Files.readString(folder.resolve("page.html")));
    }

    @Test
    void histogramsReachToTheLimitAndShowWhatIsBeyond() {
        Lengths lengths = new Lengths();
        for (int i = 0; i < 1000; i++) lengths.add(i % 100);
        lengths.add(100_000);
        Lengths.Bar[] bars = lengths.histogram(128);
        assertEquals(5, bars[0].to());
        assertEquals(50, bars[0].count());
        assertEquals(new Lengths.Bar(145, Integer.MAX_VALUE, 1), bars[bars.length - 1]);
        assertEquals(1, lengths.beyond(128));
        assertEquals(100_000 - 128, lengths.cut(128));
        assertEquals(50, lengths.percentile(0.5));
    }

    @Test
    void wordsAreCounted() {
        WordFacts facts = WordFacts.of("The cat's table. Naïve readers, 3 of them!");
        assertEquals(8, facts.words());
        assertEquals(2, facts.sentences());
        assertEquals(1 + 1 + 2 + 1 + 2 + 1 + 1 + 1, facts.syllables());
        assertEquals(1, facts.nonAscii());
        assertEquals(42, facts.chars());
        WordFacts windows = WordFacts.of("a b c d e ".repeat(25));
        assertEquals(2, windows.windows());
        assertEquals(10, windows.distinct());
    }
}
