//! Transports of requests: the network, or a replacement.

use std::error::Error;
use std::fmt;
use std::future::Future;
use std::io;
use std::sync::{Mutex, PoisonError};

use reqwest::Method;
use reqwest::header::{ACCEPT_ENCODING, AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue};
use rustls::CertificateError;

use hookctl_core::record::SendPermit;
use url::Url;

use super::body::RequestBody;
use super::options::{ClientError, HttpOptions, ProxyUse};
use super::permitted_body::{PermittedBody, is_withdrawn};

/// The maximum size of a response, in bytes. A page of 300 webhooks with fields of maximum length has about 3 MiB.
const BODY_LIMIT: usize = 16 * 1024 * 1024;

/// Sends one request and reads its complete response, without retries or evaluation.
pub trait Transport: Send + Sync {
    /// Sends one request. Checks the permit right before the request leaves the process, because the process may have
    /// been stopped since it was given.
    ///
    /// # Errors
    /// Returns [`NoAnswer`] if no complete response arrived.
    fn exchange(
        &self,
        request: Outgoing<'_>,
        permit: &SendPermit,
    ) -> impl Future<Output = Result<Answer, NoAnswer>> + Send;
}

/// A request. The transport adds the API key.
#[derive(Clone, Copy, Debug)]
pub struct Outgoing<'a> {
    /// The method.
    pub verb: Verb,
    /// The complete URL.
    pub url: &'a str,
    /// The JSON body, if any.
    pub body: Option<&'a RequestBody>,
}

/// The HTTP methods of the API.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verb {
    /// GET
    Get,
    /// POST
    Post,
    /// PATCH
    Patch,
    /// DELETE
    Delete,
}

impl Verb {
    /// Returns the name of the method.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
            Self::Patch => "PATCH",
            Self::Delete => "DELETE",
        }
    }
}

/// A complete response.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// The headers whose values are text, with names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

impl Answer {
    /// Returns the value of a header, by its name in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(known, _)| known == name)
            .map(|(_, value)| value.as_str())
    }
}

/// The error of an attempt without a complete response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoAnswer {
    /// What is known of the request.
    pub fate: Fate,
    /// A description of the failure.
    pub reason: String,
}

/// What is known of a request without a complete response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It certainly never reached the API.
    NeverSent,
    /// It was not sent, because the certificate of the server is not trusted. Further attempts would fail in the same way.
    Untrusted {
        /// Whether the authority that issued the certificate is unknown.
        unknown_issuer: bool,
    },
    /// It may have been processed.
    Unknown,
}

/// The transport over the network.
pub struct Network {
    client: reqwest::Client,
    /// The last URL with its parsed form, since consecutive requests often share it.
    latest: Mutex<Option<(String, Url)>>,
}

impl fmt::Debug for Network {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The client contains the API key.
        formatter.debug_struct("Network").finish_non_exhaustive()
    }
}

impl Network {
    /// Creates a connection pool, without sending anything.
    ///
    /// # Errors
    /// Returns [`ClientError`] if the key is not a valid header, or TLS cannot be set up.
    pub(super) fn new(options: &HttpOptions) -> Result<Self, ClientError> {
        // Fails if the process has installed a provider already, which is then used.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let header = |what: &'static str, text: &str| {
            HeaderValue::from_str(text).map_err(|_| ClientError::Header { what })
        };
        let mut authorization = header("API key", &format!("Bearer {}", options.api_key.expose()))?;
        authorization.set_sensitive(true);
        let identity = HeaderValue::from_static("identity");
        let mut headers =
            HeaderMap::from_iter([(AUTHORIZATION, authorization), (ACCEPT_ENCODING, identity)]);
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
            if options.base_url.starts_with("http://") {
                // Nothing uses TLS, since redirects are not followed. Reading the system's certificates takes longer
                // than syncing a few webhooks.
                builder = builder.tls_certs_only([]);
            }
        }
        let client = builder
            .build()
            .map_err(|source| ClientError::Build { source })?;
        Ok(Self {
            client,
            latest: Mutex::default(),
        })
    }

    fn parsed(&self, text: &str) -> Result<Url, NoAnswer> {
        let mut latest = self.latest.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((known, url)) = &*latest
            && known == text
        {
            return Ok(url.clone());
        }
        let url = Url::parse(text).map_err(|error| NoAnswer {
            fate: Fate::NeverSent,
            reason: error.to_string(),
        })?;
        *latest = Some((text.to_owned(), url.clone()));
        Ok(url)
    }
}

