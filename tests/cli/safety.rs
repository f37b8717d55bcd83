//! What is refused before the first write.

use serde_json::json;

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
        .complains("another team's");
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
