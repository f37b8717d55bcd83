//! Parsing of configurations, and every problem with its location.

use std::path::Path;

use super::*;
use crate::diagnostic::{Code, Level};

fn read(text: &str) -> (Vec<String>, Option<Config>) {
    let (sources, diagnostics, config) = load_text(
        Path::new("hookctl.yaml"),
        Path::new("/repo"),
        text.to_owned(),
    );
    for diagnostic in diagnostics.iter() {
        assert!(!format!("{diagnostic:?}").contains("hunter2"), "{text}");
        assert!(diagnostic.help.is_some(), "{text}");
    }
    let codes = diagnostics
        .iter()
        .map(|diagnostic| {
            let at = sources.location(diagnostic.primary.as_ref().unwrap().span);
            format!("{}:{} {}", at.line, at.column, diagnostic.code)
        })
        .collect();
    (codes, config)
}

#[test]
fn everything_is_optional() {
    let expected = Config {
        webhooks_dir: "/repo/webhooks.d".into(),
        cache_dir: "/repo/.hookctl".into(),
        ..Config::default()
    };
    for text in [
        "",
        "# nothing\n",
        "---\n---\n",
        "{}",
        "targets: {}",
        "safety: {}",
    ] {
        assert_eq!(read(text), (vec![], Some(expected.clone())), "{text}");
    }
    assert_eq!(expected.concurrency, 16);
    assert_eq!(expected.requests_per_second, None);
    assert_eq!(
        expected.safety,
        SafetyLimits {
            max_delete_percent: 30,
            max_delete_count: 3,
            max_update_percent: 50,
            max_update_count: 10
        }
    );
}

#[test]
fn everything_can_be_said() {
    let text = "\
webhooks_dir: hooks
cache_dir: state/hookctl
default_target: qa
targets:
  qa:
    api_url: https://api-qa.example/workflows/
    api_key: { env: QA_KEY }
    vars: { HOST: hooks.example, PORT: 8080, TLS: true, RATE: 1.50 }
  prod:
    api_url: https://api.example
    team_id: 5eb7cf5a86d9755df3a6c593
    user_id: someone
    api_key: { command: [pass, show, key] }
    fingerprint_key: { file: /run/secrets/fingerprint }
prune: true
safety: { max_delete_percent: 0, max_update_count: 99 }
concurrency: 256
requests_per_second: 0.5
plaintext_secrets: deny
lints: { plain-http: deny, shared-token: allow, private-host: warn }
";
    let (codes, config) = read(text);
    assert_eq!(codes, [""; 0]);
    let config = config.unwrap();
    assert_eq!(config.webhooks_dir, Path::new("/repo/hooks"));
    assert_eq!(config.cache_dir, Path::new("/repo/state/hookctl"));
    assert_eq!(config.default_target.as_deref(), Some("qa"));
    let qa = &config.targets["qa"];
    assert_eq!(
        qa.api_url.as_ref().unwrap().as_str(),
        "https://api-qa.example"
    );
    assert_eq!(
        qa.api_key,
        Some(SecretSource::Env {
            name: "QA_KEY".into()
        })
    );
    let vars: Vec<_> = qa
        .vars
        .iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    assert_eq!(
        vars,
        ["HOST=hooks.example", "PORT=8080", "RATE=1.50", "TLS=true"]
    );
    let prod = &config.targets["prod"];
    assert_eq!(prod.team_id.as_deref(), Some("5eb7cf5a86d9755df3a6c593"));
    assert_eq!(prod.user_id.as_deref(), Some("someone"));
    assert_eq!(
        prod.fingerprint_key,
        Some(SecretSource::File {
            path: "/run/secrets/fingerprint".into(),
            written: "/run/secrets/fingerprint".into(),
            confined_to: None,
        })
    );
    assert!(config.prune);
    assert_eq!(
        config.safety,
        SafetyLimits {
            max_delete_percent: 0,
            max_update_count: 99,
            ..SafetyLimits::default()
        }
    );
    assert_eq!(config.concurrency, 256);
    assert_eq!(config.requests_per_second, Some(0.5));
    assert_eq!(config.plaintext_secrets, PlaintextSecrets::Deny);
    let levels: Vec<_> = config.lints.levels().collect();
    assert_eq!(
        levels,
        [
            (Code::PlainHttp, Level::Deny),
            (Code::PrivateHost, Level::Warn),
            (Code::SharedToken, Level::Allow),
        ]
    );
}

