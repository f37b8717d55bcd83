//! Futures of passes that are dropped in the middle, after each number of polls: what a caller relies on that gives up.
//!
//! Nothing may be doubled or lost by the next pass, whether it opens the record again or goes on with the open one.

use std::future::Future;
use std::pin::pin;
use std::task::Poll;

use hookctl::apply::{ApplyOptions, Silent};
use hookctl::clock::SystemClock;
use hookctl::plan::Plan;
use hookctl::reconcile::{PlanInputs, Verdict, reconcile, reconcile_settling};
use hookctl::record::{MemoryRecord, Record};
use hookctl::sandbox::Dialect;

use super::fixture::Fixture;

const BEFORE: &str = "webhooks:
  edited: { name: Edited, url: 'https://edited.example.com', actions: all }
  absent: { name: Absent, url: 'https://absent.example.com', actions: all }
";
const AFTER: &str = "webhooks:
  edited: { name: Edited, url: 'https://edited.example.com', actions: all, max_retries: 7 }
  absent: { name: Absent, state: absent }
  one: { name: One, url: 'https://one.example.com', actions: all }
  two: { name: Two, url: 'https://two.example.com', actions: all }
";

/// More polls than a pass takes.
const ENOUGH: usize = 10_000;

/// Polls a future so many times, and drops it. Returns whether it ended before.
async fn ends_within<T>(polls: usize, future: impl Future<Output = T>) -> bool {
    let mut future = pin!(future);
    let mut left = polls;
    std::future::poll_fn(|context| {
        if left == 0 {
            return Poll::Ready(false);
        }
        left -= 1;
        let ended = future.as_mut().poll(context).map(|_| true);
        if left == 0 && ended.is_pending() {
            return Poll::Ready(false);
        }
        ended
    })
    .await
}

/// An account with the first declarations applied, and the second ones declared.
async fn edited(record: Option<&Record>) -> Fixture {
    let mut fixture = Fixture::new(Dialect::default()).await;
    fixture.declare(BEFORE);
    match record {
        Some(record) => fixture.pass_over(record, |_, _| Verdict::Apply).await,
        None => fixture.pass().await,
    }
    .unwrap();
    fixture.declare(AFTER);
    fixture.requests();
    fixture
}

/// Asserts that the account is as declared, without duplicates.
fn assert_settled(fixture: &Fixture, polls: usize) {
    let mut names: Vec<_> = fixture
        .sandbox()
        .webhooks()
        .into_iter()
        .map(|webhook| webhook.name)
        .collect();
    names.sort();
    assert_eq!(names, ["Edited", "One", "Two"], "after {polls} polls");
}

#[tokio::test]
async fn a_pass_that_opens_the_record_again_settles_what_a_dropped_one_left() {
    for polls in 1..ENOUGH {
        let mut fixture = edited(None).await;
        let ended = ends_within(polls, fixture.pass()).await;
        let report = fixture.pass().await.unwrap();
        assert!(report.is_complete(), "after {polls} polls: {report:?}");
        assert_settled(&fixture, polls);
        fixture.requests();
        fixture.pass().await.unwrap();
        assert_eq!(fixture.requests(), ["L"], "after {polls} polls");
        assert!(fixture.pending().await.is_empty());
        if ended {
            return;
        }
    }
    panic!("the pass never ends");
}

/// Drops a pass over an open record, and goes on with the same one. Returns whether the pass had ended.
async fn goes_on(fixture: &Fixture, record: &Record, polls: usize) -> bool {
    let (desired, api, clock) = (fixture.desired(), fixture.api(), SystemClock::shared());
    let mut inputs = PlanInputs::new(&api, &desired, &clock);
    inputs.context.horizon = fixture.horizon;
    let options = ApplyOptions::default();
    let mut approve = |_: &Plan| Verdict::Apply;
    let open = record.open().await.unwrap();
    let pass = reconcile(&inputs, &options, &open, &Silent, &mut approve);
    let ended = ends_within(polls, pass).await;
    let report = reconcile_settling(&inputs, &options, record, open, &Silent, &mut approve)
        .await
        .unwrap();
    assert!(report.is_complete(), "after {polls} polls: {report:?}");
    assert_settled(fixture, polls);
    let remembered = record.remembered().await.unwrap();
    assert!(remembered.pending.is_empty(), "after {polls} polls");
    assert_eq!(remembered.last_applied.len(), 3, "after {polls} polls");
    ended
}

#[tokio::test]
async fn an_open_record_on_sled_outlives_a_dropped_pass() {
    for polls in 1..ENOUGH {
        let fixture = edited(None).await;
        if goes_on(&fixture, &fixture.record(), polls).await {
            return;
        }
    }
    panic!("the pass never ends");
}

#[tokio::test]
async fn an_open_record_in_memory_outlives_a_dropped_pass() {
    for polls in 1..ENOUGH {
        let account = Fixture::new(Dialect::default()).await.account();
        let record = Record::new(MemoryRecord::new(), account);
        let fixture = edited(Some(&record)).await;
        if goes_on(&fixture, &record, polls).await {
            return;
        }
    }
    panic!("the pass never ends");
}
