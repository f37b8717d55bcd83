//! Identity: which remote webhook a declaration matches, and every ambiguity.

use hookctl::sandbox::Dialect;
use serde_json::json;

use crate::harness::{Account, BILLING, Repository, codes};

const LIST: &str = "GET workflow-webhooks";
const ELSE: &str = "webhooks:
  other:
    url: https://hooks.example.com/other
    actions: all
";

#[test]
fn the_only_webhook_of_a_name_is_adopted() {
    let (account, repository) = (Account::new(), Repository::with(BILLING));
    account.put(
        "5eb7cf5a86d9755df3a6c001",
        "Billing",
        "https://hooks.example.com/billing",
    );
    let (code, plan) = repository.plan(&account, &[]);
    assert_eq!((code, &plan["summary"]["adopt"]), (0, &json!(1)));
    account.requests();
    repository.sync(&account, &[]).code(0).shows("1 adopted");
    assert_eq!(account.requests(), [LIST]);
    assert_eq!(account.names(), ["Billing"]);
}

#[test]
fn an_earlier_name_finds_it_without_a_record() {
    let (account, repository) = (Account::new(), Repository::with(BILLING));
    repository.settled(&account);
    let id = account.id("Billing");
    repository.lose_record();
    repository.declare(
        &(BILLING.replace("name: Billing", "name: Invoices") + "    previously: [Billing]\n"),
    );
    repository.sync(&account, &[]).code(0);
    assert_eq!(
        account.requests(),
        [
            LIST.to_owned(),
            format!("PATCH {id} {{\"name\":\"Invoices\"}}")
        ]
    );
}

#[test]
fn two_of_one_name_are_distinguished_by_the_address() {
    let (account, repository) = (Account::new(), Repository::with(BILLING));
    account.put(
        "5eb7cf5a86d9755df3a6c001",
        "Billing",
        "https://elsewhere.example.com/",
    );
    account.put(
        "5eb7cf5a86d9755df3a6c002",
        "Billing",
        "https://hooks.example.com/billing",
    );
    let (_, plan) = repository.plan(&account, &[]);
    assert_eq!(plan["actions"][0]["id"], "5eb7cf5a86d9755df3a6c002");
}

#[test]
fn what_cannot_be_distinguished_is_an_error_that_lists_the_ids() {
    let (account, repository) = (Account::new(), Repository::with(BILLING));
    for id in ["5eb7cf5a86d9755df3a6c001", "5eb7cf5a86d9755df3a6c002"] {
        account.put(id, "Billing", "https://hooks.example.com/billing");
    }
    let run = repository.sync(&account, &[]).code(1);
    let run = run.complains("5eb7cf5a86d9755df3a6c001");
    let run = run.complains("5eb7cf5a86d9755df3a6c002");
    run.complains("webhooks.d/all.yaml:2:3").complains("id");
    assert_eq!(account.requests(), [LIST]);

    repository.declare(&format!("{BILLING}    id: 5eb7cf5a86d9755df3a6c002\n"));
    let (code, plan) = repository.plan(&account, &[]);
    assert_eq!(code, 0);
    assert_eq!(plan["actions"][0]["id"], "5eb7cf5a86d9755df3a6c002");
    assert_eq!(plan["summary"]["unmanaged"], 1);
}

#[test]
fn a_pinned_id_wins_over_name_and_record() {
    let (account, repository) = (Account::new(), Repository::with(BILLING));
    repository.settled(&account);
    account.put(
        "5eb7cf5a86d9755df3a6c009",
        "Pinned",
        "https://hooks.example.com/billing",
    );
    repository.declare(&format!("{BILLING}    id: 5eb7cf5a86d9755df3a6c009\n"));
    repository.sync(&account, &[]).code(0);
    assert_eq!(
        account.requests(),
        [
            LIST,
            "PATCH 5eb7cf5a86d9755df3a6c009 {\"name\":\"Billing\"}"
        ]
    );
}

#[test]
fn one_id_for_two_keys_is_an_error() {
    let account = Account::new();
    let repository = Repository::with(
        "webhooks:
  a: { url: 'https://a.example.com', actions: all, id: 5eb7cf5a86d9755df3a6c009 }
  b: { url: 'https://b.example.com', actions: all, id: 5eb7cf5a86d9755df3a6c009 }
",
    );
    repository
        .sync(&account, &[])
        .code(1)
        .complains("webhooks.d/all.yaml:3");
    account.got_only_lists();
}

