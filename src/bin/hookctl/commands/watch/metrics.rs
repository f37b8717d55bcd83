//! The metrics of a watch, and the server for them.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use hookctl::plan::Cause;
use hookctl::reconcile::PassReport;
use hookctl::report::Outcome;
use hookctl::watch::{Ended, Reason};
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Registry, Unit};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::readiness::{Input, Readiness};
use super::unreadable;
use crate::error::CommandError;
use crate::ui::Ui;

type Labels = Vec<(&'static str, String)>;

/// Counts of requests, by method and status.
type Counts = BTreeMap<(&'static str, Option<u16>), u64>;

/// The buckets of the pass histogram, in seconds: from one local list to a large apply.
const SECONDS: [f64; 10] = [0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 30.0, 120.0];

/// The most concurrent connections.
const MOST_CONNECTIONS: usize = 64;

/// How long the head of a request may take.
const HEADER_TIME: Duration = Duration::from_secs(5);

/// How long a connection may last.
const CONNECTION_TIME: Duration = Duration::from_secs(30);

/// The metrics.
pub(super) struct Metrics {
    registry: Registry,
    passes: Family<Labels, Counter>,
    seconds: Histogram,
    webhooks: Family<Labels, Gauge>,
    pending: Gauge,
    drift: Counter,
    requests: Family<Labels, Counter>,
    /// The client's counts at the last update.
    known: Mutex<Counts>,
    last_success: Gauge<f64, AtomicU64>,
    valid: Family<Labels, Gauge>,
    readiness: Readiness,
}

impl Metrics {
    pub(super) fn new() -> Self {
        let mut registry = Registry::with_prefix("hookctl");
        let passes = Family::default();
        registry.register("passes", "Passes, by reason and result", passes.clone());
        let seconds = Histogram::new(SECONDS);
        registry.register_with_unit("pass", "Duration of passes", Unit::Seconds, seconds.clone());
        let webhooks = Family::default();
        registry.register(
            "webhooks",
            "Webhooks by status, after the last pass",
            webhooks.clone(),
        );
        let pending = Gauge::default();
        registry.register(
            "pending_changes",
            "Changes that have not been applied",
            pending.clone(),
        );
        let drift = Counter::default();
        registry.register(
            "drift_found",
            "Fields that another writer changed at the API",
            drift.clone(),
        );
        let requests = Family::default();
        registry.register(
            "api_requests",
            "Requests to the API, by method and status; status 0 is a request without a response",
            requests.clone(),
        );
        let last_success = Gauge::<f64, AtomicU64>::default();
        registry.register_with_unit(
            "last_success_timestamp",
            "Time of the last successful pass, in seconds since 1970",
            Unit::Seconds,
            last_success.clone(),
        );
        let valid = Family::<Labels, Gauge>::default();
        registry.register(
            "files_valid",
            "Whether the files are valid: 1 or 0; while they are invalid, the last valid state stays applied",
            valid.clone(),
        );
        for input in Input::ALL {
            let labels = vec![("files", input.as_str().to_owned())];
            valid.get_or_create(&labels).set(1);
        }
        let build = Info::new(vec![("version", env!("CARGO_PKG_VERSION"))]);
        registry.register("build", "Version of the program", build);
        Self {
            registry,
            passes,
            seconds,
            webhooks,
            pending,
            drift,
            requests,
            known: Mutex::default(),
            last_success,
            valid,
            readiness: Readiness::default(),
        }
    }

    /// Records the end of a pass.
    pub(super) fn pass(&self, reason: Reason, ended: Ended, took: Duration) {
        let result = match ended {
            Ended::Complete => "success",
            Ended::Incomplete => "failure",
        };
        let labels = vec![
            ("reason", reason.as_str().to_owned()),
            ("result", result.to_owned()),
        ];
        self.passes.get_or_create(&labels).inc();
        self.seconds.observe(took.as_secs_f64());
        if ended == Ended::Complete {
            self.readiness.passed();
            let now = jiff::Timestamp::now().as_duration();
            self.last_success.set(now.as_secs_f64());
        }
    }

    /// Records the results of a pass.
    pub(super) fn report(&self, report: &PassReport, held: usize) {
        let failed = report
            .results()
            .iter()
            .filter(|result| !matches!(result.outcome, Outcome::Applied { .. }))
            .count();
        let applied = report.results().len() - failed;
        let counts = [
            ("in_sync", report.plan.unchanged.len() + applied),
            ("failed", failed),
            ("orphan", report.plan.orphans.len()),
            ("unmanaged", report.plan.unmanaged.len()),
            ("unreadable", unreadable::of_plan(&report.plan).len()),
            ("held", held),
        ];
        for (status, count) in counts {
            let labels = vec![("status", status.to_owned())];
            self.webhooks.get_or_create(&labels).set(number(count));
        }
        self.pending.set(number(failed + held));
        let drifted = report
            .plan
            .actions
            .iter()
            .flat_map(|planned| &planned.changes)
            .filter(|change| change.cause() == Cause::Drift)
            .count();
        self.drift.inc_by(drifted as u64);
    }

    /// Records whether an input is valid.
    pub(super) fn read(&self, input: Input, is_valid: bool) {
        let labels = vec![("files", input.as_str().to_owned())];
        self.valid.get_or_create(&labels).set(i64::from(is_valid));
        self.readiness.read(input, is_valid, Instant::now());
    }

    /// Records the webhooks whose drift was not corrected.
    pub(super) fn left(&self, count: usize) {
        let labels = vec![("status", "drifted".to_owned())];
        self.webhooks.get_or_create(&labels).set(number(count));
    }

    /// Adds the client's counts. Returns the requests since the last update.
    pub(super) fn requests(&self, counted: &Counts) -> u64 {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let mut fresh = 0;
        for ((method, status), count) in counted {
            let before = known.get(&(*method, *status)).copied().unwrap_or_default();
            let labels = vec![
                ("method", (*method).to_owned()),
                ("status", status.unwrap_or_default().to_string()),
            ];
            let more = count.saturating_sub(before);
            self.requests.get_or_create(&labels).inc_by(more);
            fresh += more;
        }
        known.clone_from(counted);
        fresh
    }

    /// Resets the known counts, after the client was replaced.
    pub(super) fn counts_start_anew(&self) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.clear();
    }

    fn text(&self) -> Option<String> {
        let mut text = String::new();
        encode(&mut text, &self.registry).ok()?;
        Some(text)
    }
}

fn number(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

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
                    let response = answer(&metrics, request.method(), request.uri().path());
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

fn answer(metrics: &Metrics, method: &Method, path: &str) -> Response<Full<Bytes>> {
    const TEXT: &str = "text/plain; charset=utf-8";
    const METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    let (status, kind, text) = match (method, path) {
        (&Method::GET, "/metrics") => match metrics.text() {
            Some(text) => (StatusCode::OK, METRICS, text),
            None => (StatusCode::INTERNAL_SERVER_ERROR, TEXT, String::new()),
        },
        (&Method::GET, "/healthz") => (StatusCode::OK, TEXT, "ok\n".to_owned()),
        (&Method::GET, "/readyz") => match metrics.readiness.obstacle(Instant::now()) {
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
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    response
}
