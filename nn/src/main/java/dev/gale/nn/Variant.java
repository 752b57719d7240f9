package dev.gale.nn;

/// What sets the layers of a family apart from Llama's.
///
/// @param form        how a layer is put together
/// @param multipliers factors and caps
/// @param kinds       in what layers differ from each other
public record Variant(LayerForm form, Multipliers multipliers, LayerKinds kinds) {
    public static final Variant LLAMA = new Variant(LayerForm.LLAMA, Multipliers.NONE, LayerKinds.ALIKE);

    static Variant of(LayerForm form) {
        return new Variant(form, Multipliers.NONE, LayerKinds.ALIKE);
    }

    Variant with(Multipliers multipliers) {
        return new Variant(form, multipliers, kinds);
    }

    Variant with(LayerKinds kinds) {
        return new Variant(form, multipliers, kinds);
    }
}
