//! An API that repeats a secret where it does not belong: it is neither shown nor stored.

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
    text.contains(API_KEY) || text.contains("key-5f1d") || text.contains("key%2d5f1d")
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
