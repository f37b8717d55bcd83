//! The HTTP server of a watch: connections, and their limits.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use hyper::Request;
use hyper::body::Incoming;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::site::{STREAM_TIME, Site};
use crate::error::CommandError;
use crate::ui::Ui;

/// The most concurrent connections.
const MOST_CONNECTIONS: usize = 64;

/// How long the head of a request may take.
const HEADER_TIME: Duration = Duration::from_secs(5);

/// How long a connection may last, apart from one that events are sent over.
const CONNECTION_TIME: Duration = Duration::from_secs(30);

/// A running server. Dropping it stops it.
pub(super) struct Server(#[expect(dead_code, reason = "dropping it ends its thread")] DropGuard);

/// Serves a site at an address, and prints it. A thread of its own answers, so that the site is there during a pass, which
/// keeps its thread busy.
pub(super) fn serve(ui: &Ui, address: SocketAddr, site: Site) -> Result<Server, CommandError> {
    let failed = |error: std::io::Error| {
        CommandError::new(
            "metrics",
            format!("could not serve HTTP at {address}: {error}"),
        )
        .hint("choose another address for --http")
    };
    let listener = std::net::TcpListener::bind(address).map_err(failed)?;
    let address = listener.local_addr().map_err(failed)?;
    listener.set_nonblocking(true).map_err(failed)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(failed)?;
    let listener = {
        let _entered = runtime.enter();
        TcpListener::from_std(listener).map_err(failed)?
    };
    let stop = CancellationToken::new();
    let stopped = stop.clone();
    let serving = move || {
        runtime.block_on(stopped.run_until_cancelled(accept(&listener, Arc::new(site))));
    };
    std::thread::Builder::new()
        .name("hookctl-http".to_owned())
        .spawn(serving)
        .map_err(failed)?;
    ui.remark(&format!("metrics at http://{address}/metrics\n"));
    if address.ip().is_loopback() {
        ui.remark(&format!("page at http://{address}/\n"));
    }
    Ok(Server(stop.drop_guard()))
}

/// Answers connections, until this is dropped.
async fn accept(listener: &TcpListener, site: Arc<Site>) {
    let mut connections = JoinSet::new();
    let permits = Arc::new(Semaphore::new(MOST_CONNECTIONS));
    loop {
        while connections.try_join_next().is_some() {}
        // Further connections wait in the listener's queue.
        let Ok(permit) = Arc::clone(&permits).acquire_owned().await else {
            return;
        };
        let Ok((stream, _)) = listener.accept().await else {
            tokio::time::sleep(Duration::from_millis(50)).await;
            continue;
        };
        let site = Arc::clone(&site);
        connections.spawn(async move {
            connection(&site, stream).await;
            drop(permit);
        });
    }
}

/// Answers the one request of a connection. A broken or slow connection only affects its client.
async fn connection(site: &Site, stream: TcpStream) {
    let local = stream.local_addr().ok().map(|address| address.ip());
    let is_stream = AtomicBool::new(false);
    let service = hyper::service::service_fn(|request: Request<Incoming>| {
        let is_stream = &is_stream;
        async move {
            let response = site.answer(&request, local).await;
            let is_open = hyper::body::Body::size_hint(response.body())
                .exact()
                .is_none();
            is_stream.store(is_open, Ordering::Relaxed);
            Ok::<_, Infallible>(response)
        }
    });
    let connection = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIME)
        .keep_alive(false)
        .serve_connection(TokioIo::new(stream), service);
    let mut connection = pin!(connection);
    let ended = timeout(CONNECTION_TIME, connection.as_mut()).await;
    if ended.is_err() && is_stream.load(Ordering::Relaxed) {
        let _ = timeout(STREAM_TIME, connection).await;
    }
}
