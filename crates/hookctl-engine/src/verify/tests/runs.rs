//! Whole verifications in virtual time.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use jiff::SignedDuration;
use tokio_util::sync::CancellationToken;

use super::super::*;
use super::{URL, at, attempt, change, event};
use hookctl_api::{ApiError, Attempt, DeliveryApi, Event, EventQuery, Rows};
use hookctl_core::clock::{Clock, Stamp, Writer};
use hookctl_core::webhook::{Key, RemoteId};

/// An API whose answers depend on the time since the start.
struct Scripted {
    started: tokio::time::Instant,
    ahead: Option<SignedDuration>,
    events: Vec<(u64, Event)>,
    attempts: Vec<(u64, Attempt)>,
    retry: Result<(), ApiError>,
    asked: Mutex<Vec<(u64, String)>>,
}

impl Scripted {
    fn new(events: Vec<(u64, Event)>, attempts: Vec<(u64, Attempt)>) -> Self {
        Self {
            started: tokio::time::Instant::now(),
            ahead: None,
            events,
            attempts,
            retry: Ok(()),
            asked: Mutex::default(),
        }
    }

    fn ask(&self, what: String) -> u64 {
        let now = self.started.elapsed().as_secs();
        self.asked.lock().unwrap().push((now, what));
        now
    }

    fn asked(&self) -> Vec<(u64, String)> {
        self.asked.lock().unwrap().clone()
    }
}

impl DeliveryApi for Scripted {
    async fn events(
        &self,
        query: &EventQuery,
        page: u32,
        size: u32,
    ) -> Result<Rows<Event>, ApiError> {
        let now = self.ask(format!("events {page}"));
        let shown = |event: &Event| {
            query
                .status
                .as_ref()
                .is_none_or(|status| event.status == *status)
        };
        let mut rows: Vec<_> = self
            .events
            .iter()
            .filter(|(from, event)| *from <= now && shown(event))
            .map(|(_, event)| event.clone())
            .collect();
        rows.sort_by(|one, other| other.created_at.cmp(&one.created_at));
        let skipped = (page - 1) as usize * size as usize;
        Ok(Rows {
            total: Some(rows.len() as u64),
            rows: rows.into_iter().skip(skipped).take(size as usize).collect(),
            unreadable: 0,
        })
    }

    async fn attempts(&self, id: &str, _: u32, _: u32) -> Result<Rows<Attempt>, ApiError> {
        let now = self.ask(format!("attempts {id}"));
        let shown = self.attempts.iter();
        let shown = shown.filter(|(from, one)| *from <= now && one.event_id == id);
        Ok(Rows {
            rows: shown.map(|(_, one)| one.clone()).collect(),
            unreadable: 0,
            total: None,
        })
    }

    async fn retry(&self, document_id: &str) -> Result<(), ApiError> {
        self.ask(format!("retry {document_id}"));
        self.retry.clone()
    }

    fn clock_difference(&self) -> Option<SignedDuration> {
        self.ahead
    }
}

/// A clock in virtual time, so many seconds ahead of the API.
struct Skewed {
    started: tokio::time::Instant,
    ahead: i64,
}

impl Clock for Skewed {
    fn now(&self) -> Stamp {
        let elapsed = i64::try_from(self.started.elapsed().as_secs()).unwrap();
        Stamp {
            at: at(elapsed + self.ahead),
            uptime_ms: 0,
            writer: Writer {
                host: String::new(),
                boot: None,
                run: String::new(),
            },
        }
    }
}

fn options(timeout: u64) -> VerifyOptions {
    VerifyOptions {
        timeout: Duration::from_secs(timeout),
        require_traffic: false,
        retry_failed: false,
        cancellation: CancellationToken::new(),
    }
}

async fn run(api: &Scripted, options: &VerifyOptions, ahead: i64) -> Verification {
    run_for(api, options, ahead, vec![change()]).await
}

async fn run_for(
    api: &Scripted,
    options: &VerifyOptions,
    ahead: i64,
    changes: Vec<Change>,
) -> Verification {
    let clock: Arc<dyn Clock> = Arc::new(Skewed {
        started: tokio::time::Instant::now(),
        ahead,
    });
    verify(api, changes, options, &clock, &|_| {}).await
}