#[test]
fn values_are_literal_folders_stay_below_and_lints_are_known() {
    for (text, expected) in [
        ("cache_dir: ~/hc", vec!["1:12 invalid-folder"]),
        ("cache_dir: ${HOME}/hc", vec!["1:12 invalid-folder"]),
        ("cache_dir: $HOME/hc", vec!["1:12 invalid-folder"]),
        ("cache_dir: /var/cache/hc", vec!["1:12 invalid-folder"]),
        ("cache_dir: ../hc", vec!["1:12 invalid-folder"]),
        ("cache_dir: a/../../hc", vec!["1:12 invalid-folder"]),
        // If `a` is a link, its parent may be anywhere.
        ("cache_dir: a/../hc", vec!["1:12 invalid-folder"]),
        ("webhooks_dir: a/b/..", vec!["1:15 invalid-folder"]),
        ("webhooks_dir: ./a/./../b", vec!["1:15 invalid-folder"]),
        ("webhooks_dir: /etc", vec!["1:15 invalid-folder"]),
        ("webhooks_dir: ../other", vec!["1:15 invalid-folder"]),
        // Values are literal, and texts that look otherwise are rejected.
        ("default_target: ${T}", vec!["1:17 invalid-template"]),
        (
            "targets: {qa: {api_url: 'https://${HOST}/'}}",
            vec!["1:25 invalid-template"],
        ),
        (
            "targets: {qa: {team_id: '${T}', user_id: 'a${U'}}",
            vec!["1:25 invalid-template", "1:42 invalid-template"],
        ),
        (
            "targets: {qa: {vars: {A: 'x-${B}', C: '$${D}'}}}",
            vec!["1:26 invalid-template", "1:39 invalid-template"],
        ),
        (
            "targets: {qa: {api_key: {file: '${DIR}/x'}}}",
            vec!["1:32 invalid-template"],
        ),
        (
            "targets: {qa: {api_key: {command: [pass, '${KEY}']}}}",
            vec!["1:42 invalid-template"],
        ),
        (
            "targets: {qa: {api_key: '${K', vars: {A: '${B}'}}}",
            vec!["1:25 invalid-template", "1:42 invalid-template"],
        ),
        ("lints: {plain-htp: deny}", vec!["1:9 unknown-value"]),
        ("lints: {syntax: allow}", vec!["1:9 unknown-value"]),
        (
            "lints: {plan-http: den, shared-token: no}",
            vec![
                "1:9 unknown-value",
                "1:20 unknown-value",
                "1:39 unknown-value",
            ],
        ),
        ("lints: [plain-http]", vec!["1:8 wrong-type"]),
    ] {
        let (codes, config) = read(text);
        assert_eq!(codes, expected, "{text}");
        assert_eq!(config, None, "{text}");
    }
}

