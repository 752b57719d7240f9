package dev.gale.bench.operation;

/// An operation of the contract on operands of a certain size.
///
/// @param name     the operation, after a colon which of several, e.g. `linearForward:down`
/// @param operands their sizes, for people
/// @param prepare  makes the operands and what calls the operation once
record OperationCase(String name, String operands, Preparation prepare) {

    /// Makes operands and what is called again and again.
    @FunctionalInterface
    interface Preparation {
        Runnable on(Operands operands);
    }
}
