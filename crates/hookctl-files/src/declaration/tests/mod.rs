//! Loading of declarations, and every problem with its location.

use std::collections::BTreeMap;

use super::*;
use crate::diagnostic::{Level, Severity};
use hookctl_core::state::{DeclaredToken, TokenEvidence};
use hookctl_core::webhook::{Field, Key};

fn environment(name: &str) -> Option<String> {
    let name = match name {
        "HOME" => return Some("/home/hunter2".to_owned()),
        _ => name.strip_prefix(VARIABLE_PREFIX)?,
    };
    match name {
        "HOST" => Some("hooks.example.com".to_owned()),
        "EMPTY" => Some(String::new()),
        "LONG" => Some("x".repeat(151)),
        "FIVE" => Some("5".to_owned()),
        "OFF" => Some("false".to_owned()),
        "NESTED" => Some("${HOST}".to_owned()),
        "RUN_COMPLETED" => Some("workflow_run_completed".to_owned()),
        "ALL" => Some("all".to_owned()),
        _ => None,
    }
}

fn load_with(files: &[(&str, &str)], plaintext_secrets: PlaintextSecrets) -> Loaded {
    let texts: Vec<_> = files
        .iter()
        .map(|(path, text)| (PathBuf::from(path), (*text).to_owned()))
        .collect();
    load_texts(
        &texts,
        &LoadOptions {
            display_root: Path::new("/repo"),
            repository_root: Path::new("/repo"),
            link_roots: &[],
            folder_is_named: true,
            target: "qa",
            known_targets: &["qa".to_owned(), "prod".to_owned()],
            vars: &BTreeMap::from([("DUPLICATED".to_owned(), "x".to_owned())]),
            environment: &environment,
            keys: &KeySources::new(),
            providers: &[],
            plaintext_secrets,
            lints: None,
        },
    )
}

fn load_one(text: &str) -> Loaded {
    load_with(&[("a.yaml", text)], PlaintextSecrets::Warn)
}

/// Returns `line:column code` for each diagnostic.
fn codes(loaded: &Loaded) -> Vec<String> {
    loaded
        .diagnostics
        .iter()
        .map(|diagnostic| {
            let label = diagnostic.primary.as_ref().unwrap();
            let at = loaded.sources.location(label.span);
            format!("{}:{} {}", at.line, at.column, diagnostic.code)
        })
        .collect()
}

/// Returns one webhook with a key, a url, actions, and the given lines, which begin on line 5.
fn webhook(lines: &str) -> String {
    let mut text = "webhooks:\n  a:\n    url: https://a.example\n    actions: all\n".to_owned();
    for line in lines.lines() {
        text.push_str("    ");
        text.push_str(line);
        text.push('\n');
    }
    text
}

#[test]
fn a_complete_declaration() {
    let loaded = load_one(
        "defaults:\n  timeout_seconds: 20\n  bearer_token: { env: SHARED }\nwebhooks:\n  \
         billing:\n    name: \"Billing: ${HOST}\"\n    url: https://${HOST}/${NONE:-x}?a=$$1\n    \
         actions: [workflow_run_completed, workflow_created]\n    enabled: false\n    \
         max_retries: 0\n    id: 5eb7cf5a86d9755df3a6c593\n    previously: [Old, 'Older ${HOST}']\n    \
         targets: [qa]\n    ignore_changes: [enabled, bearer_token]\n    prevent_destroy: true\n    \
         bearer_token: null\n  other:\n    url: https://b.example\n    actions: all\n  gone:\n    \
         state: absent\n    name: Gone\n",
    );
    assert_eq!(codes(&loaded), [""; 0]);
    let declarations = loaded.declarations.unwrap();
    assert_eq!(declarations.len(), 3);
    let key = |key: &str| Key::parse(key).unwrap();
    let sources: Vec<_> = declarations
        .secret_sources()
        .map(|(key, source)| (key.as_str().to_owned(), source.to_string()))
        .collect();
    assert_eq!(
        sources,
        [(
            "other".to_owned(),
            "the environment variable SHARED".to_owned()
        )]
    );
    let span = declarations.span_of_secret(&key("other")).unwrap();
    assert_eq!(loaded.sources.location(span).line, 3);
    assert_eq!(declarations.span_of_secret(&key("billing")), None);

    let desired = declarations.into_desired(&BTreeMap::new());
    let billing = &desired.webhooks[&key("billing")];
    assert_eq!(billing.spec.name, "Billing: hooks.example.com");
    assert_eq!(
        billing.spec.url.as_str(),
        "https://hooks.example.com/x?a=$1"
    );
    assert_eq!(
        billing.spec.actions.to_string(),
        "[workflow_created, workflow_run_completed]"
    );
    assert!(!billing.spec.enabled);
    assert_eq!(billing.spec.timeout_seconds, 20);
    assert_eq!(billing.spec.max_retries, 0);
    assert_eq!(billing.spec.retry_backoff_seconds, 10);
    assert_eq!(billing.token, DeclaredToken::None);
    assert_eq!(billing.previously, ["Old", "Older hooks.example.com"]);
    assert!(billing.ignore_changes.bearer_token);
    assert!(billing.ignore_changes.fields.contains(&Field::Enabled));
    assert!(billing.prevent_destroy);
    let place = |name: &str| {
        let at = billing.origin.of_field(name);
        (at.path.display().to_string(), at.line, at.column)
    };
    assert_eq!(place("url"), ("a.yaml".to_owned(), 7, 10));
    assert_eq!(place("timeout_seconds"), ("a.yaml".to_owned(), 2, 20));
    assert_eq!(place("retry_backoff_seconds"), ("a.yaml".to_owned(), 5, 3));
    let other = &desired.webhooks[&key("other")];
    assert_eq!(other.spec.name, "other");
    assert_eq!(
        other.token,
        DeclaredToken::Managed(TokenEvidence::Unresolved)
    );
    assert_eq!(desired.absent[&key("gone")].name, "Gone");
}

