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

#[test]
fn case_c() {
    let left = || present(10, Token::LeftOut);
    let set = || present(10, Token::Secret(0));
    let mut first = turn(declared([(1, left()), (2, set()), (4, left())]), 2783);
    first.run.late = vec![(6, Late { transit: 150, hears: Hears::Reset(0) })];
    first.run.interrupted_at = Some(2);
    let mut second = turn(declared([(1, set()), (2, left()), (3, left()), (4, left())]), 0);
    second.run.faults = vec![(5, Problem::Fault(Fault::Answer { status: 302, headers: vec![("location".into(), "https://login.example/".into())], body: String::new() }))];
    let mut s = schedule([vec![first], vec![second]], declared([(2, left())]));
    s.machines[0].speed = 950;
    s.machines[1].speed = 950;
    s.machines[1].offset = 3085;
    s.latencies = vec![0, 0, 11, 0, 0, 0];
    s.seed = 18866055463350;
    in_virtual_time(hold(&s, Flaws::default())).unwrap();
}
