//! The page of a watch, over a real connection, and the file of `report`.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::documents::{conforms, validator};
use crate::harness::{Account, BILLING, CANARY, Repository};
use crate::metrics::{Log, serving};
use crate::status::everything;
use crate::verify::{delivery, settled};
use crate::watch::Watch;

const HOSTILE: &str = "<script>alert(1)</script> \"q' \u{202e}";

/// Sends a request, and returns the head and the body of the answer.
fn ask(address: &str, method: &str, path: &str, host: &str) -> (String, String) {
    let mut stream = TcpStream::connect(address).unwrap();
    write!(stream, "{method} {path} HTTP/1.1\r\nHost: {host}\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.to_owned(), body.to_owned())
}

fn status_of(head: &str) -> &str {
    head.split(' ').nth(1).unwrap()
}

pub(crate) fn get(address: &str, path: &str) -> (String, String) {
    ask(address, "GET", path, address)
}

/// A stream of events.
pub(crate) struct Events(std::io::BufReader<TcpStream>);

impl Events {
    pub(crate) fn open(address: &str) -> Self {
        let mut stream = TcpStream::connect(address).unwrap();
        stream
            .set_read_timeout(Some(Duration::from_mins(1)))
            .unwrap();
        write!(stream, "GET /events HTTP/1.1\r\nHost: {address}\r\n\r\n").unwrap();
        Self(std::io::BufReader::new(stream))
    }

    /// Waits for a line, and returns what follows its beginning.
    pub(crate) fn next(&mut self, beginning: &str) -> String {
        loop {
            let mut line = String::new();
            let read = std::io::BufRead::read_line(&mut self.0, &mut line).unwrap();
            assert!(read > 0, "the stream ended before {beginning}");
            if let Some(rest) = line.strip_prefix(beginning) {
                return rest.trim().to_owned();
            }
        }
    }
}

/// A watch whose first pass has ended, with its address.
fn watching<'a>(
    repository: &Repository,
    account: &'a Account,
    more: &[&str],
) -> (Watch<'a>, String, Log) {
    let mut arguments = vec!["--interval", "1h", "--http", "127.0.0.1:0"];
    arguments.extend(more);
    let (watch, address, log) = serving(repository, account, &arguments);
    watch.wait("the first pass", || {
        status_of(&get(&address, "/api/status").0) == "200"
    });
    (watch, address, log)
}

#[test]
fn a_watch_serves_its_state_as_a_page_and_as_json() {
    let (account, mut repository) = (Account::new(), Repository::with(BILLING));
    repository.set("HOOK_TOKEN", "s3cr3t-token-of-the-hook");
    repository.declare(&format!(
        "{BILLING}    bearer_token: {{ env: HOOK_TOKEN }}\n"
    ));
    account.put(
        "5eb7cf5a86d9755df3a6c001",
        HOSTILE,
        "https://mine.example.com",
    );
    account.put(
        "5eb7cf5a86d9755df3a6c002",
        "echo s3cr3t-token-of-the-hook",
        "https://x.example.com",
    );
    let (_watch, address, mut log) = watching(&repository, &account, &[]);
    assert_eq!(
        log.until("page at").trim(),
        format!("page at http://{address}/")
    );

    let (head, html) = get(&address, "/");
    assert_eq!(status_of(&head), "200");
    let nonce = html.split("<script nonce=\"").nth(1).unwrap();
    let nonce = nonce.split('"').next().unwrap();
    for header in [
        "content-type: text/html; charset=utf-8".to_owned(),
        format!(
            "content-security-policy: default-src 'none'; script-src 'nonce-{nonce}'; \
             style-src 'nonce-{nonce}'; img-src data:; connect-src 'self'; base-uri 'none'; \
             form-action 'none'; frame-ancestors 'none'"
        ),
        "cache-control: no-store".to_owned(),
        "referrer-policy: no-referrer".to_owned(),
        "x-content-type-options: nosniff".to_owned(),
        "cross-origin-resource-policy: same-origin".to_owned(),
    ] {
        assert!(head.contains(&header), "{header} in\n{head}");
    }
    assert_ne!(html, get(&address, "/").1, "a nonce is used once");
    for part in [
        "<span class=\"key\">billing</span> <span class=\"name\">Billing</span>",
        "<dt>Files</dt><dd>valid</dd>",
        "<dt>Pending differences</dt><dd>none</dd>",
        "<dt>Next pass</dt>",
        "create billing",
        "&lt;script&gt;alert(1)&lt;/script&gt; &quot;q&#39; \\u{202e}",
    ] {
        assert!(html.contains(part), "{part} in\n{html}");
    }
    assert!(
        !html.contains("<script>") && !html.contains(CANARY),
        "{html}"
    );
    assert!(
        !html.contains("http://") && !html.contains("https://"),
        "{html}"
    );

    let (head, text) = get(&address, "/api/status");
    assert!(head.contains("content-type: application/json"), "{head}");
    assert!(!text.contains(CANARY), "{text}");
    let document: Value = serde_json::from_str(&text).unwrap();
    conforms(&validator("status-v1.schema.json"), &document);
    let url = account.sandbox.base_url();
    let arguments = ["--api-url", &url, "status", "--output", "json"];
    let said = repository.run(&arguments).code(0).json();
    for part in ["target", "incomplete", "webhooks"] {
        assert_eq!(document[part], said[part], "{part}");
    }
    assert_eq!(document["webhooks"][0]["deliveries"]["delivered"], 0);
}

