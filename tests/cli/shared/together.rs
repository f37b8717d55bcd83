//! Several runs at once, and runs that were stopped for longer than their lease.

use std::time::Duration;

use super::fleet::Fleet;
use crate::harness::{Account, Run, hooks};

#[test]
fn runs_at_once_make_each_webhook_once() {
    let mut fleet = Fleet::on(Account::with_latency(Duration::from_millis(5)));
    fleet.declare(&hooks(30));
    for _ in 0..3 {
        let started: Vec<_> = (0..4).map(|_| fleet.start(&["sync", "--yes"])).collect();
        for (_runner, child) in started {
            Run::of(child.wait_with_output().unwrap()).code(0);
        }
        fleet.is_settled(30);
    }
    let creates = fleet.account.requests();
    let creates = creates.iter().filter(|line| line.starts_with("POST"));
    assert_eq!(creates.count(), 30);
}

#[cfg(unix)]
mod stopped {
    use std::process::{Child, Stdio};
    use std::time::{Duration, Instant};

    use hookctl::sandbox::Fault;
    use rustix::process::{Pid, Signal, kill_process};
    use serde_json::{Value, json};

    use super::*;

    fn signal(child: &Child, signal: Signal) {
        let id = Pid::from_raw(i32::try_from(child.id()).unwrap()).unwrap();
        kill_process(id, signal).unwrap();
    }

    /// Waits until a condition holds, at most 20 seconds.
    fn until(what: &str, holds: impl Fn() -> bool) {
        let begun = Instant::now();
        while !holds() {
            assert!(begun.elapsed() < Duration::from_secs(20), "{what}");
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    #[test]
    fn a_run_that_was_stopped_for_longer_than_its_lease_sends_nothing_more() {
        let mut fleet = Fleet::on(Account::with_latency(Duration::from_millis(20)));
        fleet.declare(&hooks(200));
        let (_runner, stale) = fleet.start(&["sync", "--yes"]);
        until("some are made", || fleet.account.names().len() > 5);
        signal(&stale, Signal::STOP);
        let made = fleet.account.names().len();
        assert!(made < 200, "{made}");
        // Takes over, settles what is pending, and makes the rest.
        let next = fleet.run(&["sync", "--yes"]).code(0);
        assert!(next.stdout.contains("created"), "{}", next.stdout);
        fleet.account.requests();
        signal(&stale, Signal::CONT);
        let run = Run::of(stale.wait_with_output().unwrap());
        let sent = fleet.account.requests();
        let sent: Vec<_> = sent
            .iter()
            .filter(|line| !line.starts_with("GET"))
            .collect();
        assert_eq!(sent, Vec::<&String>::new(), "{}", run.stderr);
        run.code(4);
        fleet.is_settled(200);
    }

    /// Ctrl-C while `record unlock` waits: the record is left to the lease of the unlock, and not to the process that hangs.
    #[test]
    fn an_interrupted_unlock_leaves_the_record_to_its_lease() {
        let mut fleet = Fleet::on(Account::with_latency(Duration::from_millis(20)));
        fleet.set("HOOKCTL_REQUEST_TIMEOUT", "1s");
        fleet.declare(&hooks(100));
        // A lease of which two seconds are waited for.
        let home = fleet.checkout();
        let config = std::fs::read_to_string(home.path("hookctl.yaml")).unwrap();
        home.write("hookctl.yaml", &config.replace("lease: 1s", "lease: 3s"));
        let start = |arguments: &[&str]| {
            let mut command = home.command(arguments);
            command.stdout(Stdio::piped()).stderr(Stdio::piped());
            command.spawn().unwrap()
        };
        let mut hanging = start(&["sync", "--yes"]);
        until("some are made", || fleet.account.names().len() > 5);
        signal(&hanging, Signal::STOP);
        let status = || {
            let status = ["record", "status", "--output", "json"];
            home.run(&status).code(0).json()["shared"].clone()
        };
        let before = status();
        let epoch = before["epoch"].as_u64().unwrap();
        let objects = fleet.store().objects().len();
        let unlocking = start(&["record", "unlock", "--epoch", &epoch.to_string(), "--yes"]);
        // The log is closed to the process by an entry of the next epoch.
        until("it was taken", || fleet.store().objects().len() > objects);
        let begun = Instant::now();
        signal(&unlocking, Signal::INT);
        let run = Run::of(unlocking.wait_with_output().unwrap()).code(130);
        assert!(begun.elapsed() < Duration::from_secs(2), "it ends at once");
        assert_eq!(run.stdout, "");
        let said = run.complains("interrupted").stderr;
        assert!(said.contains("that process can write no more"), "{said}");
        assert!(said.contains("`hookctl record status` shows it"), "{said}");
        let after = status();
        assert_eq!(after["epoch"].as_u64(), Some(epoch + 1));
        assert_ne!(after["holder"], before["holder"]);
        assert_ne!(after["holder"], Value::Null, "not free yet");
        home.run(&["record", "verify"]).code(0);
        home.run(&["sync", "--yes"])
            .code(0)
            .complains("waiting for the record");
        hanging.kill().unwrap();
        hanging.wait().unwrap();
        assert_eq!(fleet.account.names().len(), 100);
        home.run(&["sync", "--dry-run", "--detailed-exitcode"])
            .code(0);
        home.run(&["record", "verify"]).code(0);
    }

    /// Both are a partly failed apply. Neither hides the other.
    #[test]
    fn a_lost_lease_and_a_failed_action_are_one_partly_failed_apply() {
        let mut fleet = Fleet::on(Account::with_latency(Duration::from_millis(20)));
        fleet.declare(&hooks(400));
        let refusal = Fault::Answer {
            status: 422,
            headers: Vec::new(),
            body: json!({ "detail": "not this one" }).to_string(),
        };
        fleet.account.fault("POST", 2, refusal);
        let (_runner, stale) = fleet.start(&["sync", "--yes", "--output", "json"]);
        // The refusal was recorded many appends ago.
        until("many are made", || fleet.account.names().len() > 150);
        signal(&stale, Signal::STOP);
        fleet.run(&["sync", "--yes"]).code(0);
        signal(&stale, Signal::CONT);
        let run = Run::of(stale.wait_with_output().unwrap()).code(4);
        let document = run.json();
        let with = |text: &str| {
            let actions = document["actions"].as_array().unwrap().iter();
            let errors = actions.filter_map(|action| action["error"].as_str());
            errors.filter(|error| error.contains(text)).count()
        };
        assert_eq!(with("not this one"), 1);
        let lost: Vec<_> = document["diagnostics"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|diagnostic| diagnostic["code"] == "lease-lost")
            .collect();
        assert_eq!(lost.len(), 1, "{}", document["diagnostics"]);
        assert_eq!(lost[0]["severity"], "error");
        let help = lost[0]["help"].as_str().unwrap();
        assert!(help.starts_with("run it again"), "{help}");
        let message = lost[0]["message"].as_str().unwrap();
        assert!(message.contains("; unfinished actions: "), "{message}");
        let others = document["diagnostics"].as_array().unwrap().iter();
        let others = others.filter(|diagnostic| diagnostic["code"] == "action-failed");
        assert_eq!(others.count(), 0, "{}", document["diagnostics"]);
        fleet.is_settled(400);
    }
}
