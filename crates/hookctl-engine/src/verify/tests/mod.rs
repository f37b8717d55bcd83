//! Each row of the table of verdicts, and the pauses.

mod rollback;
mod runs;

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::*;
use hookctl_api::{Attempt, Event};
use hookctl_core::record::{HistoryAction, HistoryChange, HistoryEntry};
use hookctl_core::webhook::{EndpointUrl, Key, RemoteId};

const URL: &str = "https://hooks.example.com/billing";
const OTHER: &str = "https://old.example.com/billing";

/// A moment so many seconds after the change, by the clock of the API.
fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + seconds).unwrap()
}

fn change() -> Change {
    Change {
        key: Key::parse("billing").unwrap(),
        id: RemoteId::parse("5eb7cf5a86d9755df3a6c593").unwrap(),
        urls: vec![EndpointUrl::from_remote(URL.to_owned())],
        since: Since::Api(at(0)),
        enabled: true,
        max_retries: 3,
    }
}

fn event(id: &str, seconds: i64, status: &str) -> Event {
    Event {
        event_id: id.to_owned(),
        document_id: Some(format!("document-{id}")),
        webhook: change().id.to_string(),
        status: status.to_owned(),
        attempts: Some(1),
        created_at: Some(at(seconds).to_string()),
        last_attempt_at: Some(at(seconds + 1).to_string()),
        ..Event::default()
    }
}

fn attempt(id: &str, number: u64, url: &str, status: Option<i64>) -> Attempt {
    Attempt {
        event_id: id.to_owned(),
        attempt_number: number,
        request_url: Some(url.to_owned()),
        success: status.is_some_and(|status| (200..300).contains(&status)),
        response_status_code: status,
        error_message: status.is_none().then(|| "connection refused".to_owned()),
        ..Attempt::default()
    }
}

/// Evidence of events, all of them read with these attempts.
fn evidence(events: Vec<Event>, attempts: &[Attempt]) -> Evidence {
    let mut evidence = Evidence::default();
    for event in &events {
        let own = attempts.iter().filter(|one| one.event_id == event.event_id);
        evidence.take_attempts(event, own.cloned().collect());
    }
    evidence.take_events(1, events, &change(), at(0));
    evidence
}

fn moment(now: i64, time_is_up: bool) -> Moment {
    Moment {
        since: at(0),
        now: at(now),
        time_is_up,
        require_traffic: false,
    }
}

fn open(evidence: &Evidence) -> Judgement {
    judge(&change(), evidence, moment(5, false))
}

fn ended(evidence: &Evidence) -> Judgement {
    judge(&change(), evidence, moment(600, true))
}

fn proven(id: &str) -> Judgement {
    Judgement::Decided(Verdict::Proven {
        event_id: id.to_owned(),
    })
}

fn failing(id: &str, status: Option<i64>) -> Judgement {
    let error = status.is_none().then(|| "connection refused".to_owned());
    Judgement::Decided(Verdict::Failing {
        event_id: id.to_owned(),
        reason: Failure { status, error },
    })
}

#[test]
fn a_delivered_event_after_the_change_proves_it() {
    let delivered = || vec![event("e", 3, "delivered")];
    let good = attempt("e", 1, URL, Some(204));
    assert_eq!(open(&evidence(delivered(), &[good])), proven("e"));
    let other_form = attempt("e", 1, "HTTPS://Hooks.Example.com/billing/", Some(200));
    assert_eq!(open(&evidence(delivered(), &[other_form])), proven("e"));
    // The second attempt succeeded.
    let tries = [
        attempt("e", 1, URL, Some(503)),
        attempt("e", 2, URL, Some(200)),
    ];
    assert_eq!(open(&evidence(delivered(), &tries)), proven("e"));
}

#[test]
fn an_event_before_the_change_proves_nothing() {
    let old = vec![event("e", -1, "delivered"), event("f", -9, "failed")];
    let tries = [
        attempt("e", 1, URL, Some(200)),
        attempt("f", 1, URL, Some(500)),
    ];
    let evidence = evidence(old, &tries);
    assert_eq!(open(&evidence), Judgement::Open);
    assert_eq!(ended(&evidence), Judgement::Decided(Verdict::NoTraffic));
}

#[test]
fn an_event_of_another_webhook_or_without_a_time_proves_nothing() {
    let mut foreign = event("e", 3, "delivered");
    foreign.webhook = "another".to_owned();
    let mut timeless = event("f", 3, "delivered");
    timeless.created_at = None;
    let tries = [
        attempt("e", 1, URL, Some(200)),
        attempt("f", 1, URL, Some(200)),
    ];
    let evidence = evidence(vec![foreign, timeless], &tries);
    assert_eq!(ended(&evidence), Judgement::Decided(Verdict::NoTraffic));
}

