//! The JSON Schema of hookctl.yaml: it accepts what the reader accepts, and names a wrong key.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::documents::{conforms, validator};
use crate::harness::{Account, Repository};

const FILE: &str = "config-v1.schema.json";

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn below(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            below(&path, found);
        } else {
            found.push(path);
        }
    }
}

/// The configurations of the examples, and those of the documentation.
fn examples() -> Vec<(PathBuf, String)> {
    let (mut files, mut found) = (Vec::new(), Vec::new());
    below(&root().join("examples"), &mut files);
    below(&root().join("docs"), &mut files);
    for path in files {
        let Ok(text) = fs::read_to_string(&path) else {
            continue;
        };
        if path.ends_with("hookctl.yaml") {
            found.push((path, text));
            continue;
        }
        let blocks = text.split("```yaml\n").skip(1);
        let blocks = blocks.filter_map(|rest| rest.split("```").next());
        found.extend(
            blocks
                .filter(|block| block.starts_with("# hookctl.yaml\n"))
                .map(|block| (path.clone(), block.to_owned())),
        );
    }
    found
}

/// Whether the reader finds no error.
fn is_valid(text: &str) -> bool {
    let nowhere = tempfile::tempdir().unwrap();
    let path = nowhere.path().join("hookctl.yaml");
    let (_, diagnostics, _) = hookctl::config::load_text(&path, nowhere.path(), text.to_owned());
    !diagnostics.has_errors()
}

#[test]
fn the_schema_is_the_one_that_is_checked_in_and_accepts_every_example() {
    let printed = Repository::new().run(&["schema", "config"]).code(0).json();
    let path = root().join("schemas").join(FILE);
    if std::env::var_os("UPDATE_SCHEMA").is_some() {
        fs::write(&path, format!("{printed:#}\n")).unwrap();
    }
    let checked_in: Value = serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap();
    assert_eq!(printed, checked_in, "set UPDATE_SCHEMA to write it anew");
    let schema = validator(FILE);
    let mut accepted = 0;
    for (path, text) in examples() {
        if !is_valid(&text) {
            continue;
        }
        accepted += 1;
        let document: Value = serde_yaml::from_str(&text).unwrap();
        let problems: Vec<_> = schema
            .iter_errors(&document)
            .map(|error| error.to_string())
            .collect();
        assert!(
            problems.is_empty(),
            "{}: {problems:?}\n{text}",
            path.display()
        );
    }
    assert!(accepted >= 6, "{accepted} examples");
}

#[test]
fn what_the_reader_refuses_the_schema_refuses() {
    let schema = validator(FILE);
    for text in [
        "targts: {}",
        "targets: { qa: { api_urll: 'https://a.example.com' } }",
        "targets: { qa: { api_key: { enf: KEY } } }",
        "targets: { qa: { api_key: { env: KEY, file: key } } }",
        "targets: { qa: { api_key: {} } }",
        "targets: { QA: {} }",
        "targets: { qa: { api_url: api.example.com } }",
        "safety: { max_delete_percent: 101 }",
        "concurrency: 0",
        "request_timeout: soon",
        "record: { region: eu-central-1 }",
        "record: ftp://bucket",
        "lints: { syntax: allow }",
        "lints: { plain-http: never }",
        "plaintext_secrets: allow",
    ] {
        let document: Value = serde_yaml::from_str(text).unwrap();
        assert!(!schema.is_valid(&document), "{text}");
        assert!(!is_valid(text), "{text}");
    }
}

#[test]
fn a_wrong_key_of_a_source_is_named() {
    for (file, document) in [
        (
            FILE,
            json!({ "targets": { "qa": { "api_key": { "enf": "KEY" } } } }),
        ),
        (
            "webhooks-v1.schema.json",
            json!({ "webhooks": { "a": { "url": "https://a.example.com", "actions": "all", "bearer_token": { "enf": "KEY" } } } }),
        ),
    ] {
        let schema = validator(file);
        let errors: Vec<_> = schema.iter_errors(&document).collect();
        let texts: Vec<_> = errors.iter().map(ToString::to_string).collect();
        assert!(texts.iter().any(|text| text.contains("'enf'")), "{texts:?}");
    }
}

#[test]
fn init_names_the_schema() {
    let (account, repository) = (Account::new(), Repository::new());
    let url = account.sandbox.base_url();
    repository.run(&["--api-url", &url, "init"]).code(0);
    let text = fs::read_to_string(repository.path("hookctl.yaml")).unwrap();
    let first = "# yaml-language-server: $schema=webhooks.d/.config.schema.json\n";
    assert!(text.starts_with(first), "{text}");
    conforms(&validator(FILE), &serde_yaml::from_str(&text).unwrap());
    let written = fs::read_to_string(repository.path("webhooks.d/.config.schema.json")).unwrap();
    let printed = repository.run(&["schema", "config"]).code(0).stdout;
    assert_eq!(written, printed);
}
