//! The metrics of a watch. Counts only; the formats and the server are elsewhere.

use std::collections::BTreeMap;
use std::error::Error;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use hookctl::plan::{Action, Cause};
use hookctl::reconcile::PassReport;
use hookctl::report::{ActionResult, Outcome};
use hookctl::verify::Verdict;
use hookctl::watch::{Ended, Passed, Reason};
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Registry, Unit};

use super::exposition::Format;
use super::process;
use super::readiness::{Input, Readiness};
use super::unreadable;
use crate::lease;

type Labels = Vec<(&'static str, String)>;

/// Counts of requests, by method and status.
type Counts = BTreeMap<(&'static str, Option<u16>), u64>;

/// The buckets of the pass histogram, in seconds: from one local list to a large apply.
const SECONDS: [f64; 10] = [0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 30.0, 120.0];

/// The statuses of webhooks.
const STATUSES: [&str; 7] = [
    "in_sync",
    "failed",
    "orphan",
    "unmanaged",
    "unreadable",
    "held",
    "drifted",
];

/// The methods and the usual statuses of requests, which are counted from 0 on. An increase of a counter is seen only
/// if the counter was there before.
const METHODS: [&str; 4] = ["GET", "POST", "PATCH", "DELETE"];
const RESPONSES: [u16; 10] = [0, 200, 401, 403, 404, 429, 500, 502, 503, 504];

/// The metrics of a watch.
pub(super) struct Metrics {
    series: Mutex<Series>,
    interval: Duration,
    /// Whether this watch makes the passes.
    leads: AtomicBool,
    started: jiff::Timestamp,
    readiness: Readiness,
}

/// The series of one target.
struct Series {
    target: String,
    passes: Family<Labels, Counter>,
    seconds: Histogram,
    webhooks: Family<Labels, Gauge>,
    verdicts: Family<Labels, Gauge>,
    pending: Gauge,
    drift: Counter,
    requests: Family<Labels, Counter>,
    /// The client's counts at the last update.
    known: Counts,
    lease_lost: Counter,
    last_success: Gauge<f64, AtomicU64>,
}

impl Series {
    fn new(target: &str) -> Self {
        let series = Self {
            target: target.to_owned(),
            passes: Family::default(),
            seconds: Histogram::new(SECONDS),
            webhooks: Family::default(),
            verdicts: Family::default(),
            pending: Gauge::default(),
            drift: Counter::default(),
            requests: Family::default(),
            known: Counts::default(),
            lease_lost: Counter::default(),
            last_success: Gauge::default(),
        };
        for reason in Reason::ALL {
            for ended in [Ended::Complete, Ended::Incomplete] {
                drop(series.passes.get_or_create(&of_pass(reason, ended)));
            }
        }
        for status in STATUSES {
            drop(series.webhooks.get_or_create(&of_status(status)));
        }
        for verdict in Verdict::NAMES {
            drop(series.verdicts.get_or_create(&of_verdict(verdict)));
        }
        for method in METHODS {
            for status in RESPONSES {
                drop(series.requests.get_or_create(&of_request(method, status)));
            }
        }
        series
    }

    fn webhooks(&self, status: &'static str, count: usize) {
        let count = number(count);
        self.webhooks.get_or_create(&of_status(status)).set(count);
    }

    /// Adds the series to a registry that prefixes and labels them.
    fn register(&self, registry: &mut Registry) {
        let help = "Passes, by reason and result";
        registry.register("passes", help, self.passes.clone());
        let help = "Duration of passes";
        registry.register_with_unit("pass", help, Unit::Seconds, self.seconds.clone());
        let help = "Webhooks by status, after the last pass";
        registry.register("webhooks", help, self.webhooks.clone());
        let help = "Webhooks by the verdict on their last change, with --verify";
        registry.register("delivery_verdicts", help, self.verdicts.clone());
        let help = "Changes that have not been applied";
        registry.register("pending_changes", help, self.pending.clone());
        let help = "Fields that another writer changed at the API";
        registry.register("drift_found", help, self.drift.clone());
        let help =
            "Requests to the API, by method and status; status 0 is a request without a response";
        registry.register("api_requests", help, self.requests.clone());
        let help = "Passes that lost the lease on the shared record to another run";
        registry.register("lease_lost", help, self.lease_lost.clone());
        let help = "Time of the last successful pass, in seconds since 1970; 0 before the first";
        let (name, last) = ("last_success_timestamp", self.last_success.clone());
        registry.register_with_unit(name, help, Unit::Seconds, last);
    }
}

impl Metrics {
    pub(super) fn new(target: &str, interval: Duration) -> Self {
        Self {
            series: Mutex::new(Series::new(target)),
            interval,
            leads: AtomicBool::new(false),
            started: jiff::Timestamp::now(),
            readiness: Readiness::default(),
        }
    }

    /// Records the end of a pass.
    pub(super) fn pass(&self, reason: Reason, ended: Ended, took: Duration) {
        let series = self.series();
        series.passes.get_or_create(&of_pass(reason, ended)).inc();
        series.seconds.observe(took.as_secs_f64());
        if ended == Ended::Complete {
            self.readiness.passed();
            let now = jiff::Timestamp::now().as_duration();
            series.last_success.set(now.as_secs_f64());
        }
    }

    /// Records the results of a pass. `newly_drifted` is the number of fields whose drift was first seen in this pass
    /// and is only reported.
    pub(super) fn report(&self, passed: &Passed, newly_drifted: usize) {
        let report = &passed.report;
        let failed = report
            .results()
            .iter()
            .filter(|result| !matches!(result.outcome, Outcome::Applied { .. }))
            .count();
        let exists = |result: &&ActionResult| {
            let is_gone = matches!(
                result.planned.action,
                Action::Delete(_) | Action::Forget { .. }
            );
            matches!(result.outcome, Outcome::Applied { .. }) && !is_gone
        };
        let applied = report.results().iter().filter(exists).count();
        let series = self.series();
        let left = passed.left.len();
        series.webhooks("in_sync", report.plan.unchanged.len() + applied);
        series.webhooks("failed", failed);
        series.webhooks("orphan", report.plan.orphans.len());
        series.webhooks("unmanaged", report.plan.unmanaged.len());
        series.webhooks("unreadable", unreadable::of_plan(&report.plan).len());
        let held = passed.held.len() + report.plan.held.len();
        series.webhooks("held", held);
        series.webhooks("drifted", left);
        series.pending.set(number(failed + held + left));
        let drifted = report
            .plan
            .actions
            .iter()
            .flat_map(|planned| &planned.changes)
            .filter(|change| change.cause() == Cause::Drift)
            .count();
        series.drift.inc_by((drifted + newly_drifted) as u64);
        if lost_its_lease(report) {
            series.lease_lost.inc();
        }
    }

    /// Records the verdicts on the last changes, one for each webhook.
    pub(super) fn verdicts(&self, verdicts: impl Iterator<Item = &'static str>) {
        let series = self.series();
        let mut counts: BTreeMap<&str, i64> = Verdict::NAMES.map(|name| (name, 0)).into();
        verdicts.for_each(|verdict| *counts.entry(verdict).or_default() += 1);
        for (verdict, count) in counts {
            let labels = of_verdict(verdict);
            series.verdicts.get_or_create(&labels).set(count);
        }
    }

    /// Records the error of a pass without a report.
    pub(super) fn failed(&self, error: &(dyn Error + 'static)) {
        if lease::was_lost(error) {
            self.series().lease_lost.inc();
        }
    }

    /// Records the number of changes of a plan that was refused.
    pub(super) fn refused(&self, changes: usize) {
        self.series().pending.set(number(changes));
    }

    /// Records whether this watch makes the passes, or stands by. What was pending is then the matter of another one.
    pub(super) fn leads(&self, leads: bool) {
        self.leads.store(leads, Ordering::Relaxed);
        self.readiness.stands_by(!leads);
        if !leads {
            self.series().pending.set(0);
        }
    }

    /// Records whether an input is valid.
    pub(super) fn read(&self, input: Input, is_valid: bool) {
        self.readiness.read(input, is_valid, Instant::now());
    }

    /// Returns whether every input is valid.
    pub(super) fn are_valid(&self) -> bool {
        Input::ALL
            .into_iter()
            .all(|input| self.readiness.is_valid(input))
    }

    /// Returns why the watch is not ready, or `None` if it is.
    pub(super) fn obstacle(&self, now: Instant) -> Option<String> {
        self.readiness.obstacle(now)
    }

    /// Adds the client's counts. Returns the requests since the last update.
    pub(super) fn requests(&self, counted: &Counts) -> u64 {
        let mut series = self.series();
        let mut fresh = 0;
        for ((method, status), count) in counted {
            let known = series.known.get(&(*method, *status)).copied();
            let labels = of_request(method, status.unwrap_or_default());
            let more = count.saturating_sub(known.unwrap_or_default());
            series.requests.get_or_create(&labels).inc_by(more);
            fresh += more;
        }
        series.known.clone_from(counted);
        fresh
    }

    /// Adds the counts of a client that is used once, beside the passes.
    pub(super) fn requests_beside(&self, counted: &Counts) {
        let series = self.series();
        for ((method, status), count) in counted {
            let labels = of_request(method, status.unwrap_or_default());
            series.requests.get_or_create(&labels).inc_by(*count);
        }
    }

    /// Prepares for another client. Another target begins with series of its own.
    pub(super) fn client_replaced(&self, target: &str) {
        let mut series = self.series();
        if series.target == target {
            series.known.clear();
        } else {
            *series = Series::new(target);
        }
    }

    /// Returns the metrics as text.
    pub(super) fn text(&self, format: Format) -> Option<String> {
        let mut registry = Registry::default();
        {
            let series = self.series();
            let ours = registry.sub_registry_with_prefix("hookctl");
            let label = ("target".into(), series.target.clone().into());
            let ours = ours.sub_registry_with_label(label);
            series.register(ours);
            self.register(ours);
        }
        process::register(&mut registry, self.started);
        let mut text = String::new();
        encode(&mut text, &registry).ok()?;
        Some(format.of_open_metrics(text))
    }

    /// Adds what does not depend on a pass.
    fn register(&self, registry: &mut Registry) {
        let valid = Family::<Labels, Gauge>::default();
        for input in Input::ALL {
            let labels = vec![("files", input.as_str().to_owned())];
            let is_valid = self.readiness.is_valid(input);
            valid.get_or_create(&labels).set(i64::from(is_valid));
        }
        let help = "Whether the files are valid: 1 or 0; while they are invalid, the last valid state stays applied";
        registry.register("files_valid", help, valid);
        let leads = Gauge::<i64>::default();
        leads.set(i64::from(self.leads.load(Ordering::Relaxed)));
        let help =
            "Whether this watch makes the passes: 1, or 0 while it stands by for another one";
        registry.register("leader", help, leads);
        let interval = Gauge::<f64, AtomicU64>::default();
        interval.set(self.interval.as_secs_f64());
        let help = "Time between two checks for drift, as configured";
        registry.register_with_unit("interval", help, Unit::Seconds, interval);
        let build = Info::new(vec![("version", env!("CARGO_PKG_VERSION"))]);
        registry.register("build", "Version of the program", build);
    }

    fn series(&self) -> MutexGuard<'_, Series> {
        self.series.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn of_pass(reason: Reason, ended: Ended) -> Labels {
    let result = match ended {
        Ended::Complete => "success",
        Ended::Incomplete => "failure",
    };
    vec![
        ("reason", reason.as_str().to_owned()),
        ("result", result.to_owned()),
    ]
}

fn of_status(status: &'static str) -> Labels {
    vec![("status", status.to_owned())]
}

fn of_verdict(verdict: &str) -> Labels {
    vec![("verdict", verdict.to_owned())]
}

fn of_request(method: &str, status: u16) -> Labels {
    vec![
        ("method", method.to_owned()),
        ("status", status.to_string()),
    ]
}

/// Returns whether a pass lost its lease after it had begun to write.
fn lost_its_lease(report: &PassReport) -> bool {
    let ended_by = report.ended_by.as_ref();
    report.results().iter().any(lease::is_unfinished_by_it)
        || ended_by.is_some_and(|error| lease::was_lost(error))
}

fn number(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_target_begins_at_zero() {
        let metrics = Metrics::new("qa", Duration::from_secs(1));
        metrics.pass(Reason::Start, Ended::Incomplete, Duration::ZERO);
        metrics.read(Input::Configuration, false);
        let failed = |target, count| {
            format!("{{target=\"{target}\",reason=\"start\",result=\"failure\"}} {count}\n")
        };
        metrics.client_replaced("qa");
        let text = metrics.text(Format::Text).unwrap();
        assert!(text.contains(&failed("qa", 1)), "{text}");
        metrics.client_replaced("prod");
        let text = metrics.text(Format::Text).unwrap();
        assert!(
            text.contains(&failed("prod", 0)) && !text.contains("\"qa\""),
            "{text}"
        );
        let invalid = "hookctl_files_valid{target=\"prod\",files=\"configuration\"} 0\n";
        assert!(text.contains(invalid), "{text}");
    }
}
