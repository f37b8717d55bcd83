//! Numbers that look random, from a seed.

use std::sync::Mutex;
use std::time::Duration;

/// Numbers that look random, from a seed.
#[derive(Debug)]
pub struct Dice(Mutex<u64>);

impl Dice {
    /// Returns the numbers of a seed.
    pub fn new(seed: u64) -> Self {
        Self(Mutex::new(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1))
    }

    /// Returns the next number below a limit; 0 if the limit is 0.
    pub fn below(&self, limit: u64) -> u64 {
        let mut state = self.0.lock().unwrap();
        *state ^= *state << 13;
        *state ^= *state >> 7;
        *state ^= *state << 17;
        (*state >> 16) % limit.max(1)
    }

    /// Returns a time below a limit in milliseconds.
    pub fn millis(&self, limit: u64) -> Duration {
        Duration::from_millis(self.below(limit))
    }
}
