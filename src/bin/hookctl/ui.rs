//! Standard output for results, and standard error for everything else.

use std::io::{self, BufRead as _, IsTerminal as _, Write as _};
use std::sync::{Mutex, PoisonError};

use hookctl::outside::{escape, json};
use hookctl::render::{Message, Screen, Styles, wrap};
use serde_json::{Value, json};

use crate::args::ColorWhen;
use crate::environment::Environment;
use crate::error::{CommandError, error_json};
use crate::exit_status::ExitStatus;
use crate::{mask, progress};

/// Writes one line in the format of the JSON log, without null fields.
pub(crate) fn json_line(level: &str, fields: &Value) {
    let fields: serde_json::Map<String, Value> = fields
        .as_object()
        .into_iter()
        .flatten()
        .filter(|(_, value)| !value.is_null())
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect();
    let timestamp = jiff::Timestamp::now().to_string();
    let line = json!({ "timestamp": timestamp, "level": level, "fields": fields });
    let _ = progress::aside(|| io::stderr().lock().write_all(json::line(&line).as_bytes()));
}

/// The terminal, or the streams that replace it.
#[expect(clippy::struct_excessive_bools, reason = "each is a command-line flag")]
pub(crate) struct Ui {
    color_out: bool,
    color_err: bool,
    quiet: bool,
    most_diagnostics: usize,
    /// Whether each message is one JSON object on a line.
    logs_json: bool,
    /// Why the last result could not be written.
    unwritten: Mutex<Option<io::Error>>,
}

#[expect(
    clippy::unused_self,
    reason = "callers must hold the `Ui` to print or ask"
)]
impl Ui {
    /// Creates a `Ui`. By default, colors are used on a terminal.
    pub(crate) fn new(when: ColorWhen, environment: &Environment, quiet: bool) -> Self {
        let colored = |terminal| when.colors(|name| environment.setting(name), terminal);
        Self {
            color_out: colored(io::stdout().is_terminal()),
            color_err: colored(io::stderr().is_terminal()),
            quiet,
            most_diagnostics: hookctl::render::SHOWN,
            logs_json: false,
            unwritten: Mutex::default(),
        }
    }

    /// Returns whether results are colored.
    pub(crate) const fn color_out(&self) -> bool {
        self.color_out
    }

    /// Returns whether messages are colored.
    pub(crate) const fn color_err(&self) -> bool {
        self.color_err
    }

    /// Returns whether progress is shown, which needs a terminal.
    pub(crate) fn shows_progress(&self) -> bool {
        !self.quiet && !self.logs_json && io::stderr().is_terminal()
    }

    /// Returns whether only the summary of a result is shown.
    pub(crate) const fn is_quiet(&self) -> bool {
        self.quiet
    }

    /// Returns how results are shown: on a terminal, with its width and the time zone of this machine.
    pub(crate) fn screen(&self) -> Screen {
        let styles = Styles::new(self.color_out);
        match columns_out() {
            None => Screen::pipe(styles),
            columns => Screen {
                styles,
                columns,
                zone: jiff::tz::TimeZone::system(),
            },
        }
    }

    /// Returns whether results are read on a terminal.
    pub(crate) fn is_on_screen(&self) -> bool {
        io::stdout().is_terminal()
    }

    /// Sets whether all diagnostics are shown.
    pub(crate) const fn showing_all(mut self, shows_all: bool) -> Self {
        if shows_all {
            self.most_diagnostics = usize::MAX;
        }
        self
    }

    /// Sets whether each message is one JSON object on a line, as in the log.
    pub(crate) const fn logging_json(mut self, logs_json: bool) -> Self {
        self.logs_json = logs_json;
        if logs_json {
            self.color_err = false;
        }
        self
    }

    /// Returns whether each message is one JSON object on a line.
    pub(crate) const fn logs_json(&self) -> bool {
        self.logs_json
    }

    /// Returns how many diagnostics are shown.
    pub(crate) const fn most_diagnostics(&self) -> usize {
        self.most_diagnostics
    }

    /// Returns the width of messages, in columns.
    pub(crate) fn width(&self) -> usize {
        // Without a terminal.
        const FALLBACK: usize = 100;
        if !io::stderr().is_terminal() {
            return FALLBACK;
        }
        let (_, columns) = console::Term::stderr().size();
        usize::from(columns).clamp(NARROWEST, 200)
    }

    /// Returns whether the user can be asked.
    pub(crate) fn can_ask(&self) -> bool {
        io::stdin().is_terminal() && io::stderr().is_terminal()
    }

    /// Writes a result as it is.
    pub(crate) fn result(&self, text: &str) {
        self.stream(|out| out.write_all(text.as_bytes()));
    }

    /// Writes a result for people, wrapped at the width of a terminal.
    pub(crate) fn human(&self, text: &str) {
        match columns_out() {
            Some(columns) => self.result(&wrap(text, columns)),
            None => self.result(text),
        }
    }

    /// Streams a result and flushes it. All output to standard output goes through here.
    pub(crate) fn stream(&self, write: impl FnOnce(&mut dyn io::Write) -> io::Result<()>) {
        let written = progress::aside(|| {
            let mut stdout = io::BufWriter::new(io::stdout().lock());
            let written = write(&mut stdout).and_then(|()| stdout.flush());
            if written.is_err() {
                // The rest of the buffer would fail again.
                let _ = stdout.into_parts();
            }
            written
        });
        let Err(error) = written else { return };
        let mut unwritten = self
            .unwritten
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        unwritten.get_or_insert(error);
    }

