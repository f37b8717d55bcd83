//! Machines in virtual time: each has a clock of its own, can be paused, killed, and cut off, and has a faulty way to one
//! object store.
//!
//! A process of a machine is a [`Life`]. It counts its steps, so that a test can place trouble at each of them.

mod dice;
mod life;
mod link;
mod machine;

pub use dice::Dice;
pub use life::{Life, Trouble};
pub use link::{Fate, Link, LinkEvent, Observer};
pub use machine::Machine;

/// Runs a test on a clock that moves on at once whenever every task waits.
pub fn in_virtual_time<T>(test: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap()
        .block_on(test)
}
