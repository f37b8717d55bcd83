//! Deliveries over HTTP.
//!
//! # Guarantees
//! A host is resolved once, all of its addresses are checked, and the connection goes to a checked address, so that a name
//! cannot change its address in between. Redirects are not followed, and no proxy is used. Only the beginning of a response
//! is read.

use std::error::Error as _;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use url::Host;

use super::destination::{Destinations, Refusal};
use super::options::{DeliveryOptions, Outcome, Sender, Sending, Shipment};

/// The maximum number of bytes that are read of a response.
const READ_LIMIT: usize = 64 * 1024;

/// Sends deliveries over HTTP, to permitted destinations only.
#[derive(Debug)]
pub struct HttpSender {
    destinations: Destinations,
}

impl HttpSender {
    /// Creates a sender to these destinations.
    pub fn new(destinations: Destinations) -> Self {
        // Fails if the process has installed a provider already, which is then used.
        let _ = rustls::crypto::ring::default_provider().install_default();
        Self { destinations }
    }

    async fn exchange(&self, shipment: &Shipment) -> Outcome {
        match tokio::time::timeout(shipment.timeout, self.attempt(shipment)).await {
            Ok(outcome) => outcome,
            Err(_) => Outcome::Unanswered {
                error: timed_out(shipment.timeout),
            },
        }
    }

    async fn attempt(&self, shipment: &Shipment) -> Outcome {
        let refused = |refusal: &Refusal| Outcome::NotSent {
            error: refusal.to_string(),
        };
        let Ok(url) = reqwest::Url::parse(&shipment.url) else {
            return refused(&Refusal::Url);
        };
        let (Some(host), Some(port)) = (url.host(), url.port_or_known_default()) else {
            return refused(&Refusal::Url);
        };
        let name = host.to_string();
        let addresses = match resolved(&host, port).await {
            Ok(addresses) => addresses,
            // A name of this machine does not need a server that may be down.
            Err(_) if !self.destinations.names(&name) => {
                return refused(&Refusal::NoAddress { host: name });
            }
            Err(error) => {
                let error = format!("could not resolve '{name}': {error}");
                return Outcome::Unanswered { error };
            }
        };
        let all: Vec<IpAddr> = addresses.iter().map(SocketAddr::ip).collect();
        if let Err(refusal) = self.destinations.check(&name, &all) {
            return refused(&refusal);
        }
        let sent = send(url.clone(), &name, &addresses, shipment).await;
        sent.unwrap_or_else(|error| Outcome::Unanswered {
            error: described(error, shipment.timeout),
        })
    }
}

impl DeliveryOptions {
    /// Returns options that deliver over HTTP, in real time, to these destinations.
    pub fn over_http(destinations: Destinations) -> Self {
        Self {
            sender: Arc::new(HttpSender::new(destinations.clone())),
            destinations,
            retry_delay: None,
            resumes: false,
            now: Arc::new(Timestamp::now),
            chance: Arc::new(|| {
                let drawn = getrandom::u32().unwrap_or_default();
                f64::from(drawn) / f64::from(u32::MAX)
            }),
        }
    }
}

impl Sender for HttpSender {
    fn send<'a>(&'a self, shipment: &'a Shipment) -> Sending<'a> {
        Box::pin(self.exchange(shipment))
    }
}

async fn resolved(host: &Host<&str>, port: u16) -> std::io::Result<Vec<SocketAddr>> {
    match host {
        Host::Domain(name) => Ok(tokio::net::lookup_host((*name, port)).await?.collect()),
        Host::Ipv4(address) => Ok(vec![SocketAddr::new(IpAddr::V4(*address), port)]),
        Host::Ipv6(address) => Ok(vec![SocketAddr::new(IpAddr::V6(*address), port)]),
    }
}

/// Sends the request to one of the checked addresses, on a connection of its own.
async fn send(
    url: reqwest::Url,
    name: &str,
    addresses: &[SocketAddr],
    shipment: &Shipment,
) -> Result<Outcome, reqwest::Error> {
    let mut builder = reqwest::Client::builder()
        .user_agent(concat!("hookctl-sandbox/", env!("CARGO_PKG_VERSION")))
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .pool_max_idle_per_host(0)
        .resolve_to_addrs(name, addresses);
    if url.scheme() == "http" {
        // Reading the system's certificates takes longer than the delivery.
        builder = builder.tls_certs_only([]);
    }
    let mut request = builder
        .build()?
        .post(url)
        .header(CONTENT_TYPE, HeaderValue::from_static("application/json"))
        .body(shipment.body.clone());
    if let Some(token) = &shipment.token {
        let Ok(mut value) = HeaderValue::from_str(&format!("Bearer {token}")) else {
            let error = "the token is not a valid header".to_owned();
            return Ok(Outcome::NotSent { error });
        };
        value.set_sensitive(true);
        request = request.header(AUTHORIZATION, value);
    }
    let mut response = request.send().await?;
    let status = response.status().as_u16();
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await? {
        body.extend_from_slice(&chunk);
        if body.len() >= READ_LIMIT {
            body.truncate(READ_LIMIT);
            break;
        }
    }
    let body = String::from_utf8_lossy(&body).into_owned();
    Ok(Outcome::Answered { status, body })
}

fn timed_out(timeout: Duration) -> String {
    format!("no response within {} s", timeout.as_secs())
}

/// Describes an error by its innermost cause, without the URL.
fn described(error: reqwest::Error, timeout: Duration) -> String {
    if error.is_timeout() {
        return timed_out(timeout);
    }
    let prefix = if error.is_connect() {
        "could not connect: "
    } else {
        ""
    };
    let error = error.without_url();
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        text = inner.to_string();
        cause = inner.source();
    }
    format!("{prefix}{text}")
}
