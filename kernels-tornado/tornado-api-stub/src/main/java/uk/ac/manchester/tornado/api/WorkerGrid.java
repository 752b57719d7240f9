package uk.ac.manchester.tornado.api;

/// Threads of a launch: global and local extents, x fastest.
public interface WorkerGrid {
    int dimension();

    long[] getGlobalWork();

    /// Extents of a work-group; null lets the device choose.
    long[] getLocalWork();

    long[] getNumberOfWorkgroups();

    long[] getGlobalOffset();

    void setGlobalWork(long x, long y, long z);

    void setLocalWork(long x, long y, long z);

    void setNumberOfWorkgroupsToNull();

    void setLocalWorkToNull();

    void setGlobalOffset(long x, long y, long z);
}
