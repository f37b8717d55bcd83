//! Webhooks in the JSON of the API.
//!
//! An unreadable row must not hide the others: it often belongs to an unmanaged webhook, and if it were skipped, the
//! webhook would seem to be deleted. So its id and name are kept.

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use super::answer::Redactor;
use super::wire_error::WireError;
use hookctl_core::state::{FieldFlaw, ObservedWebhook, UnreadableWebhook};
use hookctl_core::webhook::{
    EndpointUrl, RemoteId, WebhookSpec, WorkflowAction, WorkflowActions, normal_name,
};

/// A row with every field of the contract. Unknown fields are ignored.
#[derive(Deserialize)]
struct Row {
    id: Option<String>,
    #[serde(rename = "_id")]
    document_id: Option<String>,
    name: String,
    url: String,
    actions: WorkflowActions,
    enabled: bool,
    has_bearer_token: bool,
    timeout_seconds: i64,
    max_retries: i64,
    retry_backoff_seconds: i64,
}

/// The maximum length of a text, in bytes: 32 times the documented maximum.
const TEXT_BYTES: usize = 64 * 1024;

/// The maximum length of a kept name that is too long, in characters. Declared names are shorter, so it cannot match one.
const NAME_KEPT: usize = 200;

impl Row {
    fn is_bounded(&self) -> bool {
        let texts = [self.name.as_str(), &self.url].into_iter();
        let mut texts = texts.chain(self.actions.iter().map(WorkflowAction::as_str));
        texts.all(|text| text.len() <= TEXT_BYTES)
    }
}

/// A test of the type of a value.
type Test = fn(&Value) -> bool;

/// The required fields of a row, with tests of their types.
const FIELDS: [(&str, Test); 8] = [
    ("name", Value::is_string),
    ("url", Value::is_string),
    ("actions", is_list_of_texts),
    ("enabled", Value::is_boolean),
    ("has_bearer_token", Value::is_boolean),
    ("timeout_seconds", Value::is_i64),
    ("max_retries", Value::is_i64),
    ("retry_backoff_seconds", Value::is_i64),
];

fn is_list_of_texts(value: &Value) -> bool {
    value
        .as_array()
        .is_some_and(|items| items.iter().all(Value::is_string))
}

/// Returns the length of the longest text in a value, in bytes.
fn longest(value: &Value) -> usize {
    match value {
        Value::String(text) => text.len(),
        Value::Array(items) => items.iter().map(longest).max().unwrap_or_default(),
        _ => 0,
    }
}

/// The readable and unreadable rows of a page.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Rows {
    pub(super) webhooks: Vec<ObservedWebhook>,
    pub(super) unreadable: Vec<UnreadableWebhook>,
}

/// Reads a list of rows.
///
/// # Errors
/// Returns [`WireError`] if a row has no usable id, since the webhook cannot be identified without one. An id that
/// contains a secret is not usable, since ids are shown and recorded.
pub(super) fn rows(list: &RawValue, redactor: &Redactor<'_>) -> Result<Rows, WireError> {
    // The common case avoids a tree of values, since a page has hundreds of rows.
    if let Ok(rows) = serde_json::from_str::<Vec<Row>>(list.get())
        && rows.iter().all(Row::is_bounded)
    {
        let webhooks = rows.into_iter().enumerate().map(|(index, row)| {
            let number = index + 1;
            webhook(row, redactor).map_err(|flaw| unusable(&format!("row {number}"), &flaw))
        });
        return Ok(Rows {
            webhooks: webhooks.collect::<Result<_, _>>()?,
            unreadable: Vec::new(),
        });
    }
    let list: Vec<&RawValue> = serde_json::from_str(list.get())
        .map_err(|_| WireError::NotAWebhook("the list is malformed".to_owned()))?;
    let mut rows = Rows::default();
    for (index, row) in list.into_iter().enumerate() {
        let place = format!("row {}", index + 1);
        match serde_json::from_str::<Row>(row.get()) {
            Ok(row) if row.is_bounded() => rows
                .webhooks
                .push(webhook(row, redactor).map_err(|flaw| unusable(&place, &flaw))?),
            _ => rows.unreadable.push(unreadable(&place, row, redactor)?),
        }
    }
    Ok(rows)
}

