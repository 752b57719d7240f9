package dev.gale.train.data;

import dev.gale.train.SftConfig;
import dev.gale.train.tokenizer.Tokenizer;
import java.util.Map;

/// Turns single rows into what training would make of them, for those who look at data row by row. May be used from several
/// threads.
public final class RowEncoder {
    private final DatasetConfig config;
    private final RowFormat format;
    private final FormatString template;
    private final ExampleEncoder encoder;

    /// @param first a row that shows what the columns of all rows mean
    ///
    /// Throws InputException when it shows nothing, or the format does not have the loss that the options ask for.
    public RowEncoder(Row first, DatasetConfig config, Tokenizer tokenizer, SftConfig options) {
        this.config = config;
        this.format = config.format().orElseGet(() -> RowFormat.of(first, config));
        this.template = config.template().map(FormatString::parse).orElse(null);
        boolean compared = format == RowFormat.PREFERENCE || format == RowFormat.KTO;
        this.encoder = compared ? ExampleEncoder.ofAnswers(tokenizer, config)
                : new ExampleEncoder(tokenizer, format, config, options);
    }

    /// What the columns mean.
    public RowFormat format() {
        return format;
    }

    /// The row as training sees it, at its full length; of a better and a worse answer the better one.
    ///
    /// Throws InputException when it does not have the format.
    public Example encode(Map<String, Object> values, String place) {
        Row row = new Row(values, place);
        return encoder.encode(switch (format) {
            case PREFERENCE -> ComparisonRows.preference(row, config).chosen();
            case KTO -> ComparisonRows.kto(row, config).sample();
            default -> format.sample(row, config, template);
        }, place);
    }
}
