//! The client: a method for each request, over one connection pool.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use super::answer::{Redactor, Word, word};
use super::body::RequestBody;
use super::options::{ClientError, HttpEvent, HttpOptions, OnHttpEvent, RequestStats};
use super::refusal::{Refusal, outcome_unknown, unexpected};
use super::retry::{Decision, Effect, Failure, decide, http_date, retry_after};
use super::tally::Tally;
use super::throttle::{Permit, Throttle};
use super::transport::{Answer, Fate, Network, NoAnswer, Outgoing, Transport, Verb};
use super::wire_error::WireError;
use super::{row, wire};
use crate::{ApiError, DeleteAnswer, Page, SendGate, Ungated, WebhookApi, Withheld, WriteBody};
use hookctl_core::secret::{Followed, Secret};
use hookctl_core::state::ObservedWebhook;
use hookctl_core::webhook::{Field, FieldValue, RemoteId, TokenChange, WebhookSpec};

/// The workflow webhooks of one account, over HTTP.
pub struct HttpApi<T = Network> {
    transport: T,
    pub(super) options: HttpOptions,
    throttle: Throttle,
    tally: Tally,
}

impl<T> fmt::Debug for HttpApi<T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("HttpApi")
            .field("options", &self.options)
            .field("throttle", &self.throttle)
            .finish_non_exhaustive()
    }
}

impl HttpApi {
    /// Creates a client, without sending anything.
    ///
    /// # Errors
    /// Returns [`ClientError`] if the key is not a valid header, or TLS cannot be set up.
    pub fn new(options: HttpOptions) -> Result<Self, ClientError> {
        Ok(Self::over(Network::new(&options)?, options))
    }
}

impl<T: Transport> HttpApi<T> {
    /// Creates a client over another transport, which must add the API key itself.
    pub fn over(transport: T, options: HttpOptions) -> Self {
        Self {
            transport,
            throttle: Throttle::new(options.concurrency, options.requests_per_second),
            options,
            tally: Tally::default(),
        }
    }

    /// Returns the number of requests so far.
    pub fn stats(&self) -> RequestStats {
        self.tally.stats()
    }

    /// Returns the number of requests so far, by method and status. The status is `None` for those without a response.
    pub fn outcomes(&self) -> BTreeMap<(&'static str, Option<u16>), u64> {
        self.tally.outcomes()
    }

    /// Returns how far the clock of the API is ahead of this machine's, by the `Date` of the last response, which has
    /// whole seconds. Returns `None` if no response had one.
    pub fn clock_difference(&self) -> Option<jiff::SignedDuration> {
        self.tally.clock_difference()
    }

    pub(super) fn base_url(&self) -> &str {
        &self.options.base_url
    }

    pub(super) fn url(&self, id: Option<&RemoteId>) -> String {
        let base = &self.options.base_url;
        match id {
            None => format!("{base}/workflows/v1/workflow-webhooks"),
            Some(id) => format!("{base}/workflows/v1/workflow-webhooks/{id}"),
        }
    }

    /// Sends a request, with retries, until its outcome is decided.
    pub(super) async fn send(
        &self,
        request: Outgoing<'_>,
        secret: Option<&Secret>,
        gate: &impl SendGate,
    ) -> Result<Answer, ApiError> {
        let sent = self.send_unread(request, gate).await;
        sent.map_err(|refusal| refusal.read(&self.options, &self.redactor(secret)))
    }

    /// Sends a request like [`Self::send`]. Makes no text of a response, which may contain any secret.
    async fn send_unread(
        &self,
        request: Outgoing<'_>,
        gate: &impl SendGate,
    ) -> Result<Answer, Refusal> {
        let effect = match request.verb {
            Verb::Post => Effect::OnceOnly,
            Verb::Get | Verb::Patch | Verb::Delete => Effect::Repeatable,
        };
        let mut attempt = 1;
        let mut is_retry = false;
        // The last failure that left the outcome unknown, in case no further attempt is permitted.
        let mut last = Refusal::Withheld;
        loop {
            let Ok((permit, sent)) = self.attempt(request, attempt, gate).await else {
                return Err(last);
            };
            if std::mem::replace(&mut is_retry, true) {
                self.tally.retry();
            }
            let status = sent.as_ref().ok().map(|answer| answer.status);
            let (failure, refusal) = match sent {
                Ok(answer) => match self.classify(answer, &permit, gate) {
                    Classified::Decided(decided) => return decided,
                    Classified::Failed(failure, refusal) => (failure, refusal),
                },
                Err(error) => {
                    let (failure, refusal) = Refusal::unanswered(error, attempt);
                    if failure.is_undecided() {
                        gate.unanswered();
                    }
                    (failure, refusal)
                }
            };
            drop(permit);
            match decide(&self.options.retry, effect, failure, attempt, random()) {
                Decision::Wait(pause) => {
                    tracing::debug!(attempt, pause_ms = whole_milliseconds(pause), "retry");
                    let event = HttpEvent::Waiting { pause, status };
                    self.options.on_event.emit(event);
                    tokio::select! {
                        biased;
                        () = gate.stopped() => {}
                        () = tokio::time::sleep(pause) => {}
                    }
                    attempt += 1;
                }
                Decision::WhenOpen => {
                    let pause = self.throttle.closed_for();
                    let event = HttpEvent::Waiting { pause, status };
                    self.options.on_event.emit(event);
                }
                Decision::GiveUp => return Err(refusal),
                Decision::OutcomeUnknown => return Err(Refusal::OutcomeUnknown(Box::new(refusal))),
            }
            if failure.is_undecided() {
                last = refusal;
            }
        }
    }

