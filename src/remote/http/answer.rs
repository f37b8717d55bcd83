//! What an answer that is not a success means, and which words of it may be shown. Pure.
//!
//! An API may repeat what was sent in its complaint, the token included. So only the fields that are
//! meant for people are read, and whatever was secret in the request is cut out of them.

use serde_json::Value;

use crate::remote::FieldError;

/// How much of an answer that is not understood is shown, in characters.
const EXCERPT_LENGTH: usize = 200;

/// How much of a message is shown, in characters.
const MESSAGE_LENGTH: usize = 500;

/// What an error body says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Complaint {
    /// The message, or nothing.
    pub(super) message: String,
    /// What is said of single fields.
    pub(super) fields: Vec<FieldError>,
}

/// Cuts secrets and control characters out of texts that come from outside.
#[derive(Clone)]
pub(super) struct Redactor<'a> {
    secrets: Vec<&'a str>,
}

impl<'a> Redactor<'a> {
    /// A redactor of these secrets.
    pub(super) fn new(secrets: impl IntoIterator<Item = &'a str>) -> Self {
        let mut secrets: Vec<_> = secrets
            .into_iter()
            .filter(|secret| !secret.is_empty())
            .collect();
        secrets.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
        Self { secrets }
    }

    /// The text, safe to show, of at most `length` characters.
    pub(super) fn clean(&self, text: &str, length: usize) -> String {
        let mut text = text.to_owned();
        for secret in &self.secrets {
            text = text.replace(secret, "(secret)");
            // As JSON would write it inside a text.
            let escaped = Value::from(*secret).to_string();
            text = text.replace(escaped.trim_matches('"'), "(secret)");
        }
        let mut shown: String = text
            .chars()
            .map(|character| {
                if character.is_control() {
                    ' '
                } else {
                    character
                }
            })
            .take(length)
            .collect();
        if text.chars().count() > length {
            shown.push('…');
        }
        shown.trim().to_owned()
    }

    /// The beginning of an answer that is not understood.
    pub(super) fn excerpt(&self, body: &[u8]) -> String {
        let text = self.clean(&String::from_utf8_lossy(body), EXCERPT_LENGTH);
        if text.is_empty() {
            "an empty answer".to_owned()
        } else {
            text
        }
    }
}

/// Reads an error body: `detail` as a text or a list, `message`, `error`; else its first characters.
pub(super) fn complaint(body: &[u8], redactor: &Redactor<'_>) -> Complaint {
    let Ok(answer) = serde_json::from_slice::<Value>(body) else {
        return Complaint {
            message: redactor.excerpt(body),
            fields: Vec::new(),
        };
    };
    let mut texts = Vec::new();
    let mut fields = Vec::new();
    match answer.get("detail") {
        Some(Value::String(text)) => texts.push(text.clone()),
        Some(Value::Array(items)) => {
            for item in items {
                // `input` and `ctx` may repeat what was sent: they are never read.
                let message = item.get("msg").and_then(Value::as_str).unwrap_or("refused");
                match item.get("loc").and_then(field_of) {
                    Some(field) => fields.push(FieldError {
                        field: redactor.clean(&field, 60),
                        message: redactor.clean(message, MESSAGE_LENGTH),
                    }),
                    None => texts.push(message.to_owned()),
                }
            }
        }
        _ => {}
    }
    for name in ["message", "error"] {
        if let Some(text) = answer.get(name).and_then(Value::as_str) {
            texts.push(text.to_owned());
        }
    }
    Complaint {
        message: redactor.clean(&texts.join(": "), MESSAGE_LENGTH),
        fields,
    }
}

/// The field that a `loc` such as `["body", "actions", 0]` names: the first name after `body`.
fn field_of(location: &Value) -> Option<String> {
    location
        .as_array()?
        .iter()
        .filter_map(Value::as_str)
        .find(|part| !matches!(*part, "body" | "query" | "path"))
        .map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(body: &str) -> Complaint {
        complaint(body.as_bytes(), &Redactor::new(["hunter2", "api-key\"x"]))
    }

    #[test]
    fn every_form_of_complaint_is_read() {
        assert_eq!(
            read(r#"{"detail":"No such webhook"}"#).message,
            "No such webhook"
        );
        assert_eq!(
            read(r#"{"message":"Invalid","error":"name is taken"}"#).message,
            "Invalid: name is taken"
        );
        let fields = read(
            r#"{"detail":[{"loc":["body","url"],"msg":"not a URL"},{"loc":["body","actions",0],"msg":"unknown"}]}"#,
        );
        let shown: Vec<_> = fields
            .fields
            .iter()
            .map(|field| format!("{}: {}", field.field, field.message))
            .collect();
        assert_eq!(shown, ["url: not a URL", "actions: unknown"]);
        assert_eq!(
            read("<html>\n<b>Bad gateway</b>").message,
            "<html> <b>Bad gateway</b>"
        );
    }

    #[test]
    fn what_was_sent_is_never_shown() {
        let echoed = read(
            r#"{"detail":[{"loc":["body","bearer_token"],"msg":"hunter2 is bad","input":"hunter2","ctx":{"x":"hunter2"}}],
                "message":"key api-key\"x, token hunter2"}"#,
        );
        let shown = format!("{echoed:?}");
        assert!(!shown.contains("hunter2"), "{shown}");
        assert!(!shown.contains("api-key"), "{shown}");
        assert_eq!(echoed.fields.first().unwrap().message, "(secret) is bad");
        let redactor = Redactor::new(["hunter2"]);
        assert_eq!(
            redactor.excerpt(b"\x1b[31mtoken hunter2"),
            "[31mtoken (secret)"
        );
        assert_eq!(redactor.excerpt(&[b'a'; 300]).chars().count(), 201);
    }
}
