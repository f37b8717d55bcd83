//! Descriptions of how two entries of a plan document differ.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::webhook::Key;

/// Returns the entry of a key in a plan document.
pub(super) fn shown<'a>(document: &'a Value, key: &Key) -> Option<&'a Value> {
    document
        .get("actions")?
        .as_array()?
        .iter()
        .find(|entry| entry.get("key").and_then(Value::as_str) == Some(key.as_str()))
}

/// Returns the action of an entry.
pub(super) fn action(entry: &Value) -> &str {
    entry
        .get("action")
        .and_then(Value::as_str)
        .unwrap_or("act on")
}

/// Describes how two entries of a key differ.
pub(super) fn difference(then: Option<&Value>, now: Option<&Value>) -> String {
    let (Some(then), Some(now)) = (then, now) else {
        return "the planned action differs".to_owned();
    };
    if action(then) != action(now) {
        return format!("the plan says to {} it, now {}", action(then), action(now));
    }
    let (then, now) = (changes(then), changes(now));
    let fields: BTreeSet<&str> = then.keys().chain(now.keys()).copied().collect();
    let differing: Vec<String> = fields
        .into_iter()
        .filter(|field| then.get(field) != now.get(field))
        .map(|field| {
            let say = |side: &BTreeMap<&str, String>| {
                side.get(field)
                    .cloned()
                    .unwrap_or_else(|| "unchanged".to_owned())
            };
            format!("{field}: the plan says {}, now {}", say(&then), say(&now))
        })
        .collect();
    if differing.is_empty() {
        "something outside the change differs: another field at the API, the token's value, or the \
         record"
            .to_owned()
    } else {
        differing.join("; ")
    }
}

fn changes(entry: &Value) -> BTreeMap<&str, String> {
    let changes = entry.get("changes").and_then(Value::as_array);
    changes
        .into_iter()
        .flatten()
        .filter_map(|change| {
            let field = change.get("field")?.as_str()?;
            Some((
                field,
                format!("{} -> {}", change.get("from")?, change.get("to")?),
            ))
        })
        .collect()
}
