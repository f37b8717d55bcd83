//! Variables, names, and lists, and that no problem hides another.

use super::*;
use hookctl_core::secret::SecretSource;

#[test]
fn what_looks_like_a_variable_and_is_none_is_an_error_at_its_place() {
    for (lines, expected) in [
        ("name: ${HOME}", "5:11 undefined-variable"),
        ("name: ${HOME:-a}", "5:11 variable-not-read"),
        ("name: ${NESTED}", "5:11 invalid-template"),
        ("name: ${A:-${B}", "5:11 invalid-template"),
        ("name: ' a'", "5:11 space-around-name"),
        ("name: |\n  a", "6:7 space-around-name"),
        ("name: \"a\\tb\"", "5:11 control-character"),
        ("previously: ['a ']", "5:18 space-around-name"),
        ("previously: [\"a\\nb\"]", "5:18 control-character"),
        ("enabled: ${FIVE}", "5:14 wrong-type"),
        ("enabled: a${OFF}", "5:14 wrong-type"),
        ("enabled: ${NONE}", "5:14 undefined-variable"),
        ("timeout_seconds: ${OFF}", "5:22 wrong-type"),
        ("timeout_seconds: 1${FIVE}", "5:22 wrong-type"),
        ("timeout_seconds: ${NONE:-61}", "5:22 out-of-range"),
        ("timeout_seconds: ${FIVE", "5:22 invalid-template"),
        ("targets: ['${T}']", "5:15 invalid-template"),
        ("state: ${S}", "5:12 unknown-value"),
        ("ignore_changes: ['${S}']", "5:22 unknown-value"),
        ("bearer_token: {env: '${S}'}", "5:25 invalid-secret-source"),
        (
            "bearer_token: {command: [a, '${HOST}']}",
            "5:33 undefined-variable",
        ),
        ("bearer_token: '${A:-hunter2}'", "5:19 plaintext-secret"),
        ("bearer_token: 'hunter2${A}'", "5:19 plaintext-secret"),
        ("bearer_token: '${DUPLICATED}'", "5:19 plaintext-secret"),
        (
            "bearer_token: '${A:-${DUPLICATED}}'",
            "5:19 plaintext-secret",
        ),
    ] {
        assert_eq!(codes(&load_one(&webhook(lines))), [expected], "{lines}");
    }
    assert_eq!(
        codes(&load_one(&webhook("name: ' '"))),
        ["5:11 invalid-length", "5:11 space-around-name"]
    );
}

#[test]
fn a_value_that_is_one_variable_is_read_as_the_type_of_its_field() {
    let text = webhook(
        "timeout_seconds: ${FIVE}\nenabled: '${NONE:-${OFF}}'\nprevent_destroy: ${NONE:-true}\n\
         max_retries: '${FIVE}'",
    );
    for (actions, expected) in [
        ("all", 5),
        ("${ALL}", 5),
        ("[workflow_created, '${RUN_COMPLETED}']", 2),
    ] {
        let text = text.replace("actions: all", &format!("actions: {actions}"));
        let loaded = load_one(&text);
        assert_eq!(codes(&loaded), [""; 0], "{text}");
        let desired = loaded.declarations.unwrap().into_desired(&BTreeMap::new());
        let webhook = &desired.webhooks[&Key::parse("a").unwrap()];
        assert_eq!(webhook.spec.timeout_seconds, 5);
        assert_eq!(webhook.spec.max_retries, 5);
        assert!(!webhook.spec.enabled);
        assert!(webhook.prevent_destroy);
        assert_eq!(webhook.spec.actions.iter().count(), expected);
    }
    // For another target, whose variables are unknown, the text is only checked.
    let elsewhere = text.replace("FIVE", "NONE") + "    targets: [prod]\n";
    assert_eq!(codes(&load_one(&elsewhere)), [""; 0]);
}