#[test]
fn a_watch_that_verifies_shows_its_verdicts() {
    let (account, repository) = settled();
    let (_watch, address, _log) = watching(&repository, &account, &["--verify", "5m"]);
    let status = || -> Value { serde_json::from_str(&get(&address, "/api/status").1).unwrap() };
    let of = |failing: u32, proven: u32, pending: u32, disabled: u32| {
        json!({
            "proven": proven, "rejected": 0, "failing": failing, "no_traffic": 0, "disabled": disabled,
            "pending": pending,
        })
    };
    assert_eq!(status()["verdicts"], of(0, 0, 0, 0));
    assert!(get(&address, "/").1.contains("no changes yet"));

    // A verdict is shown while the deliveries of another webhook are still read: it has no event, which takes a minute.
    let mut events = Events::open(&address);
    delivery(&account, 1, "Billing", "https://hooks.example.com/v2", 404);
    let other = "  other: { url: 'https://hooks.example.com/other', actions: all }\n";
    repository.declare(&(BILLING.replace("/billing", "/v2") + other));
    while status()["verdicts"] != of(1, 0, 1, 0) {
        events.next("data: ");
    }
    let document = status();
    conforms(&validator("status-v1.schema.json"), &document);
    let billing = &document["webhooks"][0];
    assert_eq!(billing["status"], "in_sync");
    let mut verdict = billing["verification"].clone();
    assert!(verdict["since"].take().is_string());
    let failing = json!({
        "verdict": "failing", "since": null, "event_id": "evt-1", "status": 404,
        "evidence": "event evt-1: status 404",
    });
    assert_eq!(verdict, failing);
    let waiting = &document["webhooks"][1]["verification"]["evidence"];
    assert_eq!(waiting, "waiting for a delivery");
    let html = get(&address, "/").1;
    for part in [
        "<dd><strong class=\"bad\">1 failing</strong>, 1 pending</dd>",
        "<span class=\"badge bad\">failing</span> <small>event evt-1: status 404</small>",
    ] {
        assert!(html.contains(part), "{part} in\n{html}");
    }
    // The attempt's description contains the API key, and its response the word.
    for text in [html, document.to_string()] {
        assert!(
            !text.contains("s3cr3t") && !text.contains("upstream"),
            "{text}"
        );
    }

    // The next change needs a verdict of its own. A webhook that is deleted has none, and one that is
    // disabled gets none by waiting.
    delivery(&account, 2, "Billing", "https://hooks.example.com/v3", 200);
    let others = "  other: { state: absent }\n  off: { url: 'https://hooks.example.com/off', actions: all, enabled: false }\n";
    repository.declare(&(BILLING.replace("/billing", "/v3") + others));
    while status()["verdicts"] != of(0, 1, 0, 1) {
        events.next("data: ");
    }
}

