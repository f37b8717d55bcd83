//! The tables of fields and tokens: each row sends exactly its requests.

use hookctl::record::sled::{SledOptions, SledRecord};
use serde_json::json;

use crate::harness::{Account, BILLING, Repository, causes, codes};

const LIST: &str = "GET workflow-webhooks";

const GUARDED: &str = "webhooks:
  billing:
    name: Billing
    url: https://hooks.example.com/billing
    actions: [workflow_run_completed]
    bearer_token: { env: HOOK_TOKEN }
";

#[test]
fn a_new_declaration_is_one_post_with_every_field() {
    let (account, repository) = (Account::new(), Repository::with(BILLING));
    let (code, plan) = repository.plan(&account, &[]);
    assert_eq!(code, 2);
    assert_eq!(plan["summary"]["create"], 1);
    assert_eq!(account.requests(), [LIST]);
    assert!(repository.record().is_empty(), "a dry run writes nothing");

    repository.sync(&account, &[]).code(0).shows("1 created");
    assert_eq!(
        account.requests(),
        [
            LIST,
            "POST workflow-webhooks {\"actions\":[\"workflow_run_completed\"],\"enabled\":true,\
             \"max_retries\":3,\"name\":\"Billing\",\"retry_backoff_seconds\":10,\
             \"timeout_seconds\":10,\"url\":\"https://hooks.example.com/billing\"}",
            LIST, // whether another writer made the same
        ]
    );
}

#[test]
fn no_change_costs_the_list_and_writes_nothing() {
    let (account, repository) = (Account::new(), Repository::new());
    let mut declarations = "webhooks:\n".to_owned();
    for number in 0..301 {
        declarations.push_str(&format!(
            "  hook-{number}: {{ url: 'https://hooks.example.com/{number}', actions: all }}\n"
        ));
    }
    repository.declare(&declarations);
    repository.settled(&account);
    let before = last_applied(&account, &repository);

    repository.sync(&account, &[]).code(0).shows("No changes.");
    assert_eq!(account.requests(), [LIST, LIST], "301 webhooks are 2 pages");
    let (code, plan) = repository.plan(&account, &[]);
    assert_eq!(
        (code, &plan["summary"]["unchanged"]),
        (0, &json!(301)),
        "{plan}"
    );
    assert_eq!(account.requests(), [LIST, LIST]);
    assert_eq!(
        last_applied(&account, &repository),
        before,
        "what was applied last was written"
    );
}

#[test]
fn one_edited_field_is_one_patch_with_that_field() {
    let (account, repository) = (Account::new(), Repository::with(BILLING));
    repository.settled(&account);
    let id = account.id("Billing");
    repository.declare(&format!("{BILLING}    timeout_seconds: 30\n"));

    let (code, plan) = repository.plan(&account, &[]);
    assert_eq!(code, 2);
    assert_eq!(causes(&plan), ["timeout_seconds: edited"]);
    account.requests();
    repository.sync(&account, &[]).code(0);
    assert_eq!(
        account.requests(),
        [
            LIST.to_owned(),
            format!("PATCH {id} {{\"timeout_seconds\":30}}")
        ]
    );
    repository.sync(&account, &[]).code(0).shows("No changes.");
    assert_eq!(account.requests(), [LIST]);
}

#[test]
fn another_name_is_a_patch_of_the_same_webhook() {
    let (account, repository) = (Account::new(), Repository::with(BILLING));
    repository.settled(&account);
    let id = account.id("Billing");
    repository.declare(&BILLING.replace("name: Billing", "name: Invoices"));
    repository.sync(&account, &[]).code(0);
    assert_eq!(
        account.requests(),
        [
            LIST.to_owned(),
            format!("PATCH {id} {{\"name\":\"Invoices\"}}")
        ]
    );
    assert_eq!(account.names(), ["Invoices"]);
}

#[test]
fn drift_is_reverted_and_distinguished_from_an_edit() {
    let (account, repository) = (Account::new(), Repository::with(BILLING));
    repository.settled(&account);
    let id = account.id("Billing");
    account.edit("Billing", &json!({ "enabled": false, "max_retries": 9 }));

    let (code, plan) = repository.plan(&account, &[]);
    assert_eq!(code, 3, "only drift");
    assert_eq!(causes(&plan), ["enabled: drift", "max_retries: drift"]);
    account.requests();
    repository.sync(&account, &[]).code(0);
    assert_eq!(
        account.requests(),
        [
            LIST.to_owned(),
            format!("PATCH {id} {{\"enabled\":true,\"max_retries\":3}}")
        ]
    );
}

