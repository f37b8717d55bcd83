//! What the protocol relies on, taken away one by one: the checker finds each. Without that, it finds nothing.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use hookctl_testing::simulation::{Fate, Trouble};

use super::directed::{declared, present, schedule, turn};
use super::flaws::Flaw;
use super::hold;
use super::plan::FleetSchedule;
use crate::in_virtual_time;
use crate::schedule::{Declared, Token};

/// Five webhooks: one more than may be sent at once.
fn five() -> Declared {
    declared([0, 1, 2, 3, 4].map(|index| (index, present(10, Token::LeftOut))))
}

/// Two machines with the same files; the second one begins a second later.
fn two() -> FleetSchedule {
    let mut two = schedule([vec![turn(five(), 0)], vec![turn(five(), 1_000)]], five());
    two.latencies = vec![300];
    two
}

/// Returns what the checker says of a schedule.
fn said(schedule: &FleetSchedule, flaw: Option<Flaw>) -> Option<String> {
    let held = catch_unwind(AssertUnwindSafe(|| in_virtual_time(hold(schedule, flaw))));
    match held {
        Ok(held) => held.err(),
        Err(panic) => Some(match panic.downcast::<String>() {
            Ok(message) => *message,
            Err(_) => "a panic".to_owned(),
        }),
    }
}

/// Runs schedules with flaw and without. Without, nothing may be found. Returns what is found with them.
fn found(schedules: impl IntoIterator<Item = FleetSchedule>, flaw: Flaw) -> Vec<String> {
    let mut found = Vec::new();
    for schedule in schedules {
        assert_eq!(said(&schedule, None), None, "{schedule:#?}");
        found.extend(said(&schedule, Some(flaw)));
    }
    found
}

fn contains(found: &[String], text: &str) -> bool {
    found.iter().any(|one| one.contains(text))
}

/// A pause of the first machine, for longer than its lease, at each step.
fn paused() -> impl Iterator<Item = FleetSchedule> {
    (0..40).map(|step| {
        let mut paused = two();
        let pause = Trouble::Pause(Duration::from_mins(4));
        paused.machines[0].turns[0].troubles = vec![(step, pause)];
        paused
    })
}

#[test]
fn a_permit_that_is_ignored_is_found() {
    let flaw = Flaw::IgnoresPermit;
    // Otherwise, the intent is renewed after the pause, and the fence refuses that. An uptime that stands still hides the
    // pause from the intent, and not from the permit.
    let suspended = paused().map(|mut schedule| {
        schedule.machines[0].suspends = true;
        schedule
    });
    let found = found(suspended, flaw);
    assert!(contains(&found, "after a newer epoch"), "{found:#?}");
}

#[test]
fn a_store_that_creates_a_number_twice_is_found() {
    let flaw = Flaw::LacksFence;
    let found = found(paused(), flaw);
    assert!(contains(&found, "is next"), "{found:#?}");
}

#[test]
fn lost_responses_that_are_not_read_back_are_found() {
    let flaw = Flaw::ReadsNothingBack;
    let lost = (1..15).map(|operation| {
        let mut lost = two();
        lost.machines[0].turns[0].store = vec![(operation, Fate::Lost)];
        lost
    });
    let found = found(lost, flaw);
    assert!(contains(&found, "ran without trouble"), "{found:#?}");
}

#[test]
fn a_takeover_before_the_end_of_the_lease_is_found() {
    let flaw = Flaw::TakesOverEarly;
    let found = found([two()], flaw);
    assert!(contains(&found, "ran without trouble"), "{found:#?}");
}