fn only(verification: &Verification) -> &Verdict {
    &verification.webhooks[0].verdict
}

#[tokio::test(start_paused = true)]
async fn each_poll_sends_one_request_and_the_pauses_grow() {
    let delivered = event("e", 20, "delivered");
    let api = Scripted::new(
        vec![(20, delivered)],
        vec![(20, attempt("e", 1, URL, Some(200)))],
    );
    let done = run(&api, &options(600), 0).await;
    assert!(matches!(only(&done), Verdict::Proven { .. }));
    assert!(!done.fails(true));
    let asked = api.asked();
    let times: Vec<u64> = asked.iter().map(|(at, _)| *at).collect();
    assert_eq!(times, [0, 1, 3, 7, 15, 30, 31]);
    assert_eq!(asked[6].1, "attempts e");
}

#[tokio::test(start_paused = true)]
async fn a_quiet_webhook_ends_after_a_minute_and_a_required_one_with_the_time() {
    let api = Scripted::new(Vec::new(), Vec::new());
    let done = run(&api, &options(600), 0).await;
    assert_eq!(*only(&done), Verdict::NoTraffic);
    assert_eq!(done.duration, Duration::from_mins(1));
    assert!(!done.fails(false));
    let strict = VerifyOptions {
        require_traffic: true,
        ..options(600)
    };
    let done = run(&Scripted::new(Vec::new(), Vec::new()), &strict, 0).await;
    assert_eq!(*only(&done), Verdict::NoTraffic);
    assert_eq!(done.duration, Duration::from_mins(10));
    assert!(done.fails(true));
}

#[tokio::test(start_paused = true)]
async fn a_clock_that_is_wrong_by_an_hour_changes_nothing() {
    for skew in [3_600, -3_600] {
        let api = Scripted {
            ahead: Some(SignedDuration::from_secs(-skew)),
            ..Scripted::new(
                vec![
                    (0, event("old", -5, "failed")),
                    (10, event("e", 10, "delivered")),
                ],
                vec![
                    (0, attempt("old", 1, URL, Some(500))),
                    (10, attempt("e", 1, URL, Some(200))),
                ],
            )
        };
        // By the record of this machine, whose clock was as wrong.
        let change = Change {
            since: Since::Machine(at(skew)),
            ..change()
        };
        let done = run_for(&api, &options(600), skew, vec![change]).await;
        assert!(matches!(only(&done), Verdict::Proven { .. }), "{done:?}");
        assert_eq!(done.webhooks[0].since, at(0));
        let quiet = Scripted {
            ahead: api.ahead,
            ..Scripted::new(Vec::new(), Vec::new())
        };
        let done = run(&quiet, &options(600), skew).await;
        assert_eq!(done.duration, Duration::from_mins(1));
    }
}

#[tokio::test(start_paused = true)]
async fn a_decided_event_behind_a_page_of_undecided_ones_is_found() {
    let mut events: Vec<_> = (0..250)
        .map(|number| (0, event(&format!("p{number:03}"), 500 + number, "pending")))
        .collect();
    events.push((0, event("e", 3, "delivered")));
    let api = Scripted::new(events, vec![(0, attempt("e", 1, URL, Some(200)))]);
    let done = run(&api, &options(600), 0).await;
    assert!(matches!(only(&done), Verdict::Proven { event_id } if event_id == "e"));
    let asked: Vec<String> = api.asked().into_iter().map(|(_, what)| what).collect();
    assert_eq!(asked, ["events 1", "events 2", "events 3", "attempts e"]);
}

