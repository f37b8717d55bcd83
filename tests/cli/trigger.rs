//! The sandbox delivers: events that are made on request reach real receivers.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Stdio};
use std::time::Duration;

use serde_json::{Value, json};

use crate::documents::{conforms, validator};
use crate::harness::{Account, BILLING, Repository, Run};
use crate::interruption::signal;
use crate::receiver::{Receiver, Reply};

const TOKEN: &str = "s3cr3t-billing-token";

/// A repository whose webhook `billing` sends to an origin, synced to the sandbox in its folder.
fn synced(origin: &str, fields: &str) -> Repository {
    let mut repository = Repository::with(&declared(origin, fields));
    repository.set("BILLING_TOKEN", TOKEN);
    repository.run(&["sync", "--sandbox", "--yes"]).code(0);
    repository
}

fn declared(origin: &str, fields: &str) -> String {
    format!(
        "webhooks:
  billing:
    url: {origin}/billing?team=a
    actions: [workflow_run_completed]
    bearer_token: {{ env: BILLING_TOKEN }}
{fields}"
    )
}

fn trigger(repository: &Repository, more: &[&str]) -> Run {
    let command = ["trigger", "workflow_run_completed", "--sandbox"];
    repository.run(&[&command[..], more].concat())
}

/// The latest event, and its attempts with the oldest first.
fn recorded(repository: &Repository) -> (Value, Vec<Value>) {
    let list = |arguments: &[&str], name: &str| {
        let run = repository.run(&[arguments, &["--sandbox", "--output", "json"]].concat());
        let document = run.code(0).json();
        let rows = document.get(name).and_then(Value::as_array).unwrap();
        rows.clone()
    };
    let events = list(&["events"], "events");
    let event = events.first().unwrap().clone();
    let id = event.get("event_id").and_then(Value::as_str).unwrap();
    let mut attempts = list(&["attempts", id], "attempts");
    attempts.reverse();
    (event, attempts)
}

#[test]
fn a_receiver_gets_the_token_and_the_documented_payload() {
    let receiver = Receiver::new([]);
    let others = "  other: { url: 'http://127.0.0.1/other', actions: [workflow_created] }
  off: { url: 'http://127.0.0.1/off', actions: all, enabled: false }
";
    let repository = synced(&receiver.origin, others);
    trigger(&repository, &[])
        .code(0)
        .shows("off: nothing sent, it is disabled\n")
        .shows("other: nothing sent, it does not subscribe to workflow_run_completed\n")
        .shows("billing: delivered by attempt 1: 200 in ")
        .shows("Delivered: 1 event.\n");
    let requests = receiver.received();
    assert_eq!(requests.len(), 1);
    let head = &requests[0].head;
    assert!(head.starts_with("post /billing?team=a http/1.1"), "{head}");
    let bearer = format!("authorization: bearer {TOKEN}");
    assert_eq!(head.lines().filter(|line| *line == bearer).count(), 1);
    assert!(head.contains("content-type: application/json"), "{head}");
    let body = &requests[0].body;
    assert_eq!(body["event"], "workflow_run_completed");
    assert_eq!(body["run"]["status"], "completed");
    assert_eq!(body["run"]["output"], json!({ "collectedInformation": {} }));
    assert_eq!(body["workflow"].as_object().unwrap().len(), 3);
    let (event, attempts) = recorded(&repository);
    assert_eq!(event["status"], "delivered");
    assert_eq!((attempts.len(), &attempts[0]["success"]), (1, &json!(true)));
    repository
        .run(&["status", "--sandbox"])
        .code(0)
        .shows("billing  in sync  1 ");
}

#[test]
fn a_failure_is_retried_after_the_back_off_of_the_webhook() {
    let receiver = Receiver::new([Reply::status(500)]);
    let repository = synced(&receiver.origin, "    retry_backoff_seconds: 1\n");
    trigger(&repository, &[])
        .code(0)
        .shows("billing: attempt 1 failed: the receiver responded with 500")
        .shows("; next attempt in 1 s\n")
        .shows("billing: delivered by attempt 2: 200");
    let requests = receiver.received();
    let pause = requests[1].at - requests[0].at;
    assert!(pause >= Duration::from_secs(1), "{pause:?}");
    assert_eq!(requests[0].body, requests[1].body, "the same event again");
    let (_, attempts) = recorded(&repository);
    let codes: Vec<_> = attempts
        .iter()
        .map(|one| &one["response_status_code"])
        .collect();
    assert_eq!(codes, [&json!(500), &json!(200)]);
}

