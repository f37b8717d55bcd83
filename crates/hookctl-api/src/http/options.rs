//! Where the API is and how it is talked to, as values.

use std::time::Duration;

use super::retry::RetryPolicy;
use hookctl_core::secret::{Followed, Secret};

/// Where the API is and how it is talked to.
#[derive(Debug)]
pub struct HttpOptions {
    /// The base URL, without a trailing `/` and without `/workflows`.
    pub base_url: String,
    /// The API key.
    pub api_key: Secret,
    /// Where the API key comes from, for messages.
    pub api_key_source: String,
    /// Sent as `teamid`.
    pub team_id: Option<String>,
    /// Sent as `uuid`.
    pub user_id: Option<String>,
    /// How long a connection may take. A request is sent only after it, so it may take no longer than the settle horizon of
    /// the writes allows.
    pub connect_timeout: Duration,
    /// How long a request may take, its answer included.
    pub request_timeout: Duration,
    /// Whether plain http is refused.
    pub https_only: bool,
    /// The most requests at once; at least 1.
    pub concurrency: usize,
    /// The most requests per second.
    pub requests_per_second: Option<f64>,
    /// How failures are retried.
    pub retry: RetryPolicy,
    /// Whether the system's proxy settings hold.
    pub proxy: ProxyUse,
    /// The secrets that no answer may bring as an id, beside the API key and the token that is sent: an id is shown, kept,
    /// and sent again.
    pub followed: Followed,
}

impl HttpOptions {
    /// The usual options for a base URL and a key: 10 s to connect, 30 s per request, 16 at once.
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
        }
    }
}

/// Whether the system's proxy settings hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProxyUse {
    /// `HTTPS_PROXY` and its kin are honoured.
    System,
    /// They are not: for an API on this machine.
    None,
}

/// Why there is no client.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The API key, the team, or the user holds a character that no header may hold.
    #[error("the {what} holds a character that cannot be sent in a header")]
    Header {
        /// Which.
        what: &'static str,
    },
    /// The environment names a proxy that cannot be used.
    #[error("the proxy in {variable} is not an http or https address")]
    Proxy {
        /// The variable; its value may hold a password.
        variable: &'static str,
    },
    /// The HTTP client could not be set up.
    #[error("could not set up the HTTP client")]
    Build {
        /// Why.
        source: reqwest::Error,
    },
}

/// How many requests went out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RequestStats {
    /// Requests, retries included.
    pub requests: u64,
    /// Retries.
    pub retries: u64,
}
