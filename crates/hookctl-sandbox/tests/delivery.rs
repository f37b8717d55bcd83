//! Deliveries in virtual time: the order and the times of attempts, and what is recorded of them.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use hookctl_sandbox::{
    DeliveryOptions, Destinations, Emulator, Exchange, Outcome, RecordedRequest, SandboxOptions,
    Sender, Sending, Shipment,
};
use jiff::Timestamp;
use serde_json::{Value, json};
use tokio::time::Instant;

/// A request that was received: when, where, with which token, and what.
type Received = (f64, String, Option<String>, Value);

/// A receiver with given responses, each after a time, which keeps what it received.
struct Receiver {
    start: Instant,
    answers: Mutex<VecDeque<(Duration, Outcome)>>,
    received: Mutex<Vec<Received>>,
}

impl Sender for Receiver {
    fn send<'a>(&'a self, shipment: &'a Shipment) -> Sending<'a> {
        Box::pin(async move {
            let body = serde_json::from_slice(&shipment.body).unwrap();
            self.received.lock().unwrap().push((
                self.start.elapsed().as_secs_f64(),
                shipment.url.clone(),
                shipment.token.clone(),
                body,
            ));
            let next = self.answers.lock().unwrap().pop_front();
            let (after, outcome) = next.unwrap_or_else(|| (Duration::ZERO, answer(200, "ok")));
            tokio::time::sleep(after.min(shipment.timeout)).await;
            if after > shipment.timeout {
                return Outcome::Unanswered {
                    error: "no response in time".to_owned(),
                };
            }
            outcome
        })
    }
}

fn answer(status: u16, body: &str) -> Outcome {
    let body = body.to_owned();
    Outcome::Answered { status, body }
}

struct World {
    emulator: Emulator,
    receiver: Arc<Receiver>,
}

impl World {
    fn new(answers: Vec<(u64, Outcome)>) -> Self {
        let start = Instant::now();
        let answers = answers
            .into_iter()
            .map(|(seconds, outcome)| (Duration::from_secs(seconds), outcome));
        let receiver = Arc::new(Receiver {
            start,
            answers: Mutex::new(answers.collect()),
            received: Mutex::default(),
        });
        let epoch: Timestamp = "2026-01-02T03:04:05Z".parse().unwrap();
        let delivery = DeliveryOptions {
            sender: Arc::clone(&receiver) as Arc<dyn Sender>,
            destinations: Destinations::default(),
            retry_delay: None,
            resumes: false,
            now: Arc::new(move || epoch.checked_add(start.elapsed()).unwrap()),
            chance: Arc::new(|| 0.0),
        };
        let options = SandboxOptions {
            delivery: Some(delivery),
            ..SandboxOptions::in_memory("key")
        };
        let emulator = Emulator::new(options).unwrap();
        Self { emulator, receiver }
    }

    fn request(&self, method: &str, path: &str, query: &str, body: Option<Value>) -> (u16, Value) {
        let target = format!("{path}?{query}");
        let request = RecordedRequest::authorized(method, &target, body);
        let (_, Exchange::Answer(reply)) = self.emulator.exchange(&request, false) else {
            panic!("no answer");
        };
        (reply.status, serde_json::from_slice(&reply.body).unwrap())
    }

    fn webhook(&self, fields: &Value) -> String {
        let mut body = json!({
            "name": "Billing", "url": "http://127.0.0.1:9000/billing",
            "actions": ["workflow_run_completed"], "max_retries": 2, "retry_backoff_seconds": 10,
            "timeout_seconds": 5, "bearer_token": "hunter2",
        });
        let own = body.as_object_mut().unwrap();
        own.extend(fields.as_object().unwrap().clone());
        own.retain(|_, value| !value.is_null());
        let (status, made) = self.request("POST", COLLECTION, "", Some(body));
        assert_eq!(status, 200, "{made}");
        made["id"].as_str().unwrap().to_owned()
    }

    fn trigger(&self, body: Value) -> (u16, Value) {
        self.request("POST", "/sandbox/v1/trigger", "", Some(body))
    }

    fn event(&self) -> Value {
        let (_, events) = self.request("GET", &format!("{COLLECTION}/events"), "", None);
        events["events"][0].clone()
    }

