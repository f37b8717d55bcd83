//! Diagnostics: the page of codes, and the machine-readable formats.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use hookctl::declaration::{LoadOptions, load_texts};
use hookctl::diagnostic::Code;
use serde_json::Value;

use crate::documents::{conforms, validator};
use crate::harness::{BILLING, Repository};

const PAGE: &str = include_str!("../../docs/diagnostics.md");

/// The codes that a reading of one text gives.
fn codes(text: &str) -> Vec<&'static str> {
    let nowhere = tempfile::tempdir().unwrap();
    if text.starts_with("# hookctl.yaml\n") {
        let path = nowhere.path().join("hookctl.yaml");
        let (_, diagnostics, _) =
            hookctl::config::load_text(&path, nowhere.path(), text.to_owned());
        return diagnostics
            .iter()
            .map(|diagnostic| diagnostic.code.as_str())
            .collect();
    }
    // The variable that an example says is in the environment.
    let environment = |name: &str| (name == "JOB_HOST").then(|| "x.example.com".to_owned());
    let options = LoadOptions {
        environment: &environment,
        ..LoadOptions::below(nowhere.path())
    };
    let loaded = load_texts(&[("a.yaml".into(), text.to_owned())], &options);
    loaded
        .diagnostics
        .iter()
        .map(|diagnostic| diagnostic.code.as_str())
        .collect()
}

#[test]
fn every_code_has_a_section_and_every_example_does_what_it_says() {
    let mut examples = 0;
    for code in Code::ALL {
        let name = code.as_str();
        let section = PAGE
            .split("\n## ")
            .find(|section| section.starts_with(&format!("{name}\n")));
        let section = section.unwrap_or_else(|| panic!("{name} has no section"));
        let severity = format!("*{}*", code.severity());
        assert!(
            section.contains(&severity),
            "{name} is said to be none: {severity}"
        );
        let blocks: Vec<&str> = section
            .split("```yaml\n")
            .skip(1)
            .filter_map(|rest| rest.split("```").next())
            .collect();
        let [failing, fixed] = blocks[..] else {
            assert!(blocks.is_empty(), "{name}");
            // What one text cannot show, since it is about the disk or another program.
            let commands = section.matches("```console\n$ ").count();
            assert_eq!(commands, 2, "{name} has no example");
            continue;
        };
        examples += 1;
        assert!(
            codes(failing).contains(&name),
            "{name}: {:?}\n{failing}",
            codes(failing)
        );
        assert_eq!(codes(fixed), [] as [&str; 0], "{name}, fixed:\n{fixed}");
    }
    assert!(examples > 45, "{examples}");
}

/// The text of the sources without what is between words, so that a call is found however it is broken into lines.
fn sources(folder: &Path, text: &mut String) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, text);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let code = fs::read_to_string(path).unwrap();
            let code = code.split("#[cfg(test)]").next().unwrap();
            text.extend(code.split_whitespace());
        }
    }
}

/// Where plans name codes.
const PLAN: &str = "crates/hookctl-core/src/plan";

/// The codes that stand in the sources behind what takes one.
fn named_codes() -> BTreeSet<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = BTreeSet::new();
    for (below, takes_one) in [
        ("src", "CommandError::new(\""),
        ("src", "CommandError::caused(\""),
        ("src", "Message::error(\""),
        ("src", "Message::notice(\""),
        ("src", "warning["),
        ("src/render", "Self::error(\""),
        ("src/render", "=>(\""),
        (PLAN, "Self::NothingDeclared=>\""),
        (PLAN, "Self::ForeignAccount{..}=>\""),
        (PLAN, "b\"delete\"=>\""),
        (PLAN, "_=>\"too-"),
        (PLAN, "}=>\""),
    ] {
        let mut text = String::new();
        sources(&root.join(below), &mut text);
        for (at, _) in text.match_indices(takes_one) {
            let start = takes_one.trim_end_matches("too-").len();
            let rest = &text[at + start..];
            let code = rest.split(['"', ']']).next().unwrap();
            let is_code = |byte: u8| byte.is_ascii_lowercase() || byte == b'-';
            let is_first = takes_one.ends_with("(\"") && takes_one != "=>(\"";
            if code.len() > 2 && code.bytes().all(is_code) && (is_first || code.contains('-')) {
                found.insert(code.to_owned());
            }
        }
    }
    found
}

#[test]
fn every_code_that_a_command_may_end_with_is_explained_with_an_example() {
    let codes = named_codes();
    for known in [
        "api",
        "usage",
        "interrupted",
        "too-many-deletes",
        "too-many-updates",
        "prevent-destroy",
        "foreign-token",
        "not-imported",
        "certificates",
    ] {
        assert!(
            codes.contains(known),
            "{known} is not found in the sources: {codes:?}"
        );
    }
    let repository = Repository::new();
    let listed = repository.run(&["explain"]).code(0).stdout;
    let listed = listed.lines().filter_map(|line| line.split(' ').next());
    let all = listed.chain(codes.iter().map(String::as_str));
    for code in all.collect::<BTreeSet<_>>() {
        let shown = repository.run(&["explain", code]).code(0).stdout;
        assert!(shown.starts_with(code), "{shown}");
        let severity = ["*error*", "*warning*", "*notice*"];
        assert!(severity.iter().any(|word| shown.contains(word)), "{shown}");
        assert_eq!(shown.matches("```").count(), 4, "two examples: {shown}");
        assert!(shown.contains("\nFixed"), "{shown}");
        assert!(!shown.contains("\n## "), "one section: {shown}");
        for part in ["\n# Plans", "\n# Commands"] {
            assert!(!shown.contains(part), "{shown}");
        }
    }
}

