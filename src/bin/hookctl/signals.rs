//! Signals that end a run.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::error::CommandError;
use crate::exit_status::ExitStatus;
use crate::progress;

/// Cancelled by the first signal, once signals are handled.
static CANCELLATION: OnceLock<CancellationToken> = OnceLock::new();

/// Whether something has started that must be finished.
static WRITES: AtomicBool = AtomicBool::new(false);

/// How long a run that has started nothing may take to end after the first signal.
const PATIENCE: Duration = Duration::from_secs(2);

/// Returns a token that the first SIGINT or SIGTERM cancels; the second ends the process immediately. A thread of its
/// own waits for signals. A run that has started nothing ends soon after the first one, even if it is blocked in a
/// system call.
pub(crate) fn cancel_on_signal() -> Result<CancellationToken, CommandError> {
    if let Some(listening) = CANCELLATION.get() {
        return Ok(listening.clone());
    }
    let failed = |error: std::io::Error| {
        CommandError::new("signals", format!("could not handle signals: {error}"))
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(failed)?;
    let mut signals = {
        let _entered = runtime.enter();
        Signals::listen().map_err(failed)?
    };
    let token = CANCELLATION.get_or_init(CancellationToken::new).clone();
    let cancelled = token.clone();
    let listen = move || {
        runtime.block_on(async {
            signals.next().await;
            // Before the run ends by it, and says so.
            progress::stopping(WRITES.load(Ordering::SeqCst));
            cancelled.cancel();
            let hangs = async {
                tokio::time::sleep(PATIENCE).await;
                if WRITES.load(Ordering::SeqCst) {
                    std::future::pending::<()>().await;
                }
            };
            tokio::select! {
                () = signals.next() => {}
                () = hangs => {}
            }
            end_at_once();
        });
    };
    std::thread::Builder::new()
        .name("hookctl-signals".to_owned())
        .spawn(listen)
        .map_err(failed)?;
    Ok(token)
}

/// Returns the token that the first signal cancels. It is never cancelled if signals are not handled.
pub(crate) fn cancellation() -> CancellationToken {
    CANCELLATION.get().cloned().unwrap_or_default()
}

/// Declares that something starts which must be finished, however long that takes after a signal.
pub(crate) fn begin_writing() {
    WRITES.store(true, Ordering::SeqCst);
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

/// The signals that end a run: Ctrl-C, and Ctrl-Break, which a service manager sends.
#[cfg(windows)]
struct Signals {
    interrupted: tokio::signal::windows::CtrlC,
    terminated: tokio::signal::windows::CtrlBreak,
}

#[cfg(windows)]
impl Signals {
    fn listen() -> std::io::Result<Self> {
        use tokio::signal::windows::{ctrl_break, ctrl_c};
        Ok(Self {
            interrupted: ctrl_c()?,
            terminated: ctrl_break()?,
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
    reason = "a second signal ends the process; what is settled is recorded"
)]
fn end_at_once() {
    progress::stopped(WRITES.load(Ordering::SeqCst));
    std::process::exit(i32::from(ExitStatus::Interrupted.code()));
}

/// Awaits work that writes nothing, unless a signal ends it first.
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

/// Returns the error of a run that was interrupted before it changed anything.
pub(crate) fn interrupted() -> CommandError {
    CommandError::new("interrupted", "interrupted before any change was made")
        .status(ExitStatus::Interrupted)
}
