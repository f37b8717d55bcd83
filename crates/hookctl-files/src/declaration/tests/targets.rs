//! Fields that differ by target, and that every target is checked in a run for any.

use super::*;
use hookctl_core::state::{DesiredState, DesiredWebhook};

fn options<'a>(target: &'a str, known: &'a [String]) -> LoadOptions<'a> {
    LoadOptions {
        target,
        known_targets: known,
        environment: &environment,
        ..LoadOptions::below(Path::new("/repo"))
    }
}

fn load_in(target: &str, text: &str) -> Loaded {
    let known = ["qa".to_owned(), "prod".to_owned(), "lab".to_owned()];
    load_texts(
        &[("a.yaml".into(), text.to_owned())],
        &options(target, &known),
    )
}

#[track_caller]
fn desired_in(target: &str, text: &str) -> DesiredState {
    let loaded = load_in(target, text);
    assert_eq!(codes(&loaded), [""; 0], "{text}");
    loaded.declarations.unwrap().into_desired(&BTreeMap::new())
}

#[track_caller]
fn one_in(target: &str, text: &str) -> DesiredWebhook {
    desired_in(target, text).webhooks[&Key::parse("a").unwrap()].clone()
}

/// Returns `line:column` of a field of the webhook.
fn place(webhook: &DesiredWebhook, field: &str) -> String {
    let at = webhook.origin.of_field(field);
    format!("{}:{}", at.line, at.column)
}

#[test]
fn a_target_replaces_fields_and_the_place_is_its_own() {
    let text = "defaults:
  timeout_seconds: 20
  bearer_token: { env: SHARED }
webhooks:
  a:
    name: A
    url: https://a.example
    actions: [workflow_created, workflow_updated]
    max_retries: 5
    bearer_token: { env: QA }
    targets:
      qa:
      lab: {}
      prod:
        name: A in prod
        url: https://${HOST}/prod
        actions: [workflow_deleted]
        enabled: ${OFF}
        timeout_seconds: 60
        max_retries: null
        bearer_token: { env: PROD }
        id: 5eb7cf5a86d9755df3a6c593
        ignore_changes: [name]
        prevent_destroy: true
";
    for target in ["qa", "lab"] {
        let webhook = one_in(target, text);
        assert_eq!(webhook.spec.name, "A");
        assert_eq!(webhook.spec.url.as_str(), "https://a.example");
        assert_eq!(webhook.spec.timeout_seconds, 20);
        assert_eq!(webhook.spec.max_retries, 5);
        assert_eq!(webhook.id, None);
        assert_eq!(place(&webhook, "name"), "6:11");
        assert_eq!(place(&webhook, "timeout_seconds"), "2:20");
    }
    let webhook = one_in("prod", text);
    assert_eq!(webhook.spec.name, "A in prod");
    assert_eq!(webhook.spec.url.as_str(), "https://hooks.example.com/prod");
    assert_eq!(webhook.spec.actions.to_string(), "[workflow_deleted]");
    assert!(!webhook.spec.enabled);
    assert_eq!(webhook.spec.timeout_seconds, 60);
    // The default of the API.
    assert_eq!(webhook.spec.max_retries, 3);
    assert!(webhook.prevent_destroy);
    assert!(webhook.ignore_changes.fields.contains(&Field::Name));
    assert_eq!(
        webhook.id.as_ref().unwrap().as_str(),
        "5eb7cf5a86d9755df3a6c593"
    );
    assert_eq!(place(&webhook, "name"), "15:15");
    assert_eq!(place(&webhook, "max_retries"), "20:22");
    assert_eq!(place(&webhook, "bearer_token"), "21:23");
    let loaded = load_in("prod", text).declarations.unwrap();
    let sources: Vec<_> = loaded
        .secret_sources()
        .map(|(_, source)| source.to_string())
        .collect();
    assert_eq!(sources, ["the environment variable PROD"]);
}

