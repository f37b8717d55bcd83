//! Options of the client.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::retry::RetryPolicy;
use hookctl_core::secret::{Followed, Secret};

/// The address of the API, and options of the client.
#[derive(Debug)]
pub struct HttpOptions {
    /// The base URL, without a trailing `/` and without `/workflows`.
    pub base_url: String,
    /// The API key.
    pub api_key: Secret,
    /// The source of the API key, for messages.
    pub api_key_source: String,
    /// The value of the header `teamid`.
    pub team_id: Option<String>,
    /// The value of the header `uuid`.
    pub user_id: Option<String>,
    /// The time limit of a connection. It must fit into the settle horizon of writes, since a request is sent only after
    /// the connection is established.
    pub connect_timeout: Duration,
    /// The time limit of a request, including its response.
    pub request_timeout: Duration,
    /// Whether plain http is refused.
    pub https_only: bool,
    /// The maximum number of concurrent requests, at least 1.
    pub concurrency: usize,
    /// The maximum number of requests per second. `None` sets no limit.
    pub requests_per_second: Option<f64>,
    /// How failures are retried.
    pub retry: RetryPolicy,
    /// Whether to use the system's proxy settings.
    pub proxy: ProxyUse,
    /// Further secrets that no id in a response may contain, since ids are shown, recorded, and sent.
    pub followed: Followed,
    /// Receives what the client does, for a display.
    pub on_event: OnHttpEvent,
}

impl HttpOptions {
    /// Creates default options: 10 s per connection, 30 s per request, 16 concurrent requests.
    pub fn new(base_url: String, api_key: Secret, api_key_source: String) -> Self {
        Self {
            base_url,
            api_key,
            api_key_source,
            team_id: None,
            user_id: None,
            connect_timeout: Duration::from_secs(10),
            request_timeout: Duration::from_secs(30),
            https_only: true,
            concurrency: 16,
            requests_per_second: None,
            retry: RetryPolicy::default(),
            proxy: ProxyUse::System,
            followed: Followed::default(),
            on_event: OnHttpEvent::default(),
        }
    }
}

/// What a client does while a caller waits for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum HttpEvent {
    /// A request was sent.
    Sent,
    /// A request ended, with or without a response.
    Ended,
    /// A request failed, and is sent again after a pause.
    Waiting {
        /// The pause.
        pause: Duration,
        /// The status of the response. `None` without a response.
        status: Option<u16>,
    },
}

/// A function that receives the events of a client. It must not block.
#[derive(Clone, Default)]
pub struct OnHttpEvent(Option<Arc<dyn Fn(HttpEvent) + Send + Sync>>);

impl OnHttpEvent {
    /// Wraps a function.
    pub fn new(handle: impl Fn(HttpEvent) + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(handle)))
    }

    pub(super) fn emit(&self, event: HttpEvent) {
        if let Some(handle) = &self.0 {
            handle(event);
        }
    }
}

impl fmt::Debug for OnHttpEvent {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("OnHttpEvent")
    }
}

/// Whether to use the system's proxy settings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProxyUse {
    /// Uses `HTTPS_PROXY` and related variables.
    System,
    /// Connects directly, for an API on this machine.
    None,
}

/// Why a client could not be created.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ClientError {
    /// A value contains a character that is invalid in headers.
    #[error("the {what} contains a character that is invalid in a header")]
    Header {
        /// The value: `API key`, `team_id`, or `user_id`.
        what: &'static str,
    },
    /// The environment contains an invalid proxy.
    #[error("the proxy in {variable} is not an http or https address")]
    Proxy {
        /// The name of the variable. Its value may contain a password.
        variable: &'static str,
    },
    /// The HTTP client could not be set up.
    #[error("could not set up the HTTP client")]
    Build {
        /// The error of the HTTP client.
        source: reqwest::Error,
    },
}

/// Counts of requests.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RequestStats {
    /// Requests, including retries.
    pub requests: u64,
    /// Retries.
    pub retries: u64,
}
