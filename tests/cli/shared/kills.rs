//! Runs killed at random moments, each on a runner of its own.

use std::time::Duration;

use super::fleet::Fleet;
use crate::harness::{Account, hooks};

/// Rounds, each with a kill, a takeover of the dead run's lease, and a check.
const ROUNDS: u32 = 12;

#[test]
fn what_a_killed_runner_left_is_settled_by_the_next_one() {
    let mut fleet = Fleet::on(Account::with_latency(Duration::from_millis(3)));
    let mut died = 0;
    for round in 1..=ROUNDS {
        // Everything changes in each round.
        let timeout = format!("timeout_seconds: {}", 10 + round);
        let count = 10 + usize::try_from(round).unwrap();
        fleet.declare(&hooks(count).replace("actions: all", &format!("actions: all, {timeout}")));
        let (_runner, mut child) = fleet.start(&["sync", "--yes", "--force"]);
        std::thread::sleep(Duration::from_millis(u64::from(15 * (round % 8) + round)));
        child.kill().unwrap();
        died += u32::from(child.wait().unwrap().code().is_none());
        fleet.run(&["sync", "--yes", "--force"]).code(0);
        fleet.is_settled(count);
    }
    assert!(died > ROUNDS / 3, "only {died} of {ROUNDS} were killed");
}

#[test]
fn a_create_without_a_response_is_not_repeated_by_another_runner() {
    let mut fleet = Fleet::runners();
    fleet.declare(&hooks(1));
    let fault = hookctl::sandbox::Fault::HangAfter;
    fleet.account.fault("POST", 1, fault);
    let (_runner, mut child) = fleet.start(&["sync", "--yes"]);
    while fleet.account.names().is_empty() {
        std::thread::sleep(Duration::from_millis(2));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    fleet.account.requests();
    let (code, requests) = fleet.step(&["sync", "--yes"]);
    assert_eq!(code, 0);
    assert!(
        requests.iter().all(|line| line.starts_with("GET")),
        "{requests:?}"
    );
    fleet.is_settled(1);
}
