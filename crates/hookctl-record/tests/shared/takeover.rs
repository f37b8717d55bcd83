//! Taking over from a dead holder, with a pause of the taker.

use std::sync::Arc;
use std::time::Duration;

use hookctl_core::record::Backend as _;
use hookctl_record::shared::MemoryBlobs;
use hookctl_testing::simulation::{Life, Machine, Trouble};
use tokio::time::sleep;

use super::program::{Run, shared};
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