#[test]
fn gone_from_the_remote_is_made_again_and_called_drift() {
    let (account, repository) = (Account::new(), Repository::with(BILLING));
    repository.settled(&account);
    let before = account.id("Billing");
    account.sandbox.remove("Billing").unwrap();
    let (code, plan) = repository.plan(&account, &[]);
    assert_eq!((code, &plan["summary"]["recreate"]), (3, &json!(1)));
    account.requests();
    repository.sync(&account, &[]).code(0).shows("1 recreated");
    let requests = account.requests();
    assert_eq!(requests.len(), 3);
    assert!(requests[1].starts_with("POST workflow-webhooks {"));
    assert_ne!(account.id("Billing"), before);
    repository.sync(&account, &[]).code(0).shows("No changes.");
}

#[test]
fn an_orphan_is_reported_and_pruned_only_if_asked() {
    let (account, repository) = (Account::new(), Repository::with(BILLING));
    repository.write("webhooks.d/other.yaml", ELSE);
    repository.settled(&account);
    let id = account.id("Billing");
    std::fs::remove_file(repository.path("webhooks.d/all.yaml")).unwrap();

    repository.sync(&account, &[]).code(0).shows("1 orphan");
    assert_eq!(account.requests(), [LIST]);
    let (code, plan) = repository.plan(&account, &[]);
    assert_eq!((code, &plan["summary"]["orphan"]), (0, &json!(1)));
    let (code, plan) = repository.plan(&account, &["--prune"]);
    assert_eq!((code, &plan["summary"]["delete"]), (2, &json!(1)));
    account.requests();
    repository
        .sync(&account, &["--prune"])
        .code(0)
        .shows("1 deleted");
    assert_eq!(
        account.requests(),
        [LIST.to_owned(), format!("DELETE {id}")]
    );
    assert_eq!(account.names(), ["other"]);
    repository
        .sync(&account, &["--prune"])
        .code(0)
        .shows("No changes.");
}

#[test]
fn an_orphan_that_is_gone_is_forgotten() {
    let (account, repository) = (Account::new(), Repository::with(BILLING));
    repository.write("webhooks.d/other.yaml", ELSE);
    repository.settled(&account);
    std::fs::remove_file(repository.path("webhooks.d/all.yaml")).unwrap();
    account.sandbox.remove("Billing").unwrap();
    repository.sync(&account, &[]).code(0).shows("1 forgotten");
    assert_eq!(account.requests(), [LIST]);
    repository.sync(&account, &[]).code(0).shows("No changes.");
}

#[test]
fn absent_deletes_without_a_record() {
    let account = Account::new();
    account.put(
        "5eb7cf5a86d9755df3a6c001",
        "Old hook",
        "https://old.example.com",
    );
    account.put("5eb7cf5a86d9755df3a6c002", "Mine", "https://x.example.com");
    let repository = Repository::with(
        "webhooks:
  old-hook: { name: Old hook, state: absent }
",
    );
    repository.sync(&account, &[]).code(0).shows("1 deleted");
    assert_eq!(
        account.requests(),
        [LIST, "DELETE 5eb7cf5a86d9755df3a6c001"]
    );
    assert_eq!(account.names(), ["Mine"], "what is unmanaged is untouched");
    repository.sync(&account, &[]).code(0).shows("No changes.");
    assert_eq!(account.requests(), [LIST]);
}

#[test]
fn creates_come_before_updates_before_deletes() {
    let account = Account::new();
    let hook = |key: &str, extra: &str| {
        format!("  {key}: {{ url: 'https://{key}.example.com', actions: all{extra} }}\n")
    };
    let repository = Repository::with(&format!("webhooks:\n{}{}", hook("a", ""), hook("b", "")));
    repository.settled(&account);
    let (a, b) = (account.id("a"), account.id("b"));
    repository.declare(&format!(
        "webhooks:\n  a: {{ state: absent }}\n{}{}",
        hook("b", ", max_retries: 1"),
        hook("c", "")
    ));
    repository.sync(&account, &[]).code(0);
    let requests = account.requests();
    assert!(requests[1].starts_with("POST"), "{requests:?}");
    assert_eq!(
        &requests[2..],
        [
            LIST.to_owned(),
            format!("PATCH {b} {{\"max_retries\":1}}"),
            format!("DELETE {a}")
        ]
    );
}

#[test]
fn another_key_for_a_bound_webhook_needs_a_rename() {
    let (account, repository) = (Account::new(), Repository::with(BILLING));
    repository.settled(&account);
    let id = account.id("Billing");
    repository.declare(&BILLING.replace("  billing:", "  invoices:"));
    repository.sync(&account, &[]).code(1).complains(&id);
    assert_eq!(
        account.requests(),
        [LIST],
        "neither a duplicate nor a delete"
    );

    repository.declare(&format!(
        "{}    id: {id}\n",
        BILLING.replace("  billing:", "  invoices:")
    ));
    repository.sync(&account, &[]).code(0);
    assert_eq!(account.requests(), [LIST]);
    assert_eq!(account.names(), ["Billing"]);
}

