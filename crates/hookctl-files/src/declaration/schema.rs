//! The JSON Schema of declaration files, for editors, built from the names and limits of the validator.
//!
//! It checks less than the validator: no variables, other files, or targets.

use serde_json::{Map, Value, json};

use super::presence::Presence;
use super::raw::{FIELDS, NOT_SHARED, OF_NAMED, SAME_EVERYWHERE};
use crate::secret_schema::source;
use hookctl_core::secret::ProviderName;
use hookctl_core::webhook::{Field, WorkflowAction, limits};

/// A value that consists of one variable.
const VARIABLE: &str = "^\\$\\{.*\\}$";

/// Returns the schema (JSON Schema 2020-12) of one YAML document. Each provider is a form of `bearer_token`.
pub fn json_schema(providers: &[ProviderName]) -> Value {
    let properties = |fields: &[&str]| properties(fields, providers);
    let all = properties(&FIELDS);
    let shared: Vec<&str> = FIELDS
        .into_iter()
        .filter(|field| !NOT_SHARED.contains(field))
        .collect();
    let differing: Vec<&str> = FIELDS
        .into_iter()
        .filter(|field| !SAME_EVERYWHERE.contains(field))
        .collect();
    let differing_defaults: Vec<&str> = shared
        .iter()
        .copied()
        .filter(|field| !SAME_EVERYWHERE.contains(field))
        .collect();
    let mut defaults = properties(&shared);
    defaults.insert("targets".to_owned(), targets("default_in_target"));
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": "urn:hookctl:webhooks:1",
        "title": "hookctl declarations",
        "description": "One YAML document of a file below webhooks.d. The schema requires `actions` in \
        each webhook even if the `defaults` of another document of the file provide them.",
        "type": ["object", "null"],
        "properties": {
            "defaults": {
                "description": "Fields shared by all webhooks of this file, which may override them.",
                "type": ["object", "null"],
                "properties": defaults,
                "additionalProperties": false,
            },
            "webhooks": {
                "description": "The webhooks by key. Keys are unique in the repository, and never sent to the API.",
                "type": ["object", "null"],
                "propertyNames": { "pattern": "^[a-z0-9][a-z0-9._-]{0,62}$" },
                "additionalProperties": { "$ref": "#/$defs/webhook" },
            },
        },
        "patternProperties": { "^x-": { "description": "Ignored; for anchors." } },
        "additionalProperties": false,
        "if": {
            "type": "object",
            "not": { "properties": { "defaults": { "type": "object", "required": ["actions"] } }, "required": ["defaults"] },
        },
        "then": {
            "properties": { "webhooks": { "additionalProperties": { "if": { "$ref": "#/$defs/complete" }, "then": { "required": ["actions"] } } } },
        },
        "$defs": {
            "present": {
                "type": "object",
                "not": { "properties": { "state": { "enum": ["absent", "released"] } }, "required": ["state"] },
            },
            "webhook": {
                "type": "object",
                "if": { "$ref": "#/$defs/present" },
                "then": { "properties": all, "additionalProperties": false },
                "else": { "properties": properties(&OF_NAMED), "additionalProperties": false },
                "allOf": [{ "if": { "$ref": "#/$defs/complete" }, "then": { "required": ["url"] } }],
            },
            "complete": {
                "description": "A webhook that has its fields itself: `targets` may have them, if it is a mapping.",
                "$ref": "#/$defs/present",
                "not": { "properties": { "targets": { "type": "object" } }, "required": ["targets"] },
            },
            "in_target": {
                "description": "The fields that differ in this target. `null` removes a field.",
                "type": ["object", "null"],
                "properties": nullable(properties(&differing)),
                "additionalProperties": false,
            },
            "default_in_target": {
                "description": "The defaults that differ in this target. `null` removes one.",
                "type": ["object", "null"],
                "properties": nullable(properties(&differing_defaults)),
                "additionalProperties": false,
            },
        },
    })
}

fn properties(fields: &[&str], providers: &[ProviderName]) -> Map<String, Value> {
    fields
        .iter()
        .map(|field| ((*field).to_owned(), property(field, providers)))
        .collect()
}

