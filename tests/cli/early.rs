//! The list arrives before the tokens are known: nothing of it is shown or recorded until then.
//!
//! The token comes from a program that ends only after hookctl has received the response to its request for the list.

#![cfg(unix)]

use std::io::{BufRead as _, BufReader, Read as _};
use std::process::Stdio;
use std::time::Duration;

use hookctl::sandbox::Fault;
use serde_json::{Value, json};

use crate::harness::{API_KEY, Account, BILLING, CANARY, Repository, Run};
use crate::interruption::reached;

/// A token whose every part is a canary.
const TOKEN: &str = "s3cr3t-token-77zz";

/// A token of a program that waits for the file that `AWAITED` names.
const SLOW: &str = "    bearer_token: { command: [sh, -c, 'until [ -e \"$$AWAITED\" ]; do sleep 0.01; done; \
                    printf s3cr\"\"3t-token-77zz'] }\n";

fn repository() -> Repository {
    let mut repository = Repository::with(&(BILLING.to_owned() + SLOW));
    repository.set("HOOKCTL_TRUST", "1");
    repository.set("AWAITED", "all.yaml");
    repository
}

/// Runs a command whose token is resolved only after the first response arrived, and looks for secrets in everything that
/// it leaves.
fn run(repository: &Repository, account: &Account, arguments: &[&str]) -> Run {
    run_meanwhile(repository, account, arguments, When::Answered, || ())
}

/// What happens before the token is resolved.
#[derive(Clone, Copy, PartialEq, Eq)]
enum When {
    /// The list is requested.
    Requested,
    /// Its response arrives.
    Answered,
}

/// Runs a command like [`run`], and does something else between the list and the token.
fn run_meanwhile(
    repository: &Repository,
    account: &Account,
    arguments: &[&str],
    when: When,
    meanwhile: impl FnOnce(),
) -> Run {
    let _ = std::fs::remove_file(repository.path("arrived"));
    let received = account.sandbox.received();
    let url = account.sandbox.base_url();
    let mut child = repository
        .command(&[&["-vv", "--api-url", &url], arguments].concat())
        .env("AWAITED", "../arrived")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut log = BufReader::new(child.stderr.take().unwrap());
    let mut stderr = String::new();
    if when == When::Requested {
        reached(account, received + 1);
    }
    // The log tells of a request once its response is complete.
    while when == When::Answered && !stderr.contains("status=") {
        assert_ne!(
            log.read_line(&mut stderr).unwrap(),
            0,
            "no request: {stderr}"
        );
    }
    meanwhile();
    repository.write("arrived", "");
    log.read_to_string(&mut stderr).unwrap();
    let output = child.wait_with_output().unwrap();
    let run = Run {
        stderr,
        ..Run::of(output)
    };
    let plan = std::fs::read_to_string(repository.path("plan.json")).unwrap_or_default();
    for text in [&run.stdout, &run.stderr, &plan] {
        let text = text.to_lowercase();
        for part in [CANARY, "77zz", "token%2d77", "5f1w"] {
            assert!(!text.contains(part), "{arguments:?}: {text}");
        }
    }
    for (path, content) in repository.record() {
        let content = String::from_utf8_lossy(&content).to_lowercase();
        for part in [CANARY, "77zz", "5f1w"] {
            assert!(!content.contains(part), "{part} in {}", path.display());
        }
    }
    run
}

/// The commands that plan, and the formats in which they show what they read.
const COMMANDS: [&[&str]; 6] = [
    &["sync"],
    &["sync", "--output", "json"],
    &["sync", "--dry-run", "--out", "plan.json"],
    &["sync", "--dry-run", "--output", "markdown"],
    &["sync", "--dry-run", "--output", "diff"],
    &["status"],
];

/// How often the list was requested.
fn lists(account: &Account) -> usize {
    let requests = account.requests();
    let lists = requests
        .iter()
        .filter(|line| line.starts_with("GET workflow-webhooks"));
    lists.count()
}

