package dev.gale.train.data.read;

import java.io.IOException;
import java.util.Optional;

/// Opens files as the kinds of tables that they are.
final class Tables {
    private Tables() {}

    /// The rows that meet the condition of the options, if they have one.
    static TableReader open(DataFile file, ReadOptions options) throws IOException {
        if (file.kind() == DataFile.Kind.PARQUET) return new ParquetTable(file, options.where());
        if (options.where().isEmpty()) return whole(file, options.sampleBy());
        return FilteredTable.open(file, options.where().get(), () -> whole(file, options.sampleBy()));
    }

    private static TableReader whole(DataFile file, SampleBy sampleBy) throws IOException {
        return switch (file.kind()) {
            case JSON -> JsonTable.open(file);
            case CSV -> new CsvTable(file, ',');
            case TSV -> new CsvTable(file, '\t');
            case TEXT -> new TextTable(file, sampleBy);
            case ARROW -> new ArrowTable(file);
            case PARQUET -> new ParquetTable(file, Optional.empty());
        };
    }

    /// Number of rows, whatever the condition.
    static long count(DataFile file, SampleBy sampleBy) {
        try {
            if (file.kind() == DataFile.Kind.PARQUET) return ParquetTable.count(file);
            if (file.kind() == DataFile.Kind.ARROW) return ArrowTable.count(file);
            try (TableReader table = whole(file, sampleBy)) {
                long count = 0;
                while (table.next() != null) count++;
                return count;
            }
        } catch (IOException e) {
            throw file.unreadable(e);
        }
    }
}
