//! What keeps further actions from starting.

use std::sync::atomic::{AtomicBool, Ordering};

use tokio_util::sync::CancellationToken;

use crate::plan::Phase;

/// The brake of one apply.
#[derive(Debug)]
pub(super) struct Brake {
    /// Whether nothing new may start.
    stopped: AtomicBool,
    /// Whether a create or an update failed, so that nothing may be deleted.
    subscribers_missing: AtomicBool,
    cancellation: CancellationToken,
}

impl Brake {
    pub(super) const fn new(cancellation: CancellationToken) -> Self {
        Self {
            stopped: AtomicBool::new(false),
            subscribers_missing: AtomicBool::new(false),
            cancellation,
        }
    }

    /// Takes note of a failed action of a phase.
    pub(super) fn failed(&self, phase: Phase, stops_everything: bool) {
        if stops_everything {
            self.stopped.store(true, Ordering::SeqCst);
        }
        if matches!(phase, Phase::Create | Phase::Update) {
            self.subscribers_missing.store(true, Ordering::SeqCst);
        }
    }

    /// Whether a failure stopped everything.
    pub(super) fn is_stopped(&self) -> bool {
        self.stopped.load(Ordering::SeqCst)
    }

    /// Whether an action of a phase may go on to what has an effect.
    pub(super) fn lets_pass(&self, phase: Phase) -> bool {
        let held_back = phase == Phase::Delete && self.subscribers_missing.load(Ordering::SeqCst);
        !self.is_stopped() && !self.cancellation.is_cancelled() && !held_back
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PHASES: [Phase; 4] = [Phase::Create, Phase::Update, Phase::Delete, Phase::Forget];

    fn passing(brake: &Brake) -> Vec<Phase> {
        let passing = PHASES.into_iter().filter(|phase| brake.lets_pass(*phase));
        passing.collect()
    }

    #[test]
    fn a_failed_create_or_update_holds_back_deletes_and_nothing_else() {
        for phase in [Phase::Create, Phase::Update] {
            let brake = Brake::new(CancellationToken::new());
            assert_eq!(passing(&brake), PHASES);
            brake.failed(phase, false);
            assert_eq!(
                passing(&brake),
                [Phase::Create, Phase::Update, Phase::Forget]
            );
        }
        let brake = Brake::new(CancellationToken::new());
        brake.failed(Phase::Delete, false);
        assert_eq!(passing(&brake), PHASES);
    }

    #[test]
    fn a_cancellation_and_a_failure_that_concerns_all_hold_back_everything() {
        let cancellation = CancellationToken::new();
        let brake = Brake::new(cancellation.clone());
        cancellation.cancel();
        assert_eq!(passing(&brake), []);
        assert!(!brake.is_stopped());
        let brake = Brake::new(CancellationToken::new());
        brake.failed(Phase::Delete, true);
        assert_eq!(passing(&brake), []);
        assert!(brake.is_stopped());
    }
}
