//! Sessions at a terminal: prompts, and output at 80 columns with and without color.

#![cfg(unix)]

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Duration;

use hookctl::sandbox::Fault;
use rustix::fs::{Mode, OFlags};
use rustix::pty::OpenptFlags;
use rustix::termios::Winsize;
use serde_json::json;

use crate::documents;
use crate::harness::{API_KEY, Account, BILLING, CANARY, Repository};
use crate::status;

/// How long an answer may take on a busy machine.
const PATIENCE: Duration = Duration::from_mins(1);

/// A program at a terminal of 80 columns.
pub(crate) struct Terminal {
    child: Child,
    keyboard: File,
    screen: Receiver<Vec<u8>>,
    shown: String,
    /// How much of it was looked at.
    seen: usize,
}

impl Terminal {
    pub(crate) fn start(command: Command) -> Self {
        Self::of_width(80, command)
    }

    /// Starts a program at a terminal with this number of columns.
    pub(crate) fn of_width(columns: u16, mut command: Command) -> Self {
        let controller = rustix::pty::openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        rustix::pty::grantpt(&controller).unwrap();
        rustix::pty::unlockpt(&controller).unwrap();
        let name = rustix::pty::ptsname(&controller, Vec::new()).unwrap();
        let flags = OFlags::RDWR | OFlags::NOCTTY;
        let user = File::from(rustix::fs::open(name, flags, Mode::empty()).unwrap());
        let size = Winsize {
            ws_row: 24,
            ws_col: columns,
            ws_xpixel: 0,
            ws_ypixel: 0,
        };
        rustix::termios::tcsetwinsize(&user, size).unwrap();
        let child = command
            .env("TZ", "UTC")
            .stdin(Stdio::from(user.try_clone().unwrap()))
            .stdout(Stdio::from(user.try_clone().unwrap()))
            .stderr(Stdio::from(user))
            .spawn()
            .unwrap();
        // It holds the user's side open, and the screen would never end.
        drop(command);
        let keyboard = File::from(controller);
        let mut output = keyboard.try_clone().unwrap();
        let (sender, screen) = channel();
        std::thread::spawn(move || {
            let mut part = vec![0; 4_096];
            // The end of a terminal is an error.
            while let Ok(length) = output.read(&mut part) {
                let read = part.get(..length).unwrap_or_default().to_vec();
                if length == 0 || sender.send(read).is_err() {
                    break;
                }
            }
        });
        Self {
            child,
            keyboard,
            screen,
            shown: String::new(),
            seen: 0,
        }
    }

    /// Waits for a text after what was seen before.
    #[track_caller]
    pub(crate) fn shows(&mut self, text: &str) {
        loop {
            if let Some(place) = self.shown[self.seen..].find(text) {
                self.seen += place + text.len();
                return;
            }
            match self.screen.recv_timeout(PATIENCE) {
                Ok(part) => self.shown.push_str(&String::from_utf8(part).unwrap()),
                Err(error) => panic!("no '{text}' ({error}) in:\n{}", self.shown),
            }
        }
    }

    /// Sends what Ctrl-C sends.
    pub(crate) fn interrupts(&self) {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
    }

    /// Writes a line at the keyboard.
    pub(crate) fn writes(&mut self, text: &str) {
        self.keyboard.write_all(text.as_bytes()).unwrap();
        self.keyboard.write_all(b"\n").unwrap();
    }

