//! Progress of an apply on a terminal.

use hookctl::apply::{ApplyEvent, Listener};
use hookctl::webhook::Key;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// A progress bar on standard error, and one log line per action.
pub(crate) struct Progress {
    bar: ProgressBar,
}

impl Progress {
    /// Creates a bar, hidden unless `shown`.
    pub(crate) fn new(shown: bool) -> Self {
        let bar = ProgressBar::with_draw_target(
            None,
            if shown {
                ProgressDrawTarget::stderr()
            } else {
                ProgressDrawTarget::hidden()
            },
        );
        if let Ok(style) = ProgressStyle::with_template("{bar:30} {pos}/{len} {msg}") {
            bar.set_style(style);
        }
        Self { bar }
    }

    /// Removes the bar.
    pub(crate) fn finish(&self) {
        self.bar.finish_and_clear();
    }
}

impl Listener for Progress {
    fn on(&self, event: ApplyEvent<'_>) {
        match event {
            ApplyEvent::Started { actions } => {
                // Each round counts from zero.
                self.bar.set_position(0);
                self.bar.set_length(actions as u64);
            }
            ApplyEvent::Waiting { keys, remaining } => {
                let named = keys.iter().map(Key::as_str).take(3).collect::<Vec<_>>();
                let more = keys.len() - named.len();
                let more = if more > 0 {
                    format!(" and {more} more")
                } else {
                    String::new()
                };
                let text = format!(
                    "waiting up to {} s for the outcome of {}{more}",
                    remaining.as_secs() + 1,
                    named.join(", ")
                );
                if self.bar.is_hidden() {
                    tracing::warn!("{text}");
                }
                self.bar.set_message(text);
            }
            ApplyEvent::Ended { planned, outcome } => {
                self.bar.inc(1);
                self.bar.set_message(planned.key.to_string());
                let ended = outcome.as_str();
                tracing::info!(key = %planned.key, action = planned.action.as_str(), ended, "action");
            }
            _ => {}
        }
    }
}
