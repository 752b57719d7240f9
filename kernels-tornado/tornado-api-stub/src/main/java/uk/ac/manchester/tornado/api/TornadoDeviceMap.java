package uk.ac.manchester.tornado.api;

import java.util.List;
import java.util.function.Predicate;
import java.util.stream.IntStream;
import uk.ac.manchester.tornado.api.runtime.TornadoRuntimeProvider;

/// All backends and devices.
public class TornadoDeviceMap {
    public TornadoDeviceMap() {}

    public int getNumBackends() {
        return getAllBackends().size();
    }

    public List<TornadoBackend> getAllBackends() {
        TornadoRuntime runtime = TornadoRuntimeProvider.getTornadoRuntime();
        return IntStream.range(0, runtime.getNumBackends()).mapToObj(runtime::getBackend).toList();
    }

    public List<TornadoBackend> getBackendsWithPredicate(Predicate<? super TornadoBackend> predicate) {
        return getAllBackends().stream().filter(predicate).toList();
    }
}
