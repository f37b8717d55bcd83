//! The limits of one file.

/// The deepest nesting of lists and mappings. Settings need five levels; the limit allows recursion over a tree.
pub const MAX_DEPTH: usize = 64;
/// The most values and keys of a file with every alias followed: ten thousand webhooks of a hundred each. A long text
/// counts as one per 64 bytes. Aliases are not copied, so this limits the time to walk the trees.
pub const MAX_NODES: usize = 1_000_000;