#[test]
fn a_public_field_reads_its_own_variables_then_those_of_the_target_then_the_default() {
    let name = |environment: &(dyn Fn(&str) -> Option<String> + Sync), vars: &[(&str, &str)]| {
        let vars = vars
            .iter()
            .map(|(name, value)| ((*name).into(), (*value).into()));
        let options = LoadOptions {
            environment,
            vars: &vars.collect(),
            ..LoadOptions::below(Path::new("/"))
        };
        let text = webhook("name: '${X:-default}'");
        let loaded = load_texts(&[("a.yaml".into(), text)], &options);
        let remarks = codes(&loaded);
        let hints: Vec<_> = loaded
            .diagnostics
            .iter()
            .map(|one| format!("{one:?}"))
            .collect();
        assert!(hints.iter().all(|hint| !hint.contains("hunter2")));
        assert!(hints.iter().all(|hint| hint.contains("HOOKCTL_VAR_X")));
        let desired = loaded.declarations.unwrap().into_desired(&BTreeMap::new());
        (
            desired.webhooks[&Key::parse("a").unwrap()]
                .spec
                .name
                .clone(),
            remarks,
        )
    };
    let only = |wanted: &'static str, value: &'static str| {
        move |name: &str| (name == wanted).then(|| value.to_owned())
    };
    let quiet = |name: &str| (name.to_owned(), Vec::<String>::new());
    let own = only("HOOKCTL_VAR_X", "own");
    assert_eq!(name(&own, &[]), quiet("own"));
    assert_eq!(name(&own, &[("X", "target")]), quiet("own"));
    assert_eq!(
        name(&only("HOOKCTL_VAR_X", ""), &[("X", "target")]),
        quiet("target")
    );
    assert_eq!(
        name(&only("HOOKCTL_VAR_X", ""), &[("X", "")]),
        quiet("default")
    );
    let other = only("X", "hunter2");
    assert_eq!(name(&other, &[("X", "target")]), quiet("target"));
    assert_eq!(
        name(&other, &[]),
        (
            "default".to_owned(),
            vec!["5:11 variable-not-read".to_owned()]
        )
    );
    assert_eq!(name(&only("X", ""), &[]), quiet("default"));
}

#[test]
fn one_mistake_hides_no_other() {
    for (text, expected) in [
        (
            "webhooks: {a: {url: https://a.x, actions: [x, x, workflow_created, workflow_created, y]}}",
            vec![
                "1:44 unknown-action",
                "1:47 repeated-value",
                "1:68 repeated-value",
                "1:86 unknown-action",
            ],
        ),
        (
            "webhooks:\n  A b: {url: x, actions: [y], timeout_seconds: 99, bearer_token: {fil: a, env: 'b c'}}",
            vec![
                "2:3 invalid-key",
                "2:14 invalid-url",
                "2:27 unknown-action",
                "2:48 out-of-range",
                "2:67 unknown-field",
                "2:80 invalid-secret-source",
            ],
        ),
        (
            "webhooks: {A b: {state: absent, id: a/b, previously: [a, a, '']}}",
            vec![
                "1:12 invalid-key",
                "1:37 invalid-id",
                "1:58 repeated-value",
                "1:61 invalid-length",
            ],
        ),
        (
            "webhooks: {a: {url: 'https://${A}/${B}', actions: all, targets: [qa, qa, qq]}}",
            vec!["1:70 repeated-value", "1:74 unknown-target"],
        ),
        (
            "webhooks: {a: {url: 'https://${A}/${B}', actions: all, name: '${C:-${D}}'}}",
            vec![
                "1:21 undefined-variable",
                "1:21 undefined-variable",
                "1:62 undefined-variable",
            ],
        ),
    ] {
        assert_eq!(codes(&load_one(text)), expected, "{text}");
    }
}

#[test]
fn the_cause_of_white_space_in_an_address_is_named() {
    let help = |url: &str| {
        let text = format!("webhooks:\n  a:\n    url: {url}\n    actions: all\n");
        let loaded = load_one(&text);
        let codes = codes(&loaded);
        assert!(
            codes.len() == 1 && codes[0].ends_with("invalid-url"),
            "{text}"
        );
        loaded
            .diagnostics
            .iter()
            .next()
            .unwrap()
            .help
            .clone()
            .unwrap()
    };
    assert!(help(">\n      https://a.example/").contains("behind 'url:'"));
    assert!(help("|\n      https://a.example/").contains("ends with a line break"));
    assert!(help("https://a.example/\n      b").contains("percent-encode it"));
    assert!(help("'https://a.example/b c'").contains("%20"));
    assert!(help("'https://a.example/${NONE:-b c}'").contains("the values of its variables"));
}

