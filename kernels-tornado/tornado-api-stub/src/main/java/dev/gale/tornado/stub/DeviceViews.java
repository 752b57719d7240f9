package dev.gale.tornado.stub;

import java.util.function.BiConsumer;
import uk.ac.manchester.tornado.api.types.arrays.TornadoNativeArray;

/// How a plan makes one array a view of the device memory of another, which the arrays' public API does not offer.
public final class DeviceViews {
    private static volatile BiConsumer<TornadoNativeArray, TornadoNativeArray> mapping;

    private DeviceViews() {}

    /// Called by the array types.
    public static void mapping(BiConsumer<TornadoNativeArray, TornadoNativeArray> mapping) {
        DeviceViews.mapping = mapping;
    }

    public static void map(TornadoNativeArray view, TornadoNativeArray onto) {
        mapping.accept(view, onto);
    }
}
