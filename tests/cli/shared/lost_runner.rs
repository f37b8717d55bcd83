//! A runner without memory does exactly what a workstation does.

use serde_json::json;

use super::fleet::Fleet;
use crate::harness::causes;

const BOTH: &str = "webhooks:
  billing: { url: 'https://hooks.example.com/billing', actions: all, bearer_token: { env: TOKEN } }
  intake: { url: 'https://hooks.example.com/intake', actions: all, prevent_destroy: true }
";
const WITHOUT_TOKEN: &str = "webhooks:
  billing: { url: 'https://hooks.example.com/billing', actions: all }
  intake: { url: 'https://hooks.example.com/intake', actions: all, prevent_destroy: true }
";
const EDITED: &str = "webhooks:
  billing: { url: 'https://hooks.example.com/billing', actions: all, timeout_seconds: 12 }
  intake: { url: 'https://hooks.example.com/intake', actions: all, prevent_destroy: true }
";
const ONLY_BILLING: &str = "webhooks:
  billing: { url: 'https://hooks.example.com/billing', actions: all, timeout_seconds: 12 }
";
const UNPROTECTED: &str = "webhooks:
  billing: { url: 'https://hooks.example.com/billing', actions: all, timeout_seconds: 12 }
  intake: { url: 'https://hooks.example.com/intake', actions: all }
";

/// What each step of a team's week sends, with the causes of the changes.
fn week(mut fleet: Fleet) -> Vec<(&'static str, i32, Vec<String>)> {
    let mut seen = Vec::new();
    let mut step = |what, fleet: &Fleet, arguments: &[&str]| {
        let (code, requests) = fleet.step(arguments);
        seen.push((what, code, requests));
    };
    let sync = ["sync", "--yes", "--force"];
    let prune = ["sync", "--yes", "--force", "--prune"];
    fleet.set("TOKEN", "s3cr3t-token");
    fleet.declare(BOTH);
    step("created", &fleet, &sync);
    step("an unchanged token", &fleet, &sync);
    fleet.declare(WITHOUT_TOKEN);
    step("a removed token", &fleet, &sync);
    fleet
        .account
        .edit("billing", &json!({ "timeout_seconds": 99 }));
    let plan = fleet.run(&["sync", "--dry-run", "--output", "json"]).json();
    let reported = causes(&plan);
    step("drift", &fleet, &sync);
    fleet.declare(EDITED);
    let plan = fleet.run(&["sync", "--dry-run", "--output", "json"]).json();
    let edited = causes(&plan);
    step("an edit", &fleet, &sync);
    fleet.declare(ONLY_BILLING);
    step("a protected orphan", &fleet, &prune);
    fleet.declare(UNPROTECTED);
    step("the protection removed", &fleet, &sync);
    fleet.declare(ONLY_BILLING);
    step("an orphan", &fleet, &sync);
    step("an orphan, pruned", &fleet, &prune);
    step("nothing left", &fleet, &prune);
    seen.push(("the cause of the drift", 0, reported));
    seen.push(("the cause of the edit", 0, edited));
    fleet.is_settled(1);
    seen
}

#[test]
fn a_new_folder_for_each_run_sends_what_a_workstation_sends() {
    let runners = week(Fleet::runners());
    assert_eq!(runners, week(Fleet::workstation()));
    insta::assert_debug_snapshot!(runners);
}

#[test]
fn a_run_on_older_files_than_those_applied_last_says_so() {
    use std::process::Command;

    let mut fleet = Fleet::runners();
    let home = tempfile::tempdir().unwrap();
    let git = |folder: &std::path::Path, arguments: &[&str]| {
        let run = Command::new("git")
            .args(["-c", "user.name=a", "-c", "user.email=a@example.com"])
            .args(arguments)
            .current_dir(folder)
            .env("HOME", home.path())
            .output()
            .unwrap();
        assert!(run.status.success(), "{run:?}");
    };
    fleet.declare(EDITED);
    let runner = fleet.checkout();
    let folder = runner.path("");
    git(&folder, &["init", "-q"]);
    git(&folder, &["add", "."]);
    git(&folder, &["commit", "-qm", "one"]);
    runner.run(&["sync", "--yes"]).code(0);
    runner.declare(WITHOUT_TOKEN);
    git(&folder, &["commit", "-qam", "two"]);
    let newer = runner.run(&["sync", "--yes"]).code(0);
    assert!(!newer.stderr.contains("older"), "{}", newer.stderr);
    git(&folder, &["checkout", "-q", "HEAD~1"]);
    for arguments in [&["sync", "--dry-run"][..], &["sync", "--yes"]] {
        runner
            .run(arguments)
            .code(0)
            .complains("which is older than commit");
    }
    git(&folder, &["checkout", "-q", "-"]);
    let newest = runner.run(&["sync", "--yes"]).code(0);
    assert!(!newest.stderr.contains("older"), "{}", newest.stderr);
}