#[test]
fn mistakes() {
    for (text, expected) in [
        ("- a", vec!["1:1 wrong-type"]),
        (
            "a: 1\n---\nb: 2",
            vec!["1:1 unknown-field", "3:1 too-many-documents"],
        ),
        ("webhook_dir: a", vec!["1:1 unknown-field"]),
        ("webhooks_dir: ''", vec!["1:15 invalid-length"]),
        ("cache_dir: 5", vec!["1:12 wrong-type"]),
        (
            "lints: {plaintext-secret: deny}\ntargets: {qa: {api_key: hunter2}}",
            vec!["2:25 plaintext-secret"],
        ),
        ("prune: yes", vec!["1:8 wrong-type"]),
        ("concurrency: 0", vec!["1:14 out-of-range"]),
        ("concurrency: 257", vec!["1:14 out-of-range"]),
        ("concurrency: 1.5", vec!["1:14 wrong-type"]),
        ("requests_per_second: 0", vec!["1:22 out-of-range"]),
        ("requests_per_second: -1.5", vec!["1:22 out-of-range"]),
        ("requests_per_second: .inf", vec!["1:22 wrong-type"]),
        ("requests_per_second: '5'", vec!["1:22 wrong-type"]),
        ("plaintext_secrets: den", vec!["1:20 unknown-value"]),
        ("confirm: alway", vec!["1:10 unknown-value"]),
        ("targets: {qa: {confirm: yes}}", vec!["1:25 unknown-value"]),
        ("plaintext_secrets: true", vec!["1:20 wrong-type"]),
        ("safety: 5", vec!["1:9 wrong-type"]),
        (
            "safety: {max_delete_percent: 101}",
            vec!["1:30 out-of-range"],
        ),
        ("safety: {max_update_count: -1}", vec!["1:28 out-of-range"]),
        ("safety: {max_deletes: 1}", vec!["1:10 unknown-field"]),
        ("targets: [qa]", vec!["1:10 wrong-type"]),
        ("targets: {qa: }", vec!["1:11 wrong-type"]),
        ("targets: {QA: {}}", vec!["1:11 invalid-target"]),
        ("targets: {qa: {url: x}}", vec!["1:16 unknown-field"]),
        (
            "targets: {qa: {api_url: api.example}}",
            vec!["1:25 invalid-url"],
        ),
        (
            "targets: {qa: {api_url: 'https://me:hunter2@api.example'}}",
            vec!["1:25 invalid-url"],
        ),
        ("targets: {qa: {team_id: 5}}", vec!["1:25 wrong-type"]),
        (
            "targets: {qa: {api_key: {}}}",
            vec!["1:25 invalid-secret-source"],
        ),
        (
            "targets: {qa: {api_key: hunter2}}",
            vec!["1:25 plaintext-secret"],
        ),
        (
            "targets: {qa: {api_key: '${K:-hunter2}', fingerprint_key: 'hunter2${K}'}}",
            vec!["1:25 plaintext-secret", "1:59 invalid-secret-source"],
        ),
        (
            "targets: {qa: {api_key: '${K}', vars: {K: hunter2}}}",
            vec!["1:25 plaintext-secret"],
        ),
        ("targets: {qa: {api_key: }}", vec!["1:16 wrong-type"]),
        (
            "targets: {qa: {fingerprint_key: {file: ../x}}}",
            vec!["1:40 secret-outside-repository"],
        ),
        ("targets: {qa: {vars: {A: [b]}}}", vec!["1:26 wrong-type"]),
        (
            "targets: {qa: {vars: {A-B: c}}}",
            vec!["1:23 invalid-template"],
        ),
        ("history: {keep: 1h}", vec!["1:17 out-of-range"]),
        ("history: {max_entries: 9}", vec!["1:24 out-of-range"]),
        ("history: {kept: 90d}", vec!["1:11 unknown-field"]),
        ("history: 90d", vec!["1:10 wrong-type"]),
        ("default_target: qa", vec!["1:17 unknown-target"]),
        (
            "default_target: prd\ntargets: {prod: {}}",
            vec!["1:17 unknown-target"],
        ),
        ("prune: true\nprune: false", vec!["2:1 repeated-key"]),
        ("prune: [", vec!["1:8 syntax"]),
    ] {
        let (codes, config) = read(text);
        assert_eq!(codes, expected, "{text}");
        let only_warnings =
            codes.iter().all(|code| code.ends_with("plaintext-secret")) && !text.contains("deny");
        assert_eq!(config.is_some(), only_warnings, "{text}");
    }
    let (_, config) = read("targets: {qa: {vars: {TOKEN: hunter3}, api_key: hunter3}}");
    assert!(!format!("{config:?}").contains("hunter3"));
    let denied = "targets: {qa: {api_key: hunter2}}\nplaintext_secrets: deny";
    assert_eq!(
        read(denied),
        (vec!["1:25 plaintext-secret".to_owned()], None)
    );
}

