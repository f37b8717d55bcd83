//! Rebuilding a damaged record.

use std::time::Duration;

use hookctl_core::record::{Backend as _, RecordErrorKind};
use hookctl_record::shared::{MemoryBlobs, SharedError};
use hookctl_testing::key;
use tokio::time::Instant;

use super::program::{Run, shared};
use super::trim::append;
use super::unlock::commit;
use super::{elsewhere, in_virtual_time, run_for};

fn log(sequence: u64) -> String {
    format!("log/{sequence:020}")
}

fn checkpoint(store: &MemoryBlobs) -> String {
    let objects = store.objects();
    let mut checkpoints = objects.keys().filter(|name| name.starts_with("base/"));
    checkpoints.next_back().unwrap().clone()
}

/// A record of 75 bindings, with a checkpoint at 70.
async fn written() -> (MemoryBlobs, Run) {
    let store = MemoryBlobs::new();
    let run = run_for(&store, 1, 0, 1).await;
    append(&shared(&run), 1..=70).await;
    append(&shared(&run), 71..=75).await;
    (store, run)
}

/// Repairs the record, and returns how many bindings it then has.
async fn repaired(run: &Run) -> usize {
    let damage = shared(run).verify().await.unwrap_err();
    assert!(matches!(damage, SharedError::Damaged { .. }), "{damage}");
    let repair = shared(run).repair().await.unwrap();
    let remembered = repair.remembered().clone();
    repair.finish(remembered).await.unwrap();
    shared(run).verify().await.unwrap();
    let read = shared(&elsewhere(run, 2)).load().await.unwrap();
    append(&shared(run), read.sequence + 1..=read.sequence + 70).await;
    shared(run).verify().await.unwrap();
    read.remembered.last_applied.len()
}

#[test]
fn every_binding_that_can_be_read_is_kept_and_the_log_goes_on() {
    let garbage = || Some(b"garbage".to_vec());
    let cases: [(&str, Option<Vec<u8>>, usize); 8] = [
        ("head", garbage(), 75),
        ("head", None, 75),
        (&log(72), garbage(), 74),
        (&log(72), None, 74),
        (&log(75), garbage(), 74),
        (&log(75), None, 74),
        ("base/", garbage(), 75),
        ("base/", None, 75),
    ];
    for (name, content, kept) in cases {
        in_virtual_time(async {
            let (store, run) = written().await;
            let name = match name {
                "base/" => checkpoint(&store),
                name => name.to_owned(),
            };
            store.damage(&name, content.clone());
            let before = store.objects();
            assert_eq!(repaired(&run).await, kept, "{name}");
            for (kept, content) in before {
                let is_head = kept == "head";
                assert!(
                    is_head || store.objects()[&kept] == content,
                    "{kept} changed"
                );
            }
        });
    }
}

#[test]
fn several_losses_at_once_are_one_repair() {
    in_virtual_time(async {
        let (store, run) = written().await;
        store.damage("head", None);
        store.damage(&checkpoint(&store), None);
        for sequence in [1, 20, 74, 75] {
            store.damage(&log(sequence), None);
        }
        assert_eq!(repaired(&run).await, 71);
    });
}

#[test]
fn a_record_is_not_created_over_a_log_that_lost_its_head() {
    in_virtual_time(async {
        let (store, run) = written().await;
        store.damage("head", None);
        let refused = shared(&run).init().await.unwrap_err();
        assert_eq!(
            refused.to_string(),
            "head is damaged: it is missing, and there is a log"
        );
        assert_eq!(repaired(&run).await, 75);
    });
}

#[test]
fn a_machine_that_read_the_damaged_record_goes_on_from_the_repaired_one() {
    in_virtual_time(async {
        let (store, run) = written().await;
        let other = shared(&elsewhere(&run, 2));
        assert_eq!(
            other.load().await.unwrap().remembered.last_applied.len(),
            75
        );
        store.damage(&log(75), None);
        store.damage(&log(74), None);
        store.damage("head", Some(Vec::new()));
        assert_eq!(repaired(&run).await, 73);
        let read = other.load().await.unwrap();
        assert!(read.remembered.last_applied.len() > 73);
        assert!(!read.remembered.last_applied.contains_key(&key(74)));
    });
}

#[test]
fn a_holder_from_before_the_repair_can_neither_append_nor_send() {
    in_virtual_time(async {
        let (store, run) = written().await;
        let held = shared(&run).begin().await.unwrap();
        held.append(commit(76)).await.unwrap();
        store.damage("head", Some(b"garbage".to_vec()));
        let repair = shared(&elsewhere(&run, 2)).repair().await.unwrap();
        assert!(!held.send_permit().holds());
        let refused = held.append(commit(77)).await.unwrap_err();
        assert_eq!(refused.kind(), RecordErrorKind::Fenced, "{refused}");
        assert_eq!(repair.remembered().last_applied.len(), 76);
        let remembered = repair.remembered().clone();
        repair.finish(remembered).await.unwrap();
        shared(&run).verify().await.unwrap();
    });
}

#[test]
fn a_holder_of_a_head_that_can_be_read_is_waited_for() {
    in_virtual_time(async {
        let (store, run) = written().await;
        drop(shared(&run).begin().await.unwrap());
        store.damage(&log(72), None);
        let begun = Instant::now();
        let repair = shared(&elsewhere(&run, 2)).repair().await.unwrap();
        assert!(begun.elapsed() >= Duration::from_mins(1));
        drop(repair);
        // The repair was not finished, and can be repeated.
        assert_eq!(repaired(&run).await, 74);
    });
}

#[test]
fn an_empty_place_and_a_log_with_an_absurd_number_are_refused() {
    in_virtual_time(async {
        let (store, run) = written().await;
        store.damage(&log(u64::MAX), Some(b"x".to_vec()));
        let refused = shared(&run).repair().await.unwrap_err();
        assert_eq!(
            refused.to_string(),
            "log/ is damaged: most of its entries are missing"
        );
        for name in store.objects().keys() {
            store.damage(name, None);
        }
        let refused = shared(&run).repair().await.unwrap_err();
        assert!(matches!(refused, SharedError::Missing), "{refused}");
    });
}
