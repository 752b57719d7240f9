package dev.gale.nn;

import dev.gale.tensor.Parameter;
import java.util.List;

/// A projection that stands in the place of another one, and has its path, widths and weights.
public interface WrappedProjection extends Projection {
    /// The one in whose place it stands.
    Projection base();

    @Override
    default String path() {
        return base().path();
    }

    @Override
    default int inFeatures() {
        return base().inFeatures();
    }

    @Override
    default int outFeatures() {
        return base().outFeatures();
    }

    @Override
    default List<Parameter> parameters() {
        return base().parameters();
    }
}
