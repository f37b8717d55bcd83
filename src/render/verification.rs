//! Verdicts on changes: as text, as Markdown, and as JSON.

use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Value, json};

use super::human::plural;
use super::markdown::escaped;
use super::style::Screen;
use super::table::table;
use crate::outside::json as document;
use crate::verify::{Verdict, Verification, Verified};
use crate::webhook::{Key, RemoteId};

/// The share of the verdicts in a comment, in characters.
const FOR_VERDICTS: usize = 8_000;

/// The verdicts of a verification, for people and machines. Part of `schemas/plan-v1.schema.json`, and the content of
/// `schemas/verify-v1.schema.json`.
#[derive(Clone, Debug, Serialize)]
pub struct VerificationReport {
    /// Whether the deliveries of every webhook were read until there was a verdict, or the time was up.
    pub complete: bool,
    /// How long it took, in seconds.
    pub seconds: f64,
    /// Whether a webhook without traffic is a failure.
    pub require_traffic: bool,
    /// The webhooks.
    pub webhooks: Vec<VerdictRow>,
}

/// A webhook and its verdict.
#[derive(Clone, Debug, Serialize)]
pub struct VerdictRow {
    /// The key.
    pub key: Key,
    /// The webhook.
    pub id: RemoteId,
    /// `proven`, `rejected`, `failing`, `no_traffic`, `disabled`, or `pending`.
    pub verdict: &'static str,
    /// The moment from which events count.
    pub since: Timestamp,
    /// The event that decided.
    pub event_id: Option<String>,
    /// The status of the receiver's response, if it decided.
    pub status: Option<i64>,
    /// Why the attempt failed. Untrusted text.
    pub error: Option<String>,
    /// The event whose redelivery was requested.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub redelivered: Option<String>,
    /// Why the redelivery was refused. Untrusted text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub not_redelivered: Option<String>,
    /// Why the deliveries could not be read. Untrusted text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unread: Option<String>,
    /// What was set back.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rollback: Option<RollbackRow>,
}

/// The rollback of a webhook.
#[derive(Clone, Debug, Serialize)]
pub struct RollbackRow {
    /// Whether the fields were set back.
    pub done: bool,
    /// The fields.
    pub fields: Vec<&'static str>,
    /// Whether the change set or cleared a token, which cannot be set back.
    pub token_kept: bool,
    /// Why nothing was set back.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

impl VerdictRow {
    pub(super) fn of(verified: &Verified) -> Self {
        let (event_id, status, error) = match &verified.verdict {
            Verdict::Proven { event_id } => (Some(event_id.clone()), None, None),
            Verdict::Rejected { event_id, status } => (Some(event_id.clone()), Some(*status), None),
            Verdict::Failing { event_id, reason } => {
                (Some(event_id.clone()), reason.status, reason.error.clone())
            }
            Verdict::NoTraffic | Verdict::Disabled | Verdict::Pending => (None, None, None),
        };
        Self {
            key: verified.key.clone(),
            id: verified.id.clone(),
            verdict: verified.verdict.as_str(),
            since: whole_milliseconds(verified.since),
            event_id,
            status,
            error,
            redelivered: verified.redelivered.clone(),
            not_redelivered: verified.not_redelivered.clone(),
            unread: verified.unread.clone(),
            rollback: None,
        }
    }

