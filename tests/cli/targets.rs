//! One declaration for two accounts: fields that differ by target, where a plan says they are, and what a pull writes.

use serde_json::json;

use crate::documents::{conforms, validator};
use crate::harness::{Account, Repository, Run};

/// One webhook for both targets.
const BILLING: &str = "webhooks:
  billing:
    name: Billing
    url: https://${HOST}/billing
    actions: [workflow_run_started, workflow_run_completed]
    timeout_seconds: ${TIMEOUT}
    bearer_token: { env: QA_TOKEN }
    targets:
      qa:
        enabled: false
        max_retries: 0
      prod:
        actions: [workflow_run_completed]
        bearer_token: { env: PROD_TOKEN }
        retry_backoff_seconds: 60
";

/// An account for each target.
struct Accounts {
    qa: Account,
    prod: Account,
}

impl Accounts {
    fn new() -> Self {
        Self {
            qa: Account::new(),
            prod: Account::new(),
        }
    }

    fn repository(&self, declarations: &str) -> Repository {
        let mut repository = Repository::with(declarations);
        repository.write(
            "hookctl.yaml",
            &format!(
                "default_target: qa
targets:
  qa: {{ api_url: '{}', vars: {{ HOST: hooks.qa.example.com, TIMEOUT: 5 }} }}
  prod: {{ api_url: '{}', vars: {{ HOST: hooks.example.com, TIMEOUT: 30 }} }}
",
                self.qa.sandbox.base_url(),
                self.prod.sandbox.base_url()
            ),
        );
        repository.set("HOOKCTL_TRUST", "1");
        repository.set("QA_TOKEN", "s3cr3t-qa");
        repository.set("PROD_TOKEN", "s3cr3t-prod");
        repository
    }
}

/// Runs a command for a target.
fn run(repository: &Repository, target: &str, arguments: &[&str]) -> Run {
    repository.run(&[&["--target", target], arguments].concat())
}

/// The bodies of the writes since the last time.
fn writes(account: &Account) -> Vec<(String, serde_json::Value)> {
    let requests = account.sandbox.requests();
    account.sandbox.clear_requests();
    let writes = requests.iter().filter(|request| request.method != "GET");
    writes
        .map(|request| {
            let body = request.body.clone().unwrap_or_default();
            (request.method.clone(), body)
        })
        .collect()
}

#[test]
fn each_account_gets_its_own_values_from_one_declaration() {
    let accounts = Accounts::new();
    let repository = accounts.repository(BILLING);
    run(&repository, "qa", &["validate"]).code(0);
    run(&repository, "qa", &["sync"]).code(0);
    assert_eq!(
        writes(&accounts.qa),
        [(
            "POST".to_owned(),
            json!({
                "name": "Billing",
                "url": "https://hooks.qa.example.com/billing",
                "actions": ["workflow_run_started", "workflow_run_completed"],
                "enabled": false,
                "timeout_seconds": 5,
                "max_retries": 0,
                "retry_backoff_seconds": 10,
                "bearer_token": "s3cr3t-qa",
            })
        )]
    );
    assert!(accounts.prod.requests().is_empty());
    run(&repository, "prod", &["sync"]).code(0);
    assert_eq!(
        writes(&accounts.prod),
        [(
            "POST".to_owned(),
            json!({
                "name": "Billing",
                "url": "https://hooks.example.com/billing",
                "actions": ["workflow_run_completed"],
                "enabled": true,
                "timeout_seconds": 30,
                "max_retries": 3,
                "retry_backoff_seconds": 60,
                "bearer_token": "s3cr3t-prod",
            })
        )]
    );
    assert!(accounts.qa.requests().is_empty());
    // A change of one target is a request to it alone.
    repository.declare(&BILLING.replace("max_retries: 0", "max_retries: 1"));
    run(&repository, "prod", &["sync"]).code(0);
    assert_eq!(accounts.prod.requests().len(), 1, "the list");
    run(&repository, "qa", &["sync"]).code(0);
    assert_eq!(
        writes(&accounts.qa),
        [("PATCH".to_owned(), json!({ "max_retries": 1 }))]
    );
}

