package dev.gale.tensor.ops;

import java.util.List;

/// Operations that can measure each of their kernels. Those of a device do when they are opened while the system property
/// `Profiled.PROPERTY` is `true`; kernels then run one by one, so the time between them means nothing.
public interface Profiled {
    /// System property that turns measuring on.
    String PROPERTY = "gale.profile";

    /// What kernels took since the last call, longest first; nothing when measuring is off.
    List<KernelTime> takeKernelTimes();
}
