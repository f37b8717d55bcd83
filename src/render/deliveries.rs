//! Events and attempts, as text and as JSON.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::style::Screen;
use super::table::table;
use crate::outside::json;
use crate::remote::{Attempt, Event, Rows};
use crate::webhook::Key;

/// Renders a list of events as text. `keys` maps ids of webhooks to their keys.
pub fn events(read: &Rows<Event>, keys: &BTreeMap<&str, &Key>, screen: &Screen) -> String {
    if read.rows.is_empty() {
        return "No events.\n".to_owned();
    }
    let newest = read.rows.first();
    let when = screen.head_of_times("when", newest.and_then(|event| event.created_at.as_deref()));
    let rows = read.rows.iter().map(|event| {
        let who = keys
            .get(event.webhook.as_str())
            .map_or(event.webhook.as_str(), |key| key.as_str());
        vec![
            screen.cell_of_time(&when, event.created_at.as_deref()),
            event.status.clone(),
            who.to_owned(),
            event.action.clone(),
            event
                .last_status_code
                .map_or_else(String::new, |code| code.to_string()),
            event
                .attempts
                .map_or_else(String::new, |count| count.to_string()),
            event.event_id.clone(),
        ]
    });
    let mut text = table(
        &[
            &when, "status", "webhook", "action", "code", "tries", "event",
        ],
        &rows.collect::<Vec<_>>(),
        screen.columns,
        &screen.styles,
        |_| anstyle::Style::new(),
    );
    let shown = read.rows.len() as u64;
    if let Some(total) = read.total.filter(|total| *total > shown) {
        text += &format!("{shown} of {total}; --limit shows more\n");
    }
    text
}

/// Renders a list of events as a JSON document.
pub fn events_json(read: &Rows<Event>, keys: &BTreeMap<&str, &Key>) -> String {
    let rows: Vec<Value> = read
        .rows
        .iter()
        .map(|event| {
            let mut row = json!(event);
            if let Some(row) = row.as_object_mut() {
                let key = keys.get(event.webhook.as_str()).map(|key| key.as_str());
                row.insert("key".to_owned(), json!(key));
            }
            row
        })
        .collect();
    let document = json!({ "format_version": "1", "events": rows, "total": read.total });
    json::text(&document)
}

/// Renders a list of attempts as text.
pub fn attempts(rows: &[Attempt], screen: &Screen) -> String {
    if rows.is_empty() {
        return "No attempts.\n".to_owned();
    }
    let first = rows.first();
    let when = screen.head_of_times("when", first.and_then(|one| one.created_at.as_deref()));
    let lines = rows.iter().map(|attempt| {
        vec![
            attempt.attempt_number.to_string(),
            screen.cell_of_time(&when, attempt.created_at.as_deref()),
            if attempt.success {
                "delivered"
            } else {
                "failed"
            }
            .to_owned(),
            attempt
                .response_status_code
                .map_or_else(String::new, |code| code.to_string()),
            attempt
                .latency_ms
                .map_or_else(String::new, |time| format!("{time} ms")),
            attempt.error_message.clone().unwrap_or_default(),
        ]
    });
    table(
        &["try", &when, "result", "code", "took", "error"],
        &lines.collect::<Vec<_>>(),
        screen.columns,
        &screen.styles,
        |_| anstyle::Style::new(),
    )
}

/// Renders a list of attempts as a JSON document.
pub fn attempts_json(rows: &[Attempt]) -> String {
    let document = json!({ "format_version": "1", "attempts": rows });
    json::text(&document)
}
