//! The polls of a verification: questions, pauses, and the end of the time.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt as _;
use jiff::{SignedDuration, Timestamp};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::change::{Change, Since};
use super::inquiry::{Inquiry, Question};
use super::schedule::Schedule;
use super::verdict::Verdict;
use hookctl_api::{ApiError, DeliveryApi};
use hookctl_core::clock::Clock;
use hookctl_core::webhook::{Key, RemoteId};

/// The most questions at once.
const AT_ONCE: usize = 16;

/// How a verification runs.
#[derive(Clone, Debug)]
pub struct VerifyOptions {
    /// How long to wait for verdicts.
    pub timeout: Duration,
    /// Whether a webhook without an event is waited for until the time is up.
    pub require_traffic: bool,
    /// Whether the newest failed event of each webhook is sent again.
    pub retry_failed: bool,
    /// Ends the verification early.
    pub cancellation: CancellationToken,
}

/// What happens during a verification.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum VerifyEvent<'a> {
    /// A poll ended, and another follows after a pause.
    Waiting {
        /// The number of webhooks without a verdict.
        open: usize,
        /// The time that is left.
        left: Duration,
    },
    /// A webhook has a verdict.
    Decided {
        /// The key of the webhook.
        key: &'a Key,
        /// The verdict.
        verdict: &'a Verdict,
    },
}

/// A webhook and its verdict.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified {
    /// The key.
    pub key: Key,
    /// The webhook.
    pub id: RemoteId,
    /// The moment of the change, by the clock of the API if it is known.
    pub since: Timestamp,
    /// The verdict.
    pub verdict: Verdict,
    /// The event whose redelivery was requested.
    pub redelivered: Option<String>,
    /// Why the redelivery of a failed event was refused. Untrusted text.
    pub not_redelivered: Option<String>,
    /// Why its deliveries could not be read. Untrusted text.
    pub unread: Option<String>,
}

/// The result of a verification.
#[derive(Debug, Default)]
#[must_use = "an unread verdict hides a failure"]
pub struct Verification {
    /// The webhooks, in the order of their changes.
    pub webhooks: Vec<Verified>,
    /// Whether it was cancelled.
    pub interrupted: bool,
    /// The error that ended it, since it concerns every request.
    pub ended_by: Option<ApiError>,
    /// How long it took.
    pub duration: Duration,
}

impl Verification {
    /// Returns whether deliveries of any webhook fail, or the traffic that was required is missing.
    pub fn fails(&self, require_traffic: bool) -> bool {
        self.webhooks
            .iter()
            .any(|one| one.verdict.is_failure() || (require_traffic && one.verdict.lacks_traffic()))
    }

    /// Returns whether the deliveries of every webhook could be read.
    pub fn is_read(&self) -> bool {
        self.ended_by.is_none() && self.webhooks.iter().all(|one| one.unread.is_none())
    }
}

/// Reads the deliveries after each change until each webhook has a verdict, or the time is up. Each poll sends at most
/// one request for each webhook without a verdict.
///
/// # Cancel safety
/// The future may be dropped at any point. A redelivery may have been requested.
pub async fn verify<A: DeliveryApi>(
    api: &A,
    changes: Vec<Change>,
    options: &VerifyOptions,
    clock: &Arc<dyn Clock>,
    on_event: &(dyn Fn(VerifyEvent<'_>) + Send + Sync),
) -> Verification {
    let started = Instant::now();
    let mut run = Run {
        api,
        clock,
        inquiries: changes
            .into_iter()
            .map(|change| Inquiry::new(change, options.require_traffic, options.retry_failed))
            .collect(),
        ended_by: None,
        on_event,
    };
    let mut schedule = Schedule::new(options.timeout);
    let mut interrupted = false;
    while run.open() > 0 && run.ended_by.is_none() {
        let polled = tokio::select! {
            biased;
            () = options.cancellation.cancelled() => false,
            () = run.poll() => true,
        };
        if !polled {
            interrupted = true;
            break;
        }
        let elapsed = started.elapsed();
        let Some(pause) = schedule.pause(elapsed, run.follows_up()) else {
            break;
        };
        if run.open() == 0 || run.ended_by.is_some() {
            break;
        }
        on_event(VerifyEvent::Waiting {
            open: run.open(),
            left: options.timeout.saturating_sub(elapsed),
        });
        tokio::select! {
            biased;
            () = options.cancellation.cancelled() => {
                interrupted = true;
                break;
            }
            () = tokio::time::sleep(pause) => {}
        }
    }
    let duration = started.elapsed();
    run.finish(interrupted, duration)
}

struct Run<'a, A> {
    api: &'a A,
    clock: &'a Arc<dyn Clock>,
    inquiries: Vec<Inquiry>,
    ended_by: Option<ApiError>,
    on_event: &'a (dyn Fn(VerifyEvent<'_>) + Send + Sync),
}

