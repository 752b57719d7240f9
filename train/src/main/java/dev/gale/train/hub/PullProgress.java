package dev.gale.train.hub;

/// Hears how a download goes on; called from several threads.
public interface PullProgress {
    /// Hears nothing.
    PullProgress NONE = new PullProgress() {};

    /// What there is to do.
    ///
    /// @param files   number of files that are not in the cache yet
    /// @param bytes   their size together
    /// @param present files of the revision that are in the cache already
    default void begin(int files, long bytes, int present) {}

    /// More bytes have arrived.
    default void received(long bytes) {}

    /// A file is whole and checked.
    default void finished(String path, long bytes) {}

    /// An attempt failed and there will be another one.
    default void retried(String what, String problem) {}
}
