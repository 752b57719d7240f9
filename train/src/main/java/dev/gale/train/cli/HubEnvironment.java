package dev.gale.train.cli;

import dev.gale.tensor.InputException;
import dev.gale.train.hub.HubSettings;
import dev.gale.train.hub.ModelLocation;
import java.nio.file.Path;
import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.TypeConversionException;

/// What the environment says about the hub. A system property of the same name comes first.
final class HubEnvironment {
    private HubEnvironment() {}

    static HubSettings settings() {
        return HubSettings.of(name -> System.getProperty(name, System.getenv(name)), Path.of(System.getProperty("user.home")));
    }

    /// The folder of a model that is named by its folder, or by `org/name` after `gale pull`.
    static Path model(Path given) {
        return ModelLocation.find(given, settings().cache());
    }

    /// Reads the option that names a model.
    static final class ModelFolder implements ITypeConverter<Path> {
        @Override
        public Path convert(String text) {
            try {
                return model(Path.of(text));
            } catch (InputException e) {
                throw new TypeConversionException(e.getMessage());
            }
        }
    }
}
