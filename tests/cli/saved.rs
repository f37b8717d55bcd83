//! Saved plans: exactly the reviewed plan is applied.

use std::fs;

use hookctl::saved::SealedPlan;
use hookctl::secret::{FingerprintKey, Secret};
use serde_json::{Value, json};

use crate::documents::{conforms, validator};
use crate::harness::{API_KEY, Account, CANARY, Repository};

const TWO: &str = "webhooks:
  a: { url: 'https://a.example.com', actions: all, bearer_token: { env: TOKEN } }
  b: { url: 'https://b.example.com', actions: all }
";

/// Two webhooks that are to be made, and the plan of it.
fn planned() -> (Account, Repository) {
    let account = Account::new();
    let mut repository = Repository::with(TWO);
    repository.set("TOKEN", "s3cr3t-one");
    repository
        .sync(&account, &["--dry-run", "--out", "plan.json"])
        .code(0);
    account.requests();
    (account, repository)
}

fn apply(repository: &Repository, account: &Account, arguments: &[&str]) -> crate::harness::Run {
    let url = account.sandbox.base_url();
    let mut all = vec!["--api-url", &url, "apply", "plan.json"];
    all.extend(arguments);
    repository.run(&all)
}

#[test]
fn what_was_planned_is_applied() {
    let (account, repository) = planned();
    let text = fs::read_to_string(repository.path("plan.json")).unwrap();
    assert!(!text.contains(CANARY), "{text}");
    let saved: Value = serde_json::from_str(&text).unwrap();
    conforms(&validator("saved-plan-v2.schema.json"), &saved);
    apply(&repository, &account, &[])
        .code(0)
        .shows("Applied: 2 created.");
    let id = account.id("a");
    assert_eq!(account.sandbox.token(&id).as_deref(), Some("s3cr3t-one"));
    repository
        .sync(&account, &["--dry-run"])
        .shows("No changes.");
    // Once more: no action is needed any more.
    account.requests();
    apply(&repository, &account, &[])
        .code(5)
        .complains("'a': the plan says to create it, but no action is needed any more");
    assert_eq!(account.requests(), ["GET workflow-webhooks"]);
}

#[test]
fn an_update_holds_if_everything_it_depends_on_does() {
    let (account, mut repository) = planned();
    apply(&repository, &account, &[]).code(0);
    repository.declare(&TWO.replace("actions: all }", "actions: all, timeout_seconds: 20 }"));
    let save = |repository: &Repository| {
        repository
            .sync(&account, &["--dry-run", "--out", "plan.json"])
            .code(0);
        account.requests();
    };
    save(&repository);
    account.edit("b", &json!({ "max_retries": 9 }));
    apply(&repository, &account, &[])
        .code(5)
        .complains("error[stale-action]: 'b': max_retries: the plan says unchanged, now 9 -> 3");
    assert_eq!(account.requests(), ["GET workflow-webhooks"]);
    account.edit("b", &json!({ "max_retries": 3 }));
    apply(&repository, &account, &[]).code(0);

    // A token that is another one by now, and one that is the same.
    repository.set("TOKEN", "s3cr3t-two");
    save(&repository);
    repository.set("TOKEN", "s3cr3t-three");
    apply(&repository, &account, &[])
        .code(5)
        .complains("the token's value");
    repository.set("TOKEN", "s3cr3t-two");
    apply(&repository, &account, &[]).code(0);
    let id = account.id("a");
    assert_eq!(account.sandbox.token(&id).as_deref(), Some("s3cr3t-two"));
}

#[test]
fn a_part_of_it_is_applied_if_asked_for() {
    let (account, repository) = planned();
    repository.declare(&TWO.replace("b.example.com", "b.example.com/v2"));
    let refused = apply(&repository, &account, &["--output", "json"]).code(5);
    let document = refused.json();
    conforms(&validator("plan-v1.schema.json"), &document);
    assert_eq!(
        document["diagnostics"][0]["message"],
        "'b': url: the plan says null -> \"https://b.example.com\", now null -> \"https://b.example.com/v2\""
    );
    assert_eq!(account.names(), [] as [&str; 0]);
    apply(&repository, &account, &["--partial"])
        .code(0)
        .complains("notice[stale-action]: skipped 'b'")
        .shows("Applied: 1 created.");
    assert_eq!(account.names(), ["a"]);
}

