//! `hookctl show`: a saved plan as its dry run printed it, after the checks that need no request.

use std::fs;

use crate::documents::{conforms, everything, validator};
use crate::harness::{Account, Repository, Run, hooks};

fn show(repository: &Repository, account: &Account, arguments: &[&str]) -> Run {
    let url = account.sandbox.base_url();
    let mut all = vec!["--api-url", &url, "show", "plan.json"];
    all.extend(arguments);
    repository.run(&all)
}

#[test]
fn a_plan_is_shown_as_the_dry_run_showed_it_without_a_request() {
    let (account, repository) = everything();
    let dry_run = ["--dry-run", "--prune", "--out", "plan.json"];
    let planned = repository.sync(&account, &dry_run).code(0).stdout;
    account.requests();
    let shown = show(&repository, &account, &[])
        .code(0)
        .complains("Saved at ");
    assert_eq!(shown.stdout, planned);
    let colored = show(&repository, &account, &["--color", "always"]).code(0);
    assert!(
        colored.stdout.contains("\u{1b}[32m  + new"),
        "{}",
        colored.stdout
    );
    let shown = show(&repository, &account, &["--output", "json"])
        .code(0)
        .json();
    assert!(account.requests().is_empty());
    conforms(&validator("plan-v1.schema.json"), &shown);
    let json = ["--dry-run", "--prune", "--output", "json"];
    assert_eq!(shown, repository.sync(&account, &json).code(0).json());
}

#[test]
fn a_long_plan_can_be_shown_in_groups() {
    let (account, repository) = (Account::new(), Repository::with(&hooks(60)));
    let dry_run = ["--dry-run", "--compact", "--out", "plan.json"];
    let planned = repository.sync(&account, &dry_run).code(0).stdout;
    let shown = show(&repository, &account, &["--compact"]).code(0).stdout;
    assert_eq!(shown, planned);
    let full = show(&repository, &account, &[]).code(0).stdout;
    assert!(full.lines().count() > 100, "{full}");
}

#[test]
fn what_an_apply_refuses_is_not_shown() {
    let (account, mut repository) = (Account::new(), Repository::with(&hooks(2)));
    repository
        .sync(&account, &["--dry-run", "--out", "plan.json"])
        .code(0);
    account.requests();
    // Another target, another API, another key, a modified file, and no plan.
    repository.write("hookctl.yaml", "targets: { qa: {} }\n");
    show(&repository, &account, &[])
        .code(5)
        .complains("the plan was made for target 'default', not 'qa'");
    fs::remove_file(repository.path("hookctl.yaml")).unwrap();
    repository
        .run(&["--api-url", "http://127.0.0.1:1", "show", "plan.json"])
        .code(5)
        .complains("the plan was made for the API at");
    repository.set("INTERACTLY_API_KEY", "s3cr3t-another-key");
    show(&repository, &account, &[])
        .code(1)
        .complains("it was sealed with another key");
    repository.unset("INTERACTLY_API_KEY");
    let text = fs::read_to_string(repository.path("plan.json")).unwrap();
    repository.write("plan.json", &text.replace("hook-00", "hook-99"));
    let run = show(&repository, &account, &["--output", "json"])
        .code(1)
        .complains("it was modified");
    assert_eq!(run.json()["error"]["code"], "plan-seal");
    repository.write("plan.json", "{}");
    show(&repository, &account, &[])
        .code(1)
        .complains("it is not a plan that `--out` wrote");
    assert!(account.requests().is_empty());
}

#[test]
fn a_plan_for_the_sandbox_needs_no_key() {
    let mut repository = Repository::with(&hooks(2));
    let dry_run = ["sync", "--sandbox", "--dry-run", "--out", "plan.json"];
    let planned = repository.run(&dry_run).code(0).stdout;
    repository.set("INTERACTLY_API_KEY", "");
    let shown = repository.run(&["show", "plan.json"]).code(0).stdout;
    assert_eq!(shown, planned);
}