    /// Waits for the end: the exit code and what is left on the screen.
    pub(crate) fn end(mut self) -> (i32, String) {
        loop {
            match self.screen.recv_timeout(PATIENCE) {
                Ok(part) => self.shown.push_str(&String::from_utf8(part).unwrap()),
                Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => panic!("it does not end:\n{}", self.shown),
            }
        }
        let status = self.child.wait().unwrap();
        assert!(!self.shown.contains(CANARY), "{}", self.shown);
        let shown = std::mem::take(&mut self.shown);
        (status.code().unwrap_or(-1), what_stays(&shown))
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A command against the account, at a terminal with colors.
pub(crate) fn command(repository: &Repository, account: &Account, arguments: &[&str]) -> Command {
    let url = account.sandbox.base_url();
    let mut all = vec!["--api-url", &url];
    all.extend(arguments);
    let mut command = repository.command(&all);
    command.env("TERM", "xterm");
    command
}

#[test]
fn a_first_repository_is_asked_for() {
    let account = Account::new();
    account.put(
        "5eb7cf5a86d9755df3a6c001",
        "Mine",
        "https://mine.example.com",
    );
    let mut repository = Repository::new();
    let state = tempfile::tempdir().unwrap();
    repository.set("XDG_STATE_HOME", state.path().to_str().unwrap());
    repository.set("THE_KEY", API_KEY);
    repository.set("INTERACTLY_API_KEY", "");
    let url = account.sandbox.base_url();
    let mut terminal = Terminal::start(repository.command(&["init"]));
    terminal.shows("The API's base URL [https://api-prod.interactly.ai]: ");
    terminal.writes(&url);
    terminal.shows("The environment variable of the API key [INTERACTLY_API_KEY]: ");
    terminal.writes("THE_KEY");
    terminal.shows("The API responds, with 1 webhook.");
    terminal.shows("Write declarations for the existing webhooks? [y/N] ");
    terminal.writes("y");
    terminal.shows("Write a GitHub workflow? [y/N] ");
    terminal.writes("");
    terminal.shows("Write jobs for GitLab? [y/N] ");
    terminal.writes("");
    let (status, shown) = terminal.end();
    assert_eq!(status, 0, "{shown}");
    assert!(repository.path("webhooks.d/mine.yaml").exists(), "{shown}");
    assert!(!repository.path(".github").exists(), "no is the default");
    account.requests();
    // The user named the variable, which is consent.
    repository
        .run(&["sync", "--dry-run"])
        .code(0)
        .shows("No changes.");
    assert_eq!(account.requests(), ["GET workflow-webhooks"]);
}

#[test]
fn answers_that_lead_nowhere_write_nothing() {
    let (account, repository) = (Account::new(), Repository::new());
    let url = account.sandbox.base_url();
    for (address, variable, expected) in [
        ("ftp://x", "", "the API's base URL"),
        (
            &url,
            "not a name",
            "a variable name consists of letters, digits, and '_'",
        ),
        (&url, "NO_SUCH_VARIABLE", "NO_SUCH_VARIABLE"),
    ] {
        let mut terminal = Terminal::start(repository.command(&["init"]));
        terminal.shows("[https://api-prod.interactly.ai]: ");
        terminal.writes(address);
        if address == url {
            terminal.shows("[INTERACTLY_API_KEY]: ");
            terminal.writes(variable);
        }
        let (status, shown) = terminal.end();
        assert_ne!(status, 0, "{shown}");
        assert!(shown.contains(expected), "{shown}");
        assert!(!repository.path("hookctl.yaml").exists());
        assert!(account.requests().is_empty());
    }
}

#[test]
fn a_person_is_asked_before_something_is_lost() {
    let (account, repository) = (Account::new(), Repository::with(BILLING));
    repository.settled(&account);
    account
        .sandbox
        .seed_event(json!({
            "event_id": "evt-1", "_id": format!("{:024x}", 1), "subscription_id": account.id("Billing"),
            "action": "workflow_run_completed", "status": "delivered",
            "created_at": jiff::Timestamp::now().to_string(), "payload": {}, "attempts_count": 1,
        }))
        .unwrap();
    let deleted = format!("DELETE {}", account.id("Billing"));
    repository.declare("webhooks: { billing: { state: absent } }");
    for (answer, expected, requests) in [
        ("", 5, vec!["GET workflow-webhooks", "GET events"]),
        (
            "yes",
            0,
            vec!["GET workflow-webhooks", "GET events", &deleted],
        ),
    ] {
        let mut terminal = Terminal::start(command(&repository, &account, &["sync"]));
        terminal.shows("events in the last 24 h: 1");
        terminal.shows("Apply this plan? [y/N] ");
        terminal.writes(answer);
        let (status, shown) = terminal.end();
        assert_eq!(status, expected, "{shown}");
        assert_eq!(account.requests(), requests);
    }
    assert!(account.names().is_empty());
}

#[test]
fn a_question_that_is_interrupted_is_answered_with_no() {
    let (account, repository) = (Account::new(), Repository::with(BILLING));
    repository.settled(&account);
    repository.declare("webhooks: { billing: { state: absent } }");
    let mut terminal = Terminal::start(command(&repository, &account, &["sync"]));
    terminal.shows("Apply this plan? [y/N] ");
    terminal.interrupts();
    let (status, shown) = terminal.end();
    assert_eq!(status, 130, "{shown}");
    assert!(
        shown.contains("interrupted before any change was made"),
        "{shown}"
    );
    assert_eq!(account.names(), ["Billing"]);
}

/// A repository in some state, and what to do in it.
type Fixture = (
    &'static str,
    fn() -> (Account, Repository),
    &'static [&'static str],
);

/// Everything that is made for people to read.
const OUTPUTS: &[Fixture] = &[
    (
        "plan",
        documents::everything,
        &["sync", "--dry-run", "--prune"],
    ),
    (
        "diff",
        documents::everything,
        &["sync", "--dry-run", "--prune", "--output", "diff"],
    ),
    ("refusal", emptied, &["sync", "--prune", "--yes"]),
    (
        "applied",
        documents::everything,
        &["sync", "--prune", "--yes"],
    ),
    ("nothing", settled, &["sync"]),
    ("mistakes", mistaken, &["validate"]),
    ("valid", settled, &["validate"]),
    ("no_key", keyless, &["sync"]),
    ("no_config", settled, &["--config", "nowhere.yaml", "sync"]),
    ("failure", refused, &["sync"]),
    ("status", status::everything, &["status"]),
    ("events", status::everything, &["events"]),
    ("attempts", attempted, &["attempts", "evt-2"]),
    ("retry", status::everything, &["retry", "evt-2"]),
    ("explain", settled, &["explain", "unknown-field"]),
    ("record", settled, &["record", "show"]),
    ("history", settled, &["record", "history"]),
    ("verify", settled, &["record", "verify"]),
    ("import", status::everything, &["import", "--dry-run"]),
    ("imported", status::everything, &["import"]),
];

fn settled() -> (Account, Repository) {
    let (account, repository) = (Account::new(), Repository::with(BILLING));
    repository.settled(&account);
    (account, repository)
}

/// Five of which one is left: more are deleted than the limits allow.
fn emptied() -> (Account, Repository) {
    let one = |number: u32| {
        format!("  w{number}: {{ url: 'https://w{number}.example.com', actions: all }}\n")
    };
    let declared = |count| format!("webhooks:\n{}", (1..=count).map(one).collect::<String>());
    let (account, repository) = (Account::new(), Repository::with(&declared(5)));
    repository.settled(&account);
    repository.declare(&declared(1));
    (account, repository)
}

fn keyless() -> (Account, Repository) {
    let mut repository = Repository::with(BILLING);
    repository.set("INTERACTLY_API_KEY", "");
    (Account::new(), repository)
}

/// One that the API does not take.
fn refused() -> (Account, Repository) {
    let (account, repository) = (Account::new(), Repository::with(BILLING));
    account.fault(
        "POST",
        1,
        Fault::Answer {
            status: 400,
            headers: vec![],
            body: json!({ "message": "the address is on a private network" }).to_string(),
        },
    );
    (account, repository)
}

fn attempted() -> (Account, Repository) {
    let (account, repository) = status::everything();
    for (number, success, code) in [
        (1, false, Some(503)),
        (2, false, None),
        (3, true, Some(200)),
    ] {
        account
            .sandbox
            .seed_attempt(json!({
                "event_id": "evt-2", "subscription_id": account.id("same"),
                "attempt_number": number, "action": "workflow_run_completed",
                "request_url": "https://same.example.com", "success": success,
                "response_status_code": code, "latency_ms": 12 * number,
                "response_body": "taken", "error_message": (!success).then_some("no upstream"),
            }))
            .unwrap();
    }
    (account, repository)
}

fn mistaken() -> (Account, Repository) {
    let repository = Repository::with(
        "webhooks:
  Billing: { url: 'https://a.example.com', actions: all }
  on-call: { url: 'ftp://a.example.com', actions: [workflow_run_complete], timeout: 10 }
",
    );
    (Account::new(), repository)
}

/// Without the lines that were erased again, which are the progress bar's.
fn what_stays(shown: &str) -> String {
    shown
        .split("\r\n")
        .map(|line| line.rsplit("\u{1b}[2K").next().unwrap_or_default())
        .collect::<Vec<_>>()
        .join("\n")
}

/// Without the codes that colour it.
pub(crate) fn plain(text: &str) -> String {
    let mut parts = text.split("\u{1b}[");
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |plain, part| {
        plain + part.split_once('m').map_or(part, |(_, rest)| rest)
    })
}