#[test]
fn both_sides_changed_is_a_conflict_that_the_file_wins() {
    let (account, repository) = (Account::new(), Repository::with(BILLING));
    repository.settled(&account);
    let id = account.id("Billing");
    account.edit("Billing", &json!({ "timeout_seconds": 50 }));
    repository.declare(&format!("{BILLING}    timeout_seconds: 30\n"));

    let (code, plan) = repository.plan(&account, &[]);
    assert_eq!(code, 2);
    assert_eq!(causes(&plan), ["timeout_seconds: conflict"]);
    account.requests();
    repository.sync(&account, &[]).code(0);
    assert_eq!(
        account.requests(),
        [
            LIST.to_owned(),
            format!("PATCH {id} {{\"timeout_seconds\":30}}")
        ]
    );
}

#[test]
fn both_sides_changed_to_the_same_is_nothing() {
    let (account, repository) = (Account::new(), Repository::with(BILLING));
    repository.settled(&account);
    account.edit("Billing", &json!({ "timeout_seconds": 30 }));
    repository.declare(&format!("{BILLING}    timeout_seconds: 30\n"));
    assert_eq!(repository.plan(&account, &[]).0, 0);
}

#[test]
fn ignored_fields_are_never_patched() {
    let (account, repository) = (Account::new(), Repository::with(BILLING));
    repository.settled(&account);
    account.edit("Billing", &json!({ "enabled": false }));
    repository.declare(&format!("{BILLING}    ignore_changes: [enabled]\n"));
    repository.sync(&account, &[]).code(0);
    assert_eq!(account.requests(), [LIST]);
}

#[test]
fn a_rotated_token_is_one_patch_with_the_token() {
    let (account, mut repository) = (Account::new(), Repository::with(GUARDED));
    repository.set("HOOK_TOKEN", "s3cr3t-one");
    repository.settled(&account);
    let id = account.id("Billing");
    assert_eq!(account.sandbox.token(&id).unwrap(), "s3cr3t-one");
    repository.sync(&account, &[]).code(0).shows("No changes.");
    account.requests();

    repository.set("HOOK_TOKEN", "s3cr3t-two");
    let (code, plan) = repository.plan(&account, &[]);
    assert_eq!(code, 2);
    let action = &plan["actions"][0];
    assert_eq!(
        action["changes"],
        json!([{ "field": "bearer_token", "from": "(secret)", "to": "(secret)", "cause": "edited" }])
    );
    assert_eq!(
        action["request"]["body"],
        json!({ "bearer_token": "(secret)" })
    );
    account.requests();
    repository.sync(&account, &[]).code(0);
    assert_eq!(
        account.requests(),
        [
            LIST.to_owned(),
            format!("PATCH {id} {{\"bearer_token\":\"s3cr3t-two\"}}")
        ]
    );
    repository.sync(&account, &[]).code(0).shows("No changes.");
}

#[test]
fn a_removed_token_is_cleared_and_nothing_else() {
    let (account, mut repository) = (Account::new(), Repository::with(GUARDED));
    repository.set("HOOK_TOKEN", "s3cr3t-one");
    repository.settled(&account);
    let id = account.id("Billing");
    repository.declare(BILLING);
    repository.unset("HOOK_TOKEN");
    repository.sync(&account, &[]).code(0);
    assert_eq!(
        account.requests(),
        [
            LIST.to_owned(),
            format!("PATCH {id} {{\"clear_bearer_token\":true}}")
        ]
    );
    assert_eq!(account.sandbox.token(&id), None);
    repository.sync(&account, &[]).code(0).shows("No changes.");
}

