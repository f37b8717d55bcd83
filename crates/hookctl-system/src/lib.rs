//! What the operating system gives: the clocks of this machine, and files, read in bounded time and memory.
//!
//! It knows nothing of webhooks, and of no file what is in it.

pub mod clock;
pub mod input;
