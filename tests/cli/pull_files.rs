//! Pull: the files that it replaces, and what it leaves of them when it fails.

use std::fmt::Write as _;
use std::fs;

use serde_json::json;

use crate::documents::{conforms, validator};
use crate::harness::{Account, BILLING, Repository, Run, codes};
use crate::rollback;

/// Declares webhooks in a file each.
fn many(count: usize) -> (Account, Repository) {
    let (account, repository) = (Account::new(), Repository::new());
    for n in 0..count {
        let text =
            format!("webhooks:\n  hook-{n}: {{ url: 'https://h{n}.example.com', actions: all }}\n");
        repository.write(&format!("webhooks.d/{n}.yaml"), &text);
    }
    repository.settled(&account);
    for n in 0..count {
        account.edit(&format!("hook-{n}"), &json!({ "enabled": false }));
    }
    (account, repository)
}

fn pull(repository: &Repository, account: &Account) -> Run {
    let url = account.sandbox.base_url();
    repository.run(&["--api-url", &url, "pull"])
}

#[test]
#[cfg(unix)]
fn more_files_are_replaced_than_a_process_may_open() {
    let (account, repository) = many(90);
    let pulls = repository.command(&["--api-url", &account.sandbox.base_url(), "pull"]);
    let mut script = "ulimit -n 64 && exec".to_owned();
    for word in std::iter::once(pulls.get_program()).chain(pulls.get_args()) {
        write!(script, " '{}'", word.to_str().unwrap()).unwrap();
    }
    let mut shell = std::process::Command::new("sh");
    shell.args(["-c", &script]).env_clear();
    for (name, value) in pulls.get_envs() {
        shell.env(name, value.unwrap());
    }
    shell.current_dir(pulls.get_current_dir().unwrap());
    Run::of(shell.output().unwrap())
        .code(0)
        .shows("Pulled 90 values into 90 files.");
    assert_eq!(repository.plan(&account, &[]).0, 0);
}

#[test]
fn what_a_killed_pull_left_is_removed_by_the_next_one_that_writes() {
    let (account, repository) = (Account::new(), Repository::with(BILLING));
    repository.settled(&account);
    account.edit("Billing", &json!({ "enabled": false }));
    let kept = [
        "webhooks.d/.hookctl-pull-notes",
        "webhooks.d/.hookctl-pull-aaaaaaaaaaaa/note",
        ".hookctl-pull-bbbbbbbbbbbb",
    ];
    for name in kept {
        repository.write(name, "mine");
    }
    let left = "webhooks.d/.hookctl-pull-aB3dE6gH9jKl";
    repository.write(left, "a copy");
    let url = account.sandbox.base_url();
    repository
        .run(&["--api-url", &url, "pull", "--dry-run"])
        .code(0);
    assert!(repository.path(left).exists(), "a dry run");
    pull(&repository, &account).code(0);
    assert!(!repository.path(left).exists());
    for name in kept {
        assert_eq!(fs::read_to_string(repository.path(name)).unwrap(), "mine");
    }
    // Also if there is nothing to pull.
    repository.write(left, "a copy");
    pull(&repository, &account).code(0).shows("Nothing to pull");
    assert!(!repository.path(left).exists());
}

#[test]
fn a_held_webhook_is_reported_and_pulled_if_edits_are_overwritten() {
    let (account, repository) = rollback::moved();
    repository.sync(&account, &rollback::ROLLBACK).code(6);
    let url = account.sandbox.base_url();
    let run = |flags: &[&str]| {
        let mut all = vec!["--api-url", &url, "pull"];
        all.extend(flags);
        repository.run(&all)
    };
    let declared = BILLING.replace("/billing", "/v2");
    let text = || fs::read_to_string(repository.path("webhooks.d/all.yaml")).unwrap();
    run(&[])
        .code(4)
        .shows("Nothing was pulled.")
        .complains("'url' of 'billing': it is held: its change was rolled back")
        .complains("hint: add --overwrite-edits");
    assert_eq!(text(), declared);
    let document = run(&["--output", "json"]).code(4).json();
    conforms(&validator("pull-v1.schema.json"), &document);
    assert_eq!(document["left"][0]["reason"], "held");
    assert_eq!(document["remaining"], 0, "a sync leaves it alone");
    run(&["--field", "enabled"]).code(0);

    run(&["--overwrite-edits"])
        .code(0)
        .shows("Pulled 1 value into 1 file. The plan is empty");
    assert_eq!(text(), BILLING);
    let (code, plan) = repository.plan(&account, &[]);
    assert_eq!((code, codes(&plan)), (0, vec![]));
    run(&[]).code(0).shows("Nothing to pull");
}
