//! The JSON Schema of hookctl.yaml, for editors, built from the names and limits of the reader.
//!
//! It checks less than the reader: no paths, no times, and not whether the default target exists.

use serde_json::{Map, Value, json};

use super::Confirm;
use super::reader::{CONCURRENCY, HISTORY_ENTRIES, SLOWEST_RATE};
use crate::diagnostic::{Code, Level, Severity};
use crate::secret_schema::source;

/// Local, or the address of a shared record.
const RECORD_URL: &str = "^(local$|(s3|az|gs)://)";

/// Returns the schema (JSON Schema 2020-12) of hookctl.yaml.
pub fn json_schema() -> Value {
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": "urn:hookctl:config:1",
        "title": "hookctl.yaml",
        "description": "The configuration of hookctl. Flags and environment variables override it.",
        "type": ["object", "null"],
        "properties": {
            "webhooks_dir": text("The folder of declarations, below the folder of this file. Default: webhooks.d."),
            "cache_dir": text("The folder of the local record, below the folder of this file. Default: .hookctl."),
            "default_target": text("The target that is used without --target."),
            "targets": {
                "description": "The targets by name: an API each, with its keys and variables.",
                "type": "object",
                "propertyNames": { "pattern": "^[a-z0-9][a-z0-9_-]{0,62}$" },
                "additionalProperties": target(),
            },
            "prune": {
                "description": "Whether bound webhooks that are no longer declared are deleted.",
                "type": "boolean",
                "default": false,
            },
            "safety": safety(),
            "concurrency": {
                "description": "The most concurrent requests.",
                "type": "integer",
                "minimum": CONCURRENCY.start(),
                "maximum": CONCURRENCY.end(),
                "default": super::DEFAULT_CONCURRENCY,
            },
            "requests_per_second": {
                "description": "The most requests per second. Default: no limit.",
                "type": "number",
                "minimum": SLOWEST_RATE,
            },
            "request_timeout": time("The time limit of a request, 100 ms to 10 minutes. Default: 30s."),
            "settle_horizon": horizon(),
            "record": record(),
            "history": closed("How much history the record keeps.", &json!({
                "keep": time("The longest age of a change, a day to ten years."),
                "max_entries": {
                    "description": "The most changes of each account.",
                    "type": "integer",
                    "minimum": HISTORY_ENTRIES.start(),
                    "maximum": HISTORY_ENTRIES.end(),
                },
            })),
            "confirm": confirm(),
            "plaintext_secrets": {
                "description": "How secrets in plain text are reported.",
                "enum": ["warn", "deny"],
                "default": "warn",
            },
            "lints": lints(),
        },
        "additionalProperties": false,
    })
}

fn target() -> Value {
    let api_key = source(
        "The source of the API key. Default: INTERACTLY_API_KEY of the environment.",
        false,
        &[],
    );
    let fingerprint_key = source(
        "The source of the key of fingerprints, outside the repository. Default: the API key.",
        false,
        &[],
    );
    closed(
        "An API, with its keys and variables.",
        &json!({
            "api_url": url("The base URL of the API."),
            "api_key": api_key,
            "team_id": text("The id of the team, sent as the header `teamid`."),
            "user_id": text("The id of the user, sent as the header `uuid`."),
            "vars": {
                "description": "The variables of declarations.",
                "type": "object",
                "propertyNames": { "pattern": "^[A-Za-z_][A-Za-z0-9_]*$" },
                "additionalProperties": { "type": ["string", "number", "boolean"] },
            },
            "fingerprint_key": fingerprint_key,
            "settle_horizon": horizon(),
            "record": record(),
            "confirm": confirm(),
        }),
    )
}

fn confirm() -> Value {
    json!({
        "description": "Before which plans `sync` asks: those with losses on a terminal, all (`--yes` must answer without \
        a terminal), or none.",
        "enum": Confirm::ALL.map(Confirm::as_str),
        "default": Confirm::default().as_str(),
    })
}

fn safety() -> Value {
    let percent = |description: &str| json!({ "description": description, "type": "integer", "minimum": 0, "maximum": 100 });
    let count =
        |description: &str| json!({ "description": description, "type": "integer", "minimum": 0 });
    closed(
        "The limits on the size of a plan. A plan beyond both limits of a kind is refused without --force.",
        &json!({
            "max_delete_percent": percent("The largest share of deletes."),
            "max_delete_count": count("The largest number of deletes."),
            "max_update_percent": percent("The largest share of updates."),
            "max_update_count": count("The largest number of updates."),
        }),
    )
}

fn record() -> Value {
    let properties = json!({
        "url": record_url(),
        "region": { "description": "The region of the bucket.", "type": "string", "pattern": "^[a-z0-9-]{1,30}$" },
        "endpoint": url("The address of another store with the interface of S3."),
        "kms_key": text("The key with which the store encrypts the objects."),
        "lease": time("How long the lease lasts after a heartbeat, 1 s to 10 minutes."),
        "credentials": closed("A program that prints credentials.", &json!({
            "command": { "type": "array", "minItems": 1, "items": { "type": "string" } },
        })),
    });
    json!({
        "description": "Where the record is: local, or the address of a shared one.",
        "type": ["string", "object"],
        "pattern": RECORD_URL,
        "properties": properties,
        "required": ["url"],
        "additionalProperties": false,
    })
}

fn record_url() -> Value {
    json!({ "type": "string", "pattern": RECORD_URL })
}

fn lints() -> Value {
    let levels = Level::ALL.map(|(name, _)| name);
    let warnings = Code::ALL.iter();
    let warnings = warnings.filter(|code| code.severity() == Severity::Warning);
    let properties: Map<String, Value> = warnings
        .map(|code| (code.as_str().to_owned(), json!({ "enum": levels })))
        .collect();
    closed("The levels of warnings.", &properties.into())
}

fn horizon() -> Value {
    time("How long a request without a response may still take effect, 0 s to 1 hour.")
}

fn time(description: &str) -> Value {
    json!({
        "description": description,
        "type": ["string", "integer"],
        "pattern": "^[0-9]+(ms|s|m|h|d)?$",
        "minimum": 0,
    })
}

fn url(description: &str) -> Value {
    json!({ "description": description, "type": "string", "pattern": "^[Hh][Tt][Tt][Pp][Ss]?://" })
}

fn text(description: &str) -> Value {
    json!({ "description": description, "type": "string", "minLength": 1 })
}

/// Returns the schema of a mapping with these keys only.
fn closed(description: &str, properties: &Value) -> Value {
    json!({
        "description": description,
        "type": "object",
        "properties": properties,
        "additionalProperties": false,
    })
}

#[cfg(test)]
mod tests {
    use super::super::reader::{KEYS, SAFETY_KEYS, TARGET_KEYS};
    use super::*;

    fn keys(schema: &Value) -> Vec<&str> {
        let properties = schema["properties"].as_object().unwrap();
        properties.keys().map(String::as_str).collect()
    }

    fn sorted<const N: usize>(mut keys: [&'static str; N]) -> Vec<&'static str> {
        keys.sort_unstable();
        keys.to_vec()
    }

    #[test]
    fn it_has_every_key_that_the_reader_knows() {
        let schema = json_schema();
        assert_eq!(keys(&schema), sorted(KEYS));
        assert_eq!(keys(&target()), sorted(TARGET_KEYS));
        assert_eq!(keys(&safety()), sorted(SAFETY_KEYS));
    }
}