/// A row of the list.
fn row(fields: &Value) -> Value {
    let mut row = json!({
        "id": "5eb7cf5a86d9755df3a6c593", "name": "Billing", "url": "https://hooks.example.com/billing",
        "actions": ["workflow_run_completed"], "enabled": true, "has_bearer_token": true,
        "timeout_seconds": 10, "max_retries": 3, "retry_backoff_seconds": 10,
    });
    let own = row.as_object_mut().unwrap();
    own.extend(fields.as_object().unwrap().clone());
    row
}

fn answers(account: &Account, status: u16, headers: &[(&str, &str)], body: &str) {
    let headers = headers.iter();
    let headers = headers.map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    let answer = Fault::Answer {
        status,
        headers: headers.collect(),
        body: body.to_owned(),
    };
    account.fault("GET", 1, answer);
}

#[test]
fn a_list_that_echoes_a_token_shows_and_records_none_of_it() {
    let with = |text: &str| format!("{text} {TOKEN}");
    for fields in [
        json!({ "name": with("Other") }),
        json!({ "name": with("Other").to_uppercase() }),
        json!({ "url": format!("https://hooks.example.com/{TOKEN}") }),
        json!({ "url": "https://hooks.example.com/s3cr3t-token%2D77zz" }),
        json!({ "actions": ["workflow_run_completed", TOKEN] }),
        json!({ "name": with("Odd"), "timeout_seconds": TOKEN }),
        json!({ "name": with(&"x".repeat(70_000)) }),
    ] {
        for command in COMMANDS {
            let (account, repository) = (Account::new(), repository());
            let list = json!({ "subscriptions": [row(&fields)], "total": 1 });
            answers(&account, 200, &[], &list.to_string());
            run(&repository, &account, command);
        }
    }
}

#[test]
fn an_id_that_echoes_a_token_is_refused() {
    for command in COMMANDS {
        for fields in [
            json!({ "id": format!("x_{TOKEN}") }),
            json!({ "id": TOKEN.to_uppercase(), "url": 7 }),
        ] {
            let (account, repository) = (Account::new(), repository());
            let list = json!({ "subscriptions": [row(&fields)], "total": 1 });
            answers(&account, 200, &[], &list.to_string());
            let run = run(&repository, &account, command).code(1);
            let said = run.stdout + &run.stderr;
            assert!(said.contains("it contains a secret"), "{command:?}: {said}");
            assert_eq!(lists(&account), 1, "{command:?}");
        }
    }
}

#[test]
fn a_list_that_fails_quotes_no_token_that_was_unknown_when_it_failed() {
    let detail = json!({ "detail": format!("no team of {TOKEN}") }).to_string();
    let html = format!("<html>{TOKEN} {API_KEY}</html>");
    let names = json!({ TOKEN: 1, "total": 0 }).to_string();
    let text: &[(&str, &str)] = &[("content-type", "text/s3cr3t-token-77zz")];
    let request: &[(&str, &str)] = &[("x-request-id", TOKEN)];
    for (status, headers, body) in [
        (400, request, &detail),
        (401, request, &detail),
        (403, text, &html),
        (404, text, &html),
        (200, text, &html),
        (200, &[], &names),
        (418, text, &html),
    ] {
        for command in COMMANDS {
            let (account, repository) = (Account::new(), repository());
            answers(&account, status, headers, body);
            let run = run(&repository, &account, command).code(1);
            let said = run.stdout + &run.stderr;
            assert!(
                status == 404 || said.contains("(secret)"),
                "{status}: {said}"
            );
            assert_eq!(lists(&account), 1, "{status} {command:?}");
        }
    }
}

