//! Emptying the old entries of the log.

use std::time::Duration;

use hookctl_core::record::{Backend as _, RecordErrorKind};
use hookctl_record::shared::{MemoryBlobs, SharedRecord};
use tokio::time::sleep;

use super::program::shared;
use super::unlock::commit;
use super::{elsewhere, in_virtual_time, run_for};

const DAY: Duration = Duration::from_hours(24);

/// Appends commits with these numbers, in one session.
pub(crate) async fn append(record: &SharedRecord, sequences: impl Iterator<Item = u64>) {
    let session = record.begin().await.unwrap();
    for sequence in sequences {
        session.append(commit(sequence)).await.unwrap();
    }
    session.end().await.unwrap();
}

#[test]
fn old_entries_below_a_checkpoint_are_emptied_and_their_numbers_stay_taken() {
    in_virtual_time(async {
        let store = MemoryBlobs::new();
        let run = run_for(&store, 1, 0, 1).await;
        append(&shared(&run), 1..=70).await;
        sleep(100 * DAY).await;
        append(&shared(&run), 71..=75).await;
        let admin = shared(&run);
        assert_eq!(admin.trim(200 * DAY).await.unwrap(), 0);
        let before = shared(&run).load().await.unwrap();

        // The entry that the checkpoint ends with stays.
        assert_eq!(admin.trim(90 * DAY).await.unwrap(), 69);
        let elsewhere = shared(&elsewhere(&run, 2));
        elsewhere.verify().await.unwrap();
        let after = elsewhere.load().await.unwrap();
        assert_eq!(after.remembered, before.remembered);
        assert_eq!(elsewhere.history(99).await.unwrap().len(), 6);
        let objects = store.objects();
        for sequence in 1..=75 {
            let entry = &objects[&format!("log/{sequence:020}")];
            let is_empty = String::from_utf8_lossy(entry).contains("\"operations\":[]");
            assert_eq!(is_empty, sequence < 70, "{sequence}");
        }
        assert_eq!(admin.trim(90 * DAY).await.unwrap(), 0);

        // The next checkpoint covers more.
        append(&shared(&run), 76..=150).await;
        sleep(100 * DAY).await;
        assert_eq!(admin.trim(90 * DAY).await.unwrap(), 80);
        shared(&run).verify().await.unwrap();

        // A free number would let a process append that was replaced long ago.
        store.damage(&format!("log/{:020}", 7), None);
        let refused = shared(&run).verify().await.unwrap_err();
        assert!(refused.to_string().starts_with("log/00000000000000000007"));
    });
}

#[test]
fn a_record_that_is_written_is_waited_for_and_one_without_a_checkpoint_is_left_as_it_is() {
    in_virtual_time(async {
        let run = run_for(&MemoryBlobs::new(), 1, 0, 1).await;
        append(&shared(&run), 1..=9).await;
        assert_eq!(shared(&run).trim(Duration::ZERO).await.unwrap(), 0);
        append(&shared(&run), 10..=80).await;
        let held = shared(&run).begin().await.unwrap();
        let other = elsewhere(&run, 2);
        let refused = shared(&other).trim(Duration::ZERO).await.unwrap_err();
        let refused = hookctl_core::record::RecordError::from(refused);
        assert_eq!(refused.kind(), RecordErrorKind::Held);
        held.append(commit(81)).await.unwrap();
        held.end().await.unwrap();
        assert_eq!(shared(&other).trim(Duration::ZERO).await.unwrap(), 79);
        shared(&run).verify().await.unwrap();
    });
}
