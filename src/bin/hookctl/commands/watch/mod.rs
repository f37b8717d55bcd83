//! `hookctl watch`: syncs on every save, and corrects drift.

mod address;
mod args;
mod board;
mod context;
mod deliveries;
mod exposition;
mod failure;
mod host;
mod hosts;
mod lines;
mod metrics;
mod process;
mod readiness;
mod screen;
mod server;
mod service;
mod site;
mod standing;
mod terms;
mod traffic;
mod unreadable;

use std::sync::Arc;

use tokio::sync::Notify;

use self::board::Board;
use self::host::{CliHost, Reported};
use self::hosts::Hosts;
use self::metrics::Metrics;
use self::service::Service;
use self::site::Site;
use self::terms::Signals;
use crate::args::GlobalArgs;
use crate::environment::Environment;
use crate::error::CommandError;
use crate::exit_status::ExitStatus;
use crate::files::load;
use crate::nonce::nonce;
use crate::problems::show_settings_error;
use crate::progress;
use crate::run::{selected, selects_something};
use crate::session::Session;
use crate::settings::Settings;
use crate::signals::{begin_writing, cancel_on_signal, unless_cancelled};
use crate::trust::{Asks, Request, clear};
use crate::ui::Ui;

pub(crate) use self::args::WatchArgs;

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
    let only = selected(&args.only)?;
    let settings = Settings::resolve(global).map_err(|error| show_settings_error(ui, error))?;
    let cancellation = cancel_on_signal()?;
    // Invalid files and a locked record must not keep a watch from starting: both may change.
    let declarations = load(&settings, environment).declarations;
    let request = Request {
        tokens: declarations.as_ref(),
        ..Request::of_api(args.sandbox, Asks::Never)
    };
    let clearing = clear(ui, &settings, environment, request);
    let cleared = unless_cancelled(&cancellation, clearing).await??;
    let opening = Session::open(&settings, environment, &cleared);
    let session = unless_cancelled(&cancellation, opening).await??;
    let remembered = session.record().remembered().await;
    if let (Some(declarations), Ok(remembered)) = (declarations, remembered) {
        let keys = declarations.keys().chain(remembered.last_applied.keys());
        selects_something(&only, keys)?;
    }
    let wake = wake_on_hangup()?;
    let metrics = Arc::new(Metrics::new(&settings.target.name, args.interval));
    let mut board = None;
    let mut _server = None;
    if let Some(address) = args.http {
        let instance = nonce().map_err(|error| CommandError::caused("randomness", &error))?;
        let target = &settings.target.name;
        let shown = Board::new(target, &session, Arc::clone(&metrics), instance);
        let shown = Arc::new(shown);
        let hosts = Hosts::new(&args.http_host);
        let site = Site::new(Arc::clone(&metrics), Arc::clone(&shown), hosts);
        _server = Some(server::serve(ui, address, site)?);
        board = Some(shown);
    }
    let service = Arc::new(Service::of(environment));
    let context = context::WatchContext {
        ui,
        global,
        args,
        environment,
    };
    screen::banner(ui, args, &settings, &session);
    // A pass ends by itself after a signal.
    begin_writing();
    let mut host = CliHost::new(
        context,
        only,
        settings,
        session,
        Reported {
            metrics,
            service: Arc::clone(&service),
            board,
        },
    );
    let signals = Signals {
        wake: &wake,
        cancellation: &cancellation,
    };
    let stopping = async {
        cancellation.cancelled().await;
        service.stopping();
        // The watch ends by itself.
        std::future::pending::<()>().await;
    };
    tokio::select! {
        biased;
        () = stopping => {}
        () = terms::run(&mut host, signals) => {}
    }
    // The watch may have seen the signal first.
    service.stopping();
    progress::end();
    screen::ended(ui);
    Ok(())
}

/// Returns a notification for SIGHUP, which requests an immediate pass.
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
