//! The page in a real browser: Chromium, over the WebDriver protocol.
//!
//! `.ci/browser` finds or installs what is needed, and runs this. The variables `CHROMEDRIVER` and `CHROMIUM` name the
//! programs, `AXE` the file `axe.min.js` of axe-core, and `SCREENSHOTS` a folder for pictures.

#![cfg(unix)]
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test fails by panicking"
)]

#[path = "../cli/harness.rs"]
#[expect(dead_code, reason = "the tests of the command line use the rest")]
mod harness;
mod many;
mod webdriver;

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};

use self::harness::{Account, Repository};
use self::webdriver::Browser;

const HOSTILE: &str =
    "<img src=x onerror=\"window.harmed=1\"><script>window.harmed=1</script>'\u{202e}";

/// Key codes of the protocol.
const ESCAPE: &str = "\u{e00c}";
const TAB: &str = "\u{e004}";

const HOOKS: &str = "webhooks:
  billing-run-completed: { name: 'Billing: run completed', url: 'https://hooks.clinic.example/billing', actions: all }
  call-summaries: { name: 'Call summaries', url: 'https://hooks.clinic.example/calls', actions: all }
  escalations: { name: 'Escalations', url: 'https://pager.clinic.example/escalate', actions: all }
  patient-intake: { name: 'Patient intake', url: 'https://ehr.clinic.example/intake', actions: all }
";

fn variable(name: &str) -> Option<String> {
    let value = std::env::var_os(name)?.into_string().ok();
    value.filter(|value| !value.is_empty())
}

fn browser() -> Browser {
    let named =
        |name: &str| variable(name).unwrap_or_else(|| panic!("{name} is not set; run .ci/browser"));
    Browser::start(&named("CHROMEDRIVER"), &named("CHROMIUM"))
}

/// A watch with a page. It ends when this is dropped.
struct Watch {
    child: Child,
    url: String,
}

impl Watch {
    fn start(repository: &Repository, account: &Account, more: &[&str]) -> Self {
        let api = account.sandbox.base_url();
        let mut arguments = vec!["--api-url", &api, "watch", "--interval", "1h"];
        arguments.extend(["--drift", "warn", "--http", ":0"]);
        arguments.extend(more);
        let mut child = repository
            .command(&arguments)
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let url = loop {
            let line = lines.next().expect("the watch says its address").unwrap();
            if let Some(url) = line.strip_prefix("page at ") {
                break url.to_owned();
            }
        };
        std::thread::spawn(move || lines.map_while(Result::ok).for_each(drop));
        Self { child, url }
    }

