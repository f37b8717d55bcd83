//! Fields that differ by target: a value goes to the mapping that applies to the selected one, `qa`.

use super::*;

#[test]
fn a_value_goes_to_the_target_that_has_the_field_or_shares_it() {
    becomes(
        "webhooks:
  a:
    url: https://a.example.com
    actions: all
    timeout_seconds: 5
    targets:
      prod: { timeout_seconds: 60 }
      qa:   # rehearsals
        # Receivers there are slow.
        max_retries: 1
  b:
    url: https://b.example.com
    actions: all
    targets: { qa: { enabled: true }, prod: {} }
",
        &[
            "a timeout_seconds 9",
            "a max_retries 2",
            "a enabled false",
            "b enabled false",
            "b name B in qa",
            "b actions workflow_created",
        ],
        "webhooks:
  a:
    url: https://a.example.com
    actions: all
    timeout_seconds: 9
    targets:
      prod: { timeout_seconds: 60 }
      qa:   # rehearsals
        # Receivers there are slow.
        max_retries: 2
        enabled: false
  b:
    url: https://b.example.com
    actions: all
    targets: { qa: { enabled: false, name: B in qa, actions: [workflow_created] }, prod: {} }
",
    );
}

#[test]
fn a_target_without_a_difference_gets_its_first_one() {
    for (before, after) in [
        (
            "      qa: {}   # none",
            "      qa: { enabled: false }   # none",
        ),
        (
            "      qa:   # none",
            "      qa: { enabled: false }   # none",
        ),
        ("      qa:", "      qa: { enabled: false }"),
        ("      \"qa\": null", "      \"qa\": { enabled: false }"),
        ("      qa: ~", "      qa: { enabled: false }"),
        (
            "      qa: { enabled: null }",
            "      qa: { enabled: false }",
        ),
        (
            "      qa:\n        enabled:   # the default\n        name: A",
            "      qa:\n        enabled: false   # the default\n        name: A",
        ),
        (
            "      qa:\n        url: https://x.example.com",
            "      qa:\n        url: https://x.example.com\n        enabled: false",
        ),
        (
            "      qa:\n        name: A",
            "      qa:\n        name: A\n        enabled: false",
        ),
    ] {
        let text = |qa: &str| {
            format!(
                "webhooks:\n  a:\n    url: https://a.example.com\n    actions: all\n    targets:\n{qa}\n      prod:\n"
            )
        };
        becomes(&text(before), &["a enabled false"], &text(after));
    }
    for (before, after) in [
        (
            "{ qa: {}, prod: {} }",
            "{ qa: { enabled: false }, prod: {} }",
        ),
        ("{ qa, prod }", "{ qa: { enabled: false }, prod }"),
        ("{prod: , qa: }", "{prod: , qa: { enabled: false } }"),
        (
            "{ qa: null, prod: ~ }",
            "{ qa: { enabled: false }, prod: ~ }",
        ),
    ] {
        let text = |targets: &str| {
            format!(
                "webhooks: {{ a: {{ url: 'https://a.example.com', actions: all, targets: {targets} }} }}\n"
            )
        };
        becomes(&text(before), &["a enabled false"], &text(after));
    }
    becomes(
        r#"{"webhooks": {"a": {"url": "https://a.example.com", "actions": "all", "targets": {"qa": {}, "prod": null}}}}"#,
        &["a name A"],
        r#"{"webhooks": {"a": {"url": "https://a.example.com", "actions": "all", "targets": {"qa": { "name": "A" }, "prod": null}}}}"#,
    );
}

#[test]
fn the_value_of_the_webhook_changes_if_no_other_target_takes_it() {
    becomes(
        "webhooks:
  a: { url: https://a.example.com, actions: all, targets: { qa: { name: A } } }
  b: { url: https://b.example.com, actions: all, enabled: true, targets: { qa: , prod: { enabled: false } } }
  c: { url: https://c.example.com, actions: all, enabled: true, targets: [qa, prod] }
",
        &["a enabled false", "b enabled false", "c enabled false"],
        "webhooks:
  a: { url: https://a.example.com, actions: all, enabled: false, targets: { qa: { name: A } } }
  b: { url: https://b.example.com, actions: all, enabled: false, targets: { qa: , prod: { enabled: false } } }
  c: { url: https://c.example.com, actions: all, enabled: false, targets: [qa, prod] }
",
    );
}

#[test]
fn the_targets_that_have_the_value_are_named() {
    let targets = |webhook: &str, defaults: &str| {
        let text = format!(
            "defaults: {{ actions: all{defaults} }}\nwebhooks: {{ a: {{ url: https://a.example.com{webhook} }} }}\n"
        );
        let result = rewrite(&text, "qa", vec![value("a", "enabled", "false")]);
        let targets = result.written[0].targets.clone();
        targets.map_or("all".to_owned(), |targets| targets.join(" "))
    };
    assert_eq!(targets("", ""), "all");
    assert_eq!(targets(", targets: [qa, prod]", ""), "qa prod");
    assert_eq!(targets(", targets: { qa: , prod: }", ""), "qa");
    assert_eq!(targets(", targets: { qa: { enabled: true } }", ""), "qa");
    assert_eq!(
        targets(", targets: { qa: , prod: { enabled: true } }", ""),
        "qa"
    );
    assert_eq!(
        targets("", ", targets: { qa: , prod: { enabled: true } }"),
        "qa prod"
    );
}

#[test]
fn the_line_is_that_of_the_value() {
    let text = "webhooks:
  a:
    url: https://a.example.com
    actions: all
    targets:
      prod: {}
      qa:
        name: A
        enabled: true
  b: { url: https://b.example.com, actions: all, enabled: true }
";
    let values = vec![
        value("a", "enabled", "false"),
        value("a", "max_retries", "1"),
        value("b", "enabled", "false"),
    ];
    let result = rewrite(text, "qa", values);
    let lines: Vec<_> = result
        .written
        .iter()
        .map(|written| (written.line, written.is_added))
        .collect();
    assert_eq!(lines, [(9, false), (10, true), (11, false)]);
}

#[test]
fn what_is_shared_or_comes_from_a_variable_is_refused() {
    for targets in [
        "*where",
        "{ qa: *slow, prod: }",
        "{ <<: *where, lab: }",
        "{ qa: { <<: *slow }, prod: }",
    ] {
        let text = format!(
            "x-slow: &slow {{ enabled: true }}
x-where: &where {{ qa: {{ enabled: true }}, prod: {{}} }}
webhooks:
  a: {{ url: https://a.example.com, actions: all, targets: {targets} }}
"
        );
        if targets.contains("{ <<: *slow }") {
            let expected = text.replace("{ <<: *slow }", "{ enabled: false, <<: *slow }");
            becomes(&text, &["a enabled false"], &expected);
        } else {
            refuses(&text, "a enabled false", "shares it");
        }
    }
    let text = "webhooks:
  a: { url: https://a.example.com, actions: all, enabled: true, targets: { qa: { enabled: '${E}' }, prod: } }
";
    refuses(text, "a enabled false", "the variable E");
    let text = "defaults: { actions: all, targets: { qa: { enabled: '${E}' } } }
webhooks:
  a: { url: https://a.example.com }
";
    refuses(text, "a enabled false", "the variable E");
    // The variable is another target's.
    let text = "webhooks:
  a: { url: https://a.example.com, actions: all, enabled: '${E}', targets: { qa: { enabled: true }, prod: } }
";
    becomes(
        text,
        &["a enabled false"],
        &text.replace("enabled: true", "enabled: false"),
    );
}
