//! Schedules by name: each is the smallest one that showed a fault.

use hookctl::sandbox::{Dialect, Fault};
use hookctl_testing::simulation::Trouble;

use super::flaws::Flaws;
use super::plan::{FleetSchedule, MachinePlan, Turn};
use super::hold;
use crate::in_virtual_time;
use crate::machine::{Hears, Late};
use crate::schedule::{Declaration, Declared, KEYS, Run, Token, Trouble as Problem};

fn present(timeout_seconds: i64, token: Token) -> Declaration {
    Declaration::Present {
        timeout_seconds,
        token,
    }
}

/// Declares webhooks by the index of their key.
fn declared<const N: usize>(webhooks: [(usize, Declaration); N]) -> Declared {
    let mut all = vec![None; KEYS.len()];
    for (index, declaration) in webhooks {
        all[index] = Some(declaration);
    }
    Declared {
        webhooks: all,
        prune: false,
    }
}

fn turn(declared: Declared, pause: u64) -> Turn {
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

fn schedule<const N: usize>(machines: [Vec<Turn>; N], last: Declared) -> FleetSchedule {
    let machine = |turns| MachinePlan {
        offset: 0,
        speed: 1000,
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

