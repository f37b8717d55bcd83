//! Two watches over one shared record, as in a deployment with two replicas.

use std::io::BufReader;
use std::process::Child;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use super::fleet::Fleet;
use crate::harness::{Account, Repository, hooks};
use crate::metrics::{Log, metrics, page};

/// A watch, with the address of its metrics. It is ended when this is dropped.
struct Replica {
    folder: Repository,
    child: Child,
    address: String,
    log: Log,
}

impl Replica {
    fn start(fleet: &Fleet) -> Self {
        Self::start_with(fleet, &[])
    }

    fn start_with(fleet: &Fleet, more: &[&str]) -> Self {
        let arguments = ["watch", "--interval", "1h", "--metrics", ":0"];
        let (folder, mut child) = fleet.start(&[&arguments[..], more].concat());
        let mut log = Log(BufReader::new(child.stderr.take().unwrap()));
        let line = log.until("metrics at http://");
        let address = line.trim().trim_start_matches("metrics at http://");
        Self {
            folder,
            child,
            address: address.trim_end_matches("/metrics").to_owned(),
            log,
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

const LEADS: &str = "hookctl_leader{target=\"prod\"} 1";
const STANDS_BY: &str = "hookctl_leader{target=\"prod\"} 0";

impl Replica {
    /// Returns the number of its requests to the API.
    fn requests(&self) -> u64 {
        let metrics = metrics(&self.address);
        let counts = metrics
            .lines()
            .filter(|line| line.starts_with("hookctl_api_requests_total"))
            .filter_map(|line| line.rsplit(' ').next()?.parse::<u64>().ok());
        counts.sum()
    }
}

#[test]
fn one_watch_leads_and_the_other_one_stands_by_until_it_ends() {
    let mut fleet = Fleet::on(Account::with_latency(Duration::from_millis(5)));
    fleet.declare(&hooks(10));
    let leader = Replica::start(&fleet);
    until("the first one is in sync", || leader.shows(&in_sync(10)));
    assert!(leader.shows(LEADS));
    let mut standby = Replica::start(&fleet);
    let line = standby.log.until("stands by");
    assert!(
        line.contains("target=\"prod\"") && line.contains("leader="),
        "{line}"
    );
    assert!(standby.shows(STANDS_BY));
    // It is ready to take over.
    until("it is ready", || {
        page(&standby.address, "/readyz").0 == "HTTP/1.1 200 OK"
    });
    for replica in [&leader, &standby] {
        replica.folder.declare(&hooks(12));
    }
    until("the edit is applied", || leader.shows(&in_sync(12)));
    // Its page says so, and asks the API nothing.
    let shown = |path| crate::page::get(&standby.address, path);
    let (head, html) = shown("/");
    assert!(head.starts_with("HTTP/1.1 200"), "{head}");
    assert!(html.contains("<dt>State</dt><dd>stands by: "), "{html}");
    assert!(shown("/api/status").0.starts_with("HTTP/1.1 503"));
    assert_eq!(standby.requests(), 0);
    // A run from elsewhere writes the record beside both.
    fleet.declare(&hooks(13));
    fleet.run(&["sync"]).code(0).shows("1 created");
    let status = fleet.run(&["record", "status"]).code(0);
    assert!(
        status.stdout.contains("leads the watches since"),
        "{}",
        status.stdout
    );
    // A killed leader is replaced after its lease.
    leader.signal(Signal::KILL);
    standby.folder.declare(&hooks(16));
    until("the other one goes on", || standby.shows(&in_sync(16)));
    assert!(standby.shows(LEADS));
    let requests = fleet.account.requests();
    let creates = requests.iter().filter(|line| line.starts_with("POST"));
    assert_eq!(creates.count(), 16);
    // One that ends frees the lead.
    standby.signal(Signal::TERM);
    assert_eq!(standby.child.wait().unwrap().code(), Some(130));
    let status = fleet.run(&["record", "status", "--output", "json"]).code(0);
    assert_eq!(status.json()["shared"]["leader"], serde_json::Value::Null);
}

#[test]
fn a_leader_that_was_stopped_for_longer_than_its_lease_stands_by() {
    let mut fleet = Fleet::on(Account::new());
    fleet.declare(&hooks(2));
    let mut leader = Replica::start(&fleet);
    until("the first one is in sync", || leader.shows(&in_sync(2)));
    let standby = Replica::start(&fleet);
    leader.signal(Signal::STOP);
    until("the other one leads", || {
        standby.shows(LEADS) && standby.shows(&in_sync(2))
    });
    leader.signal(Signal::CONT);
    leader.log.until("lost the lead");
    leader.log.until("stands by");
    assert!(leader.shows(STANDS_BY));
    // It has a plan to show. The deliveries are those that the leader reads.
    fleet.account.requests();
    let page = |replica: &Replica| {
        let (head, html) = crate::page::get(&replica.address, "/");
        assert!(head.starts_with("HTTP/1.1 200"), "{head}");
        html
    };
    let html = page(&leader);
    assert!(
        html.contains("2 in sync") && !html.contains("Deliveries"),
        "{html}"
    );
    assert_eq!(fleet.account.requests(), [""; 0]);
    until("the leader shows them", || {
        page(&standby).contains("Deliveries of 24 hours</th>")
    });
    assert_eq!(fleet.account.requests(), ["GET events"]);
    assert!(standby.shows(LEADS));
}

#[test]
fn watches_of_other_keys_lead_side_by_side() {
    let mut fleet = Fleet::on(Account::new());
    fleet.declare(&hooks(2));
    let all = Replica::start(&fleet);
    let one = Replica::start_with(&fleet, &["--only", "hook-01"]);
    until("both lead", || all.shows(LEADS) && one.shows(LEADS));
}

#[test]
fn a_watch_waits_for_a_record_that_does_not_exist_yet() {
    let fleet = Fleet::without_record();
    let mut watch = Replica::start(&fleet);
    let line = watch.log.until("no pass runs");
    assert!(line.contains("code=\"record-missing\""), "{line}");
    assert!(watch.shows(STANDS_BY));
    fleet.run(&["record", "init"]).code(0);
    until("it leads", || watch.shows(LEADS));
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