#[test]
fn whatever_people_read_says_the_same_with_and_without_colour() {
    let mut settings = insta::Settings::clone_current();
    settings.add_filter("[0-9a-f]{24}", "(an id of 24 digits)   ");
    settings.add_filter(r"\d+\.\d+ s\b", "(time)");
    settings.add_filter(r"20\d\d-\d\d-\d\d[ T][0-9:.]+Z?", "(a time)           ");
    settings.add_filter(r"\d\d-\d\d \d\d:\d\d:\d\d", "(a short time)");
    settings.add_filter(r"127\.0\.0\.1:\d+", "(address)");
    settings.bind(|| {
        for (name, fixture, arguments) in OUTPUTS {
            let (account, repository) = fixture();
            let colored = Terminal::start(command(&repository, &account, arguments)).end();
            insta::assert_snapshot!(
                format!("{name}_in_colour"),
                colored.1.replace('\u{1b}', "^")
            );
            let (account, repository) = fixture();
            let mut command = command(&repository, &account, arguments);
            command.env("NO_COLOR", "1");
            let uncolored = Terminal::start(command).end();
            assert_eq!(colored.0, uncolored.0, "{name}");
            assert!(!uncolored.1.contains('\u{1b}'), "{name}:\n{}", uncolored.1);
            insta::assert_snapshot!(*name, uncolored.1);
            insta::assert_snapshot!(*name, plain(&colored.1));
        }
    });
}
