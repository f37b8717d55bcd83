//! Recent deliveries on the page of a watch: what it shows of them, and exactly which requests it makes for that.

use hookctl::sandbox::Fault;
use serde_json::{Value, json};

use crate::documents::{conforms, validator};
use crate::harness::{Account, BILLING, CANARY, Repository};
use crate::metrics::{Log, metrics, serving};
use crate::page::{Events, get};
use crate::status::event;
use crate::watch::Watch;

/// Starts a watch, and waits for its first pass without asking for the page.
fn started<'a>(repository: &Repository, account: &'a Account) -> (Watch<'a>, String, Log) {
    let arguments = ["--interval", "1h", "--http", ":0"];
    let (watch, address, log) = serving(repository, account, &arguments);
    passed(&watch, &address, "start", 1);
    (watch, address, log)
}

/// Waits until so many passes have succeeded.
fn passed(watch: &Watch<'_>, address: &str, reason: &str, count: u32) {
    let line = format!(
        "hookctl_passes_total{{target=\"default\",reason=\"{reason}\",result=\"success\"}} {count}\n"
    );
    watch.wait(&format!("{count} passes: {reason}"), || {
        metrics(address).contains(&line)
    });
}

/// Returns the page and the status of a watch, both of which are answered.
fn shown(address: &str) -> (String, Value) {
    let (head, html) = get(address, "/");
    assert!(head.starts_with("HTTP/1.1 200"), "{head}");
    let (head, text) = get(address, "/api/status");
    assert!(head.starts_with("HTTP/1.1 200"), "{head}");
    let document = serde_json::from_str(&text).unwrap();
    conforms(&validator("status-v1.schema.json"), &document);
    for text in [&html, &text] {
        assert!(!text.contains(CANARY), "{text}");
    }
    (html, document)
}

#[test]
fn deliveries_are_read_for_the_page_and_not_again_at_once() {
    let (account, mut repository) = (Account::new(), Repository::new());
    repository.set("HOOK_TOKEN", "s3cr3t-token-of-the-hook");
    repository.declare(&format!(
        "{BILLING}    bearer_token: {{ env: HOOK_TOKEN }}\n"
    ));
    repository.settled(&account);
    let billing = account.id("Billing");
    // The receiver echoes the token. Between two passes, a watch does not know it.
    let echo = json!({ "last_status_code": 503, "last_error": "s3cr3t-token-of-the-hook" });
    event(&account, 1, &billing, "failed", &echo);
    event(&account, 2, &billing, "delivered", &json!({}));
    event(&account, 3, &billing, "retrying", &json!({}));
    event(&account, 4, "<b>of no webhook</b>", "failed", &json!({}));

    let (watch, address, _log) = started(&repository, &account);
    // An open page that is not asked for, metrics, and probes read nothing.
    Events::open(&address).next("data: ");
    for path in ["/metrics", "/healthz", "/readyz"] {
        assert!(get(&address, path).0.starts_with("HTTP/1.1 200"), "{path}");
    }
    assert_eq!(account.requests(), ["GET workflow-webhooks"]);

    watch.wait("the deliveries", || get(&address, "/").1.contains("<svg"));
    let (html, document) = shown(&address);
    for part in [
        "<th scope=\"col\">Deliveries of 24 hours</th>",
        "<svg class=\"spark\" role=\"img\" width=\"96\" height=\"20\" viewBox=\"0 0 96 20\" \
         aria-label=\"At most 3 events an hour; 1 hour with failures\">",
        "<path class=\"ok\" d=\"M92 2h3v6h-3z\"/><path class=\"wait\" d=\"M92 8h3v6h-3z\"/>\
         <path class=\"bad\" d=\"M92 14h3v6h-3z\"/></svg>",
        "<span class=\"bad\">50 %</span>",
        "1 delivered, 1 waiting, 1 failed",
        "<small>last status: 503</small>",
    ] {
        assert!(html.contains(part), "{part} in\n{html}");
    }
    assert!(!html.contains("unknown") && !html.contains("of no webhook"));
    assert_eq!(account.requests(), ["GET events"]);

    // The counts are those of `status`.
    let url = account.sandbox.base_url();
    let arguments = ["--api-url", &url, "status", "--output", "json"];
    let mut said = repository.run(&arguments).code(0).json();
    let echo = said["webhooks"][0]["deliveries"]["last_error"].take();
    assert_eq!(echo, "(secret)");
    assert!(document["since"].is_string());
    assert_eq!(document["webhooks"], said["webhooks"]);

    // Neither a further view nor one after a further pass reads them again.
    account.requests();
    assert!(shown(&address).0.contains("class=\"spark\""));
    watch.signal("HUP");
    passed(&watch, &address, "request", 1);
    assert!(shown(&address).0.contains("class=\"spark\""));
    assert_eq!(account.requests(), ["GET workflow-webhooks"]);
    let counted =
        "hookctl_api_requests_total{target=\"default\",method=\"GET\",status=\"200\"} 3\n";
    let text = metrics(&address);
    assert!(text.contains(counted), "{text}");
}