#[test]
fn a_key_of_fingerprints_is_a_variable_a_program_or_a_file_elsewhere() {
    for source in [
        "{ env: F }",
        "'${F}'",
        "{ command: [pass, show, f] }",
        "{ file: /run/secrets/f }",
        "{ file: /repository/f }",
    ] {
        let (codes, config) = read(&format!("targets: {{qa: {{fingerprint_key: {source}}}}}"));
        assert_eq!(codes, [""; 0], "{source}");
        assert!(config.is_some());
    }
    for source in [
        "{ file: keys/x }",
        "{ file: /repo/a/../x }",
        "hunter2",
        "'${F:-x}'",
    ] {
        let (codes, config) = read(&format!("targets: {{qa: {{fingerprint_key: {source}}}}}"));
        assert_eq!(codes, ["1:33 invalid-secret-source"], "{source}");
        assert!(config.is_none());
    }
}

#[test]
fn the_history_is_kept_as_long_as_the_file_says() {
    let (codes, config) = read("history: {keep: 30d, max_entries: 500}");
    assert_eq!(codes, [""; 0]);
    let history = config.unwrap().history;
    assert_eq!(history.keep, Some(std::time::Duration::from_hours(30 * 24)));
    assert_eq!(history.max_entries, Some(500));
}

#[test]
fn a_record_is_on_this_machine_or_on_an_object_store() {
    let shared = |place: Option<RecordPlace>| match place {
        Some(RecordPlace::Shared(place)) => *place,
        other => panic!("{other:?}"),
    };
    let of = |text: &str| {
        let (codes, config) = read(text);
        assert_eq!(codes, [""; 0], "{text}");
        config.unwrap()
    };
    assert_eq!(of("record: local").record, Some(RecordPlace::Local));
    let place = shared(of("record: s3://acme-iac/hookctl").record);
    assert_eq!(place.url.to_string(), "s3://acme-iac/hookctl");
    let config = of("record:
  url: gs://acme/hooks
  region: eu-central-1
  endpoint: http://127.0.0.1:9000
  kms_key: alias/hooks
  lease: 90s
  credentials: { command: [aws, configure, export-credentials] }
targets:
  qa: { record: local }
  prod: {}
");
    let place = shared(config.record);
    assert_eq!(place.region.as_deref(), Some("eu-central-1"));
    assert_eq!(place.lease, Some(Duration::from_secs(90)));
    assert!(place.endpoint.unwrap().is_loopback());
    assert!(matches!(
        place.credentials,
        Some(SecretSource::Command { .. })
    ));
    assert_eq!(config.targets["qa"].record, Some(RecordPlace::Local));
    assert_eq!(config.targets["prod"].record, None);
}

#[test]
fn mistakes_about_the_record() {
    for (text, codes) in [
        ("record: ./folder", vec!["1:9 invalid-url"]),
        ("record: s3://bucket", vec!["1:9 invalid-url"]),
        ("record: 's3://${B}/x'", vec!["1:9 invalid-template"]),
        ("record: 1", vec!["1:9 wrong-type"]),
        ("record: { region: x }", vec!["1:9 missing-field"]),
        (
            "record: { url: s3://a/b, bucket: x }",
            vec!["1:26 unknown-field"],
        ),
        (
            "record: { url: s3://a/b, lease: 1h }",
            vec!["1:33 out-of-range"],
        ),
        (
            "record: { url: s3://a/b, endpoint: 'x' }",
            vec!["1:36 invalid-url"],
        ),
        (
            "record: { url: s3://a/b, credentials: { env: X } }",
            vec!["1:39 invalid-secret-source"],
        ),
        (
            "record: { url: s3://a/b, credentials: hunter2 }",
            vec!["1:39 invalid-secret-source"],
        ),
        (
            "record: { url: s3://a/b, region: 'evil.example/' }",
            vec!["1:34 invalid-url"],
        ),
        (
            "record: { url: s3://a/b, region: 'x@evil' }",
            vec!["1:34 invalid-url"],
        ),
        (
            "targets: { qa: { record: s4://a/b } }",
            vec!["1:26 invalid-url"],
        ),
    ] {
        assert_eq!(read(text).0, codes, "{text}");
    }
}
