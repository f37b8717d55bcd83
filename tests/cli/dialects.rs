//! Every reading of the points that the API's contract leaves open.

use hookctl::sandbox::{Dialect, Fault, ListName};

use crate::harness::{Account, BILLING, Repository};

const LIST: &str = "GET workflow-webhooks";

/// Makes a webhook, changes it, finds nothing to do.
fn full_circle(dialect: Dialect) {
    let (account, repository) = (Account::speaking(dialect), Repository::with(BILLING));
    repository.sync(&account, &[]).code(0).shows("1 created");
    repository.declare(&format!("{BILLING}    timeout_seconds: 30\n"));
    repository.sync(&account, &[]).code(0).shows("1 updated");
    account.requests();
    repository.sync(&account, &[]).code(0).shows("No changes.");
    let lists = account.requests();
    assert!(lists.iter().all(|line| line == LIST), "{lists:?}");
    assert_eq!(account.names(), ["Billing"]);
}

#[test]
fn every_name_of_the_list_is_understood() {
    for list in [
        ListName::Subscriptions,
        ListName::Webhooks,
        ListName::WorkflowWebhooks,
        ListName::Other,
        ListName::Bare,
    ] {
        for without_total in [false, true] {
            full_circle(Dialect {
                list,
                without_total,
                ..Dialect::default()
            });
        }
    }
}

#[test]
fn ids_may_be_called_underscore_id() {
    full_circle(Dialect {
        document_ids: true,
        ..Dialect::default()
    });
}

#[test]
fn writes_may_be_confirmed_with_nothing() {
    full_circle(Dialect {
        silent_writes: true,
        ..Dialect::default()
    });
}

#[test]
fn what_is_made_without_an_answer_is_found_while_more_is_made() {
    let dialect = Dialect {
        silent_writes: true,
        page_cap: Some(4),
        ..Dialect::default()
    };
    let account = Account::speaking(dialect);
    let mut declarations = "webhooks:\n".to_owned();
    for number in 0..60 {
        declarations.push_str(&format!(
            "  hook-{number}: {{ url: 'https://hooks.example.com/{number}', actions: all }}\n"
        ));
    }
    let repository = Repository::with(&declarations);
    repository.sync(&account, &[]).code(0).shows("60 created");
    let requests = account.requests();
    let creates = requests.iter().filter(|line| line.starts_with("POST"));
    assert_eq!(creates.count(), 60);
    repository.sync(&account, &[]).code(0).shows("No changes.");
    assert_eq!(account.names().len(), 60);
}

#[test]
fn pages_may_be_smaller_than_asked_for() {
    let dialect = Dialect {
        page_cap: Some(2),
        ..Dialect::default()
    };
    let account = Account::speaking(dialect);
    let mut declarations = "webhooks:\n".to_owned();
    for number in 0..5 {
        declarations.push_str(&format!(
            "  hook-{number}: {{ url: 'https://hooks.example.com/{number}', actions: all }}\n"
        ));
    }
    let repository = Repository::with(&declarations);
    repository.settled(&account);
    repository.sync(&account, &[]).code(0).shows("No changes.");
    assert_eq!(account.requests(), [LIST; 3]);
    assert_eq!(account.names().len(), 5);
}

#[test]
fn what_the_server_normalises_is_learned_and_not_fought() {
    let dialect = Dialect {
        normalizes: true,
        ..Dialect::default()
    };
    let account = Account::speaking(dialect);
    let declared = BILLING.replace(
        "https://hooks.example.com/billing",
        "https://HOOKS.example.com",
    );
    let repository = Repository::with(&declared);
    let run = repository.sync(&account, &[]).code(0);
    assert!(!run.stdout.contains("the API stores"), "{}", run.stdout);
    account.requests();
    repository.sync(&account, &[]).code(0).shows("No changes.");
    assert_eq!(account.requests(), [LIST]);

    account.edit(
        "Billing",
        &serde_json::json!({ "url": "https://elsewhere.example.com/" }),
    );
    let (code, plan) = repository.plan(&account, &[]);
    assert_eq!(code, 3);
    assert_eq!(crate::harness::causes(&plan), ["url: drift"]);
}

#[test]
fn an_answer_that_is_no_list_is_an_error_and_never_an_empty_list() {
    let answers = [
        (200, "{}", "application/json"),
        (200, "{\"a\": [], \"b\": []}", "application/json"),
        (200, "<html><body>Welcome</body></html>", "text/html"),
        (200, "", "application/json"),
        (404, "{\"detail\": \"Not Found\"}", "application/json"),
        (302, "", "text/html"),
    ];
    for (status, body, content_type) in answers {
        let (account, repository) = (Account::new(), Repository::with(BILLING));
        account.fault(
            "GET",
            1,
            Fault::Answer {
                status,
                headers: vec![
                    ("content-type".to_owned(), content_type.to_owned()),
                    (
                        "location".to_owned(),
                        "https://login.example.com/".to_owned(),
                    ),
                ],
                body: body.to_owned(),
            },
        );
        let run = repository.sync(&account, &[]).code(1);
        assert!(
            run.stderr
                .contains("error: could not read page 1 of the list of webhooks"),
            "{}",
            run.stderr
        );
        assert_eq!(account.requests(), [LIST], "{status} {body}");
        assert!(account.names().is_empty());
    }
}
