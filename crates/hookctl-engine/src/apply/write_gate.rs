//! Permission for each send of a write: checks the stop gate, and the time of the intent.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::stop_gate::StopGate;
use hookctl_api::{SendGate, Withheld};
use hookctl_core::clock::{Clock, Stamp};
use hookctl_core::record::{Horizon, Intent, Journal, JournalError, SendPermit};

/// How often an intent is renewed before one send.
const RENEWALS: usize = 3;

/// The record took too long to confirm an intent, each time.
#[derive(Debug, thiserror::Error)]
#[error("the record takes more than {} s to confirm a write", Horizon::SLACK.as_secs())]
struct TooSlow;

/// Permits each send of a write.
///
/// Later runs measure the horizon from the time of the intent, so no send may be much later. If a write waited in a queue,
/// its intent is renewed before the send.
pub(super) struct WriteGate<'a, J> {
    journal: &'a J,
    clock: &'a Arc<dyn Clock>,
    stop_gate: &'a StopGate,
    horizon: Horizon,
    state: Mutex<State>,
    is_unanswered: AtomicBool,
    is_lease_lost: AtomicBool,
}

#[derive(Debug)]
struct State {
    /// The intent in the journal.
    intent: Intent,
    /// The time of the last send without a response.
    unanswered: Option<Stamp>,
    /// The error of the last renewal.
    failure: Option<JournalError>,
}

impl<'a, J: Journal> WriteGate<'a, J> {
    /// Creates a gate for a write whose intent is in the journal.
    pub(super) const fn new(
        journal: &'a J,
        clock: &'a Arc<dyn Clock>,
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
            is_lease_lost: AtomicBool::new(false),
        }
    }

    /// Returns whether a send was refused because another writer may take over the record.
    pub(super) fn is_lease_lost(&self) -> bool {
        self.is_lease_lost.load(Ordering::SeqCst)
    }

    /// Returns whether a send got no response of the API itself, so that it may still take effect.
    pub(super) fn is_unanswered(&self) -> bool {
        self.is_unanswered.load(Ordering::SeqCst)
    }

    /// Returns the writes that may still take effect after this one is confirmed, the latest first: its own send without a
    /// response, if `own_matters`, and the writes that it replaced.
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

    /// Takes the error of a failed renewal.
    pub(super) fn take_failure(&self) -> Option<JournalError> {
        self.lock().failure.take()
    }

    /// Renews the intent if its time is too old. The record may take long to confirm it, and the process may be paused
    /// meanwhile, so that the renewed intent is too old as well.
    async fn renew(&self) -> Result<(), JournalError> {
        let mut tolerated = self.horizon.slack();
        for _ in 0..=RENEWALS {
            let now = self.clock.now();
            let renewed = {
                let state = self.lock();
                let age = state.intent.sent.elapsed(&now);
                if age.is_some_and(|age| age <= tolerated) {
                    return Ok(());
                }
                Intent {
                    sent: now,
                    ..state.intent.clone()
                }
            };
            self.journal.intend(renewed.clone()).await?;
            self.lock().intent = renewed;
            // A horizon that is shorter than this promises nothing of a slow record.
            tolerated = Horizon::SLACK;
        }
        Err(JournalError {
            key: self.lock().intent.key.clone(),
            source: Box::new(TooSlow),
        })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<J: Journal> SendGate for WriteGate<'_, J> {
    async fn permit(&self) -> Result<SendPermit, Withheld> {
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
        // Last, because everything before it may wait.
        let of_writer = self.journal.send_permit();
        if !of_writer.holds() {
            self.is_lease_lost.store(true, Ordering::SeqCst);
            return Err(Withheld);
        }
        if self.horizon.0.is_zero() {
            return Ok(of_writer);
        }
        let (clock, given) = (Arc::clone(self.clock), self.clock.now());
        Ok(SendPermit::new(move || {
            // The connection may have to be made first, for which the horizon has room.
            let age = given.elapsed(&clock.now());
            age.is_some_and(|age| age <= Horizon::CONNECT) && of_writer.holds()
        }))
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
