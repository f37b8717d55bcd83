//! The shape of the library: which module may know which, and that every file says what it is for.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// What each module may import. An arrow that is not here is a decision to be made, not a line to be
/// added in passing.
const MAY_IMPORT: &[(&str, &[&str])] = &[
    ("address", &[]),
    ("webhook", &["address"]),
    ("clock", &[]),
    ("diagnostic", &[]),
    ("template", &[]),
    ("sandbox", &[]),
    ("yaml", &["address", "diagnostic"]),
    ("secret", &["diagnostic", "template", "webhook", "yaml"]),
    ("state", &["diagnostic", "secret", "webhook"]),
    (
        "config",
        &[
            "address",
            "diagnostic",
            "plan",
            "secret",
            "template",
            "webhook",
            "yaml",
        ],
    ),
    ("plan", &["diagnostic", "secret", "state", "webhook"]),
    (
        "declaration",
        &[
            "address",
            "diagnostic",
            "secret",
            "state",
            "template",
            "webhook",
            "yaml",
        ],
    ),
    ("remote", &["secret", "state", "webhook"]),
    ("record", &["clock", "plan", "secret", "state", "webhook"]),
    (
        "render",
        &["diagnostic", "plan", "record", "remote", "state", "webhook"],
    ),
    ("cache", &["record", "secret", "state", "webhook"]),
    (
        "apply",
        &[
            "clock", "plan", "record", "remote", "secret", "state", "webhook",
        ],
    ),
    (
        "reconcile",
        &[
            "apply", "cache", "clock", "plan", "record", "remote", "secret", "state", "webhook",
        ],
    ),
    ("import", &["state", "webhook", "yaml"]),
    ("saved", &["plan", "secret", "state", "webhook"]),
    ("store", &["cache", "reconcile", "record", "state"]),
    (
        "watch",
        &[
            "apply",
            "cache",
            "clock",
            "declaration",
            "plan",
            "reconcile",
            "record",
            "remote",
            "secret",
            "state",
            "store",
            "webhook",
        ],
    ),
];

fn rust_files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            rust_files(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

fn sources() -> Vec<(PathBuf, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    rust_files(&root, &mut files);
    files
        .into_iter()
        .map(|path| {
            let text = fs::read_to_string(&path).unwrap();
            (path.strip_prefix(&root).unwrap().to_owned(), text)
        })
        .collect()
}

/// The top-level module of a library file, if it is in one.
fn module(path: &Path) -> Option<String> {
    let first = path.components().next()?.as_os_str().to_str()?;
    let name = first.strip_suffix(".rs").unwrap_or(first);
    (!matches!(name, "lib" | "bin")).then(|| name.to_owned())
}

/// The part of a file that is not its tests.
fn without_tests(text: &str) -> &str {
    text.split("#[cfg(test)]").next().unwrap_or(text)
}

#[test]
fn modules_import_only_what_they_may() {
    let allowed: BTreeMap<_, _> = MAY_IMPORT.iter().copied().collect();
    let mut wrong = Vec::new();
    for (path, text) in sources() {
        let Some(module) = module(&path) else {
            continue;
        };
        let Some(may) = allowed.get(module.as_str()) else {
            wrong.push(format!("{module} is not in the table"));
            continue;
        };
        for part in without_tests(&text).split("crate::").skip(1) {
            let target: String = part
                .chars()
                .take_while(|character| character.is_ascii_alphanumeric() || *character == '_')
                .collect();
            if target != module && !may.contains(&target.as_str()) {
                wrong.push(format!("{} imports {target}", path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn the_table_has_no_cycle() {
    let table: BTreeMap<_, _> = MAY_IMPORT.iter().copied().collect();
    let mut settled: Vec<&str> = Vec::new();
    while settled.len() < table.len() {
        let next = table.iter().find(|(module, may)| {
            !settled.contains(module) && may.iter().all(|target| settled.contains(target))
        });
        let (module, _) = next.expect("every module rests on settled ones");
        settled.push(module);
    }
}

#[test]
fn every_file_says_what_it_is_for() {
    let silent: Vec<_> = sources()
        .into_iter()
        .filter(|(_, text)| !text.starts_with("//!"))
        .map(|(path, _)| path)
        .collect();
    assert!(silent.is_empty(), "{silent:?}");
}

#[test]
fn every_file_can_be_read_at_one_sitting() {
    let long: Vec<_> = sources()
        .into_iter()
        .filter(|(path, text)| {
            let is_tests = path.ends_with("tests.rs")
                || path
                    .parent()
                    .is_some_and(|folder| folder.ends_with("tests"));
            let code = if is_tests { "" } else { without_tests(text) };
            code.lines().count() > 450 || text.lines().count() > 600
        })
        .map(|(path, _)| path)
        .collect();
    assert!(long.is_empty(), "{long:?}");
}
