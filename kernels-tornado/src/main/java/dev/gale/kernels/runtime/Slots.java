package dev.gale.kernels.runtime;

import dev.gale.tensor.DType;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/// Where launches find their offsets in the table of a segment. TornadoVM compiles that place in, so launches of the same code
/// have the same places in all segments: the device's compiler sees each source once, and it takes far longer than TornadoVM.
final class Slots {
    private final Map<Code, List<Integer>> known = new HashMap<>();
    private int end;

    /// What makes the source of a kernel.
    private record Code(String kernel, List<Number> constants, List<DType> dtypes) {}

    /// For each launch, the slot of its first operand.
    int[] of(List<Launch> launches) {
        Map<Code, Integer> taken = new HashMap<>();
        int[] slots = new int[launches.size()];
        for (int i = 0; i < slots.length; i++) {
            Launch launch = launches.get(i);
            Code code = new Code(launch.kernel(), launch.constants(),
                    launch.operands().stream().map(Launch.Operand::dtype).toList());
            int occurrence = taken.merge(code, 1, Integer::sum) - 1;
            List<Integer> places = known.computeIfAbsent(code, key -> new ArrayList<>());
            if (occurrence == places.size()) {
                places.add(end);
                end += launch.operands().size();
            }
            slots[i] = places.get(occurrence);
        }
        return slots;
    }
}
