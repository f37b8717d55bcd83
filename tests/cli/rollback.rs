//! Rollbacks of changes whose deliveries fail, and the webhooks that are held since.

use hookctl::sandbox::{Fault, When};
use serde_json::json;

use crate::documents::{conforms, validator};
use crate::harness::{Account, BILLING, Repository, codes};
use crate::verify::{AFTER, URL, delivery, delivery_to, refusal, settled, verify};

/// The webhook's address is changed to one whose receiver responds 404.
pub(crate) fn moved() -> (Account, Repository) {
    let (account, repository) = settled();
    repository.declare(&BILLING.replace("/billing", "/v2"));
    let url = "https://hooks.example.com/v2";
    delivery(&account, 1, "Billing", url, 404);
    (account, repository)
}

pub(crate) const ROLLBACK: [&str; 3] = ["--verify", "5m", "--rollback"];

#[test]
fn a_failed_change_is_rolled_back_and_held() {
    let (account, repository) = moved();
    let id = account.id("Billing");
    repository
        .sync(&account, &ROLLBACK)
        .code(6)
        .shows("billing  failing  event evt-1: status 404: no (secret) upstream; rolled back: url")
        .complains("notice[rolled-back]: 'billing' rolled back, and held")
        .complains("hint: `hookctl sync --retry-held`");
    assert_eq!(
        account.requests(),
        [
            "GET workflow-webhooks".to_owned(),
            format!("PATCH {id} {{\"url\":\"https://hooks.example.com/v2\"}}"),
            "GET events".to_owned(),
            "GET attempts".to_owned(),
            "GET workflow-webhooks".to_owned(),
            format!("PATCH {id} {{\"url\":\"{URL}\"}}"),
        ]
    );
    // No later pass undoes it.
    repository
        .sync(&account, &[])
        .code(0)
        .shows("1 held.")
        .shows("notice[held]: 'billing' is held");
    let (code, plan) = repository.plan(&account, &[]);
    assert_eq!(code, 0, "{plan:#}");
    assert_eq!(codes(&plan), ["held"]);
    conforms(&validator("plan-v1.schema.json"), &plan);
    let url = account.sandbox.base_url();
    let status = repository.run(&["--api-url", &url, "status", "--output", "json"]);
    let status = status.code(0).json();
    conforms(&validator("status-v1.schema.json"), &status);
    assert_eq!(status["webhooks"][0]["status"], "held");
    let requests = account.requests();
    assert!(
        requests.iter().all(|request| request.starts_with("GET")),
        "{requests:?}"
    );
    // Its last change is the rollback, which works.
    delivery(&account, 2, "Billing", URL, 200);
    verify(&repository, &account, &[]).code(0).shows("proven");
    account.requests();
    // A change of the declaration ends it.
    repository.declare(&BILLING.replace("/billing", "/v3"));
    repository.sync(&account, &[]).code(0).shows("1 updated");
    repository.declare(BILLING);
    repository.sync(&account, &[]).code(0).shows("1 updated");
    let (code, plan) = repository.plan(&account, &[]);
    assert_eq!((code, codes(&plan)), (0, vec![]));
}

#[test]
fn a_held_webhook_that_is_deleted_is_not_made_again() {
    let (account, repository) = moved();
    repository.sync(&account, &ROLLBACK).code(6);
    assert!(account.sandbox.remove("Billing").unwrap());
    account.requests();
    repository.sync(&account, &[]).code(0).shows("1 held.");
    assert_eq!(account.requests(), ["GET workflow-webhooks"]);
    repository.declare(&BILLING.replace("/billing", "/v3"));
    repository.sync(&account, &[]).code(0);
    assert_eq!(account.names(), ["Billing"]);
}

/// As after a run that was killed between the hold and the request.
#[test]
fn a_hold_ends_if_the_api_has_what_is_declared() {
    let (account, repository) = moved();
    repository.sync(&account, &ROLLBACK).code(6);
    account.edit("Billing", &json!({ "url": "https://hooks.example.com/v2" }));
    repository
        .sync(&account, &[])
        .code(0)
        .shows("1 webhook is as declared.");
    account.edit("Billing", &json!({ "url": URL }));
    repository.sync(&account, &[]).code(0).shows("(drift)");
}

