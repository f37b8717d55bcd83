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
    use std::process::Child;
    use std::time::{Duration, Instant};

    use rustix::process::{Pid, Signal, kill_process};

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
}
