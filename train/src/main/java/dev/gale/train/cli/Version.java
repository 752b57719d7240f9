package dev.gale.train.cli;

import picocli.CommandLine.IVersionProvider;

/// `gale 0.1.0 (1a2b3c4), JDK 25.0.1 (vendor)`: the version and commit come from the jar's manifest.
final class Version implements IVersionProvider {
    @Override
    public String[] getVersion() {
        String version = Version.class.getPackage().getImplementationVersion();
        return new String[] {"gale %s, JDK %s (%s)".formatted(version == null ? "(not packaged)" : version,
                Runtime.version().toString(), System.getProperty("java.vendor"))};
    }
}
