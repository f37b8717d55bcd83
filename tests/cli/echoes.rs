//! An API that echoes a secret in other fields: the secret is neither shown nor stored.

use hookctl::sandbox::Fault;
use serde_json::json;

use crate::harness::{API_KEY, Account, BILLING, Repository};

/// A secret as it is, in other letter case, and percent-encoded in part.
fn forms(secret: &str) -> [String; 3] {
    [
        secret.to_owned(),
        secret.to_uppercase(),
        secret.replace('-', "%2d"),
    ]
}

/// Whether a text holds what every form of the API key ends with.
fn shows_key(text: &str) -> bool {
    let text = text.to_lowercase();
    text.contains(API_KEY) || text.contains("key-5f1w") || text.contains("key%2d5f1w")
}

#[test]
fn a_key_in_any_field_of_an_event_or_an_attempt_is_hidden() {
    for form in forms(API_KEY) {
        let (account, repository) = (Account::new(), Repository::with(BILLING));
        let url = account.sandbox.base_url();
        repository.settled(&account);
        let with = |text: &str| format!("{text} {form}");
        let event = |number: u32, webhook: &str, event_id: &str, created_at: &str| {
            account
                .sandbox
                .seed_event(json!({
                    "_id": format!("{number:024x}"), "event_id": event_id, "subscription_id": webhook,
                    "action": with("action"), "status": with("status"), "attempts_count": 1,
                    "created_at": created_at, "last_attempt_at": form, "delivered_at": form,
                    "next_retry_at": form, "last_status_code": 500, "last_error": with("error"),
                    "workflow_name": with("name"),
                }))
                .unwrap();
        };
        // Of one that did not just happen, the status would say nothing.
        let now = jiff::Timestamp::now().to_string();
        event(1, &account.id("Billing"), "evt-1", &now);
        event(2, &with("somewhere"), &with("evt"), &form);
        let attempt = json!({
            "event_id": "evt-1", "attempt_number": 1, "created_at": form, "success": false,
            "error_message": with("error"),
        });
        account.sandbox.seed_attempt(attempt).unwrap();
        for command in [
            &["events"][..],
            &["attempts", "evt-1"],
            &["retry", "evt-1"],
            &["status"],
        ] {
            for output in ["human", "json"] {
                let arguments = [&["--api-url", &url], command, &["--output", output]].concat();
                let run = repository.run(&arguments).code(0);
                let all = run.stdout.clone() + &run.stderr;
                assert!(!shows_key(&all), "{command:?} {output}: {all}");
                let is_plain = command == ["retry", "evt-1"] && output == "human";
                assert_eq!(all.contains("(secret)"), !is_plain, "{command:?}: {all}");
            }
        }
        let asked = account.requests();
        let retries = asked.iter().filter(|line| *line == "POST retry");
        assert_eq!(retries.count(), 2, "{asked:?}");
    }
}

/// Three declared webhooks: one whose actions are as declared, one whose actions are left alone, and one with a token.
const THREE: &str = "webhooks:
  first: { name: First, url: 'https://a.example.com', actions: [workflow_created] }
  second: { name: Second, url: 'https://b.example.com', actions: all, ignore_changes: [actions] }
  third: { name: Third, url: 'https://c.example.com', actions: all, bearer_token: { env: TOKEN } }
";

