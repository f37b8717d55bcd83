//! What an apply tells whoever listens, as it happens.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::report::Outcome;
use hookctl_core::plan::PlannedAction;
use hookctl_core::webhook::Key;

/// One thing that happened.
#[derive(Clone, Copy, Debug)]
pub enum ApplyEvent<'a> {
    /// The apply begins.
    Started {
        /// How many actions there are.
        actions: usize,
    },
    /// Nothing is left to do but to wait for requests that may still take effect.
    Waiting {
        /// The keys of those requests.
        keys: &'a BTreeSet<Key>,
        /// How long they may.
        remaining: Duration,
    },
    /// An action ended.
    Ended {
        /// What was planned.
        planned: &'a PlannedAction,
        /// How it ended.
        outcome: &'a Outcome,
    },
}

/// Somebody who listens: a progress bar, a log, a test.
pub trait Listener: Send + Sync {
    /// Takes note of an event.
    fn on(&self, event: ApplyEvent<'_>);
}

/// Nobody listens.
#[derive(Clone, Copy, Debug, Default)]
pub struct Silent;

impl Listener for Silent {
    fn on(&self, _: ApplyEvent<'_>) {}
}
