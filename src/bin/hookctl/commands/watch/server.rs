//! The HTTP server of a watch: metrics, and the probes of its health and readiness.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::{ACCEPT, CONTENT_TYPE, HeaderMap, HeaderValue, VARY};
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::exposition::Format;
use super::metrics::Metrics;
use crate::error::CommandError;
use crate::ui::Ui;

/// The most concurrent connections.
const MOST_CONNECTIONS: usize = 64;

/// How long the head of a request may take.
const HEADER_TIME: Duration = Duration::from_secs(5);

/// How long a connection may last.
const CONNECTION_TIME: Duration = Duration::from_secs(30);

/// A running server. Dropping it stops it.
pub(super) struct Server(#[expect(dead_code, reason = "dropping it ends its tasks")] JoinSet<()>);

/// Serves the metrics at an address, and prints it.
pub(super) async fn serve(
    ui: &Ui,
    address: SocketAddr,
    metrics: Arc<Metrics>,
) -> Result<Server, CommandError> {
    let failed = |error: std::io::Error| {
        CommandError::new(
            "metrics",
            format!("could not serve metrics at {address}: {error}"),
        )
        .hint("choose another address for --metrics")
    };
    let listener = TcpListener::bind(address).await.map_err(failed)?;
    let address = listener.local_addr().map_err(failed)?;
    ui.remark(&format!("metrics at http://{address}/metrics\n"));
    let mut tasks = JoinSet::new();
    tasks.spawn(async move {
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
            let metrics = Arc::clone(&metrics);
            connections.spawn(async move {
                let service = hyper::service::service_fn(|request: Request<Incoming>| {
                    let response = answer(&metrics, &request);
                    async move { Ok::<_, Infallible>(response) }
                });
                let connection = hyper::server::conn::http1::Builder::new()
                    .timer(TokioTimer::new())
                    .header_read_timeout(HEADER_TIME)
                    .keep_alive(false)
                    .serve_connection(TokioIo::new(stream), service);
                // A broken or slow connection only affects its scraper.
                let _ = tokio::time::timeout(CONNECTION_TIME, connection).await;
                drop(permit);
            });
        }
    });
    Ok(Server(tasks))
}

fn answer(metrics: &Metrics, request: &Request<Incoming>) -> Response<Full<Bytes>> {
    const TEXT: &str = "text/plain; charset=utf-8";
    let (status, kind, text) = match (request.method(), request.uri().path()) {
        (&Method::GET, "/metrics") => {
            let format = accepted(request.headers());
            match metrics.text(format) {
                Some(text) => (StatusCode::OK, format.content_type(), text),
                None => (StatusCode::INTERNAL_SERVER_ERROR, TEXT, String::new()),
            }
        }
        (&Method::GET, "/healthz") => (StatusCode::OK, TEXT, "ok\n".to_owned()),
        (&Method::GET, "/readyz") => match metrics.obstacle(Instant::now()) {
            None => (StatusCode::OK, TEXT, "ok\n".to_owned()),
            Some(obstacle) => (
                StatusCode::SERVICE_UNAVAILABLE,
                TEXT,
                format!("{obstacle}\n"),
            ),
        },
        _ => (StatusCode::NOT_FOUND, TEXT, "not found\n".to_owned()),
    };
    let mut response = Response::new(Full::new(Bytes::from(text)));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(VARY, HeaderValue::from_static("accept"));
    response
}

/// Returns the format that the headers ask for. Several lines count as one list.
fn accepted(headers: &HeaderMap) -> Format {
    let lines = headers.get_all(ACCEPT).iter();
    let lines: Vec<&str> = lines.filter_map(|line| line.to_str().ok()).collect();
    Format::of_accept(&lines.join(","))
}