#[test]
fn null_clears_anybodys_token() {
    let (account, repository) = (Account::new(), Repository::with(BILLING));
    repository.settled(&account);
    let id = account.id("Billing");
    account.edit("Billing", &json!({ "has_bearer_token": true }));

    let (code, plan) = repository.plan(&account, &[]);
    assert_eq!(code, 0, "a foreign token is left alone");
    assert_eq!(codes(&plan), ["foreign-token"]);
    repository.declare(&format!("{BILLING}    bearer_token: null\n"));
    account.requests();
    repository.sync(&account, &[]).code(0);
    assert_eq!(
        account.requests(),
        [
            LIST.to_owned(),
            format!("PATCH {id} {{\"clear_bearer_token\":true}}")
        ]
    );
}

#[test]
fn a_token_that_was_taken_away_is_set_again() {
    let (account, mut repository) = (Account::new(), Repository::with(GUARDED));
    repository.set("HOOK_TOKEN", "s3cr3t-one");
    repository.settled(&account);
    let id = account.id("Billing");
    account.edit("Billing", &json!({ "has_bearer_token": false }));
    let (code, plan) = repository.plan(&account, &[]);
    assert_eq!(
        (code, causes(&plan)),
        (3, vec!["bearer_token: drift".to_owned()])
    );
    account.requests();
    repository.sync(&account, &[]).code(0);
    assert_eq!(
        account.requests(),
        [
            LIST.to_owned(),
            format!("PATCH {id} {{\"bearer_token\":\"s3cr3t-one\"}}")
        ]
    );
}

#[test]
fn an_ignored_token_is_never_touched_again() {
    let (account, mut repository) = (Account::new(), Repository::with(GUARDED));
    repository.set("HOOK_TOKEN", "s3cr3t-one");
    repository.settled(&account);
    repository.declare(&format!("{GUARDED}    ignore_changes: [bearer_token]\n"));
    repository.set("HOOK_TOKEN", "s3cr3t-two");
    repository.sync(&account, &[]).code(0);
    assert_eq!(account.requests(), [LIST]);
}

#[test]
fn a_lost_record_costs_one_assertion_of_the_token() {
    let (account, mut repository) = (Account::new(), Repository::with(GUARDED));
    repository.set("HOOK_TOKEN", "s3cr3t-one");
    repository.settled(&account);
    let id = account.id("Billing");

    repository.lose_record();
    let kept = repository.sync(&account, &["--unverified-secrets", "keep"]);
    kept.code(0).shows("unverified-token");
    assert_eq!(account.requests(), [LIST]);

    repository.lose_record();
    let (code, plan) = repository.plan(&account, &[]);
    assert_eq!(
        (code, causes(&plan)),
        (2, vec!["bearer_token: unverified".to_owned()])
    );
    account.requests();
    repository.sync(&account, &[]).code(0).shows("1 adopted");
    assert_eq!(
        account.requests(),
        [
            LIST.to_owned(),
            format!("PATCH {id} {{\"bearer_token\":\"s3cr3t-one\"}}")
        ]
    );
    repository.sync(&account, &[]).code(0).shows("No changes.");
    assert_eq!(account.requests(), [LIST]);
}

#[test]
fn a_rotated_api_key_makes_tokens_unverified_and_not_edited() {
    let (account, mut repository) = (Account::new(), Repository::with(GUARDED));
    repository.set("HOOK_TOKEN", "s3cr3t-one");
    repository.set("HOOKCTL_FINGERPRINT_KEY", "s3cr3t-fingerprint-1");
    repository.write(
        "hookctl.yaml",
        &format!(
            "targets:\n  qa:\n    api_url: {}\n    fingerprint_key: {{ env: HOOKCTL_FINGERPRINT_KEY }}\n",
            account.sandbox.base_url()
        ),
    );
    repository.settled(&account);
    repository.set("HOOKCTL_FINGERPRINT_KEY", "s3cr3t-fingerprint-2");
    let (_, plan) = repository.plan(&account, &[]);
    assert_eq!(causes(&plan), ["bearer_token: unverified"]);
}

/// What the record says of every webhook, the history included.
fn last_applied(account: &Account, repository: &Repository) -> String {
    let options = SledOptions::in_folder(repository.path(".hookctl"));
    let account = hookctl::record::Account::new("default", &account.sandbox.base_url());
    let record = SledRecord::new(options, account).into_record();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    let remembered = runtime.block_on(record.remembered()).unwrap();
    assert!(!remembered.last_applied.is_empty());
    let history = runtime.block_on(record.history(1_000)).unwrap();
    format!("{:#?}\n{history:#?}", remembered.last_applied)
}
