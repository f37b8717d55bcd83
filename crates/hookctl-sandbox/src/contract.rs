//! The documented contract of request bodies: valid values, and the errors of invalid ones. Pure.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

/// The five documented actions.
pub(super) const ACTIONS: [&str; 5] = [
    "workflow_created",
    "workflow_updated",
    "workflow_deleted",
    "workflow_run_started",
    "workflow_run_completed",
];

/// A webhook in the JSON of the API.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Webhook {
    /// 24 lower-case hexadecimal digits.
    pub id: String,
    /// 1 to 150 characters.
    pub name: String,
    /// 1 to 2048 characters.
    pub url: String,
    /// Names of actions.
    pub actions: Vec<String>,
    /// Whether events are delivered.
    pub enabled: bool,
    /// Whether the webhook has a token.
    pub has_bearer_token: bool,
    /// 1 to 60.
    pub timeout_seconds: i64,
    /// 0 to 10.
    pub max_retries: i64,
    /// 1 to 300.
    pub retry_backoff_seconds: i64,
}

/// An item of `detail` in a response with status 422.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Problem {
    location: Vec<Value>,
    message: String,
    kind: &'static str,
}

impl Problem {
    fn new(location: &[Value], message: impl Into<String>, kind: &'static str) -> Self {
        Self {
            location: [json!("body")].iter().chain(location).cloned().collect(),
            message: message.into(),
            kind,
        }
    }

    /// A problem of a query parameter.
    pub(super) fn query(name: &str, message: &str, kind: &'static str) -> Self {
        Self {
            location: vec![json!("query"), json!(name)],
            message: message.to_owned(),
            kind,
        }
    }

    /// A body that is not a JSON object.
    pub(super) fn not_json() -> Self {
        Self::new(&[], "JSON decode error", "json_invalid")
    }

    /// Returns the JSON of the API.
    pub(super) fn to_json(&self) -> Value {
        json!({ "loc": self.location, "msg": self.message, "type": self.kind })
    }
}

/// The content of a valid body: the fields to set, and the change of the token.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Changes {
    fields: Map<String, Value>,
    pub(super) token: Token,
}

/// The change of the token.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) enum Token {
    #[default]
    Keep,
    Set(String),
    Clear,
}

/// Validates the body of a POST.
pub(super) fn create(body: &Value) -> Result<Changes, Vec<Problem>> {
    let mut reader = Reader::new(body)?;
    reader.fields();
    if reader.body.contains_key("clear_bearer_token") {
        reader.extra("clear_bearer_token");
    }
    // The reference has no default of `actions`, so it is required.
    for required in ["name", "url", "actions"] {
        if !reader.body.contains_key(required) {
            reader.refuse(&[json!(required)], "Field required", "missing");
        }
    }
    reader.finish()
}

/// Validates the body of a PATCH.
pub(super) fn update(body: &Value) -> Result<Changes, Vec<Problem>> {
    let mut reader = Reader::new(body)?;
    reader.fields();
    match reader.body.get("clear_bearer_token") {
        None | Some(Value::Bool(false)) => {}
        Some(Value::Bool(true)) if reader.body.contains_key("bearer_token") => reader.refuse(
            &[json!("clear_bearer_token")],
            "bearer_token and clear_bearer_token exclude each other",
            "value_error",
        ),
        Some(Value::Bool(true)) => reader.changes.token = Token::Clear,
        Some(_) => reader.refuse(
            &[json!("clear_bearer_token")],
            "Input should be a valid boolean",
            "bool_type",
        ),
    }
    if reader.body.is_empty() {
        reader.refuse(&[], "At least one field is required", "missing");
    }
    reader.finish()
}

impl Changes {
    /// Returns the webhook of a POST, with documented defaults.
    pub(super) fn into_webhook(self, id: String) -> Webhook {
        let mut webhook = Webhook {
            id,
            name: String::new(),
            url: String::new(),
            actions: Vec::new(),
            enabled: true,
            has_bearer_token: false,
            timeout_seconds: 10,
            max_retries: 3,
            retry_backoff_seconds: 10,
        };
        self.apply(&mut webhook);
        webhook
    }