#[test]
fn the_nearest_value_applies() {
    let text = "defaults:
  actions: all
  timeout_seconds: 1
  max_retries: 1
  retry_backoff_seconds: 1
  enabled: false
  targets:
    qa: { timeout_seconds: 2, max_retries: 2, retry_backoff_seconds: 2, enabled: null }
    prod:
webhooks:
  a:
    url: https://a.example
    max_retries: 3
    retry_backoff_seconds: 3
    targets: { qa: { retry_backoff_seconds: 4 }, lab: {} }
  b: { url: https://b.example }
";
    let numbers = |target: &str| {
        let spec = one_in(target, text).spec;
        (
            spec.enabled,
            spec.timeout_seconds,
            spec.max_retries,
            spec.retry_backoff_seconds,
        )
    };
    assert_eq!(numbers("qa"), (true, 2, 3, 4));
    // The webhook's own mapping selects; that of `defaults` has values for others.
    assert_eq!(numbers("lab"), (false, 1, 3, 3));
    let keys = |target: &str| {
        let keys: Vec<_> = desired_in(target, text)
            .keys()
            .map(ToString::to_string)
            .collect();
        keys.join(" ")
    };
    assert_eq!(keys("qa"), "a b");
    assert_eq!(keys("lab"), "a");
    assert_eq!(keys("prod"), "b");
}

#[test]
fn a_webhook_may_be_absent_or_released_in_one_target() {
    let text = "defaults: { actions: all, timeout_seconds: 7 }
webhooks:
  a:
    name: A
    url: https://a.example
    bearer_token: { env: TOKEN }
    targets:
      qa: { state: absent, name: Old }
      lab: { state: released }
      prod: {}
  b:
    state: absent
    targets:
      qa: { state: present, url: https://b.example }
      prod: { state: null, url: https://b.example }
      lab:
";
    let key = |key: &str| Key::parse(key).unwrap();
    let qa = desired_in("qa", text);
    assert_eq!(qa.absent[&key("a")].name, "Old");
    assert_eq!(qa.webhooks[&key("b")].spec.timeout_seconds, 7);
    let prod = desired_in("prod", text);
    assert_eq!(prod.webhooks.len(), 2);
    let lab = desired_in("lab", text);
    assert!(lab.released.contains_key(&key("a")) && lab.absent.contains_key(&key("b")));
}

#[test]
fn a_null_removes_and_for_a_token_says_that_there_is_none() {
    let text = webhook(
        "name: A\nbearer_token: { env: TOKEN }\nprevent_destroy: true\n\
         targets: { qa: { name: null, bearer_token: null, prevent_destroy: ~ }, prod: }",
    );
    let qa = one_in("qa", &text);
    assert_eq!(qa.spec.name, "a");
    assert_eq!(qa.token, DeclaredToken::None);
    assert!(!qa.prevent_destroy);
    assert_eq!(place(&qa, "name"), "8:28");
    let prod = one_in("prod", &text);
    assert!(matches!(prod.token, DeclaredToken::Managed(_)));
}

#[test]
fn anchors_and_merges_work() {
    let text = "x-slow: &slow { timeout_seconds: 60, enabled: false }
x-where: &where { qa: *slow, prod: { <<: *slow, enabled: true } }
webhooks:
  a: { url: https://a.example, actions: all, targets: *where }
  b: { url: https://b.example, actions: all, targets: { <<: *where, lab: } }
";
    let qa = one_in("qa", text);
    assert_eq!((qa.spec.timeout_seconds, qa.spec.enabled), (60, false));
    let prod = one_in("prod", text);
    assert_eq!((prod.spec.timeout_seconds, prod.spec.enabled), (60, true));
    assert_eq!(desired_in("lab", text).webhooks.len(), 1);
}

#[test]
fn a_problem_of_any_target_is_found_in_a_run_for_any() {
    for (lines, expected) in [
        ("targets: {}", vec!["5:14 empty-list"]),
        ("targets: { qq: }", vec!["5:16 unknown-target"]),
        (
            "targets: { qa: {}, '${T}': }",
            vec!["5:24 invalid-template"],
        ),
        ("targets: { qa: false }", vec!["5:20 wrong-type"]),
        (
            "targets: { qa: [], prod: x }",
            vec!["5:20 wrong-type", "5:30 wrong-type"],
        ),
        (
            "targets: { prod: { enable: false } }",
            vec!["5:24 unknown-field"],
        ),
        (
            "targets: { prod: { targets: [qa], previously: [A] } }",
            vec!["5:24 field-not-allowed", "5:39 field-not-allowed"],
        ),
        (
            "targets: { prod: { enabled: yes } }",
            vec!["5:33 wrong-type"],
        ),
        (
            "targets: { prod: { timeout_seconds: 61 } }",
            vec!["5:41 out-of-range"],
        ),
        (
            "targets: { prod: { timeout_seconds: '1${A}' } }",
            vec!["5:41 wrong-type"],
        ),
        (
            "targets: { prod: { url: nowhere } }",
            vec!["5:29 invalid-url"],
        ),
        (
            "targets: { prod: { url: null } }",
            vec!["5:29 missing-field"],
        ),
        (
            "targets: { prod: { url: 'http://a.example' } }",
            vec!["5:29 plain-http"],
        ),
        (
            "targets: { prod: { actions: [x] } }",
            vec!["5:34 unknown-action"],
        ),
        (
            "targets: { prod: { actions: [] } }",
            vec!["5:33 empty-list"],
        ),
        ("targets: { prod: { id: 'a/b' } }", vec!["5:28 invalid-id"]),
        (
            "targets: { prod: { state: gone } }",
            vec!["5:31 unknown-value"],
        ),
        (
            "targets: { prod: { state: absent, enabled: true } }",
            vec!["5:39 field-not-allowed"],
        ),
        (
            "targets: { prod: { bearer_token: hunter2 } }",
            vec!["5:38 plaintext-secret"],
        ),
        (
            "targets: { prod: { bearer_token: { enf: X } } }",
            vec!["5:40 unknown-field"],
        ),
        (
            "targets: { prod: { max_retries: 9, retry_backoff_seconds: 300 } }",
            vec!["5:63 long-retry-schedule"],
        ),
        // What every target replaces is checked too.
        (
            "enabled: 1\ntargets: { prod: { enabled: true }, qa: { enabled: true } }",
            vec!["5:14 wrong-type"],
        ),
    ] {
        let text = webhook(lines);
        for target in ["qa", "prod", "lab"] {
            assert_eq!(
                codes(&load_in(target, &text)),
                expected,
                "{target}: {lines}"
            );
        }
    }
}

#[test]
fn what_differs_by_target_is_required_in_each() {
    let text = |targets: &str| format!("webhooks:\n  a:\n    targets:\n{targets}");
    for (targets, expected) in [
        (
            "      qa: { url: 'https://a.example', actions: all }\n      prod: { url: 'https://a.example' }\n",
            vec!["5:7 missing-field"],
        ),
        ("      qa: {}\n      prod:\n", vec!["2:3 missing-field"; 2]),
        (
            "      qa: { state: absent }\n      prod: { url: 'https://a.example' }\n",
            vec!["2:3 missing-field"],
        ),
    ] {
        for target in ["qa", "prod", "lab"] {
            assert_eq!(
                codes(&load_in(target, &text(targets))),
                expected,
                "{target}: {targets}"
            );
        }
    }
    // The actions of one target, by `defaults`.
    let text = "defaults: { targets: { prod: { actions: all }, qa: } }
webhooks:
  a: { url: https://a.example }
";
    for target in ["qa", "prod", "lab"] {
        assert_eq!(
            codes(&load_in(target, text)),
            ["3:3 missing-field"],
            "{target}"
        );
    }
}

#[test]
fn defaults_by_target_are_checked_once() {
    for (targets, expected) in [
        ("{ prod: { enabled: 1 } }", vec!["1:55 wrong-type"]),
        (
            "{ prod: { url: 'https://a.example' } }",
            vec!["1:46 field-not-allowed"],
        ),
        ("{ prod: { enabel: true } }", vec!["1:46 unknown-field"]),
        ("{ prdo: }", vec!["1:38 unknown-target"]),
    ] {
        let text = format!(
            "defaults: {{ actions: all, targets: {targets} }}\nwebhooks:\n  a: {{ url: https://a.example }}\n  b: {{ url: https://b.example }}\n"
        );
        for target in ["qa", "prod", "lab"] {
            assert_eq!(
                codes(&load_in(target, &text)),
                expected,
                "{target}: {targets}"
            );
        }
    }
}

#[test]
fn without_configured_targets_any_name_is_accepted() {
    let text = webhook("targets: { default: { max_retries: 0 }, other: }");
    let loaded = load_texts(&[("a.yaml".into(), text)], &options("default", &[]));
    assert_eq!(codes(&loaded), [""; 0]);
    let desired = loaded.declarations.unwrap().into_desired(&BTreeMap::new());
    assert_eq!(
        desired.webhooks[&Key::parse("a").unwrap()].spec.max_retries,
        0
    );
}

/// Returns the message, the label, and the help of the only diagnostic.
fn said(loaded: &Loaded) -> String {
    let all: Vec<_> = loaded.diagnostics.iter().collect();
    assert_eq!(all.len(), 1, "{all:?}");
    let label = all[0].primary.as_ref().unwrap();
    format!(
        "{}\n    {}\n    {}",
        all[0].message,
        label.text,
        all[0].help.as_deref().unwrap_or("")
    )
}

#[test]
fn a_variable_of_another_type_is_named_with_its_place() {
    let vars = BTreeMap::from([
        ("T".to_owned(), "soon".to_owned()),
        ("S".to_owned(), "99".to_owned()),
    ]);
    let said_of = |lines: &str| {
        let options = LoadOptions {
            vars: &vars,
            ..options("qa", &[])
        };
        said(&load_texts(&[("a.yaml".into(), webhook(lines))], &options))
    };
    insta::assert_snapshot!(
        [
            "timeout_seconds: ${T}",
            "timeout_seconds: ${S}",
            "timeout_seconds: ${OFF}",
            "timeout_seconds: ${NONE:-1.5}",
            "timeout_seconds: '${NONE:-${T}}'",
            "enabled: ${FIVE}",
            "prevent_destroy: ${NONE:-yes}",
            "targets: { qa: { max_retries: '${T}' } }",
        ]
        .map(said_of)
        .join("\n"),
        @"
    'timeout_seconds' must be a whole number from 1 to 60, and the variable T is text
        T under 'vars' of the target sets it
        set it to a whole number from 1 to 60
    'timeout_seconds' must be a whole number from 1 to 60, and the variable S is out of range
        S under 'vars' of the target sets it
        set it to a whole number from 1 to 60
    'timeout_seconds' must be a whole number from 1 to 60, and the variable OFF is a boolean
        HOOKCTL_VAR_OFF of the environment sets it
        set it to a whole number from 1 to 60
    'timeout_seconds' must be a whole number from 1 to 60, and the default of NONE is a number with a fraction
        NONE is not set
        set it to a whole number from 1 to 60
    'timeout_seconds' must be a whole number from 1 to 60, and the variable T is text
        T under 'vars' of the target sets it
        set it to a whole number from 1 to 60
    'enabled' must be true or false, and the variable FIVE is a number
        HOOKCTL_VAR_FIVE of the environment sets it
        set it to true or false
    'prevent_destroy' must be true or false, and the default of NONE is text
        NONE is not set
        set it to true or false
    'max_retries' must be a whole number from 0 to 10, and the variable T is text
        T under 'vars' of the target sets it
        set it to a whole number from 0 to 10
    "
    );
}