/// Addresses elsewhere that echo a secret, which has no dot.
fn locations(secret: &str) -> Vec<String> {
    let upper = secret.to_uppercase();
    let encoded = secret.replace('-', "%2D");
    let (one, other) = secret.split_at(9);
    vec![
        format!("https://{secret}.evil.example/x"),
        format!("https://{upper}.evil.example/x"),
        format!("https://{encoded}.evil.example/x"),
        format!("https://evil.{secret}/x"),
        format!("https://{one}\t{other}.evil.example/x"),
        format!("https://{secret}:443@evil.example/x"),
        format!("https://evil.example/{secret}"),
        format!("https://evil.example/{encoded}?next={upper}#{secret}"),
        format!("custom://{upper}/x"),
        format!("//{secret}/x"),
        format!("/{secret}"),
        format!("https://[{secret}]/"),
        secret.to_owned(),
    ]
}

#[test]
fn a_redirect_shows_no_secret_of_its_address_that_was_unknown_when_it_arrived() {
    let locations = [locations(TOKEN), locations(API_KEY)].concat();
    for (number, location) in locations.iter().enumerate() {
        // Every status with every command, but not with every address.
        let status = [301, 302, 307, 308][number % 4];
        let command = COMMANDS[number % COMMANDS.len()];
        let (account, repository) = (Account::new(), repository());
        answers(&account, status, &[("location", location)], "");
        let run = run(&repository, &account, command).code(1);
        let said = run.stdout + &run.stderr;
        assert!(said.contains("a redirect "), "{location}: {said}");
        assert!(said.contains("not followed"), "{location}: {said}");
        assert_eq!(lists(&account), 1, "{location} {command:?}");
    }
}

#[test]
fn a_redirect_shows_no_secret_of_its_address_that_was_known_when_it_arrived() {
    let locations = [locations(TOKEN), locations(API_KEY)].concat();
    for (number, location) in locations.iter().enumerate() {
        let mut repository =
            Repository::with(&(BILLING.to_owned() + "    bearer_token: { env: TOKEN }\n"));
        repository.set("TOKEN", TOKEN);
        let account = Account::new();
        let redirect = Fault::Answer {
            status: [301, 302, 307, 308][number % 4],
            headers: vec![("location".to_owned(), location.clone())],
            body: String::new(),
        };
        account.fault("POST", 1, redirect.clone());
        account.fault("POST", 2, redirect.clone());
        account.fault("POST", 3, redirect);
        let run = repository.sync(&account, &["-vv"]).code(4);
        let said = run.stdout + &run.stderr;
        assert!(said.contains("a redirect "), "{location}: {said}");
        for part in ["s3cr3t", "77zz", "%2d77", "5f1w"] {
            assert!(!said.to_lowercase().contains(part), "{location}: {said}");
        }
    }
}

#[test]
fn a_list_that_began_before_another_run_wrote_the_record_is_requested_again() {
    for has_record in [false, true] {
        let (account, repository) = (Account::new(), repository());
        if has_record {
            repository
                .declare("webhooks: { other: { url: 'https://b.example.com', actions: all } }\n");
            repository.settled(&account);
            repository.declare(&(BILLING.to_owned() + SLOW));
        }
        // The list that arrived has no webhook of this name, and the record of the other run binds one.
        let other = || drop(repository.sync(&account, &[]).code(0).shows("1 created"));
        run_meanwhile(&repository, &account, &["sync"], When::Answered, other)
            .code(0)
            .shows("No changes.");
        let expected: &[&str] = if has_record {
            &["Billing", "other"]
        } else {
            &["Billing"]
        };
        assert_eq!(account.names(), expected);
    }
}

