package dev.gale.train.data.clean;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.gale.tensor.InputException;
import dev.gale.train.data.read.RawRow;
import dev.gale.train.data.read.RawRows;
import dev.gale.train.data.read.ReadOptions;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.Comparator;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.TreeMap;
import java.util.stream.IntStream;

/// Divides the rows of a file into `train.jsonl`, `test.jsonl` and perhaps `validation.jsonl`. Rows that belong together, by
/// equal or nearly equal texts or by the same value of a column, come into one part; so a part may miss its size by such a
/// group. Rows keep order and bytes.
public final class Splitter {
    private static final int CHUNK = 2048;
    private static final List<String> PARTS = List.of("train", "test", "validation");

    private final SplitOptions options;
    private final List<String> strata = new ArrayList<>();
    private final LongList times = new LongList();

    /// @param options how to divide
    public Splitter(SplitOptions options) {
        this.options = options;
    }

    /// What came into the parts.
    ///
    /// @param rows     by part
    /// @param together rows that are in a group of several
    /// @param strata   with `stratify`: rows by part and value
    public record Summary(Map<String, Long> rows, long together, Map<String, Map<String, Long>> strata) {}

    /// Rows that stay together.
    private static final class Atom {
        private final List<Integer> rows = new ArrayList<>();
        private long time = Long.MAX_VALUE;
    }

    /// Divides the rows of a file or folder.
    ///
    /// @param folder where the parts go; none of them may be there
    ///
    /// Throws InputException when a row is malformed or lacks a column that is named, a time cannot be read, a part is there
    /// already, or nothing would be left to train on.
    public Summary run(ReadOptions input, Path folder) {
        List<String> parts = options.validationSize() > 0 ? PARTS : PARTS.subList(0, 2);
        for (String part : parts) RowFile.requireNew(folder.resolve(part + ".jsonl"));
        List<Atom> atoms = atoms(groups(input));
        int rows = atoms.stream().mapToInt(atom -> atom.rows.size()).sum();
        byte[] part = new byte[rows];
        int test = count(options.testSize(), rows, "--test-size");
        int validation = options.validationSize() == 0 ? 0 : count(options.validationSize(), rows, "--validation-size");
        if (test + validation >= rows) {
            throw new InputException("%s has %d rows: --test-size and --validation-size leave none to train on"
                    .formatted(input.path(), rows));
        }
        choose(atoms, part, 1, test, rows);
        choose(atoms, part, 2, validation, rows);
        if (IntStream.range(0, rows).noneMatch(i -> part[i] == 0)) {
            throw new InputException(("the rows of %s belong together so much that none are left to train on: raise "
                    + "--near-duplicates, or take another column for --by-group")
                    .formatted(input.path()));
        }
        return write(input, folder, parts, part, atoms);
    }

    private static int count(double size, int rows, String name) {
        int count = (int) (size < 1 ? Math.round(size * rows) : size);
        if (count == 0) throw new InputException("%s %s of %d rows is none: give a larger share".formatted(name, size, rows));
        return count;
    }

    /// Reads the file once; for each row the first of those that belong with it.
    private Groups groups(ReadOptions input) {
        Groups groups = new Groups();
        ExactDuplicates exact = new ExactDuplicates();
        Map<String, Integer> byValue = new HashMap<>();
        try (RawRows source = RawRows.open(input);
             NearDuplicates near = options.nearDuplicates() == 0 ? null : new NearDuplicates(options.nearDuplicates())) {
            for (List<RawRow> rows = source.next(CHUNK); !rows.isEmpty(); rows = source.next(CHUNK)) {
                for (Row row : rows.parallelStream().map(raw -> read(raw, near)).toList()) {
                    int number = groups.add();
                    int same = exact.firstOrAdd(row.key, number);
                    if (same >= 0) groups.join(same, number);
                    if (row.group != null) {
                        Integer first = byValue.putIfAbsent(row.group, number);
                        if (first != null) groups.join(first, number);
                    }
                    if (row.stratum != null) strata.add(row.stratum);
                    times.add(row.time);
                    if (near != null) near.add(row.sketch);
                }
            }
            if (near != null) {
                int[] firsts = near.find();
                for (int i = 0; i < firsts.length; i++) groups.join(firsts[i], i);
            }
        }
        if (groups.size() == 0) throw new InputException("the dataset %s is empty; it needs at least one row"
                .formatted(input.path()));
        return groups;
    }

    private record Row(TextKey key, NearDuplicates.Sketch sketch, String group, String stratum, long time) {}

