//! TLS in front of a server that speaks plain HTTP, with the round trips of a network.
//!
//! # Guarantees
//! The front speaks TLS 1.3 with HTTP/1.1 and issues stateless tickets, as most servers do. It forwards bytes and does not
//! know HTTP.
//!
//! # Caveats
//! The latency concerns connections only: a round trip for TCP, and one for TLS. A request has the latency of the server
//! behind the front.

mod certificate;
mod connection;

use std::fmt;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio_rustls::rustls::ServerConfig;

use connection::Connections;

/// The handshakes of a front, by outcome.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Handshakes {
    /// Those with the certificate.
    pub full: usize,
    /// Those that resumed an earlier session.
    pub resumed: usize,
    /// Those that failed, as when the client does not trust the certificate.
    pub failed: usize,
}

/// A running front, which stops on drop. It runs in a thread of its own.
pub struct TlsFront {
    address: SocketAddr,
    authority: String,
    connections: Arc<Connections>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl fmt::Debug for TlsFront {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("TlsFront")
            .field("address", &self.address)
            .finish_non_exhaustive()
    }
}

impl TlsFront {
    /// Starts a front on a free port of this machine, with a new certificate. `behind` is the base URL of the server, such
    /// as `http://127.0.0.1:4010`. Each round trip of a connection takes `latency`.
    pub fn start(behind: &str, latency: Duration) -> Self {
        let behind: SocketAddr = behind
            .trim_start_matches("http://")
            .trim_end_matches('/')
            .parse()
            .unwrap();
        let issued = certificate::issue();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap();
        let connections = Arc::new(Connections::default());
        let (stop, stopped) = oneshot::channel();
        let link = Link {
            behind,
            latency,
            config: Arc::new(issued.config),
            connections: Arc::clone(&connections),
        };
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            runtime.block_on(async {
                let listener = tokio::net::TcpListener::from_std(listener).unwrap();
                tokio::select! {
                    () = accept(listener, link) => {}
                    _ = stopped => {}
                }
            });
        });
        Self {
            address,
            authority: issued.authority,
            connections,
            stop: Some(stop),
            thread: Some(thread),
        }
    }

    /// Returns the base URL.
    pub fn url(&self) -> String {
        format!("https://{}", self.address)
    }

    /// Returns the certificate of the authority that a client must trust, as PEM.
    pub fn authority(&self) -> &str {
        &self.authority
    }

    /// Returns the handshakes so far.
    pub fn handshakes(&self) -> Handshakes {
        self.connections.handshakes()
    }

    /// Closes the connections, as a server closes those that are idle. Returns once the client has closed them too.
    pub fn close_connections(&self) {
        self.connections.close();
    }
}

impl Drop for TlsFront {
    fn drop(&mut self) {
        if let Some(stop) = self.stop.take() {
            let _ = stop.send(());
        }
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// What a connection needs.
#[derive(Clone)]
struct Link {
    behind: SocketAddr,
    latency: Duration,
    config: Arc<ServerConfig>,
    connections: Arc<Connections>,
}

async fn accept(listener: tokio::net::TcpListener, link: Link) {
    loop {
        let Ok((client, _)) = listener.accept().await else {
            continue;
        };
        // Registered here, so that `close_connections` misses none.
        let open = link.connections.open();
        tokio::spawn(connection::serve(client, open, link.clone()));
    }
}
