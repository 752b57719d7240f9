package dev.gale.tensor.autograd;

import dev.gale.tensor.Tensor;
import dev.gale.tensor.ops.Activation;
import dev.gale.tensor.ops.TensorOps;
import java.util.List;

/// Node of `TensorOps.gluForward`; up may be null.
record Glu(Tensor output, Tensor gate, Tensor up, Activation activation) implements Op {
    @Override
    public List<Tensor> inputs() {
        return up == null ? List.of(gate) : List.of(gate, up);
    }

    @Override
    public List<Tensor> saved(Grads grads) {
        return up == null ? List.of(gate) : List.of(gate, up);
    }

    @Override
    public void forward(TensorOps ops) {
        ops.gluForward(output, gate, up, activation);
    }

    @Override
    public boolean repeatable() {
        return true;
    }

    @Override
    public void backward(TensorOps ops, Tensor dy, Grads grads) {
        if (up == null) {
            Tensor dx = dy.dtype() == gate.dtype() ? dy : grads.like(gate);
            ops.gluBackward(dx, null, dy, gate, null, activation);
            if (dx != dy) ops.release(dy);
            grads.giveIfWanted(gate, dx);
            return;
        }
        Tensor dGate = grads.like(gate);
        ops.gluBackward(dGate, dy, dy, gate, up, activation);     // dy becomes dup in place
        grads.giveIfWanted(gate, dGate);
        grads.giveIfWanted(up, dy);
    }
}
