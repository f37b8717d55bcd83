//! The HTTP client of object_store: the one that requests to the API use, too.

use std::error::Error as _;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::Duration;

use async_trait::async_trait;
use hookctl_core::api_url::ApiBaseUrl;
use hookctl_core::secret::Filter;
use http::header::{CONTENT_LENGTH, HeaderValue};
use http_body_util::BodyExt as _;
use object_store::ClientOptions;
use object_store::client::{
    HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest, HttpResponse, HttpService,
};
use url::{Host, Url};

use crate::failure::{Failure, Refusal};
use crate::options::{ObjectError, ObjectOptions};

/// The maximum size of a response, in bytes.
const BODY_LIMIT: usize = 16 * 1024 * 1024;
/// The most time for the credentials of a machine, which has a service nearby or none.
const METADATA_TIMEOUT: Duration = Duration::from_secs(2);
/// How long an idle connection is kept. Stores close theirs after about 20 s, and a request that they then do not answer
/// is one whose outcome must be read back.
const IDLE: Duration = Duration::from_secs(15);
/// The header of each request for the credentials of a machine or an app of Azure, and the one that proves that the app
/// sends it.
const METADATA_HEADER: &str = "metadata";
const IDENTITY_HEADER: &str = "x-identity-header";

/// Marks the requests for objects.
#[derive(Clone, Copy, Debug)]
pub(crate) struct OfObject;

/// What variables say about the credentials of machines.
#[derive(Default)]
pub(crate) struct Metadata {
    /// The authority of a service elsewhere than usual.
    pub(crate) authority: Option<String>,
    /// A header that proves to Azure that the request comes from the app.
    pub(crate) identity: Option<HeaderValue>,
}

/// The client. Clones share connections.
#[derive(Clone)]
pub(crate) struct Client(Arc<Inner>);

struct Inner {
    /// Over TLS. Set up when first used, since reading the certificates of the system takes time.
    tls: OnceLock<Option<reqwest::Client>>,
    plain: reqwest::Client,
    connect_timeout: Duration,
    request_timeout: Duration,
    proxy: bool,
    metadata: Metadata,
    metadata_responded: AtomicBool,
    mask: RwLock<Filter>,
}

/// How a request is sent.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Route {
    Tls,
    Loopback,
    Metadata,
}

impl Client {
    /// Creates a connection pool, without sending anything.
    pub(crate) fn new(
        options: &ObjectOptions,
        metadata: Metadata,
        mask: Filter,
    ) -> Result<Self, ObjectError> {
        // Fails if the process has installed a provider already, which is then used.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let endpoint = options.endpoint.as_ref();
        let near = endpoint.is_some_and(ApiBaseUrl::is_loopback);
        let plain = builder(options.connect_timeout, options.request_timeout)
            .no_proxy()
            .tls_certs_only([])
            .build()
            .map_err(|source| ObjectError::Client { source })?;
        let client = Self(Arc::new(Inner {
            tls: OnceLock::new(),
            plain,
            connect_timeout: options.connect_timeout,
            request_timeout: options.request_timeout,
            proxy: options.proxy && !near,
            metadata,
            metadata_responded: AtomicBool::new(false),
            mask: RwLock::new(mask),
        }));
        if endpoint.is_none_or(ApiBaseUrl::is_https) {
            let tls = client.0.tls_client();
            let tls = tls.map_err(|source| ObjectError::Client { source })?;
            let _ = client.0.tls.set(Some(tls));
        }
        Ok(client)
    }

    /// Returns the secrets that no message may contain.
    pub(crate) fn mask(&self) -> RwLockReadGuard<'_, Filter> {
        self.0.mask.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the secrets that no message may contain, to add some.
    pub(crate) fn mask_mut(&self) -> RwLockWriteGuard<'_, Filter> {
        self.0.mask.write().unwrap_or_else(PoisonError::into_inner)
    }

    async fn send(&self, request: HttpRequest) -> Result<HttpResponse, Failure> {
        let inner = &*self.0;
        let (parts, body) = request.into_parts();
        let url = Url::parse(&parts.uri.to_string());
        let url = url.map_err(|error| Failure::Broken(error.to_string()))?;
        let route = inner.route(&url)?;
        let client = inner.client(route)?;
        let body = body.collect().await;
        let body = body.map_err(|error| Failure::Broken(error.to_string()))?;
        let mut request = reqwest::Request::new(parts.method, url);
        *request.headers_mut() = parts.headers;
        *request.body_mut() = Some(body.to_bytes().into());
        if request.headers().contains_key(METADATA_HEADER) {
            // object_store takes the header from the process environment.
            request.headers_mut().remove(IDENTITY_HEADER);
            if let Some(value) = &inner.metadata.identity {
                request.headers_mut().insert(IDENTITY_HEADER, value.clone());
            }
        }
        if route == Route::Metadata {
            *request.timeout_mut() = Some(METADATA_TIMEOUT.min(inner.request_timeout));
        }
        let responded = client.execute(request).await;
        let mut response = responded.map_err(|error| inner.unanswered(error, route))?;
        if route == Route::Metadata {
            inner.metadata_responded.store(true, Ordering::Relaxed);
        }
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(broken)? {
            if body.len() + chunk.len() > BODY_LIMIT {
                return Err(Failure::TooLarge);
            }
            body.extend_from_slice(&chunk);
        }
        let status = response.status();
        if !status.is_success() {
            let of_object = parts.extensions.get::<OfObject>().is_some();
            let headers = response.headers();
            return Err(Refusal::read(status, headers, &body, of_object, &self.mask()).into());
        }
        let mut answer = HttpResponse::new(Vec::new().into());
        *answer.status_mut() = status;
        *answer.headers_mut() = std::mem::take(response.headers_mut());
        // Missing if the response came in chunks.
        answer
            .headers_mut()
            .insert(CONTENT_LENGTH, body.len().into());
        *answer.body_mut() = body.into();
        Ok(answer)
    }
}

