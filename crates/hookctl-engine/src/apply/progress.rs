//! Events of an apply in progress.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::report::Outcome;
use hookctl_core::plan::PlannedAction;
use hookctl_core::webhook::Key;

/// An event of an apply.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum ApplyEvent<'a> {
    /// The apply begins.
    Started {
        /// The number of actions.
        actions: usize,
    },
    /// The run waits for earlier requests that may still take effect.
    Waiting {
        /// The keys of those requests.
        keys: &'a BTreeSet<Key>,
        /// How long they may still take effect.
        remaining: Duration,
    },
    /// An action ended.
    Ended {
        /// The planned action.
        planned: &'a PlannedAction,
        /// Its outcome.
        outcome: &'a Outcome,
    },
}

/// A listener for events, such as a progress bar or a log.
pub trait Listener: Send + Sync {
    /// Handles an event.
    fn on(&self, event: ApplyEvent<'_>);
}

/// A listener that ignores events.
#[derive(Clone, Copy, Debug, Default)]
pub struct Silent;

impl Listener for Silent {
    fn on(&self, _: ApplyEvent<'_>) {}
}
