//! How much one file may hold.

/// How deep lists and mappings may be nested. The deepest setting is on the fifth level; small enough
/// that whoever walks a tree may recurse.
pub const MAX_DEPTH: usize = 64;
/// How many values and keys a file may have once every alias is followed: ten thousand webhooks of a
/// hundred each. A long text counts as one for each 64 bytes. Nothing is copied for an alias, so this
/// bounds the time of whoever walks the trees.
pub const MAX_NODES: usize = 1_000_000;
