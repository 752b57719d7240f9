package dev.gale.train.demo;

import java.util.List;
import java.util.Random;

/// The vocabulary of the demo's little world.
final class Words {
    static final List<String> FIRST_NAMES = split("""
            Anna Ben Clara David Elena Felix Greta Hugo Irene Jonas Karin Leo Maria Nils Olga Paul Rosa Simon Tessa Victor
            Amara Bruno Celia Dario Edith Farid Gemma Hassan Ines Jamal Kira Liam Mona Nadia Oscar Petra Quentin Rafael
            Sofia Tomas Uma Vera Walter Yara Zeno Alice Boris Carmen Dennis Emma Fiona George Helen Ivan Julia Kevin Laura
            Martin Nora Otto Pia Robert Sara Theo Ursula Vincent Wanda Xavier Yusuf Zoe""");
    static final List<String> LAST_NAMES = split("""
            Adler Becker Conti Dahl Evans Fischer Garcia Hansen Ito Jensen Keller Lopez Meyer Novak Olsen Peters Quinn Rossi
            Silva Torres Ueda Vogel Weber Young Zimmer Abel Bauer Castro Duval Ernst Falk Graf Huber Ibsen Jung Kowalski
            Lang Moreau Nilsson Ortiz Patel Reed Santos Tanaka Urban Vidal Walsh Yilmaz Zeller Brandt Costa Doyle Farkas
            Gruber Haas Kim Lund Marino Nagy Parker Ramos Stone Wagner""");
    static final List<String> CITIES = split("""
            Lisbon Oslo Vienna Madrid Berlin Paris Rome Dublin Prague Athens Warsaw Zurich Geneva Munich Hamburg Milan Turin
            Porto Seville Bilbao Lyon Nice Bergen Malmo Tampere Riga Vilnius Tallinn Krakow Graz Basel Bonn Leeds York Bristol
            Cork Galway Ghent Bruges Utrecht Delft Aarhus Odense Split Zagreb Sofia Varna Cluj Kyoto Osaka Boston Denver Austin
            Seattle Toronto Quebec Lima Quito Bogota Havana""");
    /// Singular and plural.
    static final List<String[]> ITEMS = split("""
            lamp/lamps chair/chairs table/tables book/books pencil/pencils bottle/bottles basket/baskets blanket/blankets
            candle/candles carpet/carpets clock/clocks cup/cups mirror/mirrors pillow/pillows plate/plates vase/vases
            knife/knives shelf/shelves brush/brushes box/boxes dish/dishes glass/glasses bench/benches watch/watches
            battery/batteries diary/diaries apple/apples melon/melons lemon/lemons cherry/cherries ticket/tickets
            stamp/stamps jacket/jackets scarf/scarves glove/gloves button/buttons ladder/ladders hammer/hammers rope/ropes
            bucket/buckets kettle/kettles spoon/spoons""").stream().map(pair -> pair.split("/")).toList();
    static final List<String> NUMBERS = split("""
            zero one two three four five six seven eight nine ten eleven twelve""");
    static final List<String> DAYS = split("Monday Tuesday Wednesday Thursday Friday Saturday Sunday");
    static final List<String> COLORS = split("red blue green yellow black white brown grey orange purple");

    /// Words to spell.
    static final List<String> COMMON = split("""
            name city item quantity day date time week month year person people place street number amount price total
            value key field label title text word letter line page list order customer address email phone country
            answer question result status note message user id type kind size count unit""");

    private Words() {}

    private static List<String> split(String text) {
        return List.of(text.strip().split("\\s+"));
    }

    static <T> T pick(Random random, List<T> from) {
        return from.get(random.nextInt(from.size()));
    }
}