fn bearer_token(providers: &[ProviderName]) -> Value {
    let about = "The source of the token. `null` clears it. If omitted, a token set by hookctl is cleared, \
        and any other token is left alone.";
    source(about, true, providers)
}

fn property(field: &str, providers: &[ProviderName]) -> Value {
    match field {
        "name" => json!({
            "description": "The display name. Default: the key.",
            "type": "string",
            "minLength": limits::NAME_LENGTH.start(),
            "anyOf": text_of(*limits::NAME_LENGTH.end()),
        }),
        "url" => json!({
            "description": "The delivery address: an absolute https URL. May contain ${VARIABLES}.",
            "type": "string",
            "minLength": limits::URL_LENGTH.start(),
            "anyOf": [{ "pattern": "\\$" }, { "pattern": "^[Hh][Tt][Tt][Pp][Ss]?://", "maxLength": limits::URL_LENGTH.end() }],
        }),
        "actions" => {
            let known = WorkflowAction::KNOWN;
            json!({
                "description": "The actions to deliver, at least one; or `all`.",
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
        "bearer_token" => bearer_token(providers),
        "enabled" => {
            json!({ "description": "Whether events are delivered.", "type": ["boolean", "string"], "pattern": VARIABLE, "default": limits::DEFAULT_ENABLED })
        }
        "timeout_seconds" => number(
            "Time-out of a delivery, in seconds.",
            &limits::TIMEOUT_SECONDS,
            limits::DEFAULT_TIMEOUT_SECONDS,
        ),
        "max_retries" => number(
            "Retries after the first attempt.",
            &limits::MAX_RETRIES,
            limits::DEFAULT_MAX_RETRIES,
        ),
        "retry_backoff_seconds" => number(
            "Base of the exponential backoff between retries, in seconds.",
            &limits::RETRY_BACKOFF_SECONDS,
            limits::DEFAULT_RETRY_BACKOFF_SECONDS,
        ),
        "id" => json!({
            "description": "The id of the webhook at the API, which pins the declaration to it.",
            "type": "string",
            "minLength": 1,
        }),
        "previously" => {
            let name = json!({ "type": "string", "minLength": 1, "anyOf": text_of(*limits::NAME_LENGTH.end()) });
            described(
                "Earlier names, by which a renamed webhook is found without a record.",
                list(&name, 0),
            )
        }
        "targets" => targets("in_target"),
        "ignore_changes" => {
            let fields: Vec<&str> = Field::ALL
                .into_iter()
                .map(Field::as_str)
                .chain(["bearer_token"])
                .collect();
            described(
                "Fields that are set when the webhook is created, and not changed afterwards.",
                list(&json!({ "enum": fields }), 0),
            )
        }
        "prevent_destroy" => json!({
            "description": "Whether to refuse plans that delete the webhook.",
            "type": ["boolean", "string"],
            "pattern": VARIABLE,
            "default": false,
        }),
        _ => json!({
            "description": "`absent` deletes the webhook. `released` keeps it at the API and stops managing it.",
            "enum": Presence::ALL.map(Presence::as_str),
            "default": "present",
        }),
    }
}

/// Returns the schema of `targets`, with that of the fields of a target.
fn targets(fields: &str) -> Value {
    json!({
        "description": "The targets of hookctl.yaml that have this webhook: a list, or a mapping to the fields that \
        differ there. Default: all.",
        "oneOf": [
            list(&json!({ "type": "string" }), 1),
            {
                "type": "object",
                "minProperties": 1,
                "additionalProperties": { "$ref": format!("#/$defs/{fields}") },
            },
        ],
    })
}

/// Returns the schemas of fields that may be removed.
fn nullable(fields: Map<String, Value>) -> Map<String, Value> {
    let fields = fields.into_iter();
    fields
        .map(|(name, schema)| (name, json!({ "anyOf": [{ "type": "null" }, schema] })))
        .collect()
}

/// Returns the schema of a text, which may be longer before variables are replaced.
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