#[test]
fn what_does_not_respond_is_recorded_and_fails() {
    let silent = Receiver::new([Reply::Nothing, Reply::Nothing]);
    let fields = "    timeout_seconds: 1\n    max_retries: 1\n";
    for (origin, error) in [
        (&silent.origin, "no response within 1 s"),
        (&Receiver::down(), "could not connect: "),
    ] {
        let repository = synced(origin, fields);
        trigger(&repository, &["--retry-delay", "10ms"])
            .code(6)
            .shows(error)
            .shows("; no further attempt\nFailed: 1 of 1 deliveries.\n");
        let (event, attempts) = recorded(&repository);
        assert_eq!((&event["status"], attempts.len()), (&json!("failed"), 2));
        let said = attempts[1]["error_message"].as_str().unwrap();
        assert!(said.starts_with(error), "{said}");
        assert!(event["last_error"].as_str().unwrap().starts_with(error));
    }
    assert_eq!(silent.received().len(), 2);
}

#[test]
fn nothing_is_sent_elsewhere() {
    let inside = Receiver::new([]);
    let location = format!("location: {}/inside\r\n", inside.origin);
    let redirect = Receiver::new([Reply::Status(307, location, String::new())]);
    let repository = synced(&redirect.origin, "");
    trigger(&repository, &[])
        .code(6)
        .shows("responded with 307");
    assert!(inside.received().is_empty(), "a redirect is not followed");

    // An address that is reserved for documentation, so nothing can receive it.
    let repository = synced("http://192.0.2.7:9", "");
    trigger(&repository, &[])
        .code(6)
        .shows("billing: not sent: '192.0.2.7' is not on this machine (192.0.2.7); only --deliver-to 192.0.2.7 permits it")
        .complains("hint: --forward-to http://127.0.0.1:9000");
    let (event, attempts) = recorded(&repository);
    assert_eq!(attempts.len(), 1, "it is not tried again");
    assert_eq!(attempts[0]["latency_ms"], Value::Null);
    assert_eq!(event["status"], "failed");
    trigger(&repository, &["--deliver-to", "192.0.2.8"]).code(6);
    trigger(&repository, &["--forward-to", "http://192.0.2.9"])
        .code(6)
        .shows("'192.0.2.9' is not on this machine");
    let metadata = synced("http://169.254.169.254", "");
    trigger(&metadata, &["--deliver-to", "169.254.169.254"])
        .code(6)
        .shows("which is not one of a receiver");
    for wrong in [
        &["--deliver-to", "https://a.example"][..],
        &["--forward-to", "127.0.0.1:9000"],
        &["--retry-delay", "soon"],
        &["--webhook"],
    ] {
        trigger(&repository, wrong).code(64);
    }
}

#[test]
fn everything_can_be_forwarded_to_a_receiver_on_this_machine() {
    let receiver = Receiver::new([]);
    let repository = synced("https://hooks.example.com", "");
    let other = "  other: { url: 'https://b.example.com/x', actions: all }\n";
    repository.declare(&declared("https://hooks.example.com", other));
    repository.run(&["sync", "--sandbox", "--yes"]).code(0);
    let forward = ["--forward-to", receiver.origin.as_str()];
    trigger(&repository, &forward).code(0);
    let lines = |receiver: &Receiver| {
        let requests = receiver.received();
        let heads = requests.iter().map(|one| one.head.lines().next().unwrap());
        let mut lines: Vec<_> = heads.map(str::to_owned).collect();
        lines.sort_unstable();
        lines
    };
    let both = ["post /billing?team=a http/1.1", "post /x http/1.1"];
    assert_eq!(lines(&receiver), both);
    let named = [&forward[..], &["--webhook", "other"]].concat();
    trigger(&repository, &named).code(0);
    assert_eq!(lines(&receiver).len(), 3);
}

/// An attempt names the declared address: the receiver stands in for it.
#[test]
fn a_forwarded_delivery_proves_the_declared_address() {
    let receiver = Receiver::new([]);
    let repository = synced("https://hooks.example.com", "");
    let forward = ["--forward-to", receiver.origin.as_str()];
    // An event of the second of the change does not count.
    let proven = (0..20).any(|_| {
        trigger(&repository, &forward).code(0);
        let run = repository
            .run(&["verify", "--sandbox", "--timeout", "1s"])
            .code(0);
        run.stdout.contains("proven")
    });
    assert!(proven);
}

