//! Status and deliveries.

use serde_json::{Value, json};

use crate::documents::{conforms, validator};
use crate::harness::{Account, Repository, Run};

fn run(repository: &Repository, account: &Account, arguments: &[&str]) -> Run {
    let url = account.sandbox.base_url();
    let mut all = vec!["--api-url", url.as_str()];
    all.extend(arguments);
    repository.run(&all)
}

fn now() -> String {
    jiff::Timestamp::now().to_string()
}

pub(crate) fn event(account: &Account, number: u32, webhook: &str, status: &str, fields: &Value) {
    let mut event = json!({
        "event_id": format!("evt-{number}"),
        "_id": format!("{number:024x}"),
        "subscription_id": webhook,
        "action": "workflow_run_completed",
        "status": status,
        "created_at": now(),
        "payload": { "caller": "s3cr3t-caller" },
        "attempts_count": 1,
    });
    let object = event.as_object_mut().unwrap();
    for (name, value) in fields.as_object().unwrap() {
        object.insert(name.clone(), value.clone());
    }
    account.sandbox.seed_event(event).unwrap();
}

/// One webhook in each state, and some deliveries.
pub(crate) fn everything() -> (Account, Repository) {
    let account = Account::new();
    let repository = Repository::with(
        "webhooks:
  drifted: { url: 'https://drifted.example.com', actions: all }
  edited: { url: 'https://edited.example.com', actions: all }
  gone: { url: 'https://gone.example.com', actions: all }
  orphan: { url: 'https://orphan.example.com', actions: all }
  same: { url: 'https://same.example.com', actions: all }
",
    );
    repository.settled(&account);
    account.edit("drifted", &json!({ "max_retries": 7 }));
    let gone = account.id("gone");
    account.sandbox.remove(&gone).unwrap();
    account.put(
        "5eb7cf5a86d9755df3a6c002",
        "Stranger's",
        "https://u.example.com",
    );
    repository.declare(
        "webhooks:
  drifted: { url: 'https://drifted.example.com', actions: all }
  edited: { url: 'https://edited.example.com/v2', actions: all }
  gone: { url: 'https://gone.example.com', actions: all }
  new: { url: 'https://new.example.com', actions: all }
  same: { url: 'https://same.example.com', actions: all }
",
    );
    let same = account.id("same");
    event(
        &account,
        1,
        &same,
        "delivered",
        &json!({
        "delivered_at": "2026-01-01T10:00:00.000Z", "last_status_code": 200 }),
    );
    event(
        &account,
        2,
        &same,
        "failed",
        &json!({
        "last_status_code": 503, "last_error": "\u{1b}[31mno\u{1b}[0m upstream" }),
    );
    event(
        &account,
        3,
        &same,
        "retrying",
        &json!({ "last_status_code": 500 }),
    );
    event(
        &account,
        4,
        &same,
        "delivered",
        &json!({ "created_at": "2020-01-01T00:00:00Z" }),
    );
    account.requests();
    (account, repository)
}

#[test]
fn every_state_is_shown_with_its_deliveries() {
    let (account, repository) = everything();
    let shown = run(&repository, &account, &["status"]).code(0).stdout;
    let mut settings = insta::Settings::clone_current();
    settings.add_filter("[0-9a-f]{24}", "(an id of 24 digits)   ");
    settings.bind(|| insta::assert_snapshot!("status", shown));
    assert_eq!(account.requests(), ["GET workflow-webhooks", "GET events"]);
    let document = run(&repository, &account, &["status", "--output", "json"])
        .code(0)
        .json();
    conforms(&validator("status-v1.schema.json"), &document);
    let row = |key: &str| {
        let rows = document["webhooks"].as_array().unwrap();
        rows.iter().find(|row| row["key"] == key).unwrap().clone()
    };
    assert_eq!(row("drifted")["status"], "drifted");
    assert_eq!(row("drifted")["fields"], json!(["max_retries"]));
    assert_eq!(row("gone")["status"], "missing");
    let deliveries = &row("same")["deliveries"];
    assert_eq!(deliveries["delivered"], 1, "one is older than a day");
    let hours = deliveries["hours"].as_array().unwrap();
    assert_eq!(
        hours.last(),
        Some(&json!({ "delivered": 1, "waiting": 1, "failed": 1 }))
    );
    assert!(row("edited")["deliveries"].get("hours").is_none());
    assert_eq!(
        (&deliveries["failed"], &deliveries["retrying"]),
        (&json!(1), &json!(1))
    );
    account.requests();
    run(
        &repository,
        &account,
        &["status", "--no-deliveries", "--only", "same"],
    )
    .code(0)
    .shows("same");
    assert_eq!(account.requests(), ["GET workflow-webhooks"]);
    let broken = Repository::with("webhooks: [");
    let failed = run(&broken, &account, &["status", "--output", "json"])
        .code(1)
        .json();
    conforms(&validator("status-v1.schema.json"), &failed);
}

