//! Taking over from a dead holder, with a pause of the taker.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use hookctl_core::record::{Backend as _, RecordErrorKind};
use hookctl_record::shared::{
    Blob, BlobError, BlobErrorKind, BlobFuture, Blobs, MemoryBlobs, SharedOptions, SharedRecord,
    Version, Written,
};
use hookctl_testing::simulation::{Life, Machine, Trouble};
use tokio::time::sleep;

use super::program::{self, Run, shared};
use super::unlock::commit;
use super::{elsewhere, in_virtual_time, run_for};

/// The taker takes the lease, and is paused before its first entry. The next taker appends its own first entry meanwhile.
#[test]
fn a_taker_that_is_paused_at_any_step_appends_nothing_after_a_newer_epoch() {
    let mut was_paused_after_the_take = false;
    for step in 0..120 {
        in_virtual_time(async {
            let run = run_for(&MemoryBlobs::new(), 1, 0, 1).await;
            // Its heartbeat ends with it.
            drop(shared(&run).begin().await.unwrap());
            let machine = Arc::new(Machine::steady("the taker"));
            let pause = Trouble::Pause(Duration::from_mins(5));
            let taker = Run {
                life: Life::new(machine, [(step, pause)]),
                ..run.clone()
            };
            let taking = tokio::spawn(async move {
                let life = Arc::clone(&taker.life);
                let begin = async { shared(&taker).begin().await.map(drop) };
                life.run(begin).await.unwrap()
            });
            sleep(Duration::from_secs(80)).await;
            let next = elsewhere(&run, 2);
            let session = shared(&next).begin().await.unwrap();
            let epoch = shared(&next).status().await.unwrap().epoch;
            sleep(Duration::from_mins(6)).await;
            let is_refused = taking.await.unwrap().is_err();
            was_paused_after_the_take |= is_refused && epoch == 3;
            let sequence = session.load().await.unwrap().sequence;
            let appended = session.append(commit(sequence + 1)).await;
            assert!(appended.is_ok(), "step {step}: {:?}", appended.err());
            session.end().await.unwrap();
            let verified = shared(&next).verify().await;
            assert!(verified.is_ok(), "step {step}: {:?}", verified.err());
        });
    }
    assert!(was_paused_after_the_take);
}

/// A store whose writes have no response while it is deaf.
#[derive(Clone)]
struct Deaf {
    store: MemoryBlobs,
    is_deaf: Arc<AtomicBool>,
}

impl Deaf {
    /// Runs a write, unless the store is deaf.
    fn write<'a>(
        &'a self,
        write: impl FnOnce(&'a MemoryBlobs) -> BlobFuture<'a, Written>,
    ) -> BlobFuture<'a, Written> {
        if self.is_deaf.load(Ordering::SeqCst) {
            let kind = BlobErrorKind::Unavailable;
            return Box::pin(async move { Err(BlobError::new(kind, "timed out")) });
        }
        write(&self.store)
    }
}

impl Blobs for Deaf {
    fn create(&self, name: &str, content: Vec<u8>) -> BlobFuture<'_, Written> {
        self.write(|store| store.create(name, content))
    }

    fn swap(&self, name: &str, content: Vec<u8>, version: &Version) -> BlobFuture<'_, Written> {
        self.write(|store| store.swap(name, content, version))
    }

    fn read(&self, name: &str, unless: Option<&Version>) -> BlobFuture<'_, Blob> {
        self.store.read(name, unless)
    }

    fn list_after(&self, folder: &str, after: &str) -> BlobFuture<'_, Vec<String>> {
        self.store.list_after(folder, after)
    }
}

/// After a pause, the store may time out before the fence refuses an entry. A lost lease is then still the reason.
#[test]
fn a_write_without_a_response_after_a_takeover_names_the_lost_lease() {
    for is_taken_over in [true, false] {
        in_virtual_time(async {
            let run = run_for(&MemoryBlobs::new(), 1, 0, 1).await;
            let is_deaf = Arc::new(AtomicBool::new(false));
            let store = Deaf {
                store: run.store.clone(),
                is_deaf: Arc::clone(&is_deaf),
            };
            let options = SharedOptions::new("a machine", Arc::new(Machine::steady("a machine")));
            let record = SharedRecord::new(store, program::account(), options);
            let session = record.begin().await.unwrap();
            let sequence = session.load().await.unwrap().sequence;
            is_deaf.store(true, Ordering::SeqCst);
            sleep(Duration::from_mins(5)).await;
            let next = elsewhere(&run, 2);
            if is_taken_over {
                shared(&next).begin().await.unwrap().end().await.unwrap();
            }
            let refused = session.append(commit(sequence + 1)).await.unwrap_err();
            let expected = if is_taken_over {
                RecordErrorKind::Fenced
            } else {
                RecordErrorKind::Unavailable
            };
            assert_eq!(refused.kind(), expected, "{refused}");
        });
    }
}