#[test]
fn valid_files() {
    for text in [
        "",
        "# nothing\n",
        "---\n---\n",
        "webhooks: {}\n",
        "x-base: &base {actions: all}\nwebhooks:\n  a:\n    <<: *base\n    url: https://a.example\n",
        "webhooks: {a: {url: 'https://a.example', actions: all, state: present}}",
        "webhooks: {a: {state: absent}}\n---\nwebhooks: {b: {state: absent}}",
        "---\nwebhooks:\n  a: {url: 'https://a.example'}\n---\ndefaults: {actions: all}\n",
        "defaults: {enabled: false, prevent_destroy: true}\nwebhooks: {a: {state: absent}}\n",
    ] {
        let loaded = load_one(text);
        assert_eq!(codes(&loaded), [""; 0], "{text}");
        assert!(loaded.declarations.is_some());
    }
}

#[test]
fn webhooks_for_other_targets_are_checked_without_their_variables() {
    let text = "webhooks:\n  a:\n    url: https://${PROD_ONLY}\n    actions: all\n    \
                targets: [prod]\n    max_retries: 11\n";
    assert_eq!(codes(&load_one(text)), ["6:18 out-of-range"]);
    let loaded = load_one(&text.replace("11", "1"));
    let declarations = loaded.declarations.unwrap();
    assert_eq!(
        (declarations.len(), declarations.for_other_targets()),
        (0, 1)
    );
}

