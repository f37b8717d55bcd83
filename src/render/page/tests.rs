//! Tests of the page: what it contains, and that no text from outside becomes markup.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::*;
use crate::plan::{Plan, Policy, plan};
use crate::record::{HistoryAction, HistoryCause, HistoryChange, Provenance};
use crate::remote::{Event, Rows};
use crate::render::{ChangeVerdict, DeliveryCounts, EndedPass};
use crate::state::{DesiredState, LastApplied, ObservedState};
use crate::webhook::{Key, RemoteId};

const HOSTILE: &str = "<script>alert(1)</script> \"quoted' \u{202e}&amp;</style>";
const ID: &str = "5eb7cf5a86d9755df3a6c593";

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn event(created_at: &str, status: &str) -> Event {
    serde_json::from_value(serde_json::json!({
        "event_id": "e", "subscription_id": ID, "status": status, "created_at": created_at,
        "last_status_code": 503, "last_error": HOSTILE,
    }))
    .unwrap()
}

fn unmanaged() -> Plan {
    let desired = DesiredState::default();
    let observed = ObservedState::default();
    let mut plan = plan(&desired, &observed, &LastApplied::new(), &Policy::default()).unwrap();
    plan.unmanaged.push(crate::plan::Unmanaged {
        id: RemoteId::parse(ID).unwrap(),
        name: Some(HOSTILE.to_owned()),
    });
    plan
}

fn page() -> Page {
    let rows = Rows {
        rows: vec![
            event("2026-01-02T09:30:00Z", "failed"),
            event("2026-01-02T09:10:00Z", "delivered"),
            event("2026-01-01T10:10:00Z", "delivered"),
        ],
        total: Some(3),
        unreadable: 0,
    };
    let since = "2026-01-01T10:00:00Z";
    let mut status = StatusDocument::new(HOSTILE, &unmanaged(), &LastApplied::new());
    status.add_deliveries(&DeliveryCounts::new(since, &rows));
    for (key, word, fields) in [
        ("in-sync", "in_sync", vec![]),
        ("drifted", "drifted", vec!["url".to_owned()]),
        ("held", "held", vec![]),
        ("failed", "edited", vec!["name".to_owned()]),
        ("broken", "in_sync", vec![]),
    ] {
        status.webhooks.push(crate::render::StatusRow {
            key: Some(key.to_owned()),
            id: None,
            name: Some(HOSTILE.to_owned()),
            status: word,
            fields,
            deliveries: None,
            held: (word == "held").then_some(crate::render::Held::RolledBack),
            verification: None,
        });
    }
    let judged = |verdict, status| ChangeVerdict {
        verdict,
        since: None,
        event_id: None,
        status,
        evidence: HOSTILE.to_owned(),
    };
    let verdicts = [
        ("broken", judged("failing", Some(503))),
        ("in-sync", judged("proven", None)),
        ("held", judged("no_traffic", None)),
        ("drifted", ChangeVerdict::waiting()),
        ("deleted", judged("rejected", Some(401))),
    ];
    let verdicts = verdicts.map(|(key, verdict)| (Key::parse(key).unwrap(), verdict));
    status.add_verdicts(&verdicts.into());
    Page {
        target: HOSTILE.to_owned(),
        at: at("2026-01-02T10:00:00Z"),
        status: Some(status),
        problems: [("failed".to_owned(), HOSTILE.to_owned())].into(),
        unknown_deliveries: None,
        files: FilesState::Invalid {
            errors: 2,
            warnings: 1,
        },
        passes: Some(Passes {
            last: Some(LastPass {
                at: at("2026-01-02T09:59:59.5Z"),
                reason: "files",
                took: Duration::from_millis(12),
                is_complete: false,
                error: Some(HOSTILE.to_owned()),
            }),
            standby: Some(HOSTILE.to_owned()),
            next: Some(at("2026-01-02T10:04:00Z")),
        }),
        history: vec![HistoryEntry {
            at: at("2026-01-02T09:00:00Z"),
            api_at: None,
            key: Key::parse("drifted").unwrap(),
            id: RemoteId::parse(ID).unwrap(),
            action: HistoryAction::Unknown(HOSTILE.to_owned()),
            changes: vec![HistoryChange {
                field: Cow::Borrowed("url"),
                from: Some("https://old.example.com/private".to_owned()),
                to: "https://new.example.com/private".to_owned(),
                cause: HistoryCause::Drift,
            }],
            provenance: Some(Box::new(Provenance {
                commit: "<b>0123456789abcdef".to_owned(),
                author: "A Person".to_owned(),
                modified: true,
            })),
            run: None,
        }],
    }
}

