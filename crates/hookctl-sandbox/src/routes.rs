//! Routes of the documented contract: the effect and the response of each request.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

use hyper::StatusCode;
use serde::Serialize;
use serde_json::{Value, json};

use super::account::{Shared, State};
use super::contract::{self, Changes, Problem, Webhook};
use super::delivery;
use super::options::{Dialect, ListName};
use super::parameters;
use super::request::RecordedRequest;

const COLLECTION: &str = "/workflows/v1/workflow-webhooks";

/// The status and body of a response.
type Answer = (StatusCode, Vec<u8>);

/// Processes a request. `too_large` is whether its body exceeded the limit.
pub(super) fn process(shared: &Arc<Shared>, request: &RecordedRequest, too_large: bool) -> Answer {
    if !request.authorized {
        return detail(StatusCode::UNAUTHORIZED, "Invalid or missing API key");
    }
    if too_large {
        return detail(StatusCode::PAYLOAD_TOO_LARGE, "Request body too large");
    }
    if request.path == delivery::PATH {
        return triggered(shared, request);
    }
    let Some(rest) = request.path.strip_prefix(COLLECTION) else {
        return detail(StatusCode::NOT_FOUND, "Not Found");
    };
    let parts: Vec<&str> = rest.split('/').filter(|part| !part.is_empty()).collect();
    let is_route = matches!(
        (request.method.as_str(), parts.as_slice()),
        ("GET", [] | ["events"] | ["events", _, "attempts"])
            | ("POST", [] | ["events", _, "retry"])
            | ("PATCH" | "DELETE", [_])
    );
    if is_route && let Err(problems) = parameters::check(&request.method, &parts, &request.query) {
        return invalid(&problems);
    }
    let retried = (request.method == "POST")
        .then(|| parts.get(1).copied())
        .flatten();
    let mut state = shared.lock();
    if let Err(error) = state.store.refresh() {
        return storage_error(&error);
    }
    let dialect = shared.dialect;
    let answer = match (request.method.as_str(), parts.as_slice()) {
        ("GET", []) => Ok(list(&state, request, dialect)),
        ("POST", []) => create(&mut state, request, dialect),
        ("GET", ["events"]) => Ok(events(&state, request)),
        ("GET", ["events", event_id, "attempts"]) => Ok(attempts(&state, request, event_id)),
        ("POST", ["events", document_id, "retry"]) => retry(&mut state, document_id),
        ("PATCH", [id]) => update(&mut state, request, id, dialect),
        ("DELETE", [id]) => delete(&mut state, id, dialect),
        (_, [] | [_] | ["events", _, "attempts" | "retry"]) => {
            Ok(detail(StatusCode::METHOD_NOT_ALLOWED, "Method Not Allowed"))
        }
        _ => Ok(detail(StatusCode::NOT_FOUND, "Not Found")),
    };
    drop(state);
    if let (Some(document_id), Ok((StatusCode::OK, _))) = (retried, &answer) {
        launch(shared, document_id);
    }
    answer.unwrap_or_else(|error: io::Error| storage_error(&error))
}

fn storage_error(error: &io::Error) -> Answer {
    detail(
        StatusCode::INTERNAL_SERVER_ERROR,
        &format!("The sandbox could not use its file: {error}"),
    )
}

/// Makes an event. The API has no such route.
fn triggered(shared: &Arc<Shared>, request: &RecordedRequest) -> Answer {
    if request.method != "POST" {
        return detail(StatusCode::METHOD_NOT_ALLOWED, "Method Not Allowed");
    }
    match delivery::trigger(shared, request.body.as_ref()) {
        Ok((status, answer)) => json(status, &answer),
        Err(error) => storage_error(&error),
    }
}

/// Starts the delivery of an event that was requested again, if events are delivered.
fn launch(shared: &Arc<Shared>, document_id: &str) {
    if shared.delivery.is_none() {
        return;
    }
    let event_id = {
        let state = shared.lock();
        let mut events = state.store.events().iter();
        let event =
            events.find(|event| event.get("_id").and_then(Value::as_str) == Some(document_id));
        let id = event.and_then(|event| event.get("event_id")?.as_str());
        id.map(str::to_owned)
    };
    if let Some(event_id) = event_id {
        delivery::launch(shared, &event_id);
    }
}