#[test]
fn invalid_fields() {
    for (lines, expected) in [
        ("name: ''", "5:11 invalid-length"),
        ("name: ${LONG}", "5:11 invalid-length"),
        ("name: 5", "5:11 wrong-type"),
        ("name:", "5:5 wrong-type"),
        ("name: ${NONE}", "5:11 undefined-variable"),
        ("name: ${EMPTY}", "5:11 undefined-variable"),
        ("name: a$b", "5:11 invalid-template"),
        ("name: ${A", "5:11 invalid-template"),
        ("enabled: yes", "5:14 wrong-type"),
        ("enabled: 'true'", "5:14 wrong-type"),
        ("enabled: True", "5:14 wrong-type"),
        ("timeout_seconds: 0", "5:22 out-of-range"),
        ("timeout_seconds: 61", "5:22 out-of-range"),
        ("timeout_seconds: '5'", "5:22 wrong-type"),
        ("timeout_seconds: 012", "5:22 wrong-type"),
        ("timeout_seconds: 1.5", "5:22 wrong-type"),
        ("timeout_seconds: ~", "5:22 wrong-type"),
        ("max_retries: -1", "5:18 out-of-range"),
        ("max_retries: 11", "5:18 out-of-range"),
        ("retry_backoff_seconds: 301", "5:28 out-of-range"),
        ("retry_backoff_seconds: 1_0", "5:28 wrong-type"),
        ("id: a/b", "5:9 invalid-id"),
        ("id: 123", "5:9 wrong-type"),
        ("id: abc", "5:9 unusual-id"),
        ("previously: Old", "5:17 wrong-type"),
        ("previously: [a, a]", "5:21 repeated-value"),
        ("previously: ['']", "5:18 invalid-length"),
        ("targets: []", "5:14 empty-list"),
        ("targets: [qq]", "5:15 unknown-target"),
        ("targets: qa", "5:14 wrong-type"),
        ("ignore_changes: [enabeld]", "5:22 unknown-value"),
        ("ignore_changes: [url, url]", "5:27 repeated-value"),
        ("prevent_destroy: on", "5:22 wrong-type"),
        ("state: gone", "5:12 unknown-value"),
        ("time_out: 5", "5:5 unknown-field"),
        ("url: https://b.example", "5:5 repeated-key"),
        ("bearer_token: []", "5:19 invalid-secret-source"),
        (
            "bearer_token: { env: A, file: b }",
            "5:19 invalid-secret-source",
        ),
        ("bearer_token: ''", "5:19 unusable-secret"),
        ("bearer_token: '<redacted>'", "5:19 unusable-secret"),
        ("bearer_token: 12345", "5:19 wrong-type"),
        (
            "bearer_token: { file: ../x }",
            "5:27 secret-outside-repository",
        ),
        (
            "bearer_token: { file: '${NONE}/x' }",
            "5:27 undefined-variable",
        ),
        ("bearer_token: abc", "5:19 plaintext-secret"),
        (
            "retry_backoff_seconds: 300\nmax_retries: 10",
            "5:28 long-retry-schedule",
        ),
    ] {
        assert_eq!(codes(&load_one(&webhook(lines))), [expected], "{lines}");
    }
    for (actions, expected) in [
        ("[]", "1:43 empty-list"),
        ("workflow_created", "1:43 wrong-type"),
        ("workflow_creatd", "1:43 unknown-action"),
        ("[all]", "1:44 unknown-action"),
        (
            "[workflow_created, workflow_created]",
            "1:62 repeated-value",
        ),
        ("[workflow_ended]", "1:44 unknown-action"),
        ("['${FIVE}']", "1:44 unknown-action"),
        ("'${HOST}'", "1:43 unknown-action"),
        ("{}", "1:43 wrong-type"),
    ] {
        let text = format!("webhooks: {{a: {{url: https://a.x, actions: {actions}}}}}");
        assert_eq!(codes(&load_one(&text)), [expected], "{actions}");
    }
    for (url, expected) in [
        ("/x", "1:21 invalid-url"),
        ("ftp://a.example", "1:21 invalid-url"),
        ("'https://a b'", "1:21 invalid-url"),
        ("https://", "1:21 invalid-url"),
        ("''", "1:21 invalid-url"),
        ("http://a.example", "1:21 plain-http"),
        ("https://10.0.0.1", "1:21 private-host"),
        ("https://me:hunter2@a.example", "1:21 password-in-url"),
        ("https://hunter2@a.example", "1:21 password-in-url"),
        ("'https:/me:hunter2@a.example'", "1:21 password-in-url"),
        ("'https://me:hun/ter2@a.example'", "1:21 password-in-url"),
        ("'https://p.example.com}/x'", "1:21 invalid-url"),
    ] {
        let text = format!("webhooks: {{a: {{url: {url}, actions: all}}}}");
        let loaded = load_one(&text);
        assert_eq!(codes(&loaded), [expected], "{url}");
        for diagnostic in loaded.diagnostics.iter() {
            assert!(!format!("{diagnostic:?}").contains("hunter2"));
        }
    }
}