#[test]
fn every_change_is_announced_and_shown() {
    let (account, repository) = (Account::new(), Repository::with(BILLING));
    let (watch, address, _log) = watching(&repository, &account, &["--drift", "warn"]);
    let mut events = Events::open(&address);
    let first = events.next("data: ");
    let html = get(&address, "/").1;
    assert!(
        html.contains(&format!("data-version=\"{first}\"")),
        "{html}"
    );

    // A save.
    let saved = Instant::now();
    repository.declare(&BILLING.replace("/billing", "/saved"));
    while !get(&address, "/").1.contains("update billing") {
        assert_ne!(events.next("data: "), first);
    }
    assert!(
        saved.elapsed() < Duration::from_secs(20),
        "{:?}",
        saved.elapsed()
    );
    let html = get(&address, "/").1;
    assert!(html.contains(">url</td>"), "{html}");

    // Drift, which is reported.
    account.edit("Billing", &json!({ "timeout_seconds": 55 }));
    watch.signal("HUP");
    while !get(&address, "/").1.contains("1 drifted") {
        events.next("data: ");
    }
    let html = get(&address, "/").1;
    assert!(
        html.contains("<dt>Pending differences</dt><dd><strong class=\"warn\">1"),
        "{html}"
    );

    // A mistake.
    repository.declare("webhooks: { billing: [] }");
    while !get(&address, "/").1.contains("invalid: 1 error") {
        events.next("data: ");
    }
    repository.declare(&BILLING.replace("/billing", "/again"));
    while get(&address, "/").1.contains("invalid:") {
        events.next("data: ");
    }
}

#[test]
fn a_failed_action_and_a_failed_pass_say_why() {
    let (account, repository) = (Account::new(), Repository::with(BILLING));
    // More than a few retries.
    let fail = |method, status| {
        for number in 1..1_000 {
            let fault = hookctl::sandbox::Fault::Answer {
                status,
                headers: Vec::new(),
                body: "{\"detail\":\"<b>no</b>\"}".to_owned(),
            };
            account.fault(method, number, fault);
        }
    };
    fail("POST", 422);
    let arguments = ["--interval", "1h", "--http", ":0"];
    let (watch, address, _log) = serving(&repository, &account, &arguments);
    watch.wait("the failure", || {
        get(&address, "/").1.contains("incomplete; it is retried")
    });
    let html = get(&address, "/").1;
    let problem = "<strong class=\"bad\">the API rejected the request (status 422)";
    assert!(
        html.contains(problem) && html.contains(">missing<"),
        "{html}"
    );
    assert!(
        html.contains("&lt;b&gt;no&lt;/b&gt;") && !html.contains("<b>"),
        "{html}"
    );
    account.sandbox.clear_faults();
    watch.wait("the retry", || get(&address, "/").1.contains("1 in sync"));
    fail("GET", 403);
    watch.signal("HUP");
    watch.wait("the failed pass", || {
        get(&address, "/").1.contains(">failed: ")
    });
    let html = get(&address, "/").1;
    assert!(html.contains("1 in sync"), "the last state stays: {html}");
    assert!(html.contains("403") && !html.contains("<b>"), "{html}");
}

#[test]
fn another_host_method_or_address_is_refused() {
    let (account, repository) = (Account::new(), Repository::with(BILLING));
    let (_watch, address, _log) =
        watching(&repository, &account, &["--http-host", "hooks.internal"]);
    let port = address.rsplit(':').next().unwrap();
    for host in [
        &address,
        "localhost",
        &format!("localhost:{port}"),
        "hooks.internal:80",
    ] {
        assert_eq!(
            status_of(&ask(&address, "GET", "/", host).0),
            "200",
            "{host}"
        );
    }
    for path in ["/", "/api/status", "/events"] {
        for host in ["evil.example", "localhost.evil.example", "10.0.0.5", ""] {
            let (head, body) = ask(&address, "GET", path, host);
            assert_eq!(status_of(&head), "421", "{path} {host}");
            assert!(!body.contains("billing"), "{body}");
        }
    }
    // Scrapers and probes use whatever address they have.
    for path in ["/metrics", "/healthz", "/readyz"] {
        let (head, _) = ask(&address, "GET", path, "10.0.0.5");
        assert_eq!(status_of(&head), "200", "{path}");
    }
    for method in ["POST", "PUT", "DELETE", "OPTIONS"] {
        let (head, _) = ask(&address, method, "/", &address);
        assert_eq!(status_of(&head), "405", "{method}");
        assert!(head.contains("allow: GET, HEAD"), "{head}");
    }
    let (head, body) = ask(&address, "HEAD", "/", &address);
    assert_eq!((status_of(&head), body.as_str()), ("200", ""));
    repository.run(&["watch", "--http-host", "x"]).code(64);
    repository
        .run(&["watch", "--http", ":0", "--http-host", "http://x"])
        .code(64)
        .complains("without a scheme and a port");
}