    fn attempts(&self, event: &Value) -> Vec<Value> {
        let id = event["event_id"].as_str().unwrap();
        let path = format!("{COLLECTION}/events/{id}/attempts");
        let (_, attempts) = self.request("GET", &path, "", None);
        let mut attempts = attempts["attempts"].as_array().unwrap().clone();
        attempts.reverse();
        attempts
    }

    /// When each request was received, in seconds.
    fn times(&self) -> Vec<f64> {
        let received = self.receiver.received.lock().unwrap();
        received.iter().map(|(at, ..)| *at).collect()
    }
}

const COLLECTION: &str = "/workflows/v1/workflow-webhooks";

/// Lets an hour pass.
async fn an_hour() {
    tokio::time::sleep(Duration::from_hours(1)).await;
}

#[tokio::test(start_paused = true)]
async fn a_failure_is_retried_after_the_back_off_until_it_is_delivered() {
    let world = World::new(vec![
        (1, answer(500, "hunter2 is wrong")),
        (9, answer(200, "")),
    ]);
    world.webhook(&json!({}));
    let (status, made) = world.trigger(json!({ "action": "workflow_run_completed" }));
    assert_eq!(status, 200, "{made}");
    assert_eq!(made["events"][0]["status"], "pending");
    tokio::time::sleep(Duration::from_secs(2)).await;
    let event = world.event();
    assert_eq!(event["status"], "retrying");
    assert_eq!(event["last_status_code"], 500);
    assert_eq!(event["next_retry_at"], "2026-01-02T03:04:16.000Z");
    an_hour().await;
    // After a second and the pause, a time-out of 5 seconds, and the doubled pause.
    assert_eq!(world.times(), [0.0, 11.0, 36.0]);
    let event = world.event();
    assert_eq!(event["status"], "delivered");
    assert_eq!(event["attempts_count"], 3);
    assert_eq!(event["last_error"], Value::Null);
    assert_eq!(event["next_retry_at"], Value::Null);
    assert_eq!(event["workflow_run_status"], "completed");
    let attempts = world.attempts(&event);
    let brief: Vec<_> = attempts
        .iter()
        .map(|one| {
            (
                one["attempt_number"].as_u64().unwrap(),
                one["response_status_code"].as_u64(),
                one["latency_ms"].as_u64().unwrap(),
                one["success"].as_bool().unwrap(),
            )
        })
        .collect();
    assert_eq!(
        brief,
        [
            (1, Some(500), 1000, false),
            (2, None, 5000, false),
            (3, Some(200), 0, true)
        ]
    );
    assert_eq!(attempts[1]["error_message"], "no response in time");
    assert_eq!(attempts[0]["response_body"], "*** is wrong");
    assert_eq!(attempts[0]["request_url"], "http://127.0.0.1:9000/billing");
    let received = world.receiver.received.lock().unwrap();
    for (_, url, token, body) in received.iter() {
        assert_eq!(url, "http://127.0.0.1:9000/billing");
        assert_eq!(token.as_deref(), Some("hunter2"));
        assert_eq!(*body, event["payload"]);
    }
}

#[tokio::test(start_paused = true)]
async fn the_last_attempt_fails_for_good_and_a_requested_retry_has_all_of_them_again() {
    let failing = (0..5).map(|_| (0, answer(503, ""))).collect();
    let world = World::new(failing);
    world.webhook(&json!({ "bearer_token": null }));
    world.trigger(json!({ "action": "workflow_run_completed" }));
    an_hour().await;
    let event = world.event();
    assert_eq!(
        (&event["status"], world.times().len()),
        (&json!("failed"), 3)
    );
    let path = format!(
        "{COLLECTION}/events/{}/retry",
        event["_id"].as_str().unwrap()
    );
    let (status, _) = world.request("POST", &path, "", None);
    assert_eq!(status, 200);
    assert_eq!(world.event()["status"], "pending");
    an_hour().await;
    assert_eq!(world.event()["status"], "delivered");
    assert_eq!(world.event()["attempts_count"], 6);
    assert_eq!(world.receiver.received.lock().unwrap()[0].2, None);
}

#[tokio::test(start_paused = true)]
async fn a_retry_during_a_pause_replaces_the_planned_attempt() {
    let world = World::new(vec![(0, answer(500, ""))]);
    world.webhook(&json!({ "retry_backoff_seconds": 300 }));
    world.trigger(json!({ "action": "workflow_run_completed" }));
    tokio::time::sleep(Duration::from_secs(1)).await;
    let id = world.event()["_id"].as_str().unwrap().to_owned();
    world.request("POST", &format!("{COLLECTION}/events/{id}/retry"), "", None);
    an_hour().await;
    assert_eq!(world.times(), [0.0, 1.0]);
    assert_eq!(world.event()["status"], "delivered");
}