#[test]
fn what_a_key_that_is_not_planned_would_adopt_leaves_an_absent_name_in_doubt() {
    let account = Account::new();
    let repository = Repository::with(
        "webhooks:\n  a: { name: First, url: 'https://a.example.com', actions: all }\n",
    );
    repository.settled(&account);
    account.put(
        "5eb7cf5a86d9755df3a6c002",
        "Second",
        "https://b.example.com",
    );
    repository.declare(
        "webhooks:
  a: { name: Second, state: absent }
  b: { name: Third, previously: [Second], url: 'https://b.example.com', actions: all }
",
    );
    // Once First and its binding are gone, the name would lead to the webhook that is for b.
    let run = repository.sync(&account, &["--only", "a"]).code(1);
    run.complains("'a' matches 2 webhooks of the same name");
    assert_eq!(account.requests(), [LIST]);
    repository.sync(&account, &["--yes"]).code(0);
    assert_eq!(account.names(), ["Third"]);
    repository.sync(&account, &[]).code(0).shows("No changes.");
}

#[test]
fn a_key_that_is_not_planned_gives_up_what_another_is_pinned_to() {
    let account = Account::new();
    let hook = |key: &str, id: &str| {
        format!("  {key}: {{ url: 'https://{key}.example.com', actions: all{id} }}\n")
    };
    let repository = Repository::with(&format!("webhooks:\n{}", hook("a", "")));
    repository.settled(&account);
    let (was_a, other) = (account.id("a"), "5eb7cf5a86d9755df3a6c002");
    account.put(other, "other", "https://other.example.com");
    repository.declare(&format!(
        "webhooks:\n{}{}",
        hook("a", &format!(", id: {other}")),
        hook("b", &format!(", id: {was_a}"))
    ));
    repository
        .sync(&account, &["--only", "b"])
        .code(0)
        .shows("1 forgotten");
    let url = account.sandbox.base_url();
    let shown = repository
        .run(&["--api-url", &url, "record", "show"])
        .code(0);
    assert_eq!(shown.stdout.matches(&was_a).count(), 1, "{}", shown.stdout);
    repository.sync(&account, &[]).code(0);
    repository.sync(&account, &[]).code(0).shows("No changes.");
    assert_eq!((account.id("a").as_str(), account.id("b")), (other, was_a));
}

#[test]
fn what_the_api_normalises_is_no_difference_before_a_write_either() {
    let account = Account::speaking(Dialect {
        normalizes: true,
        ..Dialect::default()
    });
    let repository = Repository::with(
        "webhooks:
  billing:
    name: |
      Billing   run
    url: HTTPS://Hooks.Example.com:443
    actions: [workflow_run_completed]
",
    );
    for _ in 0..3 {
        repository
            .sync(&account, &[])
            .code(0)
            .complains("space-around-name");
        repository.lose_record();
    }
    assert_eq!(account.sandbox.webhooks().len(), 1);
    let writes = account
        .requests()
        .into_iter()
        .filter(|line| !line.starts_with("GET"));
    assert_eq!(writes.count(), 1);
}

#[test]
fn a_slash_at_the_end_of_a_path_is_a_difference() {
    let (account, repository) = (Account::new(), Repository::with(BILLING));
    repository.settled(&account);
    repository.declare(&BILLING.replace("/billing\n", "/billing/\n"));
    let (_, plan) = repository.plan(&account, &[]);
    assert_eq!(plan["summary"]["update"], json!(1));
}

#[test]
fn the_values_of_a_query_are_nowhere_and_a_change_of_them_is_seen() {
    let with = |value: &str| BILLING.replace("/billing\n", &format!("/billing?key={value}\n"));
    let (account, repository) = (Account::new(), Repository::with(&with("hunter2")));
    repository.settled(&account);
    repository.declare(&with("hunter3"));
    for output in ["human", "json", "diff", "markdown"] {
        let run = repository
            .sync(&account, &["--dry-run", "--output", output])
            .code(0)
            .shows("key=***");
        assert!(!run.stdout.contains("hunter"), "{}", run.stdout);
        if output != "json" {
            assert!(run.stdout.contains("another query"), "{}", run.stdout);
        }
    }
    repository.sync(&account, &[]).code(0);
    assert!(account.sandbox.webhooks()[0].url.ends_with("key=hunter3"));
}

