//! `hookctl record` on an object store, and consent to it.

use hookctl_testing::s3::{Fault, S3Stub};
use serde_json::Value;

use super::fleet::{Fleet, repository_on_store};
use crate::documents::{conforms, validator};
use crate::harness::{Account, BILLING, Repository};

#[test]
fn a_record_is_created_on_request_and_never_by_a_sync() {
    let (account, store) = (Account::new(), S3Stub::start());
    let repository = repository_on_store(&account, &store);
    for command in [&["sync", "--yes"][..], &["sync", "--dry-run"], &["status"]] {
        let run = repository.run(command).code(1);
        run.complains("there is no record at this place")
            .complains("hint: create it with `hookctl record init`");
    }
    assert!(store.objects().is_empty());
    assert_eq!(account.names(), [""; 0]);
    repository
        .run(&["record", "init"])
        .code(0)
        .shows("Created the record of 'prod' in s3://bucket/hooks.");
    repository
        .run(&["record", "init"])
        .code(1)
        .complains("a record exists already in s3://bucket/hooks");
    repository.run(&["sync", "--yes"]).code(0);
    assert_eq!(account.names(), ["Billing"]);
}

#[test]
fn status_names_the_place_and_the_holder() {
    let (account, store) = (Account::new(), S3Stub::start());
    let repository = repository_on_store(&account, &store);
    repository.run(&["record", "init"]).code(0);
    repository.run(&["sync", "--yes"]).code(0);
    let run = repository.run(&["record", "status"]).code(0);
    assert_eq!(
        run.stdout,
        "The record of 'prod' is shared, in s3://bucket/hooks: 2 entries, no checkpoint, 1 writer so far.\n\
         No process is writing it.\n"
    );
    let document = repository
        .run(&["record", "status", "--output", "json"])
        .code(0)
        .json();
    let check = validator("record-status-v1.schema.json");
    conforms(&check, &document);
    assert_eq!(document["shared"]["holder"], Value::Null);
    let local = repository
        .run(&["--record", "local", "record", "status", "--output", "json"])
        .code(0)
        .json();
    conforms(&check, &local);
    assert_eq!(local["shared"], Value::Null);
    repository
        .run(&["record", "show"])
        .code(0)
        .shows("1 webhook bound.");
    repository
        .run(&["record", "history"])
        .code(0)
        .shows("create");
    repository
        .run(&["record", "unlock", "--epoch", "1", "--yes"])
        .code(0)
        .shows("nothing to unlock");
}

#[test]
fn the_local_record_can_be_copied() {
    let (account, store) = (Account::new(), S3Stub::start());
    let mut repository = repository_on_store(&account, &store);
    repository.set("TOKEN", "s3cr3t-token");
    repository.declare(&BILLING.replace("    name", "    bearer_token: { env: TOKEN }\n    name"));
    repository
        .run(&["--record", "local", "sync", "--yes"])
        .code(0);
    account.requests();
    repository
        .run(&["record", "init", "--from-local"])
        .code(0)
        .shows("Copied 1 binding of");
    // The token is known, so nothing is written.
    repository.run(&["sync", "--yes"]).code(0);
    assert_eq!(account.requests().len(), 1);
    repository.declare("webhooks: {}");
    repository
        .run(&["sync", "--yes", "--force", "--prune", "--allow-empty"])
        .code(0);
    assert_eq!(account.names(), [""; 0]);
}

#[cfg(unix)]
#[test]
fn a_local_record_that_is_in_use_leaves_no_empty_shared_one() {
    let (account, store) = (Account::new(), S3Stub::start());
    let repository = repository_on_store(&account, &store);
    repository
        .run(&["--record", "local", "sync", "--yes"])
        .code(0);
    let lock = std::fs::File::open(repository.path(".hookctl/lock")).unwrap();
    lock.lock().unwrap();
    repository
        .run(&["--lock-timeout", "200ms", "record", "init", "--from-local"])
        .code(1);
    assert!(store.objects().is_empty());
    drop(lock);
    repository
        .run(&["record", "init", "--from-local"])
        .code(0)
        .shows("Copied 1 binding of");
}

#[test]
fn a_variable_with_a_line_break_is_named() {
    let (account, store) = (Account::new(), S3Stub::start());
    let mut repository = repository_on_store(&account, &store);
    repository.set("AWS_SESSION_TOKEN", "s3cr3t-session\n");
    repository
        .run(&["record", "init"])
        .code(1)
        .complains("the variable AWS_SESSION_TOKEN has a line break");
    assert!(store.requests().is_empty());
}

#[test]
fn rename_and_forget_take_the_lease() {
    let mut fleet = Fleet::runners();
    fleet.declare(BILLING);
    fleet.run(&["sync", "--yes"]).code(0);
    fleet.run(&["record", "rename", "billing", "money"]).code(0);
    fleet.declare(&BILLING.replace("  billing:", "  money:"));
    fleet.is_settled(1);
    // A failure releases the lease.
    fleet.run(&["record", "forget", "none"]).code(64);
    fleet.run(&["record", "rename", "none", "other"]).code(64);
    let status = fleet.run(&["record", "status"]).code(0);
    assert!(status.stdout.contains("No process is writing it"));
    fleet.run(&["record", "forget", "money"]).code(0);
    fleet
        .run(&["record", "show"])
        .code(0)
        .shows("0 webhooks bound.");
}

