//! What a function leaves on the stack.

/// Overwrites the part of the stack that the function that was called before used: those of a digest leave copies of its
/// last block there.
#[inline(never)]
pub fn overwrite_stack() {
    std::hint::black_box(&mut [0_u8; 16 * 1024]);
}
