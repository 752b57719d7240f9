package dev.gale.nn;

/// What sets the layers of a family apart from Llama's.
///
/// @param form        how a layer is put together
/// @param multipliers factors and caps
/// @param kinds       in what layers differ from each other
/// @param mixture     experts in the place of MLPs, or null
/// @param latent      attention over keys and values made of one narrow vector, or null
public record Variant(LayerForm form, Multipliers multipliers, LayerKinds kinds, Mixture mixture, LatentAttention latent) {
    public static final Variant LLAMA = new Variant(LayerForm.LLAMA, Multipliers.NONE, LayerKinds.ALIKE, null, null);

    static Variant of(LayerForm form) {
        return new Variant(form, Multipliers.NONE, LayerKinds.ALIKE, null, null);
    }

    Variant with(Multipliers multipliers) {
        return new Variant(form, multipliers, kinds, mixture, latent);
    }

    Variant with(LayerKinds kinds) {
        return new Variant(form, multipliers, kinds, mixture, latent);
    }

    Variant with(Mixture mixture) {
        return new Variant(form, multipliers, kinds, mixture, latent);
    }

    Variant with(LatentAttention latent) {
        return new Variant(form, multipliers, kinds, mixture, latent);
    }
}