#[test]
fn a_secret_in_an_unknown_action_is_neither_shown_nor_stored() {
    const TOKEN: &str = "s3cr3t-token-77zz";
    let account = Account::new();
    let mut repository = Repository::with(THREE);
    repository.set("TOKEN", TOKEN);
    repository.settled(&account);
    let url = account.sandbox.base_url();
    // The run of the harness looks for a part of both in what is shown, and in the record.
    let actions = json!({ "actions": [
        "workflow_created", format!("x_{API_KEY}"), TOKEN, "s3cr3t-token%2D77zz", "zebra",
    ] });
    account.edit("First", &actions);
    account.edit("Second", &actions);
    account.put(
        "5eb7cf5a86d9755df3a6c593",
        "Unmanaged",
        "https://d.example.com",
    );
    account.edit("Unmanaged", &actions);
    for output in ["human", "json", "markdown", "diff"] {
        let save = ["--dry-run", "--output", output, "--out", "plan.json"];
        let run = repository.sync(&account, &save).code(0);
        assert!(run.stdout.contains("(secret)"), "{output}: {}", run.stdout);
        assert!(run.stdout.contains("zebra"), "{output}: {}", run.stdout);
        let said = run.stdout + &run.stderr;
        assert!(!said.to_lowercase().contains("77zz"), "{output}: {said}");
        let saved = std::fs::read_to_string(repository.path("plan.json")).unwrap();
        assert!(saved.contains("x_(secret)"), "{saved}");
        for rest in ["5f1w", "77zz"] {
            assert!(!saved.contains(rest), "{saved}");
        }
    }
    for command in [&["status"][..], &["import", "--dry-run"]] {
        repository.run(&[&["--api-url", &url], command].concat());
    }
    repository.sync(&account, &[]).code(0).shows("1 updated");
    account.requests();
    for _ in 0..2 {
        repository.sync(&account, &[]).code(0).shows("No changes.");
    }
    let asked = account.requests();
    assert!(
        asked.iter().all(|line| line.starts_with("GET")),
        "{asked:?}"
    );
    // What is to be deleted is shown too. Its token is still followed.
    let third = THREE.lines().last().unwrap();
    repository.declare(&format!("webhooks:\n{third}\n"));
    for output in ["human", "json", "markdown", "diff"] {
        let arguments = ["--dry-run", "--prune", "--force", "--output", output];
        let run = repository.sync(&account, &arguments).code(0);
        assert!(!run.stdout.contains("77zz"), "{output}: {}", run.stdout);
    }
    for (path, content) in repository.record() {
        for rest in ["s3cr3t", "key-5f1w", "77zz"] {
            let found = content
                .windows(rest.len())
                .any(|part| part.eq_ignore_ascii_case(rest.as_bytes()));
            assert!(!found, "{rest} in {}", path.display());
        }
    }
}

#[test]
fn an_id_that_holds_a_secret_is_refused_and_doubles_nothing() {
    const TOKEN: &str = "s3cr3t-token-77zz";
    let declared = BILLING.to_owned() + "    bearer_token: { env: TOKEN }\n";
    for echoed in [TOKEN, API_KEY] {
        // The answer to the create has it: the list tells the id.
        let account = Account::new();
        let mut repository = Repository::with(&declared);
        repository.set("TOKEN", TOKEN);
        let body = json!({
            "id": format!("x_{echoed}"), "name": "Billing", "url": "https://hooks.example.com/billing",
            "actions": ["workflow_run_completed"], "enabled": true, "has_bearer_token": true,
            "timeout_seconds": 10, "max_retries": 3, "retry_backoff_seconds": 10,
        });
        let answer = Fault::AnswerAfter {
            status: 201,
            headers: Vec::new(),
            body: body.to_string(),
        };
        account.fault("POST", 1, answer);
        repository.sync(&account, &[]);
        repository.sync(&account, &[]).code(0);
        repository.sync(&account, &[]).code(0).shows("No changes.");
        assert_eq!(account.names(), ["Billing"]);
        assert!(
            repository
                .run(&["record", "show"])
                .stdout
                .contains(&account.id("Billing"))
        );

        // The list has it: nothing can be decided, and nothing is sent.
        let account = Account::new();
        account.put(
            &format!("x_{echoed}"),
            "Billing",
            "https://hooks.example.com/billing",
        );
        let mut repository = Repository::with(&declared);
        repository.set("TOKEN", TOKEN);
        let url = account.sandbox.base_url();
        for output in ["human", "json", "markdown", "diff"] {
            let run = repository.sync(&account, &["--output", output]).code(1);
            let said = run.stdout + &run.stderr;
            assert!(said.contains("contains a secret"), "{output}: {said}");
        }
        for command in [
            &["status"][..],
            &["import", "--dry-run"],
            &["record", "show"],
        ] {
            repository.run(&[&["--api-url", &url], command].concat());
        }
        let asked = account.requests();
        assert!(
            asked.iter().all(|line| line.starts_with("GET")),
            "{asked:?}"
        );
        assert_eq!(account.names(), ["Billing"]);
    }
}