    /// Asks for a pass.
    fn pass(&self) {
        let id = self.child.id().to_string();
        let sent = Command::new("kill").args(["-HUP", &id]).status();
        assert!(sent.unwrap().success());
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// An account with deliveries of the last day, some of which failed.
fn account() -> (Account, Repository) {
    let (account, repository) = (Account::new(), Repository::with(HOOKS));
    repository.settled(&account);
    let now = jiff::Timestamp::now();
    for (index, name) in account.names().iter().enumerate() {
        let webhook = account.id(name);
        for number in 0..60 {
            let minutes = (number * 23 + index * 7) % 1_400;
            let at = now - jiff::SignedDuration::from_mins(i64::try_from(minutes).unwrap());
            let failed = index == 0 && number % 9 == 0;
            let mut event = json!({
                "event_id": format!("event-{index}-{number}"), "subscription_id": webhook,
                "action": "workflow_run_completed", "status": "delivered", "created_at": at.to_string(),
                "attempts_count": 1, "last_status_code": 200,
            });
            if failed {
                event["status"] = json!("failed");
                event["last_status_code"] = json!(503);
                event["last_error"] = json!("no upstream");
            }
            account.sandbox.seed_event(event).unwrap();
        }
    }
    (account, repository)
}

fn scheme(browser: &Browser, name: &str) {
    let feature = json!({ "name": "prefers-color-scheme", "value": name });
    browser.devtools(
        "Emulation.setEmulatedMedia",
        &json!({ "features": [feature] }),
    );
}

fn width(browser: &Browser, width: u32) {
    let metrics = json!({ "width": width, "height": 800, "deviceScaleFactor": 1, "mobile": false });
    browser.devtools("Emulation.setDeviceMetricsOverride", &metrics);
}

/// Expects no violation of the rules of axe-core, in both schemes and on a narrow screen.
fn accessible(browser: &Browser) {
    let Some(path) = variable("AXE") else {
        println!("skipped: AXE is not set, so the rules of axe-core are not checked");
        return;
    };
    let axe = fs::read_to_string(path).unwrap();
    browser.run(&format!("{axe}\nwindow.axe = axe;"));
    for (name, pixels) in [
        ("light", 1_000),
        ("dark", 1_000),
        ("dark", 360),
        ("light", 360),
    ] {
        scheme(browser, name);
        width(browser, pixels);
        let script = "const done = arguments[0];
            axe.run().then((found) => done({
                violations: found.violations.map((one) => [one.id, one.nodes.map((node) => node.html)]),
                passes: found.passes.length,
            }), (error) => done(String(error)));";
        let found = browser.run_async(script);
        assert_eq!(
            found["violations"],
            json!([]),
            "{name}, {pixels}: {found:#}"
        );
        assert!(found["passes"].as_u64().unwrap() > 10, "{found:#}");
        let wide = browser.run("return document.documentElement.scrollWidth - innerWidth;");
        assert!(
            wide.as_i64().unwrap() <= 0,
            "{pixels}: {wide} pixels too wide"
        );
    }
    scheme(browser, "light");
    width(browser, 1_000);
}

fn pictures(browser: &Browser, name: &str) {
    let Some(folder) = variable("SCREENSHOTS") else {
        return;
    };
    browser.run("document.activeElement.blur(); scrollTo(0, 0);");
    for (size, pixels) in [("", 1_000), ("-narrow", 360)] {
        width(browser, pixels);
        for scheme_name in ["light", "dark"] {
            scheme(browser, scheme_name);
            let path = Path::new(&folder).join(format!("{name}{size}-{scheme_name}.png.base64"));
            fs::write(path, browser.screenshot()).unwrap();
        }
    }
    scheme(browser, "light");
    width(browser, 1_000);
}

/// Makes a webhook whose name would harm a page that took it for markup.
fn put_hostile(account: &Account) {
    let id = "5eb7cf5a86d9755df3a6c001";
    account.put(id, HOSTILE, "https://mine.example.com");
}

fn rows(browser: &Browser) -> Value {
    browser.run(
        "return [...document.querySelectorAll('#webhooks tbody tr')]
            .filter((row) => !row.hidden).map((row) => row.querySelector('.key').textContent);",
    )
}

fn harmless(browser: &Browser) {
    let found = browser.run("return [window.harmed ?? null, document.querySelectorAll('main img, main script').length];");
    assert_eq!(found, json!([null, 0]));
    let shown = HOSTILE.replace('\u{202e}', "\\u{202e}");
    let names = rows(browser);
    assert!(
        names.as_array().unwrap().contains(&json!(shown)),
        "{names:#}"
    );
}

#[test]
#[ignore = "needs a browser: .ci/browser"]
fn a_live_page() {
    let (account, repository) = account();
    let (browser, watch) = (browser(), Watch::start(&repository, &account, &[]));
    browser.open(&watch.url);
    browser.until("document.getElementById('live').textContent === 'Live'");
    browser.until("document.body.innerText.includes('4 in sync')");
    // The deliveries of each webhook are drawn, with a label that says the same in words.
    browser.until("document.querySelectorAll('svg.spark[role=img][aria-label]').length === 4");
    browser.until("document.body.innerText.includes('7 failed')");

    // The fastest of three saves is on the page within a second.
    let save = |seconds: u32| {
        let saved = HOOKS.replace(
            "intake', actions: all",
            &format!("intake', actions: all, timeout_seconds: {seconds}"),
        );
        repository.declare(&saved);
        browser.until(&format!(
            "[...document.querySelectorAll('#history tbody tr')].filter((row) => \
             row.innerText.includes('update patient-intake')).length === {}",
            seconds - 10
        ))
    };
    let fastest = (11..14).map(save).min().unwrap();
    println!("a save is on the page after {} ms", fastest.as_millis());
    assert!(fastest.as_millis() < 1_000, "{fastest:?}");

    // The keyboard: a filter, which stays while the page changes.
    browser.press("/escalat");
    assert_eq!(rows(&browser), json!(["escalations"]));
    assert_eq!(
        browser.run("return document.getElementById('shown').textContent;"),
        "1 of 4 shown"
    );
    account.edit("Escalations", &json!({ "max_retries": 9 }));
    watch.pass();
    browser.until("document.body.innerText.includes('1 drifted')");
    assert_eq!(rows(&browser), json!(["escalations"]));
    assert_eq!(browser.focus(), "words");
    browser.press(ESCAPE);
    assert_eq!(rows(&browser).as_array().unwrap().len(), 4);
    assert_eq!(
        json!([rows(&browser)[0], rows(&browser)[1]]),
        json!(["billing-run-completed", "escalations"]),
        "what fails is first, then drift"
    );
    browser.press(TAB);
    assert_eq!(browser.focus(), "webhooks-table");
    account.edit("Escalations", &json!({ "timeout_seconds": 44 }));
    watch.pass();
    browser.until(
        "document.getElementById('webhooks').innerText.includes('timeout_seconds, max_retries')",
    );
    assert_eq!(browser.focus(), "webhooks-table");
    browser.press(TAB);
    assert_eq!(browser.focus(), "history-table");

    pictures(&browser, "watch");

    put_hostile(&account);
    watch.pass();
    browser.until("document.body.innerText.includes('1 unmanaged')");
    harmless(&browser);
    assert_eq!(browser.console(), [""; 0]);
    let elsewhere: Vec<String> = browser.requests();
    let elsewhere: Vec<&String> = elsewhere
        .iter()
        .filter(|url| !url.starts_with(&watch.url) && !url.starts_with("data:"))
        .collect();
    assert!(elsewhere.is_empty(), "{elsewhere:?}");
    accessible(&browser);

    // The page says when its watch has ended, and keeps what it shows.
    drop(watch);
    browser.until("document.getElementById('live').textContent === 'Not connected'");
    assert_eq!(rows(&browser).as_array().unwrap().len(), 5);
}

/// Adds an event of a webhook after each change of a test, with one attempt at an address.
fn deliver(account: &Account, name: &str, url: &str, status: u16) {
    let at = jiff::Timestamp::now() + jiff::SignedDuration::from_hours(1);
    let (event, success) = (format!("event-of-{status}"), status == 200);
    let delivered = json!({
        "event_id": event, "subscription_id": account.id(name), "action": "workflow_run_completed",
        "status": if success { "delivered" } else { "failed" }, "created_at": at.to_string(),
        "attempts_count": 1,
    });
    account.sandbox.seed_event(delivered).unwrap();
    let attempt = json!({
        "event_id": event, "subscription_id": account.id(name), "attempt_number": 1,
        "action": "workflow_run_completed", "request_url": url, "success": success,
        "response_status_code": status,
    });
    account.sandbox.seed_attempt(attempt).unwrap();
}

/// Returns the first row's key, and the text of its cell about deliveries.
fn first_verdict(browser: &Browser) -> Value {
    browser.run(
        "const row = document.querySelector('#webhooks tbody tr');
        return [row.querySelector('.key').textContent, row.querySelector('[data-label=\"Last change\"]').textContent];",
    )
}

#[test]
#[ignore = "needs a browser: .ci/browser"]
fn a_failing_delivery_appears() {
    let (account, repository) = (Account::new(), Repository::with(HOOKS));
    repository.settled(&account);
    let watch = Watch::start(&repository, &account, &["--verify", "5m"]);
    let browser = browser();
    browser.open(&watch.url);
    browser.until("document.getElementById('facts').innerText.includes('no changes yet')");

    // Both changes are applied. Only deliveries tell that one of them does not work.
    let save = |from: &str, to: &str| {
        let saved = HOOKS.replace(from, to);
        repository.declare(&saved);
    };
    deliver(
        &account,
        "Escalations",
        "https://pager.clinic.example/v2",
        503,
    );
    save("/escalate", "/v2");
    browser.until("document.getElementById('facts').innerText.includes('1 failing')");
    assert_eq!(
        first_verdict(&browser),
        json!(["escalations", "failing event event-of-503: status 503"])
    );
    let shown = browser.run("return document.querySelector('#webhooks tbody .badge').textContent;");
    assert_eq!(shown, "in sync");
    browser.press("/failing");
    assert_eq!(rows(&browser), json!(["escalations"]));
    browser.press(ESCAPE);
    accessible(&browser);
    pictures(&browser, "deliveries");

    deliver(
        &account,
        "Escalations",
        "https://pager.clinic.example/v3",
        200,
    );
    save("/escalate", "/v3");
    browser.until("document.getElementById('facts').innerText.includes('1 proven')");
    browser.until("!document.body.innerText.includes('failing')");
    assert_eq!(browser.console(), [""; 0]);
}

#[test]
#[ignore = "needs a browser: .ci/browser"]
fn a_report() {
    let (account, repository) = account();
    let api = account.sandbox.base_url();
    account.edit("Escalations", &json!({ "max_retries": 9 }));
    let report = || {
        let arguments = ["--api-url", &api, "report", "--html", "report.html"];
        repository.run(&arguments).code(0)
    };
    report();
    let browser = browser();
    let url = format!(
        "file://{}",
        repository.path("report.html").to_str().unwrap()
    );
    browser.open(&url);
    pictures(&browser, "report");
    put_hostile(&account);
    report();
    browser.open(&url);
    harmless(&browser);
    assert_eq!(
        rows(&browser)[0],
        "billing-run-completed",
        "what fails is first"
    );
    browser.until("document.body.innerText.includes('7 failed')");
    browser.until("document.querySelectorAll('svg.spark').length === 4");
    browser.press("/drifted");
    assert_eq!(rows(&browser), json!(["escalations"]));
    browser.press(ESCAPE);
    assert_eq!(browser.console(), [""; 0]);
    for request in browser.requests() {
        assert!(request == url || request.starts_with("data:"), "{request}");
    }
    accessible(&browser);
}