/// The page without its own style and script.
fn markup(html: &str) -> String {
    html.replace(STYLE, "(style)\n")
        .replace(SCRIPT, "(script)\n")
}

#[test]
fn a_live_page_with_hostile_texts() {
    let html = page().to_html(PageForm::Live { version: "a.1" }, "n0nce");
    insta::assert_snapshot!("live", markup(&html));
}

#[test]
fn a_file_with_nothing_to_show() {
    let empty = Page {
        target: "qa".to_owned(),
        at: at("2026-01-02T10:00:00Z"),
        status: None,
        problems: BTreeMap::new(),
        unknown_deliveries: None,
        files: FilesState::Unread,
        passes: None,
        history: Vec::new(),
    };
    insta::assert_snapshot!("file", markup(&empty.to_html(PageForm::File, "n0nce")));
}

#[test]
fn unknown_deliveries_are_a_fact_and_no_column() {
    let plan = unmanaged();
    let page = Page {
        status: Some(StatusDocument::new("qa", &plan, &LastApplied::new())),
        unknown_deliveries: Some("<b>".to_owned()),
        ..page()
    };
    let html = page.to_html(PageForm::Live { version: "a.1" }, "n0nce");
    let fact = "<div><dt>Deliveries of 24 hours</dt><dd>unknown: &lt;b&gt;</dd></div>";
    assert!(html.contains(fact), "{html}");
    assert!(!html.contains("<th scope=\"col\">Deliveries"), "{html}");
    assert!(!html.contains("class=\"spark\""), "{html}");
}

#[test]
fn no_text_from_outside_becomes_markup() {
    for form in [PageForm::File, PageForm::Live { version: HOSTILE }] {
        let page = Page {
            unknown_deliveries: Some(HOSTILE.to_owned()),
            ..page()
        };
        let html = page.to_html(form, "n0nce");
        assert_eq!(html.matches("<script").count(), 1);
        assert_eq!(html.matches("</style>").count(), 1);
        assert!(!html.contains("<b>") && !html.contains('\u{202e}'));
        assert!(!html.contains("private") && !html.contains("A Person"));
    }
}

#[test]
fn held_and_failing_webhooks_are_first() {
    let html = page().to_html(PageForm::File, "n0nce");
    let position = |key: &str| html.find(&format!("<span class=\"key\">{key}<")).unwrap();
    let failing = html.find("<span class=\"key\">&lt;script&gt;").unwrap();
    let positions = [
        position("held"),
        position("failed"),
        failing,
        position("broken"),
        position("drifted"),
        position("in-sync"),
    ];
    assert!(positions.is_sorted(), "{positions:?}");
}

#[test]
fn the_own_files_contain_nothing_that_ends_their_element() {
    assert!(!STYLE.contains("</") && !STYLE.contains("url(") && !STYLE.contains("@import"));
    assert!(
        !SCRIPT.contains("</script") && !SCRIPT.contains("innerHTML") && !SCRIPT.contains("http")
    );
}

#[test]
fn the_status_after_a_pass_is_the_plan_with_its_results() {
    let plan = unmanaged();
    let held: BTreeSet<Key> = [Key::parse("fought-over").unwrap()].into();
    let pass = EndedPass {
        plan: &plan,
        results: &[],
        left: &[],
        held: &held,
    };
    let status = StatusDocument::after_pass("qa", pass, &LastApplied::new());
    let rows: Vec<_> = status
        .webhooks
        .iter()
        .map(|row| (row.key.as_deref(), row.status))
        .collect();
    assert_eq!(rows, [(Some("fought-over"), "held"), (None, "unmanaged")]);
    assert_eq!(status.pending(), 1);
}
