//! Waiting for requests that may still take effect, with the record closed between rounds.

use std::time::Duration;

use tokio::time::Instant;

use super::round::{Progress, finished, rounds};
use hookctl_record::{OpenRecord, Record};

use super::{PassError, PassReport, PlanInputs, Review, Verdict};
use crate::apply::{ApplyEvent, ApplyOptions, Listener, Settle};
use hookctl_api::WebhookApi;

/// The first pause before the list is read again; each further pause doubles.
const FIRST_PAUSE: Duration = Duration::from_millis(500);

/// The longest pause.
const LONGEST_PAUSE: Duration = Duration::from_secs(8);

/// The rounding error of clocks that count in milliseconds.
const ROUNDING: Duration = Duration::from_millis(10);

/// Runs one pass, and waits for requests that may still take effect. It reads the list again after growing pauses. It
/// continues once the list resolves each request, or none can take effect any more. A pass waits for one horizon at
/// most.
///
/// `first` is the open record. The record is closed when this returns.
///
/// # Cancel safety
/// The future may be dropped at any point, as in a crash: the next pass settles what was sent, and creates nothing twice.
/// The record is then released. Cancelling the token of the inputs instead settles requests in flight and returns a report.
///
/// # Errors
/// [`PassError`] if nothing was written, or nothing that is certain. The report contains the failures of single
/// actions.
pub async fn reconcile_settling<A: WebhookApi>(
    inputs: &PlanInputs<'_, A>,
    options: &ApplyOptions<'_>,
    record: &Record,
    first: OpenRecord,
    listener: &dyn Listener,
    review: &mut impl Review,
) -> Result<PassReport, PassError> {
    let mut progress = Progress::default();
    let mut open = first;
    let mut pauses = Pauses::default();
    loop {
        let ended = rounds(inputs, options, &open, listener, review, &mut progress).await;
        let closed = open.close().await.map_err(PassError::Record);
        let verdict = match (
            ended.and_then(|verdict| closed.map(|()| verdict)),
            &mut progress.done,
        ) {
            (Ok(verdict), _) => verdict,
            (Err(error), Some(done)) => {
                done.ended_by = Some(error);
                break;
            }
            (Err(error), None) => return Err(error),
        };
        let waits = progress.done.as_ref().and_then(|done| done.waits.as_ref());
        let Some(waits) =
            waits.filter(|_| verdict == Verdict::Apply && inputs.settle == Settle::Wait)
        else {
            break;
        };
        let Some(pause) = pauses.next(waits.remaining) else {
            break;
        };
        if inputs.context.cancellation.is_cancelled() {
            break;
        }
        if !pauses.is_last {
            listener.on(ApplyEvent::Waiting {
                keys: &waits.keys,
                remaining: waits.remaining,
            });
        }
        tokio::select! {
            biased;
            () = inputs.context.cancellation.cancelled() => break,
            () = tokio::time::sleep(pause) => {}
        }
        match record.open_late().await {
            Ok(again) => open = again,
            Err(error) => {
                if let Some(done) = &mut progress.done {
                    done.ended_by = Some(PassError::Record(error));
                }
                break;
            }
        }
    }
    finished(progress)
}

/// The pauses of one pass.
#[derive(Debug, Default)]
struct Pauses {
    /// The end of the first wait.
    deadline: Option<Instant>,
    number: u32,
    /// Whether the list has been read again after the deadline.
    is_last: bool,
}

impl Pauses {
    /// Returns the next pause; `None` ends the wait. The list is read once more after the deadline, because a request
    /// resent then has usually taken effect.
    fn next(&mut self, remaining: Duration) -> Option<Duration> {
        let now = Instant::now();
        let deadline = *self.deadline.get_or_insert(now + remaining + ROUNDING);
        let pause = FIRST_PAUSE
            .saturating_mul(2_u32.saturating_pow(self.number))
            .min(LONGEST_PAUSE);
        self.number += 1;
        if now < deadline {
            return Some(pause.min(deadline - now));
        }
        (!std::mem::replace(&mut self.is_last, true)).then_some(FIRST_PAUSE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Compiles only if a pass is `Send`.
    #[expect(dead_code, reason = "it only has to compile")]
    fn a_pass_can_be_spawned<A: WebhookApi, V: Review>(
        inputs: &PlanInputs<'_, A>,
        options: &ApplyOptions<'_>,
        record: &Record,
        first: OpenRecord,
        listener: &dyn Listener,
        review: &mut V,
    ) {
        fn is_send(_: impl Send) {}
        is_send(reconcile_settling(
            inputs, options, record, first, listener, review,
        ));
    }

    #[tokio::test(start_paused = true)]
    async fn pauses_grow_and_end_with_the_first_wait() {
        let mut pauses = Pauses::default();
        let mut taken = Vec::new();
        while let Some(pause) = pauses.next(Duration::from_secs(20)) {
            taken.push(pause.as_millis());
            tokio::time::advance(pause).await;
        }
        assert_eq!(taken, [500, 1_000, 2_000, 4_000, 8_000, 4_510, 500]);
    }
}
