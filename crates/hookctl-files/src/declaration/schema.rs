//! The JSON Schema of a declaration file, for editors: made from the names and limits that the validator
//! itself goes by.
//!
//! It says less than the validator: nothing of variables, of other files, or of what a target knows.

use serde_json::{Map, Value, json};

use super::document::{FIELDS, NOT_SHARED, OF_NAMED};
use super::presence::Presence;
use hookctl_core::webhook::{Field, WorkflowAction, limits};

/// A value that is one variable.
const VARIABLE: &str = "^\\$\\{.*\\}$";

/// The schema (JSON Schema 2020-12) of one YAML document.
pub fn json_schema() -> Value {
    let all = properties(&FIELDS);
    let shared: Vec<&str> = FIELDS
        .into_iter()
        .filter(|field| !NOT_SHARED.contains(field))
        .collect();
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": "urn:hookctl:webhooks:1",
        "title": "hookctl declarations",
        "description": "One YAML document of a file below webhooks.d. Where `actions` stand in the \
                        `defaults` of another document of the same file, this schema asks for them all the same.",
        "type": ["object", "null"],
        "properties": {
            "defaults": {
                "description": "Fields that all webhooks of this file have unless they say otherwise.",
                "type": ["object", "null"],
                "properties": properties(&shared),
                "additionalProperties": false,
            },
            "webhooks": {
                "description": "The webhooks, each under its key: unique in the repository, and never sent to the API.",
                "type": ["object", "null"],
                "propertyNames": { "pattern": "^[a-z0-9][a-z0-9._-]{0,62}$" },
                "additionalProperties": { "$ref": "#/$defs/webhook" },
            },
        },
        "patternProperties": { "^x-": { "description": "Yours: for anchors." } },
        "additionalProperties": false,
        "if": {
            "type": "object",
            "not": { "properties": { "defaults": { "type": "object", "required": ["actions"] } }, "required": ["defaults"] },
        },
        "then": {
            "properties": { "webhooks": { "additionalProperties": { "if": { "$ref": "#/$defs/present" }, "then": { "required": ["actions"] } } } },
        },
        "$defs": {
            "present": {
                "type": "object",
                "not": { "properties": { "state": { "enum": ["absent", "released"] } }, "required": ["state"] },
            },
            "webhook": {
                "type": "object",
                "if": { "$ref": "#/$defs/present" },
                "then": { "properties": all, "additionalProperties": false, "required": ["url"] },
                "else": { "properties": properties(&OF_NAMED), "additionalProperties": false },
            },
        },
    })
}

fn properties(fields: &[&str]) -> Map<String, Value> {
    fields
        .iter()
        .map(|field| ((*field).to_owned(), property(field)))
        .collect()
}

fn property(field: &str) -> Value {
    match field {
        "name" => json!({
            "description": "The display name. Left out, it is the key.",
            "type": "string",
            "minLength": limits::NAME_LENGTH.start(),
            "anyOf": text_of(*limits::NAME_LENGTH.end()),
        }),
        "url" => json!({
            "description": "Where events are delivered: an absolute https address. May hold ${VARIABLES}.",
            "type": "string",
            "minLength": limits::URL_LENGTH.start(),
            "anyOf": [{ "pattern": "\\$" }, { "pattern": "^[Hh][Tt][Tt][Pp][Ss]?://", "maxLength": limits::URL_LENGTH.end() }],
        }),
        "actions" => {
            let known = WorkflowAction::KNOWN;
            json!({
                "description": "The events to deliver, at least one; or `all`.",
                "oneOf": [
                    { "const": "all" },
                    { "type": "string", "pattern": VARIABLE },
                    list(&json!({ "anyOf": [
                        { "enum": known.each_ref().map(WorkflowAction::as_str) },
                        { "type": "string", "pattern": VARIABLE },
                    ] }), 1),
                ],
            })
        }
        "bearer_token" => json!({
            "description": "Where the token comes from. null: there shall be none. Left out: a token that hookctl set \
                            is cleared, and somebody else's is left alone.",
            "oneOf": [
                { "type": "null" },
                { "type": "string", "minLength": 1, "description": "The token itself, or ${VARIABLES}." },
                one("env", &json!({ "type": "string", "pattern": "^[A-Za-z_][A-Za-z0-9_]*$", "description": "A variable of the environment." })),
                one("file", &json!({ "type": "string", "minLength": 1, "description": "A file, relative to this one. One line break at its end is dropped." })),
                one("command", &json!({ "type": "array", "minItems": 1, "items": { "type": "string" }, "description": "A program and its arguments, without a shell; its output is the token." })),
            ],
        }),
        "enabled" => {
            json!({ "description": "Whether events are delivered.", "type": ["boolean", "string"], "pattern": VARIABLE, "default": limits::DEFAULT_ENABLED })
        }
        "timeout_seconds" => number(
            "How long the receiver may take to answer, in seconds.",
            &limits::TIMEOUT_SECONDS,
            limits::DEFAULT_TIMEOUT_SECONDS,
        ),
        "max_retries" => number(
            "Retries after the first try.",
            &limits::MAX_RETRIES,
            limits::DEFAULT_MAX_RETRIES,
        ),
        "retry_backoff_seconds" => number(
            "Base of the exponential backoff between retries, in seconds.",
            &limits::RETRY_BACKOFF_SECONDS,
            limits::DEFAULT_RETRY_BACKOFF_SECONDS,
        ),
        "id" => json!({
            "description": "Pins the webhook at the API by its id.",
            "type": "string",
            "minLength": 1,
        }),
        "previously" => {
            let name = json!({ "type": "string", "minLength": 1, "anyOf": text_of(*limits::NAME_LENGTH.end()) });
            described(
                "Earlier names, so that a renamed webhook is found without a record.",
                list(&name, 0),
            )
        }
        "targets" => described(
            "Only for these targets of hookctl.yaml.",
            list(&json!({ "type": "string" }), 1),
        ),
        "ignore_changes" => {
            let fields: Vec<&str> = Field::ALL
                .into_iter()
                .map(Field::as_str)
                .chain(["bearer_token"])
                .collect();
            described(
                "Fields that are never changed after the webhook is made.",
                list(&json!({ "enum": fields }), 0),
            )
        }
        "prevent_destroy" => json!({
            "description": "Whether a plan that deletes it is an error.",
            "type": ["boolean", "string"],
            "pattern": VARIABLE,
            "default": false,
        }),
        _ => json!({
            "description": "`absent` deletes the webhook if it is there. `released` leaves it at the API and manages it no longer.",
            "enum": Presence::ALL.map(Presence::as_str),
            "default": "present",
        }),
    }
}

/// A text that may be longer as it is written than it is in the end.
fn text_of(longest: usize) -> Value {
    json!([{ "pattern": "\\$" }, { "maxLength": longest }])
}

fn number(description: &str, range: &std::ops::RangeInclusive<i64>, default: i64) -> Value {
    json!({
        "description": description,
        "type": ["integer", "string"],
        "pattern": VARIABLE,
        "minimum": range.start(),
        "maximum": range.end(),
        "default": default,
    })
}

fn list(items: &Value, fewest: usize) -> Value {
    json!({ "type": "array", "items": items, "minItems": fewest, "uniqueItems": true })
}

fn described(description: &str, mut schema: Value) -> Value {
    if let Some(object) = schema.as_object_mut() {
        object.insert("description".to_owned(), description.into());
    }
    schema
}

fn one(name: &str, value: &Value) -> Value {
    json!({
        "type": "object",
        "properties": { name: value },
        "required": [name],
        "additionalProperties": false,
    })
}
