//! `hookctl watch`: save a file, and the API follows.

mod host;
mod metrics;
mod service;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use clap::{Args, ValueEnum};
use hookctl::plan::KeyFilter;
use tokio::sync::Notify;

use self::host::Workstation;
use self::metrics::Metrics;
use super::presenter::show_settings_error;
use super::session::{Session, cancel_on_signal};
use crate::cli::{GlobalArgs, duration};
use crate::environment::Environment;
use crate::error::CommandError;
use crate::exit_status::ExitStatus;
use crate::settings::Settings;
use crate::ui::Ui;

/// The arguments of `hookctl watch`.
#[derive(Debug, Args)]
#[command(
    after_help = "SIGINT and SIGTERM finish and record what is in flight; SIGHUP reads hookctl.yaml \
again and runs a pass at once."
)]
pub(crate) struct WatchArgs {
    /// How often drift is looked for, such as 5m or 30s; each time up to half longer
    #[arg(long, value_name = "TIME", default_value = "5m", value_parser = duration)]
    interval: Duration,
    /// What to do about drift
    #[arg(long, value_name = "WHAT", value_enum, default_value_t = Drift::Fix)]
    drift: Drift,
    /// Delete bound webhooks that no file declares any more, once the files have stayed as they are for
    /// the grace time
    #[arg(long)]
    prune: bool,
    /// How long the files must stay as they are before something is pruned
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = duration)]
    prune_grace: Duration,
    /// How long requests in flight are waited for after SIGINT or SIGTERM
    #[arg(long, value_name = "TIME", default_value = "25s", value_parser = duration)]
    grace: Duration,
    /// Look at the files every half second, for file systems that report no changes
    #[arg(long)]
    poll: bool,
    /// Only these keys; may be given several times
    #[arg(long, value_name = "KEY-GLOB", add = crate::commands::shell::keys())]
    only: Vec<String>,
    /// Serve Prometheus metrics at this address, under /metrics, beside /healthz and /readyz
    #[arg(long, value_name = "ADDR")]
    metrics: Option<SocketAddr>,
    /// Use the built-in emulator of the API, kept under the local record's folder
    #[arg(long)]
    sandbox: bool,
}

/// What to do about drift.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Drift {
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

/// Runs the command until it is interrupted.
pub(crate) async fn run(
    ui: &Ui,
    global: &GlobalArgs,
    args: &WatchArgs,
    environment: &Environment,
) -> ExitStatus {
    match watch(ui, global, args, environment).await {
        Ok(()) => ExitStatus::Interrupted,
        Err(error) => {
            ui.failure(&error);
            error.status
        }
    }
}

async fn watch(
    ui: &Ui,
    global: &GlobalArgs,
    args: &WatchArgs,
    environment: &Environment,
) -> Result<(), CommandError> {
    let only = KeyFilter::matching(args.only.iter().map(String::as_str)).map_err(|error| {
        CommandError::new("usage", format!("--only: {error}")).status(ExitStatus::Usage)
    })?;
    let settings = settings(ui, global)?;
    let session = Session::open(&settings, environment, args.sandbox).await?;
    let cancellation = cancel_on_signal()?;
    let wake = wake_on_hangup()?;
    let metrics = Arc::new(Metrics::new());
    let _server = match args.metrics {
        Some(address) => Some(metrics::serve(ui, address, Arc::clone(&metrics)).await?),
        None => None,
    };
    let surroundings = host::Surroundings {
        ui,
        global,
        args,
        environment,
    };
    let mut host = Workstation::new(surroundings, only, settings, session, metrics);
    hookctl::watch::watch(&mut host, &wake, &cancellation).await;
    Ok(())
}

fn settings(ui: &Ui, global: &GlobalArgs) -> Result<Settings, CommandError> {
    Settings::resolve(global).map_err(|error| show_settings_error(ui, error))
}

/// Notified by the signal that asks for a pass at once.
fn wake_on_hangup() -> Result<Arc<Notify>, CommandError> {
    let wake = Arc::new(Notify::new());
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        let mut hangups = signal(SignalKind::hangup()).map_err(|error| {
            CommandError::new("signals", format!("could not listen for signals: {error}"))
        })?;
        let wake = Arc::clone(&wake);
        tokio::spawn(async move {
            while hangups.recv().await.is_some() {
                wake.notify_one();
            }
        });
    }
    Ok(wake)
}