impl<A> fmt::Debug for Run<'_, A> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Run")
            .field("inquiries", &self.inquiries)
            .finish_non_exhaustive()
    }
}

impl<A: DeliveryApi> Run<'_, A> {
    fn open(&self) -> usize {
        let open = |one: &&Inquiry| one.verdict().is_none();
        self.inquiries.iter().filter(open).count()
    }

    fn follows_up(&self) -> bool {
        let mut open = self.inquiries.iter().filter(|one| one.verdict().is_none());
        open.any(Inquiry::follows_up)
    }

    /// Asks one question about each webhook without a verdict, and judges the answers.
    async fn poll(&mut self) {
        let (api, clock) = (self.api, self.clock);
        let open = self
            .inquiries
            .iter_mut()
            .filter(|one| one.verdict().is_none());
        let questions: Vec<_> = open.map(|inquiry| ask(api, clock, inquiry)).collect();
        let mut asking = futures_util::stream::iter(questions).buffer_unordered(AT_ONCE);
        while let Some(failed) = asking.next().await {
            if let Some(error) = failed {
                self.ended_by = Some(error);
                return;
            }
        }
        drop(asking);
        self.judge(false);
    }

    fn judge(&mut self, time_is_up: bool) {
        let now = now(self.api, self.clock);
        let ahead = self.api.clock_difference();
        let open = self
            .inquiries
            .iter_mut()
            .filter(|one| one.verdict().is_none());
        for inquiry in open {
            inquiry.judge(now, ahead, time_is_up);
            if let Some(verdict) = inquiry.verdict() {
                (self.on_event)(VerifyEvent::Decided {
                    key: &inquiry.change().key,
                    verdict,
                });
            }
        }
    }

    fn finish(mut self, interrupted: bool, duration: Duration) -> Verification {
        if !interrupted && self.ended_by.is_none() {
            self.judge(true);
        }
        let ahead = self.api.clock_difference();
        let verified = |inquiry: &Inquiry| {
            let change = inquiry.change();
            Verified {
                key: change.key.clone(),
                id: change.id.clone(),
                since: change.since.by_api(ahead).unwrap_or(change.since.at()),
                verdict: inquiry.verdict().cloned().unwrap_or(Verdict::Pending),
                redelivered: inquiry.redelivered().map(str::to_owned),
                not_redelivered: inquiry.not_redelivered().map(str::to_owned),
                unread: inquiry.unread().map(str::to_owned),
            }
        };
        Verification {
            webhooks: self.inquiries.iter().map(verified).collect(),
            interrupted,
            ended_by: self.ended_by,
            duration,
        }
    }
}

/// Returns the present by the clock of the API, as far as it is known.
fn now<A: DeliveryApi>(api: &A, clock: &Arc<dyn Clock>) -> Timestamp {
    let at = clock.now().at;
    let ahead = api.clock_difference().unwrap_or(SignedDuration::ZERO);
    Since::Machine(at).by_api(Some(ahead)).unwrap_or(at)
}

/// Asks one question. Returns an error that concerns every request.
async fn ask<A: DeliveryApi>(
    api: &A,
    clock: &Arc<dyn Clock>,
    inquiry: &mut Inquiry,
) -> Option<ApiError> {
    let question = inquiry.question(api.clock_difference());
    let failure = match question {
        Question::Events { query, page, size } => match api.events(&query, page, size).await {
            Ok(read) => {
                inquiry.on_events(read, api.clock_difference());
                return None;
            }
            Err(error) => error,
        },
        Question::Attempts { event_id, size } => match api.attempts(&event_id, 1, size).await {
            Ok(read) => {
                inquiry.on_attempts(read);
                return None;
            }
            Err(error) => error,
        },
        Question::Redeliver { document_id } => {
            let at = now(api, clock);
            match api.retry(&document_id).await {
                // It may have been requested, and is never repeated.
                Ok(()) | Err(ApiError::UnknownOutcome { .. }) => {
                    inquiry.on_redelivery(at);
                    return None;
                }
                Err(error @ ApiError::Unauthorized { .. }) => error,
                Err(error) => {
                    inquiry.on_refusal(error.to_string());
                    return None;
                }
            }
        }
    };
    if matches!(failure, ApiError::Unauthorized { .. }) {
        return Some(failure);
    }
    inquiry.on_failure(failure.to_string());
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Compiles only if a verification is `Send`.
    #[expect(dead_code, reason = "it only has to compile")]
    fn a_verification_can_be_spawned<A: DeliveryApi>(
        api: &A,
        options: &VerifyOptions,
        clock: &Arc<dyn Clock>,
    ) {
        fn is_send(_: impl Send) {}
        is_send(verify(api, Vec::new(), options, clock, &|_| {}));
    }
}