#[test]
fn a_new_declaration_is_not_part_of_the_plan() {
    let (account, repository) = planned();
    repository.declare(&format!(
        "{TWO}  c: {{ url: 'https://c.example.com', actions: all }}\n"
    ));
    apply(&repository, &account, &[])
        .code(5)
        .complains("'c': a new action (create) is not part of the plan");
    apply(&repository, &account, &["--partial"]).code(0);
    assert_eq!(account.names(), ["a", "b"]);
}

#[test]
fn a_plan_is_for_one_account_and_one_version() {
    let (account, repository) = planned();
    let other = Account::new();
    apply(&repository, &other, &[])
        .code(5)
        .complains("the plan was made for the API at");
    repository.write(
        "hookctl.yaml",
        "targets: { qa: { api_url: 'https://api.example.com' } }\n",
    );
    apply(&repository, &account, &[])
        .code(5)
        .complains("made for target 'default', not 'qa'")
        .complains("add --target default");
    fs::remove_file(repository.path("hookctl.yaml")).unwrap();
    for broken in [
        "",
        "{}",
        "[1]",
        "{\n  \"format_version\": \"1\",\n  \"items\": 5\n}\n",
        "\u{0}",
    ] {
        repository.write("plan.json", broken);
        apply(&repository, &account, &[])
            .code(1)
            .complains("error: could not read the plan");
    }
    assert!(account.requests().is_empty());
    let unwritten = repository.sync(&account, &["--dry-run", "--out", "no/such/folder"]);
    unwritten.code(1).complains("could not write the plan");
    repository.sync(&account, &["--out", "plan.json"]).code(64);
}

#[test]
fn no_byte_of_a_plan_can_be_changed() {
    let (account, repository) = planned();
    let file = fs::read(repository.path("plan.json")).unwrap();
    let key = FingerprintKey::derive(&Secret::new(API_KEY.to_owned()).unwrap());
    let is_accepted =
        |bytes: Vec<u8>| SealedPlan::read(bytes).is_ok_and(|sealed| sealed.open(&key).is_ok());
    assert!(is_accepted(file.clone()));
    for at in 0..file.len() {
        for bit in 0..8 {
            let mut flipped = file.clone();
            flipped[at] ^= 1 << bit;
            assert!(!is_accepted(flipped), "byte {at}, bit {bit}");
        }
    }
    // What a person would change.
    let text = String::from_utf8(file).unwrap();
    let value: Value = serde_json::from_str(&text).unwrap();
    let mut pruning = value.clone();
    pruning["content"]["terms"]["prune"] = json!(true);
    for changed in [
        text.replace("b.example.com", "evil.example"),
        text.replace("\"prune\": false", "\"prune\": true"),
        text.replacen("\"content\": {", "\"content\": {\"more\": 1,", 1),
        serde_json::to_string_pretty(&value).unwrap(),
        serde_json::to_string_pretty(&pruning).unwrap(),
    ] {
        assert_ne!(changed, text);
        repository.write("plan.json", &changed);
        let run = apply(&repository, &account, &[]).code(1);
        assert!(!run.stderr.contains("evil"), "{}", run.stderr);
        run.complains("error: ").shows("");
    }
    repository.write("plan.json", &text.replace("create", "delete"));
    apply(&repository, &account, &["--partial", "--output", "json"])
        .code(1)
        .shows("\"plan-seal\"")
        .shows("its seal does not match");
    assert!(account.requests().is_empty(), "not even the list is read");
    repository.write("plan.json", &text);
    apply(&repository, &account, &[]).code(0);
}

