//! `hookctl watch`: save a file, and the API follows.

mod files;
mod metrics;
mod pass;
mod service;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use clap::{Args, ValueEnum};
use hookctl::plan::KeyFilter;
use hookctl::watch::{Due, Flapping, Hints, Reason, Schedule, ScheduleSettings};
use tokio_util::sync::CancellationToken;

use self::files::{Files, Look};
use self::metrics::Metrics;
use self::pass::Ended;
use self::service::Service;
use super::session::{Session, cancel_on_signal};
use crate::cli::{GlobalArgs, duration};
use crate::environment::Environment;
use crate::error::CommandError;
use crate::exit_status::ExitStatus;
use crate::settings::{Settings, SettingsError};
use crate::ui::Ui;

/// How often files are looked at where the system reports no changes.
const POLL: Duration = Duration::from_millis(500);

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
pub(crate) enum Drift {
    /// Set it back.
    Fix,
    /// Say so.
    Warn,
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
            ui.message(&format!("error: {}\n", error.message));
            if let Some(help) = &error.help {
                ui.message(&format!("  help: {help}\n"));
            }
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
    let mut hangups = Hangups::new()?;
    let metrics = Arc::new(Metrics::new());
    let _server = match args.metrics {
        Some(address) => Some(metrics::serve(ui, address, Arc::clone(&metrics)).await?),
        None => None,
    };
    let rescan = if args.poll {
        POLL
    } else {
        ScheduleSettings::default().rescan
    };
    let mut watch = Watch {
        ui,
        environment,
        args,
        only,
        settings,
        session,
        cancellation: cancellation.clone(),
        started: Instant::now(),
        schedule: Schedule::new(ScheduleSettings {
            interval: args.interval,
            rescan,
            grace: args.grace,
        }),
        flapping: Flapping::default(),
        files: Files::default(),
        hints: Hints::default(),
        polls: args.poll,
        service: Service::of(environment),
        metrics,
    };
    // The first look; what is there already has not changed.
    watch.look();
    loop {
        watch.run_what_is_due().await;
        watch.service.alive();
        if cancellation.is_cancelled() {
            return Ok(());
        }
        let wake = watch.until(watch.schedule.next());
        let wake = watch
            .service
            .next_sign()
            .map_or(wake, |sign| wake.min(sign));
        tokio::select! {
            () = watch.hints.next() => {
                let now = watch.now();
                watch.schedule.hint(now);
            }
            () = tokio::time::sleep(wake) => {}
            () = hangups.next() => watch.reload(global).await,
            () = cancellation.cancelled() => return Ok(()),
        }
    }
}

fn settings(ui: &Ui, global: &GlobalArgs) -> Result<Settings, CommandError> {
    Settings::resolve(global).map_err(|error| match error {
        SettingsError::Command(error) => error,
        SettingsError::Diagnostics(sources, diagnostics) => {
            super::presenter::show_diagnostics(ui, &diagnostics, &sources, 1);
            CommandError::new("invalid-config", "hookctl.yaml does not validate")
        }
    })
}

/// What a watch holds on to.
struct Watch<'a> {
    ui: &'a Ui,
    environment: &'a Environment,
    args: &'a WatchArgs,
    only: KeyFilter,
    settings: Settings,
    session: Session,
    cancellation: CancellationToken,
    started: Instant,
    schedule: Schedule,
    flapping: Flapping,
    files: Files,
    hints: Hints,
    /// Whether the files are looked at often, since nothing reports their changes.
    polls: bool,
    service: Service,
    metrics: Arc<Metrics>,
}

impl Watch<'_> {
    /// The time since the start.
    fn now(&self) -> Duration {
        self.started.elapsed()
    }

    fn until(&self, time: Duration) -> Duration {
        let left = time.saturating_sub(self.now());
        if self.polls { left.min(POLL) } else { left }
    }

    async fn run_what_is_due(&mut self) {
        loop {
            let now = self.now();
            match self.schedule.due(now) {
                None => return,
                Some(Due::Look) => {
                    if self.look() == Look::Changed {
                        self.schedule.files_changed(now);
                        self.flapping.files_changed();
                        self.pass(Reason::Files).await;
                    }
                }
                Some(Due::Pass(reason)) => self.pass(reason).await,
            }
            if self.cancellation.is_cancelled() {
                return;
            }
        }
    }

    /// Reads the files.
    fn look(&mut self) -> Look {
        // Watched first and read then, so that no change falls in between.
        self.arm();
        let secret_files = self.files.secret_files().to_vec();
        let look = self.files.look(self.ui, &self.settings, self.environment);
        if self.files.secret_files() != secret_files {
            self.arm();
        }
        if look == Look::Invalid {
            tracing::warn!("the files do not validate; what validated last stays applied");
        }
        look
    }

    /// Sees to it that the next change of the files is reported.
    fn arm(&mut self) {
        if !self.polls {
            let watched = self
                .hints
                .watch(&self.settings.webhooks_dir, self.files.secret_files());
            if let Err(error) = watched {
                tracing::warn!(error = %crate::error::chain(&error), "no reports of changes");
                self.polls = true;
                let settings = ScheduleSettings {
                    interval: self.args.interval,
                    rescan: POLL,
                    grace: self.args.grace,
                };
                self.schedule.retime(settings, self.started.elapsed());
            }
        }
    }

    async fn pass(&mut self, reason: Reason) {
        let ended = pass::run(self, reason).await;
        let now = self.now();
        let random = getrandom::u32().map_or(0.5, |number| f64::from(number) / f64::from(u32::MAX));
        self.schedule.ended(now, ended == Ended::Well, random);
        if ended == Ended::Well {
            self.service.ready();
        }
    }

    /// Reads hookctl.yaml again, and asks for a pass. What is wrong with it is shown; then all stays.
    async fn reload(&mut self, global: &GlobalArgs) {
        let reloaded = match settings(self.ui, global) {
            Ok(settings) => Session::open(&settings, self.environment, self.args.sandbox)
                .await
                .map(|session| (settings, session)),
            Err(error) => Err(error),
        };
        match reloaded {
            Ok((settings, session)) => {
                tracing::info!("hookctl.yaml was read again");
                self.settings = settings;
                self.session = session;
                self.look();
            }
            Err(error) => tracing::error!(error = error.message, "hookctl.yaml stays as it was"),
        }
        let now = self.now();
        self.schedule.request(now);
    }
}

/// The signal that asks for a pass at once.
struct Hangups {
    #[cfg(unix)]
    signal: tokio::signal::unix::Signal,
}

impl Hangups {
    fn new() -> Result<Self, CommandError> {
        #[cfg(unix)]
        let signal = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::hangup())
            .map_err(|error| {
                CommandError::new("signals", format!("could not listen for signals: {error}"))
            })?;
        Ok(Self {
            #[cfg(unix)]
            signal,
        })
    }

    async fn next(&mut self) {
        #[cfg(unix)]
        {
            self.signal.recv().await;
        }
        #[cfg(not(unix))]
        std::future::pending::<()>().await;
    }
}
