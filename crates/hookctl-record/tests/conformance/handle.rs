//! The handle over any back end: what it holds in memory, and what it commits together.

use std::sync::Arc;

use hookctl_core::record::{
    Backend, Head, HistoryEntry, Journal as _, Loaded, Observation, PortFuture, RecordError,
    RecordErrorKind, Session,
};
use hookctl_record::{Access, Record};

use hookctl_testing::{bound, key};

use super::data::{intent, observation};
use super::{Location, account, on_every_back_end};

/// Implements the port for a boxed back end, as one that begins late if asked.
struct Boxed {
    backend: Box<dyn Backend>,
    begins_late: bool,
}

impl Backend for Boxed {
    fn head(&self) -> PortFuture<'_, Option<Head>> {
        self.backend.head()
    }
    fn load(&self) -> PortFuture<'_, Loaded> {
        self.backend.load()
    }
    fn history(&self, limit: usize) -> PortFuture<'_, Vec<HistoryEntry>> {
        self.backend.history(limit)
    }
    fn observed(&self) -> PortFuture<'_, Option<Observation>> {
        self.backend.observed()
    }
    fn begin(&self) -> PortFuture<'_, Box<dyn Session>> {
        self.backend.begin()
    }
    fn begins_late(&self) -> bool {
        self.begins_late
    }
}

fn record(location: &dyn Location) -> Record {
    boxed(location, false)
}

fn late(location: &dyn Location) -> Record {
    boxed(location, true)
}

fn boxed(location: &dyn Location, begins_late: bool) -> Record {
    let backend = location.reach();
    let boxed = Boxed {
        backend,
        begins_late,
    };
    Record::new(boxed, account())
}

#[test]
fn a_late_writer_locks_nothing_before_it_begins() {
    on_every_back_end(async |location: &dyn Location| {
        let (ours, theirs) = (late(location), record(location));
        let open = ours.open_late().await.unwrap();
        assert!(open.remembered().await.unwrap().last_applied.is_empty());
        assert!(!open.send_permit().holds(), "only a writer sends");
        let other = theirs.open().await.unwrap();
        other.settle(bound(1)).await.unwrap();
        other.close().await.unwrap();
        open.close().await.unwrap();
        let unchanged = ours.open_late().await.unwrap();
        assert_eq!(unchanged.remembered().await.unwrap().last_applied.len(), 1);
        assert!(unchanged.begin().await.unwrap());
        assert!(unchanged.send_permit().holds());
        unchanged.settle(bound(2)).await.unwrap();
        assert_eq!(unchanged.remembered().await.unwrap().last_applied.len(), 2);
        unchanged.close().await.unwrap();
        assert_eq!(theirs.remembered().await.unwrap().last_applied.len(), 2);
    });
}

#[test]
fn a_late_writer_writes_nothing_before_it_has_read_what_changed() {
    on_every_back_end(async |location: &dyn Location| {
        let (ours, theirs) = (late(location), record(location));
        let open = ours.open_late().await.unwrap();
        open.remembered().await.unwrap();
        let other = theirs.open().await.unwrap();
        other.settle(bound(1)).await.unwrap();
        other.close().await.unwrap();
        let writes = (2..6).map(|number| open.settle(bound(number)));
        for refused in futures_util::future::join_all(writes).await {
            let refused = refused.unwrap_err();
            let source: &RecordError = refused.source.downcast_ref().unwrap();
            assert_eq!(source.kind(), RecordErrorKind::Conflict, "{source}");
        }
        assert!(!open.begin().await.unwrap());
        let read = open.remembered().await.unwrap();
        assert_eq!(read.last_applied.keys().collect::<Vec<_>>(), [&key(1)]);
        assert!(open.begin().await.unwrap());
        open.settle(bound(2)).await.unwrap();
        open.close().await.unwrap();
        assert_eq!(theirs.remembered().await.unwrap().last_applied.len(), 2);
    });
}