    /// Returns the evidence as one sentence.
    pub fn evidence(&self) -> String {
        let event = self.event_id.as_deref().unwrap_or("?");
        let error = match &self.error {
            Some(error) => format!(": {error}"),
            None => String::new(),
        };
        let mut text = match (self.verdict, self.status) {
            ("proven", _) => format!("event {event} was delivered"),
            ("rejected", Some(status)) => {
                format!("event {event}: status {status}, the receiver does not accept the token")
            }
            ("failing", Some(status)) => format!("event {event}: status {status}{error}"),
            ("failing", None) => format!("event {event}: no response{error}"),
            ("no_traffic", _) => format!("no event since {:.0}", self.since),
            ("disabled", _) => "disabled, so nothing is delivered".to_owned(),
            _ => match &self.unread {
                Some(reason) => format!("could not read its deliveries: {reason}"),
                None => "no verdict when the time was up".to_owned(),
            },
        };
        if let Some(event) = &self.redelivered {
            text += &format!("; redelivery of {event} requested");
        }
        if let Some(reason) = &self.not_redelivered {
            text += &format!("; not redelivered: {reason}");
        }
        if let Some(rollback) = &self.rollback {
            text += &format!("; {}", rollback.text());
        }
        text
    }
}

impl RollbackRow {
    /// Returns what was set back, or why nothing was.
    pub fn text(&self) -> String {
        let mut text = match &self.error {
            Some(error) => format!("not rolled back: {error}"),
            None => format!("rolled back: {}", self.fields.join(", ")),
        };
        if self.token_kept {
            text += "; the token cannot be set back";
        }
        text
    }
}

impl VerificationReport {
    /// Creates the report of a verification.
    pub fn new(verification: &Verification, require_traffic: bool) -> Self {
        let milliseconds = verification.duration.as_millis();
        let milliseconds = u32::try_from(milliseconds).unwrap_or(u32::MAX);
        Self {
            complete: !verification.interrupted && verification.is_read(),
            seconds: f64::from(milliseconds) / 1_000.0,
            require_traffic,
            webhooks: verification.webhooks.iter().map(VerdictRow::of).collect(),
        }
    }

    /// Removes secrets from the texts that come from outside: `mask` receives each text and returns it without secrets.
    pub fn redact(&mut self, mask: impl Fn(&str) -> String) {
        for row in &mut self.webhooks {
            let rollback = row.rollback.iter_mut().filter_map(|one| one.error.as_mut());
            let texts = row
                .event_id
                .iter_mut()
                .chain(&mut row.error)
                .chain(&mut row.redelivered)
                .chain(&mut row.not_redelivered)
                .chain(&mut row.unread)
                .chain(rollback);
            for text in texts {
                *text = mask(text);
            }
        }
    }

    /// Returns the number of webhooks with each verdict, in words.
    pub fn summary(&self) -> String {
        let counted: Vec<String> = Verdict::NAMES
            .iter()
            .filter_map(|name| {
                let count = self.webhooks.iter().filter(|row| row.verdict == *name);
                let count = count.count();
                (count > 0).then(|| format!("{count} {}", word(name)))
            })
            .collect();
        if counted.is_empty() {
            return "Nothing to verify.".to_owned();
        }
        let cut_short = if self.complete { "" } else { " Not complete." };
        format!(
            "Deliveries of {}: {}.{cut_short}",
            plural(self.webhooks.len(), "webhook"),
            counted.join(", ")
        )
    }

    /// Renders the verdicts as text. Empty without webhooks.
    pub fn to_human(&self, screen: &Screen) -> String {
        if self.webhooks.is_empty() {
            return String::new();
        }
        let rows: Vec<Vec<String>> = self
            .webhooks
            .iter()
            .map(|row| {
                vec![
                    row.key.to_string(),
                    word(row.verdict).to_owned(),
                    row.evidence(),
                ]
            })
            .collect();
        let styles = &screen.styles;
        let style = |index: usize| match self.webhooks.get(index).map(|row| row.verdict) {
            Some("proven") => styles.create,
            Some("rejected" | "failing") => styles.destroy,
            _ => anstyle::Style::new(),
        };
        let head = ["webhook", "verdict", "evidence"];
        let text = table(&head, &rows, screen.columns, styles, style);
        format!("{text}{}\n", self.summary())
    }

    /// Renders the verdicts as a section of a comment. Empty without webhooks.
    pub fn to_markdown(&self) -> String {
        if self.webhooks.is_empty() {
            return String::new();
        }
        let mut text = format!("**{}**\n\n", escaped(&self.summary()));
        text += "| webhook | verdict | evidence |\n| --- | --- | --- |\n";
        let mut rows: Vec<&VerdictRow> = self.webhooks.iter().collect();
        rows.sort_by_key(|row| match row.verdict {
            "rejected" | "failing" => 0,
            "pending" => 1,
            "no_traffic" => 2,
            _ => 3,
        });
        for (index, row) in rows.iter().enumerate() {
            let evidence: String = row.evidence().chars().take(500).collect();
            let line = format!(
                "| `{}` | {} | {} |\n",
                row.key,
                word(row.verdict),
                escaped(&evidence)
            );
            if text.len() + line.len() > FOR_VERDICTS {
                text += &format!("\n… and {} more\n", rows.len() - index);
                break;
            }
            text += &line;
        }
        text.push('\n');
        text
    }

