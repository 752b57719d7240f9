package dev.gale.kernels.runtime;

import uk.ac.manchester.tornado.api.WorkerGrid;
import uk.ac.manchester.tornado.api.WorkerGrid2D;

/// How many work-groups of how many threads a kernel runs with, in two dimensions.
record Grid(int groupsX, int groupsY, int threadsX, int threadsY) {

    /// Groups side by side.
    static Grid groups(int groups, int threads) {
        return new Grid(groups, 1, threads, 1);
    }

    /// As many groups of `threads` as n threads need.
    static Grid threads(long n, int threads) {
        return groups(Math.toIntExact(Math.max(1, Math.ceilDiv(n, threads))), threads);
    }

    static Grid tiles(int rows, int cols, int tileRows, int tileCols, int threads) {
        return new Grid(Math.max(1, Math.ceilDiv(cols, tileCols)), Math.max(1, Math.ceilDiv(rows, tileRows)), threads, 1);
    }

    WorkerGrid workers() {
        WorkerGrid2D workers = new WorkerGrid2D(groupsX * threadsX, groupsY * threadsY);
        workers.setLocalWork(threadsX, threadsY, 1);
        return workers;
    }
}
