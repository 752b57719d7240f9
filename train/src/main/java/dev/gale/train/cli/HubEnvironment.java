package dev.gale.train.cli;

import dev.gale.tensor.InputException;
import dev.gale.train.hub.HubLocation;
import dev.gale.train.hub.HubSettings;
import dev.gale.train.hub.RepoId;
import java.nio.file.Path;
import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.TypeConversionException;

/// What the environment says about the hub. A system property of the same name comes first.
final class HubEnvironment {
    private HubEnvironment() {}

    static HubSettings settings() {
        return HubSettings.of(name -> System.getProperty(name, System.getenv(name)), Path.of(System.getProperty("user.home")));
    }

    /// The folder of a model or an adapter that is named by its folder, or by `org/name` after `gale pull`.
    static Path model(Path given) {
        return HubLocation.find(RepoId.Kind.MODEL, given, settings().cache());
    }

    /// The file or folder of rows that are named by it, or by `org/name` after `gale pull --dataset`.
    static Path rows(Path given) {
        return HubLocation.find(RepoId.Kind.DATASET, given, settings().cache());
    }

    /// Reads the option that names a model or an adapter.
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