#[test]
fn invalid_files() {
    for (text, expected) in [
        ("a: 1", vec!["1:1 unknown-field"]),
        ("webhook: {}", vec!["1:1 unknown-field"]),
        ("- a", vec!["1:1 wrong-type"]),
        ("webhooks:", vec!["1:1 wrong-type"]),
        ("webhooks: [a]", vec!["1:11 wrong-type"]),
        ("webhooks: {a: }", vec!["1:12 wrong-type"]),
        (
            "webhooks: {a: {}}",
            vec!["1:12 missing-field", "1:12 missing-field"],
        ),
        ("webhooks: {A b: {state: absent}}", vec!["1:12 invalid-key"]),
        (
            "defaults: {url: 'https://a.x'}",
            vec!["1:12 field-not-allowed"],
        ),
        (
            "defaults: {name: a, id: b}",
            vec!["1:12 field-not-allowed", "1:21 field-not-allowed"],
        ),
        ("defaults: {timeout_seconds: 99}", vec!["1:29 out-of-range"]),
        ("defaults: {timeout: 9}", vec!["1:12 unknown-field"]),
        ("defaults: 5", vec!["1:11 wrong-type"]),
        (
            "defaults: {}\n---\ndefaults: {}",
            vec!["3:1 repeated-defaults"],
        ),
        (
            "webhooks: {a: {state: absent, url: 'https://a.x', enabled: true}}",
            vec!["1:31 field-not-allowed", "1:51 field-not-allowed"],
        ),
        (
            "webhooks: {a: {state: absent}}\n---\nwebhooks: {a: {state: absent}}",
            vec!["3:12 duplicate-key"],
        ),
        (
            "webhooks:\n  a: {state: absent, id: 5eb7cf5a86d9755df3a6c593}\n  b: {state: absent, id: 5eb7cf5a86d9755df3a6c593}",
            vec!["3:26 duplicate-id"],
        ),
        (
            "webhooks:\n  a: {state: absent, name: A}\n  b: {state: absent, name: A}",
            vec!["3:28 ambiguous-name"],
        ),
        // A wrong value that is shared is reported once.
        (
            "defaults: {actions: [x]}\nwebhooks:\n  a: {url: 'https://a.x'}\n  b: {url: 'https://b.x'}",
            vec!["1:22 unknown-action"],
        ),
        (
            "x-a: &a {url: 'https://a.x', actions: x}\nwebhooks: {a: *a, b: {<<: *a, name: c}}",
            vec!["1:39 unknown-action"],
        ),
        // The missing field may be in the document that could not be parsed.
        (
            "webhooks: {a: {url: 'https://a.x'}}\n---\ndefaults: {",
            vec!["3:11 syntax"],
        ),
    ] {
        let loaded = load_one(text);
        assert_eq!(codes(&loaded), expected, "{text}");
        assert_eq!(
            loaded.declarations.is_none(),
            loaded.diagnostics.has_errors(),
            "{text}"
        );
    }
}

#[test]
fn warnings_between_webhooks() {
    let text = "\
webhooks:
  a: {url: 'https://a.example/x', actions: [workflow_created], bearer_token: {env: A}}
  b: {url: 'https://A.example:443/x/', actions: all, bearer_token: {env: A}}
  c: {url: 'https://a.example/x', actions: all, enabled: false}
  d: {url: 'https://a.example/x', actions: [workflow_deleted], targets: [prod]}
  e: {url: 'https://b.example/x', actions: all, bearer_token: {env: A}}
  f: {url: 'https://c.example/x', actions: all, bearer_token: {env: A}}
  g: {url: 'https://c.example/y', actions: all, bearer_token: 'Bearer ${A}', name: f}
";
    let loaded = load_one(text);
    assert_eq!(
        codes(&loaded),
        [
            "3:12 duplicate-delivery",
            "6:12 shared-token",
            "8:63 plaintext-secret",
            "8:63 token-scheme",
            "8:84 ambiguous-name",
        ]
    );
    assert_eq!(loaded.diagnostics.count(Severity::Error), 0);
    assert_eq!(loaded.declarations.unwrap().len(), 6);
}

#[test]
fn plain_text_can_be_denied() {
    let text = webhook("bearer_token: abc");
    let loaded = load_with(&[("a.yaml", &text)], PlaintextSecrets::Deny);
    assert_eq!(codes(&loaded), ["5:19 plaintext-secret"]);
    assert!(loaded.declarations.is_none());
    assert!(load_one(&text).declarations.is_some());
}

#[test]
fn keys_are_unique_over_all_files() {
    let loaded = load_with(
        &[
            ("b.yaml", "webhooks: {a: {state: absent}}"),
            ("a.yaml", "webhooks: {a: {state: absent}}"),
        ],
        PlaintextSecrets::Warn,
    );
    let diagnostic = loaded.diagnostics.iter().next().unwrap();
    let place = |span| loaded.sources.location(span).path.display().to_string();
    assert_eq!(diagnostic.message, "the key 'a' is declared twice");
    assert_eq!(place(diagnostic.primary.as_ref().unwrap().span), "a.yaml");
    assert_eq!(place(diagnostic.secondary[0].span), "b.yaml");
}

