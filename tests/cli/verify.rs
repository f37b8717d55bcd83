//! Proof of delivery: verdicts, requests, and exit codes.

use hookctl::sandbox::{Fault, When};
use serde_json::{Value, json};

use crate::documents::{conforms, validator};
use crate::harness::{API_KEY, Account, BILLING, CANARY, Repository, Run, codes};

pub(crate) const URL: &str = "https://hooks.example.com/billing";

/// A moment so many seconds from now, as the API writes it.
fn later(seconds: i64) -> String {
    let now = jiff::Timestamp::now();
    let at = now.checked_add(jiff::SignedDuration::from_secs(seconds));
    at.unwrap().to_string()
}

/// Seconds from now after which every change of a test has been made, however slow the machine is.
pub(crate) const AFTER: i64 = 3_600;

/// Adds an event after the change, with one attempt to an address.
pub(crate) fn delivery(account: &Account, number: u32, key: &str, url: &str, status: u16) {
    delivery_at(account, number, key, url, status, AFTER);
}

fn delivery_at(account: &Account, number: u32, key: &str, url: &str, status: u16, seconds: i64) {
    delivery_to(account, number, &account.id(key), url, status, seconds);
}

pub(crate) fn delivery_to(
    account: &Account,
    number: u32,
    webhook: &str,
    url: &str,
    status: u16,
    seconds: i64,
) {
    let success = (200..300).contains(&status);
    let event = json!({
        "event_id": format!("evt-{number}"),
        "_id": format!("{number:024x}"),
        "subscription_id": webhook,
        "action": "workflow_run_completed",
        "status": if success { "delivered" } else { "failed" },
        "created_at": later(seconds),
        "attempts_count": 1,
        "payload": { "caller": "s3cr3t-caller" },
    });
    account.sandbox.seed_event(event).unwrap();
    attempt(account, number, 1, url, status);
}

fn attempt(account: &Account, number: u32, attempt: u32, url: &str, status: u16) {
    let success = (200..300).contains(&status);
    let attempt = json!({
        "event_id": format!("evt-{number}"),
        "subscription_id": "any",
        "attempt_number": attempt,
        "action": "workflow_run_completed",
        "request_url": url,
        "success": success,
        "response_status_code": status,
        "response_body": "s3cr3t-body",
        "error_message": if success { Value::Null } else { format!("no {API_KEY} upstream").into() },
    });
    account.sandbox.seed_attempt(attempt).unwrap();
}

pub(crate) fn verify(repository: &Repository, account: &Account, arguments: &[&str]) -> Run {
    let url = account.sandbox.base_url();
    let mut all = vec!["--api-url", url.as_str(), "verify"];
    all.extend(arguments);
    repository.run(&all)
}

/// A repository whose one webhook is as declared.
pub(crate) fn settled() -> (Account, Repository) {
    let account = Account::new();
    let repository = Repository::with(BILLING);
    repository.settled(&account);
    (account, repository)
}

fn verdicts(document: &Value) -> Vec<(&str, &str)> {
    let rows = document["webhooks"].as_array().unwrap().iter();
    rows.map(|row| {
        (
            row["key"].as_str().unwrap(),
            row["verdict"].as_str().unwrap(),
        )
    })
    .collect()
}

#[test]
fn a_delivery_after_the_change_proves_it_with_two_requests() {
    let (account, repository) = settled();
    delivery(&account, 1, "Billing", URL, 204);
    verify(&repository, &account, &[])
        .code(0)
        .shows("billing  proven   event evt-1 was delivered")
        .shows("Deliveries of 1 webhook: 1 proven.");
    let requests = account.sandbox.requests();
    let paths: Vec<&str> = requests.iter().map(|one| one.path.as_str()).collect();
    assert_eq!(
        paths,
        [
            "/workflows/v1/workflow-webhooks/events",
            "/workflows/v1/workflow-webhooks/events/evt-1/attempts"
        ]
    );
    let id = account.id("Billing");
    assert_eq!(requests[0].query("subscription_id"), Some(id.as_str()));
    let start = requests[0].query("start").unwrap();
    let start: jiff::Timestamp = start.parse().unwrap();
    let ago = jiff::Timestamp::now().duration_since(start);
    assert!(ago.as_secs() < 60, "events since the change: {ago}");
}