    /// Waits for permission, and sends the request once.
    async fn attempt(
        &self,
        request: Outgoing<'_>,
        attempt: u32,
        gate: &impl SendGate,
    ) -> Result<(Permit<'_>, Result<Answer, NoAnswer>), Withheld> {
        let permit = tokio::select! {
            biased;
            () = gate.stopped() => return Err(Withheld),
            permit = self.throttle.acquire() => permit,
        };
        let send_permit = gate.permit().await?;
        self.tally.begin();
        let in_flight = InFlight::begun(&self.options.on_event);
        let started = tokio::time::Instant::now();
        let answer = tokio::select! {
            biased;
            answer = self.transport.exchange(request, &send_permit) => answer,
            () = gate.abandoned() => Err(NoAnswer {
                fate: Fate::Unknown,
                reason: "interrupted".to_owned(),
            }),
        };
        drop(in_flight);
        let status = answer.as_ref().ok().map(|answer| answer.status);
        self.tally.end(request.verb.as_str(), answer.as_ref().ok());
        tracing::debug!(
            method = request.verb.as_str(),
            path = request
                .url
                .strip_prefix(&self.options.base_url)
                .unwrap_or_default(),
            status,
            milliseconds = whole_milliseconds(started.elapsed()),
            attempt,
            "request"
        );
        Ok((permit, answer))
    }

    /// Classifies a response.
    fn classify(&self, answer: Answer, permit: &Permit<'_>, gate: &impl SendGate) -> Classified {
        let asked = || {
            let sent = answer.header("date").and_then(http_date);
            let now = sent.unwrap_or_else(jiff::Timestamp::now);
            let header = answer.header("retry-after");
            header.and_then(|text| retry_after(text, now))
        };
        match word(answer.status, &answer.body) {
            Word::Done => {
                self.throttle.on_success();
                Classified::Decided(Ok(answer))
            }
            Word::Refused => {
                self.throttle.on_success();
                Classified::Decided(Err(Refusal::Rejected(answer)))
            }
            Word::KeyRefused { own } => {
                if !own {
                    gate.unanswered();
                }
                Classified::Decided(Err(Refusal::KeyRefused(answer)))
            }
            Word::TooManyRequests => self.throttled(answer.status, permit, asked(), false),
            Word::Failed => {
                gate.unanswered();
                let asked = asked();
                if answer.status == 503 && asked.is_some() {
                    return self.throttled(answer.status, permit, asked, true);
                }
                if answer.status == 503 {
                    self.throttle.on_overload(permit);
                }
                Classified::Failed(Failure::Undecided, Refusal::Failed(answer))
            }
            Word::Foreign => {
                gate.unanswered();
                Classified::Decided(Err(Refusal::Foreign(answer)))
            }
        }
    }

    fn throttled(
        &self,
        status: u16,
        permit: &Permit<'_>,
        asked: Option<Duration>,
        undecided: bool,
    ) -> Classified {
        // A pause beyond the patience ends the run, and must not delay requests in flight.
        let patience = self.options.retry.patience;
        let named = asked.filter(|asked| *asked <= patience);
        let blocked = self.throttle.on_throttled(permit, named, random());
        Classified::Failed(
            Failure::Throttled {
                blocked,
                asked,
                undecided,
            },
            Refusal::Throttled {
                status,
                blocked,
                retry_after: asked,
            },
        )
    }

    /// Requests a page of the list. The response stays unread.
    pub(super) async fn unread_page(&self, page: u32, size: u32) -> Result<Answer, Refusal> {
        let url = format!("{}?page={page}&size={size}", self.url(None));
        let get = Outgoing {
            verb: Verb::Get,
            url: &url,
            body: None,
        };
        self.send_unread(get, &Ungated).await
    }

