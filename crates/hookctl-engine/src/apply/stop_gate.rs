//! The stop gate: prevents further actions and requests after a failure or a cancellation.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use hookctl_core::plan::Phase;

/// The stop gate of one apply.
#[derive(Debug)]
pub(super) struct StopGate {
    /// Cancelled once nothing may be sent any more, by a failure or with the run.
    stopped: CancellationToken,
    /// Whether a create or an update failed, so nothing may be deleted.
    subscribers_missing: AtomicBool,
    /// The cancellation of the run.
    cancellation: CancellationToken,
    /// How long to wait for requests in flight after a cancellation.
    grace: Duration,
}

impl StopGate {
    pub(super) fn new(cancellation: CancellationToken, grace: Duration) -> Self {
        Self {
            stopped: cancellation.child_token(),
            subscribers_missing: AtomicBool::new(false),
            cancellation,
            grace,
        }
    }

    /// Records a failed action of a phase.
    pub(super) fn failed(&self, phase: Phase, stops_everything: bool) {
        if stops_everything {
            self.stopped.cancel();
        }
        if matches!(phase, Phase::Create | Phase::Update) {
            self.subscribers_missing.store(true, Ordering::SeqCst);
        }
    }

    /// Returns whether nothing may be sent any more.
    pub(super) fn is_stopped(&self) -> bool {
        self.stopped.is_cancelled()
    }

    /// Returns whether an action of a phase may send its request.
    pub(super) fn lets_pass(&self, phase: Phase) -> bool {
        let held_back = phase == Phase::Delete && self.subscribers_missing.load(Ordering::SeqCst);
        !self.is_stopped() && !held_back
    }

    /// Resolves once nothing may be sent any more.
    pub(super) async fn stopped(&self) {
        self.stopped.cancelled().await;
    }

    /// Resolves once the run is cancelled and the grace period has passed.
    pub(super) async fn abandoned(&self) {
        self.cancellation.cancelled().await;
        tokio::time::sleep(self.grace).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PHASES: [Phase; 4] = [Phase::Create, Phase::Update, Phase::Delete, Phase::Forget];

    fn gate(cancellation: CancellationToken) -> StopGate {
        StopGate::new(cancellation, Duration::from_secs(25))
    }

    fn passing(gate: &StopGate) -> Vec<Phase> {
        let passing = PHASES.into_iter().filter(|phase| gate.lets_pass(*phase));
        passing.collect()
    }

    #[test]
    fn a_failed_create_or_update_holds_back_deletes_and_nothing_else() {
        for phase in [Phase::Create, Phase::Update] {
            let gate = gate(CancellationToken::new());
            assert_eq!(passing(&gate), PHASES);
            gate.failed(phase, false);
            assert_eq!(
                passing(&gate),
                [Phase::Create, Phase::Update, Phase::Forget]
            );
        }
        let gate = gate(CancellationToken::new());
        gate.failed(Phase::Delete, false);
        assert_eq!(passing(&gate), PHASES);
    }

    #[test]
    fn a_cancellation_and_a_failure_that_concerns_all_hold_back_everything() {
        let cancellation = CancellationToken::new();
        let cancelled = gate(cancellation.clone());
        cancellation.cancel();
        assert_eq!(passing(&cancelled), []);
        let run = CancellationToken::new();
        let failed = gate(run.clone());
        failed.failed(Phase::Delete, true);
        assert_eq!(passing(&failed), []);
        assert!(!run.is_cancelled(), "the run itself goes on");
    }

    #[tokio::test(start_paused = true)]
    async fn requests_in_flight_are_given_up_after_the_grace_of_a_cancellation_alone() {
        let failed = gate(CancellationToken::new());
        failed.failed(Phase::Create, true);
        let forever = tokio::time::timeout(Duration::from_mins(10), failed.abandoned());
        assert!(forever.await.is_err(), "what is in flight has its time-out");
        let cancellation = CancellationToken::new();
        let cancelled = gate(cancellation.clone());
        cancellation.cancel();
        let started = tokio::time::Instant::now();
        cancelled.abandoned().await;
        assert_eq!(started.elapsed(), Duration::from_secs(25));
    }
}