#[test]
fn what_is_before_the_change_or_went_elsewhere_proves_nothing() {
    let (account, repository) = settled();
    delivery_at(&account, 1, "Billing", URL, 500, -60);
    delivery_at(&account, 2, "Billing", URL, 200, -60);
    let document = verify(
        &repository,
        &account,
        &["--timeout", "0s", "--output", "json"],
    );
    let document = document.code(0).json();
    conforms(&validator("verify-v1.schema.json"), &document);
    assert_eq!(verdicts(&document), [("billing", "no_traffic")]);
    assert_eq!(account.requests(), ["GET events"]);

    delivery(
        &account,
        3,
        "Billing",
        "https://old.example.com/billing",
        200,
    );
    let arguments = ["--timeout", "2s", "--output", "json", "--require-traffic"];
    let document = verify(&repository, &account, &arguments).code(6).json();
    assert_eq!(verdicts(&document), [("billing", "pending")]);
    assert_eq!(codes(&document), ["no-traffic"]);

    // Without a recorded change, a day decides.
    let arguments = ["--since", "24h", "--output", "json"];
    let document = verify(&repository, &account, &arguments).code(0).json();
    assert_eq!(verdicts(&document), [("billing", "proven")]);
}

#[test]
fn a_rejected_token_and_a_failing_receiver_exit_with_six() {
    let account = Account::new();
    let mut repository = Repository::with(
        "webhooks:
  failing: { url: 'https://a.example.com', actions: all }
  off: { url: 'https://d.example.com', actions: all, enabled: false }
  proven: { url: 'https://b.example.com', actions: all }
  rejected: { url: 'https://c.example.com', actions: all, bearer_token: { env: TOKEN } }
",
    );
    repository.set("TOKEN", "s3cr3t-token");
    repository.settled(&account);
    delivery(&account, 1, "failing", "https://a.example.com", 503);
    delivery(&account, 2, "proven", "https://b.example.com", 200);
    delivery(&account, 3, "rejected", "https://c.example.com", 401);
    let document = verify(&repository, &account, &["--output", "json"]);
    let document = document.code(6).json();
    conforms(&validator("verify-v1.schema.json"), &document);
    assert_eq!(
        verdicts(&document),
        [
            ("failing", "failing"),
            ("off", "disabled"),
            ("proven", "proven"),
            ("rejected", "rejected")
        ]
    );
    assert_eq!(codes(&document), ["delivery-rejected", "delivery-failing"]);
    let failing = &document["webhooks"][0];
    assert_eq!(failing["status"], 503);
    assert!(!failing["error"].as_str().unwrap().contains(CANARY));
    let requests = account.requests();
    assert_eq!(
        requests.len(),
        6,
        "two polls, one request for each: {requests:?}"
    );
    assert_eq!(requests[..3], ["GET events", "GET events", "GET events"]);

    verify(&repository, &account, &["rej*"])
        .code(6)
        .shows("event evt-3: status 401, the receiver does not accept the token")
        .complains("error[delivery-rejected]: the receiver does not accept the token of 'rejected'")
        .complains("hint: correct the token");
    verify(
        &repository,
        &account,
        &["--output", "markdown", "rejected", "proven"],
    )
    .code(6)
    .shows("| `rejected` | rejected | event evt-3: status 401");
}

#[test]
fn patterns_match_recorded_keys() {
    let (account, repository) = settled();
    verify(&repository, &account, &["biling"])
        .code(64)
        .complains("no key matches 'biling'")
        .complains("did you mean 'billing'?");
    let fresh = Repository::with(BILLING);
    verify(&fresh, &account, &[])
        .code(0)
        .shows("Nothing to verify.");
    assert_eq!(account.requests(), [] as [&str; 0]);
}

#[test]
fn an_adopted_webhook_without_a_change_is_not_verified() {
    let account = Account::new();
    account.put("5eb7cf5a86d9755df3a6c001", "Billing", URL);
    let repository = Repository::with(BILLING);
    repository.settled(&account);
    verify(&repository, &account, &[])
        .code(0)
        .complains("notice[no-change]: not verified: the record has no change of 'billing'")
        .complains("hint: add --since");
}