#[test]
fn events_are_listed_filtered_and_paged() {
    let (account, repository) = everything();
    let schema = validator("deliveries-v1.schema.json");
    let listed = run(&repository, &account, &["events"]).code(0).stdout;
    assert_eq!(listed.lines().count(), 5, "{listed}");
    assert!(
        !listed.contains("caller") && !listed.contains('\u{1b}'),
        "{listed}"
    );
    run(&repository, &account, &["events", "--limit", "2"])
        .code(0)
        .shows("2 of 4; --limit shows more");
    let json = |arguments: &[&str]| {
        let mut all = vec!["events", "--output", "json"];
        all.extend(arguments);
        let document = run(&repository, &account, &all).code(0).json();
        conforms(&schema, &document);
        document
    };
    assert_eq!(
        json(&["same", "--status", "failed"])["events"][0]["event_id"],
        "evt-2"
    );
    assert_eq!(json(&["--since", "24h"])["total"], 3);
    assert_eq!(json(&["drifted"])["events"], json!([]));
    assert_eq!(json(&["same"])["events"][0]["key"], "same");
    run(&repository, &account, &["events", "unknown"])
        .code(64)
        .complains("'unknown' is neither a known key nor a webhook id");
    for command in [&["status"][..], &["report", "--html", "report.html"]] {
        let all = [command, &["--only", "unknown"]].concat();
        run(&repository, &account, &all)
            .code(64)
            .complains("--only: no key matches 'unknown'");
    }
    run(&repository, &account, &["events", "--status", "lost"]).code(64);
}

#[test]
fn attempts_and_retries_take_either_id() {
    let (account, repository) = everything();
    let schema = validator("deliveries-v1.schema.json");
    account
        .sandbox
        .seed_attempt(json!({
            "event_id": "evt-2", "subscription_id": account.id("same"), "attempt_number": 1,
            "action": "workflow_run_completed", "request_url": "https://same.example.com",
            "success": false, "response_status_code": 503, "latency_ms": 12,
            "response_body": "s3cr3t-body", "error_message": "no upstream",
        }))
        .unwrap();
    let document_id = format!("{:024x}", 2);
    for id in ["evt-2", document_id.as_str()] {
        run(&repository, &account, &["attempts", id])
            .code(0)
            .shows("failed  503   12 ms  no upstream");
        let document = run(&repository, &account, &["attempts", id, "--output", "json"])
            .code(0)
            .json();
        conforms(&schema, &document);
        account.requests();
        let document = run(&repository, &account, &["retry", id, "--output", "json"])
            .code(0)
            .json();
        conforms(&schema, &document);
        let posts: Vec<_> = account
            .requests()
            .into_iter()
            .filter(|request| request.starts_with("POST"))
            .collect();
        assert_eq!(posts.len(), 1, "one call sends one delivery: {posts:?}");
    }
    run(&repository, &account, &["attempts", "nothing"])
        .code(1)
        .complains("no event has the id 'nothing'");
    let failed = run(
        &repository,
        &account,
        &["retry", "../x", "--output", "json"],
    )
    .code(1);
    conforms(&schema, &failed.json());
    account.fault(
        "POST",
        8,
        hookctl::sandbox::Fault::Answer {
            status: 404,
            headers: Vec::new(),
            body: "{\"detail\":\"Not Found\"}".into(),
        },
    );
    run(&repository, &account, &["retry", "evt-2"])
        .code(1)
        .complains("does not offer");
}

#[test]
fn a_plan_that_deletes_or_disables_says_what_would_be_missed() {
    let (account, repository) = everything();
    repository.declare(
        "webhooks:
  drifted: { url: 'https://drifted.example.com', actions: all, enabled: false }
  edited: { url: 'https://edited.example.com/v2', actions: all }
  same: { state: absent }
",
    );
    account.requests();
    let plan = repository.sync(&account, &["--dry-run"]).code(0);
    assert!(
        plan.stdout.contains("      events in the last 24 h: 3\n"),
        "{}",
        plan.stdout
    );
    assert!(
        plan.stdout.contains("      events in the last 24 h: 0\n"),
        "{}",
        plan.stdout
    );
    assert_eq!(
        account.requests(),
        ["GET workflow-webhooks", "GET events", "GET events"],
        "one for each that is deleted or disabled"
    );
    let (_, document) = repository.plan(&account, &[]);
    conforms(&validator("plan-v1.schema.json"), &document);
    let same = document["actions"]
        .as_array()
        .unwrap()
        .iter()
        .find(|entry| entry["key"] == "same");
    assert_eq!(same.unwrap()["recent_events"], 3);
}
