//! `hookctl doctor`: each check says what is wrong and what to do, and nothing is written.

use std::fs;

use hookctl_testing::s3::S3Stub;
use serde_json::Value;

use crate::documents::{conforms, validator};
use crate::harness::{Account, BILLING, Repository, Run};
use crate::shared::repository_on_store;

const WITH_TOKEN: &str = "webhooks:
  billing:
    url: https://hooks.example.com/billing
    actions: all
    bearer_token: { env: BILLING_TOKEN }
";

fn doctor(repository: &Repository, account: &Account, arguments: &[&str]) -> Run {
    let url = account.sandbox.base_url();
    let mut all = vec!["--api-url", &url, "doctor"];
    all.extend(arguments);
    repository.run(&all)
}

/// The health and the message of a check.
fn check<'a>(document: &'a Value, name: &str) -> (&'a str, &'a str) {
    let checks = document["checks"].as_array().unwrap();
    let mut named = checks.iter().filter(|check| check["name"] == name);
    let found = named.next().unwrap_or_else(|| panic!("no check '{name}'"));
    (
        found["health"].as_str().unwrap(),
        found["message"].as_str().unwrap(),
    )
}

/// Text without what differs between machines and runs.
fn shown(run: &Run, repository: &Repository, account: &Account) -> String {
    let folder = fs::canonicalize(repository.path("")).unwrap();
    let text = run
        .stdout
        .replace(&account.sandbox.base_url(), "(url)")
        .replace(folder.to_str().unwrap(), "(folder)")
        .replace(
            repository.path("").to_str().unwrap().trim_end_matches('/'),
            "(folder)",
        );
    let lines = text.lines().map(|line| match line.split_once(" KiB") {
        Some((before, after)) => {
            let before = before.trim_end_matches(|digit: char| digit.is_ascii_digit());
            format!("{before}(some) KiB{after}")
        }
        None if line.starts_with("ok       hookctl ") => "(version)".to_owned(),
        None => line.to_owned(),
    });
    lines.map(|line| line + "\n").collect()
}

#[test]
fn a_set_up_that_works_has_no_problem() {
    let (account, mut repository) = (Account::new(), Repository::with(WITH_TOKEN));
    repository.set("BILLING_TOKEN", "s3cr3t-token");
    let run = doctor(&repository, &account, &[]).code(0);
    assert!(!repository.path(".hookctl").exists());
    assert_eq!(run.stderr, "");
    assert!(run.stdout.contains("the first sync creates it"));
    repository.settled(&account);
    let before = repository.record();
    let run = doctor(&repository, &account, &[]).code(0);
    insta::assert_snapshot!("works", shown(&run, &repository, &account));
    assert_eq!(repository.record(), before);
    assert_eq!(account.requests(), ["GET workflow-webhooks"]);
    let document = doctor(&repository, &account, &["--output", "json"])
        .code(0)
        .json();
    conforms(&validator("doctor-v1.schema.json"), &document);
    assert_eq!(document["problems"], 0);
}

#[test]
fn each_problem_has_a_line_that_says_what_to_do() {
    let (account, mut repository) = (Account::new(), Repository::with(WITH_TOKEN));
    repository.set("INTERACTLY_API_KEY", "s3cr3t-other-key");
    let run = doctor(&repository, &account, &[]).code(1);
    insta::assert_snapshot!("problems", shown(&run, &repository, &account));
    repository.set("INTERACTLY_API_KEY", "");
    repository.declare(&format!("{BILLING}    timeout: 5\n    enabeld: true\n"));
    let document = doctor(&repository, &account, &["--output", "json"])
        .code(1)
        .json();
    conforms(&validator("doctor-v1.schema.json"), &document);
    let (health, message) = check(&document, "declarations");
    assert_eq!(health, "problem");
    assert!(
        message.contains("2 errors: webhooks.d/all.yaml:6:5:"),
        "{message}"
    );
    assert_eq!(check(&document, "API key").0, "problem");
    assert_eq!(check(&document, "API").0, "skipped");
    assert_eq!(check(&document, "tokens").0, "skipped");
}

#[test]
fn an_invalid_configuration_is_a_problem_and_the_rest_is_not_checked() {
    let (account, repository) = (Account::new(), Repository::with(BILLING));
    repository.write("hookctl.yaml", "targts: {}\n");
    let document = doctor(&repository, &account, &["--output", "json"])
        .code(1)
        .json();
    conforms(&validator("doctor-v1.schema.json"), &document);
    assert_eq!(document["target"], Value::Null);
    let (health, message) = check(&document, "configuration");
    assert_eq!(health, "problem");
    assert!(
        message.contains("hookctl.yaml:1:1: unknown key 'targts'"),
        "{message}"
    );
    assert_eq!(check(&document, "record").0, "skipped");
    assert!(account.requests().is_empty());
}

#[test]
fn a_record_in_use_names_its_process() {
    let (account, repository) = (Account::new(), Repository::with(BILLING));
    repository.settled(&account);
    let lock = fs::File::open(repository.path(".hookctl/lock")).unwrap();
    lock.lock().unwrap();
    let document = doctor(&repository, &account, &["--output", "json"])
        .code(0)
        .json();
    let (health, message) = check(&document, "record");
    assert_eq!(health, "warning");
    assert!(message.contains("is in use by process"), "{message}");
    drop(lock);
    let database = repository.path(".hookctl/db/db");
    let length = fs::read(&database).unwrap().len();
    fs::write(&database, vec![b'x'; length]).unwrap();
    doctor(&repository, &account, &[])
        .code(1)
        .shows("is damaged")
        .shows("hint: `hookctl record repair`");
}

#[cfg(unix)]
#[test]
fn programs_run_only_with_consent() {
    use std::os::unix::fs::PermissionsExt as _;

    let (account, mut repository) = (Account::new(), Repository::new());
    repository.declare(&WITH_TOKEN.replace("{ env: BILLING_TOKEN }", "{ command: [./token.sh] }"));
    let script = "#!/bin/sh\ntouch ran\necho s3cr3t-token\n";
    repository.write("webhooks.d/token.sh", script);
    let path = repository.path("webhooks.d/token.sh");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    doctor(&repository, &account, &[])
        .code(1)
        .shows("problem  consent")
        .shows("0 of 1 token resolved, 1 not tried")
        .shows("hint: review it and consent with `hookctl trust`")
        .shows("accepts the key");
    assert!(!repository.path("webhooks.d/ran").exists());
    repository.set("HOOKCTL_TRUST", "1");
    doctor(&repository, &account, &[])
        .code(0)
        .shows("1 of 1 token resolved");
    assert!(repository.path("webhooks.d/ran").exists());
    fs::remove_file(path).unwrap();
    doctor(&repository, &account, &[])
        .code(1)
        .shows("problem  tokens");
}

#[test]
fn a_shared_record_is_read_and_never_created() {
    let (account, store) = (Account::new(), S3Stub::start());
    let repository = repository_on_store(&account, &store);
    repository
        .run(&["doctor"])
        .code(1)
        .shows("problem  record")
        .shows("hint: create it with `hookctl record init`");
    assert!(store.objects().is_empty());
    repository.run(&["record", "init"]).code(0);
    let before = store.objects();
    repository
        .run(&["doctor"])
        .code(0)
        .shows("shared, in s3://bucket/hooks: reachable; no process is writing it");
    assert_eq!(store.objects(), before);
}