#[test]
fn an_attempt_to_another_address_proves_nothing() {
    for (status, code) in [("delivered", 200), ("failed", 404), ("failed", 401)] {
        let tries = [attempt("e", 1, OTHER, Some(code))];
        let evidence = evidence(vec![event("e", 3, status)], &tries);
        assert_eq!(open(&evidence), Judgement::Open, "{status} {code}");
        assert_eq!(ended(&evidence), Judgement::Decided(Verdict::Pending));
    }
    // Of two attempts, the one to the declared address counts.
    let tries = [
        attempt("e", 1, URL, Some(503)),
        attempt("e", 2, OTHER, Some(200)),
    ];
    let evidence = evidence(vec![event("e", 3, "delivered")], &tries);
    assert_eq!(ended(&evidence), Judgement::Decided(Verdict::Pending));
}

#[test]
fn a_refused_token_is_rejected_at_once() {
    for status in [401, 403] {
        for state in ["failed", "retrying"] {
            let tries = [attempt("e", 1, URL, Some(status))];
            let evidence = evidence(vec![event("e", 3, state)], &tries);
            let rejected = Verdict::Rejected {
                event_id: "e".to_owned(),
                status,
            };
            assert_eq!(open(&evidence), Judgement::Decided(rejected), "{state}");
        }
    }
}

#[test]
fn a_failed_event_is_failing_with_the_status_and_the_error_of_its_attempt() {
    for status in [Some(404), Some(410), Some(500), Some(503), Some(302), None] {
        let tries = [attempt("e", 1, URL, status)];
        let evidence = evidence(vec![event("e", 3, "failed")], &tries);
        assert_eq!(open(&evidence), failing("e", status));
    }
}

#[test]
fn a_retried_event_is_failing_only_when_the_time_is_up() {
    let tries = [attempt("e", 1, URL, Some(503))];
    let retrying = evidence(vec![event("e", 3, "retrying")], &tries);
    assert_eq!(open(&retrying), Judgement::Open);
    assert_eq!(ended(&retrying), failing("e", Some(503)));
    // Its attempts are read again once there is another one.
    let mut events = retrying;
    events.events[0].attempts = Some(2);
    assert!(matches!(open(&events), Judgement::ReadAttempts(_)));
    assert_eq!(
        ended(&events),
        Judgement::Decided(Verdict::Pending),
        "what was read is no longer current"
    );
}

#[test]
fn the_newest_decided_event_decides() {
    let tries = [
        attempt("old", 1, URL, Some(500)),
        attempt("new", 1, URL, Some(200)),
        attempt("newest", 1, URL, Some(503)),
    ];
    let events = |newest| {
        vec![
            event("old", 3, "failed"),
            event("newest", 9, newest),
            event("new", 6, "delivered"),
        ]
    };
    assert_eq!(open(&evidence(events("pending"), &tries)), proven("new"));
    assert_eq!(open(&evidence(events("retrying"), &tries)), proven("new"));
    assert_eq!(
        open(&evidence(events("failed"), &tries)),
        failing("newest", Some(503))
    );
}

#[test]
fn an_event_without_its_attempts_decides_nothing_yet() {
    let mut evidence = evidence(vec![event("e", 3, "delivered")], &[]);
    evidence.attempts.clear();
    assert!(matches!(open(&evidence), Judgement::ReadAttempts(event) if event.event_id == "e"));
    assert_eq!(ended(&evidence), Judgement::Decided(Verdict::Pending));
}

#[test]
fn without_an_event_there_is_no_traffic_after_a_minute_unless_it_is_required() {
    let none = Evidence::default();
    let judged = |now, require_traffic| {
        let moment = Moment {
            require_traffic,
            ..moment(now, false)
        };
        judge(&change(), &none, moment)
    };
    let no_traffic = Judgement::Decided(Verdict::NoTraffic);
    assert_eq!(judged(59, false), Judgement::Open);
    assert_eq!(judged(60, false), no_traffic);
    assert_eq!(judged(599, true), Judgement::Open);
    assert_eq!(ended(&none), no_traffic);
    let pending = evidence(vec![event("e", 3, "pending")], &[]);
    assert_eq!(
        judge(&change(), &pending, moment(90, false)),
        Judgement::Open,
        "an event is traffic"
    );
    assert_eq!(ended(&pending), Judgement::Decided(Verdict::Pending));
}

#[test]
fn a_disabled_webhook_needs_no_evidence() {
    let disabled = Change {
        enabled: false,
        ..change()
    };
    assert_eq!(
        judge(&disabled, &Evidence::default(), moment(0, false)),
        Judgement::Decided(Verdict::Disabled)
    );
}

