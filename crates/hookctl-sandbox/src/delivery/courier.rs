//! The task of a delivery: sends an event until it is delivered or no attempt is left, and records each attempt.

use std::sync::{Arc, Weak};

use serde_json::Value;
use tokio::time::Instant;

use super::options::{DeliveryOptions, Outcome, Shipment};
use super::row::Ended;
use super::schedule::{Next, Timing, next};
use crate::account::{Shared, State};

/// Starts the delivery of an event. An earlier task of the event ends before its next attempt. Requires a Tokio runtime.
pub(in super::super) fn launch(shared: &Arc<Shared>, event_id: &str) {
    let claim = {
        let mut state = shared.lock();
        state.claimed += 1;
        let claim = state.claimed;
        state.claims.insert(event_id.to_owned(), claim);
        claim
    };
    let courier = Courier {
        shared: Arc::downgrade(shared),
        event_id: event_id.to_owned(),
        claim,
    };
    tokio::spawn(courier.deliver());
}

/// Continues the deliveries that an earlier process left pending.
pub(in super::super) fn resume(shared: &Arc<Shared>) {
    if !shared.delivery.as_ref().is_some_and(|own| own.resumes) {
        return;
    }
    let open: Vec<String> = {
        let state = shared.lock();
        let events = state.store.events().iter();
        let open = events.filter(|event| {
            let status = event.get("status").and_then(Value::as_str);
            matches!(status, Some("pending" | "retrying"))
        });
        open.filter_map(|event| event.get("event_id").and_then(Value::as_str))
            .map(str::to_owned)
            .collect()
    };
    for event_id in open {
        launch(shared, &event_id);
    }
}

struct Courier {
    shared: Weak<Shared>,
    event_id: String,
    claim: u64,
}

/// The next attempt of an event.
struct Attempt {
    shipment: Result<Shipment, String>,
    url: String,
    token: Option<String>,
    timing: Timing,
    /// The attempts before this one, since the event was last requested.
    before: u64,
}

impl Courier {
    async fn deliver(self) {
        // Nothing keeps the account alive during a pause.
        while let Some(shared) = self.shared.upgrade() {
            let Some(options) = shared.delivery.clone() else {
                return;
            };
            // Never closed.
            let Ok(permit) = shared.sending.acquire().await else {
                return;
            };
            let Some(attempt) = self.prepare(&shared, &options) else {
                return;
            };
            let (began, instant) = ((options.now)(), Instant::now());
            let (outcome, latency) = match &attempt.shipment {
                Ok(shipment) => {
                    let outcome = options.sender.send(shipment).await;
                    let sent = !matches!(outcome, Outcome::NotSent { .. });
                    (outcome, sent.then(|| instant.elapsed()))
                }
                Err(error) => {
                    let error = error.clone();
                    (Outcome::NotSent { error }, None)
                }
            };
            let tries = attempt.before + 1;
            let next = next(attempt.timing, tries, &outcome, (options.chance)());
            let ended = Ended {
                number: 0,
                url: &attempt.url,
                token: attempt.token.as_deref(),
                began,
                at: (options.now)(),
                latency_ms: latency.and_then(|time| u64::try_from(time.as_millis()).ok()),
                outcome: &outcome,
                next,
            };
            let recorded = self.record(&shared, ended);
            drop(permit);
            drop(shared);
            match (next, recorded) {
                (Next::Retry(pause), Ok(true)) => tokio::time::sleep(pause).await,
                _ => break,
            }
        }
        if let Some(shared) = self.shared.upgrade() {
            let mut state = shared.lock();
            if state.claims.get(&self.event_id) == Some(&self.claim) {
                state.claims.remove(&self.event_id);
            }
        }
    }

    /// Returns the next attempt. `None` if another task delivers the event, or if it was removed.
    fn prepare(&self, shared: &Shared, options: &DeliveryOptions) -> Option<Attempt> {
        let mut state = shared.lock();
        // A file that cannot be read now is written again below, which reports the error.
        let _ = state.store.refresh();
        if state.claims.get(&self.event_id) != Some(&self.claim) {
            return None;
        }
        let event = event(&state, &self.event_id)?;
        let text = |name: &str| event.get(name).and_then(Value::as_str);
        let count = event.get("attempts_count").and_then(Value::as_u64);
        let before = count
            .unwrap_or(0)
            .saturating_sub(state.store.spent(&self.event_id));
        let id = text("subscription_id")?;
        let body = event.get("payload").map(Value::to_string);
        let mut webhooks = state.store.webhooks();
        let Some(webhook) = webhooks.find(|webhook| webhook.id == id) else {
            return Some(Attempt {
                shipment: Err("the webhook was deleted".to_owned()),
                url: String::new(),
                token: None,
                timing: Timing {
                    timeout: std::time::Duration::ZERO,
                    max_retries: 0,
                    base: std::time::Duration::ZERO,
                },
                before,
            });
        };
        let timing = Timing::of(webhook, options.retry_delay);
        let token = state.store.token(id).map(str::to_owned);
        let address = options.destinations.address(&webhook.url);
        let shipment = match &address {
            _ if !webhook.enabled => Err("the webhook is disabled".to_owned()),
            Err(refusal) => Err(refusal.to_string()),
            Ok(_) if webhook.has_bearer_token && token.is_none() => Err(
                "the sandbox does not have the token: it keeps tokens in memory only".to_owned(),
            ),
            Ok(url) => Ok(Shipment {
                url: url.to_string(),
                token: token.clone(),
                body: body.unwrap_or_default().into_bytes(),
                timeout: timing.timeout,
            }),
        };
        Some(Attempt {
            // The declared address also if the request is forwarded: a receiver stands in for it.
            url: webhook.url.clone(),
            shipment,
            token,
            timing,
            before,
        })
    }

    /// Records an attempt. Returns whether this task continues.
    fn record(&self, shared: &Shared, mut ended: Ended<'_>) -> std::io::Result<bool> {
        let mut state = shared.lock();
        let is_current = state.claims.get(&self.event_id) == Some(&self.claim);
        let id = state.store.draw_id(ended.at);
        state.store.record_attempt(&self.event_id, |event| {
            let count = event.get("attempts_count").and_then(Value::as_u64);
            ended.number = count.unwrap_or(0) + 1;
            let attempt = ended.attempt(&id, event);
            if let Some(event) = event.as_object_mut() {
                let status = event.get("status").cloned();
                ended.update(event);
                // A newer task decides what becomes of the event.
                if let (false, Some(status)) = (is_current, status) {
                    event.insert("status".to_owned(), status);
                }
            }
            attempt
        })?;
        Ok(is_current)
    }
}

fn event<'a>(state: &'a State, event_id: &str) -> Option<&'a Value> {
    let mut events = state.store.events().iter();
    events.find(|event| event.get("event_id").and_then(Value::as_str) == Some(event_id))
}
