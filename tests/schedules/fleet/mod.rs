//! Two and three machines on one shared record: clocks of their own, pauses, kills, cuts from the store and from the API,
//! writes that land late, lost responses, and a lease that is taken away.

mod controls;
mod directed;
mod disk;
mod every_step;
mod flaws;
mod ledger;
mod plan;

use std::sync::Arc;
use std::time::Duration;

use hookctl::record::Remembered;
use hookctl_testing::simulation::{Life, Machine, Trouble};
use proptest::prelude::ProptestConfig;
use proptest::test_runner::{RngAlgorithm, TestCaseError, TestRng, TestRunner};

pub(crate) use disk::SharedDisk;
use flaws::Flaw;
use ledger::Role;
use plan::{FleetSchedule, MachinePlan, Turn, fleets};

use crate::desired::key;
use crate::schedule::{Declaration, Declared, Token};
use crate::world::{Disk, World};
use crate::{in_virtual_time, settle};

/// The longest that a late write of the store is under way.
const LATEST: Duration = Duration::from_secs(20);

/// How many random schedules run by default.
const SCHEDULES: u32 = 20_000;

/// Over how many tests they are spread, which run in parallel.
const BLOCKS: u8 = 4;

fn disk(world: &World) -> &SharedDisk {
    match &world.disk {
        Disk::Shared(disk) => disk,
        Disk::Local(_) => panic!("a shared record"),
    }
}

async fn new_world(schedule: &FleetSchedule, flaw: Option<Flaw>) -> Arc<World> {
    let disk = SharedDisk::new(schedule.seed, flaw);
    disk.administrator().init().await.unwrap();
    Arc::new(World::over(
        Disk::Shared(disk),
        schedule.dialect,
        &schedule.before,
        schedule.latencies.clone(),
    ))
}

/// Runs the processes of a machine one after another.
async fn runs(world: Arc<World>, number: usize, plan: MachinePlan) {
    let offset = Duration::from_millis(plan.offset);
    let machine = Machine::new(format!("machine {number}"), offset, plan.speed);
    let machine = Arc::new(machine.suspending(plan.suspends));
    for turn in plan.turns {
        takes(&world, &machine, turn).await;
    }
}

/// Runs a process.
async fn takes(world: &World, machine: &Arc<Machine>, turn: Turn) {
    let deaths = turn.run.dies_at.map(|step| (step, Trouble::Death));
    let life = Life::new(Arc::clone(machine), turn.troubles.into_iter().chain(deaths));
    let role = if turn.is_dry {
        Role::Reader
    } else {
        Role::Writer
    };
    let process = disk(world).faulty(role, life, &turn.store);
    if turn.is_dry {
        let planned = world.planned(&process, &turn.run.declared);
        let _plan = process.life.run(planned).await;
    } else {
        let _ending = world.disturbed(&process, &turn.run).await;
    }
}

/// Runs a schedule to its end, and holds the world against what is promised.
async fn hold(schedule: &FleetSchedule, flaw: Option<Flaw>) -> Result<(), String> {
    let world = new_world(schedule, flaw).await;
    play(schedule, &world).await;
    converges(&world, &schedule.last).await
}

/// Runs a schedule to its end.
async fn play(schedule: &FleetSchedule, world: &Arc<World>) {
    let mut tasks = Vec::new();
    for (number, plan) in schedule.machines.iter().enumerate() {
        let runs = runs(Arc::clone(world), number, plan.clone());
        tasks.push(tokio::spawn(runs));
    }
    for &at in &schedule.unlocks {
        let world = Arc::clone(world);
        tasks.push(tokio::spawn(async move {
            tokio::time::sleep(Duration::from_millis(at)).await;
            disk(&world).unlock().await;
        }));
    }
    for task in tasks {
        if let Err(error) = task.await {
            std::panic::resume_unwind(error.into_panic());
        }
    }
}

/// After all trouble, a run without trouble makes the account match, and the next one has nothing to do.
async fn converges(world: &World, last: &Declared) -> Result<(), String> {
    tokio::time::sleep(LATEST).await;
    world.emulator.clear_faults();
    disk(world).check()?;
    let before = world.remembered().await;
    settle(world, last).await;
    disk(world).check()?;
    disk(world).verify().await?;
    removed_tokens_are_cleared(world, last, &before)
}

/// A token that the record knows is cleared once its declaration has none. A token whose write got no response may be
/// another writer's, and then the plan says so: see `World::check`.
fn removed_tokens_are_cleared(
    world: &World,
    last: &Declared,
    before: &Remembered,
) -> Result<(), String> {
    let webhooks = world.emulator.webhooks();
    for (index, declaration) in last.webhooks.iter().enumerate() {
        let has_none = match declaration {
            Some(Declaration::Present { token, .. }) => !matches!(token, Token::Secret(_)),
            Some(Declaration::Absent) | None => false,
        };
        let key = key(index);
        let record = before.last_applied.get(&key);
        let record = record.filter(|_| has_none && before.pending.of(&key).is_none());
        let Some(record) = record.filter(|record| record.token.is_some()) else {
            continue;
        };
        let bound = webhooks.iter().find(|one| one.id == record.id.as_str());
        if bound.is_some_and(|webhook| webhook.has_bearer_token) {
            return Err(format!("the token of {key} was not cleared"));
        }
    }
    Ok(())
}

/// How many schedules a test runs.
fn cases() -> u32 {
    let asked = std::env::var_os("HOOKCTL_TEST_SCHEDULES");
    let all = asked.map_or(SCHEDULES, |asked| asked.to_str().unwrap().parse().unwrap());
    all.div_ceil(u32::from(BLOCKS))
}

/// Runs the schedules of a block, always the same ones.
fn block(number: u8) {
    let config = ProptestConfig {
        cases: cases(),
        failure_persistence: None,
        max_shrink_iters: 3_000,
        ..ProptestConfig::default()
    };
    let rng = TestRng::from_seed(RngAlgorithm::XorShift, &[number; 16]);
    let held = TestRunner::new_with_rng(config, rng).run(&fleets(), |schedule| {
        in_virtual_time(hold(&schedule, None)).map_err(TestCaseError::fail)
    });
    if let Err(error) = held {
        panic!("{error}");
    }
}

#[test]
fn random_schedules_of_block_1() {
    block(1);
}

#[test]
fn random_schedules_of_block_2() {
    block(2);
}

#[test]
fn random_schedules_of_block_3() {
    block(3);
}

#[test]
fn random_schedules_of_block_4() {
    block(4);
}
