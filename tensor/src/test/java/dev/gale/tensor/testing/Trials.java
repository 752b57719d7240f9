package dev.gale.tensor.testing;

import dev.gale.tensor.ops.TensorOps;

/// What the parts of `OpsContract` share. An element's bound is `terms * ulp(1)` times the sum of magnitudes that made
/// it: a sum of n terms rounds n - 1 times in any order, and ulp(1) is twice the unit roundoff of F32.
interface Trials {
    double ULP = Math.ulp(1f);

    TensorOps freshOps();

    /// Whether ids and targets are looked at before the work is handed to a device.
    default boolean seesIds() {
        return true;
    }

    /// Whether products may be written in F16.
    default boolean makesHalves() {
        return true;
    }

    default void assertExact(Trial trial) {
        Trial.Outputs want = trial.reference();
        Trial.Outputs got = trial.runTwice(this::freshOps);
        want.byName().forEach((name, values) -> TensorAssert.assertEqual(name, values, got.get(name)));
    }

    /// For sums of products: every output within `terms * ulp` of its sum of magnitudes.
    default void assertSums(Trial trial, int terms) {
        Trial.Outputs want = trial.reference();
        Trial.Outputs magnitudes = trial.ofMagnitudes().reference();
        Trial.Outputs got = trial.runTwice(this::freshOps);
        want.byName().forEach((name, values) ->
                TensorAssert.assertClose(name, values, got.get(name), times(terms * ULP, magnitudes.get(name))));
    }

    default Comparison compare(Trial trial) {
        return new Comparison(trial.reference(), trial.runTwice(this::freshOps));
    }

    record Comparison(Trial.Outputs want, Trial.Outputs got) {
        Comparison within(String name, double[] bounds) {
            TensorAssert.assertClose(name, want.get(name), got.get(name), bounds);
            return this;
        }

        /// Relative to the wanted values.
        Comparison relative(String name, double tolerance) {
            return within(name, times(tolerance, want.get(name)));
        }

        Comparison exact(String name) {
            TensorAssert.assertEqual(name, want.get(name), got.get(name));
            return this;
        }
    }

    /// `factor * |value|`, and never less than the smallest normal number, below which F32 has no relative accuracy.
    static double[] times(double factor, float[] values) {
        double[] bounds = new double[values.length];
        for (int i = 0; i < bounds.length; i++) {
            bounds[i] = Math.max(factor * Math.abs((double) values[i]), Float.MIN_NORMAL);
        }
        return bounds;
    }
}