    /// Returns the report as a part of a document.
    pub fn to_value(&self) -> Value {
        serde_json::to_value(self).unwrap_or_default()
    }

    /// Returns the document of `schemas/verify-v1.schema.json`, which ends with a line break.
    pub fn to_text(&self, target: &str, diagnostics: &[super::Message]) -> String {
        let mut text = json!({ "format_version": "1", "target": target });
        if let (Some(whole), Value::Object(own)) = (text.as_object_mut(), self.to_value()) {
            whole.extend(own);
            whole.insert("diagnostics".to_owned(), json!(diagnostics));
        }
        document::text(&text)
    }
}

/// Returns a moment without what is below a millisecond.
fn whole_milliseconds(at: Timestamp) -> Timestamp {
    Timestamp::from_millisecond(at.as_millisecond()).unwrap_or(at)
}

/// Returns a verdict as people read it.
pub(super) fn word(verdict: &str) -> &str {
    match verdict {
        "no_traffic" => "no traffic",
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::Styles;
    use crate::verify::Failure;
    use std::time::Duration;

    fn report() -> VerificationReport {
        let one = |key: &str, verdict| Verified {
            key: Key::parse(key).unwrap(),
            id: RemoteId::parse("5eb7cf5a86d9755df3a6c593").unwrap(),
            since: "2026-01-01T12:00:00Z".parse().unwrap(),
            verdict,
            redelivered: None,
            not_redelivered: None,
            unread: None,
        };
        let event_id = || "evt-1".to_owned();
        let failing = |status, error: &str| Verdict::Failing {
            event_id: event_id(),
            reason: Failure {
                status,
                error: Some(error.to_owned()),
            },
        };
        let unread = Verified {
            unread: Some("status 500".to_owned()),
            ..one("unread", Verdict::Pending)
        };
        let again = Verified {
            redelivered: Some("evt-0".to_owned()),
            ..one(
                "again",
                Verdict::Proven {
                    event_id: event_id(),
                },
            )
        };
        let verification = Verification {
            webhooks: vec![
                one(
                    "proven",
                    Verdict::Proven {
                        event_id: event_id(),
                    },
                ),
                again,
                one(
                    "rejected",
                    Verdict::Rejected {
                        event_id: event_id(),
                        status: 401,
                    },
                ),
                one(
                    "failing",
                    failing(Some(503), "no <b>upstream</b>\u{1b}[31m | x"),
                ),
                one("silent", failing(None, "connection refused")),
                one("quiet", Verdict::NoTraffic),
                one("off", Verdict::Disabled),
                one("pending", Verdict::Pending),
                unread,
            ],
            duration: Duration::from_millis(1_500),
            ..Verification::default()
        };
        VerificationReport::new(&verification, false)
    }

    #[test]
    fn every_verdict_is_shown_with_its_evidence() {
        let mut report = report();
        if let Some(row) = report.webhooks.get_mut(3) {
            row.rollback = Some(RollbackRow {
                done: true,
                fields: vec!["url", "enabled"],
                token_kept: true,
                error: None,
            });
        }
        let screen = Screen::pipe(Styles::plain());
        insta::assert_snapshot!("human", report.to_human(&screen));
        insta::assert_snapshot!("markdown", report.to_markdown());
        insta::assert_snapshot!("json", report.to_text("qa", &[]));
    }

    #[test]
    fn a_comment_has_room_for_the_rest() {
        let mut report = report();
        let many = report.webhooks.iter().cycle().take(500).cloned();
        report.webhooks = many.collect();
        let text = report.to_markdown();
        assert!(text.len() < FOR_VERDICTS + 100);
        assert!(text.contains("more\n"));
    }

    #[test]
    fn a_secret_is_removed_from_every_text() {
        let mut report = report();
        report.redact(|_| "(secret)".to_owned());
        let text = report.to_text("qa", &[]);
        assert!(
            !text.contains("evt-") && !text.contains("refused"),
            "{text}"
        );
    }
}
