//! The status of each webhook: its sync state and its deliveries.

use std::collections::BTreeMap;

use serde::Serialize;

use super::change_verdict::ChangeVerdict;
use super::delivery_counts::{Deliveries, DeliveryCounts};
use super::style::Screen;
use super::table::table;
use crate::outside::json;
use crate::plan::{Action, ForgetReason, Plan, PlannedAction};
use crate::state::LastApplied;
use crate::webhook::Key;

/// Why a webhook is left alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Held {
    /// Its change was rolled back.
    RolledBack,
    /// Another writer keeps changing it.
    Contested,
}

impl Held {
    /// Returns the reason in words.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::RolledBack => "its change was rolled back",
            Self::Contested => "another writer keeps changing it",
        }
    }
}

/// The status of one webhook.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct StatusRow {
    /// The key. `None` if the webhook is unmanaged.
    pub key: Option<String>,
    /// The id. `None` if the webhook does not exist.
    pub id: Option<String>,
    /// The name at the API. `None` if unknown.
    pub name: Option<String>,
    /// `in_sync`, `edited`, `drifted`, `missing`, `absent`, `released`, `orphan`, `unmanaged`, or
    /// `held`: rolled back, or in a watch, changed again and again by another writer.
    pub status: &'static str,
    /// The fields that differ.
    pub fields: Vec<String>,
    /// Why the webhook is held.
    #[serde(skip)]
    pub held: Option<Held>,
    /// The deliveries. `None` if they are unknown, or if the webhook has no id.
    pub deliveries: Option<Deliveries>,
    /// The verdict on the last change. `None` unless a watch verified one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub verification: Option<ChangeVerdict>,
}

/// The document of `schemas/status-v1.schema.json`.
#[derive(Clone, Debug, Serialize)]
pub struct StatusDocument {
    format_version: &'static str,
    pub(super) target: String,
    /// Deliveries are counted from this time, in RFC 3339. `None` if they are unknown.
    pub(super) since: Option<String>,
    /// Whether only the latest events were counted, because there were more than the limit.
    pub(super) incomplete: bool,
    /// The number of webhooks with each verdict on their last change. `None` unless a watch verifies its changes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) verdicts: Option<BTreeMap<&'static str, usize>>,
    pub(super) webhooks: Vec<StatusRow>,
}

impl StatusDocument {
    /// Creates the document from a plan that was not applied, and the record, without deliveries.
    pub fn new(target: &str, plan: &Plan, remembered: &LastApplied) -> Self {
        let mut rows: Vec<StatusRow> = Vec::new();
        rows.extend(plan.unchanged.iter().map(|key| settled(key, remembered)));
        rows.extend(plan.held.iter().map(|key| StatusRow {
            status: "held",
            held: Some(Held::RolledBack),
            ..settled(key, remembered)
        }));
        rows.extend(plan.released.iter().map(|key| StatusRow {
            key: Some(key.to_string()),
            id: None,
            name: None,
            status: "released",
            fields: Vec::new(),
            deliveries: None,
            held: None,
            verification: None,
        }));
        rows.extend(plan.actions.iter().map(|planned| of_action(planned)));
        rows.extend(plan.orphans.iter().map(|orphan| StatusRow {
            key: Some(orphan.key.to_string()),
            id: Some(orphan.id.to_string()),
            name: Some(orphan.name.clone()),
            status: "orphan",
            fields: Vec::new(),
            deliveries: None,
            held: None,
            verification: None,
        }));
        rows.extend(plan.unmanaged.iter().map(|unmanaged| StatusRow {
            key: None,
            id: Some(unmanaged.id.to_string()),
            name: unmanaged.name.clone(),
            status: "unmanaged",
            fields: Vec::new(),
            deliveries: None,
            held: None,
            verification: None,
        }));
        sort(&mut rows);
        Self {
            format_version: "1",
            target: target.to_owned(),
            since: None,
            incomplete: false,
            verdicts: None,
            webhooks: rows,
        }
    }

    /// Adds the deliveries to the webhooks with an id.
    pub fn add_deliveries(&mut self, counts: &DeliveryCounts) {
        for row in &mut self.webhooks {
            row.deliveries = row.id.as_deref().map(|id| counts.of(id));
        }
        self.since = Some(counts.since().to_owned());
        self.incomplete = counts.is_incomplete();
    }

    /// Passes each text of the API through a filter.
    pub fn filter_texts(&mut self, filter: impl Fn(&str) -> String) {
        for row in &mut self.webhooks {
            let error = row.deliveries.as_mut();
            let error = error.and_then(|deliveries| deliveries.last_error.as_mut());
            for text in row.name.iter_mut().chain(error) {
                *text = filter(text);
            }
        }
    }

    /// Returns the document as text that ends with a line break.
    pub fn to_text(&self) -> String {
        json::text(self)
    }

