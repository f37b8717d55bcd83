//! A change is proven only by a delivery after it to its declared address.

use hookctl::remote::{Attempt, Event};
use hookctl::verify::{Change, Evidence, Judgement, Moment, Redelivery, Since, Verdict, judge};
use hookctl::webhook::{EndpointUrl, Key, RemoteId};
use jiff::Timestamp;
use proptest::prelude::*;

const ID: &str = "5eb7cf5a86d9755df3a6c593";
const URL: &str = "https://hooks.example.com/a";

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + seconds).unwrap()
}

fn change() -> Change {
    Change {
        key: Key::parse("a").unwrap(),
        id: RemoteId::parse(ID).unwrap(),
        urls: vec![EndpointUrl::from_remote(URL.to_owned())],
        since: Since::Api(at(0)),
        enabled: true,
        max_retries: 3,
    }
}

fn event(number: usize) -> impl Strategy<Value = Event> {
    let status = prop::sample::select(vec!["pending", "retrying", "delivered", "failed", "new"]);
    let webhook = prop::sample::select(vec![ID, ID, ID, "another"]);
    (status, webhook, -20_i64..20, 0_u64..4).prop_map(move |(status, webhook, seconds, count)| {
        Event {
            event_id: format!("e{number}"),
            webhook: webhook.to_owned(),
            status: status.to_owned(),
            attempts: Some(count),
            created_at: Some(at(seconds).to_string()),
            last_attempt_at: Some(at(seconds + 1).to_string()),
            ..Event::default()
        }
    })
}

fn attempt(number: usize) -> impl Strategy<Value = Attempt> {
    let url = prop::sample::select(vec![URL, "https://hooks.example.com/b"]);
    let status = prop::sample::select(vec![
        None,
        Some(200),
        Some(204),
        Some(401),
        Some(404),
        Some(503),
    ]);
    (url, status, any::<bool>(), 1_u64..6, -20_i64..40).prop_map(
        move |(url, status, success, attempt_number, seconds)| Attempt {
            event_id: format!("e{number}"),
            attempt_number,
            request_url: Some(url.to_owned()),
            success,
            response_status_code: status,
            created_at: Some(at(seconds).to_string()),
            ..Attempt::default()
        },
    )
}

/// Events with their attempts, and the event that is redelivered.
fn evidence() -> impl Strategy<Value = (Evidence, Vec<Event>)> {
    let one = |number| (event(number), prop::collection::vec(attempt(number), 0..4));
    let all = (one(0), one(1), one(2), one(3));
    (all, prop::option::of((0_usize..4, -5_i64..10))).prop_map(|((a, b, c, d), redelivered)| {
        let mut evidence = Evidence::default();
        let mut events = Vec::new();
        for (event, rows) in [a, b, c, d] {
            let readings = if rows.len() % 2 == 0 { 9 } else { 1 };
            (0..readings).for_each(|_| evidence.take_attempts(&event, rows.clone()));
            events.push(event);
        }
        evidence.take_events(1, events.clone(), &change(), at(0));
        evidence.redelivery = redelivered.map(|(index, seconds)| Redelivery {
            event: events[index].clone(),
            at: at(seconds),
        });
        (evidence, events)
    })
}

proptest! {
    #[test]
    fn a_change_is_proven_only_by_a_delivery_after_it_to_its_address(
        (evidence, events) in evidence(),
        now in 0_i64..600,
        time_is_up in any::<bool>(),
        require_traffic in any::<bool>(),
    ) {
        let moment = Moment { since: at(0), now: at(now), time_is_up, require_traffic };
        let judged = judge(&change(), &evidence, moment);
        let Judgement::Decided(Verdict::Proven { event_id }) = judged else {
            return Ok(());
        };
        let event = events.iter().find(|event| event.event_id == event_id).unwrap();
        let arrived: Vec<&Attempt> = evidence.attempts[&event_id]
            .rows
            .iter()
            .filter(|attempt| attempt.success && attempt.request_url.as_deref() == Some(URL))
            .collect();
        prop_assert!(!arrived.is_empty());
        let created: Timestamp = event.created_at.as_ref().unwrap().parse().unwrap();
        let delivered = event.webhook == ID && event.status == "delivered" && created >= at(0);
        let redelivered = evidence.redelivery.as_ref().is_some_and(|redelivery| {
            redelivery.event.event_id == event_id
                && arrived.iter().any(|attempt| redelivery.is_fresh(attempt))
        });
        prop_assert!(delivered || redelivered);
    }

    #[test]
    fn when_the_time_is_up_there_is_a_verdict((evidence, _) in evidence(), now in 0_i64..600) {
        let moment = Moment { since: at(0), now: at(now), time_is_up: true, require_traffic: true };
        prop_assert!(matches!(judge(&change(), &evidence, moment), Judgement::Decided(_)));
    }
}
