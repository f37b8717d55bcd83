//! The shared record under faults, in virtual time: machines with clocks of their own, lost and late writes, pauses
//! beyond the lease, partitions, and kills. No webhook is doubled or lost, and the log stays whole.

#![cfg(feature = "shared")]
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod program;
mod repair;
mod replica;
mod takeover;
mod trim;
mod unlock;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use hookctl_core::record::{Backend, RecordErrorKind};
use hookctl_record::shared::{
    Blob, BlobFuture, Blobs, MemoryBlobs, SharedError, SharedOptions, SharedRecord, Version,
    Written,
};
use hookctl_testing::simulation::{Dice, Life, Machine, in_virtual_time};
use program::{Api, Ending, Run, shared};
use tokio::time::sleep;

async fn run_for(store: &MemoryBlobs, seed: u64, faults: u64, webhooks: u64) -> Run {
    let run = Run {
        store: store.clone(),
        api: Api::default(),
        life: life(seed),
        dice: Arc::new(Dice::new(seed)),
        faults: 0,
        webhooks,
        ignores_permit: false,
        lacks_fence: false,
    };
    shared(&run).init().await.unwrap();
    Run { faults, ..run }
}

/// Returns a process on a machine with a random clock.
fn life(seed: u64) -> Arc<Life> {
    let machine = Machine::random(format!("machine {seed}"), &Dice::new(seed));
    Life::new(Arc::new(machine), [])
}

/// Returns the same run on another machine, without faults.
fn elsewhere(run: &Run, seed: u64) -> Run {
    Run {
        life: life(seed),
        dice: Arc::new(Dice::new(seed)),
        faults: 0,
        ..run.clone()
    }
}

async fn program(run: Run) -> Ending {
    let life = Arc::clone(&run.life);
    life.run(run.sync()).await.unwrap()
}

/// What must hold after a run without trouble.
async fn check(run: &Run) -> Result<(), String> {
    let quiet = elsewhere(run, 99);
    let ending = quiet.clone().sync().await;
    if !matches!(ending, Ending::Done) {
        return Err(format!("no end: {ending:?}"));
    }
    let webhooks = run.api.webhooks();
    let mut by_name: BTreeMap<&str, usize> = BTreeMap::new();
    for name in webhooks.values() {
        *by_name.entry(name).or_default() += 1;
    }
    let doubled = by_name.values().filter(|count| **count > 1).count();
    if doubled > 0 {
        return Err(format!("{doubled} doubled"));
    }
    let loaded = shared(&quiet)
        .load()
        .await
        .map_err(|error| error.to_string())?;
    let verified = shared(&quiet).verify().await;
    verified.map_err(|error| error.to_string())?;
    let bound = loaded.remembered.last_applied;
    for (key, record) in &bound {
        if webhooks.get(record.id.as_str()).map(String::as_str) != Some(key.as_str()) {
            return Err(format!("{key} is bound to {}", record.id));
        }
    }
    let expected = usize::try_from(run.webhooks).unwrap();
    if bound.len() != expected || webhooks.len() != expected {
        return Err(format!("{} bound of {}", bound.len(), webhooks.len()));
    }
    Ok(())
}

/// Two or three machines; each is killed, paused, or cut off now and then.
async fn schedule(seed: u64) -> Result<(), String> {
    let dice = Dice::new(seed);
    let store = MemoryBlobs::new();
    let faults = [0, 5, 20][usize::try_from(dice.below(3)).unwrap()];
    let webhooks = 3 + dice.below(40);
    let run = run_for(&store, seed, faults, webhooks).await;
    let mut machines = Vec::new();
    for number in 0..2 + dice.below(2) {
        let run = Run {
            faults,
            ..elsewhere(&run, seed * 10 + number)
        };
        let machine = Arc::clone(run.life.machine());
        let dice = Dice::new(seed * 7 + number);
        machines.push(tokio::spawn(async move {
            sleep(dice.millis(60_000)).await;
            for _ in 0..4 {
                let life = tokio::spawn(program(run.clone()));
                sleep(dice.millis(8_000)).await;
                match dice.below(4) {
                    0 => {
                        life.abort();
                        sleep(dice.millis(100_000)).await;
                        continue;
                    }
                    1 => machine.pause(dice.millis(200_000)),
                    2 => machine.cut_store(dice.millis(200_000)),
                    _ => {}
                }
                if life
                    .await
                    .is_ok_and(|ending| matches!(ending, Ending::Done))
                {
                    return;
                }
            }
        }));
    }
    for machine in machines {
        machine.await.unwrap();
    }
    // What is still under way arrives.
    sleep(Duration::from_mins(5)).await;
    check(&run).await
}

#[test]
fn no_schedule_doubles_or_loses_a_webhook() {
    let failed: Vec<_> = (0..400)
        .filter_map(|seed| {
            let result = in_virtual_time(schedule(seed));
            result.err().map(|error| format!("seed {seed}: {error}"))
        })
        .collect();
    assert!(failed.is_empty(), "{failed:#?}");
}

#[test]
fn lost_and_late_responses_of_the_store_cost_no_lease() {
    for seed in 0..60 {
        in_virtual_time(async {
            let store = MemoryBlobs::new();
            let run = run_for(&store, seed, 30, 20).await;
            let ending = program(run.clone()).await;
            assert!(matches!(ending, Ending::Done), "seed {seed}: {ending:?}");
            let head = String::from_utf8(store.objects()["head"].clone()).unwrap();
            assert!(head.contains("\"unclean\":false"), "seed {seed}: {head}");
            check(&run).await.unwrap();
        });
    }
}

