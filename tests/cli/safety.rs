//! Refusals before the first write.

use serde_json::json;

use crate::documents::{conforms, validator};
use crate::harness::{Account, BILLING, Repository, codes};

fn hooks(count: usize, extra: &str) -> String {
    let mut text = "webhooks:\n".to_owned();
    for number in 0..count {
        text.push_str(&format!(
            "  hook-{number:02}: {{ url: 'https://hooks.example.com/{number}', actions: all{extra} }}\n"
        ));
    }
    text
}

#[test]
fn too_many_deletes_are_refused_with_figures_and_the_way_out() {
    let (account, repository) = (Account::new(), Repository::with(&hooks(10, "")));
    repository.settled(&account);
    repository.declare(&hooks(6, ""));
    let run = repository.sync(&account, &["--prune"]).code(5);
    let run = run.complains("deletes 4 of 10 webhooks (40 %)");
    run.complains("safety.max_delete_percent")
        .complains("--force");
    assert_eq!(account.requests(), ["GET workflow-webhooks"]);
    let (code, plan) = repository.plan(&account, &["--prune"]);
    assert_eq!(code, 5);
    assert!(codes(&plan).contains(&"too-many-deletes"), "{plan}");
    assert_eq!(plan["summary"]["delete"], 4);

    repository.sync(&account, &["--prune", "--force"]).code(0);
    assert_eq!(account.names().len(), 6);
}

#[test]
fn too_many_updates_are_refused() {
    let (account, repository) = (Account::new(), Repository::with(&hooks(12, "")));
    repository.settled(&account);
    repository.declare(&hooks(12, ", max_retries: 1"));
    repository
        .sync(&account, &[])
        .code(5)
        .complains("updates 12 of 12 webhooks");
    assert_eq!(account.requests(), ["GET workflow-webhooks"]);
    repository.write("hookctl.yaml", "safety: { max_update_percent: 100 }\n");
    repository.sync(&account, &[]).code(0).shows("12 updated");
}

#[test]
fn another_teams_key_is_suspected() {
    let (account, repository) = (Account::new(), Repository::with(&hooks(3, "")));
    repository.settled(&account);
    for name in account.names() {
        account.sandbox.remove(&name).unwrap();
    }
    repository
        .sync(&account, &[])
        .code(5)
        .complains("another team");
    assert_eq!(account.requests(), ["GET workflow-webhooks"]);
    repository.sync(&account, &["--force"]).code(0);
    assert_eq!(account.names().len(), 3);
}

#[test]
fn prevent_destroy_protects_even_a_declaration_that_is_gone() {
    let (account, repository) = (Account::new(), Repository::new());
    repository.write("webhooks.d/more.yaml", &hooks(1, ""));
    repository.declare(&format!("{BILLING}    prevent_destroy: true\n"));
    repository.settled(&account);
    std::fs::remove_file(repository.path("webhooks.d/all.yaml")).unwrap();
    for arguments in [&["--prune"][..], &["--prune", "--force"]] {
        repository
            .sync(&account, arguments)
            .code(5)
            .complains("prevent_destroy");
    }
    assert!(
        account
            .requests()
            .iter()
            .all(|line| line.starts_with("GET"))
    );

    repository.declare(BILLING);
    repository.settled(&account);
    std::fs::remove_file(repository.path("webhooks.d/all.yaml")).unwrap();
    repository
        .sync(&account, &["--prune"])
        .code(0)
        .shows("1 deleted");
}

#[test]
fn off_a_terminal_nothing_asks() {
    let (account, repository) = (Account::new(), Repository::with(BILLING));
    repository.settled(&account);
    repository.declare("webhooks:\n  billing: { name: Billing, state: absent }\n");
    repository.sync(&account, &[]).code(0).shows("1 deleted");
}

#[test]
fn a_dry_run_writes_nothing_whatever_it_plans() {
    let (account, repository) = (Account::new(), Repository::with(&hooks(4, "")));
    repository.settled(&account);
    let before = repository.record();
    account.edit("hook-00", &json!({ "enabled": false }));
    account.sandbox.remove("hook-01").unwrap();
    repository.declare(&hooks(3, ", timeout_seconds: 20"));
    for output in ["human", "json", "diff"] {
        repository
            .sync(&account, &["--dry-run", "--prune", "--output", output])
            .code(0);
    }
    assert!(
        account
            .requests()
            .iter()
            .all(|line| line.starts_with("GET"))
    );
    assert!(repository.record() == before, "the record was written");
}

/// The settings that a plan shows, as `name value before`.
pub(crate) fn settings(plan: &serde_json::Value) -> Vec<String> {
    let settings = plan.get("settings").and_then(serde_json::Value::as_array);
    let text = |setting: &serde_json::Value, name: &str| {
        let value = setting.get(name).and_then(serde_json::Value::as_str);
        value.unwrap_or("-").to_owned()
    };
    settings
        .into_iter()
        .flatten()
        .map(|setting| {
            ["name", "value", "source", "before"]
                .map(|name| text(setting, name))
                .join(" ")
        })
        .collect()
}

#[test]
fn a_plan_says_which_settings_make_it_less_careful() {
    let (account, repository) = (Account::new(), Repository::with(BILLING));
    let (_, plan) = repository.plan(&account, &[]);
    assert_eq!(settings(&plan), [""; 0]);
    assert!(plan.get("settings").is_none());
    repository.write(
        "hookctl.yaml",
        "prune: true
safety: { max_delete_count: 100, max_update_count: 5 }
settle_horizon: 1s
lints: { plain-http: allow, private-host: deny }
",
    );
    let all = [
        "prune true hookctl.yaml:1 -",
        "safety.max_delete_count 100 hookctl.yaml:2 -",
        "settle_horizon 1s hookctl.yaml:3 -",
        "lints.plain-http allow hookctl.yaml:4 -",
    ];
    // The variable of these tests says another horizon, so what the file says does not hold.
    let (_, plan) = repository.plan(&account, &[]);
    assert_eq!(settings(&plan), [all[0], all[1], all[3]]);
    let url = account.sandbox.base_url();
    let arguments = ["--api-url", &url, "sync", "--dry-run", "--output", "json"];
    let mut without = repository.command(&arguments);
    let output = without
        .env_remove("HOOKCTL_SETTLE_HORIZON")
        .output()
        .unwrap();
    let plan = crate::harness::Run::of(output).code(0).json();
    assert_eq!(settings(&plan), all);
    conforms(&validator("plan-v1.schema.json"), &plan);

    repository
        .sync(&account, &["--dry-run"])
        .shows("Settings of hookctl.yaml that make this plan less careful:")
        .shows("! safety.max_delete_count: 100 (default 3)   hookctl.yaml:2");
    let markdown = ["--dry-run", "--output", "markdown"];
    repository
        .sync(&account, &markdown)
        .shows("**Settings of hookctl.yaml that make this plan less careful**")
        .shows("(default 3) (`hookctl.yaml:2`)");
    repository.settled(&account);
    repository.sync(&account, &markdown).shows("less careful");
    // An apply of a saved plan says it too.
    repository.declare(&format!("{BILLING}    timeout_seconds: 20\n"));
    repository
        .sync(&account, &["--dry-run", "--out", "plan.json"])
        .code(0);
    let apply = ["--api-url", &url, "apply", "plan.json"];
    repository.run(&apply).code(0).shows("less careful");
}
