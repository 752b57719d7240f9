package uk.ac.manchester.tornado.api;

import java.util.List;
import java.util.Set;

/// A finished task graph.
public class ImmutableTaskGraph {
    final String name;
    final List<GraphTask> tasks;
    /// The arrays that are on the device while and after this graph runs.
    final Set<Object> held;
    final List<TaskGraph.Consumed> consumed;

    ImmutableTaskGraph(String name, List<GraphTask> tasks, Set<Object> held, List<TaskGraph.Consumed> consumed) {
        this.name = name;
        this.tasks = tasks;
        this.held = held;
        this.consumed = consumed;
    }

    boolean hasTask(String id) {
        return tasks.stream().anyMatch(task -> task.id().equals(id));
    }
}
