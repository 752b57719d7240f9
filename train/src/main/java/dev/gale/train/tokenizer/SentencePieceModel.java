package dev.gale.train.tokenizer;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/// What a SentencePiece `tokenizer.model` says: its pieces in the order of their ids, and how text is prepared for them.
///
/// Source: `sentencepiece_model.proto` of google/sentencepiece.
///
/// @param pieces                 pieces by id
/// @param algorithm              how a text is cut into pieces
/// @param byteFallback           characters without a piece become pieces of their bytes
/// @param whitespaceSuffix       blanks mark the end of a word instead of its beginning
/// @param unknown                id of the piece for what has none
/// @param bos                    text of the piece that begins a text, if there is one
/// @param eos                    text of the piece that ends a text, if there is one
/// @param pad                    text of the piece that fills up a batch, if there is one
/// @param charsmap               compiled table of the characters that normalization replaces, perhaps empty
/// @param addDummyPrefix         a blank is put before the text
/// @param removeExtraWhitespaces blanks at both ends are dropped and several in a row are one
/// @param escapeWhitespaces      blanks are written `▁`
record SentencePieceModel(List<Piece> pieces, Algorithm algorithm, boolean byteFallback, boolean whitespaceSuffix,
                          int unknown, Optional<String> bos, Optional<String> eos, Optional<String> pad, byte[] charsmap,
                          boolean addDummyPrefix, boolean removeExtraWhitespaces, boolean escapeWhitespaces) {

    /// How a text is cut.
    enum Algorithm { UNIGRAM, BPE, WORD, CHAR }

    /// What a piece is for; names as in the file, whose numbers begin at 1.
    enum Type { NORMAL, UNKNOWN, CONTROL, USER_DEFINED, UNUSED, BYTE }

    /// @param text  as it stands in a prepared text
    /// @param score logarithm of its probability, or with BPE the negative of its rank
    /// @param type  what it is for
    record Piece(String text, float score, Type type) {}

    /// Throws IOException when the bytes are no such model.
    static SentencePieceModel parse(byte[] bytes) throws IOException {
        Builder model = new Builder();
        ProtobufReader in = new ProtobufReader(ByteBuffer.wrap(bytes));
        for (int field = in.next(); field != 0; field = in.next()) {
            switch (field) {
                case 1 -> model.pieces.add(piece(in.message()));
                case 2 -> model.trainer(in.message());
                case 3 -> model.normalizer(in.message());
                default -> in.skip();
            }
        }
        return model.build();
    }

    private static Piece piece(ProtobufReader in) throws IOException {
        String text = "";
        float score = 0;
        Type type = Type.NORMAL;
        for (int field = in.next(); field != 0; field = in.next()) {
            switch (field) {
                case 1 -> text = in.text();
                case 2 -> score = in.floatValue();
                case 3 -> type = of(Type.values(), in.intValue(), "kind of piece");
                default -> in.skip();
            }
        }
        return new Piece(text, score, type);
    }

    private static <E> E of(E[] values, int number, String what) throws IOException {
        if (number < 1 || number > values.length) throw new IOException("it has an unknown %s, %d".formatted(what, number));
        return values[number - 1];
    }

    /// The file's defaults, and what it says instead.
    private static final class Builder {
        private final List<Piece> pieces = new ArrayList<>();
        private Algorithm algorithm = Algorithm.UNIGRAM;
        private boolean byteFallback;
        private boolean whitespaceSuffix;
        private final int[] ids = {0, 1, 2, -1};
        private byte[] charsmap = {};
        private boolean addDummyPrefix = true;
        private boolean removeExtraWhitespaces = true;
        private boolean escapeWhitespaces = true;

        void trainer(ProtobufReader in) throws IOException {
            for (int field = in.next(); field != 0; field = in.next()) {
                switch (field) {
                    case 3 -> algorithm = of(Algorithm.values(), in.intValue(), "algorithm");
                    case 24 -> whitespaceSuffix = in.boolValue();
                    case 35 -> byteFallback = in.boolValue();
                    case 40, 41, 42, 43 -> ids[field - 40] = in.intValue();
                    default -> in.skip();
                }
            }
        }

        void normalizer(ProtobufReader in) throws IOException {
            for (int field = in.next(); field != 0; field = in.next()) {
                switch (field) {
                    case 2 -> {
                        ByteBuffer table = in.bytes();
                        charsmap = new byte[table.remaining()];
                        table.get(charsmap);
                    }
                    case 3 -> addDummyPrefix = in.boolValue();
                    case 4 -> removeExtraWhitespaces = in.boolValue();
                    case 5 -> escapeWhitespaces = in.boolValue();
                    default -> in.skip();
                }
            }
        }

        private Optional<String> text(int role) {
            int id = ids[role];
            return id < 0 || id >= pieces.size() ? Optional.empty() : Optional.of(pieces.get(id).text());
        }

        SentencePieceModel build() throws IOException {
            if (pieces.isEmpty()) throw new IOException("it has no pieces");
            int unknown = 0;
            while (unknown < pieces.size() && pieces.get(unknown).type() != Type.UNKNOWN) unknown++;
            if (unknown == pieces.size()) throw new IOException("it has no piece for the unknown");
            return new SentencePieceModel(List.copyOf(pieces), algorithm, byteFallback, whitespaceSuffix, unknown, text(1),
                    text(2), text(3), charsmap, addDummyPrefix, removeExtraWhitespaces, escapeWhitespaces);
        }
    }
}