/// A rejected key counts against the account, so it is sent once.
#[test]
fn a_key_that_an_outdated_list_was_refused_is_sent_once() {
    let detail = json!({ "detail": "no such key" }).to_string();
    // The refusal arrives before or after another run wrote the record.
    for (status, delay) in [(401, None), (403, None), (401, Some(2))] {
        let (account, repository) = (Account::new(), repository());
        if let Some(seconds) = delay {
            account.fault("GET", 1, Fault::Delay(Duration::from_secs(seconds)));
        }
        answers(&account, status, &[], &detail);
        let other = || {
            drop(repository.sync(&account, &[]).code(0).shows("1 created"));
            assert_eq!(lists(&account), 3, "its own, before and after the create");
        };
        let when = if delay.is_some() {
            When::Requested
        } else {
            When::Answered
        };
        let run = run_meanwhile(&repository, &account, &["sync"], when, other);
        run.code(1).complains("does not accept the API key");
        assert_eq!(account.requests(), [""; 0], "{status} {delay:?}");
    }
}

#[test]
fn a_refused_key_is_sent_once_by_every_command() {
    let detail = json!({ "detail": "no such key" }).to_string();
    for command in COMMANDS {
        let (account, repository) = (Account::new(), repository());
        answers(&account, 401, &[], &detail);
        run(&repository, &account, command).code(1);
        let requests = account.requests();
        assert_eq!(requests, ["GET workflow-webhooks"], "{command:?}");
    }
}

#[test]
fn a_list_that_arrived_early_is_the_only_one() {
    let (account, repository) = (Account::new(), repository());
    run(&repository, &account, &["sync"]).code(0);
    account.requests();
    for command in COMMANDS {
        run(&repository, &account, command).code(0);
        assert_eq!(lists(&account), 1, "{command:?}");
    }
}

#[test]
fn the_first_pages_of_as_many_webhooks_as_recorded_do_not_wait_for_each_other() {
    let (account, mut repository) = (Account::new(), Repository::with(""));
    let many = (0..301).map(|number| {
        format!("  w{number}: {{ url: 'https://hooks.example.com/{number}', actions: all }}\n")
    });
    repository.declare(&("webhooks:\n".to_owned() + &many.collect::<String>()));
    repository.settled(&account);
    repository.set("HOOKCTL_REQUEST_TIMEOUT", "10m");
    for command in [&["sync", "--dry-run"][..], &["sync"], &["status"]] {
        account.fault("GET", 1, Fault::Hang);
        let url = account.sandbox.base_url();
        let mut child = repository
            .command(&[&["-vv", "--api-url", &url], command].concat())
            .stderr(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let log = BufReader::new(child.stderr.take().unwrap());
        let arrived = log.lines().any(|line| line.unwrap().contains("status=200"));
        assert!(arrived, "{command:?}");
        child.kill().unwrap();
        child.wait().unwrap();
    }
}

#[test]
fn with_invalid_files_only_the_list_may_have_been_requested() {
    for command in COMMANDS {
        let account = Account::new();
        let repository =
            Repository::with("webhooks: { billing: { url: nowhere, actions: all } }\n");
        let url = account.sandbox.base_url();
        let run = repository.run(&[&["--api-url", &url], command].concat());
        let run = run.code(1);
        let said = run.stdout + &run.stderr;
        assert!(said.contains("invalid-url"), "{command:?}: {said}");
        let requests = account.requests();
        let is_list = |line: &String| line.starts_with("GET workflow-webhooks");
        assert!(
            requests.len() <= 1 && requests.iter().all(is_list),
            "{requests:?}"
        );
        assert!(!repository.path(".hookctl").exists(), "{command:?}");
    }
}

#[test]
fn without_consent_to_the_api_nothing_is_requested() {
    let account = Account::new();
    let repository = Repository::with(BILLING);
    let url = account.sandbox.base_url();
    let key = "{ env: SOME_KEY }";
    repository.write(
        "hookctl.yaml",
        &format!("targets: {{ qa: {{ api_url: '{url}', api_key: {key} }} }}\n"),
    );
    for command in COMMANDS {
        let run = repository.run(command).code(1);
        let said = run.stdout + &run.stderr;
        assert!(said.contains("no consent to"), "{command:?}: {said}");
        assert_eq!(account.requests(), [""; 0], "{command:?}");
    }
}