#[test]
fn a_code_is_explained_at_the_terminal() {
    let repository = Repository::new();
    repository
        .run(&["explain", "out-of-range"])
        .code(0)
        .shows("A number outside the limits")
        .shows("timeout_seconds: 60");
    let all = repository.run(&["explain"]).code(0).stdout;
    for code in Code::ALL {
        let begins = format!("{} ", code.as_str());
        let line = all.lines().find(|line| line.starts_with(&begins));
        let line = line.unwrap_or_else(|| panic!("{code} is not listed"));
        assert!(line.ends_with('.'), "{line}");
    }
    repository
        .run(&["explain", "out-of-rang"])
        .code(64)
        .complains("did you mean 'out-of-range'?");
}

#[test]
fn reviews_get_annotations_and_code_scanning_a_log() {
    let repository = Repository::with(&format!("{BILLING}    timeout: 5\n"));
    let annotations = repository
        .run(&["validate", "--output", "github"])
        .code(1)
        .stdout;
    assert!(
        annotations
            .starts_with("::error file=webhooks.d/all.yaml,line=6,col=5,endLine=6,endColumn=11,title=unknown-field::"),
        "{annotations}"
    );
    assert_eq!(annotations.lines().count(), 1);
    let log = repository
        .run(&["validate", "--output", "sarif"])
        .code(1)
        .json();
    let schema = validator("sarif-log.schema.json");
    conforms(&schema, &log);
    let results = log["runs"][0]["results"].as_array().unwrap();
    assert_eq!(results.len(), 1);
    assert_eq!(results[0]["ruleId"], "unknown-field");
    let clean = Repository::with(BILLING);
    assert_eq!(
        clean
            .run(&["validate", "--output", "github"])
            .code(0)
            .stdout,
        ""
    );
    let log: Value = clean.run(&["validate", "--output", "sarif"]).code(0).json();
    conforms(&schema, &log);
    assert_eq!(log["runs"][0]["results"], serde_json::json!([]));
    let log = clean
        .run(&["--config", "no.yaml", "validate", "--output", "sarif"])
        .code(1)
        .json();
    conforms(&schema, &log);
}

#[test]
fn shells_and_manuals_get_what_they_need() {
    let repository = Repository::with(BILLING);
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let script = repository.run(&["completions", shell]).code(0).stdout;
        assert!(script.contains("HOOKCTL_COMPLETE"), "{shell}: {script}");
    }
    repository.write(
        "hookctl.yaml",
        "targets: { qa: { api_url: 'https://a.example.com' } }\n",
    );
    let complete = |words: &[&str]| {
        let mut arguments = vec!["--", "hookctl"];
        arguments.extend(words);
        let mut command = repository.command(&arguments);
        command.env("HOOKCTL_COMPLETE", "bash");
        command.env("_CLAP_COMPLETE_INDEX", words.len().to_string());
        command.env("_CLAP_COMPLETE_COMP_TYPE", "9");
        command.env("_CLAP_COMPLETE_SPACE", "true");
        command.env("_CLAP_IFS", "\n");
        let output = command.output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    assert!(complete(&["sy"]).contains("sync"), "{}", complete(&["sy"]));
    assert_eq!(complete(&["sync", "--only", ""]).trim(), "billing");
    assert!(complete(&["verify", "b"]).contains("billing"));
    assert_eq!(complete(&["--target", "q"]).trim(), "qa");

    let page = repository.run(&["man"]).code(0).stdout;
    assert!(page.contains(".TH hookctl"), "{page}");
    repository.run(&["man", "--folder", "man"]).code(0);
    let page = fs::read_to_string(repository.path("man/hookctl-sync.1")).unwrap();
    assert!(page.contains("dry\\-run"), "{page}");
}

#[test]
fn reviews_get_paths_from_the_root_of_the_repository() {
    let mut repository = Repository::new();
    let mistake = format!("{BILLING}    timeout: 5\n");
    repository.write("infra/webhooks.d/all.yaml", &mistake);
    repository.write("infra/hookctl.yaml", "");
    repository.write(".git/HEAD", "");
    let places = |repository: &Repository| {
        let annotations = repository
            .run(&[
                "--config",
                "infra/hookctl.yaml",
                "validate",
                "--output",
                "github",
            ])
            .code(1)
            .stdout;
        let log = repository
            .run(&[
                "--config",
                "infra/hookctl.yaml",
                "validate",
                "--output",
                "sarif",
            ])
            .code(1)
            .json();
        let place = &log["runs"][0]["results"][0]["locations"][0]["physicalLocation"];
        let uri = place["artifactLocation"]["uri"]
            .as_str()
            .unwrap()
            .to_owned();
        (annotations, uri)
    };
    let (annotations, uri) = places(&repository);
    assert!(annotations.starts_with(
        "::error file=infra/webhooks.d/all.yaml,line=6,col=5,endLine=6,endColumn=11,"
    ));
    assert_eq!(uri, "infra/webhooks.d/all.yaml");
    let workspace = repository.path("infra");
    repository.set("GITHUB_WORKSPACE", workspace.to_str().unwrap());
    assert_eq!(places(&repository).1, "webhooks.d/all.yaml");
    repository.set("GITHUB_WORKSPACE", "");
    assert_eq!(places(&repository).1, "infra/webhooks.d/all.yaml");
}
