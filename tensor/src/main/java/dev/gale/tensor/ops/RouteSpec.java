package dev.gale.tensor.ops;

/// How tokens choose experts.
///
/// @param perToken       k, experts of a token
/// @param normalize      whether the weights of a token's experts are divided by their sum
/// @param scale          factor on the weights
/// @param groups         into how many groups of equal size experts are divided, 1 for none
/// @param groupsPerToken groups, those with the most probable experts, in which a token finds its experts
public record RouteSpec(int perToken, boolean normalize, float scale, int groups, int groupsPerToken) {
    /// Most experts that a token may choose.
    public static final int MOST_PER_TOKEN = 32;

    public RouteSpec {
        if (perToken < 1 || perToken > MOST_PER_TOKEN) {
            throw new IllegalArgumentException("a token has 1 to %d experts, not %d".formatted(MOST_PER_TOKEN, perToken));
        }
        if (groups < 1 || groupsPerToken < 1 || groupsPerToken > groups) {
            throw new IllegalArgumentException("%d of %d groups of experts".formatted(groupsPerToken, groups));
        }
    }

    /// Without groups.
    public RouteSpec(int perToken, boolean normalize, float scale) {
        this(perToken, normalize, scale, 1, 1);
    }
}