    /// Reads the response to a request for a page. The redactor must know every secret of the run, since what is read is
    /// shown and recorded.
    pub(super) fn read_page(
        &self,
        sent: Result<Answer, Refusal>,
        redactor: &Redactor<'_>,
    ) -> Result<Page, ApiError> {
        let answer = match sent.map_err(|refusal| refusal.read(&self.options, redactor)) {
            Err(
                ApiError::Rejected {
                    status: status @ (404 | 405),
                    ..
                }
                | ApiError::Unexpected {
                    status: status @ (404 | 405),
                    ..
                },
            ) => {
                return Err(ApiError::NotServed {
                    url: self.url(None),
                    status,
                });
            }
            answer => answer?,
        };
        wire::page(&answer.body, redactor).map_err(|error| {
            let excerpt = match error {
                WireError::NotJson => redactor.excerpt(&answer.body),
                other => other.to_string(),
            };
            unexpected(&answer, excerpt, redactor)
        })
    }

    /// Returns a redactor of the API key and these secrets.
    pub(super) fn redactor_of<'a>(&'a self, followed: &'a Followed) -> Redactor<'a> {
        Redactor::new([self.options.api_key.expose()]).knowing(followed)
    }

    pub(super) fn redactor<'a>(&'a self, secret: Option<&'a Secret>) -> Redactor<'a> {
        Redactor::new(
            [Some(&self.options.api_key), secret]
                .into_iter()
                .flatten()
                .map(Secret::expose),
        )
        .knowing(&self.options.followed)
    }
}

impl<T: Transport> WebhookApi for HttpApi<T> {
    async fn page(&self, page: u32, size: u32) -> Result<Page, ApiError> {
        let sent = self.unread_page(page, size).await;
        self.read_page(sent, &self.redactor(None))
    }

    async fn create(
        &self,
        spec: &WebhookSpec,
        token: Option<&Secret>,
        gate: &impl SendGate,
    ) -> Result<Option<ObservedWebhook>, ApiError> {
        let body = RequestBody::new(&WriteBody::create(spec, token));
        let post = Outgoing {
            verb: Verb::Post,
            url: &self.url(None),
            body: Some(&body),
        };
        let answer = self.send(post, token, gate).await?;
        written(&answer, gate, &self.redactor(token)).map_err(outcome_unknown)
    }

    async fn patch(
        &self,
        id: &RemoteId,
        fields: &[(Field, FieldValue)],
        token: TokenChange<&Secret>,
        gate: &impl SendGate,
    ) -> Result<Option<ObservedWebhook>, ApiError> {
        let body = RequestBody::new(&WriteBody::patch(fields, token));
        let patch = Outgoing {
            verb: Verb::Patch,
            url: &self.url(Some(id)),
            body: Some(&body),
        };
        let answer = gone_if_404(self.send(patch, token.set(), gate).await, id)?;
        written(&answer, gate, &self.redactor(token.set()))
    }

    async fn delete(&self, id: &RemoteId, gate: &impl SendGate) -> Result<DeleteAnswer, ApiError> {
        let delete = Outgoing {
            verb: Verb::Delete,
            url: &self.url(Some(id)),
            body: None,
        };
        let answer = gone_if_404(self.send(delete, None, gate).await, id)?;
        Ok(wire::deleted(&answer.body))
    }

    fn clock_difference(&self) -> Option<jiff::SignedDuration> {
        Self::clock_difference(self)
    }
}

/// Reports a request in flight, and its end, also if the caller drops it.
struct InFlight<'a>(&'a OnHttpEvent);

impl<'a> InFlight<'a> {
    fn begun(on_event: &'a OnHttpEvent) -> Self {
        on_event.emit(HttpEvent::Sent);
        Self(on_event)
    }
}

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        self.0.emit(HttpEvent::Ended);
    }
}

/// Returns a duration in milliseconds, for logs.
fn whole_milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// The class of a response.
enum Classified {
    /// The outcome: a success, or a refusal.
    Decided(Result<Answer, Refusal>),
    /// A failure that may be retried, and what it is if it is not.
    Failed(Failure, Refusal),
}

/// Reads the webhook in the response to a write. Returns `None` if the response is empty.
fn written(
    answer: &Answer,
    gate: &impl SendGate,
    redactor: &Redactor<'_>,
) -> Result<Option<ObservedWebhook>, ApiError> {
    if answer.body.iter().all(u8::is_ascii_whitespace) {
        return Ok(None);
    }
    let read = row::written(&answer.body, redactor).map(Some);
    read.map_err(|error| {
        gate.unanswered();
        unexpected(answer, error.to_string(), redactor)
    })
}

fn gone_if_404(sent: Result<Answer, ApiError>, id: &RemoteId) -> Result<Answer, ApiError> {
    match sent {
        Err(ApiError::Rejected { status: 404, .. }) => Err(ApiError::Gone { id: id.clone() }),
        other => other,
    }
}

/// Returns a random number in 0..=1, or 1 if no randomness is available.
fn random() -> f64 {
    getrandom::u32().map_or(1.0, |number| f64::from(number) / f64::from(u32::MAX))
}