#[test]
fn lints_change_what_becomes_of_warnings() {
    let text = webhook("bearer_token: abc").replace("https:", "http:");
    let load = |lints: &Lints| {
        let options = LoadOptions {
            lints: Some(lints),
            ..LoadOptions::below(Path::new("/"))
        };
        load_texts(&[("a.yaml".into(), text.clone())], &options)
    };
    let mut lints = Lints::default();
    assert!(load(&lints).declarations.is_some());
    lints.set(Code::PlaintextSecret, Level::Allow);
    lints.set(Code::PlainHttp, Level::Deny);
    let loaded = load(&lints);
    assert_eq!(codes(&loaded), ["3:10 plain-http"]);
    assert!(loaded.declarations.is_none());
}

#[test]
fn a_token_names_no_variable_of_a_key_wherever_it_is_declared() {
    let mut keys = KeySources::new();
    keys.add(&SecretSource::Env {
        name: "QA_KEY".to_owned(),
    });
    let codes_of = |text: &str| {
        let options = LoadOptions {
            keys: &keys,
            ..LoadOptions::below(Path::new("/repo"))
        };
        codes(&load_texts(&[("a.yaml".into(), text.to_owned())], &options))
    };
    for token in [
        "{ env: INTERACTLY_API_KEY }",
        "{ env: QA_KEY }",
        "'${INTERACTLY_QA_API_KEY}'",
        "'${TOKEN:-${QA_KEY}}'",
    ] {
        let here = webhook(&format!("bearer_token: {token}"));
        assert_eq!(codes_of(&here), ["5:19 key-as-token"], "{token}");
        let elsewhere = here + "    targets: [prod]\n";
        assert_eq!(codes_of(&elsewhere), ["5:19 key-as-token"], "{token}");
    }
    assert_eq!(
        codes_of(&webhook("bearer_token: { env: QA_TOKEN }")),
        [""; 0]
    );
}

/// Loads one file with these variables.
fn with_vars(text: &str, vars: &[(&str, String)]) -> Loaded {
    let vars = vars.iter().cloned();
    let vars = vars.map(|(name, value)| (name.to_owned(), value)).collect();
    let options = LoadOptions {
        vars: &vars,
        ..LoadOptions::below(Path::new("/repo"))
    };
    load_texts(&[(PathBuf::from("a.yaml"), text.to_owned())], &options)
}

#[test]
fn what_variables_make_is_bounded() {
    let long = [("LONG", "x".repeat(1_000))];
    // A file of 400 KB that would expand to 100 MB.
    let text = webhook(&format!("name: '{}'", "${LONG}".repeat(50_000)));
    assert_eq!(
        codes(&with_vars(&text, &long)),
        ["5:11 expansion-too-large"]
    );
    let many = |token: &str, count: usize| {
        let webhooks = (0..count)
            .map(|number| format!("  a{number}: {{url: 'https://a.example/{number}'}}\n"));
        let webhooks = webhooks.collect::<Vec<_>>().concat();
        let defaults = format!("defaults: {{actions: all, bearer_token: {token}}}\n");
        with_vars(&format!("{defaults}webhooks:\n{webhooks}"), &long)
    };
    for token in [
        format!("{{command: [x{}]}}", ",'${LONG}'".repeat(60)),
        format!("'{}'", "${T}".repeat(1_000)),
    ] {
        assert!(many(&token, 2).declarations.is_some());
        let loaded = many(&token, 4_000);
        let found: Vec<_> = loaded.diagnostics.iter().map(|one| one.code).collect();
        assert_eq!(found, [Code::ExpansionTooLarge], "{token:.40}");
        assert!(loaded.declarations.is_none());
    }
}

#[test]
fn what_defaults_repeat_is_bounded() {
    let file = |defaults: &str, webhooks: usize| {
        let webhooks =
            (0..webhooks).map(|number| format!("  a{number}: {{url: 'https://a.example'}}\n"));
        let webhooks = webhooks.collect::<Vec<_>>().concat();
        load_one(&format!("defaults: {defaults}\nwebhooks:\n{webhooks}"))
    };
    let many = |count: usize| (0..count).map(|number| format!("a{number},"));
    // A problem of a default is reported once, however many webhooks share it.
    let wrong = file(
        &format!("{{actions: [{}]}}", many(5_000).collect::<String>()),
        300,
    );
    assert_eq!(wrong.diagnostics.len(), 5_000);
    let unset = file("{actions: ['${NONE}', '${NEITHER}']}", 1_000);
    assert_eq!(unset.diagnostics.len(), 2);
    let command = format!(
        "{{bearer_token: {{command: [{}]}}}}",
        many(5_000).collect::<String>()
    );
    let found = codes(&file(&command, 2_000));
    assert_eq!(found, ["1:1 too-many-nodes"]);
}
