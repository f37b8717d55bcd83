//! One result on standard output, one format on standard error, and no secret in either.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use hookctl::sandbox::Fault;
use serde_json::Value;

use crate::harness::{API_KEY, Account, BILLING, Repository, Run, codes};

const INVALID: &str =
    "webhooks:\n  a: { url: 'https://a.example.com', actions: [bad], wrong: 1 }\n";

/// Every line of standard error, which are objects of the log.
#[track_caller]
fn log(run: &Run) -> Vec<Value> {
    let read = |line| serde_json::from_str::<Value>(line);
    let lines: Result<Vec<_>, _> = run.stderr.lines().map(read).collect();
    let lines = lines.unwrap_or_else(|error| panic!("{error} in stderr:\n{}", run.stderr));
    for line in &lines {
        assert!(
            line["level"].is_string() && line["timestamp"].is_string(),
            "{line}"
        );
        let message = line.pointer("/fields/message");
        assert!(message.is_some_and(Value::is_string), "{line}");
    }
    lines
}

#[test]
fn a_json_log_is_one_object_a_line_whatever_is_said() {
    let account = Account::new();
    let url = account.sandbox.base_url();
    let repository = Repository::with(INVALID);
    for arguments in [
        &["validate"][..],
        &["sync", "--dry-run"],
        &["sync", "--output", "markdown"],
        &["status"],
        &["import"],
        &["apply", "none.json"],
        &["record", "show", "--config", "none.yaml"],
        &["attempts", "none"],
        &["sync", "--bogus", "::error::x\n::error::y"],
        &["watch", "--interval", "0s"],
    ] {
        let all = [&["--api-url", &url, "--log-format", "json"], arguments].concat();
        let run = repository.run(&all);
        assert!(!log(&run).is_empty(), "{arguments:?}");
    }
    let run = repository.run(&["--log-format=json", "validate"]).code(1);
    let lines = log(&run);
    let found = lines
        .iter()
        .map(|line| &line["fields"])
        .find(|fields| fields["code"] == "unknown-action")
        .unwrap();
    assert_eq!(found["file"], "webhooks.d/all.yaml");
    assert_eq!(found["line"], 2);
    assert!(found["column"].is_u64(), "{found}");
    repository.declare(BILLING);
    let run = repository.sync(&account, &["-vv", "--log-format", "json"]);
    let lines = log(&run);
    let took: Vec<_> = lines
        .iter()
        .map(|line| &line["fields"]["milliseconds"])
        .collect();
    assert!(took.iter().any(|time| time.is_u64()), "{took:?}");
    assert!(took.iter().all(|time| !time.is_string()), "{took:?}");
}

#[test]
fn every_command_with_json_writes_one_document_whatever_went_wrong() {
    let repository = Repository::with(BILLING);
    for command in [
        &["sync"][..],
        &["apply", "plan.json"],
        &["validate"],
        &["status"],
        &["events"],
        &["attempts", "x"],
        &["retry", "x"],
        &["record", "show"],
        &["record", "history"],
    ] {
        let shape = |arguments: &[&str], status: i32| {
            let all = [command, &["--output", "json"], arguments].concat();
            let document = repository.run(&all).code(status).json();
            let names: BTreeSet<String> = document.as_object().unwrap().keys().cloned().collect();
            names
        };
        // Wrong usage has the shape of any other error of the command.
        let error = shape(&["--config", "none.yaml"], 1);
        assert_eq!(shape(&["--bogus"], 64), error, "{command:?}");
    }
}

#[test]
#[cfg(unix)]
fn a_file_name_that_is_not_unicode_is_shown_lossily_in_every_form() {
    use std::os::unix::ffi::OsStrExt as _;

    let account = Account::new();
    let url = account.sandbox.base_url();
    let repository = Repository::with(BILLING);
    let name = std::ffi::OsStr::from_bytes(b"webhooks.d/a\xff.yaml");
    let declare = |text: &str| std::fs::write(repository.path("").join(name), text).unwrap();
    declare("webhooks:\n  other: { url: 'https://o.example.com', actions: all }\n");
    for form in ["human", "json", "markdown", "diff"] {
        let arguments = ["--api-url", &url, "sync", "--dry-run", "--output", form];
        let run = repository.run(&arguments).code(0);
        if form == "json" {
            let sources = run.json()["actions"].to_string();
            assert!(sources.contains("webhooks.d/a\u{fffd}.yaml:2"), "{sources}");
        }
    }
    let save = ["--api-url", &url, "sync", "--dry-run", "--out", "plan.json"];
    repository.run(&save).code(0);
    repository
        .run(&["--api-url", &url, "apply", "plan.json", "--output", "json"])
        .code(0);
    declare(INVALID);
    for form in ["human", "json", "github", "sarif"] {
        let run = repository.run(&["validate", "--output", form]).code(1);
        assert!(!run.stderr.contains("internal"), "{}", run.stderr);
        if form == "json" {
            let document = run.json();
            assert_eq!(
                document["diagnostics"][0]["file"],
                "webhooks.d/a\u{fffd}.yaml"
            );
        }
    }
}