    /// Returns whether a result could not be written although a reader remains.
    pub(crate) fn lost_a_result(&self) -> bool {
        let unwritten = self
            .unwritten
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        unwritten
            .as_ref()
            .is_some_and(|error| error.kind() != io::ErrorKind::BrokenPipe)
    }

    /// Ends the run. A result that could not be written is an error, unless the reader closed the pipe: then it has
    /// read enough.
    pub(crate) fn conclude(&self, status: ExitStatus) -> ExitStatus {
        let mut unwritten = self
            .unwritten
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        match unwritten.take() {
            Some(error) if error.kind() != io::ErrorKind::BrokenPipe => {
                self.error("error", &format!("could not write the result: {error}"));
                match status {
                    ExitStatus::Usage | ExitStatus::Interrupted => status,
                    _ => ExitStatus::Error,
                }
            }
            _ => status,
        }
    }

    /// Writes a message to standard error.
    pub(crate) fn message(&self, text: &str) {
        if !self.logs_json {
            let wrapped = columns_err().map(|columns| wrap(text, columns));
            let text = wrapped.as_deref().unwrap_or(text);
            let _ = progress::aside(|| io::stderr().lock().write_all(text.as_bytes()));
        } else if !text.trim().is_empty() {
            json_line("INFO", &json!({ "message": text.trim() }));
        }
    }

    /// Writes an error. `head` is `error`, optionally with a code.
    pub(crate) fn error(&self, head: &str, text: &str) {
        if self.logs_json {
            json_line("ERROR", &json!({ "message": text }));
            return;
        }
        let style = Styles::new(self.color_err).destroy;
        self.message(&format!("{style}{head}{style:#}: {}\n", escape(text)));
    }

    /// Writes the error of a command, with its hints.
    pub(crate) fn failure(&self, error: &CommandError) {
        let message = error.clone().into_message();
        if self.logs_json {
            self.report(&message);
            return;
        }
        self.error("error", &message.message);
        let style = Styles::new(self.color_err).hint;
        for hint in message.help.iter().flat_map(|help| help.lines()) {
            self.message(&format!("  {style}hint{style:#}: {}\n", escape(hint)));
        }
    }

    /// Writes the error that ends a command, also as the result if that is a JSON document. Returns the exit status.
    pub(crate) fn fail(&self, error: &CommandError, as_json: bool) -> ExitStatus {
        if as_json {
            self.result(&error_json(error));
        }
        self.failure(error);
        error.status
    }

    /// Writes a message with its severity, code, location, and hints.
    pub(crate) fn report(&self, message: &Message) {
        let message = &mask::message(message.clone());
        if self.logs_json {
            let level = match message.severity {
                "error" => "ERROR",
                "warning" => "WARN",
                _ => "INFO",
            };
            json_line(level, &json!(message));
            return;
        }
        self.message(&hookctl::render::line(
            message,
            &Styles::new(self.color_err),
        ));
    }

    /// Writes a message, unless `--quiet` is set.
    pub(crate) fn remark(&self, text: &str) {
        if !self.quiet {
            self.message(text);
        }
    }

    /// Asks a yes/no question; the default is no. Connections and signals are served meanwhile.
    pub(crate) async fn ask(&self, question: &str) -> bool {
        let answer = self.answer(&format!("{question} [y/N] ")).await;
        matches!(answer.as_str(), "y" | "yes")
    }

    /// Asks a question, and returns the answer in lower case, or an empty text.
    pub(crate) async fn answer(&self, question: &str) -> String {
        progress::end();
        self.message(question);
        let answer = line().await.unwrap_or_default();
        answer.trim().to_lowercase()
    }

    /// Asks for a text. An empty answer selects the default.
    pub(crate) async fn prompt(&self, question: &str, default: &str) -> String {
        progress::end();
        self.message(&format!("{question} [{default}]: "));
        let answer = line().await.unwrap_or_default();
        match answer.trim() {
            "" => default.to_owned(),
            text => text.to_owned(),
        }
    }
}

/// The fewest columns that text is wrapped at: on a narrower terminal, the terminal wraps it.
const NARROWEST: usize = 30;

fn columns(is_terminal: bool, term: impl FnOnce() -> console::Term) -> Option<usize> {
    let (_, columns) = is_terminal.then(term)?.size();
    Some(usize::from(columns).max(NARROWEST))
}

/// Returns the width of standard output. `None` if it is no terminal.
fn columns_out() -> Option<usize> {
    columns(io::stdout().is_terminal(), console::Term::stdout)
}

/// Returns the width of standard error. `None` if it is no terminal.
fn columns_err() -> Option<usize> {
    columns(io::stderr().is_terminal(), console::Term::stderr)
}

/// Reads a line of standard input on a thread of its own, so that signals are served meanwhile.
async fn line() -> Option<String> {
    let (said, answer) = tokio::sync::oneshot::channel();
    let reader = std::thread::Builder::new().spawn(move || {
        let mut answer = String::new();
        let read = io::stdin().lock().read_line(&mut answer);
        // After an interruption, the receiver is gone.
        let _ = said.send(read.ok().map(|_| answer));
    });
    reader.ok()?;
    answer.await.ok().flatten()
}