#[test]
fn data_is_merged_into_the_payload() {
    let receiver = Receiver::new([]);
    let repository = synced(&receiver.origin, "");
    let data = r#"{"run": {"status": "failed", "output": null}}"#;
    let run = trigger(&repository, &["--data", data, "--output", "json"]).code(0);
    let schema = validator("trigger-v1.schema.json");
    conforms(&schema, &run.json());
    assert_eq!(run.json()["deliveries"][0]["event"]["key"], "billing");
    repository.write("data.json", r#"{ "workflow": { "name": "Intake" } }"#);
    trigger(&repository, &["--data", "data.json"]).code(0);
    let requests = receiver.received();
    assert_eq!(requests[0].body["run"]["status"], "failed");
    assert!(requests[0].body["run"].get("output").is_none());
    assert_eq!(requests[1].body["workflow"]["name"], "Intake");
    assert!(!run.stdout.contains("collectedInformation"));
    repository.write("list.json", "[1]");
    for (wrong, code) in [("{", 64), ("list.json", 64), ("missing.json", 1)] {
        let run = trigger(&repository, &["--data", wrong, "--output", "json"]).code(code);
        conforms(&schema, &run.json());
        assert_eq!(run.json()["error"]["code"], "trigger-data");
    }
    assert_eq!(receiver.received().len(), 2);
}

#[test]
fn a_receiver_that_echoes_the_token_does_not_put_it_into_the_record() {
    // More than is read. The harness looks for the token in all files and in all output.
    let receiver = Receiver::new([Reply::Echo(10), Reply::Echo(1024 * 1024)]);
    let repository = synced(&receiver.origin, "");
    for _ in 0..2 {
        trigger(&repository, &[]).code(0);
    }
    let file = std::fs::read_to_string(repository.path(".hookctl/sandbox/default.json")).unwrap();
    assert!(file.contains("authorization: bearer ***"), "{file}");
    assert!(file.len() < 64 * 1024);
}

#[test]
fn only_the_token_of_the_last_sync_is_sent() {
    let receiver = Receiver::new([]);
    let mut repository = synced(&receiver.origin, "");
    for changed in [Some("s3cr3t-another-token"), None] {
        match changed {
            Some(token) => repository.set("BILLING_TOKEN", token),
            None => repository.unset("BILLING_TOKEN"),
        }
        trigger(&repository, &[])
            .code(1)
            .complains("the token that the sandbox has of 'billing'")
            .complains("hint: run `hookctl sync --sandbox` first");
    }
    repository.set("BILLING_TOKEN", "s3cr3t-another-token");
    repository.run(&["sync", "--sandbox", "--yes"]).code(0);
    trigger(&repository, &[]).code(0);
    let requests = receiver.received();
    assert_eq!(requests.len(), 1);
    assert!(requests[0].head.contains("bearer s3cr3t-another-token"));
}

#[test]
fn a_retry_sends_again() {
    let receiver = Receiver::new([Reply::status(404), Reply::status(503)]);
    let repository = synced(&receiver.origin, "");
    trigger(&repository, &[])
        .code(6)
        .shows("responded with 404")
        .shows("; no further attempt");
    let (event, _) = recorded(&repository);
    let id = event["event_id"].as_str().unwrap();
    repository
        .run(&["retry", id, "--sandbox", "--retry-delay", "20ms"])
        .code(0)
        .shows("billing: attempt 2 failed: the receiver responded with 503")
        .shows("billing: delivered by attempt 3: 200");
    let requests = receiver.received();
    assert_eq!(requests.len(), 3);
    assert!(requests.iter().all(|one| one.body == requests[0].body));
    assert!(requests[2].head.contains(TOKEN));
    let json = repository.run(&["retry", id, "--sandbox", "--output", "json"]);
    conforms(
        &validator("deliveries-v1.schema.json"),
        &json.code(0).json(),
    );
    assert_eq!(receiver.received().len(), 4);
}

#[test]
fn an_interrupted_delivery_stays_open_and_is_not_sent_twice() {
    let receiver = Receiver::new([Reply::status(500)]);
    let repository = synced(&receiver.origin, "");
    let mut child = repository
        .command(&["trigger", "workflow_run_completed", "--sandbox"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // The line of the first attempt; the second one is 10 seconds away.
    let mut line = String::new();
    let mut output = BufReader::new(child.stdout.take().unwrap());
    output.read_line(&mut line).unwrap();
    assert!(line.contains("; next attempt in 1"), "{line}");
    signal(&child, "INT");
    let run = Run::of(child.wait_with_output().unwrap()).code(130);
    let run = run.complains("interrupted with 1 of the deliveries open");
    let (event, _) = recorded(&repository);
    assert_eq!(event["status"], "retrying");
    let id = event["event_id"].as_str().unwrap();
    let _ = run.complains(&format!("hint: `hookctl retry {id}` sends it again"));
    assert_eq!(receiver.received().len(), 1);
}

#[test]
fn a_webhook_without_a_delivery_is_an_error_of_the_request() {
    let repository = synced("http://127.0.0.1:9", "");
    let run = |arguments: &[&str]| repository.run(&[&["trigger"], arguments].concat());
    run(&["workflow_deleted", "--sandbox"])
        .code(1)
        .complains("billing: nothing sent, it does not subscribe to workflow_deleted");
    run(&["workflow_run_failed", "--sandbox"]).code(64);
    run(&["workflow_deleted", "--sandbox", "--webhook", "biling"])
        .code(64)
        .complains("'biling' is neither a known key nor a webhook id");
    run(&["workflow_deleted", "--deliver-to", "a.example"])
        .code(64)
        .complains("--deliver-to needs --sandbox");
    run(&["workflow_deleted", "--api-url", "https://api.example.com"])
        .code(1)
        .complains("only a sandbox makes events on request");
    let empty = Repository::with(BILLING);
    trigger(&empty, &[])
        .code(1)
        .complains("hint: the sandbox has no webhooks yet");
    // An API over HTTP that is no sandbox, such as one behind a proxy.
    let account = Account::new();
    let url = account.sandbox.base_url();
    repository.sync(&account, &["--yes"]).code(0);
    run(&["workflow_deleted", "--api-url", &url])
        .code(1)
        .complains("only a sandbox makes events on request");
}

/// A served sandbox, which ends with the test.
struct Served {
    child: Child,
    url: String,
}

impl Served {
    fn new(repository: &Repository, arguments: &[&str]) -> Self {
        Self::on("127.0.0.1:0", repository, arguments)
    }

    /// Serves at the address of an earlier server, which is the same account.
    fn again(self, repository: &Repository, arguments: &[&str]) -> Self {
        let address = self.url.trim_start_matches("http://").to_owned();
        drop(self);
        Self::on(&address, repository, arguments)
    }

    fn on(address: &str, repository: &Repository, arguments: &[&str]) -> Self {
        let all = [&["sandbox", "--listen", address], arguments].concat();
        let mut child = repository
            .command(&all)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut url = String::new();
        let mut output = BufReader::new(child.stdout.take().unwrap());
        output.read_line(&mut url).unwrap();
        let url = url.trim().to_owned();
        Self { child, url }
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn a_served_sandbox_delivers_too_and_continues_after_a_restart() {
    let receiver = Receiver::new([Reply::status(500)]);
    let mut repository = Repository::with(&declared(&receiver.origin, ""));
    repository.set("BILLING_TOKEN", TOKEN);
    let plain = Receiver::new([Reply::status(500)]);
    let delay = ["--retry-delay", "20ms"];
    let served = Served::new(&repository, &delay);
    let run =
        |url: &str, arguments: &[&str]| repository.run(&[&["--api-url", url], arguments].concat());
    run(&served.url, &["sync", "--yes"]).code(0);
    let event = ["trigger", "workflow_run_completed"];
    run(&served.url, &event)
        .code(0)
        .shows("billing: attempt 1 failed")
        .shows("billing: delivered by attempt 2: 200");
    assert!(receiver.received()[1].head.contains(TOKEN));
    let unknown = run(&served.url, &["trigger", "workflow_created"]);
    unknown.code(1).complains("does not subscribe");

    // A restart forgets the tokens, which are nowhere on disk.
    let served = served.again(&repository, &["--retry-delay", "1h"]);
    run(&served.url, &event)
        .code(1)
        .complains("does not have the token of 'billing'")
        .complains("hint: `hookctl record forget KEY`");
    run(&served.url, &["record", "forget", "billing"]).code(0);
    run(&served.url, &["sync", "--yes"]).code(0);
    run(&served.url, &event).code(0);
    let declared = format!(
        "webhooks:\n  plain: {{ url: '{}/plain', actions: [workflow_created] }}\n",
        plain.origin
    );
    repository.write("webhooks.d/plain.yaml", &declared);
    run(&served.url, &["sync", "--yes", "--only", "plain"]).code(0);
    let mut child = repository
        .command(&["--api-url", &served.url, "trigger", "workflow_created"])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut output = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    while !line.contains("attempt 1 failed") {
        line.clear();
        assert!(output.read_line(&mut line).unwrap() > 0);
    }
    signal(&child, "TERM");
    child.wait().unwrap();
    // The next server continues with the open delivery.
    let served = served.again(&repository, &[]);
    let delivered = || {
        let events = run(&served.url, &["events", "plain", "--output", "json"]);
        events.code(0).json()["events"][0]["status"] == "delivered"
    };
    while !delivered() {}
    assert_eq!(plain.received().len(), 2);
}