#[test]
fn ten_mistakes_are_ten_diagnostics() {
    let text = "\
webhooks:
  Billing Run:
    url: https://a.example
    actions: all
  b:
    url: b.example
    actions: [workflow_created, workflow_run_complete]
    enabled: yes
    timeout_seconds: 90
    bearer_token: { enf: TOKEN }
  c:
    actions: all
    name: ${UNDEFINED}
    ignore_changes: [token]
---
webhooks: {
";
    let loaded = load_one(text);
    let found: Vec<_> = loaded
        .diagnostics
        .iter()
        .zip(codes(&loaded))
        .map(|(diagnostic, code)| {
            format!(
                "{code}: {}; {}",
                diagnostic.message,
                diagnostic.help.as_deref().unwrap()
            )
        })
        .collect();
    insta::assert_snapshot!(found.join("\n"), @r"
    2:3 invalid-key: a key is 1 to 63 characters of a-z, 0-9, '.', '_', '-', and begins with a letter or digit; use 'billing-run' as the key, and keep the text as its 'name'
    6:10 invalid-url: 'url' is not an absolute URL (no scheme and host); use an absolute address, such as https://hooks.example.com/path
    7:33 unknown-action: unknown action 'workflow_run_complete'; did you mean 'workflow_run_completed'?
    8:14 wrong-type: 'enabled' must be true or false; write true: some YAML readers take this for true, others for text
    9:22 out-of-range: 'timeout_seconds' is out of range; use a whole number from 1 to 60
    10:21 unknown-field: 'bearer_token' has a field other than env, file, and command; did you mean 'env'?
    11:3 missing-field: 'c' has no 'url'; add 'url: https://...', the delivery address
    13:11 undefined-variable: the variable UNDEFINED is not set; set it under 'vars' of the target or as HOOKCTL_VAR_UNDEFINED in the environment, or give it a default: ${UNDEFINED:-default}
    14:22 unknown-value: 'ignore_changes' cannot be 'token'; use one of name, url, actions, enabled, timeout_seconds, max_retries, retry_backoff_seconds, bearer_token
    16:11 syntax: unclosed bracket '{'; check the brackets, braces, and commas
    ");
}

#[test]
fn a_folder_is_read_and_shown_by_relative_paths() {
    let folder = tempfile::tempdir().unwrap();
    let directory = folder.path().join("webhooks.d");
    std::fs::create_dir_all(directory.join("team")).unwrap();
    std::fs::write(
        directory.join("team/a.yaml"),
        webhook("bearer_token: { file: ../../secret }\nmax_retries: 99"),
    )
    .unwrap();
    std::fs::write(directory.join("b.yaml"), "webhooks: {b: {state: absent}}").unwrap();
    std::fs::write(directory.join("c.yaml"), b"webhooks: {\xff").unwrap();
    let options = LoadOptions {
        environment: &environment,
        ..LoadOptions::below(folder.path())
    };
    let loaded = load(&directory, &options);
    let found: Vec<_> = loaded
        .diagnostics
        .iter()
        .map(|diagnostic| {
            let at = loaded
                .sources
                .location(diagnostic.primary.as_ref().unwrap().span);
            format!("{}:{} {}", at.path.display(), at.line, diagnostic.code)
        })
        .collect();
    assert_eq!(
        found,
        [
            "webhooks.d/c.yaml:1 not-utf8",
            "webhooks.d/team/a.yaml:6 out-of-range"
        ]
    );
    assert_eq!(loaded.files, 3);
    assert!(loaded.declarations.is_none());

    let missing = load(&folder.path().join("none"), &options);
    let problem = missing.diagnostics.iter().next().unwrap();
    assert_eq!(problem.code, Code::MissingFolder);
    assert_eq!(problem.path.as_deref(), Some(Path::new("none")));
    assert!(missing.declarations.is_none());
}

#[test]
fn debug_output_contains_no_secret() {
    for text in [
        webhook("bearer_token: { text: hunter2 }"),
        webhook("bearer_token: hunter2"),
        webhook("other: &token { text: hunter2 }\nbearer_token: *token"),
        "webhooks: { a: { url: 'https://user:hunter2@example.com/?key=hunter2', actions: all } }"
            .to_owned(),
    ] {
        let loaded = load_one(&text);
        let sources = &loaded.sources;
        let shown = format!("{loaded:?} {sources:?} {:?}", loaded.declarations);
        assert!(!shown.contains("hunter2"), "{text}: {shown}");
        assert!(shown.contains("a.yaml"), "{shown}");
    }
}

mod targets;
mod variables;
