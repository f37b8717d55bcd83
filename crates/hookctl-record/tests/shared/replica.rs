//! What was read last, in a file.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use hookctl_core::record::{Backend as _, RecordErrorKind};
use hookctl_record::shared::{MemoryBlobs, SharedOptions, SharedRecord, replica_file};
use hookctl_testing::simulation::Machine;

use super::in_virtual_time;
use super::program::account;
use super::unlock::commit;

/// A process with a folder.
fn process(store: &MemoryBlobs, folder: &Path) -> SharedRecord {
    let options = SharedOptions {
        replica: Some(replica_file(folder, "s3://bucket/hooks")),
        ..SharedOptions::new("a run", Arc::new(Machine::steady("a machine")))
    };
    SharedRecord::new(store.clone(), account(), options)
}

async fn bound(record: &SharedRecord) -> usize {
    record.load().await.unwrap().remembered.last_applied.len()
}

async fn append(record: &SharedRecord, sequence: u64) {
    let session = record.begin().await.unwrap();
    session.append(commit(sequence)).await.unwrap();
    session.end().await.unwrap();
}

fn file(folder: &Path) -> std::path::PathBuf {
    let files = fs::read_dir(folder).unwrap();
    let files = files.map(|file| file.unwrap().path());
    let mut files = files.filter(|file| file.extension().is_some());
    let file = files.next().unwrap();
    assert!(files.next().is_none());
    assert!(folder.join(".gitignore").exists());
    file
}

#[test]
fn the_next_process_reads_only_what_changed_since() {
    in_virtual_time(async {
        let (store, ours, theirs) = (MemoryBlobs::new(), folder(), folder());
        process(&store, ours.path()).init().await.unwrap();
        append(&process(&store, ours.path()), 1).await;
        // Nothing but the head is read: the log is gone.
        let first = store.objects()["log/00000000000000000001"].clone();
        store.damage("log/00000000000000000001", None);
        assert_eq!(bound(&process(&store, ours.path())).await, 1);
        let without = process(&store, theirs.path()).load().await;
        assert_eq!(without.err().unwrap().kind(), RecordErrorKind::Damaged);
        store.damage("log/00000000000000000001", Some(first));

        append(&process(&store, theirs.path()), 2).await;
        store.damage("log/00000000000000000001", None);
        assert_eq!(bound(&process(&store, ours.path())).await, 2);
        append(&process(&store, ours.path()), 3).await;
        assert_eq!(bound(&process(&store, ours.path())).await, 3);
    });
}

#[test]
fn a_record_that_was_set_back_is_noticed_until_the_file_is_deleted() {
    in_virtual_time(async {
        let (store, folder) = (MemoryBlobs::new(), folder());
        process(&store, folder.path()).init().await.unwrap();
        append(&process(&store, folder.path()), 1).await;
        let before = store.objects();
        append(&process(&store, folder.path()), 2).await;
        for name in store.objects().keys() {
            store.damage(name, before.get(name).cloned());
        }
        let refused = process(&store, folder.path()).load().await.unwrap_err();
        assert_eq!(
            refused.to_string(),
            "the record was set back: its log ends with entry 1, and this machine has read entry 2 before"
        );
        fs::remove_file(file(folder.path())).unwrap();
        assert_eq!(bound(&process(&store, folder.path())).await, 1);
        // Another record in the same place is none that was set back.
        for name in store.objects().keys() {
            store.damage(name, None);
        }
        process(&store, folder.path()).init().await.unwrap();
        assert_eq!(bound(&process(&store, folder.path())).await, 0);
    });
}

#[test]
fn a_file_that_is_not_whole_counts_as_absent() {
    in_virtual_time(async {
        let (store, folder) = (MemoryBlobs::new(), folder());
        process(&store, folder.path()).init().await.unwrap();
        append(&process(&store, folder.path()), 1).await;
        let file = file(folder.path());
        let whole = fs::read(&file).unwrap();
        for step in 0..40 {
            let mut damaged = whole.clone();
            let place = step * whole.len() / 40;
            damaged[place] ^= 1;
            fs::write(&file, &damaged).unwrap();
            assert_eq!(bound(&process(&store, folder.path())).await, 1, "{place}");
            fs::write(&file, &whole[..place]).unwrap();
            assert_eq!(bound(&process(&store, folder.path())).await, 1, "{place}");
        }
        fs::remove_file(&file).unwrap();
        fs::create_dir(&file).unwrap();
        assert_eq!(bound(&process(&store, folder.path())).await, 1);
        append(&process(&store, folder.path()), 2).await;
    });
}

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().unwrap()
}
