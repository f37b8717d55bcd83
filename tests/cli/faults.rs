//! The binary when the network or the API fails, for some of the ways in real time. Unit tests cover every cell of the
//! table.

use hookctl::sandbox::Fault;
use serde_json::json;

use crate::harness::{API_KEY, Account, BILLING, Repository};

const LIST: &str = "GET workflow-webhooks";

fn answer(status: u16, headers: &[(&str, &str)], body: &str) -> Fault {
    Fault::Answer {
        status,
        headers: headers
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect(),
        body: body.to_owned(),
    }
}

#[test]
fn a_create_whose_answer_is_lost_is_found_and_not_doubled() {
    let (account, repository) = (Account::new(), Repository::with(BILLING));
    account.fault("POST", 1, Fault::CloseAfter);
    repository
        .sync(&account, &[])
        .code(0)
        .shows("1 created")
        .shows("the list shows that it was created");
    let requests = account.requests();
    assert_eq!(requests.len(), 3, "{requests:?}");
    assert!(requests[1].starts_with("POST"));
    assert_eq!(requests[2], LIST, "did it happen?");
    assert_eq!(account.names(), ["Billing"]);
    repository.sync(&account, &[]).code(0).shows("No changes.");
}

#[test]
fn a_create_that_never_happened_is_made_after_a_look() {
    let (account, repository) = (Account::new(), Repository::with(BILLING));
    account.fault("POST", 1, Fault::CloseBefore);
    repository.sync(&account, &[]).code(0).shows("1 created");
    let methods: Vec<_> = account
        .requests()
        .iter()
        .map(|line| line.split(' ').next().unwrap().to_owned())
        .collect();
    assert_eq!(methods, ["GET", "POST", "GET", "POST", "GET"]);
    assert_eq!(account.names(), ["Billing"]);
}

#[test]
fn too_many_requests_are_waited_out() {
    let (account, repository) = (Account::new(), Repository::with(BILLING));
    account.fault("GET", 1, answer(429, &[("retry-after", "0")], "{}"));
    account.fault("POST", 1, answer(429, &[("retry-after", "0")], "{}"));
    repository.sync(&account, &[]).code(0).shows("1 created");
    assert_eq!(account.names(), ["Billing"]);
}

#[test]
fn an_edit_by_another_writer_meanwhile_is_reported_and_planned_again() {
    let (account, repository) = (Account::new(), Repository::with(BILLING));
    repository.settled(&account);
    let id = account.id("Billing");
    repository.declare(&format!("{BILLING}    timeout_seconds: 30\n"));
    account.fault(
        "PATCH",
        1,
        Fault::Edit {
            webhook: "Billing".to_owned(),
            fields: json!({ "max_retries": 9 }),
        },
    );
    repository
        .sync(&account, &[])
        .code(0)
        .shows("another writer changed max_retries");
    assert_eq!(
        account.requests(),
        [
            LIST.to_owned(),
            format!("PATCH {id} {{\"timeout_seconds\":30}}"),
            LIST.to_owned(),
            format!("PATCH {id} {{\"max_retries\":3}}"),
        ]
    );
    repository.sync(&account, &[]).code(0).shows("No changes.");
}

#[test]
fn a_writer_that_never_stops_is_not_fought_for_ever() {
    let (account, repository) = (Account::new(), Repository::with(BILLING));
    repository.settled(&account);
    repository.declare(&format!("{BILLING}    timeout_seconds: 30\n"));
    let edits = [
        json!({ "max_retries": 9 }),
        json!({ "enabled": false }),
        json!({ "max_retries": 8 }),
    ];
    for (index, fields) in edits.into_iter().enumerate() {
        let webhook = "Billing".to_owned();
        account.fault("PATCH", index + 1, Fault::Edit { webhook, fields });
    }
    repository
        .sync(&account, &[])
        .code(4)
        .complains("another writer kept changing the webhooks");
    let patches = account
        .requests()
        .iter()
        .filter(|line| line.starts_with("PATCH"))
        .count();
    assert_eq!(patches, 3);
}

#[test]
fn a_webhook_deleted_meanwhile_is_made_again() {
    let (account, repository) = (Account::new(), Repository::with(BILLING));
    repository.settled(&account);
    repository.declare(&format!("{BILLING}    timeout_seconds: 30\n"));
    account.fault(
        "PATCH",
        1,
        Fault::Remove {
            webhook: "Billing".to_owned(),
        },
    );
    repository.sync(&account, &[]).code(0);
    let webhooks = account.sandbox.webhooks();
    assert_eq!(webhooks.len(), 1);
    assert_eq!(webhooks[0].timeout_seconds, 30);
    repository.sync(&account, &[]).code(0).shows("No changes.");
}

