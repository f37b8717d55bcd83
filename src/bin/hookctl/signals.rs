//! The signals that end a run.

use tokio_util::sync::CancellationToken;

use crate::error::CommandError;
use crate::exit_status::ExitStatus;

/// Cancelled by the first SIGINT or SIGTERM; the second ends the process at once. They are heard in a thread
/// of their own, whatever else is waited for.
pub(crate) fn cancel_on_signal() -> Result<CancellationToken, CommandError> {
    let failed = |error: std::io::Error| {
        CommandError::new("signals", format!("could not listen for signals: {error}"))
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .build()
        .map_err(failed)?;
    let mut signals = {
        let _entered = runtime.enter();
        Signals::listen().map_err(failed)?
    };
    let token = CancellationToken::new();
    let cancelled = token.clone();
    let listen = move || {
        runtime.block_on(async {
            signals.next().await;
            cancelled.cancel();
            signals.next().await;
            end_at_once();
        });
    };
    std::thread::Builder::new()
        .name("hookctl-signals".to_owned())
        .spawn(listen)
        .map_err(failed)?;
    Ok(token)
}

/// The signals that end a run.
#[cfg(unix)]
struct Signals {
    interrupted: tokio::signal::unix::Signal,
    terminated: tokio::signal::unix::Signal,
}

#[cfg(unix)]
impl Signals {
    fn listen() -> std::io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self {
            interrupted: signal(SignalKind::interrupt())?,
            terminated: signal(SignalKind::terminate())?,
        })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupted.recv() => {}
            _ = self.terminated.recv() => {}
        }
    }
}

#[expect(
    clippy::exit,
    reason = "a second signal means now; the record holds what was settled"
)]
fn end_at_once() {
    std::process::exit(i32::from(ExitStatus::Interrupted.code()));
}

/// Waits for a work that writes nothing, unless a signal ends it first.
pub(crate) async fn unless_cancelled<T>(
    cancellation: &CancellationToken,
    work: impl Future<Output = T>,
) -> Result<T, CommandError> {
    tokio::select! {
        biased;
        () = cancellation.cancelled() => Err(interrupted()),
        done = work => Ok(done),
    }
}

/// The error of a run that was interrupted before it wrote anything.
pub(crate) fn interrupted() -> CommandError {
    CommandError::new("interrupted", "interrupted before any change was made")
        .status(ExitStatus::Interrupted)
}