#[test]
fn deliveries_that_cannot_be_read_are_unknown_and_delay_no_pass() {
    let answer = |status, headers: &[(&str, &str)]| Fault::Answer {
        status,
        headers: headers
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect(),
        body: "{\"detail\":\"<b>s3cr3t</b>\"}".to_owned(),
    };
    for (fault, why) in [
        (
            answer(429, &[("Retry-After", "90")]),
            "the API answers with status 429",
        ),
        (answer(429, &[]), "the API answers with status 429"),
        (
            answer(503, &[("Retry-After", "90")]),
            "the API answers with status 503",
        ),
        (
            answer(500, &[]),
            "the API answers unexpectedly, with status 500",
        ),
        (answer(403, &[]), "the API answers with status 403"),
        (
            answer(200, &[]),
            "the API answers unexpectedly, with status 200",
        ),
        (Fault::CloseBefore, "the API cannot be reached"),
        (Fault::Hang, "not read yet"),
    ] {
        let (account, repository) = (Account::new(), Repository::with(BILLING));
        let lists = {
            repository.sync(&account, &["--yes"]).code(0);
            let requests = account.requests();
            requests
                .iter()
                .filter(|line| line.starts_with("GET"))
                .count()
        };
        // After the list of the first pass.
        account.fault("GET", lists + 2, fault);
        let (watch, address, mut log) = started(&repository, &account);
        assert_eq!(account.requests(), ["GET workflow-webhooks"], "{why}");
        let unknown = format!("<dt>Deliveries of 24 hours</dt><dd>unknown: {why}</dd>");
        watch.wait(why, || get(&address, "/").1.contains(&unknown));
        let (html, document) = shown(&address);
        assert!(
            html.contains("1 in sync") && !html.contains("<b>"),
            "{html}"
        );
        assert_eq!(document["since"], Value::Null);
        assert_eq!(document["webhooks"][0]["deliveries"], Value::Null);
        assert_eq!(account.requests(), ["GET events"], "one attempt: {why}");

        // A save is applied at once, whatever the API said to the reading, and while it waits.
        repository.declare(&format!("{BILLING}    timeout_seconds: 11\n"));
        passed(&watch, &address, "files", 1);
        shown(&address);
        let id = account.id("Billing");
        assert_eq!(
            account.requests(),
            [
                "GET workflow-webhooks".to_owned(),
                format!("PATCH {id} {{\"timeout_seconds\":11}}"),
            ],
            "{why}"
        );
        if why != "not read yet" {
            let line = log.until("could not read the deliveries for the page");
            assert!(
                line.contains("target=\"default\"") && line.contains(why) && !line.contains(CANARY),
                "{line}"
            );
        }
    }
}
