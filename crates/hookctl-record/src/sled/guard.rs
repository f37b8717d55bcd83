//! Calls of sled that may panic, or never come back, each in a thread of its own.
//!
//! sled panics on some damaged files and on a disk that refuses while it is closed, and waits for ever where it can
//! start no thread. Neither may take the process with it. This module knows nothing of what is called.

use std::io::{self, ErrorKind};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::Duration;

/// The name of those threads: a panic of theirs is an answer, not a crash, so whoever reports panics can leave it
/// out.
pub const GUARDED_THREAD: &str = "hookctl-record-guard";

/// How long a call may take. Minutes, since a disk of a busy machine may need many seconds for one.
pub(super) const PATIENCE: Duration = Duration::from_mins(2);

/// Why a call gave no answer.
#[derive(Debug)]
pub(super) enum NoAnswer {
    /// No thread could be started.
    NoThread(io::Error),
    /// It panicked, with these words.
    Panicked(String),
    /// It did not come back in time.
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

/// Makes a call, and waits for it. One that does not come back in time is left behind.
pub(super) fn guarded<T: Send + 'static>(
    patience: Duration,
    call: impl FnOnce() -> T + Send + 'static,
) -> Result<T, NoAnswer> {
    let (done, answer) = mpsc::sync_channel(1);
    let thread = std::thread::Builder::new()
        .name(GUARDED_THREAD.to_owned())
        .spawn(move || {
            // Whoever does not wait any more does not need the answer.
            let _ = done.send(call());
        })
        .map_err(NoAnswer::NoThread)?;
    match answer.recv_timeout(patience) {
        Ok(answer) => {
            // What the call let go of is gone when its thread has ended.
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
