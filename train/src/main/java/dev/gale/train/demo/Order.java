package dev.gale.train.demo;

import java.util.List;
import java.util.Random;

/// Who ordered what: the fact behind a sentence of the demo.
///
/// @param name     first and last name
/// @param city     where the person lives
/// @param item     what was ordered, singular
/// @param plural   the item's plural
/// @param quantity how many, 2 to 12
/// @param day      a weekday
record Order(String name, String city, String item, String plural, int quantity, String day) {
    private static final List<String> SENTENCES = List.of(
            "{name} from {city} ordered {count} {plural} on {day}.",
            "On {day}, {name} from {city} bought {count} {plural}.",
            "{count} {plural} were sent to {name} in {city} on {day}.",
            "Please send {count} {plural} to {name} in {city} before {day}.",
            "{name}, who lives in {city}, asked for {count} {plural} on {day}.",
            "We got a call from {name} in {city} on {day} about {count} {plural}.",
            "The shop in {city} sold {count} {plural} to {name} on {day}.",
            "Last {day} {name} came from {city} to fetch {count} {plural}.");

    static Order random(Random random) {
        String[] item = Words.pick(random, Words.ITEMS);
        return new Order(Words.pick(random, Words.FIRST_NAMES) + " " + Words.pick(random, Words.LAST_NAMES),
                Words.pick(random, Words.CITIES), item[0], item[1], 2 + random.nextInt(11), Words.pick(random, Words.DAYS));
    }

    /// The fact as an English sentence of one of several forms; the quantity is a word.
    String sentence(Random random) {
        String text = Words.pick(random, SENTENCES).replace("{name}", name).replace("{city}", city)
                .replace("{count}", Words.NUMBERS.get(quantity)).replace("{plural}", plural).replace("{day}", day);
        return Character.toUpperCase(text.charAt(0)) + text.substring(1);
    }

    /// The fact as JSON, the answer that the demo teaches.
    String json() {
        return "{\"name\": \"%s\", \"city\": \"%s\", \"item\": \"%s\", \"quantity\": %d}"
                .formatted(name, city, item, quantity);
    }
}