/// A holder is stopped with actions in progress for longer than its lease, and wakes after another has finished.
async fn stopped_beyond_the_lease(change: impl FnOnce(&mut Run)) -> Result<(), String> {
    let store = MemoryBlobs::new();
    let mut first = run_for(&store, 1, 0, 200).await;
    change(&mut first);
    let life = tokio::spawn(program(first.clone()));
    sleep(Duration::from_secs(2)).await;
    first.life.machine().pause(Duration::from_mins(10));
    let second = elsewhere(&first, 2);
    let ending = program(second).await;
    if !matches!(ending, Ending::Done) {
        return Err(format!("the second ended with {ending:?}"));
    }
    let woken = life.await.unwrap();
    if matches!(woken, Ending::Done) {
        return Err("the first did not notice".to_owned());
    }
    check(&first).await
}

#[test]
fn a_holder_that_was_stopped_beyond_its_lease_sends_nothing() {
    in_virtual_time(stopped_beyond_the_lease(|_| {})).unwrap();
}

#[test]
fn without_the_permit_the_checker_finds_doubles() {
    let without = |run: &mut Run| run.ignores_permit = true;
    let found = in_virtual_time(stopped_beyond_the_lease(without)).unwrap_err();
    assert!(found.ends_with("doubled"), "{found}");
}

#[test]
fn without_the_fence_the_checker_finds_what_is_lost() {
    let without = |run: &mut Run| run.lacks_fence = true;
    let found = in_virtual_time(stopped_beyond_the_lease(without)).unwrap_err();
    assert!(
        found.contains("damaged") || found.ends_with("doubled"),
        "{found}"
    );
}

#[test]
fn what_is_damaged_is_named_and_never_used() {
    in_virtual_time(async {
        let store = MemoryBlobs::new();
        let run = run_for(&store, 1, 0, 150).await;
        assert!(matches!(run.clone().sync().await, Ending::Done));
        let whole = store.objects();
        assert!(whole.keys().any(|name| name.starts_with("base/")));
        for (name, content) in &whole {
            if name.starts_with("probe/") {
                continue;
            }
            for damage in [
                None,
                Some(Vec::new()),
                Some(content[..content.len() / 2].to_vec()),
            ] {
                store.damage(name, damage);
                let refused = shared(&run).verify().await.unwrap_err();
                if name == "head" {
                    let is_named = matches!(refused, SharedError::Missing)
                        || refused.to_string().starts_with("head");
                    assert!(is_named, "{refused}");
                } else {
                    assert!(
                        refused.to_string().starts_with(name.as_str()),
                        "{name}: {refused}"
                    );
                }
                match shared(&run).load().await {
                    Err(_) => {}
                    // What a checkpoint covers is not read.
                    Ok(loaded) => assert_eq!(loaded.remembered.last_applied.len(), 150, "{name}"),
                }
                store.damage(name, Some(content.clone()));
            }
        }
        assert_eq!(
            shared(&run)
                .load()
                .await
                .unwrap()
                .remembered
                .last_applied
                .len(),
            150
        );
    });
}

#[test]
fn a_record_that_was_set_back_is_refused_by_a_process_that_read_it_later() {
    in_virtual_time(async {
        let store = MemoryBlobs::new();
        let run = run_for(&store, 1, 0, 5).await;
        assert!(matches!(run.clone().sync().await, Ending::Done));
        let before = store.objects();
        let more = Run {
            webhooks: 10,
            ..run
        };
        assert!(matches!(more.clone().sync().await, Ending::Done));
        let reader = shared(&more);
        assert_eq!(
            reader.load().await.unwrap().remembered.last_applied.len(),
            10
        );
        for name in store.objects().keys() {
            store.damage(name, before.get(name).cloned());
        }
        for refused in [reader.load().await.err(), reader.begin().await.err()] {
            let refused = refused.unwrap();
            assert_eq!(refused.kind(), RecordErrorKind::Damaged, "{refused}");
        }
        // Without a memory, it is a whole record.
        assert_eq!(
            shared(&more)
                .load()
                .await
                .unwrap()
                .remembered
                .last_applied
                .len(),
            5
        );
    });
}

/// A store that ignores the conditions of swaps.
#[derive(Clone)]
struct Careless(MemoryBlobs);

impl Blobs for Careless {
    fn create(&self, name: &str, content: Vec<u8>) -> BlobFuture<'_, Written> {
        self.0.create(name, content)
    }

    fn swap(&self, name: &str, content: Vec<u8>, _: &Version) -> BlobFuture<'_, Written> {
        self.0.damage(name, None);
        self.0.create(name, content)
    }

    fn read(&self, name: &str, unless: Option<&Version>) -> BlobFuture<'_, Blob> {
        self.0.read(name, unless)
    }

    fn list_after(&self, folder: &str, after: &str) -> BlobFuture<'_, Vec<String>> {
        self.0.list_after(folder, after)
    }
}

#[test]
fn a_store_that_ignores_conditions_is_refused() {
    in_virtual_time(async {
        let store = Careless(MemoryBlobs::new());
        let options = SharedOptions::new("a machine", Arc::new(Machine::steady("a machine")));
        let record = SharedRecord::new(store.clone(), program::account(), options);
        let refused = record.init().await.unwrap_err();
        assert!(matches!(refused, SharedError::Unsafe { .. }), "{refused}");
        assert!(!store.0.objects().contains_key("head"));
    });
}