#[test]
fn a_sync_verifies_what_it_changed_and_nothing_else() {
    let (account, repository) = settled();
    let other = "  other: { url: 'https://other.example.com', actions: all }\n";
    repository.declare(&format!("{BILLING}{other}"));
    repository.settled(&account);
    let moved = BILLING.replace("/billing", "/v2");
    repository.declare(&format!("{moved}{other}"));
    delivery(&account, 1, "Billing", "https://hooks.example.com/v2", 200);
    let run = repository
        .sync(&account, &["--verify", "5m"])
        .code(0)
        .shows("Applied: 1 updated.")
        .shows("billing  proven   event evt-1 was delivered");
    assert!(!run.stdout.contains("other"), "{}", run.stdout);
    assert_eq!(
        account.requests(),
        [
            "GET workflow-webhooks",
            "PATCH 000000000000000100000001 {\"url\":\"https://hooks.example.com/v2\"}",
            "GET events",
            "GET attempts",
        ]
        .map(|line| line.replace("000000000000000100000001", &account.id("Billing")))
    );
    // Nothing was changed, so nothing is read.
    let run = repository.sync(&account, &["--verify", "5m"]).code(0);
    assert_eq!(run.stdout.lines().count(), 1, "{}", run.stdout);
    assert_eq!(account.requests(), ["GET workflow-webhooks"]);
    let comment = ["--verify", "5m", "--output", "markdown"];
    let run = repository.sync(&account, &comment).code(0);
    assert_eq!(run.stdout.lines().count(), 1, "{}", run.stdout);
}

#[test]
fn the_verdicts_of_a_sync_are_in_its_document_and_its_comment() {
    let (account, repository) = settled();
    let failing = |number: u32, path: &str| {
        repository.declare(&BILLING.replace("/billing", path));
        let url = format!("https://hooks.example.com{path}");
        delivery(&account, number, "Billing", &url, 404);
    };
    failing(1, "/v2");
    let arguments = ["--verify", "5m", "--output", "json"];
    let document = repository.sync(&account, &arguments).code(6).json();
    conforms(&validator("plan-v1.schema.json"), &document);
    let verification = &document["verification"];
    assert_eq!(verdicts(verification), [("billing", "failing")]);
    assert_eq!(verification["complete"], true);
    assert_eq!(verification["webhooks"][0]["status"], 404);
    assert_eq!(codes(&document), ["delivery-failing"]);
    failing(2, "/v3");
    let arguments = ["--verify", "5m", "--output", "markdown"];
    repository
        .sync(&account, &arguments)
        .code(6)
        .shows("**Applied: 1 updated.")
        .shows("**Deliveries of 1 webhook: 1 failing.**")
        .shows("| `billing` | failing | event evt-2: status 404: no")
        .shows("`delivery-failing`");
    failing(3, "/v4");
    repository
        .sync(&account, &["--verify", "5m", "--output", "diff"])
        .code(6)
        .complains("Deliveries of 1 webhook: 1 failing.");
}

#[test]
fn a_partly_failed_apply_exits_with_four_even_if_deliveries_fail() {
    let (account, repository) = settled();
    let other = "  other: { url: 'https://other.example.com', actions: all }\n";
    let moved = BILLING.replace("/billing", "/v2");
    repository.declare(&format!("{moved}{other}"));
    delivery(&account, 1, "Billing", "https://hooks.example.com/v2", 404);
    // The create of the repository was the first.
    account.fault("POST", 2, refusal());
    repository
        .sync(&account, &["--verify", "5m"])
        .code(4)
        .shows("billing  failing");
}

pub(crate) fn refusal() -> Fault {
    Fault::Answer {
        status: 400,
        headers: Vec::new(),
        body: "{\"message\":\"not today\"}".to_owned(),
    }
}

#[test]
fn deliveries_that_cannot_be_read_are_no_success() {
    let (account, repository) = settled();
    let next = account.sandbox.received() + 1;
    account.sandbox.fault(When::Request(next), refusal());
    verify(&repository, &account, &["--timeout", "0s"])
        .code(1)
        .shows("pending  could not read its deliveries")
        .complains("error[deliveries-unread]");
    repository.declare(&BILLING.replace("/billing", "/v2"));
    let next = account.sandbox.received() + 3;
    account.sandbox.fault(When::Request(next), refusal());
    repository
        .sync(&account, &["--verify", "0s"])
        .code(4)
        .complains("`hookctl verify` looks again");
}

