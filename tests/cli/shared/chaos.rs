//! Three runs at once, of which some are killed, stopped, or cut off from the object store. `HOOKCTL_TEST_ROUNDS` sets the
//! number of rounds of each kind, and `HOOKCTL_TEST_TIMES=default` the times of a user: a round then takes minutes.

use std::fmt::Write as _;
use std::process::Child;
use std::time::{Duration, Instant};

use hookctl_testing::simulation::Dice;
use rustix::process::{Pid, Signal, kill_process};

use super::fleet::{Fleet, short_times};
use super::link::Link;
use crate::harness::{Account, hooks};

/// The rounds in the gate.
const ROUNDS: u64 = 4;

const SYNC: [&str; 4] = ["sync", "--yes", "--force", "--prune"];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Trouble {
    Kill,
    Stop,
    Cut,
}

fn signal(child: &Child, signal: Signal) {
    let id = Pid::from_raw(i32::try_from(child.id()).unwrap()).unwrap();
    // It may have ended.
    let _ = kill_process(id, signal);
}

/// Waits for the first write of a round, at most 10 seconds: a run may have ended without one.
fn first_write(fleet: &Fleet) {
    let begun = Instant::now();
    let writes = || {
        let requests = fleet.account.requests();
        requests.iter().any(|line| !line.starts_with("GET"))
    };
    while !writes() && begun.elapsed() < Duration::from_secs(10) {
        std::thread::sleep(Duration::from_millis(1));
    }
}

#[expect(clippy::print_stdout, reason = "shown if a round fails")]
fn chaos(trouble: Trouble) {
    let rounds = std::env::var("HOOKCTL_TEST_ROUNDS").ok();
    let rounds = rounds.map_or(ROUNDS, |rounds| rounds.parse().unwrap());
    let random = Dice::new(trouble as u64);
    let mut fleet = Fleet::anywhere(Account::with_latency(Duration::from_millis(3)));
    let mut hit = 0;
    for round in 0..rounds {
        // Everything changes in each round, and some are created or deleted.
        let count = 20 + usize::try_from(random.below(40)).unwrap();
        let timeout = 10 + round % 50;
        fleet.declare(&hooks(count).replace(
            "actions: all",
            &format!("actions: all, timeout_seconds: {timeout}"),
        ));
        fleet.account.requests();
        let mut running: Vec<_> = (0..3)
            .map(|_| {
                let link = Link::to(&fleet.store_address());
                let (runner, child) = fleet.start_over(&link.address().to_string(), &SYNC);
                (link, runner, child)
            })
            .collect();
        // While they start and plan, or while they write.
        if random.below(2) == 0 {
            first_write(&fleet);
            std::thread::sleep(Duration::from_millis(random.below(40)));
        } else {
            std::thread::sleep(Duration::from_millis(random.below(150)));
        }
        let victims = 1 + random.below(2);
        for (link, _, child) in running.iter_mut().take(usize::try_from(victims).unwrap()) {
            hit += u64::from(child.try_wait().unwrap().is_none());
            match trouble {
                Trouble::Kill => child.kill().unwrap(),
                Trouble::Stop => signal(child, Signal::STOP),
                Trouble::Cut => link.cut(),
            }
        }
        let lease = if short_times() { 1_000 } else { 60_000 };
        if trouble != Trouble::Kill {
            std::thread::sleep(Duration::from_millis(random.below(2 * lease)));
        }
        let mut words = String::new();
        for (link, _runner, child) in running {
            match trouble {
                Trouble::Kill => {}
                Trouble::Stop => signal(&child, Signal::CONT),
                Trouble::Cut => link.restore(),
            }
            let output = child.wait_with_output().unwrap();
            writeln!(words, "{}", output.status).unwrap();
            words.push_str(&String::from_utf8_lossy(&output.stderr));
        }
        println!(
            "round {round}\n{words}{}",
            fleet.account.requests().join("\n")
        );
        // On a loaded machine, the short time limits of these runs end one now and then.
        let settled = (0..10).any(|_| {
            let run = fleet.run(&SYNC);
            println!("{}\n{}", run.status, run.stderr);
            run.status == 0
        });
        assert!(settled, "round {round}");
        fleet.is_settled(count);
    }
    assert!(hit > rounds / 3, "only {hit} were hit in {rounds} rounds");
}

#[test]
fn killed() {
    chaos(Trouble::Kill);
}

#[test]
fn stopped_for_longer_than_the_lease() {
    chaos(Trouble::Stop);
}

#[test]
fn cut_off_from_the_object_store() {
    chaos(Trouble::Cut);
}
