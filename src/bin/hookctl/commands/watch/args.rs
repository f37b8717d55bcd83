//! The arguments of `hookctl watch`.

use std::net::SocketAddr;
use std::time::Duration;

use clap::{Args, ValueEnum};

use super::address::listen_address;
use super::hosts::http_host;
use crate::args::{KeyGlob, duration};

/// The arguments of `hookctl watch`.
#[derive(Debug, Args)]
#[command(
    after_help = "SIGINT and SIGTERM finish and record the requests in flight. SIGHUP reloads hookctl.yaml \
    and runs a pass immediately."
)]
pub(crate) struct WatchArgs {
    /// Interval between checks for drift, such as 5m or 30s; each is up to 50 % longer
    #[arg(long, value_name = "TIME", default_value = "5m", value_parser = interval)]
    pub(super) interval: Duration,
    /// What to do about drift
    #[arg(long, value_name = "WHAT", value_enum, default_value_t = Drift::Fix)]
    pub(super) drift: Drift,
    /// Delete bound webhooks that are no longer declared, once the files have been unchanged for --prune-grace
    #[arg(long)]
    pub(super) prune: bool,
    /// How long the files must be unchanged before a webhook is pruned
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = duration)]
    pub(super) prune_grace: Duration,
    /// How long to wait for requests in flight after SIGINT or SIGTERM
    #[arg(long, value_name = "TIME", default_value = "25s", value_parser = duration)]
    pub(super) grace: Duration,
    /// After each change, wait up to this long for deliveries that prove it, beside the passes
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub(super) verify: Option<Duration>,
    /// Poll the files every half second, for file systems without change events
    #[arg(long)]
    pub(super) poll: bool,
    /// Sync only keys that match this pattern; may be repeated
    #[arg(long, value_name = "KEY-GLOB", value_parser = KeyGlob::parse)]
    pub(super) only: Vec<KeyGlob>,
    /// Serve a status page at this address, such as :9090, with /metrics for Prometheus, /healthz, and /readyz
    #[arg(long, alias = "metrics", value_name = "ADDR", value_parser = listen_address)]
    pub(super) http: Option<SocketAddr>,
    /// Serve the page under this name too, also over the network; may be repeated
    #[arg(long, value_name = "NAME", value_parser = http_host, requires = "http")]
    pub(super) http_host: Vec<String>,
    /// Use the built-in API emulator, stored below the local record's folder
    #[arg(long)]
    pub(super) sandbox: bool,
}

/// The shortest interval. With less, the list would be requested without pause.
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
    /// Correct it
    Fix,
    /// Report it
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