#[test]
fn nothing_runs_for_a_plan_that_is_not_sealed() {
    let (account, repository) = planned();
    let text = fs::read_to_string(repository.path("plan.json")).unwrap();
    repository.write("plan.json", &text.replace("b.example", "c.example"));
    let run = "{ command: [touch, ran] }";
    repository.declare(&TWO.replace("{ env: TOKEN }", run));
    apply(&repository, &account, &[])
        .code(1)
        .complains("its seal does not match");
    assert!(!repository.path("webhooks.d/ran").exists());
    assert!(account.requests().is_empty());
}

#[test]
fn another_api_key_needs_a_key_of_fingerprints() {
    let (account, mut repository) = planned();
    let other = "s3cr3t-other-key";
    repository.set("INTERACTLY_API_KEY", other);
    apply(&repository, &account, &[])
        .code(1)
        .complains("it was sealed with another key")
        .complains("set a `fingerprint_key` for the target");
    assert!(account.requests().is_empty());

    // The same plan with one key of fingerprints, by whichever API key.
    repository.write(
        "hookctl.yaml",
        "targets: { default: { fingerprint_key: { env: HOOKCTL_PLAN_KEY } } }\n",
    );
    repository.set("HOOKCTL_PLAN_KEY", "s3cr3t-plan-key-of-both");
    repository.set("INTERACTLY_API_KEY", API_KEY);
    repository
        .sync(&account, &["--dry-run", "--out", "plan.json"])
        .code(0);
    repository.set("INTERACTLY_API_KEY", other);
    // The account of the tests knows one API key only; the seal is past by then.
    apply(&repository, &account, &[]).code(1).complains("401");
    repository.set("INTERACTLY_API_KEY", API_KEY);
    apply(&repository, &account, &[]).code(0);
}

#[test]
fn a_plan_for_the_sandbox_is_applied_there_only() {
    let (account, repository) = planned();
    let url = account.sandbox.base_url();
    let save = ["sync", "--sandbox", "--dry-run", "--out", "sandbox.json"];
    repository.run(&save).code(0);
    let to = |arguments: &[&str]| {
        let all = [&["--api-url", url.as_str(), "apply"], arguments].concat();
        repository.run(&all)
    };
    to(&["sandbox.json"])
        .code(5)
        .complains("add --sandbox to apply it there");
    to(&["plan.json", "--sandbox"])
        .code(5)
        .complains("remove --sandbox");
    // The key of the sandbox is known to everyone: it opens nothing else.
    let text = fs::read_to_string(repository.path("sandbox.json")).unwrap();
    let claimed = text.replace("\"sandbox\": true", "\"sandbox\": false");
    repository.write("claimed.json", &claimed);
    to(&["claimed.json"])
        .code(1)
        .complains("it was sealed with another key");
    assert!(account.requests().is_empty());
    to(&["sandbox.json", "--sandbox"])
        .code(0)
        .shows("Applied: 2 created.");
}

/// A plan that was made by a job without tokens, of two webhooks with one and of one without.
fn planned_without_secrets() -> (Account, Repository) {
    const THREE: &str = "webhooks:
  a: { url: 'https://a.example.com', actions: all, bearer_token: { env: TOKEN } }
  b: { url: 'https://b.example.com', actions: all }
  c: { url: 'https://c.example.com', actions: all, bearer_token: { env: OTHER_TOKEN } }
";
    let account = Account::new();
    let mut repository = Repository::with(THREE);
    repository.set("TOKEN", "s3cr3t-one");
    repository.set("OTHER_TOKEN", "s3cr3t-other");
    repository.settled(&account);
    repository.declare(&THREE.replace("actions: all", "timeout_seconds: 20, actions: all"));
    repository.unset("TOKEN");
    repository.unset("OTHER_TOKEN");
    let save = ["--dry-run", "--allow-missing-secrets", "--out", "plan.json"];
    repository.sync(&account, &save).code(0);
    let text = fs::read_to_string(repository.path("plan.json")).unwrap();
    let saved: Value = serde_json::from_str(&text).unwrap();
    conforms(&validator("saved-plan-v2.schema.json"), &saved);
    let unseen = saved
        .pointer("/content/unseen_tokens")
        .and_then(Value::as_object)
        .unwrap();
    assert_eq!(unseen.keys().collect::<Vec<_>>(), ["a", "c"]);
    repository.set("TOKEN", "s3cr3t-one");
    repository.set("OTHER_TOKEN", "s3cr3t-other");
    account.requests();
    (account, repository)
}

