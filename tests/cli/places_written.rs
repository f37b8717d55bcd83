//! Where files are written, including in repositories with misleading links.

#![cfg(unix)]

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};

use crate::harness::{Account, BILLING, Repository, Run};
use crate::places::git;

#[test]
fn a_schema_is_not_written_through_a_link() {
    let (account, repository) = (Account::new(), Repository::with(BILLING));
    let url = account.sandbox.base_url();
    repository.settled(&account);
    repository.write("theirs", "untouched");
    let link = repository.path("webhooks.d/.schema.json");
    let _ = fs::remove_file(&link);
    symlink(repository.path("theirs"), &link).unwrap();
    account.edit("Billing", &serde_json::json!({ "name": "Other" }));
    repository
        .run(&["--api-url", &url, "record", "forget", "billing"])
        .code(0);
    repository.run(&["--api-url", &url, "import"]).code(0);
    let theirs = fs::read_to_string(repository.path("theirs")).unwrap();
    assert_eq!(theirs, "untouched");
    assert!(fs::symlink_metadata(&link).unwrap().is_file());
}

#[test]
fn nothing_is_written_through_a_linked_folder_of_the_repository() {
    let account = Account::new();
    let outside = Repository::new();
    let repository = Repository::with(BILLING);
    let url = account.sandbox.base_url();
    let is_empty = || fs::read_dir(outside.path("")).unwrap().count() == 0;
    fs::remove_dir_all(outside.path("webhooks.d")).ok();
    assert!(is_empty());
    let refused = |run: Run| {
        run.code(1)
            .complains("a link in the path leads out of the repository");
        assert!(is_empty());
    };
    git(&repository.path(""), &["init", "-q"]);
    symlink(outside.path(""), repository.path("plans")).unwrap();
    for out in ["plans/plan.json", "./webhooks.d/../plans/plan.json"] {
        refused(repository.sync(&account, &["--dry-run", "--out", out]));
    }
    let absolute = repository.path("plans/plan.json");
    let absolute = absolute.to_str().unwrap();
    refused(repository.sync(&account, &["--dry-run", "--out", absolute]));
    // What a person names elsewhere, or a link that stays, is theirs.
    fs::create_dir(repository.path("kept")).unwrap();
    symlink("kept", repository.path("inner")).unwrap();
    for out in ["inner/plan.json", "../beside.json"] {
        let out = if out.starts_with("..") {
            outside.path("plan.json").to_str().unwrap().to_owned()
        } else {
            out.to_owned()
        };
        repository
            .sync(&account, &["--dry-run", "--out", &out])
            .code(0);
    }
    assert!(repository.path("kept/plan.json").exists());
    fs::remove_file(outside.path("plan.json")).unwrap();

    let begun = Repository::new();
    git(&begun.path(""), &["init", "-q"]);
    fs::remove_dir_all(begun.path("webhooks.d")).ok();
    let init = ["--api-url", &url, "init", "--no-import", "--ci", "github"];
    for name in [".github", "webhooks.d"] {
        symlink(outside.path(""), begun.path(name)).unwrap();
        refused(begun.run(&init));
        assert!(!begun.path("hookctl.yaml").exists());
        fs::remove_file(begun.path(name)).unwrap();
    }
    symlink(outside.path(""), begun.path("webhooks.d")).unwrap();
    repository.settled(&account);
    begun
        .run(&["--api-url", &url, "import", "--all"])
        .code(1)
        .complains("leads out of the repository");
    assert!(is_empty());
}

