//! Classification of responses, and their texts that are safe to show. Pure.
//!
//! An error response may echo the request, including the token. So only its message fields are read, and the secrets of
//! the request are removed from them.

use super::transport::Answer;
use std::borrow::Cow;

use serde_json::Value;

use crate::FieldError;
use hookctl_core::secret::{Filter, Followed};

/// The maximum length of an excerpt of an unexpected response, in characters.
const EXCERPT_LENGTH: usize = 200;

/// The maximum length of a message, in characters.
const MESSAGE_LENGTH: usize = 500;

/// The content of an error response.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Complaint {
    /// The message, possibly empty.
    pub(super) message: String,
    /// The errors of single fields.
    pub(super) fields: Vec<FieldError>,
}

/// The origin and meaning of a response.
///
/// The API responds with JSON in a documented shape, whatever the status. This distinguishes its responses from those of
/// a gateway, a proxy, or a login page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Word {
    /// The request succeeded.
    Done,
    /// The API rejected the request, which had no effect.
    Refused,
    /// The key was rejected.
    KeyRefused {
        /// Whether the API itself rejected it, so that the request certainly had no effect.
        own: bool,
    },
    /// 429: the request is assumed to have had no effect, since limiters run before what they limit.
    TooManyRequests,
    /// A server failed, or an intermediary timed out (408, 499). The request may have taken effect, and may be retried.
    Failed,
    /// Not a response of the API: a redirect, a page, or another status. The outcome is unknown.
    Foreign,
}

/// Classifies a response.
pub(super) fn word(status: u16, body: &[u8]) -> Word {
    match status {
        200..=299 if is_blank(body) || is_json(body) => Word::Done,
        429 => Word::TooManyRequests,
        401 | 403 => Word::KeyRefused {
            own: is_complaint(body),
        },
        500 | 502..=504 | 408 | 425 | 499 => Word::Failed,
        400..=499 if is_complaint(body) => Word::Refused,
        _ => Word::Foreign,
    }
}

fn is_blank(body: &[u8]) -> bool {
    body.iter().all(u8::is_ascii_whitespace)
}

fn is_json(body: &[u8]) -> bool {
    serde_json::from_slice::<serde::de::IgnoredAny>(body).is_ok()
}

/// Returns whether a body is a documented error: an object with `detail`, `message`, or `error`.
fn is_complaint(body: &[u8]) -> bool {
    serde_json::from_slice::<Value>(body).is_ok_and(|answer| {
        ["detail", "message", "error"]
            .iter()
            .any(|name| answer.get(name).is_some())
    })
}

/// Removes secrets and control characters from untrusted texts.
pub(super) struct Redactor<'a> {
    secrets: Vec<&'a str>,
    filter: Filter,
    /// Secrets other than those of the request.
    followed: Option<&'a Followed>,
}

impl<'a> Redactor<'a> {
    /// Creates a redactor of these secrets.
    pub(super) fn new(secrets: impl IntoIterator<Item = &'a str>) -> Self {
        let mut secrets: Vec<_> = secrets
            .into_iter()
            .filter(|secret| !secret.is_empty())
            .collect();
        secrets.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
        let mut filter = Filter::new();
        for secret in &secrets {
            filter.follow_text(secret);
        }
        Self {
            secrets,
            filter,
            followed: None,
        }
    }

    /// Adds further secrets.
    pub(super) fn knowing(self, followed: &'a Followed) -> Self {
        Self {
            followed: Some(followed),
            ..self
        }
    }

    /// Returns whether a text contains one of the secrets. Short secrets are ignored, since other texts contain their
    /// letters too.
    pub(super) fn finds_in(&self, text: &str) -> bool {
        let is_followed = |followed: &Followed| followed.hidden(text).is_some();
        matches!(self.filter.masked(text), Cow::Owned(_)) || self.followed.is_some_and(is_followed)
    }