    /// Applies a PATCH.
    pub(super) fn apply(&self, webhook: &mut Webhook) {
        let text = |name: &str| self.fields.get(name).and_then(Value::as_str);
        let number = |name: &str| self.fields.get(name).and_then(Value::as_i64);
        if let Some(name) = text("name") {
            name.clone_into(&mut webhook.name);
        }
        if let Some(url) = text("url") {
            url.clone_into(&mut webhook.url);
        }
        if let Some(actions) = self.fields.get("actions").and_then(Value::as_array) {
            webhook.actions = actions
                .iter()
                .filter_map(Value::as_str)
                .map(str::to_owned)
                .collect();
        }
        if let Some(enabled) = self.fields.get("enabled").and_then(Value::as_bool) {
            webhook.enabled = enabled;
        }
        if let Some(seconds) = number("timeout_seconds") {
            webhook.timeout_seconds = seconds;
        }
        if let Some(retries) = number("max_retries") {
            webhook.max_retries = retries;
        }
        if let Some(seconds) = number("retry_backoff_seconds") {
            webhook.retry_backoff_seconds = seconds;
        }
        match self.token {
            Token::Keep => {}
            Token::Set(_) => webhook.has_bearer_token = true,
            Token::Clear => webhook.has_bearer_token = false,
        }
    }
}

struct Reader<'a> {
    body: &'a Map<String, Value>,
    changes: Changes,
    problems: Vec<Problem>,
}

impl<'a> Reader<'a> {
    fn new(body: &'a Value) -> Result<Self, Vec<Problem>> {
        match body {
            Value::Object(body) => Ok(Self {
                body,
                changes: Changes::default(),
                problems: Vec::new(),
            }),
            _ => Err(vec![Problem::new(
                &[],
                "Input should be a valid dictionary",
                "model_attributes_type",
            )]),
        }
    }

    fn refuse(&mut self, location: &[Value], message: impl Into<String>, kind: &'static str) {
        self.problems.push(Problem::new(location, message, kind));
    }

    fn extra(&mut self, name: &str) {
        self.refuse(
            &[json!(name)],
            "Extra inputs are not permitted",
            "extra_forbidden",
        );
    }

    fn fields(&mut self) {
        for (name, value) in self.body {
            let taken = match name.as_str() {
                "name" => self.text(name, value, 1, 150),
                "url" => self.text(name, value, 1, 2048) && self.url(value),
                "actions" => self.actions(value),
                "enabled" => self.flag(name, value),
                "timeout_seconds" => self.number(name, value, 1, 60),
                "max_retries" => self.number(name, value, 0, 10),
                "retry_backoff_seconds" => self.number(name, value, 1, 300),
                "bearer_token" => {
                    self.token(value);
                    false
                }
                "clear_bearer_token" => false,
                _ => {
                    self.extra(name);
                    false
                }
            };
            if taken {
                self.changes.fields.insert(name.clone(), value.clone());
            }
        }
    }

    /// Checks that a value is a text of this length, in characters.
    fn text(&mut self, name: &str, value: &Value, shortest: usize, longest: usize) -> bool {
        let Some(text) = value.as_str() else {
            self.refuse(
                &[json!(name)],
                "Input should be a valid string",
                "string_type",
            );
            return false;
        };
        let length = text.chars().count();
        if length < shortest {
            let message = format!("String should have at least {shortest} character");
            self.refuse(&[json!(name)], message, "string_too_short");
        } else if length > longest {
            let message = format!("String should have at most {longest} characters");
            self.refuse(&[json!(name)], message, "string_too_long");
        }
        (shortest..=longest).contains(&length)
    }