    private Row read(RawRow raw, NearDuplicates near) {
        ObjectNode values = raw.values();
        String text = RowText.of(values, options.columns()).text();
        return new Row(TextKey.of(text), near == null ? null : near.sketch(text),
                options.byGroup().map(column -> value(raw, values, column).toString()).orElse(null),
                options.stratify().map(column -> value(raw, values, column).asText()).orElse(null),
                options.byTime().map(column -> RowTime.of(value(raw, values, column), raw.place(), column)).orElse(0L));
    }

    private static JsonNode value(RawRow raw, ObjectNode values, String column) {
        if (values.has(column)) return values.get(column);
        List<String> names = new ArrayList<>();
        values.fieldNames().forEachRemaining(names::add);
        throw new InputException("%s has no column '%s'; it has: %s".formatted(raw.place(), column, String.join(", ", names)));
    }

    /// In the order in which they are chosen: shuffled, or the newest first. An atom is as old as its oldest row, so that
    /// nothing older than the test begins is tested on.
    private List<Atom> atoms(Groups groups) {
        Map<Integer, Atom> byFirst = new LinkedHashMap<>();
        for (int i = 0; i < groups.size(); i++) {
            Atom atom = byFirst.computeIfAbsent(groups.first(i), first -> new Atom());
            atom.rows.add(i);
            atom.time = Math.min(atom.time, times.get(i));
        }
        List<Atom> atoms = new ArrayList<>(byFirst.values());
        Collections.shuffle(atoms, new Random(options.seed()));
        if (options.byTime().isPresent()) atoms.sort(Comparator.comparingLong((Atom atom) -> atom.time).reversed());
        return atoms;
    }

    /// Gives atoms that are still to be trained on to another part, until it has its size, in each stratum its share of it.
    private void choose(List<Atom> atoms, byte[] part, int which, int wanted, int rows) {
        if (wanted == 0) return;
        Map<String, int[]> sizes = new TreeMap<>();
        for (int i = 0; i < rows; i++) sizes.computeIfAbsent(stratum(i), s -> new int[1])[0]++;
        Map<String, Integer> open = shares(sizes, wanted, rows);
        for (Atom atom : atoms) {
            if (part[atom.rows.getFirst()] != 0) continue;
            int size = atom.rows.size();
            int left = open.get(stratum(atom.rows.getFirst()));
            if (left <= 0 || size > 1 && size > 2 * left) continue;
            for (int row : atom.rows) {
                part[row] = (byte) which;
                open.merge(stratum(row), -1, Integer::sum);
            }
        }
    }

    private String stratum(int row) {
        return strata.isEmpty() ? "" : strata.get(row);
    }

    /// Rows for each stratum that add up to what is wanted: rounded down, and the rest to the largest remainders.
    private static Map<String, Integer> shares(Map<String, int[]> sizes, int wanted, int rows) {
        Map<String, Integer> shares = new HashMap<>();
        Map<String, Double> remainders = new HashMap<>();
        int given = 0;
        for (Map.Entry<String, int[]> stratum : sizes.entrySet()) {
            double share = (double) wanted * stratum.getValue()[0] / rows;
            shares.put(stratum.getKey(), (int) share);
            remainders.put(stratum.getKey(), share - (int) share);
            given += (int) share;
        }
        List<String> most = new ArrayList<>(sizes.keySet());
        most.sort(Comparator.comparingDouble(name -> -remainders.get(name)));
        for (int i = 0; i < wanted - given; i++) shares.merge(most.get(i % most.size()), 1, Integer::sum);
        return shares;
    }

    private Summary write(ReadOptions input, Path folder, List<String> parts, byte[] part, List<Atom> atoms) {
        Map<String, Long> rows = new LinkedHashMap<>();
        Map<String, Map<String, Long>> byStratum = new TreeMap<>();
        List<RowFile> files = new ArrayList<>();
        try (RawRows source = RawRows.open(input)) {
            for (String name : parts) files.add(new RowFile(folder.resolve(name + ".jsonl")));
            int number = 0;
            for (List<RawRow> chunk = source.next(CHUNK); !chunk.isEmpty(); chunk = source.next(CHUNK)) {
                for (RawRow row : chunk) {
                    files.get(part[number]).add(row.json());
                    if (!strata.isEmpty()) {
                        byStratum.computeIfAbsent(strata.get(number), s -> new LinkedHashMap<>())
                                .merge(parts.get(part[number]), 1L, Long::sum);
                    }
                    number++;
                }
            }
            for (int i = 0; i < parts.size(); i++) rows.put(parts.get(i), files.get(i).rows());
            files.forEach(RowFile::finish);
        } finally {
            files.forEach(RowFile::close);
        }
        long together = atoms.stream().mapToLong(atom -> atom.rows.size()).filter(size -> size > 1).sum();
        return new Summary(rows, together, byStratum);
    }
}
