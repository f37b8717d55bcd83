//! Taking the record away from a holder that still sends heartbeats.

use std::sync::Arc;
use std::time::Duration;

use hookctl_core::record::{Backend as _, Commit, Entry, RecordErrorKind};
use hookctl_record::shared::{MemoryBlobs, SharedError};
use hookctl_testing::bound;
use hookctl_testing::simulation::{Life, Machine};
use tokio::time::Instant;

use super::program::{Run, shared};
use super::{in_virtual_time, run_for};

pub(crate) fn commit(sequence: u64) -> Arc<Commit> {
    Arc::new(Commit {
        sequence,
        entries: vec![Entry::Settled(bound(sequence))],
    })
}

#[test]
fn an_unlocked_holder_can_neither_append_nor_send_and_the_next_one_need_not_wait() {
    in_virtual_time(async {
        let run = run_for(&MemoryBlobs::new(), 1, 0, 1).await;
        let admin = shared(&run);
        assert_eq!(admin.unlock(0).await.unwrap(), None);
        let free = admin.status().await.unwrap();
        assert_eq!((free.epoch, free.sequence, &free.holder), (0, 0, &None));

        let held = shared(&run).begin().await.unwrap();
        held.append(commit(1)).await.unwrap();
        let status = admin.status().await.unwrap();
        assert_eq!(status.epoch, 1);
        assert_eq!(status.lease, Duration::from_mins(1));
        assert_eq!(status.holder.unwrap().run, "a machine");
        let other = admin.unlock(7).await.unwrap_err();
        assert!(matches!(other, SharedError::OtherEpoch { found: 1 }));
        assert!(held.send_permit().holds());

        let begun = Instant::now();
        let waited = admin.unlock(1).await.unwrap().unwrap();
        // The lease of a minute without the request time-out, and a tenth for a slow clock: until then the holder could send.
        assert_eq!(waited, Duration::from_secs(33));
        assert!((waited..waited + Duration::from_secs(2)).contains(&begun.elapsed()));
        assert!(!held.send_permit().holds());
        let refused = held.append(commit(2)).await.unwrap_err();
        assert_eq!(refused.kind(), RecordErrorKind::Fenced, "{refused}");
        assert_eq!(admin.status().await.unwrap().holder, None);

        let begun = Instant::now();
        let next = shared(&run).begin().await.unwrap();
        assert!(begun.elapsed() < Duration::from_secs(1));
        assert_eq!(next.load().await.unwrap().remembered.last_applied.len(), 1);
        next.end().await.unwrap();
        admin.verify().await.unwrap();
    });
}

/// The holder cannot be reached, and its clock is too slow.
#[test]
fn an_unlock_waits_for_the_permit_of_a_slow_clock() {
    in_virtual_time(async {
        let run = run_for(&MemoryBlobs::new(), 1, 0, 1).await;
        let machine = Arc::new(Machine::new("slow", Duration::ZERO, 920));
        let slow = Run {
            life: Life::new(Arc::clone(&machine), []),
            ..run.clone()
        };
        let held = shared(&slow).begin().await.unwrap();
        machine.cut_store(Duration::from_mins(5));
        assert!(held.send_permit().holds());
        shared(&run).unlock(1).await.unwrap().unwrap();
        assert!(!held.send_permit().holds());
    });
}
