//! Saved plans: what was reviewed is applied, and nothing else.

use std::fs;

use serde_json::{Value, json};

use crate::documents::{conforms, validator};
use crate::harness::{Account, CANARY, Repository};

const TWO: &str = "webhooks:
  a: { url: 'https://a.example.com', actions: all, bearer_token: { env: TOKEN } }
  b: { url: 'https://b.example.com', actions: all }
";

/// Two webhooks that are to be made, and the plan of it.
fn planned() -> (Account, Repository) {
    let account = Account::new();
    let mut repository = Repository::with(TWO);
    repository.set("TOKEN", "s3cr3t-one");
    repository
        .sync(&account, &["--dry-run", "--out", "plan.json"])
        .code(0);
    account.requests();
    (account, repository)
}

fn apply(repository: &Repository, account: &Account, arguments: &[&str]) -> crate::harness::Run {
    let url = account.sandbox.base_url();
    let mut all = vec!["--api-url", &url, "apply", "plan.json"];
    all.extend(arguments);
    repository.run(&all)
}

#[test]
fn what_was_planned_is_applied() {
    let (account, repository) = planned();
    let text = fs::read_to_string(repository.path("plan.json")).unwrap();
    assert!(!text.contains(CANARY), "{text}");
    let saved: Value = serde_json::from_str(&text).unwrap();
    conforms(&validator("saved-plan-v1.schema.json"), &saved);
    apply(&repository, &account, &[])
        .code(0)
        .shows("Applied: 2 created.");
    let id = account.id("a");
    assert_eq!(account.sandbox.token(&id).as_deref(), Some("s3cr3t-one"));
    repository
        .sync(&account, &["--dry-run"])
        .shows("No changes.");
    // Once more: there is nothing to do any more.
    account.requests();
    apply(&repository, &account, &[])
        .code(5)
        .complains("'a': the plan says to create it, and there is nothing to do any more");
    assert_eq!(account.requests(), ["GET workflow-webhooks"]);
}

#[test]
fn an_update_holds_if_everything_it_depends_on_does() {
    let (account, mut repository) = planned();
    apply(&repository, &account, &[]).code(0);
    repository.declare(&TWO.replace("actions: all }", "actions: all, timeout_seconds: 20 }"));
    let save = |repository: &Repository| {
        repository
            .sync(&account, &["--dry-run", "--out", "plan.json"])
            .code(0);
        account.requests();
    };
    save(&repository);
    account.edit("b", &json!({ "max_retries": 9 }));
    apply(&repository, &account, &[])
        .code(5)
        .complains("error[stale-action]: 'b': max_retries: the plan says unchanged, now 9 -> 3");
    assert_eq!(account.requests(), ["GET workflow-webhooks"]);
    account.edit("b", &json!({ "max_retries": 3 }));
    apply(&repository, &account, &[]).code(0);

    // A token that is another one by now, and one that is the same.
    repository.set("TOKEN", "s3cr3t-two");
    save(&repository);
    repository.set("TOKEN", "s3cr3t-three");
    apply(&repository, &account, &[])
        .code(5)
        .complains("the token's value");
    repository.set("TOKEN", "s3cr3t-two");
    apply(&repository, &account, &[]).code(0);
    let id = account.id("a");
    assert_eq!(account.sandbox.token(&id).as_deref(), Some("s3cr3t-two"));
}

#[test]
fn a_part_of_it_is_applied_if_asked_for() {
    let (account, repository) = planned();
    repository.declare(&TWO.replace("b.example.com", "b.example.com/v2"));
    let refused = apply(&repository, &account, &["--output", "json"]).code(5);
    let document = refused.json();
    conforms(&validator("plan-v1.schema.json"), &document);
    assert_eq!(
        document["diagnostics"][0]["message"],
        "'b': url: the plan says null -> \"https://b.example.com\", now null -> \"https://b.example.com/v2\""
    );
    assert_eq!(account.names(), [] as [&str; 0]);
    apply(&repository, &account, &["--partial"])
        .code(0)
        .complains("notice[stale-action]: 'b' is left out")
        .shows("Applied: 1 created.");
    assert_eq!(account.names(), ["a"]);
}

#[test]
fn a_new_declaration_is_not_part_of_the_plan() {
    let (account, repository) = planned();
    repository.declare(&format!(
        "{TWO}  c: {{ url: 'https://c.example.com', actions: all }}\n"
    ));
    apply(&repository, &account, &[])
        .code(5)
        .complains("'c': there is something to do (create) that the plan does not have");
    apply(&repository, &account, &["--partial"]).code(0);
    assert_eq!(account.names(), ["a", "b"]);
}

#[test]
fn a_plan_is_for_one_account_and_one_version() {
    let (account, repository) = planned();
    let other = Account::new();
    apply(&repository, &other, &[])
        .code(5)
        .complains("the plan was made for the API at");
    repository.write(
        "hookctl.yaml",
        "targets: { qa: { api_url: 'https://api.example.com' } }\n",
    );
    apply(&repository, &account, &[])
        .code(5)
        .complains("made for target 'default', and this is 'qa'")
        .complains("add --target default");
    fs::remove_file(repository.path("hookctl.yaml")).unwrap();
    let text = fs::read_to_string(repository.path("plan.json")).unwrap();
    repository.write(
        "plan.json",
        &text.replace("\"tool_version\": \"", "\"tool_version\": \"9"),
    );
    apply(&repository, &account, &[])
        .code(5)
        .complains("was made by hookctl 9");
    for broken in [
        "",
        "{}",
        "[1]",
        "{\"format_version\": \"1\", \"items\": 5}",
        "\u{0}",
    ] {
        repository.write("plan.json", broken);
        apply(&repository, &account, &[])
            .code(1)
            .complains("error: could not read the plan");
    }
    assert!(account.requests().is_empty());
    let unwritten = repository.sync(&account, &["--dry-run", "--out", "no/such/folder"]);
    unwritten.code(1).complains("could not write the plan");
    repository.sync(&account, &["--out", "plan.json"]).code(64);
}