#[test]
fn an_address_in_a_file_needs_consent_and_one_of_the_user_does_not() {
    let (account, store) = (Account::new(), S3Stub::start());
    let mut repository = repository_on_store(&account, &store);
    let url = account.sandbox.base_url();
    repository.write(
        "hookctl.yaml",
        &format!("record: s3://bucket/hooks\ntargets: {{ prod: {{ api_url: '{url}' }} }}\n"),
    );
    for command in [
        &["record", "init"][..],
        &["sync", "--dry-run"],
        &["record", "status"],
    ] {
        repository
            .run(command)
            .code(1)
            .complains("no consent to what the files ask for: keep the record in s3://bucket/hooks (hookctl.yaml:1:9)");
    }
    assert!(store.requests().is_empty());
    repository
        .run(&["trust"])
        .shows("keep the record in s3://bucket/hooks");
    repository
        .run(&["--record", "s3://bucket/hooks", "record", "init"])
        .code(0);
    repository.set("HOOKCTL_RECORD", "s3://bucket/hooks");
    repository.run(&["sync", "--yes"]).code(0);
    // The emulator never uses it.
    store.forget_requests();
    repository.run(&["sync", "--yes", "--sandbox"]).code(0);
    assert!(store.requests().is_empty());
}

#[test]
fn an_object_store_that_ignores_conditions_is_refused() {
    let (account, store) = (Account::new(), S3Stub::start());
    let repository = repository_on_store(&account, &store);
    store.set_fault(Some(Fault::IgnoreConditions));
    repository
        .run(&["record", "init"])
        .code(5)
        .complains("ignores conditional writes");
    assert!(!store.objects().keys().any(|name| name.ends_with("/head")));
}

#[test]
fn addresses_and_leases_are_checked_before_anything_is_sent() {
    let (account, store) = (Account::new(), S3Stub::start());
    let repository = repository_on_store(&account, &store);
    repository
        .run(&["--record", "ftp://x/y", "record", "status"])
        .code(64)
        .complains("must begin with s3://, az://, or gs://");
    repository
        .run(&["--request-timeout", "50s", "record", "status"])
        .code(1);
    repository.write(
        "hookctl.yaml",
        &format!(
            "record: {{ url: s3://bucket/hooks, endpoint: '{}', lease: 30s }}\n\
             targets: {{ prod: {{ api_url: '{}' }} }}\n",
            store.url(),
            account.sandbox.base_url()
        ),
    );
    store.forget_requests();
    repository
        .run(&["record", "status"])
        .code(1)
        .complains("must be at least one and a half times the request time-out");
    assert!(store.requests().is_empty());
}

#[cfg(unix)]
#[test]
fn a_watch_runs_the_program_of_its_credentials_again_before_they_expire() {
    let (account, store) = (Account::new(), S3Stub::start());
    let mut repository = Repository::with(BILLING);
    // The keys end in three minutes, which is soon.
    repository.write(
        "keys.sh",
        "echo run >>runs
end=$(date -u -d '+3 minutes' +%Y-%m-%dT%H:%M:%SZ)
echo '{ \"Version\": 1, \"AccessKeyId\": \"stub-key\", \"SecretAccessKey\": \"s3cr3t-of-the-store\", '
echo '  \"SessionToken\": \"s3cr3t-session\", \"Expiration\": \"'$end'\" }'
",
    );
    repository.write(
        "hookctl.yaml",
        &format!(
            "record:
  url: s3://bucket/hooks
  endpoint: '{}'
  region: eu-central-1
  credentials: {{ command: [sh, keys.sh] }}
targets: {{ prod: {{ api_url: '{}' }} }}
",
            store.url(),
            account.sandbox.base_url()
        ),
    );
    repository
        .run(&["record", "init"])
        .code(1)
        .complains("for the credentials of the record");
    assert!(!repository.path("runs").exists());
    repository.set("HOOKCTL_TRUST", "1");
    repository.run(&["record", "init"]).code(0);
    let mut watch = repository
        .command(&["watch", "--interval", "1s"])
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap();
    let runs = || {
        let runs = std::fs::read_to_string(repository.path("runs")).unwrap();
        runs.lines().count()
    };
    let begun = std::time::Instant::now();
    while runs() < 4 && begun.elapsed() < std::time::Duration::from_secs(20) {
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    watch.kill().unwrap();
    watch.wait().unwrap();
    assert!(runs() >= 4, "{} runs", runs());
    assert_eq!(account.names(), ["Billing"]);
    repository.run(&["-vv", "status"]).code(0);
}

#[cfg(unix)]
#[test]
fn credentials_that_are_expired_say_since_when() {
    let (account, store) = (Account::new(), S3Stub::start());
    let mut repository = repository_on_store(&account, &store);
    repository.write(
        "keys.sh",
        "echo '{ \"Version\": 1, \"AccessKeyId\": \"stub-key\", \"SecretAccessKey\": \"s3cr3t-of-the-store\", '
echo '  \"SessionToken\": \"s3cr3t-session\", \"Expiration\": \"2026-01-02T03:04:05Z\" }'
",
    );
    repository.write(
        "hookctl.yaml",
        &format!(
            "record: {{ url: s3://bucket/hooks, endpoint: '{}', credentials: {{ command: [sh, keys.sh] }} }}\n\
             targets: {{ prod: {{ api_url: '{}' }} }}\n",
            store.url(),
            account.sandbox.base_url()
        ),
    );
    repository.set("HOOKCTL_TRUST", "1");
    let run = repository
        .run(&["record", "init"])
        .code(1)
        .complains("the credentials of the program expired at 2026-01-02T03:04:05Z");
    assert!(!run.stderr.contains("s3cr3t"), "{}", run.stderr);
    assert!(store.requests().is_empty());
}
