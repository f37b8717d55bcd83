//! Files with mistakes: each is reported at its location, and nothing is sent.

use crate::harness::{Account, BILLING, Repository, codes};

const TEN: &str = "defaults:
  timeout: 20
webhooks:
  Billing:
    url: https://hooks.example.com/a
    actions: [workflow_run_completed]
  b:
    url: hooks.example.com/b
    actions: [workflow_run_completd]
  c:
    url: https://hooks.example.com/c
    actions: [workflow_run_completed, workflow_run_completed]
    enabled: yes
  d:
    url: https://${UNDEFINED_HOST}/d
    actions: []
    timeout_seconds: 61
  e:
    actions: all
    bearer_token: ''
";

#[test]
fn ten_mistakes_are_ten_diagnostics_each_at_its_line() {
    let repository = Repository::with(TEN);
    let run = repository.run(&["validate", "--output", "json"]).code(1);
    let document = run.json();
    let diagnostics = document["diagnostics"].as_array().unwrap();
    let places: Vec<_> = diagnostics
        .iter()
        .map(|diagnostic| {
            assert_eq!(diagnostic["file"], "webhooks.d/all.yaml");
            format!(
                "{}:{} {}",
                diagnostic["line"],
                diagnostic["column"],
                diagnostic["code"].as_str().unwrap()
            )
        })
        .collect();
    assert_eq!(
        places,
        [
            "2:3 unknown-field",
            "4:3 invalid-key",
            "8:10 invalid-url",
            "9:15 unknown-action",
            "12:39 repeated-value",
            "13:14 wrong-type",
            "15:10 undefined-variable",
            "16:14 empty-list",
            "17:22 out-of-range",
            "18:3 missing-field",
            "20:19 unusable-secret",
        ]
    );
    insta::assert_snapshot!(repository.run(&["validate"]).code(1).stderr);
}

#[test]
fn files_that_do_not_validate_send_nothing_but_the_list() {
    let (account, repository) = (Account::new(), Repository::with(TEN));
    repository.write("webhooks.d/good.yaml", BILLING);
    let run = repository.sync(&account, &["--output", "json"]).code(1);
    let document = run.json();
    assert_eq!(
        codes(&document).len(),
        12,
        "eleven, and that there is no plan"
    );
    account.got_only_lists();
    assert!(repository.record().is_empty());
}

#[test]
fn a_mistake_in_hookctl_yaml_has_its_place() {
    let repository = Repository::with(BILLING);
    repository.write(
        "hookctl.yaml",
        "targets:\n  qa:\n    api_uri: https://x.example.com\n",
    );
    repository
        .run(&["validate"])
        .code(1)
        .complains("hookctl.yaml:3:5")
        .complains("did you mean 'api_url'?");
}

#[test]
fn warnings_do_not_fail() {
    let repository = Repository::with(
        "webhooks:
  a: { url: 'http://a.example.com', actions: all }
  b: { url: 'http://a.example.com', actions: [workflow_run_completed] }
",
    );
    let document = repository
        .run(&["validate", "--output", "json"])
        .code(0)
        .json();
    assert_eq!(
        codes(&document),
        ["plain-http", "plain-http", "duplicate-delivery"]
    );
    assert_eq!(document["valid"], true);
}

#[test]
fn names_that_cannot_be_distinguished_are_reported_before_anything_is_lost() {
    let repository = Repository::with(
        "webhooks:
  a: { name: Same, url: 'https://a.example.com', actions: all }
  b: { name: Same, url: 'https://a.example.com', actions: all }
",
    );
    let run = repository.run(&["validate"]).code(0);
    run.complains("ambiguous-name");
}
