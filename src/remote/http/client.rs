//! The client: one method per request of the contract, over one connection pool.

use std::error::Error as _;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue, LOCATION, RETRY_AFTER};
use reqwest::{Method, StatusCode};

use super::answer::{Redactor, complaint};
use super::options::{ClientError, HttpOptions, ProxyUse, RequestStats};
use super::retry::{Decision, Effect, Failure, decide, retry_after};
use super::throttle::Throttle;
use super::wire;
use crate::remote::{ApiError, Page, TokenWrite, WebhookApi};
use crate::secret::Secret;
use crate::state::ObservedWebhook;
use crate::webhook::{Field, FieldValue, RemoteId, WebhookSpec};

/// The most that is read of one answer, in bytes: 300 webhooks of the longest documented fields are
/// about 3 MiB.
const BODY_LIMIT: usize = 16 * 1024 * 1024;

/// The workflow webhooks of one account, over HTTP.
pub struct HttpApi {
    client: reqwest::Client,
    options: HttpOptions,
    throttle: Throttle,
    requests: AtomicU64,
    retries: AtomicU64,
}

/// An answer, read to its end.
struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: Vec<u8>,
}

/// A try that gave no answer.
struct NoAnswer {
    failure: Failure,
    reason: String,
}

impl HttpApi {
    /// Sets up the client. Sends nothing.
    ///
    /// # Errors
    /// [`ClientError`] if the key cannot be a header or TLS cannot be set up.
    pub fn new(options: HttpOptions) -> Result<Self, ClientError> {
        // Another part of the program may have chosen a provider already: then that one holds.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let header = |what: &'static str, text: &str| {
            HeaderValue::from_str(text).map_err(|_| ClientError::Header { what })
        };
        let mut authorization = header("API key", &format!("Bearer {}", options.api_key.expose()))?;
        authorization.set_sensitive(true);
        let mut headers = HeaderMap::from_iter([(AUTHORIZATION, authorization)]);
        if let Some(team) = &options.team_id {
            headers.insert("teamid", header("team_id", team)?);
        }
        if let Some(user) = &options.user_id {
            headers.insert("uuid", header("user_id", user)?);
        }
        let mut builder = reqwest::Client::builder()
            .user_agent(concat!("hookctl/", env!("CARGO_PKG_VERSION")))
            .default_headers(headers)
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(options.connect_timeout)
            .timeout(options.request_timeout)
            .https_only(options.https_only)
            .pool_max_idle_per_host(options.concurrency.max(1));
        if options.proxy == ProxyUse::None {
            builder = builder.no_proxy();
        }
        let client = builder
            .build()
            .map_err(|source| ClientError::Build { source })?;
        Ok(Self {
            client,
            throttle: Throttle::new(options.concurrency, options.requests_per_second),
            options,
            requests: AtomicU64::new(0),
            retries: AtomicU64::new(0),
        })
    }

    /// How many requests went out so far.
    pub fn stats(&self) -> RequestStats {
        RequestStats {
            requests: self.requests.load(Ordering::Relaxed),
            retries: self.retries.load(Ordering::Relaxed),
        }
    }

    fn url(&self, id: Option<&RemoteId>) -> String {
        let base = &self.options.base_url;
        match id {
            None => format!("{base}/workflows/v1/workflow-webhooks"),
            Some(id) => format!("{base}/workflows/v1/workflow-webhooks/{id}"),
        }
    }

    /// Sends a request until it has an answer that decides something, within the budget.
    async fn send(
        &self,
        method: &Method,
        url: &str,
        body: Option<&serde_json::Value>,
        secret: Option<&Secret>,
    ) -> Result<Answer, ApiError> {
        let effect = if *method == Method::POST {
            Effect::OnceOnly
        } else {
            Effect::Repeatable
        };
        let redactor = self.redactor(secret);
        let mut attempt = 1;
        loop {
            let result = self.attempt(method, url, body, attempt).await;
            let (failure, wait, error) = match result {
                Ok(answer) => match failure_of(answer.status) {
                    None => {
                        self.throttle.went_well();
                        return self.judge(answer, &redactor);
                    }
                    Some(failure) => {
                        if matches!(answer.status.as_u16(), 429 | 503) {
                            self.throttle.slow_down();
                        }
                        let wait = header_text(&answer, RETRY_AFTER.as_str())
                            .and_then(|text| retry_after(text, jiff::Timestamp::now()));
                        (failure, wait, spent(&answer, wait, attempt, &redactor))
                    }
                },
                Err(NoAnswer { failure, reason }) => {
                    let error = match failure {
                        Failure::Undecided if effect == Effect::OnceOnly => {
                            ApiError::UnknownOutcome { reason }
                        }
                        _ => ApiError::Unreachable {
                            url: self.options.base_url.clone(),
                            reason,
                            attempts: attempt,
                        },
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
                    return Err(match error {
                        ApiError::UnknownOutcome { .. } => error,
                        other => ApiError::UnknownOutcome {
                            reason: other.to_string(),
                        },
                    });
                }
            }
        }
    }

    /// One try, its answer read to the end.
    async fn attempt(
        &self,
        method: &Method,
        url: &str,
        body: Option<&serde_json::Value>,
        attempt: u32,
    ) -> Result<Answer, NoAnswer> {
        let _place = self.throttle.enter().await;
        self.requests.fetch_add(1, Ordering::Relaxed);
        let started = tokio::time::Instant::now();
        let mut request = self.client.request(method.clone(), url);
        if let Some(body) = body {
            request = request.json(body);
        }
        let mut response = request.send().await.map_err(no_answer)?;
        let status = response.status();
        let headers = std::mem::take(response.headers_mut());
        let mut text = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(no_answer)? {
            if text.len() + chunk.len() > BODY_LIMIT {
                return Err(NoAnswer {
                    failure: Failure::Undecided,
                    reason: "an answer of more than 16 MiB".to_owned(),
                });
            }
            text.extend_from_slice(&chunk);
        }
        tracing::debug!(
            %method,
            path = url.strip_prefix(&self.options.base_url).unwrap_or_default(),
            status = status.as_u16(),
            milliseconds = started.elapsed().as_millis(),
            attempt,
            "request"
        );
        Ok(Answer {
            status,
            headers,
            body: text,
        })
    }

    /// What an answer means that is not to be tried again: a success, or an error by meaning.
    fn judge(&self, answer: Answer, redactor: &Redactor<'_>) -> Result<Answer, ApiError> {
        let status = answer.status;
        if status.is_success() {
            return Ok(answer);
        }
        if status.is_redirection() {
            return Err(unexpected(&answer, redirect(&answer)));
        }
        if !status.is_client_error() {
            return Err(unexpected(&answer, redactor.excerpt(&answer.body)));
        }
        let mut said = complaint(&answer.body, redactor);
        if let Some(id) = header_text(&answer, "x-request-id") {
            said.message = format!("{} (request {})", said.message, redactor.clean(id, 100));
        }
        Err(match status.as_u16() {
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

impl WebhookApi for HttpApi {
    async fn page(&self, page: u32, size: u32) -> Result<Page, ApiError> {
        let url = format!("{}?page={page}&size={size}", self.url(None));
        let answer = match self.send(&Method::GET, &url, None, None).await {
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
        let answer = self
            .send(&Method::POST, &self.url(None), Some(&body), token)
            .await?;
        if answer.body.is_empty() {
            return Ok(None);
        }
        // It was confirmed, but as what is not known: only the list can tell.
        wire::written(&answer.body)
            .map(Some)
            .map_err(|error| ApiError::UnknownOutcome {
                reason: format!("status {}, and {error}", answer.status.as_u16()),
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
        let sent = self
            .send(&Method::PATCH, &self.url(Some(id)), Some(&body), secret)
            .await;
        let answer = gone_if_404(sent, id)?;
        if answer.body.is_empty() {
            return Ok(None);
        }
        wire::written(&answer.body)
            .map(Some)
            .map_err(|error| unexpected(&answer, error.to_string()))
    }

    async fn delete(&self, id: &RemoteId) -> Result<(), ApiError> {
        let sent = self
            .send(&Method::DELETE, &self.url(Some(id)), None, None)
            .await;
        gone_if_404(sent, id).map(|_| ())
    }
}

fn gone_if_404(sent: Result<Answer, ApiError>, id: &RemoteId) -> Result<Answer, ApiError> {
    match sent {
        Err(ApiError::Rejected { status: 404, .. }) => Err(ApiError::Gone { id: id.clone() }),
        other => other,
    }
}

/// Whether an answer is one to try again after, and how much is known.
fn failure_of(status: StatusCode) -> Option<Failure> {
    match status.as_u16() {
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
    match answer.status.as_u16() {
        status @ (429 | 503) => ApiError::Throttled {
            status,
            attempts,
            retry_after,
        },
        _ => unexpected(answer, redactor.excerpt(&answer.body)),
    }
}

fn unexpected(answer: &Answer, excerpt: String) -> ApiError {
    let content_type = header_text(answer, CONTENT_TYPE.as_str()).unwrap_or("no content type");
    ApiError::Unexpected {
        status: answer.status.as_u16(),
        content_type: Redactor::new([]).clean(content_type, 100),
        excerpt,
    }
}

fn redirect(answer: &Answer) -> String {
    let host = header_text(answer, LOCATION.as_str())
        .and_then(|location| url::Url::parse(location).ok())
        .and_then(|location| location.host_str().map(str::to_owned));
    let to = host.map_or_else(|| "elsewhere".to_owned(), |host| format!("to {host}"));
    format!("a redirect {to}, which is not followed with the API key; correct the target's api_url")
}

fn header_text<'a>(answer: &'a Answer, name: &str) -> Option<&'a str> {
    answer.headers.get(name)?.to_str().ok()
}

fn no_answer(error: reqwest::Error) -> NoAnswer {
    let failure = if error.is_connect() || error.is_builder() {
        Failure::NotSent
    } else {
        Failure::Undecided
    };
    let reason = if error.is_timeout() {
        "it took too long".to_owned()
    } else {
        // The URL is our own and known; the innermost cause says most.
        let error = error.without_url();
        let mut cause = error.source();
        let mut text = error.to_string();
        while let Some(inner) = cause {
            text = inner.to_string();
            cause = inner.source();
        }
        text
    };
    NoAnswer { failure, reason }
}

/// A number in 0..=1; without randomness the whole wait.
fn random() -> f64 {
    getrandom::u32().map_or(1.0, |number| f64::from(number) / f64::from(u32::MAX))
}
