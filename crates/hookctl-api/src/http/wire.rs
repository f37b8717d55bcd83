//! Responses in the JSON of the API.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use super::answer::Redactor;
use super::row::{self, Rows};
use super::wire_error::WireError;
use crate::{DeleteAnswer, Page};

/// The possible names of the list, since its name is not documented.
const LIST_NAMES: [&str; 5] = [
    "subscriptions",
    "webhooks",
    "workflow_webhooks",
    "items",
    "data",
];

/// Reads a page of the list, with any envelope. Rows are read in place, without a tree of values, since a page has hundreds
/// of them.
pub(super) fn page(text: &[u8], redactor: &Redactor<'_>) -> Result<Page, WireError> {
    let bytes = text.len();
    let text = std::str::from_utf8(text).map_err(|_| WireError::NotJson)?;
    let (rows, total) = if text.trim_ascii_start().starts_with('{') {
        let envelope: Envelope<'_> = json(text)?;
        let total = match envelope.get("total").map(|total| total.get()) {
            None | Some("null") => None,
            Some(total) => Some(serde_json::from_str(total).map_err(|_| WireError::Total)?),
        };
        let rows = list(&envelope, redactor)?;
        if envelope.contains_key("error") && is_empty_list(rows) {
            return Err(WireError::Failed);
        }
        (rows, total)
    } else {
        let answer: &RawValue = json(text)?;
        if !is_list(answer) {
            return Err(WireError::NoList("a single value".to_owned()));
        }
        (answer, None)
    };
    let Rows {
        webhooks,
        unreadable,
    } = row::rows(rows, redactor)?;
    Ok(Page {
        webhooks,
        unreadable,
        total,
        bytes,
    })
}

/// What paging needs of a page: the number of rows, and the total. Reads nothing else of it. Returns `None` if the page
/// cannot be read, which reading it will tell.
pub(super) fn extent(text: &[u8]) -> Option<(usize, Option<u64>)> {
    let text = std::str::from_utf8(text).ok()?;
    let envelope: Envelope<'_> = json(text).ok()?;
    let total = envelope.get("total")?;
    let total = serde_json::from_str(total.get()).ok()?;
    let rows: Vec<serde::de::IgnoredAny> = serde_json::from_str(the_list(&envelope)?.get()).ok()?;
    Some((rows.len(), total))
}

type Envelope<'text> = BTreeMap<String, &'text RawValue>;

fn json<'text, T: Deserialize<'text>>(text: &'text str) -> Result<T, WireError> {
    serde_json::from_str(text).map_err(|_| WireError::NotJson)
}

fn is_list(value: &RawValue) -> bool {
    value.get().starts_with('[')
}

fn is_empty_list(value: &RawValue) -> bool {
    serde_json::from_str::<Vec<serde::de::IgnoredAny>>(value.get())
        .is_ok_and(|rows| rows.is_empty())
}

fn list<'text>(
    envelope: &Envelope<'text>,
    redactor: &Redactor<'_>,
) -> Result<&'text RawValue, WireError> {
    match the_list(envelope) {
        Some(list) => Ok(list),
        None if envelope.is_empty() => Err(WireError::NoList("an empty object".to_owned())),
        None => {
            let seen: Vec<_> = envelope
                .keys()
                .take(8)
                .map(|key| format!("'{}'", redactor.clean(key, 60)))
                .collect();
            Err(WireError::NoList(seen.join(", ")))
        }
    }
}

/// Returns the list by its name, or the only one.
fn the_list<'text>(envelope: &Envelope<'text>) -> Option<&'text RawValue> {
    let named = LIST_NAMES
        .into_iter()
        .filter_map(|name| envelope.get(name).copied())
        .find(|value| is_list(value));
    let mut lists = envelope.values().copied().filter(|value| is_list(value));
    match (named, lists.next(), lists.next()) {
        (Some(list), ..) | (None, Some(list), None) => Some(list),
        _ => None,
    }
}