#[tokio::test(start_paused = true)]
async fn the_newest_failed_event_is_sent_again_once() {
    let retrying = VerifyOptions {
        retry_failed: true,
        ..options(600)
    };
    let failed = || {
        vec![
            (0, event("older", -900, "failed")),
            (0, event("e", -500, "failed")),
            // Stale: it failed after the change, but before the request.
            (0, event("f", 0, "failed")),
        ]
    };
    let api = Scripted::new(
        failed(),
        vec![
            (0, attempt("f", 1, URL, Some(500))),
            (9, attempt("f", 2, URL, Some(200))),
        ],
    );
    let done = run(&api, &retrying, 0).await;
    assert_eq!(
        *only(&done),
        Verdict::Proven {
            event_id: "f".to_owned()
        }
    );
    assert_eq!(done.webhooks[0].redelivered.as_deref(), Some("f"));
    let asked: Vec<String> = api.asked().into_iter().map(|(_, what)| what).collect();
    assert_eq!(asked[..3], ["events 1", "retry document-f", "attempts f"]);
    let retries = asked.iter().filter(|what| what.starts_with("retry"));
    assert_eq!(retries.count(), 1);

    // An unknown outcome is never repeated.
    let api = Scripted {
        retry: Err(ApiError::UnknownOutcome {
            reason: "timed out".to_owned(),
        }),
        ..Scripted::new(failed(), vec![(0, attempt("f", 1, URL, Some(500)))])
    };
    let done = run(&api, &retrying, 0).await;
    assert_eq!(*only(&done), Verdict::NoTraffic);
    let asked = api.asked();
    let retries = asked.iter().filter(|(_, what)| what.starts_with("retry"));
    assert_eq!(retries.count(), 1);

    // After a refusal, the events are read all the same.
    let api = Scripted {
        retry: Err(ApiError::Rejected {
            status: 404,
            message: String::new(),
            fields: Vec::new(),
        }),
        ..Scripted::new(failed(), vec![(0, attempt("f", 1, URL, Some(500)))])
    };
    let done = run(&api, &retrying, 0).await;
    assert!(matches!(only(&done), Verdict::Failing { .. }), "{done:?}");
    assert!(done.webhooks[0].not_redelivered.is_some());
}

#[tokio::test(start_paused = true)]
async fn a_cancelled_verification_ends_with_what_is_known() {
    let cancelled = options(600);
    let token = cancelled.cancellation.clone();
    tokio::spawn(async move {
        tokio::time::sleep(Duration::from_secs(5)).await;
        token.cancel();
    });
    let done = run(&Scripted::new(Vec::new(), Vec::new()), &cancelled, 0).await;
    assert!(done.interrupted);
    assert_eq!(*only(&done), Verdict::Pending);
    assert_eq!(done.duration, Duration::from_secs(5));
}

#[tokio::test(start_paused = true)]
async fn several_webhooks_end_each_with_its_own_verdict() {
    let other = Change {
        key: Key::parse("other").unwrap(),
        id: RemoteId::parse("5eb7cf5a86d9755df3a6c594").unwrap(),
        ..change()
    };
    let disabled = Change {
        enabled: false,
        ..other.clone()
    };
    let api = Scripted::new(
        vec![(0, event("e", 3, "failed"))],
        vec![(0, attempt("e", 1, URL, Some(401)))],
    );
    let done = run_for(&api, &options(600), 0, vec![change(), other, disabled]).await;
    let verdicts: Vec<&str> = done
        .webhooks
        .iter()
        .map(|one| one.verdict.as_str())
        .collect();
    assert_eq!(verdicts, ["rejected", "no_traffic", "disabled"]);
    assert!(done.fails(false));
    let first: Vec<_> = api.asked().into_iter().filter(|(at, _)| *at == 0).collect();
    assert_eq!(first.len(), 2, "none for the disabled one");
}

#[tokio::test(start_paused = true)]
async fn attempts_that_are_listed_later_than_the_status_are_read_again() {
    let api = Scripted::new(
        vec![(0, event("e", 3, "delivered"))],
        vec![(3, attempt("e", 1, URL, Some(200)))],
    );
    let done = run(&api, &options(600), 0).await;
    assert!(matches!(only(&done), Verdict::Proven { .. }));
    // An event whose attempts are never listed does not keep the polls short.
    let api = Scripted::new(vec![(0, event("e", 3, "delivered"))], Vec::new());
    let done = run(&api, &options(600), 0).await;
    assert_eq!(*only(&done), Verdict::Pending);
    let attempts = api.asked();
    let attempts = attempts
        .iter()
        .filter(|(_, what)| what.starts_with("attempts"));
    assert_eq!(attempts.count(), 5);
}
