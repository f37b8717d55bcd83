//! Schedules by name: each is the smallest one that showed a fault.

use std::time::Duration;

use hookctl::sandbox::Dialect;
use hookctl_testing::simulation::Trouble;

use super::hold;
use super::plan::{FleetSchedule, MachinePlan, Turn};
use crate::in_virtual_time;
use crate::machine::{Hears, Late};
use crate::schedule::{Declaration, Declared, KEYS, Run, Token};

pub(super) fn present(timeout_seconds: i64, token: Token) -> Declaration {
    Declaration::Present {
        timeout_seconds,
        token,
    }
}

/// Declares webhooks by the index of their key.
pub(super) fn declared<const N: usize>(webhooks: [(usize, Declaration); N]) -> Declared {
    let mut all = vec![None; KEYS.len()];
    for (index, declaration) in webhooks {
        all[index] = Some(declaration);
    }
    Declared {
        webhooks: all,
        prune: false,
    }
}

pub(super) fn turn(declared: Declared, pause: u64) -> Turn {
    Turn {
        run: Run {
            declared,
            edits: Vec::new(),
            pause,
            faults: Vec::new(),
            late: Vec::new(),
            dies_at: None,
            interrupted_at: None,
        },
        troubles: Vec::new(),
        store: Vec::new(),
        is_dry: false,
    }
}

pub(super) fn schedule<const N: usize>(machines: [Vec<Turn>; N], last: Declared) -> FleetSchedule {
    let machine = |turns| MachinePlan {
        offset: 0,
        speed: 1000,
        suspends: false,
        turns,
    };
    FleetSchedule {
        dialect: Dialect::default(),
        before: Vec::new(),
        machines: machines.into_iter().map(machine).collect(),
        unlocks: Vec::new(),
        last,
        latencies: vec![3],
        seed: 0,
    }
}

/// The last process repeats a token that may still take effect. What it saw of the earlier send first is not forgotten,
/// or the wait for it would begin anew in each pass.
#[test]
fn a_repeated_token_of_another_machine_is_waited_for_once() {
    let token = |number| declared([(0, present(10, Token::Secret(number)))]);
    let mut unheard = turn(token(1), 1_000);
    unheard.run.late = vec![(
        2,
        Late {
            transit: 50,
            hears: Hears::Nothing,
        },
    )];
    unheard.run.dies_at = Some(12);
    for dies_at in 0..30 {
        unheard.run.dies_at = Some(dies_at);
        let turns = vec![turn(token(0), 0), unheard.clone()];
        let schedule = schedule([turns], token(1));
        in_virtual_time(hold(&schedule, None)).unwrap();
    }
}

/// A holder dies. Of two that wait to take over, one is paused in the middle of it for longer than its own lease.
#[test]
fn a_pause_at_each_step_of_a_takeover() {
    let files = || {
        declared([
            (0, present(10, Token::Secret(0))),
            (1, present(10, Token::LeftOut)),
        ])
    };
    for step in 0..120 {
        let mut dead = turn(files(), 0);
        dead.run.dies_at = Some(20);
        let mut paused = turn(files(), 1_000);
        paused.troubles = vec![(step, Trouble::Pause(Duration::from_secs(150)))];
        let next = turn(files(), 2_000);
        let schedule = schedule([vec![dead], vec![paused], vec![next]], files());
        let held = in_virtual_time(hold(&schedule, None));
        assert!(held.is_ok(), "step {step}: {held:?}");
    }
}

/// An intent is renewed before a send, and the machine is paused before the record has confirmed it. The send after that
/// is later than the intent says, and may take effect later than a wait from the intent's time lasts.
#[test]
fn a_renewed_intent_that_is_old_when_it_is_confirmed_is_renewed_again() {
    let five = || declared([0, 1, 2, 3, 4].map(|index| (index, present(10, Token::LeftOut))));
    for step in 0..60 {
        let mut slow = turn(five(), 0);
        slow.troubles = vec![(step, Trouble::Pause(Duration::from_secs(23)))];
        let late = |transit| Late {
            transit,
            hears: Hears::Nothing,
        };
        // The list is the first request. The fifth webhook waits for a response to one of the others.
        slow.run.late = (2..6).map(|number| (number, late(6_000))).collect();
        slow.run.late.push((6, late(44_000)));
        let schedule = schedule([vec![slow]], five());
        let held = in_virtual_time(hold(&schedule, None));
        assert!(held.is_ok(), "step {step}: {held:?}");
    }
}
