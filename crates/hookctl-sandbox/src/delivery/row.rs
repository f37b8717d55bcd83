//! Events and attempts in the JSON of the API. Pure.

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::options::Outcome;
use super::payload::{TEAM, time};
use super::schedule::{Next, is_success};
use crate::contract::Webhook;

/// The maximum length of a text from a receiver, in characters.
const LONGEST_TEXT: usize = 2_000;

/// Returns the event of a webhook, before its first attempt.
pub(super) fn event(
    id: &str,
    webhook: &Webhook,
    action: &str,
    payload: &Value,
    at: Timestamp,
) -> Value {
    let text = |pointer: &str| payload.pointer(pointer).and_then(Value::as_str);
    let (workflow, run) = (text("/workflow/id"), text("/run/id"));
    let about = run.or(workflow).unwrap_or(id);
    json!({
        "_id": id,
        "event_id": format!("evt_{id}"),
        "subscription_id": webhook.id,
        "action": action,
        "team_id": TEAM,
        "created_by": TEAM,
        "updated_by": TEAM,
        "created_at": time(at),
        "updated_at": time(at),
        "workflow_id": workflow,
        "workflow_name": text("/workflow/name"),
        "workflow_run_id": run,
        "workflow_run_status": text("/run/status"),
        "payload": payload,
        "dedupe_key": format!("{action}:{about}:{}", webhook.id),
        "status": "pending",
        "attempts_count": 0,
        "next_retry_at": null,
        "delivered_at": null,
        "last_attempt_at": null,
        "last_status_code": null,
        "last_error": null,
    })
}

/// An attempt that ended.
#[derive(Clone, Debug)]
pub(super) struct Ended<'a> {
    pub(super) number: u64,
    pub(super) url: &'a str,
    /// The token, which is masked in the texts of the receiver.
    pub(super) token: Option<&'a str>,
    pub(super) began: Timestamp,
    pub(super) at: Timestamp,
    pub(super) latency_ms: Option<u64>,
    pub(super) outcome: &'a Outcome,
    pub(super) next: Next,
}

impl Ended<'_> {
    fn status(&self) -> Option<u16> {
        match self.outcome {
            Outcome::Answered { status, .. } => Some(*status),
            Outcome::Unanswered { .. } | Outcome::NotSent { .. } => None,
        }
    }

    fn error(&self) -> Option<String> {
        match self.outcome {
            _ if is_success(self.outcome) => None,
            Outcome::Answered { status, .. } => {
                Some(format!("the receiver responded with {status}"))
            }
            Outcome::Unanswered { error } | Outcome::NotSent { error } => Some(self.shown(error)),
        }
    }

    /// Returns a text of the receiver with a limited length, and without the token.
    fn shown(&self, text: &str) -> String {
        let text = match self.token {
            Some(token) if !token.is_empty() => text.replace(token, "***"),
            _ => text.to_owned(),
        };
        text.chars().take(LONGEST_TEXT).collect()
    }

    /// Returns the attempt in the JSON of the API.
    pub(super) fn attempt(&self, id: &str, event: &Value) -> Value {
        let body = match self.outcome {
            Outcome::Answered { body, .. } => Some(self.shown(body)),
            Outcome::Unanswered { .. } | Outcome::NotSent { .. } => None,
        };
        json!({
            "_id": id,
            "event_id": event.get("event_id"),
            "subscription_id": event.get("subscription_id"),
            "attempt_number": self.number,
            "action": event.get("action"),
            "team_id": TEAM,
            "created_by": TEAM,
            "updated_by": TEAM,
            "created_at": time(self.began),
            "updated_at": time(self.at),
            "request_url": self.url,
            "success": is_success(self.outcome),
            "response_status_code": self.status(),
            "latency_ms": self.latency_ms,
            "response_body": body,
            "error_message": self.error(),
        })
    }

    /// Updates the event.
    pub(super) fn update(&self, event: &mut Map<String, Value>) {
        let retry_at = |pause| self.at.checked_add(pause).ok().map(time);
        let (status, next) = match self.next {
            Next::Delivered => ("delivered", None),
            Next::Failed => ("failed", None),
            Next::Retry(pause) => ("retrying", retry_at(pause)),
        };
        let is_delivered = self.next == Next::Delivered;
        let mut set = |name: &str, value: Value| event.insert(name.to_owned(), value);
        set("status", json!(status));
        set("attempts_count", json!(self.number));
        set("updated_at", json!(time(self.at)));
        set("last_attempt_at", json!(time(self.began)));
        set("next_retry_at", json!(next));
        set("last_status_code", json!(self.status()));
        set("last_error", json!(self.error()));
        set("delivered_at", json!(is_delivered.then(|| time(self.at))));
    }
}
