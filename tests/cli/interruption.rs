//! Signals: nothing new starts, and requests in flight are settled and recorded.

#![cfg(unix)]

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use hookctl::sandbox::Fault;

use crate::harness::{Account, BILLING, Repository, Run, hooks};

fn start(repository: &Repository, account: &Account) -> Child {
    let url = account.sandbox.base_url();
    repository
        .command(&["--api-url", &url, "sync", "--output", "json"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

pub(crate) fn signal(child: &Child, signal: &str) {
    let status = Command::new("kill")
        .args([&format!("-{signal}"), &child.id().to_string()])
        .status();
    assert!(status.unwrap().success());
}

/// Waits until the account got so many requests.
pub(crate) fn reached(account: &Account, requests: usize) {
    let mut patience = 6_000;
    while account.sandbox.received() < requests {
        std::thread::sleep(Duration::from_millis(5));
        patience -= 1;
        assert!(patience > 0, "only {} requests", account.sandbox.received());
    }
}

/// What was held back before it was sent is no longer intended.
pub(crate) fn nothing_pends(repository: &Repository, account: &Account) {
    let url = account.sandbox.base_url();
    let shown = repository
        .run(&["--api-url", &url, "record", "show"])
        .code(0);
    assert!(!shown.stdout.contains("pending"), "{}", shown.stdout);
}

#[test]
fn a_first_signal_settles_what_is_in_flight() {
    for name in ["INT", "TERM"] {
        let account = Account::with_latency(Duration::from_millis(200));
        let repository = Repository::with(&hooks(40));
        // All of them are intended at once, and four may send.
        repository.write("hookctl.yaml", "concurrency: 4\n");
        let child = start(&repository, &account);
        reached(&account, 3);
        signal(&child, name);
        let run = Run::of(child.wait_with_output().unwrap()).code(130);
        let document = run.json();
        let actions = document["actions"].as_array().unwrap();
        let with = |result: &str| {
            let hits = actions.iter().filter(|action| action["result"] == result);
            hits.count()
        };
        assert_eq!(
            with("applied"),
            account.names().len(),
            "what was sent is recorded"
        );
        assert!(with("applied") >= 1 && with("not_attempted") >= 1);
        assert_eq!(with("applied") + with("not_attempted"), 40);
        nothing_pends(&repository, &account);
        repository.settled(&account);
        assert_eq!(account.names().len(), 40);
    }
}

#[test]
fn a_second_signal_ends_at_once_and_the_journal_holds() {
    let account = Account::new();
    let repository = Repository::with(&hooks(2));
    account.fault("POST", 1, Fault::HangAfter);
    let mut child = start(&repository, &account);
    reached(&account, 3);
    signal(&child, "INT");
    std::thread::sleep(Duration::from_millis(100));
    assert!(
        child.try_wait().unwrap().is_none(),
        "one is still in flight"
    );
    signal(&child, "INT");
    let status = child.wait().unwrap();
    assert_eq!(status.code(), Some(130));
    let mut stdout = String::new();
    child
        .stdout
        .take()
        .unwrap()
        .read_to_string(&mut stdout)
        .unwrap();

    let url = account.sandbox.base_url();
    let shown = repository.run(&["--api-url", &url, "record", "show"]);
    shown.code(0).shows("pending: the create of");
    repository.settled(&account);
    assert_eq!(account.names().len(), 2, "neither doubled nor lost");
    nothing_pends(&repository, &account);
}

#[test]
fn two_runs_on_one_record_wait_for_each_other() {
    let account = Account::with_latency(Duration::from_millis(20));
    let repository = Repository::with(&hooks(12));
    let runs = [start(&repository, &account), start(&repository, &account)];
    let created: u64 = runs
        .into_iter()
        .map(|child| {
            let run = Run::of(child.wait_with_output().unwrap()).code(0);
            run.json()["summary"]["create"].as_u64().unwrap()
        })
        .sum();
    assert_eq!(created, 12, "one of the two made them all");
    assert_eq!(account.names().len(), 12);
}

#[test]
fn a_wait_that_is_too_long_names_the_holder() {
    let account = Account::new();
    let repository = Repository::with(&hooks(1));
    account.fault("GET", 1, Fault::Hang);
    let mut first = start(&repository, &account);
    reached(&account, 1);
    let url = account.sandbox.base_url();
    let arguments = ["--api-url", &url, "--lock-timeout", "50ms", "sync"];
    let run = repository.run(&arguments).code(1);
    let run = run.complains(&format!("by process {}", first.id()));
    run.complains("--lock-timeout");
    first.kill().unwrap();
    first.wait().unwrap();
    repository.settled(&account);
}

#[test]
fn others_may_have_the_record_while_a_program_is_asked_for_a_secret() {
    let account = Account::new();
    let mut repository = Repository::with(BILLING);
    repository.set("HOOKCTL_TRUST", "1");
    repository.settled(&account);
    let answer = repository.path("answer");
    let made = Command::new("mkfifo").arg(&answer).status();
    assert!(made.unwrap().success());
    let token = "    bearer_token: { command: [cat, ../answer] }\n";
    repository.declare(&format!("{BILLING}{token}"));
    let child = start(&repository, &account);
    // Opened once the program reads it.
    let mut answer = File::options().write(true).open(answer).unwrap();

    let url = account.sandbox.base_url();
    let forget = ["record", "forget", "billing"];
    let arguments = [&["--api-url", &url, "--lock-timeout", "0s"], &forget[..]].concat();
    repository.run(&arguments).code(0);

    answer.write_all(b"s3cr3t-from-a-program").unwrap();
    drop(answer);
    let run = Run::of(child.wait_with_output().unwrap()).code(0);
    assert_eq!(
        run.json()["summary"]["adopt"],
        1,
        "what was forgotten since is seen"
    );
    assert_eq!(account.names(), ["Billing"]);
}

/// A server that takes connections and requests, and never answers.
struct Silent(TcpListener);

impl Silent {
    fn new() -> Self {
        Self(TcpListener::bind("127.0.0.1:0").unwrap())
    }

    fn url(&self) -> String {
        format!("http://{}", self.0.local_addr().unwrap())
    }

    /// Waits for the head of a request. The connection stays open while what is returned lives.
    fn asked(&self) -> (TcpStream, String) {
        let (mut connection, _) = self.0.accept().unwrap();
        let mut head = Vec::new();
        let mut byte = [0];
        while !head.ends_with(b"\r\n\r\n") && connection.read(&mut byte).unwrap() > 0 {
            head.push(byte[0]);
        }
        (connection, String::from_utf8(head).unwrap())
    }
}

fn spawn(repository: &Repository, arguments: &[&str]) -> Child {
    repository
        .command(arguments)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

/// Ends a run by a signal, which takes no longer than a moment.
fn interrupted(child: Child, name: &str) -> Run {
    let begun = Instant::now();
    signal(&child, name);
    let run = Run::of(child.wait_with_output().unwrap()).code(130);
    assert!(begun.elapsed() < Duration::from_secs(10), "{}", run.stderr);
    run
}

#[test]
fn every_command_that_waits_for_the_api_ends_at_a_signal() {
    for command in [
        &["sync"][..],
        &["sync", "--dry-run"],
        &["sync", "--output", "json"],
        &["import"],
        &["import", "--dry-run"],
        &["--config", "new.yaml", "init"],
        &["status"],
        &["events", "--output", "json"],
        &["attempts", "evt-1"],
        &["retry", "evt-1"],
        &["watch"],
    ] {
        for name in ["INT", "TERM"] {
            let (server, repository) = (Silent::new(), Repository::with(BILLING));
            let url = server.url();
            let child = spawn(&repository, &[&["--api-url", &url], command].concat());
            let (_connection, head) = server.asked();
            assert!(head.starts_with("GET /"), "{command:?}: {head}");
            let run = interrupted(child, name);
            if command.contains(&"json") {
                let document = run.json();
                let text = document.to_string();
                assert!(text.contains("\"interrupted\""), "{command:?}: {text}");
            }
            let run = if command == ["watch"] {
                run
            } else {
                run.complains("interrupted")
            };
            assert!(!run.stderr.contains("panicked"), "{}", run.stderr);
            assert!(!repository.path("new.yaml").exists());
        }
    }
}

#[test]
fn a_saved_plan_and_a_repair_end_at_a_signal_too() {
    for command in [
        &["apply", "plan.json"][..],
        &["apply", "plan.json", "--partial"],
        &["record", "repair"],
    ] {
        let (account, repository) = (Account::new(), Repository::with(BILLING));
        if command[0] == "record" {
            repository.settled(&account);
            std::fs::write(repository.path(".hookctl/db/db"), "").unwrap();
        } else {
            let plan = ["--dry-run", "--out", "plan.json"];
            repository.sync(&account, &plan).code(0);
        }
        for number in 1..10 {
            account.fault("GET", number, Fault::Hang);
        }
        let sent = account.sandbox.received();
        let url = account.sandbox.base_url();
        let child = spawn(&repository, &[&["--api-url", &url], command].concat());
        reached(&account, sent + 1);
        interrupted(child, "INT").complains("interrupted");
    }
}

#[test]
fn a_wait_for_the_record_ends_at_a_signal() {
    let (server, repository) = (Silent::new(), Repository::with(BILLING));
    let url = server.url();
    let holder = spawn(&repository, &["--api-url", &url, "sync"]);
    let (_connection, _) = server.asked();
    for command in [
        &["sync"][..],
        &["status"],
        &["record", "forget", "billing"],
        &["record", "verify"],
        &["import"],
    ] {
        let options = ["--api-url", &url, "--lock-timeout", "1h"];
        let waiting = spawn(&repository, &[&options, command].concat());
        std::thread::sleep(Duration::from_millis(300));
        interrupted(waiting, "INT").complains("interrupted");
    }
    interrupted(holder, "INT");
}

#[test]
fn an_interrupted_retry_says_that_its_outcome_is_not_known() {
    let (account, repository) = (Account::new(), Repository::with(BILLING));
    repository.settled(&account);
    account
        .sandbox
        .seed_event(serde_json::json!({
            "_id": format!("{:024x}", 1), "event_id": "evt-1", "action": "workflow_run_completed",
            "subscription_id": account.id("Billing"), "status": "failed", "payload": {},
            "created_at": "2026-01-01T00:00:00Z", "attempts_count": 1,
        }))
        .unwrap();
    let posts = 2;
    account.fault("POST", posts, Fault::Hang);
    let url = account.sandbox.base_url();
    let received = account.sandbox.received();
    let child = spawn(&repository, &["--api-url", &url, "retry", "evt-1"]);
    reached(&account, received + 2);
    interrupted(child, "INT").complains("the outcome of the redelivery is unknown");
}

#[test]
fn a_request_ends_at_its_time_out() {
    let (server, repository) = (Silent::new(), Repository::with(BILLING));
    let url = server.url();
    let options = ["--api-url", &url, "--request-timeout", "100ms", "events"];
    let child = spawn(&repository, &options);
    let mut asked = Vec::new();
    for _ in 0..5 {
        let (connection, head) = server.asked();
        assert!(
            head.starts_with("GET /workflows/v1/workflow-webhooks/events?"),
            "{head}"
        );
        asked.push(connection);
    }
    let run = Run::of(child.wait_with_output().unwrap()).code(1);
    run.complains("timed out").complains("5 attempts");
}

/// Where no cancellation reaches a run: it hangs in a call of the system.
#[test]
fn a_run_that_hangs_in_the_system_ends_soon_after_the_first_signal() {
    let account = Account::new();
    let repository = Repository::with(&hooks(400));
    let url = account.sandbox.base_url();
    let (reader, writer) = std::io::pipe().unwrap();
    let mut child = repository
        .command(&["--api-url", &url, "sync", "--dry-run", "--output", "json"])
        .stdout(writer)
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    // Once something is written the output exceeds what a pipe holds, and its reader stops.
    let mut reader = File::from(std::os::fd::OwnedFd::from(reader));
    let mut byte = [0];
    reader.read_exact(&mut byte).unwrap();
    assert!(child.try_wait().unwrap().is_none(), "it fits into the pipe");
    signal(&child, "INT");
    let begun = Instant::now();
    while child.try_wait().unwrap().is_none() {
        assert!(begun.elapsed() < Duration::from_secs(20), "it still hangs");
        std::thread::sleep(Duration::from_millis(20));
    }
    assert_eq!(child.wait().unwrap().code(), Some(130));
}
