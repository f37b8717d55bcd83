//! `hookctl record migrate`: to another place, to the local record, and back.

use std::time::Duration;

use hookctl_testing::s3::{Fault, S3Stub};

use super::fleet::Fleet;
use crate::harness::{Account, BILLING, Repository, hooks};

/// A repository whose record was created, with one webhook that has a token.
fn repository(account: &Account, store: &S3Stub) -> Repository {
    let mut repository = Repository::new();
    repository.declare(&BILLING.replace("    name", "    bearer_token: { env: TOKEN }\n    name"));
    repository.set("TOKEN", "s3cr3t-token");
    names(&repository, account, store, "s3://bucket/old");
    for (name, value) in store.variables() {
        repository.set(&name, &value);
    }
    repository.run(&["record", "init"]).code(0);
    repository.run(&["sync", "--yes"]).code(0);
    account.requests();
    repository
}

fn names(repository: &Repository, account: &Account, store: &S3Stub, place: &str) {
    let record = match place {
        "local" => place.to_owned(),
        url => format!("{{ url: {url}, endpoint: '{}' }}", store.url()),
    };
    let url = account.sandbox.base_url();
    repository.write(
        "hookctl.yaml",
        &format!("record: {record}\ntargets: {{ prod: {{ api_url: '{url}' }} }}\n"),
    );
}

#[test]
fn a_record_moves_to_another_place_and_the_old_one_is_closed() {
    let (account, store) = (Account::new(), S3Stub::start());
    let repository = repository(&account, &store);
    let run = repository
        .run(&["record", "migrate", "--to", "s3://bucket/new"])
        .code(0);
    assert_eq!(
        run.stdout,
        "Moved the record of 'prod' to s3://bucket/new: 1 binding.\n\
         s3://bucket/old is closed: every use of it names the new place.\n"
    );
    for command in [
        &["sync", "--yes"][..],
        &["record", "show"],
        &["record", "status"],
        &["record", "migrate", "--to", "s3://bucket/third"],
    ] {
        repository
            .run(command)
            .code(1)
            .complains("the record was moved to s3://bucket/new")
            .complains("hint: name that address in `record`");
    }
    repository.run(&["record", "init"]).code(1);
    assert!(
        account
            .requests()
            .iter()
            .all(|line| line.starts_with("GET"))
    );
    // The token is known there, so nothing is written.
    names(&repository, &account, &store, "s3://bucket/new");
    repository.run(&["sync", "--yes"]).code(0);
    repository.run(&["record", "verify"]).code(0);
    assert_eq!(account.requests().len(), 1);
}

#[test]
fn a_record_becomes_local_and_shared_again() {
    let (account, store) = (Account::new(), S3Stub::start());
    let repository = repository(&account, &store);
    repository
        .run(&["record", "migrate", "--to", "local"])
        .code(0)
        .shows("Moved the record of 'prod' to local: 1 binding.");
    repository
        .run(&["record", "status"])
        .code(1)
        .complains("the record was moved to local");
    names(&repository, &account, &store, "local");
    repository.run(&["sync", "--yes"]).code(0);
    assert_eq!(account.requests().len(), 1);
    repository
        .run(&["record", "migrate", "--to", "s3://bucket/new"])
        .code(64)
        .complains("the record is local")
        .complains(
            "hint: name the new place in hookctl.yaml, and run `hookctl record init --from-local`",
        );
    names(&repository, &account, &store, "s3://bucket/new");
    repository
        .run(&["record", "init", "--from-local"])
        .code(0)
        .shows("Copied 1 binding");
}

#[test]
fn a_place_that_is_in_use_changes_nothing() {
    let (account, store) = (Account::new(), S3Stub::start());
    let repository = repository(&account, &store);
    let migrate = |to: &str| repository.run(&["record", "migrate", "--to", to]);
    migrate("s3://bucket/old")
        .code(64)
        .complains("the record is in s3://bucket/old already");
    names(&repository, &account, &store, "s3://bucket/used");
    repository.run(&["record", "init"]).code(0);
    names(&repository, &account, &store, "s3://bucket/old");
    migrate("s3://bucket/used")
        .code(1)
        .complains("a record exists already");
    repository
        .run(&["--record", "local", "sync", "--yes"])
        .code(0);
    migrate("local")
        .code(1)
        .complains("the local record is not empty");
    // The old place is as it was.
    repository
        .run(&["record", "status"])
        .code(0)
        .shows("No process is writing it.");
    repository.run(&["sync", "--yes"]).code(0);
}

#[test]
fn a_lost_response_to_each_write_of_a_migration_is_none_of_its_failures() {
    for fault in [Fault::CutAfterWrite, Fault::RefuseAfterWrite] {
        let (account, store) = (Account::new(), S3Stub::start());
        let repository = repository(&account, &store);
        store.set_fault(Some(fault));
        repository
            .run(&["record", "migrate", "--to", "s3://bucket/new"])
            .code(0);
        store.set_fault(None);
        names(&repository, &account, &store, "s3://bucket/new");
        repository.run(&["sync", "--yes"]).code(0);
        assert_eq!(account.requests().len(), 1);
    }
}

#[test]
fn a_record_with_pending_writes_stays() {
    let mut fleet = Fleet::runners();
    fleet.declare(&hooks(1));
    fleet
        .account
        .fault("POST", 1, hookctl::sandbox::Fault::HangAfter);
    let (_runner, mut child) = fleet.start(&["sync", "--yes"]);
    while fleet.account.names().is_empty() {
        std::thread::sleep(Duration::from_millis(2));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    let migrate = ["record", "migrate", "--to", "s3://bucket/new"];
    fleet
        .run(&migrate)
        .code(1)
        .complains("1 write is pending in this record")
        .complains("hint: run `hookctl sync` first: it settles them");
    fleet.run(&["sync", "--yes"]).code(0);
    fleet.run(&migrate).code(0);
}
