package dev.gale.train.data.read;

import dev.gale.tensor.InputException;
import java.io.BufferedInputStream;
import java.io.Closeable;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Enumeration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.zip.ZipEntry;
import java.util.zip.ZipException;
import java.util.zip.ZipFile;

/// A file of rows: a file, perhaps packed with gzip or zstd, or an entry of a zip archive.
///
/// @param path  the file
/// @param entry name in the archive, empty for a file that is none
record DataFile(Path path, Optional<String> entry) {
    private static final int MOST_ENTRIES = 10_000;
    private static final List<String> ENDINGS = List.of(".json", ".jsonl", ".ndjson", ".csv", ".tsv", ".txt", ".parquet",
            ".arrow");

    /// How the rows of a file are written down.
    enum Kind {
        JSON, CSV, TSV, TEXT, PARQUET, ARROW;

        /// What a name says, without the ending of a packed file.
        static Kind of(String name) {
            String plain = Packing.plainName(name);
            return plain.endsWith(".parquet") ? PARQUET : plain.endsWith(".arrow") ? ARROW : plain.endsWith(".csv") ? CSV
                    : plain.endsWith(".tsv") ? TSV : plain.endsWith(".txt") ? TEXT : JSON;
        }
    }

    /// A file, or those that an archive holds.
    ///
    /// Throws InputException when it is missing, or an archive without data.
    static List<DataFile> of(Path path) {
        if (!Files.isRegularFile(path)) {
            throw new InputException(("the dataset %s does not exist; give the path of a JSON, JSONL, CSV, Parquet, Arrow "
                    + "or text file, or of a folder of them")
                    .formatted(path));
        }
        DataFile file = new DataFile(path, Optional.empty());
        return file.startsWith('P', 'K', 3, 4) ? entries(path) : List.of(file);
    }

    private static List<DataFile> entries(Path path) {
        List<DataFile> files = new ArrayList<>();
        try (ZipFile zip = new ZipFile(path.toFile())) {
            if (zip.size() > MOST_ENTRIES) {
                throw new InputException("%s has %d entries; unpack it and give the folder".formatted(path, zip.size()));
            }
            Enumeration<? extends ZipEntry> entries = zip.entries();
            while (entries.hasMoreElements()) {
                String name = entries.nextElement().getName();
                String last = name.substring(name.lastIndexOf('/') + 1);
                boolean data = hasRows(last) && !DatasetFolder.NO_DATA.contains(last);
                if (last.startsWith(".") || name.startsWith("__MACOSX/") || !data) continue;
                files.add(new DataFile(path, Optional.of(name)));
            }
        } catch (IOException e) {
            throw new InputException("%s is a broken zip archive (%s); make or download it again"
                    .formatted(path, e.getMessage()), e);
        }
        if (files.isEmpty()) throw new InputException("%s has no JSON, JSONL, CSV, Parquet, Arrow or text file in it"
                .formatted(path));
        return files.stream().sorted((a, b) -> a.entry.get().compareTo(b.entry.get())).toList();
    }

    /// Whether a file of this name may hold rows.
    static boolean hasRows(String name) {
        String plain = Packing.plainName(name);
        return ENDINGS.stream().anyMatch(plain::endsWith);
    }

    /// What the name says, or, where it says nothing, the first bytes.
    Kind kind() {
        String name = Packing.plainName(entry.orElse(path.toString()));
        if (startsWith('P', 'A', 'R', '1')) return Kind.PARQUET;
        return startsWith('A', 'R', 'R', 'O', 'W', '1') ? Kind.ARROW : Kind.of(name);
    }

    private boolean startsWith(int... bytes) {
        try (InputStream in = bytes()) {
            for (int expected : bytes) {
                if (in.read() != expected) return false;
            }
            return true;
        } catch (IOException e) {
            throw unreadable(e);
        }
    }

    /// The bytes, unpacked; within bounds where they were packed.
    InputStream bytes() throws IOException {
        if (entry.isPresent()) return inArchive();
        BufferedInputStream in = new BufferedInputStream(Files.newInputStream(path), 1 << 16);
        try {
            Packing packing = Packing.of(in);
            if (packing == Packing.NONE) return in;
            return buffered(new UnpackedBytes(packing.unpacked(in), toString(), Files.size(path)));
        } catch (IOException | RuntimeException e) {
            in.close();
            throw e;
        }
    }

    private InputStream inArchive() throws IOException {
        ZipFile zip = new ZipFile(path.toFile());
        try {
            ZipEntry found = zip.getEntry(entry.get());
            if (found == null) throw new ZipException("no entry " + entry.get());
            InputStream in = buffered(zip.getInputStream(found));
            InputStream unpacked = new UnpackedBytes(Packing.of(in).unpacked(in), toString(),
                    Math.max(1, found.getCompressedSize()));
            return new BufferedInputStream(unpacked, 1 << 16) {
                @Override
                public void close() throws IOException {
                    super.close();
                    zip.close();
                }
            };
        } catch (IOException | RuntimeException e) {
            zip.close();
            throw e;
        }
    }

    private static InputStream buffered(InputStream in) {
        return new BufferedInputStream(in, 1 << 16);
    }

    /// The bytes as text.
    TextBytes text() throws IOException {
        InputStream in = bytes();
        try {
            return TextBytes.open(in, toString());
        } catch (IOException | RuntimeException e) {
            in.close();
            throw e;
        }
    }

    /// Whether the file itself holds the rows, so that others can read it by its path.
    boolean isPlain() {
        if (entry.isPresent()) return false;
        try (InputStream in = buffered(Files.newInputStream(path))) {
            return Packing.of(in) == Packing.NONE;
        } catch (IOException e) {
            throw unreadable(e);
        }
    }

    InputException unreadable(IOException e) {
        return new InputException("%s cannot be read (%s)".formatted(this, e.getMessage() == null ? e : e.getMessage()), e);
    }

    void close(Closeable in) {
        try {
            in.close();
        } catch (IOException e) {
            throw unreadable(e);
        }
    }

    @Override
    public String toString() {
        return entry.map(name -> path + "!" + name).orElse(path.toString());
    }
}
