//! The log on standard error: one line per event, with control characters escaped.

use std::io::{self, Write};

use hookctl::outside::{escape, json};
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

use crate::args::{GlobalArgs, LogFormat};
use crate::progress;
use crate::ui::json_line;

/// A writer that escapes events, since they quote the API and the files.
#[derive(Clone, Copy)]
struct Escaped {
    format: LogFormat,
    colored: bool,
}

impl Escaped {
    fn line(self, event: &str) -> String {
        match self.format {
            LogFormat::Json => json::escape(event).into_owned(),
            LogFormat::Text if self.colored => {
                // The colors are the log's own: it has escaped those of quoted text.
                let parts: Vec<_> = event.split('\u{1b}').map(escape).collect();
                parts.join("\u{1b}")
            }
            LogFormat::Text => escape(event).into_owned(),
        }
    }
}

impl Write for Escaped {
    /// Writes one event, which is always complete.
    fn write(&mut self, event: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(event);
        let line = self.line(text.strip_suffix('\n').unwrap_or(&text)) + "\n";
        progress::aside(|| io::stderr().lock().write_all(line.as_bytes()))?;
        Ok(event.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().lock().flush()
    }
}

/// Reports a panic as one JSON line, except on threads whose panic is handled.
fn report_panics_as_json() {
    std::panic::set_hook(Box::new(|panic| {
        if std::thread::current().name() != Some(hookctl::record::sled::GUARDED_THREAD) {
            json_line(
                "ERROR",
                &serde_json::json!({ "message": panic.to_string() }),
            );
        }
    }));
}

/// Starts the log.
pub(crate) fn start_log(global: &GlobalArgs, usual: LevelFilter, color: bool) {
    let level = match (global.quiet, global.verbose) {
        (true, _) => LevelFilter::ERROR,
        (false, 0) => usual,
        (false, 1) => LevelFilter::INFO,
        (false, _) => LevelFilter::DEBUG,
    };
    // Only events of this program: other crates log headers.
    let filter = tracing_subscriber::filter::Targets::new().with_target("hookctl", level);
    let writer = Escaped {
        format: global.log_format,
        colored: color,
    };
    let layer = tracing_subscriber::fmt::layer()
        .with_writer(move || writer)
        .with_ansi(color)
        .with_target(false);
    let registry = tracing_subscriber::registry().with(filter);
    // The first log of the process stays.
    let _ = match global.log_format {
        LogFormat::Text => registry.with(layer).try_init(),
        LogFormat::Json => {
            report_panics_as_json();
            registry.with(layer.json()).try_init()
        }
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_one_line_and_no_command() {
        let line = |format, colored, event| Escaped { format, colored }.line(event);
        let event = "WARN a\n::error::x ##[error]\u{202e}";
        let text = "WARN a\\u{a}::error::x \\u{23}#[error]\\u{202e}";
        assert_eq!(line(LogFormat::Text, false, event), text);
        let colored = line(LogFormat::Text, true, "\u{1b}[33mWARN\u{1b}[0m a\n");
        assert_eq!(colored, "\u{1b}[33mWARN\u{1b}[0m a\\u{a}");
        let json = line(LogFormat::Json, false, "{\"a\":\"##[error]\u{202e}\"}");
        assert_eq!(json, "{\"a\":\"#\\u0023[error]\\u202e\"}");
    }
}