fn json(status: StatusCode, body: &impl Serialize) -> Answer {
    // These types always serialize.
    (status, serde_json::to_vec(body).unwrap_or_default())
}

fn detail(status: StatusCode, text: &str) -> Answer {
    json(status, &json!({ "detail": text }))
}

fn invalid(problems: &[Problem]) -> Answer {
    let items: Vec<_> = problems.iter().map(Problem::to_json).collect();
    json(
        StatusCode::UNPROCESSABLE_ENTITY,
        &json!({ "detail": items }),
    )
}

/// Returns the rows of a page, by the validated parameters `page` and `size`, and the total.
fn paged<T>(rows: Vec<T>, request: &RecordedRequest, cap: Option<usize>) -> (Vec<T>, usize) {
    let number = |name: &str, default: usize| {
        let written = request.query(name);
        written.map_or(default, |text| text.parse().unwrap_or(usize::MAX))
    };
    let page = number("page", 1);
    let size = number("size", 300).min(cap.unwrap_or(usize::MAX));
    let total = rows.len();
    let skip = page.saturating_sub(1).saturating_mul(size);
    (rows.into_iter().skip(skip).take(size).collect(), total)
}

fn list(state: &State, request: &RecordedRequest, dialect: Dialect) -> Answer {
    let search = request.query("search").map(str::to_lowercase);
    let enabled = request.query("enabled").map(|text| text == "true");
    let rows: Vec<&Webhook> = state
        .store
        .webhooks()
        .filter(|webhook| {
            let found = search.as_ref().is_none_or(|text| {
                webhook.name.to_lowercase().contains(text)
                    || webhook.url.to_lowercase().contains(text)
            });
            let switched = enabled.is_none_or(|enabled| webhook.enabled == enabled);
            let subscribed = request
                .query("action")
                .is_none_or(|action| webhook.actions.iter().any(|own| own == action));
            found && switched && subscribed
        })
        .collect();
    let (rows, total) = paged(rows, request, dialect.page_cap);
    let rows: Vec<Row<'_>> = rows
        .into_iter()
        .map(|webhook| row(webhook, dialect))
        .collect();
    let name = match dialect.list {
        ListName::Subscriptions => "subscriptions",
        ListName::Webhooks => "webhooks",
        ListName::WorkflowWebhooks => "workflow_webhooks",
        ListName::Other => "hooks",
        ListName::Bare => return json(StatusCode::OK, &rows),
    };
    let mut envelope = BTreeMap::from([(name, Part::Rows(rows))]);
    if !dialect.without_total {
        envelope.insert("total", Part::Total(total));
    }
    json(StatusCode::OK, &envelope)
}

/// A part of a list's envelope.
#[derive(Serialize)]
#[serde(untagged)]
enum Part<'a> {
    Rows(Vec<Row<'a>>),
    Total(usize),
}

/// A webhook in a response. A list has hundreds, so they are serialized without a copy if possible.
#[derive(Serialize)]
#[serde(untagged)]
enum Row<'a> {
    AsItIs(&'a Webhook),
    Respelled(Value),
}

fn row(webhook: &Webhook, dialect: Dialect) -> Row<'_> {
    if !dialect.document_ids {
        return Row::AsItIs(webhook);
    }
    let mut row = json!(webhook);
    if let Some(row) = row.as_object_mut()
        && let Some(id) = row.remove("id")
    {
        row.insert("_id".to_owned(), id);
    }
    Row::Respelled(row)
}

fn written(webhook: &Webhook, dialect: Dialect) -> Answer {
    if dialect.silent_writes {
        (StatusCode::NO_CONTENT, Vec::new())
    } else {
        json(StatusCode::OK, &row(webhook, dialect))
    }
}