#[test]
fn a_refused_field_is_shown_where_it_is_declared() {
    let (account, repository) = (
        Account::new(),
        Repository::with(&format!("{BILLING}    timeout_seconds: 30\n")),
    );
    let body = json!({ "detail": [{
        "type": "less_than_equal", "loc": ["body", "timeout_seconds"],
        "msg": "Input should be less than or equal to 20", "input": "s3cr3t-echo"
    }] });
    account.fault("POST", 1, answer(422, &[], &body.to_string()));
    repository
        .sync(&account, &[])
        .code(4)
        .shows("webhooks.d/all.yaml:6:22")
        .shows("less than or equal to 20");
}

#[test]
fn what_is_independent_of_a_failure_goes_on() {
    let account = Account::new();
    let repository = Repository::with(
        "webhooks:
  a: { url: 'https://a.example.com', actions: all }
  b: { url: 'https://b.example.com', actions: all }
  c: { url: 'https://c.example.com', actions: all }
",
    );
    account.fault("POST", 2, answer(400, &[], "{\"message\":\"no\"}"));
    repository
        .sync(&account, &[])
        .code(4)
        .shows("2 created, 1 failed");
    assert_eq!(account.names().len(), 2);
    repository.sync(&account, &[]).code(0).shows("1 created");
    assert_eq!(account.names().len(), 3);
}

#[test]
fn a_refused_key_in_the_middle_stops_everything() {
    let account = Account::new();
    let mut declarations = "webhooks:\n".to_owned();
    for number in 0..40 {
        declarations.push_str(&format!(
            "  hook-{number}: {{ url: 'https://hooks.example.com/{number}', actions: all }}\n"
        ));
    }
    let repository = Repository::with(&declarations);
    repository.write("hookctl.yaml", "concurrency: 1\n");
    account.fault(
        "POST",
        1,
        answer(
            401,
            &[],
            &format!("{{\"detail\":\"no such key: {API_KEY}\"}}"),
        ),
    );
    let run = repository.sync(&account, &["--output", "json"]).code(4);
    let document = run.json();
    let results: Vec<_> = document["actions"]
        .as_array()
        .unwrap()
        .iter()
        .map(|action| action["result"].as_str().unwrap())
        .collect();
    assert_eq!(results.len(), 40);
    assert_eq!(results[0], "failed");
    assert!(results[1..].iter().all(|result| *result == "not_attempted"));
    assert_eq!(account.requests().len(), 2, "the list and the first");
    let url = account.sandbox.base_url();
    let shown = repository
        .run(&["--api-url", &url, "record", "show"])
        .code(0);
    assert!(
        !shown.stdout.contains("pending"),
        "what was held back is no longer intended: {}",
        shown.stdout
    );
}

#[test]
fn a_duplicate_created_at_the_same_time_is_reported_with_both_ids() {
    let (one, two) = (Repository::with(BILLING), Repository::with(BILLING));
    let account = Account::new();
    // The second machine's list was read before the first machine's create.
    let list = "{\"subscriptions\":[],\"total\":0}";
    account.fault("GET", 3, answer(200, &[], list));
    one.sync(&account, &[]).code(0);
    let first = account.id("Billing");
    let run = two.sync(&account, &["--output", "json"]).code(4);
    let made: Vec<_> = account
        .sandbox
        .webhooks()
        .iter()
        .map(|webhook| webhook.id.clone())
        .collect();
    assert_eq!(made.len(), 2);
    let document = run.json();
    assert_eq!(crate::harness::codes(&document), ["doubled"]);
    for id in &made {
        assert!(run.stderr.contains(id.as_str()), "{}", run.stderr);
    }
    // From then on every plan says so, on both machines, until one of the two is gone.
    for repository in [&one, &two] {
        let (code, plan) = repository.plan(&account, &[]);
        assert_eq!(
            (code, crate::harness::codes(&plan)),
            (0, vec!["duplicate-webhook"])
        );
    }
    account.sandbox.remove(&first).unwrap();
    let (_, plan) = two.plan(&account, &[]);
    assert!(crate::harness::codes(&plan).is_empty());
}