#[test]
fn a_secret_that_the_api_echoes_is_hidden_in_every_form() {
    let echoed = "refused: second%2Dlong/TOKEN, SECOND-LONG%2Ftoken, first-long%2ftoken";
    let body = serde_json::json!({ "detail": echoed }).to_string();
    for form in ["human", "json", "markdown", "diff"] {
        let account = Account::new();
        let mut repository = Repository::with(
            "webhooks:
  first: { url: 'https://a.example.com', actions: all, bearer_token: { env: FIRST } }
  second: { url: 'https://b.example.com', actions: all, bearer_token: { env: SECOND } }
",
        );
        repository.set("FIRST", "First-long/token");
        repository.set("SECOND", "Second-long/token");
        let answer = Fault::Answer {
            status: 422,
            headers: Vec::new(),
            body: body.clone(),
        };
        account.fault("POST", 1, answer.clone());
        account.fault("POST", 2, answer);
        let run = repository.sync(&account, &["--output", form]).code(4);
        let all = format!("{}{}", run.stdout, run.stderr).to_lowercase();
        assert!(all.contains("secret"), "{all}");
        for rest in ["long/token", "long%2ftoken", "%2dlong"] {
            assert!(!all.contains(rest), "{form}: {all}");
        }
    }
}

#[test]
fn a_secret_that_the_api_stores_elsewhere_is_hidden_in_every_plan() {
    let account = Account::new();
    let mut repository = Repository::with(
        "webhooks:
  first: { name: First, url: 'https://a.example.com', actions: all, bearer_token: { env: FIRST } }
",
    );
    repository.set("FIRST", "First-long/token");
    repository.settled(&account);
    let fields = serde_json::json!({
        "name": "first-long/TOKEN",
        "url": "https://a.example.com/First-long%2Ftoken",
    });
    account.edit("First", &fields);
    for form in ["human", "json", "markdown", "diff"] {
        let run = repository.sync(&account, &["--dry-run", "--output", form]);
        let all = run.code(0).stdout.to_lowercase();
        assert!(all.contains("(secret)"), "{form}: {all}");
        assert!(!all.contains("long"), "{form}: {all}");
    }
    repository.sync(&account, &[]).code(0).shows("1 updated");
    repository.sync(&account, &[]).code(0).shows("No changes.");
}

#[test]
fn a_refusal_of_nothing_declared_is_one_result() {
    let (account, repository) = (Account::new(), Repository::new());
    std::fs::create_dir(repository.path("webhooks.d")).unwrap();
    for dry in [&[][..], &["--dry-run"]] {
        for form in ["human", "diff"] {
            let arguments = [dry, &["--output", form]].concat();
            let run = repository.sync(&account, &arguments).code(5);
            assert_eq!(run.stdout, "");
            assert_eq!(run.stderr.matches("error").count(), 1, "{}", run.stderr);
        }
        let markdown = [dry, &["--output", "markdown"]].concat();
        let run = repository.sync(&account, &markdown).code(5);
        assert!(!run.stdout.contains("No changes"), "{}", run.stdout);
        let json = [dry, &["--output", "json"]].concat();
        let document = repository.sync(&account, &json).code(5).json();
        assert_eq!(codes(&document), ["nothing-declared"]);
    }
}

#[test]
fn the_record_shows_what_is_so_after_an_apply() {
    let (account, repository) = (Account::new(), Repository::with(BILLING));
    let url = account.sandbox.base_url();
    let shown = || {
        repository
            .run(&["--api-url", &url, "record", "show"])
            .code(0)
    };
    repository.sync(&account, &["--yes"]).code(0);
    shown().shows("1 webhook bound. Last observed: 1 webhook at ");
    repository.declare("webhooks: {}\n");
    repository
        .sync(&account, &["--yes", "--prune", "--allow-empty", "--force"])
        .code(0);
    shown().shows("0 webhooks bound. Last observed: 0 webhooks at ");
}

#[test]
fn the_repair_of_a_damaged_record_is_advised_once() {
    let (account, repository) = (Account::new(), Repository::with(BILLING));
    let url = account.sandbox.base_url();
    repository.sync(&account, &["--yes"]).code(0);
    std::fs::write(repository.path(".hookctl/generation"), "damaged").unwrap();
    for command in [&["sync"][..], &["status"], &["record", "show"], &["import"]] {
        let run = repository
            .run(&[&["--api-url", &url], command].concat())
            .code(1);
        let advice = run.stderr.matches("hookctl record repair").count();
        assert_eq!(advice, 1, "{command:?}: {}", run.stderr);
    }
}

