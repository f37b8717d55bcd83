//! What a watch is run for: the program's side of it.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::files::Look;
use super::hints::HintsError;
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
    /// Set it back.
    #[default]
    Fix,
    /// Tell it, and leave it.
    Warn,
}

/// How a watch is run.
#[derive(Clone, Debug)]
pub struct WatchOptions {
    /// How often drift is looked for; each time up to half longer.
    pub interval: Duration,
    /// How often the files are looked at although nothing reported a change.
    pub rescan: Duration,
    /// How long the files must stay as they are before something is pruned.
    pub grace: Duration,
    /// Whether the files are looked at every half second, for file systems that report no changes.
    pub poll: bool,
    /// What to do about drift.
    pub drift: Drift,
    /// Whether bound webhooks that no file declares any more are deleted.
    pub prune: bool,
    /// Which keys are planned.
    pub only: KeyFilter,
    /// How much a pass may change.
    pub limits: SafetyLimits,
    /// How many actions are under way at once, at most; at least 1.
    pub concurrency: usize,
    /// How long a request without an answer may still take effect.
    pub horizon: Horizon,
    /// How long requests in flight are waited for after a cancellation.
    pub request_grace: Duration,
}

impl Default for WatchOptions {
    /// Five minutes, half a minute, half a minute; drift is set back, nothing is pruned, four at once.
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

/// What the files ask for.
pub struct Wanted {
    /// What they declare.
    pub declarations: Declarations,
    /// The tokens, each source followed just now.
    pub secrets: Secrets,
}

/// What is watched.
#[derive(Clone, Copy, Debug)]
pub struct Watched<'a> {
    /// The folder of the declarations.
    pub root: &'a Path,
    /// Further files, such as those that secrets come from.
    pub files: &'a [PathBuf],
}

/// The program that a watch is run for: its files, its account, its log.
pub trait Host: Send + Sync {
    /// How it speaks to the API.
    type Api: WebhookApi;
    /// Why it could not say what is wanted.
    type Error: Send + Sync;

    /// How the watch is run. Asked for again at every pass, except for the times.
    fn options(&self) -> &WatchOptions;

    /// The clock, for intents and the history.
    fn clock(&self) -> &dyn Clock;

    /// The API.
    fn api(&self) -> &Self::Api;

    /// The record of the account.
    fn record(&self) -> &Record;

    /// What the tokens' fingerprints are made with.
    fn fingerprint_key(&self) -> &FingerprintKey;

    /// What is watched. Asked for again after every look.
    fn watched(&self) -> Watched<'_>;

    /// Reads the files; [`Files`](super::Files) does it for a folder. The content decides whether a pass
    /// runs.
    fn look(&mut self) -> Look;

    /// What the files that validated last ask for, with their secrets as they are now; none if there is
    /// nothing that ever validated, and then the pass does nothing.
    ///
    /// # Errors
    /// Such as a secret that cannot be had. The pass failed then, and is tried again.
    fn wanted(&self) -> impl Future<Output = Result<Option<Wanted>, Self::Error>> + Send;

    /// Takes note of something. Called in the middle of the work: it should not take long.
    fn on_event(&self, event: WatchEvent<'_, Self::Error>);

    /// Says which commit the files are from, for the history.
    fn provenance(&self) -> Option<Provenance> {
        None
    }

    /// Somebody asked for a pass at once: called before it runs, to read again what else the program
    /// depends on. Dropped at a cancellation.
    fn on_wake(&mut self) -> impl Future<Output = ()> + Send {
        std::future::ready(())
    }

    /// Called whenever the loop goes round, and at the latest after the time that it answers with: for
    /// signs of life.
    fn heartbeat(&mut self) -> Option<Duration> {
        None
    }
}

/// What a watch tells.
pub enum WatchEvent<'a, E> {
    /// The system does not report changes: from now on the files are looked at every half second.
    NoHints(&'a HintsError),
    /// The files changed, and do not validate.
    Invalid,
    /// The files, which did not validate, do so again.
    Valid,
    /// What an action is at.
    Action(ApplyEvent<'a>),
    /// A pass was made.
    Passed(&'a Passed),
    /// A pass could not be made.
    Failed {
        /// Why it ran.
        reason: Reason,
        /// Why it could not.
        failure: &'a PassFailure<E>,
        /// How long it took.
        took: Duration,
    },
    /// A field was set back as often as is sensible: its webhook is left alone from now on, until the files
    /// change, or for [`HOLD`](super::HOLD).
    Held {
        /// Whose it is.
        key: &'a Key,
        /// The field.
        field: &'static str,
    },
}

/// How a pass ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// All that was to be done is done.
    Well,
    /// Something failed, and is tried again after a while.
    Badly,
}

/// A pass that was made.
#[derive(Debug)]
pub struct Passed {
    /// Why it ran.
    pub reason: Reason,
    /// What it found and did.
    pub report: PassReport,
    /// The drift that was left as it is, if that is what to do about it.
    pub left: Vec<Arc<PlannedAction>>,
    /// How many webhooks are held.
    pub held: usize,
    /// How it ended.
    pub ended: Ended,
    /// How long it took.
    pub took: Duration,
}

/// Why a pass could not be made.
#[derive(Debug)]
pub enum PassFailure<E> {
    /// The program could not say what is wanted.
    Wanted(E),
    /// The record could not be read or written.
    Record(RecordError),
    /// The system gave no randomness, without which no fingerprint is made.
    Randomness(NoRandomness),
    /// The pass came to no result.
    Pass(PassError),
}