impl Transport for Network {
    async fn exchange(
        &self,
        request: Outgoing<'_>,
        permit: &SendPermit,
    ) -> Result<Answer, NoAnswer> {
        let method = match request.verb {
            Verb::Get => Method::GET,
            Verb::Post => Method::POST,
            Verb::Patch => Method::PATCH,
            Verb::Delete => Method::DELETE,
        };
        let mut builder = self.client.request(method, self.parsed(request.url)?);
        if let Some(body) = request.body {
            builder = builder
                .header(CONTENT_TYPE, HeaderValue::from_static("application/json"))
                .body(PermittedBody::of(body.shared(), permit));
        }
        let mut response = builder.send().await.map_err(no_answer)?;
        let headers = response
            .headers()
            .iter()
            .filter_map(|(name, value)| {
                Some((name.as_str().to_owned(), value.to_str().ok()?.to_owned()))
            })
            .collect();
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(no_answer)? {
            if body.len() + chunk.len() > BODY_LIMIT {
                return Err(NoAnswer {
                    fate: Fate::Unknown,
                    reason: "the response exceeds 16 MiB".to_owned(),
                });
            }
            body.extend_from_slice(&chunk);
        }
        Ok(Answer {
            status: response.status().as_u16(),
            headers,
            body,
        })
    }
}

fn no_answer(error: reqwest::Error) -> NoAnswer {
    if let Some(error) = certificate_error(&error) {
        // An authority with the name of a trusted one, as after its renewal, has another signature.
        let unknown_issuer = matches!(
            error,
            CertificateError::UnknownIssuer | CertificateError::BadSignature
        );
        return NoAnswer {
            fate: Fate::Untrusted { unknown_issuer },
            reason: error.to_string(),
        };
    }
    let never_sent = error.is_connect() || error.is_builder() || is_withdrawn(&error);
    let fate = if never_sent {
        Fate::NeverSent
    } else {
        Fate::Unknown
    };
    let reason = if error.is_timeout() {
        "timed out".to_owned()
    } else {
        // The URL is known, and the innermost cause is the most specific.
        let error = error.without_url();
        let mut cause = error.source();
        let mut text = error.to_string();
        while let Some(inner) = cause {
            text = inner.to_string();
            cause = inner.source();
        }
        text
    };
    NoAnswer { fate, reason }
}

/// Returns why the certificate of the server is not trusted, if that is the cause of an error.
fn certificate_error(error: &reqwest::Error) -> Option<&CertificateError> {
    let mut cause: Option<&(dyn Error + 'static)> = Some(error);
    while let Some(error) = cause {
        if let Some(rustls::Error::InvalidCertificate(error)) = error.downcast_ref() {
            return Some(error);
        }
        // An I/O error with a cause skips it in its `source`.
        let inner = error.downcast_ref().and_then(io::Error::get_ref);
        cause = match inner {
            Some(inner) => Some(inner),
            None => error.source(),
        };
    }
    None
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;

    use super::*;
    use hookctl_core::secret::Secret;

    /// Requests a body of so many bytes, without `Content-Length`.
    async fn answered(bytes: usize) -> Result<Answer, NoAnswer> {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move {
            let (mut connection, _) = listener.accept().await.unwrap();
            let mut head = [0; 4096];
            let _ = connection.read(&mut head).await;
            let _ = connection.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await;
            let chunk = vec![b' '; 1024 * 1024];
            let mut left = bytes;
            while left > 0 {
                let part = left.min(chunk.len());
                if connection.write_all(&chunk[..part]).await.is_err() {
                    return;
                }
                left -= part;
            }
        });
        let key = Secret::new("a-key".to_owned()).unwrap();
        let network = Network::new(&HttpOptions {
            https_only: false,
            proxy: ProxyUse::None,
            ..HttpOptions::new(url.clone(), key, "the test".to_owned())
        });
        let request = Outgoing {
            verb: Verb::Get,
            url: &url,
            body: None,
        };
        network
            .unwrap()
            .exchange(request, &SendPermit::lasting())
            .await
    }

    #[tokio::test]
    async fn an_answer_is_read_up_to_its_limit() {
        assert_eq!(answered(BODY_LIMIT).await.unwrap().body.len(), BODY_LIMIT);
        let error = answered(BODY_LIMIT + 1).await.unwrap_err();
        assert_eq!(error.reason, "the response exceeds 16 MiB");
        assert_eq!(error.fate, Fate::Unknown);
    }
}