    /// Returns the text without the secrets. Callers must pass the whole text, since a truncated secret is not found.
    pub(super) fn masked<'t>(&self, text: &'t str) -> Cow<'t, str> {
        let text = self.filter.masked(text);
        match self.followed {
            Some(followed) => Cow::Owned(followed.masked(&text)),
            None => text,
        }
    }

    /// Returns the text, safe to show, with at most `length` characters.
    pub(super) fn clean(&self, text: &str, length: usize) -> String {
        // Before truncation, since a truncated secret is not found.
        let mut text = self.masked(text).into_owned();
        for secret in &self.secrets {
            text = text.replace(secret, "(secret)");
            // The JSON-escaped form.
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

    /// Returns the beginning of an unexpected response.
    pub(super) fn excerpt(&self, body: &[u8]) -> String {
        let text = self.clean(&String::from_utf8_lossy(body), EXCERPT_LENGTH);
        if text.is_empty() {
            "an empty response".to_owned()
        } else {
            text
        }
    }
}

/// Reads an error response: `detail` as a text or a list, `message`, and `error`, or else its first characters.
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
                // `input` and `ctx` may echo the request, so they are never read.
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

/// Describes a redirect by the host of its `Location`. The rest of the URL means nothing to a reader.
pub(super) fn redirect(location: Option<&str>, redactor: &Redactor<'_>) -> String {
    let host = location
        .and_then(|location| url::Url::parse(location).ok())
        // As it is read: a parser drops tabs, and decodes what is encoded.
        .and_then(|location| Some(redactor.clean(location.host_str()?, EXCERPT_LENGTH)));
    let to = host.map_or_else(|| "elsewhere".to_owned(), |host| format!("to {host}"));
    format!("a redirect {to}, which is not followed with the API key")
}

/// Returns the field of a `loc` such as `["body", "actions", 0]`: the first name after `body`.
fn field_of(location: &Value) -> Option<String> {
    location
        .as_array()?
        .iter()
        .filter_map(Value::as_str)
        .find(|part| !matches!(*part, "body" | "query" | "path"))
        .map(str::to_owned)
}

/// Reads a rejection.
pub(super) fn said(answer: &Answer, redactor: &Redactor<'_>) -> Complaint {
    let mut complaint = complaint(&answer.body, redactor);
    if let Some(id) = answer.header("x-request-id") {
        complaint.message = format!(
            "{} (request {})",
            complaint.message,
            redactor.clean(id, 100)
        );
    }
    complaint
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(body: &str) -> Complaint {
        complaint(body.as_bytes(), &Redactor::new(["hunter2", "api-key\"x"]))
    }

    #[test]
    fn only_json_in_a_documented_shape_is_the_apis_own_word() {
        let page = b"<html>Not found</html>".as_slice();
        let complaint = br#"{"detail":"No such webhook"}"#.as_slice();
        for (status, body, expected) in [
            (200, b"".as_slice(), Word::Done),
            (204, b"", Word::Done),
            (201, b"{}", Word::Done),
            (200, page, Word::Foreign),
            (302, b"", Word::Foreign),
            (404, complaint, Word::Refused),
            (404, page, Word::Foreign),
            (404, b"{}", Word::Foreign),
            (404, b"", Word::Foreign),
            (422, complaint, Word::Refused),
            (413, page, Word::Foreign),
            (401, complaint, Word::KeyRefused { own: true }),
            (403, page, Word::KeyRefused { own: false }),
            (429, page, Word::TooManyRequests),
            (500, complaint, Word::Failed),
            (504, page, Word::Failed),
            (408, complaint, Word::Failed),
            (425, complaint, Word::Failed),
            (499, complaint, Word::Failed),
            (501, page, Word::Foreign),
        ] {
            assert_eq!(word(status, body), expected, "{status}");
        }
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
    fn an_answer_is_quoted_up_to_its_limit() {
        let page = "ä".repeat(EXCERPT_LENGTH + 1);
        let quoted = read(&page).message;
        assert_eq!(quoted, "ä".repeat(EXCERPT_LENGTH) + "…");
        let page = "ä".repeat(EXCERPT_LENGTH);
        assert_eq!(read(&page).message, page);
        let detail = format!(r#"{{"detail":"{}"}}"#, "ä".repeat(MESSAGE_LENGTH + 1));
        assert_eq!(read(&detail).message.chars().count(), MESSAGE_LENGTH + 1);
    }

    #[test]
    fn a_secret_of_at_least_eight_bytes_is_found_in_a_text() {
        let followed = Followed::default();
        let secret = |text: &str| hookctl_core::secret::Secret::new(text.to_owned()).unwrap();
        followed.follow_token(&secret("another-token"));
        let redactor = Redactor::new(["Api-key-1", "short"]).knowing(&followed);
        for (text, expected) in [
            ("api-key-1", true),
            ("a_API-KEY-1_b", true),
            ("x-another-token", true),
            ("short", false),
            ("5eb7cf5a86d9755df3a6c593", false),
        ] {
            assert_eq!(redactor.finds_in(text), expected, "{text}");
        }
        assert_eq!(redactor.clean("an another-token!", 12), "an (secret)!");
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
        let long = Redactor::new(["Hunter2/Hunter2"]);
        let text = "token hunter2%2Fhunter2";
        assert_eq!(long.clean(text, 15), "token (secret)");
        let redactor = Redactor::new(["hunter2"]);
        assert_eq!(
            redactor.excerpt(b"\x1b[31mtoken hunter2"),
            "[31mtoken (secret)"
        );
        assert_eq!(redactor.excerpt(&[b'a'; 300]).chars().count(), 201);
    }
}