#[tokio::test(start_paused = true)]
async fn what_does_not_subscribe_is_disabled_or_is_not_named_gets_nothing() {
    let world = World::new(Vec::new());
    let own = world.webhook(&json!({}));
    let off = world.webhook(&json!({ "enabled": false }));
    let other = world.webhook(&json!({ "actions": ["workflow_created"] }));
    let all = world.webhook(&json!({ "bearer_token": null }));
    let (_, made) = world.trigger(json!({ "action": "workflow_run_completed" }));
    let ids: Vec<_> = made["events"].as_array().unwrap().iter().collect();
    let ids: Vec<_> = ids.iter().map(|one| &one["subscription_id"]).collect();
    assert_eq!(ids, [&json!(own), &json!(all)]);
    assert_eq!(
        made["skipped"],
        json!([
            { "webhook": off, "reason": "disabled" },
            { "webhook": other, "reason": "not_subscribed" },
        ])
    );
    let (_, made) = world.trigger(json!({
        "action": "workflow_run_completed", "webhooks": [all], "data": { "run": { "status": "failed" } }
    }));
    assert_eq!(made["events"].as_array().unwrap().len(), 1);
    an_hour().await;
    let received = world.receiver.received.lock().unwrap();
    assert_eq!(received.len(), 3);
    assert_eq!(received[2].3["run"]["status"], "failed");
}

#[tokio::test(start_paused = true)]
async fn a_webhook_that_changes_during_a_pause_is_taken_as_it_is_then() {
    let failing = || vec![(0, answer(500, ""))];
    for (change, error, times) in [
        (json!({ "url": "http://localhost/new" }), None, 2),
        (
            json!({ "enabled": false }),
            Some("the webhook is disabled"),
            1,
        ),
        (Value::Null, Some("the webhook was deleted"), 1),
    ] {
        let world = World::new(failing());
        let id = world.webhook(&json!({}));
        world.trigger(json!({ "action": "workflow_run_completed" }));
        tokio::time::sleep(Duration::from_secs(1)).await;
        if change.is_null() {
            assert!(world.emulator.remove(&id).unwrap());
        } else {
            assert!(world.emulator.edit(&id, &change).unwrap());
        }
        an_hour().await;
        assert_eq!(world.event()["last_error"].as_str(), error);
        assert_eq!(world.times().len(), times, "{change}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_wrong_trigger_is_refused_and_sends_nothing() {
    let world = World::new(Vec::new());
    let id = world.webhook(&json!({}));
    for wrong in [
        json!({}),
        json!({ "action": "workflow_run_failed" }),
        json!({ "action": "workflow_created", "more": 1 }),
        json!({ "action": "workflow_created", "data": [1] }),
        json!([]),
    ] {
        assert_eq!(world.trigger(wrong).0, 422);
    }
    assert_eq!(world.request("GET", "/sandbox/v1/trigger", "", None).0, 405);
    // As after a restart.
    let mut webhook = world.emulator.webhooks()[0].clone();
    webhook.id = "5eb7cf5a86d9755df3a6c593".to_owned();
    world.emulator.put(webhook.clone()).unwrap();
    let (status, answer) = world.trigger(json!({ "action": "workflow_run_completed" }));
    assert_eq!((status, &answer["webhooks"]), (409, &json!([webhook.id])));
    let (status, _) =
        world.trigger(json!({ "action": "workflow_run_completed", "webhooks": [id] }));
    assert_eq!(status, 200);
    world.emulator.give_token(&webhook.id, "another");
    let (status, _) = world.trigger(json!({ "action": "workflow_run_completed" }));
    assert_eq!(status, 200);
    an_hour().await;
    assert_eq!(world.times().len(), 3);
    let plain = Emulator::new(SandboxOptions::in_memory("key")).unwrap();
    let world = World {
        emulator: plain,
        ..world
    };
    assert_eq!(
        world
            .trigger(json!({ "action": "workflow_run_completed" }))
            .0,
        404,
        "an emulator without deliveries offers none"
    );
}
