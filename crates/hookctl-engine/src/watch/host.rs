//! The interface between a watch and the program that runs it.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::files::ScanResult;
use super::fs_events::FsEventsError;
use super::schedule::Reason;
use crate::apply::ApplyEvent;
use crate::reconcile::{PassError, PassReport};
use hookctl_api::WebhookApi;
use hookctl_core::clock::Clock;
use hookctl_core::plan::safety::SafetyLimits;
use hookctl_core::plan::{KeyFilter, PlannedAction};
use hookctl_core::record::RecordError;
use hookctl_core::record::{Horizon, Provenance};
use hookctl_core::secret::{FingerprintKey, NoRandomness, Secrets};
use hookctl_core::webhook::Key;
use hookctl_files::declaration::Declarations;
use hookctl_record::Record;

/// What to do about drift.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Drift {
    /// Correct it.
    #[default]
    Fix,
    /// Report it, and change nothing.
    Warn,
}

/// The options of a watch.
#[derive(Clone, Debug)]
pub struct WatchOptions {
    /// The time between two checks for drift. Each is extended by up to half, at random.
    pub interval: Duration,
    /// The time after which the files are scanned even without an event.
    pub rescan: Duration,
    /// The time for which the files must be unchanged before a pass prunes.
    pub grace: Duration,
    /// Whether the files are polled every half second, for file systems without events.
    pub poll: bool,
    /// What to do about drift.
    pub drift: Drift,
    /// Whether bound webhooks that are no longer declared are deleted.
    pub prune: bool,
    /// The keys to plan.
    pub only: KeyFilter,
    /// The limits on what one pass may change.
    pub limits: SafetyLimits,
    /// The maximum number of concurrent actions; at least 1.
    pub concurrency: usize,
    /// How long a request without a response may still take effect.
    pub horizon: Horizon,
    /// How long a cancelled watch waits for requests in flight.
    pub request_grace: Duration,
}

impl Default for WatchOptions {
    /// An interval of 5 minutes, 30 seconds each for rescan and grace, drift corrected, no pruning, and 4 concurrent
    /// actions.
    fn default() -> Self {
        let times = super::ScheduleSettings::default();
        Self {
            interval: times.interval,
            rescan: times.rescan,
            grace: times.grace,
            poll: false,
            drift: Drift::Fix,
            prune: false,
            only: KeyFilter::default(),
            limits: SafetyLimits::default(),
            concurrency: 4,
            horizon: Horizon::default(),
            request_grace: Duration::from_secs(25),
        }
    }
}

/// The inputs of a pass: declarations and resolved tokens.
#[derive(Debug)]
pub struct Inputs {
    /// The declarations of the last valid files.
    pub declarations: Declarations,
    /// The tokens, freshly resolved.
    pub secrets: Secrets,
}

/// The watched paths.
#[derive(Clone, Copy, Debug)]
pub struct Watched<'a> {
    /// The folder of the declarations.
    pub root: &'a Path,
    /// Further files, such as those that secrets are read from.
    pub files: &'a [PathBuf],
}

/// The program that runs a watch: its files, its account, its log.
pub trait Host: Send + Sync {
    /// The client of the API.
    type Api: WebhookApi;
    /// Why the inputs of a pass could not be read.
    type Error: Send + Sync;

    /// Returns the options. Each pass reads them again; the times are read once, at the start.
    fn options(&self) -> &WatchOptions;

    /// Returns the clock for intents and the history.
    fn clock(&self) -> &Arc<dyn Clock>;

    /// Returns the client of the API.
    fn api(&self) -> &Self::Api;

    /// Returns the record of the account.
    fn record(&self) -> &Record;

    /// Returns the key of the tokens' fingerprints.
    fn fingerprint_key(&self) -> &FingerprintKey;

    /// Returns the paths to watch. Called again after each scan.
    fn watched(&self) -> Watched<'_>;

    /// Scans the files; [`Files`](super::Files) does it for a folder. A pass runs if the content changed.
    fn scan(&mut self) -> ScanResult;

    /// Returns the inputs of a pass: the last valid declarations, with freshly resolved secrets. Returns `None` if
    /// the files were never valid; the pass then does nothing.
    ///
    /// # Errors
    /// For example a secret that cannot be resolved. The pass fails, and is retried.
    fn inputs(&self) -> impl Future<Output = Result<Option<Inputs>, Self::Error>> + Send;

    /// Handles an event. The watch waits for it, so it should return quickly.
    fn on_event(&self, event: WatchEvent<'_, Self::Error>);

    /// Returns the commit of the files, for the history.
    fn provenance(&self) -> Option<Provenance> {
        None
    }

    /// Names the run, for the history.
    fn run(&self) -> Option<&str> {
        None
    }

    /// Prepares for a requested pass, for example by reloading the program's configuration. Dropped if the watch is
    /// cancelled.
    fn on_wake(&mut self) -> impl Future<Output = ()> + Send {
        std::future::ready(())
    }

    /// Signals that the program is alive. Called in each iteration of the loop, and again after the returned time at
    /// the latest, also during a pass.
    fn heartbeat(&self) -> Option<Duration> {
        None
    }
}

/// An event of a watch.
#[derive(Debug)]
#[non_exhaustive]
pub enum WatchEvent<'a, E> {
    /// The system does not report file events. The files are polled every half second from now on.
    NoFsEvents(&'a FsEventsError),
    /// The files changed and are invalid.
    Invalid,
    /// The files are valid again.
    Valid,
    /// The progress of an action.
    Action(ApplyEvent<'a>),
    /// A pass ended with a report.
    Passed(&'a Passed),
    /// A pass failed without a report.
    Failed {
        /// Why it ran.
        reason: Reason,
        /// Why it failed.
        failure: &'a PassFailure<E>,
        /// How long it took.
        took: Duration,
    },
    /// A field was corrected too often. Its webhook is held until the files change, for [`HOLD`](super::HOLD) at
    /// most.
    Held {
        /// The webhook's key.
        key: &'a Key,
        /// The field.
        field: &'static str,
    },
    /// A pass ended, and the next one has a time. Changed files bring one earlier.
    Scheduled {
        /// The time from now to the next pass.
        after: Duration,
        /// Why the next pass runs.
        reason: Reason,
    },
}

/// How a pass ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// The account matches the files.
    Complete,
    /// Something failed; the pass is retried after a pause.
    Incomplete,
}

/// A pass that ended with a report.
#[derive(Debug)]
#[non_exhaustive]
pub struct Passed {
    /// Why it ran.
    pub reason: Reason,
    /// The report.
    pub report: PassReport,
    /// The drift that was reported and not corrected, with [`Drift::Warn`].
    pub left: Vec<Arc<PlannedAction>>,
    /// The held webhooks.
    pub held: BTreeSet<Key>,
    /// How it ended.
    pub ended: Ended,
    /// How long it took.
    pub took: Duration,
}

/// Why a pass failed without a report.
#[derive(Debug)]
pub enum PassFailure<E> {
    /// The inputs could not be read.
    Inputs(E),
    /// The record could not be read or written.
    Record(RecordError),
    /// The system provides no randomness, which a fingerprint needs.
    Randomness(NoRandomness),
    /// The pass failed.
    Pass(PassError),
}