    fn url(&mut self, value: &Value) -> bool {
        let valid = value
            .as_str()
            .and_then(|text| url::Url::parse(text).ok())
            .is_some_and(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
        if !valid {
            self.refuse(
                &[json!("url")],
                "Input should be a valid URL",
                "url_parsing",
            );
        }
        valid
    }

    fn actions(&mut self, value: &Value) -> bool {
        let Some(actions) = value.as_array() else {
            self.refuse(
                &[json!("actions")],
                "Input should be a valid list",
                "list_type",
            );
            return false;
        };
        let before = self.problems.len();
        if actions.is_empty() {
            self.refuse(
                &[json!("actions")],
                "List should have at least 1 item",
                "too_short",
            );
        }
        for (index, action) in actions.iter().enumerate() {
            if !action
                .as_str()
                .is_some_and(|action| ACTIONS.contains(&action))
            {
                let known = ACTIONS.join("', '");
                let message = format!("Input should be '{known}'");
                self.refuse(&[json!("actions"), json!(index)], message, "enum");
            } else if actions.iter().take(index).any(|earlier| earlier == action) {
                self.refuse(
                    &[json!("actions"), json!(index)],
                    "Repeated action",
                    "value_error",
                );
            }
        }
        self.problems.len() == before
    }

    fn flag(&mut self, name: &str, value: &Value) -> bool {
        if !value.is_boolean() {
            self.refuse(
                &[json!(name)],
                "Input should be a valid boolean",
                "bool_type",
            );
        }
        value.is_boolean()
    }

    fn number(&mut self, name: &str, value: &Value, least: i64, most: i64) -> bool {
        let Some(number) = value.as_i64() else {
            self.refuse(
                &[json!(name)],
                "Input should be a valid integer",
                "int_type",
            );
            return false;
        };
        if number < least {
            let message = format!("Input should be greater than or equal to {least}");
            self.refuse(&[json!(name)], message, "greater_than_equal");
        } else if number > most {
            let message = format!("Input should be less than or equal to {most}");
            self.refuse(&[json!(name)], message, "less_than_equal");
        }
        (least..=most).contains(&number)
    }

    fn token(&mut self, value: &Value) {
        if !self.text("bearer_token", value, 1, 2000) {
            return;
        }
        let token = value.as_str().unwrap_or_default();
        if token.chars().any(char::is_control) {
            self.refuse(
                &[json!("bearer_token")],
                "String should hold no control characters",
                "value_error",
            );
        } else {
            self.changes.token = Token::Set(token.to_owned());
        }
    }

    fn finish(self) -> Result<Changes, Vec<Problem>> {
        if self.problems.is_empty() {
            Ok(self.changes)
        } else {
            Err(self.problems)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn good() -> Value {
        json!({ "name": "A", "url": "https://a.example/x", "actions": ["workflow_created"] })
    }

    fn with(name: &str, value: Value) -> Value {
        let mut body = good();
        body[name] = value;
        body
    }

    fn kinds(result: Result<Changes, Vec<Problem>>) -> Vec<String> {
        result
            .unwrap_err()
            .iter()
            .map(|problem| {
                let place: Vec<_> = problem
                    .location
                    .iter()
                    .skip(1)
                    .map(|part| {
                        part.as_str()
                            .map_or_else(|| part.to_string(), str::to_owned)
                    })
                    .collect();
                format!("{} {}", place.join("."), problem.kind)
            })
            .collect()
    }

    #[test]
    fn a_create_gets_the_documented_defaults() {
        let webhook = create(&good()).unwrap().into_webhook("x".into());
        assert_eq!(
            (
                webhook.enabled,
                webhook.timeout_seconds,
                webhook.max_retries,
                webhook.retry_backoff_seconds
            ),
            (true, 10, 3, 10)
        );
        assert!(!webhook.has_bearer_token);
    }

    #[test]
    fn whatever_is_outside_the_contract_is_refused() {
        let cases = [
            (with("name", json!("")), "name string_too_short"),
            (with("name", json!("ä".repeat(151))), "name string_too_long"),
            (with("name", json!(5)), "name string_type"),
            (with("url", json!("/x")), "url url_parsing"),
            (with("url", json!(null)), "url string_type"),
            (with("actions", json!([])), "actions too_short"),
            (with("actions", json!(["zebra"])), "actions.0 enum"),
            (
                with("actions", json!(["workflow_created", "workflow_created"])),
                "actions.1 value_error",
            ),
            (with("enabled", json!("yes")), "enabled bool_type"),
            (
                with("timeout_seconds", json!(0)),
                "timeout_seconds greater_than_equal",
            ),
            (
                with("timeout_seconds", json!(61)),
                "timeout_seconds less_than_equal",
            ),
            (with("max_retries", json!("3")), "max_retries int_type"),
            (with("max_retries", json!(3.5)), "max_retries int_type"),
            (
                with("bearer_token", json!("")),
                "bearer_token string_too_short",
            ),
            (
                with("bearer_token", json!("a\nb")),
                "bearer_token value_error",
            ),
            (with("headers", json!({})), "headers extra_forbidden"),
            (
                with("clear_bearer_token", json!(true)),
                "clear_bearer_token extra_forbidden",
            ),
        ];
        for (body, expected) in cases {
            assert_eq!(kinds(create(&body)), [expected], "{body}");
        }
        assert_eq!(
            kinds(create(&json!({}))),
            ["name missing", "url missing", "actions missing"]
        );
        assert_eq!(kinds(create(&json!([]))), [" model_attributes_type"]);
    }

    #[test]
    fn a_patch_is_never_empty_and_does_one_thing_with_the_token() {
        assert_eq!(kinds(update(&json!({}))), [" missing"]);
        assert_eq!(
            kinds(update(&json!({ "enabled": null }))),
            ["enabled bool_type"]
        );
        assert_eq!(
            kinds(update(
                &json!({ "bearer_token": "a", "clear_bearer_token": true })
            )),
            ["clear_bearer_token value_error"]
        );
        assert_eq!(
            update(&json!({ "clear_bearer_token": true }))
                .unwrap()
                .token,
            Token::Clear
        );
        assert_eq!(
            update(&json!({ "bearer_token": "a" })).unwrap().token,
            Token::Set("a".into())
        );
    }
}
