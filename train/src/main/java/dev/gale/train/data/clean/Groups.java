package dev.gale.train.data.clean;

import java.util.Arrays;

/// Things numbered from 0 that are joined to groups; the smallest number of a group names it.
final class Groups {
    private int[] parents = new int[1024];
    private int size;

    /// Adds a thing, alone at first.
    int add() {
        if (size == parents.length) parents = Arrays.copyOf(parents, 2 * size);
        parents[size] = size;
        return size++;
    }

    int size() {
        return size;
    }

    /// The first of the group that `i` is in.
    int first(int i) {
        int root = i;
        while (parents[root] != root) root = parents[root];
        while (parents[i] != root) {
            int next = parents[i];
            parents[i] = root;
            i = next;
        }
        return root;
    }

    /// Makes one group of two.
    void join(int i, int j) {
        int a = first(i);
        int b = first(j);
        parents[Math.max(a, b)] = Math.min(a, b);
    }
}