#[test]
fn wrong_usage_has_a_document_in_the_form_of_its_command() {
    let repository = Repository::with(BILLING);
    let form = |output: &str| repository.run(&["validate", "--output", output, "--bogus"]);
    let log = form("sarif").code(64).json();
    assert_eq!(log["runs"][0]["results"][0]["ruleId"], "usage");
    let annotations = form("github").code(64).stdout;
    assert!(
        annotations.starts_with("::error title=usage::"),
        "{annotations}"
    );
    assert_eq!(
        form("json").code(64).json()["diagnostics"][0]["code"],
        "usage"
    );
    let run = repository.run(&["attempts", "--output", "json"]).code(64);
    let message = run.json()["error"]["message"].to_string();
    assert!(
        message.contains("<EVENT>"),
        "what is missing is named: {message}"
    );
}

#[test]
fn what_a_file_declares_is_shown_whatever_its_tokens_are() {
    let account = Account::new();
    let mut repository = Repository::with(
        "webhooks:
  first: { url: 'https://a.example.com/one', actions: all }
",
    );
    repository.settled(&account);
    repository.set("DECOY", "https://evil.example.com/steal");
    repository.declare(
        "webhooks:
  first: { url: 'https://evil.example.com/steal', actions: all }
  decoy: { url: 'https://b.example.com', actions: all, bearer_token: { env: DECOY } }
",
    );
    for form in ["human", "json", "markdown", "diff"] {
        let run = repository.sync(&account, &["--dry-run", "--output", form]);
        let shown = run.code(0).stdout.replace("&#58;", ":");
        assert!(shown.contains("evil.example.com/steal"), "{form}: {shown}");
    }
}

#[test]
fn a_secret_that_is_in_the_name_of_an_unmanaged_webhook_is_hidden_in_the_status() {
    let account = Account::new();
    let repository = Repository::with(
        "webhooks:
  first: { url: 'https://a.example.com/one', actions: all }
",
    );
    repository.settled(&account);
    account.edit(
        "first",
        &serde_json::json!({ "name": format!("N {API_KEY}") }),
    );
    let url = account.sandbox.base_url();
    repository
        .run(&["--api-url", &url, "record", "forget", "first"])
        .code(0);
    for form in ["human", "json"] {
        let status = ["status", "--no-deliveries", "--output", form];
        let run = repository.run(&[&["--api-url", &url][..], &status].concat());
        let shown = run.code(0).shows("(secret)").stdout.clone();
        assert!(!shown.contains(API_KEY), "{form}: {shown}");
    }
}

/// The bytes of every file below a folder, in lower case.
fn everything_in(folder: &Path) -> Vec<u8> {
    let mut bytes = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            bytes.extend(everything_in(&path));
        } else {
            bytes.extend(fs::read(path).unwrap().to_ascii_lowercase());
        }
    }
    bytes
}

#[test]
fn no_secret_that_the_api_stores_elsewhere_is_in_the_record() {
    let account = Account::new();
    let declared = "  second: { name: Second, url: 'https://b.example.com', actions: all, bearer_token: { env: FIRST } }\n";
    let mut repository = Repository::with(&format!(
        "webhooks:\n{declared}  first: {{ name: First, url: 'https://a.example.com', actions: all, \
         ignore_changes: [url] }}\n"
    ));
    repository.set("FIRST", "First-long/token");
    account.put(
        "5eb7cf5a86d9755df3a6c593",
        "First",
        "https://a.example.com/First-long%2Ftoken",
    );
    let unmanaged = "unmanaged FIRST-long/token";
    account.put(
        "5eb7cf5a86d9755df3a6c594",
        unmanaged,
        "https://c.example.com",
    );
    repository.settled(&account);
    account.edit(
        "Second",
        &serde_json::json!({ "name": "second-FIRST-long/token" }),
    );
    repository.sync(&account, &[]).code(0).shows("1 updated");
    for _ in 0..2 {
        repository.sync(&account, &[]).code(0).shows("No changes.");
    }
    let is_in = |needle: &str| {
        let record = everything_in(&repository.path(".hookctl"));
        record
            .windows(needle.len())
            .any(|part| part == needle.as_bytes())
    };
    assert!(is_in("unmanaged"), "the record is read");
    for rest in ["long/token", "long%2ftoken"] {
        assert!(!is_in(rest), "{rest}");
    }
    // What is to be deleted is shown without it too.
    account.edit("First", &serde_json::json!({ "name": "first-long/TOKEN" }));
    repository.declare(&format!("webhooks:\n{declared}"));
    for form in ["human", "json", "markdown", "diff"] {
        for more in [&["--prune"][..], &[]] {
            let arguments = [&["--dry-run", "--output", form], more].concat();
            let run = repository.sync(&account, &arguments).code(0);
            let all = format!("{}{}", run.stdout, run.stderr).to_lowercase();
            assert!(
                !all.contains("long/token") && !all.contains("long%2f"),
                "{form}: {all}"
            );
        }
    }
    let run = repository
        .sync(&account, &["--prune", "--yes", "--output", "markdown"])
        .code(0);
    assert!(
        !run.stdout.to_lowercase().contains("long/token"),
        "{}",
        run.stdout
    );
    assert!(!is_in("long/token"));
}