/// Reads the webhook in the response to a write.
///
/// # Errors
/// Returns [`WireError`] with the name of the field.
pub(super) fn written(text: &[u8], redactor: &Redactor<'_>) -> Result<ObservedWebhook, WireError> {
    match serde_json::from_slice::<Row>(text) {
        Ok(row) if row.is_bounded() => {
            webhook(row, redactor).map_err(|flaw| unusable("the answer", &flaw))
        }
        Err(_) if serde_json::from_slice::<IgnoredAny>(text).is_err() => Err(WireError::NotJson),
        _ => {
            let row: &RawValue = serde_json::from_slice(text).map_err(|_| WireError::NotJson)?;
            let unreadable = unreadable("the answer", row, redactor)?;
            Err(WireError::NotAWebhook(unreadable.to_string()))
        }
    }
}

fn webhook(row: Row, redactor: &Redactor<'_>) -> Result<ObservedWebhook, String> {
    let id = row.id.or(row.document_id);
    Ok(ObservedWebhook {
        id: parsed_id(id.as_deref(), redactor)
            .map_err(|flaw| named(Some(&row.name), &flaw, redactor))?,
        spec: WebhookSpec {
            name: row.name,
            url: EndpointUrl::from_remote(row.url),
            actions: row.actions,
            enabled: row.enabled,
            timeout_seconds: row.timeout_seconds,
            max_retries: row.max_retries,
            retry_backoff_seconds: row.retry_backoff_seconds,
        },
        has_bearer_token: row.has_bearer_token,
    })
}

/// Reads the id, name, and flaw of a row that does not match the documentation.
fn unreadable(
    place: &str,
    row: &RawValue,
    redactor: &Redactor<'_>,
) -> Result<UnreadableWebhook, WireError> {
    let row: Map<String, Value> = serde_json::from_str(row.get())
        .map_err(|_| WireError::NotAWebhook(format!("{place} is not an object")))?;
    let text = |name: &str| row.get(name).and_then(Value::as_str);
    let name = text("name");
    let id = parsed_id(text("id").or_else(|| text("_id")), redactor)
        .map_err(|flaw| unusable(place, &named(name, &flaw, redactor)))?;
    let flawed = FIELDS.iter().find_map(|(field, is_right)| {
        match row.get(*field) {
            None => Some(FieldFlaw::Missing),
            Some(value) if !is_right(value) => Some(FieldFlaw::WrongType),
            Some(value) if longest(value) > TEXT_BYTES => Some(FieldFlaw::TooLong),
            Some(_) => None,
        }
        .map(|flaw| (*field, flaw))
    });
    // Otherwise there is an `id` and an `_id` of another type, or a duplicate field, which may be the name.
    let name = name.filter(|_| flawed.is_some());
    let (field, flaw) = flawed.unwrap_or(("id", FieldFlaw::WrongType));
    Ok(UnreadableWebhook {
        id,
        name: name.map(|name| kept(name, redactor)),
        field,
        flaw,
    })
}

/// Returns a name, shortened if it cannot match a declared one.
fn kept(name: &str, redactor: &Redactor<'_>) -> String {
    if name.len() <= TEXT_BYTES {
        return name.to_owned();
    }
    // Before truncation, since a truncated secret is not found.
    let name = normal_name(name);
    redactor.masked(&name).chars().take(NAME_KEPT).collect()
}

fn parsed_id(id: Option<&str>, redactor: &Redactor<'_>) -> Result<RemoteId, String> {
    let id = id.ok_or_else(|| "it has no usable `id`".to_owned())?;
    let parsed = RemoteId::parse(id);
    let parsed = parsed.map_err(|error| format!("its `id` is unusable: {error}"))?;
    if redactor.finds_in(id) {
        return Err("its `id` is unusable: it contains a secret".to_owned());
    }
    Ok(parsed)
}

fn named(name: Option<&str>, flaw: &str, redactor: &Redactor<'_>) -> String {
    name.map_or_else(
        || flaw.to_owned(),
        |name| format!("{:?}: {flaw}", redactor.clean(name, 60)),
    )
}

