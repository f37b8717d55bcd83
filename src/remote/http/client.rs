//! The client: one method per request of the contract, over one connection pool.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::answer::{Redactor, complaint};
use super::options::{ClientError, HttpOptions, RequestStats};
use super::retry::{Decision, Effect, Failure, decide, retry_after};
use super::throttle::Throttle;
use super::transport::{Answer, Network, NoAnswer, Outgoing, Transport, Verb};
use super::wire;
use crate::remote::{ApiError, Page, TokenWrite, WebhookApi};
use crate::secret::Secret;
use crate::state::ObservedWebhook;
use crate::webhook::{Field, FieldValue, RemoteId, WebhookSpec};

/// The workflow webhooks of one account, over HTTP.
pub struct HttpApi<T = Network> {
    transport: T,
    options: HttpOptions,
    throttle: Throttle,
    requests: AtomicU64,
    retries: AtomicU64,
    outcomes: Mutex<BTreeMap<(&'static str, Option<u16>), u64>>,
}

impl HttpApi {
    /// Sets up the client. Sends nothing.
    ///
    /// # Errors
    /// [`ClientError`] if the key cannot be a header or TLS cannot be set up.
    pub fn new(options: HttpOptions) -> Result<Self, ClientError> {
        Ok(Self::over(Network::new(&options)?, options))
    }
}

impl<T: Transport> HttpApi<T> {
    /// The same over another transport, which then has to bring the API key.
    pub fn over(transport: T, options: HttpOptions) -> Self {
        Self {
            transport,
            throttle: Throttle::new(options.concurrency, options.requests_per_second),
            options,
            requests: AtomicU64::new(0),
            retries: AtomicU64::new(0),
            outcomes: Mutex::default(),
        }
    }

    /// How many requests went out so far.
    pub fn stats(&self) -> RequestStats {
        RequestStats {
            requests: self.requests.load(Ordering::Relaxed),
            retries: self.retries.load(Ordering::Relaxed),
        }
    }

    /// How many requests ended how so far: by method and status, none where no answer came.
    pub fn outcomes(&self) -> BTreeMap<(&'static str, Option<u16>), u64> {
        self.lock_outcomes().clone()
    }