#[test]
fn a_failed_event_is_sent_again_once() {
    let (account, repository) = settled();
    delivery_at(&account, 1, "Billing", URL, 503, -500);
    delivery_at(&account, 2, "Billing", URL, 503, -400);
    // The attempt that follows the request.
    attempt(&account, 2, 2, URL, 200);
    verify(&repository, &account, &["--retry-failed"])
        .code(0)
        .shows("event evt-2 was delivered; redelivery of evt-2 requested");
    let requests = account.requests();
    assert_eq!(
        requests,
        ["GET events", "POST retry", "GET attempts"],
        "one request for each poll"
    );
}

#[test]
fn options_that_make_no_sense_together_are_refused() {
    let (account, repository) = settled();
    repository
        .sync(&account, &["--dry-run", "--verify", "5m"])
        .code(64);
    repository.sync(&account, &["--require-traffic"]).code(64);
    repository.sync(&account, &["--retry-failed"]).code(64);
    repository.sync(&account, &["--rollback"]).code(64);
    repository
        .sync(&account, &["--dry-run", "--out", "p.json", "--retry-held"])
        .code(64);
    repository
        .sync(&account, &["--verify", "soon"])
        .code(64)
        .complains("'soon'");
    verify(
        &repository,
        &account,
        &["--timeout", "x", "--output", "json"],
    )
    .code(64);
}

#[test]
#[cfg(unix)]
fn an_interrupted_verification_says_how_to_continue() {
    let (account, repository) = settled();
    repository.declare(&BILLING.replace("/billing", "/v2"));
    let url = account.sandbox.base_url();
    let mut command = repository.command(&[
        "--api-url",
        &url,
        "sync",
        "--verify",
        "10m",
        "--output",
        "json",
    ]);
    let child = command
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let patched = || {
        let requests = account.sandbox.requests();
        requests.iter().any(|one| one.path.ends_with("/events"))
    };
    while !patched() {
        std::thread::yield_now();
    }
    crate::interruption::signal(&child, "INT");
    let run = Run::of(child.wait_with_output().unwrap()).code(130);
    let document = run.json();
    conforms(&validator("plan-v1.schema.json"), &document);
    assert_eq!(document["actions"][0]["result"], "applied");
    assert_eq!(document["verification"]["complete"], false);
}

#[test]
fn nothing_to_verify_is_no_proof() {
    let (account, repository) = (Account::new(), Repository::with(BILLING));
    verify(&repository, &account, &[])
        .code(0)
        .shows("Nothing to verify.");
    verify(&repository, &account, &["--require-traffic"])
        .code(6)
        .complains("error[no-traffic]: no webhook of the record was verified");
}

#[test]
#[cfg(unix)]
fn a_watch_verifies_beside_its_passes() {
    use crate::metrics::{metrics, serving};

    let (account, repository) = settled();
    let arguments = [
        "--verify",
        "5m",
        "--interval",
        "1h",
        "--metrics",
        "127.0.0.1:0",
    ];
    let (watch, address, mut log) = serving(&repository, &account, &arguments);
    let count = |verdict: &str, count: u32| {
        format!("hookctl_delivery_verdicts{{target=\"default\",verdict=\"{verdict}\"}} {count}\n")
    };
    log.until("pass");
    assert!(metrics(&address).contains(&count("pending", 0)));
    let change = |number: u32, path: &str, status: u16| {
        let url = format!("https://hooks.example.com{path}");
        delivery(&account, number, "Billing", &url, status);
        repository.declare(&BILLING.replace("/billing", path));
    };
    change(1, "/v2", 404);
    let line = log.until("deliveries fail after the change");
    for part in [
        "ERROR",
        "key=\"billing\"",
        "verdict=\"failing\"",
        "status=404",
    ] {
        assert!(line.contains(part), "{part} in {line}");
    }
    watch.wait("the count", || {
        metrics(&address).contains(&count("failing", 1))
    });
    change(2, "/v3", 200);
    log.until("verified");
    let text = metrics(&address);
    assert!(text.contains(&count("proven", 1)), "{text}");
    assert!(text.contains(&count("failing", 0)), "{text}");
    // A pass does not wait for the verdict on another change.
    repository.declare(&BILLING.replace("/billing", "/v4"));
    watch.wait("the change", || {
        account.sandbox.webhooks()[0].url.ends_with("/v4")
    });
    watch.wait("the count", || {
        metrics(&address).contains(&count("pending", 1))
    });
    repository.declare(&BILLING.replace("/billing", "/v5"));
    watch.wait("the next change", || {
        account.sandbox.webhooks()[0].url.ends_with("/v5")
    });
}