#[test]
fn what_was_read_stays_in_memory_until_something_is_written() {
    on_every_back_end(async |location: &dyn Location| {
        let (ours, theirs) = (record(location), record(location));
        assert!(ours.cached().await.is_none(), "nothing was read yet");
        let open = ours.open().await.unwrap();
        open.settle(bound(1)).await.unwrap();
        open.close().await.unwrap();
        assert!(ours.cached().await.is_none(), "nothing was read since");
        ours.open().await.unwrap().close_and_cache().await.unwrap();
        assert!(ours.cached().await.is_some());
        theirs.open().await.unwrap().close().await.unwrap();
        assert!(ours.cached().await.is_some(), "reading is not a write");
        let open = theirs.open().await.unwrap();
        open.settle(bound(2)).await.unwrap();
        open.close_and_cache().await.unwrap();
        assert!(ours.cached().await.is_none());
        let (theirs, ours) = (
            theirs.cached().await.unwrap(),
            ours.remembered().await.unwrap(),
        );
        assert_eq!(theirs, ours);
        assert_eq!(ours.last_applied.len(), 2);
    });
}

#[test]
fn what_is_read_in_advance_is_what_an_opening_finds() {
    for access in [Access::Read, Access::Write] {
        on_every_back_end(async |location: &dyn Location| {
            let (ours, theirs) = (record(location), record(location));
            ours.prefetch(access).await;
            assert!(ours.cached().await.is_none(), "nothing is created");
            let open = theirs.open().await.unwrap();
            open.settle(bound(1)).await.unwrap();
            open.close().await.unwrap();

            ours.prefetch(access).await;
            if access == Access::Read {
                let ahead = ours.cached().await.unwrap();
                let open = ours.open().await.unwrap();
                assert!(Arc::ptr_eq(&ahead, &open.remembered().await.unwrap()));
                open.close().await.unwrap();
            } else {
                let open = ours.open().await.unwrap();
                assert_eq!(open.remembered().await.unwrap().last_applied.len(), 1);
                open.settle(bound(9)).await.unwrap();
                open.close().await.unwrap();
            }

            ours.prefetch(access).await;
            ours.release().await;
            let open = theirs.open().await.unwrap();
            open.settle(bound(2)).await.unwrap();
            open.close().await.unwrap();
            let now = ours.open().await.unwrap();
            let known = now.remembered().await.unwrap();
            assert!(known.last_applied.contains_key(&key(2)));
            now.close().await.unwrap();
        });
    }
}

#[test]
fn a_subscriber_hears_of_each_change_once_it_is_durable() {
    on_every_back_end(async |location: &dyn Location| {
        let record = record(location);
        let mut changes = record.subscribe();
        let open = record.open().await.unwrap();
        for number in [1, 2] {
            open.intend(intent(number)).await.unwrap();
            assert!(changes.try_recv().is_err(), "nothing changed yet");
            open.settle(bound(number)).await.unwrap();
            assert_eq!(changes.try_recv().unwrap().key, key(number));
        }
        open.close().await.unwrap();
        assert_eq!(record.history(10).await.unwrap().len(), 2);
    });
}

#[test]
fn what_waits_together_is_committed_together() {
    on_every_back_end(async |location: &dyn Location| {
        let record = record(location);
        let open = record.open().await.unwrap();
        open.observe(observation(0..2));
        let settled = (0..2_000).map(|number| open.settle(bound(number)));
        futures_util::future::try_join_all(settled).await.unwrap();
        open.close().await.unwrap();
        let loaded = location.reach().load().await.unwrap();
        assert_eq!(loaded.remembered.last_applied.len(), 2_000);
        assert!(loaded.sequence < 100, "{} commits", loaded.sequence);
        let kept = record.observed().await.unwrap();
        assert_eq!(kept, Some(observation(0..2)));
    });
}

/// Dropping a caller loses no write of another one.
#[test]
fn a_caller_that_is_dropped_takes_nothing_with_it() {
    on_every_back_end(async |location: &dyn Location| {
        let record = record(location);
        let open = record.open().await.unwrap();
        for number in 0..50 {
            let dropped = open.settle(bound(1_000 + number));
            let kept = open.settle(bound(number));
            tokio::select! {
                biased;
                () = async { for _ in 0..number % 4 { tokio::task::yield_now().await } } => {}
                _ = dropped => {}
            }
            // The caller may learn that the other one was dropped, but never that a lost write is durable.
            if kept.await.is_err() {
                open.settle(bound(number)).await.unwrap();
            }
        }
        open.close().await.unwrap();
        let loaded = location.reach().load().await.unwrap().remembered;
        for number in 0..50 {
            assert!(loaded.last_applied.contains_key(&key(number)), "{number}");
        }
    });
}
