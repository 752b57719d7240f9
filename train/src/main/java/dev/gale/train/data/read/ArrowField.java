package dev.gale.train.data.read;

import dev.gale.tensor.InputException;
import java.util.ArrayList;
import java.util.List;

/// A column of an Arrow file, or a part of one.
///
/// Source: Apache Arrow, `format/Schema.fbs`.
///
/// @param kind     what its values are
/// @param width    bits of a number, bytes of an offset, elements of each list, or ticks of a second
/// @param children fields of a struct, or the elements of a list
record ArrowField(String name, Kind kind, int width, List<ArrowField> children) {
    private static final int DEEPEST = 64;
    private static final int MOST = 10_000;
    private static final int[] TICKS = {1, 1000, 1_000_000, 1_000_000_000};

    /// What rows may hold.
    enum Kind { NULL, BOOL, SIGNED, UNSIGNED, FLOAT, TEXT, LIST, FIXED_LIST, STRUCT, DATE, TIME }

    private static final List<String> TYPES = List.of("none", "null", "int", "float", "binary", "text", "bool",
            "decimal", "date", "time of day", "timestamp", "interval", "list", "struct", "union", "fixed-size binary",
            "fixed-size list", "map", "duration", "large binary", "large text", "large list", "run-end encoded", "binary view",
            "text view", "list view", "large list view");

    /// The columns of a schema.
    ///
    /// @param file for messages
    ///
    /// Throws InputException for what is not read.
    static List<ArrowField> of(FlatTable schema, DataFile file) {
        if (schema.shortAt(0, 0) != 0) throw refused(file, "the byte order of another machine");
        return new Reader(file).fields(schema, 1, "", 0);
    }

    /// Whether each of its values takes bytes of a batch.
    boolean takesBytes() {
        return switch (kind) {
            case NULL -> false;
            case STRUCT -> children.stream().anyMatch(ArrowField::takesBytes);
            case FIXED_LIST -> width > 0 && children.getFirst().takesBytes();
            default -> true;
        };
    }

    static InputException refused(DataFile file, String what) {
        return new InputException("%s has %s, which is not read; write it with to_parquet or to_json of Hugging Face's datasets"
                .formatted(file, what));
    }

    private static final class Reader {
        private final DataFile file;
        private int count;

        Reader(DataFile file) {
            this.file = file;
        }

        List<ArrowField> fields(FlatTable parent, int list, String path, int depth) {
            List<ArrowField> fields = new ArrayList<>();
            for (int i = 0; i < parent.count(list); i++) {
                if (depth > DEEPEST || ++count > MOST) throw refused(file, "too many columns or levels in them");
                fields.add(field(parent.table(list, i), path, depth));
            }
            return List.copyOf(fields);
        }

        private ArrowField field(FlatTable field, String path, int depth) {
            String name = field.text(0);
            String whole = path.isEmpty() ? name : path + "." + name;
            if (field.has(4)) throw refused(file, "a dictionary in column '%s'".formatted(whole));
            int type = field.byteAt(2);
            FlatTable form = field.table(3);
            Kind kind = switch (type) {
                case 1 -> Kind.NULL;
                case 2 -> form.byteAt(1) != 0 ? Kind.SIGNED : Kind.UNSIGNED;
                case 3 -> Kind.FLOAT;
                case 5, 20 -> Kind.TEXT;
                case 6 -> Kind.BOOL;
                case 8 -> Kind.DATE;
                case 10 -> Kind.TIME;
                case 12, 21 -> Kind.LIST;
                case 13 -> Kind.STRUCT;
                case 16 -> Kind.FIXED_LIST;
                default -> throw refused(file, "the type %s in column '%s'".formatted(
                        type > 0 && type < TYPES.size() ? TYPES.get(type) : type, whole));
            };
            int width = switch (type) {
                case 2, 16 -> form.intAt(0);
                case 3 -> 16 << form.shortAt(0, 0);
                case 5, 12 -> 4;
                case 8 -> form.shortAt(0, 1) == 0 ? 32 : 64;
                case 10 -> TICKS[form.shortAt(0, 0)];
                default -> 8;
            };
            List<ArrowField> children = fields(field, 5, whole, depth + 1);
            if ((kind == Kind.LIST || kind == Kind.FIXED_LIST) && children.size() != 1)
                throw new IndexOutOfBoundsException(whole);
            return new ArrowField(name, kind, width, children);
        }
    }
}