#[test]
fn a_plan_has_the_places_of_the_values_that_differ() {
    let accounts = Accounts::new();
    let repository = accounts.repository(BILLING);
    let plan = run(&repository, "prod", &["sync", "--dry-run"]).code(0);
    insta::assert_snapshot!(plan.stdout, @r#"
      + billing: create   webhooks.d/all.yaml:2
          name: "Billing"
          url: "https://hooks.example.com/billing"
          actions: [workflow_run_completed]   webhooks.d/all.yaml:13
          timeout_seconds: 30
          retry_backoff_seconds: 60   webhooks.d/all.yaml:15
          bearer_token: (secret)   webhooks.d/all.yaml:14

    Plan: 1 to create. (target prod)
    "#);
    run(&repository, "qa", &["sync"]).code(0);
    let edited = BILLING
        .replace("enabled: false", "enabled: null")
        .replace("max_retries: 0", "max_retries: 2")
        .replace("name: Billing", "name: Bills");
    repository.declare(&edited);
    let plan = run(&repository, "qa", &["sync", "--dry-run"]).code(0);
    insta::assert_snapshot!(plan.stdout.replace(&accounts.qa.id("Billing"), "ID"), @r#"
      ~ billing (ID): update   webhooks.d/all.yaml:2
          name: "Billing" -> "Bills"   (edited)
          enabled: false -> true   (edited)   webhooks.d/all.yaml:10
          max_retries: 0 -> 2   (edited)   webhooks.d/all.yaml:11

    Plan: 1 to update. (target qa)
    "#);
    let plan = run(
        &repository,
        "qa",
        &["sync", "--dry-run", "--output", "json"],
    )
    .code(0);
    let document = plan.json();
    conforms(&validator("plan-v1.schema.json"), &document);
    let changes = document["actions"][0]["changes"].as_array().unwrap();
    let sources = changes
        .iter()
        .map(|change| (change["field"].clone(), change["source"].clone()));
    assert_eq!(
        sources.collect::<Vec<_>>(),
        [
            (json!("name"), json!(null)),
            (json!("enabled"), json!("webhooks.d/all.yaml:10")),
            (json!("max_retries"), json!("webhooks.d/all.yaml:11")),
        ]
    );
}

#[test]
fn a_mistake_for_production_stops_a_run_for_qa() {
    let accounts = Accounts::new();
    let repository = accounts.repository(
        "webhooks:
  billing:
    url: https://a.example.com/billing
    actions: all
    timeout_seconds: ${HOST}
    targets:
      qa:
      prod:
        enabeld: true
        timeout_seconds: 61
        url: null
      stage: {}
  alerts:
    actions: all
    targets:
      qa: { url: https://a.example.com/alerts, max_retries: '${HOST}' }
      prod: { previously: [Alert] }
",
    );
    let refused = run(&repository, "qa", &["validate"]).code(1);
    insta::assert_snapshot!(refused.stderr);
    run(&repository, "qa", &["sync"]).code(1);
    accounts.qa.got_only_lists();
}

#[test]
fn a_pull_writes_to_the_target_it_reads() {
    let accounts = Accounts::new();
    let repository = accounts.repository(BILLING);
    for target in ["qa", "prod"] {
        run(&repository, target, &["sync"]).code(0);
    }
    let edit = json!({ "max_retries": 7, "name": "Billing (QA)" });
    accounts.qa.edit("Billing", &edit);
    let edit = json!({ "enabled": false, "retry_backoff_seconds": 120 });
    accounts.prod.edit("Billing", &edit);
    let pulled = run(&repository, "qa", &["pull"]).code(0);
    insta::assert_snapshot!(pulled.stdout, @r#"
    webhooks.d/all.yaml:10: 'billing' name: "Billing" -> "Billing (QA)"
    webhooks.d/all.yaml:12: 'billing' max_retries: 0 -> 7
    Pulled 2 values into 1 file. The plan is empty: a sync only updates the record.
    "#);
    assert!(
        !pulled.stderr.contains("also declared"),
        "{}",
        pulled.stderr
    );
    run(&repository, "prod", &["pull"]).code(0);
    let text = std::fs::read_to_string(repository.path("webhooks.d/all.yaml")).unwrap();
    insta::assert_snapshot!(text, @r#"
    webhooks:
      billing:
        name: Billing
        url: https://${HOST}/billing
        actions: [workflow_run_started, workflow_run_completed]
        timeout_seconds: ${TIMEOUT}
        bearer_token: { env: QA_TOKEN }
        enabled: false
        targets:
          qa:
            name: Billing (QA)
            enabled: false
            max_retries: 7
          prod:
            actions: [workflow_run_completed]
            bearer_token: { env: PROD_TOKEN }
            retry_backoff_seconds: 120
    "#);
    for (target, account) in [("qa", &accounts.qa), ("prod", &accounts.prod)] {
        account.requests();
        run(&repository, target, &["sync"]).code(0);
        assert_eq!(account.requests().len(), 1, "the list of {target}");
    }
}

#[test]
fn the_schema_and_the_validator_agree_on_what_may_differ() {
    let schema = hookctl::declaration::json_schema(&[]);
    let schema = jsonschema::draft202012::new(&schema).unwrap();
    for (text, expected) in [
        (BILLING, true),
        (
            "defaults: { actions: all, targets: { qa: { actions: null }, prod: } }",
            true,
        ),
        (
            "webhooks: { a: { targets: { qa: { url: 'https://a.example.com', actions: all } } } }",
            true,
        ),
        (
            "webhooks: { a: { state: absent, targets: { qa: , prod: { name: A } } } }",
            true,
        ),
        ("webhooks: { a: { targets: [qa] } }", false),
        ("webhooks: { a: { actions: all, targets: [qa] } }", false),
        (
            "webhooks: { a: { targets: { qa: { enabeld: true } } } }",
            false,
        ),
        (
            "webhooks: { a: { targets: { qa: { timeout_seconds: 61 } } } }",
            false,
        ),
        (
            "webhooks: { a: { targets: { qa: { previously: [A] } } } }",
            false,
        ),
        ("webhooks: { a: { targets: { qa: false } } }", false),
        ("webhooks: { a: { targets: {} } }", false),
        ("defaults: { targets: { qa: { url: null } } }", false),
    ] {
        let document: serde_json::Value = serde_yaml::from_str(text).unwrap();
        assert_eq!(schema.is_valid(&document), expected, "schema: {text}");
        let run = Repository::with(text).run(&["validate"]);
        assert_eq!(run.status == 0, expected, "{text}\n{}", run.stderr);
    }
}