    fn lock_outcomes(&self) -> MutexGuard<'_, BTreeMap<(&'static str, Option<u16>), u64>> {
        self.outcomes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn url(&self, id: Option<&RemoteId>) -> String {
        let base = &self.options.base_url;
        match id {
            None => format!("{base}/workflows/v1/workflow-webhooks"),
            Some(id) => format!("{base}/workflows/v1/workflow-webhooks/{id}"),
        }
    }

    /// Sends a request until it has an answer that decides something, within the budget.
    pub(super) async fn send(
        &self,
        request: Outgoing<'_>,
        secret: Option<&Secret>,
    ) -> Result<Answer, ApiError> {
        let effect = match request.verb {
            Verb::Post => Effect::OnceOnly,
            Verb::Get | Verb::Patch | Verb::Delete => Effect::Repeatable,
        };
        let redactor = self.redactor(secret);
        let mut attempt = 1;
        loop {
            let (failure, wait, error) = match self.attempt(request, attempt).await {
                Ok(answer) => match failure_of(answer.status) {
                    None => {
                        self.throttle.went_well();
                        return self.judge(answer, &redactor);
                    }
                    Some(failure) => {
                        if matches!(answer.status, 429 | 503) {
                            self.throttle.slow_down();
                        }
                        let wait = answer
                            .header("retry-after")
                            .and_then(|text| retry_after(text, jiff::Timestamp::now()));
                        (failure, wait, spent(&answer, wait, attempt, &redactor))
                    }
                },
                Err(NoAnswer { never_sent, reason }) => {
                    let failure = if never_sent {
                        Failure::NotSent
                    } else {
                        Failure::Undecided
                    };
                    let error = ApiError::Unreachable {
                        url: self.options.base_url.clone(),
                        reason,
                        attempts: attempt,
                        never_sent,
                    };
                    (failure, None, error)
                }
            };
            match decide(
                &self.options.retry,
                effect,
                failure,
                attempt,
                wait,
                random(),
            ) {
                Decision::Wait(pause) => {
                    tracing::debug!(attempt, pause_ms = pause.as_millis(), "retry");
                    tokio::time::sleep(pause).await;
                    self.retries.fetch_add(1, Ordering::Relaxed);
                    attempt += 1;
                }
                Decision::GiveUp => return Err(error),
                Decision::OutcomeUnknown => {
                    return Err(ApiError::UnknownOutcome {
                        reason: match error {
                            ApiError::Unreachable { reason, .. } => reason,
                            other => other.to_string(),
                        },
                    });
                }
            }
        }
    }

    /// One try.
    async fn attempt(&self, request: Outgoing<'_>, attempt: u32) -> Result<Answer, NoAnswer> {
        let _place = self.throttle.enter().await;
        self.requests.fetch_add(1, Ordering::Relaxed);
        let started = tokio::time::Instant::now();
        let answer = self.transport.exchange(request).await;
        let status = answer.as_ref().ok().map(|answer| answer.status);
        let outcome = (request.verb.as_str(), status);
        *self.lock_outcomes().entry(outcome).or_default() += 1;
        let answer = answer?;
        tracing::debug!(
            method = request.verb.as_str(),
            path = request
                .url
                .strip_prefix(&self.options.base_url)
                .unwrap_or_default(),
            status = answer.status,
            milliseconds = started.elapsed().as_millis(),
            attempt,
            "request"
        );
        Ok(answer)
    }

    /// What an answer means that is not to be tried again: a success, or an error by meaning.
    fn judge(&self, answer: Answer, redactor: &Redactor<'_>) -> Result<Answer, ApiError> {
        match answer.status {
            200..=299 => return Ok(answer),
            300..=399 => return Err(unexpected(&answer, redirect(&answer))),
            400..=499 => {}
            _ => return Err(unexpected(&answer, redactor.excerpt(&answer.body))),
        }
        let mut said = complaint(&answer.body, redactor);
        if let Some(id) = answer.header("x-request-id") {
            said.message = format!("{} (request {})", said.message, redactor.clean(id, 100));
        }
        Err(match answer.status {
            status @ (401 | 403) => ApiError::Unauthorized {
                status,
                key_source: self.options.api_key_source.clone(),
                message: said.message,
                team_headers_sent: self.options.team_id.is_some() && self.options.user_id.is_some(),
            },
            status => ApiError::Rejected {
                status,
                message: said.message,
                fields: said.fields,
            },
        })
    }

    fn redactor<'a>(&'a self, secret: Option<&'a Secret>) -> Redactor<'a> {
        Redactor::new(
            [Some(&self.options.api_key), secret]
                .into_iter()
                .flatten()
                .map(Secret::expose),
        )
    }
}

impl<T: Transport> WebhookApi for HttpApi<T> {
    async fn page(&self, page: u32, size: u32) -> Result<Page, ApiError> {
        let url = format!("{}?page={page}&size={size}", self.url(None));
        let get = Outgoing {
            verb: Verb::Get,
            url: &url,
            body: None,
        };
        let answer = match self.send(get, None).await {
            Err(ApiError::Rejected {
                status: status @ (404 | 405),
                ..
            }) => {
                return Err(ApiError::NotServed {
                    url: self.url(None),
                    status,
                });
            }
            answer => answer?,
        };
        wire::page(&answer.body).map_err(|error| {
            let excerpt = match error {
                wire::WireError::NotJson => self.redactor(None).excerpt(&answer.body),
                other => other.to_string(),
            };
            unexpected(&answer, excerpt)
        })
    }

