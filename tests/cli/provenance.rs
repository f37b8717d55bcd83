//! The Git commit in the history, independent of the user's Git settings and environment.

use std::process::Command;

use crate::harness::{Account, BILLING, Repository};

fn git(repository: &Repository, arguments: &[&str]) {
    let output = Command::new("git")
        .args(["-c", "user.name=A <b> C", "-c", "user.email=a@example.com"])
        .args(arguments)
        .current_dir(repository.path(""))
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
}

/// Syncs with a name, and returns the commit, the author, and whether files were modified.
fn recorded(repository: &Repository, account: &Account) -> (String, String, bool) {
    repository.sync(account, &[]).code(0);
    let url = account.sandbox.base_url();
    let run = repository.run(&["--api-url", &url, "record", "history", "--output", "json"]);
    let document = run.code(0).json();
    let entries = document
        .get("entries")
        .and_then(serde_json::Value::as_array)
        .unwrap();
    let newest = entries
        .iter()
        .max_by_key(|entry| entry.get("at").and_then(serde_json::Value::as_str));
    let field = |name: &str| {
        newest
            .unwrap()
            .pointer(&format!("/provenance/{name}"))
            .unwrap()
    };
    (
        field("commit").as_str().unwrap().to_owned(),
        field("author").as_str().unwrap().to_owned(),
        field("modified").as_bool().unwrap(),
    )
}

#[test]
fn settings_and_variables_of_git_change_nothing() {
    if Command::new("git").arg("--version").output().is_err() {
        return;
    }
    let (account, mut repository) = (Account::new(), Repository::with(BILLING));
    // What a user may have set, and what a hook of Git leaves in the environment.
    repository.write(
        ".gitconfig",
        "[log]\n showSignature = true\n[status]\n showUntrackedFiles = no\n[alias]\n log = status\n",
    );
    for (name, value) in [
        ("GIT_DIR", "/nowhere"),
        ("GIT_WORK_TREE", "/nowhere"),
        ("GIT_INDEX_FILE", "/nowhere/index"),
        ("GIT_CONFIG_COUNT", "1"),
        ("GIT_CONFIG_KEY_0", "core.bare"),
        ("GIT_CONFIG_VALUE_0", "true"),
    ] {
        repository.set(name, value);
    }
    git(&repository, &["init", "-q"]);
    git(&repository, &["config", "log.showSignature", "true"]);
    git(&repository, &["config", "status.showUntrackedFiles", "no"]);
    git(&repository, &["add", "webhooks.d"]);
    git(&repository, &["commit", "-qm", "one"]);
    let head = std::fs::read_to_string(repository.path(".git/HEAD")).unwrap();
    let reference = head.trim().strip_prefix("ref: ").unwrap();
    let commit = std::fs::read_to_string(repository.path(&format!(".git/{reference}"))).unwrap();
    let commit = commit.trim().to_owned();
    let author = "A b C".to_owned();
    assert_eq!(
        recorded(&repository, &account),
        (commit.clone(), author.clone(), false)
    );

    // In the work tree.
    let declare = |seconds: u32| {
        repository.declare(&format!("{BILLING}    timeout_seconds: {seconds}\n"));
    };
    declare(20);
    let modified = (commit, author.clone(), true);
    assert_eq!(recorded(&repository, &account), modified);
    // In the index, with the work tree as it is there.
    declare(21);
    git(&repository, &["add", "webhooks.d"]);
    assert_eq!(recorded(&repository, &account), modified);
    // By a file that is not tracked.
    git(&repository, &["commit", "-qm", "two"]);
    repository.write(
        "webhooks.d/more.yaml",
        "webhooks: { other: { url: 'https://b.example.com', actions: all } }\n",
    );
    assert!(recorded(&repository, &account).2);
    git(&repository, &["add", "webhooks.d"]);
    git(&repository, &["commit", "-qm", "three"]);
    repository.declare(BILLING);
    git(&repository, &["commit", "-qam", "four"]);
    repository.set("CI_JOB_URL", "https://ci.example.com/jobs/8412903");
    let (last, _, is_modified) = recorded(&repository, &account);
    assert!(!is_modified);

    // The history by commit, key, and age.
    let url = account.sandbox.base_url();
    let count = |arguments: &[&str]| {
        let mut all = vec!["--api-url", &url, "record", "history", "--output", "json"];
        all.extend(arguments);
        let document = repository.run(&all).code(0).json();
        let entries = document
            .get("entries")
            .and_then(serde_json::Value::as_array);
        entries.unwrap().len()
    };
    assert_eq!(count(&["--run", "8412903"]), 1);
    assert_eq!(count(&["--run", "12903"]), 0);
    assert_eq!(count(&["--run", "https://ci.example.com/jobs/8412903"]), 1);
    assert_eq!(count(&["--commit", &last]), 1);
    assert_eq!(count(&["--commit", &last[..8].to_uppercase()]), 1);
    assert_eq!(count(&["--commit", "00000000"]), 0);
    let all = count(&[]);
    assert_eq!(count(&["--since", "7d"]), all);
    assert_eq!(count(&["--since", "0s"]), 0);
    assert_eq!(count(&["--key", "other"]), 1);
    assert_eq!(count(&["billing", "--since", "1h"]), all - 1);
    let history = ["--api-url", &url, "record", "history"];
    repository
        .run(&history)
        .code(0)
        .shows("   https://ci.example.com/jobs/8412903\n");
    repository
        .run(&[&history[..], &["--key", "none"]].concat())
        .code(0)
        .shows("No change matches.");
    for wrong in [
        &["--commit", "HEAD"][..],
        &["--run", ""],
        &["--limit", "0"],
        &["a", "--key", "b"],
        &["--key", "A b"],
    ] {
        repository.run(&[&history[..], wrong].concat()).code(64);
    }
}