/// Reads the response to a DELETE: empty, or an object that is not an error. Its content is not documented.
pub(super) fn deleted(text: &[u8]) -> DeleteAnswer {
    if text.iter().all(u8::is_ascii_whitespace) {
        return DeleteAnswer::Done;
    }
    let answer = serde_json::from_slice::<Map<String, Value>>(text);
    let is_error = |answer: &Map<String, Value>| {
        ["error", "detail"]
            .iter()
            .any(|name| answer.contains_key(*name))
    };
    match answer {
        Ok(answer) if !answer.is_empty() && !is_error(&answer) => DeleteAnswer::Done,
        Ok(_) | Err(_) => DeleteAnswer::Unclear,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn row(id_field: &str) -> Value {
        json!({
            id_field: "5eb7cf5a86d9755df3a6c593", "name": "Billing", "url": "https://a.example/x",
            "actions": ["workflow_created", "zebra"], "enabled": true, "has_bearer_token": false,
            "timeout_seconds": 10, "max_retries": 3, "retry_backoff_seconds": 10, "later": [1]
        })
    }

    fn read(answer: &Value) -> Result<(usize, Option<u64>), WireError> {
        page(answer.to_string().as_bytes(), &Redactor::new([]))
            .map(|page| (page.webhooks.len(), page.total))
    }

    #[test]
    fn an_answer_to_a_delete_is_nothing_or_an_object_that_is_no_error() {
        for done in ["", " \n", r#"{"success":true}"#, r#"{"message":"deleted"}"#] {
            assert_eq!(deleted(done.as_bytes()), DeleteAnswer::Done, "{done}");
        }
        for unclear in [
            "<html>",
            "[]",
            "null",
            "{}",
            r#"{"error":"busy"}"#,
            r#"{"detail":"no"}"#,
            "{",
        ] {
            assert_eq!(
                deleted(unclear.as_bytes()),
                DeleteAnswer::Unclear,
                "{unclear}"
            );
        }
    }

    #[test]
    fn every_envelope_that_could_be_is_read() {
        for name in LIST_NAMES {
            assert_eq!(
                read(&json!({ name: [row("id")], "total": 1 })),
                Ok((1, Some(1)))
            );
        }
        assert_eq!(read(&json!([row("_id")])), Ok((1, None)));
        assert_eq!(
            read(&json!({ "hooks": [row("id")], "total": null })),
            Ok((1, None))
        );
        assert_eq!(read(&json!({ "webhooks": [], "other": [] })), Ok((0, None)));
    }

    #[test]
    fn a_list_whose_total_is_no_whole_number_or_that_holds_an_error_decides_nothing() {
        for total in ["\"2\"", "-1", "1e400", "1.5", "true", "{}"] {
            let text = format!(r#"{{"subscriptions": [], "total": {total}}}"#);
            assert_eq!(
                page(text.as_bytes(), &Redactor::new([])),
                Err(WireError::Total),
                "{total}"
            );
        }
        let failed = json!({ "data": [], "error": "upstream timed out" });
        assert_eq!(read(&failed), Err(WireError::Failed));
        let beside = json!({ "data": [row("id")], "error": "one shard is slow" });
        assert_eq!(read(&beside), Ok((1, None)));
    }

    #[test]
    fn what_holds_no_list_is_never_an_empty_list() {
        let error = |answer: &Value| read(answer).unwrap_err().to_string();
        assert_eq!(
            error(&json!({})),
            "it contains no list of webhooks, only an empty object"
        );
        assert_eq!(
            error(&json!({ "message": "ok", "total": 0 })),
            "it contains no list of webhooks, only 'message', 'total'"
        );
        assert_eq!(
            error(&json!({ "a": [], "b": [] })),
            "it contains no list of webhooks, only 'a', 'b'"
        );
        assert_eq!(
            error(&json!("x")),
            "it contains no list of webhooks, only a single value"
        );
        assert_eq!(page(b"<html>", &Redactor::new([])), Err(WireError::NotJson));
    }
}