fn unusable(place: &str, flaw: &str) -> WireError {
    WireError::NotAWebhook(format!("{place}: {flaw}"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn row(id: &str) -> Value {
        json!({
            "id": id, "name": "Billing", "url": "https://a.example/x", "actions": ["workflow_created"],
            "enabled": true, "has_bearer_token": false, "timeout_seconds": 10, "max_retries": 3,
            "retry_backoff_seconds": 10
        })
    }

    fn with(field: &str, value: Option<Value>) -> Value {
        let mut row = row("odd");
        let fields = row.as_object_mut().unwrap();
        match value {
            Some(value) => fields.insert(field.to_owned(), value),
            None => fields.remove(field),
        };
        row
    }

    fn read(list: &Value) -> Result<Rows, WireError> {
        rows(
            &serde_json::value::to_raw_value(list).unwrap(),
            &Redactor::new(["the-api-key"]),
        )
    }

    #[test]
    fn any_odd_field_but_the_id_leaves_the_other_rows_readable() {
        let wrong = [
            ("name", json!(7)),
            ("url", json!(null)),
            ("actions", json!([1])),
            ("enabled", json!("yes")),
            ("has_bearer_token", json!(0)),
            ("timeout_seconds", json!(1.5)),
            ("max_retries", json!("hunter2")),
            ("retry_backoff_seconds", json!({})),
        ];
        for (field, value) in wrong {
            for (value, flaw) in [
                (Some(value), FieldFlaw::WrongType),
                (None, FieldFlaw::Missing),
            ] {
                let read = read(&json!([row("a"), with(field, value), row("b")])).unwrap();
                let ids: Vec<_> = read.webhooks.iter().map(|one| one.id.as_str()).collect();
                assert_eq!(ids, ["a", "b"]);
                let name = (field != "name").then(|| "Billing".to_owned());
                let id = RemoteId::parse("odd").unwrap();
                let expected = UnreadableWebhook {
                    id,
                    name,
                    field,
                    flaw,
                };
                assert_eq!(read.unreadable, [expected]);
            }
        }
    }

    #[test]
    fn a_text_that_is_far_too_long_is_not_kept() {
        let long = "x".repeat(TEXT_BYTES + 1);
        for (field, value) in [
            ("name", json!(long)),
            ("url", json!(long)),
            ("actions", json!(["workflow_created", long])),
        ] {
            let read = read(&json!([row("a"), with(field, Some(value))])).unwrap();
            assert_eq!(read.webhooks.len(), 1);
            let odd = read.unreadable.first().unwrap();
            assert_eq!((odd.field, odd.flaw), (field, FieldFlaw::TooLong));
            assert!(odd.name.as_ref().unwrap().len() <= NAME_KEPT);
        }
        let spaced = format!("{long}{}", " ".repeat(9)).replace('x', " ") + "Billing";
        let read = read(&json!([with("name", Some(json!(spaced)))])).unwrap();
        let odd = read.unreadable.first().unwrap();
        assert_eq!(
            odd.name.as_deref(),
            Some("Billing"),
            "as names are compared"
        );
        let fits = "x".repeat(TEXT_BYTES);
        let read = super::rows(
            &serde_json::value::to_raw_value(&json!([with("url", Some(json!(fits)))])).unwrap(),
            &Redactor::new([]),
        );
        assert_eq!(read.unwrap().webhooks.len(), 1);
    }

    #[test]
    fn a_row_without_a_usable_id_is_named_by_its_place_and_name() {
        for row in [with("id", None), with("id", Some(json!(7)))] {
            let error = read(&json!([row])).unwrap_err().to_string();
            assert_eq!(
                error,
                "it contains an invalid webhook: row 1: \"Billing\": it has no usable `id`"
            );
        }
        let error = read(&json!([row("a"), 7])).unwrap_err().to_string();
        assert!(error.ends_with("row 2 is not an object"), "{error}");
    }

    #[test]
    fn an_answer_to_a_write_names_the_field_and_shows_no_value() {
        let read = |row: &Value| {
            let redactor = Redactor::new(["the-api-key"]);
            let read = written(row.to_string().as_bytes(), &redactor);
            read.unwrap_err().to_string()
        };
        assert_eq!(
            read(&with("url", None)),
            "it contains an invalid webhook: webhook odd (\"Billing\"): `url` is missing"
        );
        let wrong = read(&with("timeout_seconds", Some(json!("hunter2"))));
        assert!(
            wrong.ends_with("`timeout_seconds` has the wrong type"),
            "{wrong}"
        );
        assert_eq!(
            written(b"<html>", &Redactor::new([])),
            Err(WireError::NotJson)
        );
    }

    #[test]
    fn an_id_that_holds_a_secret_is_no_id() {
        let name = format!("{} the-api-key", "x".repeat(50));
        for odd in [None, Some(("url", json!(7)))] {
            let mut secret = row("a_THE-API-KEY_b");
            let fields = secret.as_object_mut().unwrap();
            fields.insert("name".to_owned(), json!(name));
            fields.extend(odd.map(|(field, value)| (field.to_owned(), value)));
            let listed = read(&json!([row("a"), secret])).unwrap_err().to_string();
            let redactor = Redactor::new(["the-api-key"]);
            let answered = written(secret.to_string().as_bytes(), &redactor);
            for error in [listed, answered.unwrap_err().to_string()] {
                assert!(
                    error.ends_with("`id` is unusable: it contains a secret"),
                    "{error}"
                );
                assert!(!error.contains("the-"), "{error}");
            }
        }
    }
}