    async fn create(
        &self,
        spec: &WebhookSpec,
        token: Option<&Secret>,
    ) -> Result<Option<ObservedWebhook>, ApiError> {
        let body = wire::create_body(spec, token);
        let post = Outgoing {
            verb: Verb::Post,
            url: &self.url(None),
            body: Some(&body),
        };
        let answer = self.send(post, token).await?;
        if answer.body.is_empty() {
            return Ok(None);
        }
        // It was confirmed, but as what is not known: only the list can tell.
        wire::written(&answer.body)
            .map(Some)
            .map_err(|error| ApiError::UnknownOutcome {
                reason: format!("status {}, and {error}", answer.status),
            })
    }

    async fn patch(
        &self,
        id: &RemoteId,
        fields: &[(Field, FieldValue)],
        token: TokenWrite<'_>,
    ) -> Result<Option<ObservedWebhook>, ApiError> {
        let secret = match token {
            TokenWrite::Set(secret) => Some(secret),
            TokenWrite::Keep | TokenWrite::Clear => None,
        };
        let body = wire::patch_body(fields, token);
        let patch = Outgoing {
            verb: Verb::Patch,
            url: &self.url(Some(id)),
            body: Some(&body),
        };
        let answer = gone_if_404(self.send(patch, secret).await, id)?;
        if answer.body.is_empty() {
            return Ok(None);
        }
        wire::written(&answer.body)
            .map(Some)
            .map_err(|error| unexpected(&answer, error.to_string()))
    }

    async fn delete(&self, id: &RemoteId) -> Result<(), ApiError> {
        let delete = Outgoing {
            verb: Verb::Delete,
            url: &self.url(Some(id)),
            body: None,
        };
        let answer = gone_if_404(self.send(delete, None).await, id)?;
        // The contract leaves the body open; a page of a gateway is not the API's word, though.
        if wire::is_json_or_nothing(&answer.body) {
            Ok(())
        } else {
            let excerpt = self.redactor(None).excerpt(&answer.body);
            Err(unexpected(&answer, excerpt))
        }
    }
}

fn gone_if_404(sent: Result<Answer, ApiError>, id: &RemoteId) -> Result<Answer, ApiError> {
    match sent {
        Err(ApiError::Rejected { status: 404, .. }) => Err(ApiError::Gone { id: id.clone() }),
        other => other,
    }
}

/// Whether an answer is one to try again after, and how much is known.
fn failure_of(status: u16) -> Option<Failure> {
    match status {
        429 => Some(Failure::TooManyRequests),
        500 | 502 | 503 | 504 => Some(Failure::Undecided),
        _ => None,
    }
}

/// The error of an answer after which nothing is tried any more.
fn spent(
    answer: &Answer,
    retry_after: Option<Duration>,
    attempts: u32,
    redactor: &Redactor<'_>,
) -> ApiError {
    match answer.status {
        status @ (429 | 503) => ApiError::Throttled {
            status,
            attempts,
            retry_after,
        },
        _ => unexpected(answer, redactor.excerpt(&answer.body)),
    }
}

pub(super) fn unexpected(answer: &Answer, excerpt: String) -> ApiError {
    let content_type = answer.header("content-type").unwrap_or("no content type");
    ApiError::Unexpected {
        status: answer.status,
        content_type: Redactor::new([]).clean(content_type, 100),
        excerpt,
    }
}

fn redirect(answer: &Answer) -> String {
    let host = answer
        .header("location")
        .and_then(|location| url::Url::parse(location).ok())
        .and_then(|location| location.host_str().map(str::to_owned));
    let to = host.map_or_else(|| "elsewhere".to_owned(), |host| format!("to {host}"));
    format!("a redirect {to}, which is not followed with the API key; correct the target's api_url")
}

/// A number in 0..=1; without randomness the whole wait.
fn random() -> f64 {
    getrandom::u32().map_or(1.0, |number| f64::from(number) / f64::from(u32::MAX))
}
