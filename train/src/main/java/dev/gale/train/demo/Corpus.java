package dev.gale.train.demo;

import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Random;

/// The text on which the demo's base model is pretrained: short documents about orders, colours and counting, in which
/// facts are said once and taken up again in other words. It knows questions, lists and records, but no JSON answers.
final class Corpus {
    private static final List<String> OPENINGS = List.of("Notes of the day.", "From the shop's diary.", "A short report.",
            "What happened:", "Read this:");

    private final Random random;

    Corpus(long seed) {
        random = new Random(seed);
    }

    /// The next document, one to three paragraphs, without a line of more than a few hundred characters.
    String document() {
        int kind = random.nextInt(20);
        if (kind < 11) return questions();
        if (kind < 15) return records();
        if (kind < 18) return objects();
        return kind < 19 ? counting() : spelling();
    }

    private String questions() {
        Order order = Order.random(random);
        StringBuilder text = new StringBuilder();
        if (random.nextInt(3) == 0) text.append(Words.pick(random, OPENINGS)).append(' ');
        text.append(order.sentence(random));
        List<String> answers = new ArrayList<>(List.of(
                "Who? " + order.name() + ".", "Where? " + order.city() + ".", "What? " + order.item() + ".",
                "How many? " + order.quantity() + ".", "When? " + order.day() + "."));
        Collections.shuffle(answers, random);
        for (String answer : answers) text.append('\n').append(answer);
        return text.toString();
    }

    private String records() {
        Order order = Order.random(random);
        List<String> fields = new ArrayList<>(List.of("customer = " + order.name(), "town = " + order.city(),
                "article = " + order.item(), "pieces = " + order.quantity(), "weekday = " + order.day()));
        Collections.shuffle(fields, random);
        String record = String.join("; ", fields);
        return random.nextBoolean()
                ? order.sentence(random) + "\nRecord: " + record + "."
                : "Record: " + record + ".\n" + order.sentence(random);
    }

    private String objects() {
        StringBuilder text = new StringBuilder();
        for (int i = 0, n = 2 + random.nextInt(3); i < n; i++) {
            String[] item = Words.pick(random, Words.ITEMS);
            String color = Words.pick(random, Words.COLORS);
            String owner = Words.pick(random, Words.FIRST_NAMES) + " " + Words.pick(random, Words.LAST_NAMES);
            String home = Words.pick(random, Words.CITIES);
            text.append("%s of %s has a %s %s. {\"owner\": \"%s\", \"home\": \"%s\", \"thing\": \"%s\", \"color\": \"%s\"}\n"
                    .formatted(owner, home, color, item[0], owner, home, item[0], color));
        }
        return text.toString().strip();
    }

    /// Words that the other documents lack: a token that pretraining never meets cannot be taught by an adapter later.
    private String spelling() {
        StringBuilder text = new StringBuilder();
        for (int i = 0, n = 2 + random.nextInt(4); i < n; i++) {
            String word = Words.pick(random, Words.COMMON);
            text.append("Spell %s: %s. ".formatted(word, String.join(" ", word.split(""))));
        }
        return text.toString().strip();
    }

    private String counting() {
        StringBuilder text = new StringBuilder();
        for (int i = 0, n = 3 + random.nextInt(3); i < n; i++) {
            String[] item = Words.pick(random, Words.ITEMS);
            int count = 2 + random.nextInt(11);
            text.append("%s %s: %d times one %s. ".formatted(Words.NUMBERS.get(count), item[1], count, item[0]));
        }
        return text.toString().strip();
    }
}
