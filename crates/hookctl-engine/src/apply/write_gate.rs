//! What stands before each send of one write: the stop gate, and the moment in its intent.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::stop_gate::StopGate;
use hookctl_api::{SendGate, Withheld};
use hookctl_core::clock::{Clock, Stamp};
use hookctl_core::record::{Horizon, Intent, Journal, JournalError};

/// Stands before each send of one write.
///
/// A later run counts from the moment in the intent, so no send may come long after it: a write that waited in
/// a queue has its intent written anew before it leaves.
pub(super) struct WriteGate<'a, J> {
    journal: &'a J,
    clock: &'a dyn Clock,
    stop_gate: &'a StopGate,
    horizon: Horizon,
    state: Mutex<State>,
    is_unanswered: AtomicBool,
}

struct State {
    /// As it is in the journal.
    intent: Intent,
    /// The moment of the last send of this run without an answer.
    unanswered: Option<Stamp>,
    /// Why the intent could not be written anew.
    failure: Option<JournalError>,
}

impl<'a, J: Journal> WriteGate<'a, J> {
    /// A gate for a write whose intent is in the journal.
    pub(super) const fn new(
        journal: &'a J,
        clock: &'a dyn Clock,
        stop_gate: &'a StopGate,
        horizon: Horizon,
        intent: Intent,
    ) -> Self {
        Self {
            journal,
            clock,
            stop_gate,
            horizon,
            state: Mutex::new(State {
                intent,
                unanswered: None,
                failure: None,
            }),
            is_unanswered: AtomicBool::new(false),
        }
    }

    /// Whether a send of this run got no answer of the API's own, so that it may still take effect.
    pub(super) fn is_unanswered(&self) -> bool {
        self.is_unanswered.load(Ordering::SeqCst)
    }

    /// Returns what may still take effect once this write is confirmed, the latest first: a send of its own without an
    /// answer, if that matters, and the writes that it replaced.
    pub(super) fn lingering(&self, own_matters: bool) -> Option<Intent> {
        let state = self.lock();
        let own = state.unanswered.clone().map(|sent| Intent {
            sent,
            ..state.intent.clone()
        });
        let now = self.clock.now();
        let all = own.into_iter().filter(|_| own_matters);
        let all = all.chain(state.intent.earlier.iter().cloned());
        Intent::superseded(all.filter(|one| one.is_open(&now, self.horizon)))
    }

    /// Returns why the intent could not be written anew, once.
    pub(super) fn take_failure(&self) -> Option<JournalError> {
        self.lock().failure.take()
    }

    /// Writes the intent anew if its moment is too long ago.
    async fn renew(&self) -> Result<(), JournalError> {
        let now = self.clock.now();
        let renewed = {
            let state = self.lock();
            let age = state.intent.sent.elapsed(&now);
            if age.is_some_and(|age| age <= self.horizon.slack()) {
                return Ok(());
            }
            Intent {
                sent: now,
                ..state.intent.clone()
            }
        };
        self.journal.intend(renewed.clone()).await?;
        self.lock().intent = renewed;
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<J: Journal> SendGate for WriteGate<'_, J> {
    async fn permit(&self) -> Result<(), Withheld> {
        if self.stop_gate.is_stopped() {
            return Err(Withheld);
        }
        if !self.horizon.0.is_zero()
            && let Err(error) = self.renew().await
        {
            self.lock().failure = Some(error);
            return Err(Withheld);
        }
        if self.stop_gate.is_stopped() {
            return Err(Withheld);
        }
        Ok(())
    }

    fn unanswered(&self) {
        self.is_unanswered.store(true, Ordering::SeqCst);
        let mut state = self.lock();
        state.unanswered = Some(state.intent.sent.clone());
    }

    async fn stopped(&self) {
        self.stop_gate.stopped().await;
    }

    async fn abandoned(&self) {
        self.stop_gate.abandoned().await;
    }
}