    /// Renders the status as text.
    pub fn to_human(&self, screen: &Screen) -> String {
        if self.webhooks.is_empty() {
            return "No webhooks.\n".to_owned();
        }
        let with_deliveries = self.since.is_some();
        let last_ok = screen.head_of_times("last ok", self.since.as_deref());
        let mut head = vec!["webhook", "status"];
        if with_deliveries {
            head.extend(["ok", "retry", "fail", &last_ok, "code"]);
        }
        head.push("detail");
        let rows = self
            .webhooks
            .iter()
            .map(|row| cells(row, with_deliveries, &last_ok, screen));
        let styles = &screen.styles;
        let style = |index: usize| match self.webhooks.get(index).map(|row| row.status) {
            None | Some("in_sync" | "absent" | "released") => anstyle::Style::new(),
            Some("unmanaged") => styles.aside,
            Some("missing" | "drifted") => styles.warning,
            Some(_) => styles.change,
        };
        let rows: Vec<_> = rows.collect();
        let mut shown = table(&head, &rows, screen.columns, styles, style);
        let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
        for row in &self.webhooks {
            *counts.entry(row.status).or_default() += 1;
        }
        let counts: Vec<String> = counts
            .into_iter()
            .map(|(status, count)| format!("{count} {}", status.replace('_', " ")))
            .collect();
        shown += &format!(
            "\n{} (target {})\n",
            counts.join(", "),
            super::sanitize(&self.target)
        );
        if with_deliveries {
            shown += "Deliveries of the last 24 hours.\n";
        }
        if self.incomplete {
            shown += "Only the latest events were counted, since there were too many.\n";
        }
        shown
    }
}

fn cells(row: &StatusRow, with_deliveries: bool, last_ok: &str, screen: &Screen) -> Vec<String> {
    let who = match (&row.key, &row.name, &row.id) {
        (Some(key), _, _) => key.clone(),
        (None, Some(name), Some(id)) => format!("{name} ({id})"),
        (None, _, _) => String::new(),
    };
    let mut cells = vec![who, row.status.replace('_', " ")];
    let mut last = match row.held {
        Some(held) => held.as_str().to_owned(),
        None => row.fields.join(", "),
    };
    if with_deliveries {
        let deliveries = row.deliveries.clone().unwrap_or_default();
        let count = |number: u64| match number {
            0 => "-".to_owned(),
            number => number.to_string(),
        };
        cells.push(count(deliveries.delivered));
        cells.push(count(deliveries.pending + deliveries.retrying));
        cells.push(count(deliveries.failed));
        cells.push(screen.cell_of_time(last_ok, deliveries.last_delivered_at.as_deref()));
        cells.push(
            deliveries
                .last_status_code
                .map_or_else(String::new, |code| code.to_string()),
        );
        if let Some(error) = deliveries.last_error {
            last = if last.is_empty() {
                error
            } else {
                format!("{last}; {error}")
            };
        }
    }
    cells.push(last);
    cells
}

/// Sorts by key, webhooks without one last.
pub(super) fn sort(rows: &mut [StatusRow]) {
    rows.sort_by(|one, other| {
        (one.key.is_none(), &one.key, &one.name).cmp(&(
            other.key.is_none(),
            &other.key,
            &other.name,
        ))
    });
}

/// Returns the row of a declared webhook without changes: `absent` if it is not bound.
pub(super) fn settled(key: &Key, remembered: &LastApplied) -> StatusRow {
    let record = remembered.get(key);
    StatusRow {
        key: Some(key.to_string()),
        id: record.map(|record| record.id.to_string()),
        name: record.map(|record| record.stored.name.clone()),
        status: if record.is_some() {
            "in_sync"
        } else {
            "absent"
        },
        fields: Vec::new(),
        deliveries: None,
        held: None,
        verification: None,
    }
}

/// Returns the row of an action that was not applied.
pub(super) fn of_action(planned: &PlannedAction) -> StatusRow {
    let status = match &planned.action {
        Action::Create(_) | Action::Recreate { .. } => "missing",
        Action::Update(_) if planned.is_drift_only() => "drifted",
        Action::Update(_) | Action::Adopt(_) | Action::Delete(_) => "edited",
        Action::Forget {
            reason: ForgetReason::Released,
            ..
        } => "released",
        Action::Forget { .. } => "orphan",
    };
    let gone = match planned.action {
        Action::Create(_) | Action::Recreate { .. } => true,
        Action::Forget { reason, .. } => reason != ForgetReason::Released,
        Action::Update(_) | Action::Adopt(_) | Action::Delete(_) => false,
    };
    let making = matches!(planned.action, Action::Create(_) | Action::Recreate { .. });
    StatusRow {
        key: Some(planned.key.to_string()),
        id: planned.id().filter(|_| !gone).map(ToString::to_string),
        name: Some(planned.name.clone()),
        status,
        fields: if making {
            Vec::new()
        } else {
            planned
                .changes
                .iter()
                .map(|change| change.field_name().to_owned())
                .collect()
        },
        deliveries: None,
        held: None,
        verification: None,
    }
}
