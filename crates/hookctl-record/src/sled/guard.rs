//! A guard for calls of sled that may panic or block forever. Each runs in its own thread.
//!
//! sled panics on some damaged files, and on a failing disk while it closes. It blocks forever if it cannot start a
//! thread. Neither may affect the process.

use std::io::{self, ErrorKind};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::Duration;

/// The name of guarded threads. A panic in one is a handled error, which a panic hook can ignore.
pub const GUARDED_THREAD: &str = "hookctl-record-guard";

/// The time-out of a call. It is minutes, since a busy disk may need many seconds.
pub(super) const PATIENCE: Duration = Duration::from_mins(2);

/// Why a call returned no result.
#[derive(Debug)]
pub(super) enum NoAnswer {
    /// The thread could not be started.
    NoThread(io::Error),
    /// The call panicked with this message.
    Panicked(String),
    /// The call timed out.
    Stalled,
}

impl From<NoAnswer> for io::Error {
    fn from(gone: NoAnswer) -> Self {
        match gone {
            NoAnswer::NoThread(error) => error,
            NoAnswer::Panicked(words) => Self::other(words),
            NoAnswer::Stalled => ErrorKind::TimedOut.into(),
        }
    }
}

/// Runs a call and waits for its result. A call that times out keeps running in its thread.
pub(super) fn guarded<T: Send + 'static>(
    patience: Duration,
    call: impl FnOnce() -> T + Send + 'static,
) -> Result<T, NoAnswer> {
    let (done, answer) = mpsc::sync_channel(1);
    let thread = std::thread::Builder::new()
        .name(GUARDED_THREAD.to_owned())
        .spawn(move || {
            // A caller that stopped waiting needs no result.
            let _ = done.send(call());
        })
        .map_err(NoAnswer::NoThread)?;
    match answer.recv_timeout(patience) {
        Ok(answer) => {
            // The call's values are dropped once its thread has ended.
            let _ = thread.join();
            Ok(answer)
        }
        Err(RecvTimeoutError::Timeout) => Err(NoAnswer::Stalled),
        Err(RecvTimeoutError::Disconnected) => {
            let words = thread.join().err().map(|panic| words(&*panic));
            Err(NoAnswer::Panicked(words.unwrap_or_default()))
        }
    }
}

fn words(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_is_answered_or_said_to_have_panicked_or_to_stall() {
        assert_eq!(guarded(PATIENCE, || 7).unwrap(), 7);
        let panicked = guarded(PATIENCE, || assert_eq!(1, 2, "on purpose"));
        assert!(matches!(panicked, Err(NoAnswer::Panicked(words)) if words.contains("on purpose")));
        let (_open, never) = mpsc::channel::<()>();
        let stalled = guarded(Duration::from_millis(1), move || never.recv());
        assert!(matches!(stalled, Err(NoAnswer::Stalled)));
    }
}
