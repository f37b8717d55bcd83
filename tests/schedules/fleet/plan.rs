//! Random schedules of two and three machines.

use std::ops::Range;
use std::time::Duration;

use hookctl::sandbox::Dialect;
use hookctl_testing::simulation::{Fate, Trouble};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

use crate::schedule::{Before, Declared, Odds, Run, before, declared, dialect, run};

/// A schedule of several machines.
#[derive(Clone, Debug)]
pub(crate) struct FleetSchedule {
    pub(crate) dialect: Dialect,
    pub(crate) before: Vec<Before>,
    pub(crate) machines: Vec<MachinePlan>,
    /// When an administrator takes the lease away from its holder, in milliseconds.
    pub(crate) unlocks: Vec<u64>,
    /// What the files say in the end.
    pub(crate) last: Declared,
    /// How long requests take, in milliseconds.
    pub(crate) latencies: Vec<u64>,
    /// Decides about the latencies of the store.
    pub(crate) seed: u64,
}

/// A machine, and its processes one after another.
#[derive(Clone, Debug)]
pub(crate) struct MachinePlan {
    /// How far its clock is ahead, in milliseconds.
    pub(crate) offset: u64,
    /// The speed of its clock, in thousandths of the true speed.
    pub(crate) speed: u32,
    /// Whether its uptime stands still during a pause.
    pub(crate) suspends: bool,
    pub(crate) turns: Vec<Turn>,
}

/// One process.
#[derive(Clone, Debug)]
pub(crate) struct Turn {
    pub(crate) run: Run,
    /// What happens at its steps, by number from 0.
    pub(crate) troubles: Vec<(u64, Trouble)>,
    /// What happens to its operations of the store, by number from 1.
    pub(crate) store: Vec<(u64, Fate)>,
    pub(crate) is_dry: bool,
}

fn seconds(range: Range<u64>) -> impl Strategy<Value = Duration> {
    (range.start * 1_000..range.end * 1_000).prop_map(Duration::from_millis)
}

fn trouble() -> impl Strategy<Value = Trouble> {
    prop_oneof![
        3 => seconds(0..200).prop_map(Trouble::Pause),
        2 => seconds(0..200).prop_map(Trouble::StoreCut),
        1 => seconds(0..100).prop_map(Trouble::ApiCut),
    ]
}

fn fate() -> impl Strategy<Value = Fate> {
    prop_oneof![
        Just(Fate::Refused),
        Just(Fate::Lost),
        seconds(0..20).prop_map(Fate::Late),
        Just(Fate::Competing),
    ]
}

fn turn() -> impl Strategy<Value = Turn> {
    let odds = Odds {
        deaths: 0.3,
        faults: 1,
        late: 2,
    };
    (
        run(odds),
        vec((0..70u64, trouble()), 0..2),
        vec((1..30u64, fate()), 0..4),
        prop::bool::weighted(0.1),
    )
        .prop_map(|(run, troubles, store, is_dry)| Turn {
            run,
            troubles,
            store,
            is_dry,
        })
}

fn machine() -> impl Strategy<Value = MachinePlan> {
    let clock = (0..100_000_000u64, 950..1_050u32, prop::bool::weighted(0.25));
    let turns = prop_oneof![2 => vec(turn(), 1), 1 => vec(turn(), 2)];
    (clock, turns).prop_map(|((offset, speed, suspends), turns)| MachinePlan {
        offset,
        speed,
        suspends,
        turns,
    })
}

/// Two machines, or now and then three.
fn machines() -> impl Strategy<Value = Vec<MachinePlan>> {
    prop_oneof![3 => vec(machine(), 2), 1 => vec(machine(), 3)]
}

/// Schedules of two or three machines.
pub(crate) fn fleets() -> impl Strategy<Value = FleetSchedule> {
    // A token that another writer set may stay, and then nothing can be said of removed tokens.
    let before = before().prop_map(|before| Before {
        has_token: false,
        ..before
    });
    (
        dialect(),
        vec(before, 0..2),
        machines(),
        option::weighted(0.2, 0..120_000u64),
        declared(),
        vec(0..20u64, 1..8),
        any::<u64>(),
    )
        .prop_map(
            |(dialect, before, machines, unlock, last, latencies, seed)| FleetSchedule {
                dialect,
                before,
                machines,
                unlocks: unlock.into_iter().collect(),
                last,
                latencies,
                seed: seed / 2,
            },
        )
}