/// A link that stays in the repository, and the parent of where it leads: outside.
#[test]
fn a_parent_behind_a_link_is_not_what_its_text_says() {
    let account = Account::new();
    let repository = Repository::new();
    let url = account.sandbox.base_url();
    let root = repository.path("repo");
    fs::create_dir_all(root.join("a/b/webhooks.d")).unwrap();
    fs::write(root.join("a/b/webhooks.d/a.yaml"), BILLING).unwrap();
    git(&root, &["init", "-q"]);
    symlink(".", root.join("self")).unwrap();
    symlink("../..", root.join("a/b/up")).unwrap();
    let run = |at: &str, arguments: &[&str]| {
        let mut command = repository.command(&[&["--api-url", url.as_str()], arguments].concat());
        Run::of(command.current_dir(root.join(at)).output().unwrap())
    };
    let planned = |at: &str, out: &str| run(at, &["sync", "--dry-run", "--out", out]);
    for out in [
        "../../self/../plan.json",
        "up/../plan.json",
        "up/self/a/b/up/../plan.json",
    ] {
        planned("a/b", out)
            .code(1)
            .complains("a link in the path leads out of the repository");
    }
    planned("a/b", "none/../plan.json")
        .code(1)
        .complains("a missing folder");
    assert!(!repository.path("plan.json").exists());
    // What a person names above, or behind a link that stays, is theirs.
    planned("a/b", "../../../above.json").code(0);
    assert!(repository.path("above.json").exists());
    planned("a/b", "up/a/../inside.json").code(0);
    assert!(root.join("inside.json").exists());

    for folder in ["self/../hooks", "a/b/up/../hooks"] {
        fs::write(
            root.join("hookctl.yaml"),
            format!("webhooks_dir: {folder}\n"),
        )
        .unwrap();
        run("", &["import"]).code(1).complains("'..' may lead out");
        fs::write(root.join("hookctl.yaml"), format!("cache_dir: {folder}\n")).unwrap();
        run("", &["import"]).code(1).complains("'..' may lead out");
    }
    assert!(!repository.path("hooks").exists());
}

#[test]
fn a_record_that_git_may_track_is_refused_without_git_too() {
    let account = Account::new();
    let repository = Repository::with(BILLING);
    let url = account.sandbox.base_url();
    let empty = repository.path("empty");
    fs::create_dir(&empty).unwrap();
    let without_git = || {
        let mut command = repository.command(&["--api-url", &url, "sync", "--dry-run"]);
        Run::of(command.env("PATH", &empty).output().unwrap())
    };
    git(&repository.path(""), &["init", "-q"]);
    repository.settled(&account);
    without_git().code(0);
    git(&repository.path(""), &["add", "webhooks.d"]);
    without_git().code(0);
    for how in ["--split-index", "--index-version=4"] {
        git(&repository.path(""), &["update-index", how]);
        without_git()
            .code(1)
            .complains("could not determine whether")
            .complains("install Git");
        repository.sync(&account, &["--dry-run"]).code(0);
        git(&repository.path(""), &["update-index", "--no-split-index"]);
        for entry in fs::read_dir(repository.path(".git")).unwrap() {
            let path = entry.unwrap().path();
            if path.to_string_lossy().contains("sharedindex") {
                fs::remove_file(path).unwrap();
            }
        }
    }
}

#[test]
fn programs_of_the_repository_around_a_submodule_are_not_searched() {
    let account = Account::new();
    let repository = Repository::new();
    let inner = Repository::with(BILLING);
    for folder in [&repository, &inner] {
        git(&folder.path(""), &["init", "-q"]);
        git(&folder.path(""), &["add", "."]);
        git(&folder.path(""), &["commit", "-qm", "one", "--allow-empty"]);
    }
    let from = inner.path("");
    let from = from.to_str().unwrap();
    let add = [
        "-c",
        "protocol.file.allow=always",
        "submodule",
        "add",
        "-q",
        from,
        "sub",
    ];
    git(&repository.path(""), &add);
    let marker = repository.path("ran");
    let script = format!("#!/bin/sh\ntouch '{}'\n", marker.display());
    repository.write("bin/git", &script);
    fs::set_permissions(
        repository.path("bin/git"),
        fs::Permissions::from_mode(0o755),
    )
    .unwrap();
    repository.write("sub/hookctl.yaml", "prune: false\n");
    let url = account.sandbox.base_url();
    let mut command = repository.command(&["--api-url", &url, "sync", "--dry-run"]);
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = [repository.path("bin")]
        .into_iter()
        .chain(std::env::split_paths(&path));
    let output = command
        .current_dir(repository.path("sub"))
        .env("PATH", std::env::join_paths(folders).unwrap())
        .output();
    Run::of(output.unwrap()).code(0);
    assert!(!marker.exists());
}

#[test]
fn a_database_that_is_longer_than_any_record_is_not_read() {
    let account = Account::new();
    let repository = Repository::with(BILLING);
    repository.settled(&account);
    let database = repository.path(".hookctl/db/db");
    let file = fs::OpenOptions::new().write(true).open(&database).unwrap();
    file.set_len(1 << 40).unwrap();
    for arguments in [&["--dry-run"][..], &[]] {
        repository
            .sync(&account, arguments)
            .code(1)
            .complains("larger than 1 GiB")
            .complains("record repair");
    }
}
