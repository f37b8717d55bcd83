//! A watch under a service manager: what it tells the manager and what its log says.

use std::fs;
use std::os::unix::net::UnixDatagram;
use std::time::Duration;

use hookctl::sandbox::Fault;
use serde_json::json;

use crate::harness::{Account, BILLING, Repository};
use crate::watch::Watch;

/// The manager: the messages that it received.
struct Manager(UnixDatagram);

impl Manager {
    fn of(repository: &mut Repository) -> Self {
        let path = repository.path("notify");
        let socket = UnixDatagram::bind(&path).unwrap();
        socket
            .set_read_timeout(Some(Duration::from_secs(20)))
            .unwrap();
        repository.set("NOTIFY_SOCKET", path.to_str().unwrap());
        Self(socket)
    }

    fn next(&self) -> String {
        let mut buffer = [0; 4096];
        let length = self.0.recv(&mut buffer).unwrap();
        String::from_utf8_lossy(buffer.get(..length).unwrap()).into_owned()
    }

    /// Receives until a message contains a text. Returns all of them.
    fn until(&self, text: &str) -> Vec<String> {
        let mut heard = Vec::new();
        loop {
            let message = self.next();
            let is_it = message.contains(text);
            heard.push(message);
            if is_it {
                return heard;
            }
            assert!(heard.len() < 1_000, "{text}: {heard:?}");
        }
    }
}

/// An API that is down is no reason why a service does not start.
#[test]
fn a_service_is_ready_once_its_loop_runs_and_its_status_says_the_rest() {
    let (account, mut repository) = (Account::new(), Repository::with(BILLING));
    let manager = Manager::of(&mut repository);
    let body = json!({}).to_string();
    for number in 1..=2 {
        let (status, headers, body) = (404, Vec::new(), body.clone());
        account.fault(
            "GET",
            number,
            Fault::Answer {
                status,
                headers,
                body,
            },
        );
    }
    let watch = Watch::start(&repository, &account, &["--interval", "1h"]);
    assert!(manager.next().starts_with("READY=1\nSTATUS="));
    let heard = manager.until("STATUS=the last pass failed, and is retried: ");
    assert!(!heard.concat().contains("READY"), "{heard:?}");
    let heard = manager.until("default is in sync");
    assert!(heard.last().unwrap().starts_with("STATUS="), "{heard:?}");
    repository.declare("webhooks: { billing: [] }");
    manager.until("STATUS=the files are invalid");
    repository.declare(BILLING);
    manager.until("STATUS=the files are valid again");
    manager.until("default is in sync");

    watch.signal("HUP");
    let heard = manager.until("READY=1");
    let reloading = heard.first().unwrap();
    assert!(
        reloading.starts_with("RELOADING=1\nMONOTONIC_USEC="),
        "{heard:?}"
    );
    assert!(heard.last().unwrap().contains("there is no hookctl.yaml"));
    let log = watch.end();
    manager.until("STOPPING=1");
    assert!(log.contains("there is no hookctl.yaml to reload"), "{log}");
    assert!(!log.contains("reloaded hookctl.yaml"), "{log}");
}

#[test]
fn the_watchdog_receives_heartbeats_also_during_a_pass() {
    let (account, mut repository) = (
        Account::with_latency(Duration::from_secs(2)),
        Repository::with(BILLING),
    );
    let manager = Manager::of(&mut repository);
    repository.set("WATCHDOG_USEC", "200000");
    let watch = Watch::start(&repository, &account, &["--interval", "1h"]);
    manager.until("READY=1");
    let beats = manager.until("default is in sync");
    let beats = beats.iter().filter(|sign| *sign == "WATCHDOG=1").count();
    assert!(beats >= 8, "{beats} during two requests of two seconds");
    manager.until("WATCHDOG=1");
    manager.until("WATCHDOG=1");
    watch.end();
}

#[test]
fn what_stays_is_logged_when_it_begins_and_when_it_ends() {
    let (account, repository) = (Account::new(), Repository::with(BILLING));
    let other = "webhooks:\n  other: { url: 'https://other.example.com', actions: all }\n";
    repository.write("webhooks.d/other.yaml", other);
    let arguments = ["--interval", "1s", "--drift", "warn"];
    let watch = Watch::start(&repository, &account, &arguments);
    watch.until("both", |webhooks| webhooks.len() == 2);
    let several = || {
        let seen = account.sandbox.received();
        watch.wait("several passes", || account.sandbox.received() > seen + 4);
    };
    fs::remove_file(repository.path("webhooks.d/other.yaml")).unwrap();
    account.edit("Billing", &json!({ "timeout_seconds": 55 }));
    several();
    repository.write("webhooks.d/other.yaml", other);
    account.edit("Billing", &json!({ "timeout_seconds": 10 }));
    several();
    let log = watch.end();
    for (text, part) in [
        ("orphan, no longer declared", "key=\"other\""),
        ("no longer an orphan", "key=\"other\""),
        ("drift not corrected", "timeout_seconds: 55 -> 10"),
        ("no longer drifted", "key=\"billing\""),
    ] {
        let lines: Vec<_> = log.lines().filter(|line| line.contains(text)).collect();
        assert_eq!(lines.len(), 1, "{text} in {log}");
        let line = lines.concat();
        assert!(
            line.contains(part) && line.contains("target=\"default\""),
            "{line}"
        );
    }
}
