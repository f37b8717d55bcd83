//! The answers of the server of a watch: the page, its events, the status as JSON, the metrics, and the probes.

use std::convert::Infallible;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::stream;
use hookctl::render::{PageForm, page_policy};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Full, StreamBody};
use hyper::body::{Bytes, Frame};
use hyper::header::{
    ACCEPT, ALLOW, CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderMap, HeaderName,
    HeaderValue, REFERRER_POLICY, VARY, X_CONTENT_TYPE_OPTIONS,
};
use hyper::{Method, Request, Response, StatusCode};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

use super::board::Board;
use super::exposition::Format;
use super::hosts::Hosts;
use super::metrics::Metrics;
use crate::error::{CommandError, error_json};
use crate::nonce::nonce;

/// The most concurrent streams of events: half of the connections, so that open pages leave room for probes.
const MOST_STREAMS: usize = 32;

/// How long a stream of events lasts. A browser then connects again.
pub(super) const STREAM_TIME: Duration = Duration::from_mins(10);

/// The time between two signs of life on a stream.
const SIGN_OF_LIFE: Duration = Duration::from_secs(15);

const TEXT: &str = "text/plain; charset=utf-8";

/// The body of an answer.
pub(super) type Body = UnsyncBoxBody<Bytes, Infallible>;

/// What the server serves.
pub(super) struct Site {
    metrics: Arc<Metrics>,
    board: Arc<Board>,
    hosts: Hosts,
    streams: Arc<Semaphore>,
}

impl Site {
    pub(super) fn new(metrics: Arc<Metrics>, board: Arc<Board>, hosts: Hosts) -> Self {
        Self {
            metrics,
            board,
            hosts,
            streams: Arc::new(Semaphore::new(MOST_STREAMS)),
        }
    }

    /// Answers a request that came to an address of this machine.
    pub(super) async fn answer<B>(
        &self,
        request: &Request<B>,
        local: Option<IpAddr>,
    ) -> Response<Body> {
        let path = request.uri().path();
        let is_page = matches!(path, "/" | "/api/status" | "/events");
        if !is_page && !matches!(path, "/metrics" | "/healthz" | "/readyz") {
            return plain(StatusCode::NOT_FOUND, "not found\n");
        }
        if is_page && !self.hosts.allow(request.headers(), local) {
            let text = "the page is not served under this name or address; see --http-host\n";
            return plain(StatusCode::MISDIRECTED_REQUEST, text);
        }
        if !matches!(*request.method(), Method::GET | Method::HEAD) {
            let mut response = plain(StatusCode::METHOD_NOT_ALLOWED, "read only\n");
            let headers = response.headers_mut();
            headers.insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
            return response;
        }
        match path {
            "/" => self.page().await,
            "/api/status" => self.status().await,
            "/events" => self.events(),
            "/metrics" => self.metrics(request.headers()),
            "/readyz" => match self.metrics.obstacle(Instant::now()) {
                None => plain(StatusCode::OK, "ok\n"),
                Some(obstacle) => plain(StatusCode::SERVICE_UNAVAILABLE, format!("{obstacle}\n")),
            },
            _ => plain(StatusCode::OK, "ok\n"),
        }
    }

    async fn page(&self) -> Response<Body> {
        let Ok(nonce) = nonce() else {
            let text = "the system provides no randomness\n";
            return plain(StatusCode::INTERNAL_SERVER_ERROR, text);
        };
        let (page, version) = self.board.page().await;
        let html = page.to_html(PageForm::Live { version: &version }, &nonce);
        let mut response = respond(StatusCode::OK, "text/html; charset=utf-8", html);
        if let Ok(policy) = HeaderValue::from_str(&page_policy(&nonce)) {
            let headers = response.headers_mut();
            headers.insert(CONTENT_SECURITY_POLICY, policy);
        }
        of_page(response)
    }

    async fn status(&self) -> Response<Body> {
        let (page, _) = self.board.page().await;
        let (status, text) = if let Some(status) = &page.status {
            (StatusCode::OK, status.to_text())
        } else {
            let error = CommandError::new("no-pass", "no pass has made a plan yet")
                .hint("read the log of the watch");
            (StatusCode::SERVICE_UNAVAILABLE, error_json(&error))
        };
        of_page(respond(status, "application/json", text))
    }

    /// Returns a stream with a message for each finished pass. Each is the version of the page.
    fn events(&self) -> Response<Body> {
        let Ok(permit) = Arc::clone(&self.streams).try_acquire_owned() else {
            return of_page(plain(StatusCode::SERVICE_UNAVAILABLE, "too many viewers\n"));
        };
        let mut changes = self.board.changes();
        // The current version comes first.
        changes.mark_changed();
        let events = Events {
            board: Arc::clone(&self.board),
            changes,
            ends: tokio::time::Instant::now() + STREAM_TIME,
            _permit: permit,
        };
        let frames = stream::unfold(events, |mut events| async {
            let text = events.next().await?;
            Some((Ok(Frame::data(Bytes::from(text))), events))
        });
        let mut response = Response::new(StreamBody::new(frames).boxed_unsync());
        let headers = response.headers_mut();
        let kind = HeaderValue::from_static("text/event-stream");
        headers.insert(CONTENT_TYPE, kind);
        of_page(response)
    }

    fn metrics(&self, headers: &HeaderMap) -> Response<Body> {
        let format = accepted(headers);
        let mut response = match self.metrics.text(format) {
            Some(text) => respond(StatusCode::OK, format.content_type(), text),
            None => plain(StatusCode::INTERNAL_SERVER_ERROR, ""),
        };
        let headers = response.headers_mut();
        headers.insert(VARY, HeaderValue::from_static("accept"));
        response
    }
}

/// A stream of events.
struct Events {
    board: Arc<Board>,
    changes: watch::Receiver<u64>,
    ends: tokio::time::Instant,
    _permit: OwnedSemaphorePermit,
}

impl Events {
    /// Waits for the next message. Returns `None` at the end.
    async fn next(&mut self) -> Option<String> {
        tokio::select! {
            changed = self.changes.changed() => {
                changed.ok()?;
                let version = *self.changes.borrow_and_update();
                let version = self.board.version(version);
                Some(format!("retry: 1000\nevent: pass\ndata: {version}\n\n"))
            }
            () = tokio::time::sleep_until(self.ends) => None,
            () = tokio::time::sleep(SIGN_OF_LIFE) => Some(":\n\n".to_owned()),
        }
    }
}

fn plain(status: StatusCode, text: impl Into<Bytes>) -> Response<Body> {
    respond(status, TEXT, text)
}

fn respond(status: StatusCode, kind: &'static str, text: impl Into<Bytes>) -> Response<Body> {
    let mut response = Response::new(Full::new(text.into()).boxed_unsync());
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

/// Adds the headers of everything that shows the account: no other site may use it, and nothing stores it.
fn of_page(mut response: Response<Body>) -> Response<Body> {
    let headers = response.headers_mut();
    for (name, value) in [
        (CACHE_CONTROL, "no-store"),
        (REFERRER_POLICY, "no-referrer"),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (
            HeaderName::from_static("cross-origin-resource-policy"),
            "same-origin",
        ),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}

/// Returns the format that the headers ask for. Several lines count as one list.
fn accepted(headers: &HeaderMap) -> Format {
    let lines = headers.get_all(ACCEPT).iter();
    let lines: Vec<&str> = lines.filter_map(|line| line.to_str().ok()).collect();
    Format::of_accept(&lines.join(","))
}
