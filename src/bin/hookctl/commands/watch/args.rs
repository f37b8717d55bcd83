//! The arguments of `hookctl watch`.

use std::net::SocketAddr;
use std::time::Duration;

use clap::{Args, ValueEnum};

use crate::args::{KeyGlob, duration};

/// The arguments of `hookctl watch`.
#[derive(Debug, Args)]
#[command(
    after_help = "SIGINT and SIGTERM finish and record what is in flight; SIGHUP reads hookctl.yaml \
again and runs a pass at once."
)]
pub(crate) struct WatchArgs {
    /// How often drift is looked for, such as 5m or 30s; each time up to half longer
    #[arg(long, value_name = "TIME", default_value = "5m", value_parser = interval)]
    pub(super) interval: Duration,
    /// What to do about drift
    #[arg(long, value_name = "WHAT", value_enum, default_value_t = Drift::Fix)]
    pub(super) drift: Drift,
    /// Delete bound webhooks that no file declares any more, once the files have stayed as they are for
    /// the grace time
    #[arg(long)]
    pub(super) prune: bool,
    /// How long the files must stay as they are before something is pruned
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = duration)]
    pub(super) prune_grace: Duration,
    /// How long requests in flight are waited for after SIGINT or SIGTERM
    #[arg(long, value_name = "TIME", default_value = "25s", value_parser = duration)]
    pub(super) grace: Duration,
    /// Look at the files every half second, for file systems that report no changes
    #[arg(long)]
    pub(super) poll: bool,
    /// Only these keys; may be given several times
    #[arg(long, value_name = "KEY-GLOB", value_parser = KeyGlob::parse)]
    pub(super) only: Vec<KeyGlob>,
    /// Serve Prometheus metrics at this address, under /metrics, beside /healthz and /readyz
    #[arg(long, value_name = "ADDR")]
    pub(super) metrics: Option<SocketAddr>,
    /// Use the built-in emulator of the API, kept under the local record's folder
    #[arg(long)]
    pub(super) sandbox: bool,
}

/// The shortest interval: below it the list would be read without a pause.
const SHORTEST_INTERVAL: Duration = Duration::from_secs(1);

fn interval(text: &str) -> Result<Duration, String> {
    let interval = duration(text)?;
    if interval < SHORTEST_INTERVAL {
        return Err(format!("'{text}' is shorter than 1s"));
    }
    Ok(interval)
}

/// What to do about drift.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Drift {
    /// Set it back.
    Fix,
    /// Say so.
    Warn,
}

impl From<Drift> for hookctl::watch::Drift {
    fn from(drift: Drift) -> Self {
        match drift {
            Drift::Fix => Self::Fix,
            Drift::Warn => Self::Warn,
        }
    }
}