#[test]
fn a_held_webhook_is_applied_again_on_request_and_a_declaration_as_before_ends_the_hold() {
    let (account, repository) = moved();
    let document = repository.sync(
        &account,
        &["--verify", "5m", "--rollback", "--output", "json"],
    );
    let document = document.code(6).json();
    conforms(&validator("plan-v1.schema.json"), &document);
    let rollback = &document["verification"]["webhooks"][0]["rollback"];
    assert_eq!(
        *rollback,
        json!({ "done": true, "fields": ["url"], "token_kept": false })
    );
    assert_eq!(codes(&document), ["delivery-failing", "rolled-back"]);
    repository
        .sync(&account, &["--retry-held"])
        .code(0)
        .shows("1 updated");
    let (code, plan) = repository.plan(&account, &[]);
    assert_eq!((code, codes(&plan)), (0, vec![]));

    let (account, repository) = moved();
    repository.sync(&account, &ROLLBACK).code(6);
    repository.declare(BILLING);
    repository.sync(&account, &[]).code(0).shows("No changes.");
    repository.declare(&BILLING.replace("/billing", "/v2"));
    repository.sync(&account, &[]).code(0).shows("1 updated");
}

#[test]
fn a_created_webhook_is_disabled() {
    let account = Account::new();
    let repository = Repository::with(BILLING);
    let id = "5eb7cf5a86d9755d00000001";
    delivery_to(&account, 1, id, URL, 503, AFTER);
    repository
        .sync(&account, &ROLLBACK)
        .code(6)
        .shows("rolled back: enabled");
    let requests = account.requests();
    let last = format!("PATCH {id} {{\"enabled\":false}}");
    assert_eq!(requests.last(), Some(&last));
    repository.sync(&account, &[]).code(0).shows("1 held.");
}

#[test]
fn a_token_cannot_be_set_back_and_another_one_ends_the_hold() {
    let account = Account::new();
    let declared = format!("{BILLING}    bearer_token: {{ env: TOKEN }}\n");
    let mut repository = Repository::with(&declared);
    repository.set("TOKEN", "s3cr3t-one");
    repository.settled(&account);
    // The token alone: there is nothing to set back.
    repository.set("TOKEN", "s3cr3t-two");
    delivery(&account, 1, "Billing", URL, 401);
    repository
        .sync(&account, &ROLLBACK)
        .code(6)
        .shows("not rolled back: the change left nothing that can be set back; the token cannot be set back")
        .complains("error[rollback-failed]: could not roll back 'billing'");
    let patches = |account: &Account| {
        let requests = account.requests().into_iter();
        let patches = requests.filter(|request| request.starts_with("PATCH"));
        patches.count()
    };
    assert_eq!(patches(&account), 1);
    // The token and the address.
    repository.set("TOKEN", "s3cr3t-three");
    repository.declare(&declared.replace("/billing", "/v2"));
    delivery(&account, 2, "Billing", "https://hooks.example.com/v2", 403);
    repository
        .sync(&account, &ROLLBACK)
        .code(6)
        .shows("rolled back: url; the token cannot be set back");
    assert_eq!(patches(&account), 2);
    repository.sync(&account, &[]).code(0).shows("1 held.");
    assert_eq!(patches(&account), 0);
    repository.set("TOKEN", "s3cr3t-four");
    repository.sync(&account, &[]).code(0).shows("1 updated");
    assert_eq!(patches(&account), 1);
}

#[test]
fn a_webhook_that_another_writer_changed_since_is_left_alone() {
    let (account, repository) = moved();
    // The list of the rollback.
    let next = account.sandbox.received() + 5;
    let edit = Fault::Edit {
        webhook: "Billing".to_owned(),
        fields: json!({ "url": "https://elsewhere.example.com" }),
    };
    account.sandbox.fault(When::Request(next), edit);
    repository
        .sync(&account, &ROLLBACK)
        .code(6)
        .shows("not rolled back: the webhook was changed again since");
    let webhooks = account.sandbox.webhooks();
    assert_eq!(webhooks[0].url, "https://elsewhere.example.com");
}

#[test]
fn a_refused_rollback_holds_nothing() {
    let (account, repository) = moved();
    // The rollback is the second of the account.
    account.fault("PATCH", 2, refusal());
    repository
        .sync(&account, &ROLLBACK)
        .code(6)
        .complains("error[rollback-failed]")
        .shows("not rolled back: the API rejected the request");
    let (code, plan) = repository.plan(&account, &[]);
    assert_eq!(
        (code, codes(&plan)),
        (0, vec![]),
        "as declared, and not held"
    );
}