fn token(account: &Account, name: &str) -> Option<String> {
    account.sandbox.token(&account.id(name))
}

#[test]
fn tokens_that_were_not_seen_and_did_not_change_need_no_decision() {
    let (account, repository) = planned_without_secrets();
    apply(&repository, &account, &[])
        .code(0)
        .shows("Applied: 3 updated.");
    assert_eq!(token(&account, "a").as_deref(), Some("s3cr3t-one"));
}

#[test]
fn tokens_that_were_not_seen_are_written_if_asked_for() {
    let (account, mut repository) = planned_without_secrets();
    repository.set("TOKEN", "s3cr3t-two");
    apply(&repository, &account, &["--output", "json"])
        .code(5)
        .complains("the plan did not see the tokens of 'a', and would write them")
        .complains("--unseen-tokens apply to write them")
        .shows("\"unseen-tokens\"");
    let requests = account.requests();
    assert_eq!(requests, ["GET workflow-webhooks"]);
    apply(&repository, &account, &["--unseen-tokens", "apply"])
        .code(0)
        .complains("notice[unseen-tokens]: the plan did not see the tokens of 'a'")
        .shows("Applied: 3 updated.");
    assert_eq!(token(&account, "a").as_deref(), Some("s3cr3t-two"));
    assert_eq!(token(&account, "c").as_deref(), Some("s3cr3t-other"));
    repository.sync(&account, &[]).code(0).shows("No changes.");
}

#[test]
fn tokens_that_were_not_seen_are_kept_if_asked_for() {
    let (account, mut repository) = planned_without_secrets();
    repository.set("TOKEN", "s3cr3t-two");
    apply(&repository, &account, &["--unseen-tokens", "keep"])
        .code(0)
        .complains("those at the API are kept")
        .shows("Applied: 3 updated.");
    assert_eq!(token(&account, "a").as_deref(), Some("s3cr3t-one"));
    // The next sync with secrets finds the difference, since the record still holds the old one.
    repository
        .sync(&account, &["--dry-run"])
        .shows("bearer_token: (secret) -> (another secret)   (edited)");
}

#[test]
fn a_webhook_is_never_made_without_its_token() {
    let account = Account::new();
    let mut repository = Repository::with(TWO);
    let save = ["--dry-run", "--allow-missing-secrets", "--out", "plan.json"];
    repository.sync(&account, &save).code(0);
    repository.set("TOKEN", "s3cr3t-one");
    apply(&repository, &account, &["--unseen-tokens", "keep"])
        .code(5)
        .complains("'a' would be created with a token that the plan did not see");
    assert_eq!(account.names(), [""; 0]);
    apply(
        &repository,
        &account,
        &["--unseen-tokens", "keep", "--partial"],
    )
    .code(0)
    .complains("skipped 'a'");
    assert_eq!(account.names(), ["b"]);
    repository.sync(&account, &save).code(0);
    apply(&repository, &account, &["--unseen-tokens", "apply"]).code(0);
    assert_eq!(token(&account, "a").as_deref(), Some("s3cr3t-one"));
}

#[test]
fn a_token_that_was_not_seen_comes_from_the_same_place() {
    let (account, mut repository) = planned_without_secrets();
    let text = fs::read_to_string(repository.path("webhooks.d/all.yaml")).unwrap();
    repository.declare(&text.replace("{ env: TOKEN }", "{ env: ELSEWHERE }"));
    repository.set("ELSEWHERE", "s3cr3t-two");
    let run = apply(&repository, &account, &["--unseen-tokens", "apply"]).code(5);
    run.complains("'a': the source of its token changed");
    repository.declare(&text.replace("{ env: TOKEN }", "null"));
    apply(&repository, &account, &["--unseen-tokens", "apply"]).code(5);
    assert_eq!(token(&account, "a").as_deref(), Some("s3cr3t-one"));
}
