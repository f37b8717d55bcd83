//! The one line on a terminal that says what a run does, how far it is, and what it waits for.
//!
//! The line is global, like the streams that it is drawn between: whatever else is written takes it off the screen first.
//! It is drawn on standard error, and only on a terminal.

mod line;

use std::io::Write as _;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use console::Term;
use hookctl::apply::{ApplyEvent, Listener};
use hookctl::remote::http::HttpEvent;
use hookctl::render::wrap;
use hookctl::report::Outcome;
use hookctl::webhook::Key;

use self::line::{Shown, Wait};
use crate::environment::Environment;

pub(crate) use self::line::Phase;

/// The time between two frames.
const FRAME: Duration = Duration::from_millis(100);

/// A run that ends sooner shows no line, which would only flicker.
const PATIENCE: Duration = Duration::from_millis(150);

/// A wait for another process is repeated more often than this while it lasts.
const REPEATED: Duration = Duration::from_millis(500);

static LINE: OnceLock<Mutex<Line>> = OnceLock::new();

/// The line, and whether it is on the screen.
struct Line {
    term: Term,
    started: Instant,
    shown: Shown,
    is_drawn: bool,
}

/// Starts to show progress. Without a call, nothing is ever drawn.
pub(crate) fn start() {
    let line = Line {
        term: Term::stderr(),
        started: Instant::now(),
        shown: Shown::default(),
        is_drawn: false,
    };
    if LINE.set(Mutex::new(line)).is_err() {
        return;
    }
    // Without the thread, the line is drawn only where something changes.
    let _ = std::thread::Builder::new()
        .name("hookctl-progress".to_owned())
        .spawn(|| {
            loop {
                std::thread::sleep(FRAME);
                if let Some(mut line) = locked() {
                    line.frame();
                }
            }
        });
}

fn locked() -> Option<MutexGuard<'static, Line>> {
    let line = LINE.get()?;
    Some(line.lock().unwrap_or_else(PoisonError::into_inner))
}

impl Line {
    /// Draws the line, unless a program may use the terminal: a prompt must not be overwritten.
    fn frame(&mut self) {
        if self.shown.moves() && self.started.elapsed() >= PATIENCE {
            self.draw();
        }
    }

    fn draw(&mut self) {
        let (_, columns) = self.term.size();
        // A full line would make some terminals begin the next one.
        let room = usize::from(columns).saturating_sub(1);
        let Some(text) = self.shown.text(Instant::now(), room) else {
            return;
        };
        let _ = self.term.clear_line();
        let _ = self.term.write_all(text.as_bytes());
        let _ = self.term.flush();
        self.is_drawn = true;
    }

    /// Writes a message above the line.
    fn say(&mut self, text: &str) {
        self.erase();
        let (_, columns) = self.term.size();
        let text = wrap(&format!("{text}\n"), usize::from(columns).max(1));
        let _ = self.term.write_all(text.as_bytes());
        let _ = self.term.flush();
    }

    fn erase(&mut self) {
        if std::mem::replace(&mut self.is_drawn, false) {
            let _ = self.term.clear_line();
        }
    }
}

/// Writes something else while the line is off the screen.
pub(crate) fn aside<T>(write: impl FnOnce() -> T) -> T {
    let Some(mut line) = locked() else {
        return write();
    };
    line.erase();
    write()
}

/// Begins a phase.
pub(crate) fn begin(phase: Phase) {
    if let Some(mut line) = locked() {
        line.shown.begin(phase, Instant::now());
        if line.started.elapsed() >= PATIENCE {
            line.draw();
        }
    }
}

/// Counts one more of what the phase counts.
pub(crate) fn advance() {
    if let Some(mut line) = locked() {
        line.shown.done += 1;
        if !line.shown.moves() && line.started.elapsed() >= PATIENCE {
            line.draw();
        }
    }
}

/// Takes the line off the screen: a question, or the result, is shown instead.
pub(crate) fn end() {
    if let Some(mut line) = locked() {
        line.erase();
        line.shown.phase = None;
    }
}

/// Says that the run stops after the first signal, and what it still waits for. Says nothing before the first write: then
/// the run ends at once.
pub(crate) fn stopping(writes: bool) {
    let Some(mut line) = locked().filter(|_| writes) else {
        return;
    };
    line.shown.stopping = true;
    let count = line.shown.in_flight;
    let requests = requests(count);
    line.say(&match count {
        0 => "stopping; Ctrl-C again to stop now".to_owned(),
        _ => format!("finishing {requests} in flight; Ctrl-C again to stop now"),
    });
}

/// Says what the second signal leaves behind.
pub(crate) fn stopped(writes: bool) {
    let Some(mut line) = locked() else { return };
    let count = line.shown.in_flight;
    let requests = requests(count);
    line.say(&match count {
        _ if !writes => "stopped; nothing was changed".to_owned(),
        0 => "stopped; run it again to continue".to_owned(),
        _ => format!("stopped with {requests} in flight; the next run settles them"),
    });
}

fn requests(count: usize) -> String {
    match count {
        1 => "1 request".to_owned(),
        count => format!("{count} requests"),
    }
}

/// Shows what the client of the API does.
pub(crate) fn on_http(event: HttpEvent) {
    let Some(mut line) = locked() else { return };
    let now = Instant::now();
    match event {
        HttpEvent::Sent => line.shown.in_flight += 1,
        HttpEvent::Ended => {
            let left = line.shown.in_flight.saturating_sub(1);
            line.shown.in_flight = left;
            line.shown.requests += 1;
        }
        HttpEvent::Waiting { pause, status } if pause >= FRAME => {
            let reason = status.map_or_else(|| "no response".to_owned(), |code| code.to_string());
            line.shown.wait = Some(Wait::Retry {
                until: now + pause,
                reason,
            });
        }
        _ => {}
    }
}

/// Shows that the record waits for another process.
pub(crate) fn on_lock(holder: Option<u32>) {
    if let Some(mut line) = locked() {
        line.shown.wait = Some(Wait::Run {
            until: Instant::now() + REPEATED,
            holder,
        });
    }
}

/// Returns whether a terminal can replace a line.
pub(crate) fn is_possible(environment: &Environment) -> bool {
    environment
        .setting("TERM")
        .is_none_or(|term| term != "dumb")
}

/// The progress of an apply: the line, and one log line per action.
pub(crate) struct Progress;

impl Listener for Progress {
    fn on(&self, event: ApplyEvent<'_>) {
        match event {
            // Each round counts from zero.
            ApplyEvent::Started { actions: 0 } => begin(Phase::List),
            ApplyEvent::Started { actions } => begin(Phase::Apply { actions }),
            ApplyEvent::Waiting { keys, remaining } => {
                let named = keys.iter().map(Key::as_str).take(3).collect::<Vec<_>>();
                let more = keys.len() - named.len();
                let more = if more > 0 {
                    format!(" and {more} more")
                } else {
                    String::new()
                };
                let keys = format!("{}{more}", named.join(", "));
                if LINE.get().is_none() {
                    tracing::warn!(
                        "waiting up to {} s for the outcome of {keys}",
                        remaining.as_secs() + 1
                    );
                }
                begin(Phase::Settle {
                    until: Instant::now() + remaining,
                    keys,
                });
            }
            ApplyEvent::Ended { planned, outcome } => {
                if !matches!(outcome, Outcome::NotAttempted) {
                    advance();
                }
                let ended = outcome.as_str();
                tracing::info!(key = %planned.key, action = planned.action.as_str(), ended, "action");
            }
            _ => {}
        }
    }
}