#[test]
fn released_hands_a_webhook_over_and_no_request_goes_out_for_it_again() {
    let (account, repository) = (Account::new(), Repository::with(BILLING));
    let pinned = |id: &str| format!("webhooks:\n  other: {{ state: released, id: {id} }}\n");
    repository.settled(&account);
    let id = account.id("Billing");

    // No token's source is followed either: a released webhook has none.
    repository.declare("webhooks:\n  billing: { state: released, bearer_token: { env: NONE } }\n");
    repository
        .sync(&account, &[])
        .code(1)
        .complains("'bearer_token' has no meaning with 'state: released'");
    repository.declare("webhooks:\n  billing: { name: Billing, state: released }\n");
    let (code, plan) = repository.plan(&account, &["--prune"]);
    assert_eq!(code, 0, "nothing will be sent");
    let action = &plan["actions"][0];
    assert_eq!(
        (&action["action"], &action["reason"], &action["request"]),
        (&json!("forget"), &json!("released"), &json!(null))
    );
    assert_eq!(action["source"], "webhooks.d/all.yaml:2");
    let markdown = repository.sync(&account, &["--dry-run", "--output", "markdown"]);
    markdown.code(0).shows("forget <b>billing</b> (released)");
    let status = ["--api-url", &account.sandbox.base_url(), "status"];
    repository.run(&status).shows("released");
    account.requests();

    repository
        .sync(&account, &["--prune"])
        .code(0)
        .shows("forget: declared released; the webhook stays at the API")
        .shows("1 forgotten");
    repository
        .sync(&account, &["--prune"])
        .code(0)
        .shows("No changes.");
    repository.run(&status).shows("released").shows("unmanaged");
    repository.declare("webhooks: {}\n");
    repository
        .sync(&account, &["--prune", "--allow-empty"])
        .code(0);
    assert!(
        account
            .requests()
            .iter()
            .all(|line| line.starts_with("GET "))
    );
    assert_eq!(account.id("Billing"), id);

    // Under another key than the one that it is bound to, by name or by id, it is not pruned as an orphan either.
    for other in [
        "webhooks:\n  other: { name: Billing, state: released }\n".to_owned(),
        pinned(&id),
    ] {
        repository.declare(BILLING);
        repository.settled(&account);
        repository.declare(&other);
        repository
            .sync(&account, &["--prune", "--only", "billing"])
            .code(0);
        repository
            .sync(&account, &["--prune"])
            .code(0)
            .shows("forget: declared released");
        assert!(
            account
                .requests()
                .iter()
                .all(|line| line.starts_with("GET "))
        );
        assert_eq!(account.id("Billing"), id);
    }
}

/// One declaration without an identity, beside one that is fine.
#[test]
fn what_is_wrong_with_a_key_that_is_not_selected_stops_no_other() {
    const OTHER: &str =
        "  other: { name: Other, url: 'https://other.example.com', actions: all }\n";
    let hook = |key: &str, name: &str, extra: &str| {
        format!(
            "  {key}: {{ name: {name}, url: 'https://{key}.example.com', actions: all{extra} }}\n"
        )
    };
    let id = "5eb7cf5a86d9755df3a6c002";
    let cases = [
        ("ambiguous-identity", hook("a", "Twice", "")),
        (
            "contested-identity",
            hook("a", "Once", "") + &hook("b", "Once", ""),
        ),
        (
            "pinned-id-gone",
            hook("a", "Gone", ", id: 5eb7cf5a86d9755df3a6cfff"),
        ),
        ("renamed-key", hook("a", "Bound", "")),
        (
            "doubly-bound",
            hook("old", "Bound", "") + &hook("a", "Another", &format!(", id: {id}")),
        ),
    ];
    for (code, wrong) in cases {
        let (account, repository) = (Account::new(), Repository::new());
        account.put(id, "Bound", "https://old.example.com");
        repository.declare(&format!("webhooks:\n{}", hook("old", "Bound", "")));
        repository.sync(&account, &[]).code(0);
        account.put("5eb7cf5a86d9755df3a6c003", "Twice", "https://x.example.com");
        account.put("5eb7cf5a86d9755df3a6c004", "Twice", "https://y.example.com");
        account.put("5eb7cf5a86d9755df3a6c005", "Once", "https://z.example.com");
        account.requests();
        repository.declare(&format!("webhooks:\n{OTHER}{wrong}"));
        let (status, document) = repository.plan(&account, &["--only", "a"]);
        assert_eq!(status, 1, "{code}");
        assert!(codes(&document).contains(&code), "{code}: {document}");
        repository
            .sync(&account, &["--only", "other"])
            .code(0)
            .shows("1 created");
        assert_eq!(
            account.requests().len(),
            4,
            "{code}: two lists, a list and a create"
        );
    }
}

#[test]
fn a_prune_of_the_old_key_alone_does_not_delete_what_was_renamed() {
    let (account, repository) = (Account::new(), Repository::with(BILLING));
    repository.settled(&account);
    repository.declare(&BILLING.replace("  billing:", "  invoices:"));
    repository
        .sync(
            &account,
            &["--prune", "--yes", "--force", "--only", "billing"],
        )
        .code(1)
        .complains("renamed-key");
    assert_eq!(account.names(), ["Billing"]);
}