#[test]
fn a_redelivery_counts_by_the_attempts_after_its_request() {
    let judged = |attempts: Vec<Attempt>, time_is_up| {
        let mut evidence = Evidence {
            redelivery: Some(Redelivery {
                event: event("e", -500, "failed"),
                at: at(0),
            }),
            ..Evidence::default()
        };
        let read = ReadAttempts {
            rows: attempts,
            ..ReadAttempts::default()
        };
        evidence.attempts.insert("e".to_owned(), read);
        judge(&change(), &evidence, moment(5, time_is_up))
    };
    let before = || attempt("e", 1, URL, Some(500));
    let pending = Judgement::Open;
    assert_eq!(judged(vec![before()], false), pending);
    assert_eq!(
        judged(vec![before()], true),
        Judgement::Decided(Verdict::NoTraffic)
    );
    let again = |status| vec![before(), attempt("e", 2, URL, status)];
    assert_eq!(judged(again(Some(200)), false), proven("e"));
    assert_eq!(judged(again(Some(404)), false), failing("e", Some(404)));
    assert_eq!(judged(again(Some(503)), false), pending, "it is retried");
    assert_eq!(judged(again(Some(503)), true), failing("e", Some(503)));
    let all = (1..=5)
        .map(|number| attempt("e", number, URL, None))
        .collect();
    assert_eq!(
        judged(all, false),
        failing("e", None),
        "no retries are left"
    );
    // The API counts from 1 again.
    let mut renumbered = attempt("e", 1, URL, Some(200));
    renumbered.created_at = Some(at(1).to_string());
    assert_eq!(judged(vec![renumbered], false), proven("e"));
    let mut earlier = attempt("e", 1, URL, Some(200));
    earlier.created_at = Some(at(-499).to_string());
    assert_eq!(judged(vec![earlier], false), pending);
}

#[test]
fn the_moment_of_a_change_is_that_of_the_api() {
    let entry = |action, seconds, api_at: Option<Timestamp>| HistoryEntry {
        at: at(seconds),
        api_at,
        key: change().key,
        id: change().id,
        action,
        changes: vec![HistoryChange {
            field: "url".into(),
            from: None,
            to: URL.to_owned(),
            cause: hookctl_core::record::HistoryCause::Edited,
        }],
        provenance: None,
        run: None,
    };
    let last = |entries: &[HistoryEntry]| last_changes(entries).get(&change().id).copied();
    let update = entry(HistoryAction::Update, 100, Some(at(40)));
    let create = entry(HistoryAction::Create, 10, None);
    let history = [
        entry(HistoryAction::Rename, 200, None),
        update,
        create.clone(),
    ];
    // A second later, since a `Date` has whole seconds.
    assert_eq!(last(&history), Some(Since::Api(at(41))));
    assert_eq!(last(&[create]), Some(Since::Machine(at(11))));
    let mut adopted = entry(HistoryAction::Adopt, 10, None);
    adopted.changes.clear();
    assert_eq!(last(&[adopted]), None, "nothing was sent");
    // This machine is an hour ahead of the API.
    let ahead = SignedDuration::from_hours(-1);
    assert_eq!(Since::Machine(at(0)).by_api(Some(ahead)), Some(at(-3_600)));
    assert_eq!(Since::Machine(at(0)).by_api(None), None);
    assert_eq!(Since::Api(at(0)).by_api(None), Some(at(0)));
}

#[test]
fn an_address_is_compared_as_the_record_keeps_it() {
    let declares = |own: &str, url: &str| {
        let change = Change {
            urls: vec![EndpointUrl::from_remote(own.to_owned())],
            ..change()
        };
        change.declares(url)
    };
    assert!(declares(
        "https://***@a.example/x",
        "https://user:pass@a.example/x"
    ));
    assert!(!declares(
        "https://***@a.example/x",
        "https://user:pass@b.example/x"
    ));
    assert!(!declares(URL, OTHER));
    assert!(!declares(URL, &format!("{URL}?v=2")));
}

#[test]
fn pauses_grow_up_to_a_cap_and_end_with_the_time() {
    let mut schedule = Schedule::new(Duration::from_secs(100));
    let mut elapsed = Duration::ZERO;
    let mut pauses = Vec::new();
    while let Some(pause) = schedule.pause(elapsed, false) {
        pauses.push(pause.as_secs());
        elapsed += pause;
    }
    assert_eq!(pauses, [1, 2, 4, 8, 15, 15, 15, 15, 15, 10]);
    let mut schedule = Schedule::new(Duration::from_secs(100));
    let pauses = [false, false, true, false].map(|follows| schedule.pause(Duration::ZERO, follows));
    assert_eq!(pauses.map(|one| one.unwrap().as_secs()), [1, 2, 1, 4]);
    assert_eq!(
        Schedule::new(Duration::ZERO).pause(Duration::ZERO, true),
        None
    );
}