#[test]
fn connections_are_limited_and_open_pages_leave_room_for_probes() {
    let (account, repository) = (Account::new(), Repository::with(BILLING));
    let (_watch, address, _log) = watching(&repository, &account, &[]);
    // As many streams as there may be. Each holds a connection.
    let mut streams: Vec<Events> = (0..32).map(|_| Events::open(&address)).collect();
    for stream in &mut streams {
        stream.next("data: ");
    }
    assert_eq!(status_of(&get(&address, "/events").0), "503");
    assert_eq!(status_of(&get(&address, "/healthz").0), "200");
    // The others send half of a head: all of the 64 are in use, and the next one waits.
    let started = Instant::now();
    let slow: Vec<TcpStream> = (0..32)
        .map(|_| {
            let mut stream = TcpStream::connect(&address).unwrap();
            stream
                .write_all(b"GET /healthz HTTP/1.1\r\nHost: ")
                .unwrap();
            stream
        })
        .collect();
    assert_eq!(status_of(&get(&address, "/healthz").0), "200");
    let waited = started.elapsed();
    assert!(
        waited > Duration::from_secs(4),
        "the 65th was served after {waited:?}"
    );
    assert!(waited < Duration::from_secs(30), "{waited:?}");
    for mut stream in slow {
        let mut rest = Vec::new();
        stream
            .set_read_timeout(Some(Duration::from_secs(20)))
            .unwrap();
        // A slow head is not answered.
        let ended = stream.read_to_end(&mut rest);
        assert!(
            ended.is_ok()
                || ended.is_err_and(|error| error.kind() == std::io::ErrorKind::ConnectionReset)
        );
        assert!(!rest.starts_with(b"HTTP/1.1 200"), "{rest:?}");
    }
    // A closed page makes room.
    drop(streams);
    let deadline = Instant::now() + Duration::from_secs(20);
    while status_of(&ask(&address, "HEAD", "/events", &address).0) == "503" {
        assert!(Instant::now() < deadline, "a closed stream counts");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn a_report_is_one_file_with_deliveries_and_history() {
    let (account, repository) = everything();
    let url = account.sandbox.base_url();
    let file = repository.path("report.html");
    let run = |more: &[&str]| {
        let mut arguments = vec!["--api-url", &url, "report"];
        arguments.extend(more);
        repository.run(&arguments)
    };
    run(&["--html", "report.html"])
        .code(0)
        .complains("wrote report.html");
    assert_eq!(account.requests(), ["GET workflow-webhooks", "GET events"]);
    let html = fs::read_to_string(&file).unwrap();
    for part in [
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src &#39;none&#39;; ",
        "1 drifted, 1 edited, 1 in sync, 2 missing, 1 orphan, 1 unmanaged",
        "<span class=\"key\">Stranger&#39;s</span>",
        "<svg class=\"spark\" role=\"img\"",
        "<span class=\"bad\">50 %</span>",
        "1 delivered, 1 waiting, 1 failed",
        "create same",
    ] {
        assert!(html.contains(part), "{part} in\n{html}");
    }
    for part in [
        CANARY,
        "\u{1b}",
        "https://",
        "src=",
        "data-version",
        "<script>",
    ] {
        assert!(!html.contains(part), "{part:?} in\n{html}");
    }
    let first = html.find("<span class=\"key\">same<").unwrap();
    assert!(
        first < html.find("<span class=\"key\">drifted<").unwrap(),
        "what fails is first"
    );

    let shown = run(&["--html", "-", "--only", "same", "--no-deliveries"]).code(0);
    assert!(shown.stdout.starts_with("<!doctype html>\n") && shown.stdout.ends_with("</html>\n"));
    assert!(shown.stdout.contains("create same") && !shown.stdout.contains("create drifted"));
    assert!(!shown.stdout.contains("Deliveries"));
    run(&[]).code(64);
    run(&["--html", "missing/report.html"])
        .code(1)
        .complains("could not write missing/report.html");
    repository.declare("webhooks: [");
    fs::remove_file(&file).unwrap();
    run(&["--html", "report.html"]).code(1);
    assert!(!file.exists(), "invalid files make no report");
}