impl Inner {
    fn tls_client(&self) -> Result<reqwest::Client, reqwest::Error> {
        let builder = builder(self.connect_timeout, self.request_timeout).https_only(true);
        if self.proxy {
            builder
        } else {
            builder.no_proxy()
        }
        .build()
    }

    fn client(&self, route: Route) -> Result<&reqwest::Client, Failure> {
        if route != Route::Tls {
            return Ok(&self.plain);
        }
        let client = self.tls.get_or_init(|| self.tls_client().ok());
        client
            .as_ref()
            .ok_or_else(|| Failure::Broken("could not set up TLS".to_owned()))
    }

    fn route(&self, url: &Url) -> Result<Route, Failure> {
        let host = url.host();
        match host {
            _ if url.scheme() == "https" => Ok(Route::Tls),
            _ if self.metadata.authority.as_deref() == Some(url.authority()) => Ok(Route::Metadata),
            Some(Host::Ipv4(address)) if address.is_loopback() => Ok(Route::Loopback),
            Some(Host::Ipv6(address)) if address.is_loopback() => Ok(Route::Loopback),
            Some(Host::Domain("localhost")) => Ok(Route::Loopback),
            Some(Host::Ipv4(address)) if address.is_link_local() => Ok(Route::Metadata),
            // fd00:ec2::/32 of AWS.
            Some(Host::Ipv6(address)) if address.octets().starts_with(&[0xfd, 0, 0x0e, 0xc2]) => {
                Ok(Route::Metadata)
            }
            Some(Host::Domain("metadata.google.internal" | "metadata")) => Ok(Route::Metadata),
            found => Err(Failure::PlainHttp(
                found.map(|found| found.to_string()).unwrap_or_default(),
            )),
        }
    }

    fn unanswered(&self, error: reqwest::Error, route: Route) -> Failure {
        if route == Route::Metadata && !self.metadata_responded.load(Ordering::Relaxed) {
            Failure::NoMetadata
        } else {
            broken(error)
        }
    }
}

fn builder(connect_timeout: Duration, request_timeout: Duration) -> reqwest::ClientBuilder {
    reqwest::Client::builder()
        .user_agent(concat!("hookctl/", env!("CARGO_PKG_VERSION")))
        .redirect(reqwest::redirect::Policy::none())
        .connect_timeout(connect_timeout)
        .timeout(request_timeout)
        .pool_idle_timeout(IDLE)
}

fn broken(error: reqwest::Error) -> Failure {
    if error.is_timeout() {
        return Failure::TimedOut;
    }
    // The URL can be signed, and the innermost cause is the most specific.
    let error = error.without_url();
    let mut cause = error.source();
    let mut text = error.to_string();
    while let Some(inner) = cause {
        text = inner.to_string();
        cause = inner.source();
    }
    Failure::Broken(text)
}

impl fmt::Debug for Client {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Client").finish_non_exhaustive()
    }
}

impl HttpConnector for Client {
    fn connect(&self, _: &ClientOptions) -> object_store::Result<HttpClient> {
        Ok(HttpClient::new(self.clone()))
    }
}

#[async_trait]
impl HttpService for Client {
    async fn call(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        // Of a kind that is never retried.
        let failed = |failure| HttpError::new(HttpErrorKind::Unknown, failure);
        self.send(request).await.map_err(failed)
    }
}

#[cfg(test)]
mod tests {
    use hookctl_core::record::RecordUrl;

    use super::*;

    #[test]
    fn plain_http_reaches_this_machine_and_metadata_services_only() {
        let url = RecordUrl::parse("s3://bucket/x").unwrap();
        let options = ObjectOptions::new(url, "v1/a".to_owned(), Vec::new());
        let metadata = Metadata {
            authority: Some("metadata.test:81".to_owned()),
            ..Metadata::default()
        };
        let client = Client::new(&options, metadata, Filter::new()).unwrap();
        let route = |url: &str| client.0.route(&Url::parse(url).unwrap()).ok();
        for url in [
            "https://a.example",
            "https://127.0.0.1",
            "https://169.254.169.254",
        ] {
            assert!(route(url) == Some(Route::Tls), "{url}");
        }
        for url in ["http://127.0.0.1:1", "http://[::1]:1", "http://localhost"] {
            assert!(route(url) == Some(Route::Loopback), "{url}");
        }
        for url in [
            "http://169.254.169.254",
            "http://169.254.170.2/x",
            "http://[fd00:ec2::254]",
            "http://metadata.google.internal",
            "http://metadata.test:81/x",
        ] {
            assert!(route(url) == Some(Route::Metadata), "{url}");
        }
        for url in [
            "http://a.example",
            "http://10.0.0.1",
            "http://[fd00::1]",
            "http://metadata.test",
            "http://x.localhost",
        ] {
            assert!(route(url).is_none(), "{url}");
        }
        assert!(!format!("{client:?}").contains("mask"));
    }
}
