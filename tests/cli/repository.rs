//! The declarations of this repository, as the README uses them.

use std::fs;
use std::path::Path;

use crate::harness::Repository;

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

fn checkout(folder: &str) -> Repository {
    let repository = Repository::new();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    copy(
        &root,
        &repository.path(if folder == "webhooks.d" { folder } else { "" }),
    );
    repository
}

#[test]
fn the_working_set_needs_no_set_up_and_has_no_warning() {
    let repository = checkout("webhooks.d");
    let run = repository.run(&["validate"]).code(0);
    assert_eq!(run.stderr, "");
    repository
        .run(&["sync", "--sandbox"])
        .code(0)
        .shows("Applied: 9 created.");
    repository
        .run(&["sync", "--sandbox"])
        .code(0)
        .shows("No changes.");
    let path = repository.path("webhooks.d/billing.yaml");
    let text = fs::read_to_string(&path).unwrap();
    fs::write(
        path,
        text.replace("timeout_seconds: 20", "timeout_seconds: 30"),
    )
    .unwrap();
    let document = repository
        .run(&["sync", "--sandbox", "--output", "json"])
        .code(0)
        .json();
    let actions = document["actions"].as_array().unwrap();
    assert_eq!(actions.len(), 1);
    assert_eq!(
        actions[0]["request"]["body"],
        serde_json::json!({ "timeout_seconds": 30 })
    );
}

#[test]
fn the_example_repository_rehearses_both_of_its_targets() {
    let mut repository = checkout("examples/infrastructure");
    repository.run(&["validate"]).code(0);
    for (name, value) in [
        ("BILLING_HOOK_TOKEN", "s3cr3t-billing"),
        ("SCHEDULING_HOOK_TOKEN", "s3cr3t-scheduling"),
    ] {
        repository.set(name, value);
    }
    for target in ["qa", "prod"] {
        repository
            .run(&["--target", target, "sync", "--sandbox"])
            .code(0)
            .shows("created");
        repository
            .run(&["--target", target, "sync", "--sandbox"])
            .code(0)
            .shows("No changes.");
    }
}