fn create(state: &mut State, request: &RecordedRequest, dialect: Dialect) -> io::Result<Answer> {
    let Some(body) = &request.body else {
        return Ok(invalid(&[Problem::not_json()]));
    };
    match contract::create(body) {
        Err(problems) => Ok(invalid(&problems)),
        Ok(changes) => {
            let made = state.store.create(changes)?;
            let stored = normalized(state, made, dialect)?;
            Ok(written(&stored, dialect))
        }
    }
}

fn update(
    state: &mut State,
    request: &RecordedRequest,
    id: &str,
    dialect: Dialect,
) -> io::Result<Answer> {
    let Some(body) = &request.body else {
        return Ok(invalid(&[Problem::not_json()]));
    };
    let changes: Changes = match contract::update(body) {
        Err(problems) => return Ok(invalid(&problems)),
        Ok(changes) => changes,
    };
    match state.store.update(id, &changes)? {
        None => Ok(no_such_webhook()),
        Some(webhook) => {
            let stored = normalized(state, webhook, dialect)?;
            Ok(written(&stored, dialect))
        }
    }
}

fn delete(state: &mut State, id: &str, dialect: Dialect) -> io::Result<Answer> {
    if !state.store.delete(id)? {
        return Ok(no_such_webhook());
    }
    Ok(if dialect.silent_writes {
        (StatusCode::NO_CONTENT, Vec::new())
    } else {
        json(StatusCode::OK, &json!({ "message": "Webhook deleted" }))
    })
}

fn no_such_webhook() -> Answer {
    detail(StatusCode::NOT_FOUND, "Workflow webhook not found")
}

/// Normalizes a stored webhook, if the dialect does so.
fn normalized(state: &mut State, mut webhook: Webhook, dialect: Dialect) -> io::Result<Webhook> {
    if dialect.normalizes {
        webhook.name = webhook.name.trim().to_owned();
        if let Ok(url) = url::Url::parse(&webhook.url) {
            webhook.url = url.to_string();
        }
        state.store.put(webhook.clone())?;
    }
    Ok(webhook)
}

fn matches(row: &Value, request: &RecordedRequest, names: &[&str]) -> bool {
    let text = |name: &str| row.get(name).and_then(Value::as_str);
    let equal = names.iter().all(|name| {
        request
            .query(name)
            .is_none_or(|wanted| text(name) == Some(wanted))
    });
    let found = request.query("search").is_none_or(|wanted| {
        row.to_string()
            .to_lowercase()
            .contains(&wanted.to_lowercase())
    });
    let at = text("created_at").and_then(parameters::time);
    let limit = |name: &str| request.query(name).and_then(parameters::time);
    let after = limit("start").is_none_or(|start| at.is_some_and(|at| at >= start));
    let before = limit("end").is_none_or(|end| at.is_some_and(|at| at <= end));
    equal && found && after && before
}

fn events(state: &State, request: &RecordedRequest) -> Answer {
    let filters = ["subscription_id", "workflow_id", "action", "status"];
    let rows: Vec<&Value> = state
        .store
        .events()
        .iter()
        .rev()
        .filter(|event| matches(event, request, &filters))
        .collect();
    let (rows, total) = paged(rows, request, None);
    json(StatusCode::OK, &json!({ "events": rows, "total": total }))
}

fn attempts(state: &State, request: &RecordedRequest, event_id: &str) -> Answer {
    let rows: Vec<&Value> = state
        .store
        .attempts()
        .iter()
        .rev()
        .filter(|attempt| attempt.get("event_id").and_then(Value::as_str) == Some(event_id))
        .filter(|attempt| matches(attempt, request, &[]))
        .collect();
    let (rows, total) = paged(rows, request, None);
    json(StatusCode::OK, &json!({ "attempts": rows, "total": total }))
}

fn retry(state: &mut State, document_id: &str) -> io::Result<Answer> {
    Ok(match state.store.retry(document_id)? {
        None => detail(StatusCode::NOT_FOUND, "Workflow webhook event not found"),
        Some(event_id) => json(
            StatusCode::OK,
            &json!({ "message": "Event queued for delivery", "event_id": event_id }),
        ),
    })
}
