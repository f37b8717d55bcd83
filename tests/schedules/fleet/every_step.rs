//! A small run of two machines, with each fault at each operation of the store, and a pause at each step.

use std::time::Duration;

use hookctl_testing::simulation::{Fate, Trouble};

use super::directed::{declared, present, schedule, turn};
use super::ledger::Counts;
use super::plan::FleetSchedule;
use super::{disk, hold, new_world, play};
use crate::in_virtual_time;
use crate::schedule::{Declaration, Token};

const FATES: [Fate; 4] = [
    Fate::Refused,
    Fate::Lost,
    Fate::Late(Duration::from_secs(7)),
    Fate::Competing,
];

/// Longer than a lease.
const PAUSE: Trouble = Trouble::Pause(Duration::from_secs(100));

/// Of each fault, every so many steps get a pause, too.
const STRIDE: u64 = 12;

/// One machine creates webhooks, the other changes and deletes what it finds, and in the end a token is removed.
fn small() -> FleetSchedule {
    let first = declared([
        (0, present(10, Token::Secret(0))),
        (1, present(10, Token::LeftOut)),
    ]);
    let second = declared([(0, present(11, Token::Secret(1))), (1, Declaration::Absent)]);
    let last = declared([(0, present(11, Token::LeftOut))]);
    schedule([vec![turn(first, 0)], vec![turn(second, 200)]], last)
}

/// Returns how much each of the two processes does without trouble.
fn counted() -> [Counts; 2] {
    in_virtual_time(async {
        let schedule = small();
        let world = new_world(&schedule, None).await;
        play(&schedule, &world).await;
        let counts = disk(&world).ledger.counts();
        // The first one made the record.
        [counts[1], counts[2]]
    })
}

fn holds(schedule: &FleetSchedule) {
    let held = in_virtual_time(hold(schedule, None));
    assert!(held.is_ok(), "{held:?}: {schedule:#?}");
}

/// The small run, changed for one of its machines.
fn with(machine: usize, change: impl FnOnce(&mut super::plan::Turn)) -> FleetSchedule {
    let mut schedule = small();
    change(&mut schedule.machines[machine].turns[0]);
    schedule
}

#[test]
fn each_fault_at_each_operation_of_the_store() {
    let mut runs = 0;
    for (machine, counts) in counted().into_iter().enumerate() {
        for operation in 1..=counts.operations {
            for fate in FATES {
                holds(&with(machine, |turn| turn.store = vec![(operation, fate)]));
                runs += 1;
            }
        }
    }
    assert!(runs >= 60, "only {runs}");
}

#[test]
fn a_pause_and_a_death_at_each_step() {
    let mut runs = 0;
    for (machine, counts) in counted().into_iter().enumerate() {
        for step in 0..counts.steps {
            for trouble in [PAUSE, Trouble::Death] {
                holds(&with(machine, |turn| turn.troubles = vec![(step, trouble)]));
                runs += 1;
            }
        }
    }
    assert!(runs >= 100, "only {runs}");
}

/// The pauses of a fault are at other steps than those of the fault before it.
#[test]
fn each_fault_with_pauses() {
    let mut first = 0;
    for (machine, counts) in counted().into_iter().enumerate() {
        for operation in 1..=counts.operations {
            for fate in FATES {
                first = (first + 5) % STRIDE;
                for step in (first..counts.steps).step_by(usize::try_from(STRIDE).unwrap()) {
                    holds(&with(machine, |turn| {
                        turn.store = vec![(operation, fate)];
                        turn.troubles = vec![(step, PAUSE)];
                    }));
                }
            }
        }
    }
}
