//! The request that makes an event: `POST /sandbox/v1/trigger`. The API has no such route.

use std::io;
use std::sync::Arc;

use hyper::StatusCode;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::courier::launch;
use super::payload::{Happening, payload};
use super::row;
use crate::account::Shared;
use crate::contract::{ACTIONS, Webhook};

/// The path of the request.
pub(in super::super) const PATH: &str = "/sandbox/v1/trigger";

/// The body of the request.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Request {
    action: String,
    /// The ids of the webhooks that may receive the event. All if omitted.
    webhooks: Option<Vec<String>>,
    /// Changes of the payload.
    data: Option<Map<String, Value>>,
}

/// Makes an event for each enabled webhook that subscribes to the action, and starts its delivery. Requires a Tokio
/// runtime.
pub(in super::super) fn trigger(
    shared: &Arc<Shared>,
    body: Option<&Value>,
) -> io::Result<(StatusCode, Value)> {
    let Some(options) = &shared.delivery else {
        return Ok(problem(StatusCode::NOT_FOUND, "Not Found"));
    };
    let request = match body.map(Request::deserialize) {
        Some(Ok(request)) if ACTIONS.contains(&request.action.as_str()) => request,
        Some(Ok(_)) => {
            let known = ACTIONS.join("', '");
            let text = format!("action should be '{known}'");
            return Ok(problem(StatusCode::UNPROCESSABLE_ENTITY, &text));
        }
        Some(Err(error)) => {
            return Ok(problem(
                StatusCode::UNPROCESSABLE_ENTITY,
                &error.to_string(),
            ));
        }
        None => return Ok(problem(StatusCode::UNPROCESSABLE_ENTITY, "not JSON")),
    };
    let now = (options.now)();
    let made = {
        let mut state = shared.lock();
        state.store.refresh()?;
        let (receivers, skipped) = chosen(state.store.webhooks(), &request);
        let receivers: Vec<Webhook> = receivers.into_iter().cloned().collect();
        let without: Vec<&Webhook> = receivers
            .iter()
            .filter(|webhook| webhook.has_bearer_token && state.store.token(&webhook.id).is_none())
            .collect();
        if !without.is_empty() {
            let ids: Vec<&str> = without.iter().map(|webhook| webhook.id.as_str()).collect();
            let names: Vec<String> = without
                .iter()
                .map(|webhook| format!("'{}'", webhook.name))
                .collect();
            let text = format!(
                "the sandbox does not have the token of {}: it keeps tokens in memory only",
                names.join(", ")
            );
            let answer = json!({ "detail": text, "webhooks": ids });
            return Ok((StatusCode::CONFLICT, answer));
        }
        let run_id = state.store.draw_id(now);
        let happening = Happening {
            action: &request.action,
            at: now,
            run_id: &run_id,
        };
        let payload = payload(&happening, request.data.as_ref());
        let mut events = Vec::new();
        for webhook in &receivers {
            let id = state.store.draw_id(now);
            events.push(row::event(&id, webhook, &request.action, &payload, now));
        }
        state.store.add_events(events.clone())?;
        json!({ "events": events, "skipped": skipped })
    };
    let events = made.get("events").and_then(Value::as_array);
    for event in events.into_iter().flatten() {
        if let Some(event_id) = event.get("event_id").and_then(Value::as_str) {
            launch(shared, event_id);
        }
    }
    Ok((StatusCode::OK, made))
}

/// Returns the webhooks that receive an event, and the others with the reason.
fn chosen<'a>(
    webhooks: impl Iterator<Item = &'a Webhook>,
    request: &Request,
) -> (Vec<&'a Webhook>, Vec<Value>) {
    let mut receivers = Vec::new();
    let mut skipped = Vec::new();
    for webhook in webhooks {
        let is_named = |ids: &Vec<String>| ids.contains(&webhook.id);
        if !request.webhooks.as_ref().is_none_or(is_named) {
            continue;
        }
        let reason = if !webhook.actions.contains(&request.action) {
            "not_subscribed"
        } else if !webhook.enabled {
            "disabled"
        } else {
            receivers.push(webhook);
            continue;
        };
        skipped.push(json!({ "webhook": webhook.id, "reason": reason }));
    }
    (receivers, skipped)
}

fn problem(status: StatusCode, text: &str) -> (StatusCode, Value) {
    (status, json!({ "detail": text }))
}
