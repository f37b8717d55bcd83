//! Two watches over one shared record, as in a deployment with two replicas.

use std::io::BufReader;
use std::process::Child;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use super::fleet::Fleet;
use crate::harness::{Account, Repository, hooks};
use crate::metrics::{Log, metrics};

/// A watch, with the address of its metrics. It is ended when this is dropped.
struct Replica {
    folder: Repository,
    child: Child,
    address: String,
    _log: Log,
}

impl Replica {
    fn start(fleet: &Fleet) -> Self {
        let arguments = ["watch", "--interval", "1h", "--metrics", ":0"];
        let (folder, mut child) = fleet.start(&arguments);
        let mut log = Log(BufReader::new(child.stderr.take().unwrap()));
        let line = log.until("metrics at http://");
        let address = line.trim().trim_start_matches("metrics at http://");
        Self {
            folder,
            child,
            address: address.trim_end_matches("/metrics").to_owned(),
            _log: log,
        }
    }

    fn signal(&self, signal: Signal) {
        let id = Pid::from_raw(i32::try_from(self.child.id()).unwrap()).unwrap();
        kill_process(id, signal).unwrap();
    }

    /// Returns whether a line is in a scrape.
    fn shows(&self, line: &str) -> bool {
        metrics(&self.address).lines().any(|shown| shown == line)
    }
}

impl Drop for Replica {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Waits until a condition holds, at most 30 seconds.
fn until(what: &str, holds: impl Fn() -> bool) {
    let begun = Instant::now();
    while !holds() {
        assert!(begun.elapsed() < Duration::from_secs(30), "{what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

fn in_sync(count: usize) -> String {
    format!("hookctl_webhooks{{target=\"prod\",status=\"in_sync\"}} {count}")
}

#[test]
fn two_watches_apply_each_change_once_and_one_of_them_is_enough() {
    let mut fleet = Fleet::on(Account::with_latency(Duration::from_millis(5)));
    fleet.declare(&hooks(10));
    let replicas = [Replica::start(&fleet), Replica::start(&fleet)];
    let settled = |count| {
        until("both are in sync", || {
            replicas
                .iter()
                .all(|replica| replica.shows(&in_sync(count)))
        });
    };
    settled(10);
    for count in [12, 15] {
        for replica in &replicas {
            replica.folder.declare(&hooks(count));
        }
        settled(count);
    }
    let requests = fleet.account.requests();
    let creates = requests.iter().filter(|line| line.starts_with("POST"));
    assert_eq!(creates.count(), 15);
    let line = "hookctl_pending_changes{target=\"prod\"} 0";
    assert!(replicas.iter().all(|replica| replica.shows(line)));
    let [ended, other] = replicas;
    ended.signal(Signal::KILL);
    other.folder.declare(&hooks(16));
    until("the other one goes on", || other.shows(&in_sync(16)));
    assert_eq!(fleet.account.names().len(), 16);
}

#[test]
fn a_watch_that_loses_its_lease_counts_that() {
    let mut fleet = Fleet::on(Account::with_latency(Duration::from_millis(100)));
    fleet.declare(&hooks(400));
    let stale = Replica::start(&fleet);
    until("some are made", || fleet.account.names().len() > 5);
    let status = fleet.run(&["record", "status", "--output", "json"]);
    let epoch = status.code(0).json()["shared"]["epoch"].to_string();
    fleet
        .run(&["record", "unlock", "--epoch", &epoch, "--yes"])
        .code(0);
    let none = "hookctl_lease_lost_total{target=\"prod\"} 0";
    until("the lost lease is counted", || !stale.shows(none));
}
