//! The shape of the library: which module may know which, and that every file says what it is for.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// What every module but the sandbox may import: how texts and files from outside are taken.
const EVERYWHERE: &[&str] = &["input", "outside"];

/// What each module may import. An arrow that is not here is a decision to be made, not a line to be
/// added in passing.
const MAY_IMPORT: &[(&str, &[&str])] = &[
    ("address", &[]),
    ("input", &[]),
    ("outside", &[]),
    ("webhook", &["address"]),
    ("clock", &[]),
    ("diagnostic", &[]),
    ("template", &[]),
    ("sandbox", &[]),
    ("yaml", &["address", "diagnostic"]),
    (
        "fuzzing",
        &[
            "address",
            "cache",
            "declaration",
            "diagnostic",
            "remote",
            "render",
            "template",
            "yaml",
        ],
    ),
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
    ("trust", &["config", "diagnostic", "secret"]),
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
    ["#[cfg(test)]", "#[cfg(all(test"]
        .into_iter()
        .filter_map(|mark| text.split_once(mark))
        .map(|(before, _)| before)
        .min_by_key(|before| before.len())
        .unwrap_or(text)
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
            let may_here = may.contains(&target.as_str())
                || (module != "sandbox" && EVERYWHERE.contains(&target.as_str()));
            if target != module && !may_here {
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

/// A path can hold anything, so it is shown by `Outside::path` alone.
#[test]
fn no_path_is_shown_raw() {
    let raw: Vec<_> = sources()
        .into_iter()
        .filter(|(path, _)| !path.ends_with("tests.rs") && !path.ends_with("tests/mod.rs"))
        .filter(|(_, text)| without_tests(text).contains(".display()"))
        .map(|(path, _)| path)
        .collect();
    assert!(raw.is_empty(), "use Outside::path in {raw:?}");
}

/// JSON that is shown has one way out, which escapes what cannot be seen.
#[test]
fn no_json_is_shown_raw() {
    // The store of consent is a file of its own, read by hookctl alone.
    let own = Path::new("bin/hookctl/trust/store.rs");
    let raw: Vec<_> = sources()
        .into_iter()
        .filter(|(path, _)| path.starts_with("render") || path.starts_with("bin"))
        .filter(|(path, _)| path != own)
        .filter(|(_, text)| {
            let code = without_tests(text);
            let calls = [
                "serde_json::to_string",
                "serde_json::to_vec",
                "serde_json::to_writer",
                "Serializer::",
                "document:#}",
                "{:#}",
            ];
            calls.iter().any(|call| code.contains(call))
        })
        .map(|(path, _)| path)
        .collect();
    assert!(raw.is_empty(), "use outside::json in {raw:?}");
}

/// A file that somebody else may have put there is opened by `input` alone, which never waits.
#[test]
fn no_file_is_read_without_bounds() {
    // The record's own files, below a folder that only its owner writes; the sandbox shares nothing.
    let own = [
        "input/mod.rs",
        "cache/database.rs",
        "cache/folder.rs",
        "sandbox/store.rs",
    ];
    let unbounded: Vec<_> = sources()
        .into_iter()
        .filter(|(path, _)| !own.iter().any(|known| path == Path::new(known)))
        .filter(|(path, _)| !path.ends_with("tests.rs"))
        .filter(|(_, text)| {
            let code = without_tests(text);
            ["File::open(", "fs::read(", "fs::read_to_string("]
                .iter()
                .any(|call| code.contains(call))
        })
        .map(|(path, _)| path)
        .collect();
    assert!(
        unbounded.is_empty(),
        "use input::read_regular in {unbounded:?}"
    );
}

/// The table of bounds names, for each, tests that exist.
#[test]
fn every_bound_names_the_test_that_holds_it() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let page = fs::read_to_string(root.join("docs/guarantees.md")).unwrap();
    let bounds = page.split("\n## Bounds\n").nth(1).unwrap();
    let bounds = bounds.split("\n## ").next().unwrap();
    let mut all = String::new();
    for folder in ["src", "tests"] {
        read_all(&root.join(folder), &mut all);
    }
    let rows: Vec<_> = bounds
        .lines()
        .filter(|line| line.starts_with("| "))
        .skip(2)
        .collect();
    for row in &rows {
        let held_by = row.trim_end_matches(" |").rsplit(" | ").next().unwrap();
        let words = held_by.split('`').skip(1).step_by(2);
        let names: Vec<_> = words
            .filter(|word| !word.contains("::") && !word.contains('/') && word.contains('_'))
            .map(|word| word.trim_end_matches("..."))
            .collect();
        assert!(
            !names.is_empty() || row.contains("(`mistakes`)"),
            "no test in {row}"
        );
        for name in names {
            assert!(all.contains(&format!("fn {name}")), "there is no {name}");
        }
    }
    assert!(rows.len() >= 30, "{} rows", rows.len());
}

fn read_all(folder: &Path, text: &mut String) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            read_all(&path, text);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            text.push_str(&fs::read_to_string(path).unwrap());
        }
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

/// The modules of the command line, each with the files' own imports: `crate::`, `super::`, and `self::`.
mod command_line {
    use std::collections::{BTreeMap, BTreeSet};
    use std::path::Path;

    type Module = Vec<String>;

    /// The module of a file below `src/bin/hookctl`.
    fn module(path: &Path) -> Module {
        let mut parts: Module = path
            .with_extension("")
            .components()
            .map(|part| part.as_os_str().to_str().unwrap().to_owned())
            .collect();
        if matches!(parts.last().map(String::as_str), Some("mod" | "main")) {
            parts.pop();
        }
        parts
    }

    /// The paths of a use tree, such as `{a::{self, B}, c}`.
    fn leaves(tree: &str, before: &[String], found: &mut Vec<Module>) {
        let tree = tree.trim();
        if let Some(inner) = tree.strip_prefix('{') {
            let inner = inner.strip_suffix('}').unwrap();
            let (mut depth, mut start) = (0, 0);
            for (index, character) in inner.char_indices() {
                match character {
                    '{' => depth += 1,
                    '}' => depth -= 1,
                    ',' if depth == 0 => {
                        leaves(&inner[start..index], before, found);
                        start = index + 1;
                    }
                    _ => {}
                }
            }
            leaves(&inner[start..], before, found);
        } else if let Some((head, rest)) = tree.split_once("::") {
            leaves(rest, &[before, &[head.to_owned()]].concat(), found);
        } else if !tree.is_empty() {
            let name = tree.split_whitespace().next().unwrap();
            found.push([before, &[name.to_owned()]].concat());
        }
    }

    /// Every path that a file names, from the root of the binary.
    fn named(own: &Module, text: &str) -> Vec<Module> {
        let code: Vec<&str> = text
            .lines()
            .filter(|line| !line.trim_start().starts_with("//"))
            .collect();
        let code = code.join(" ");
        let mut found = Vec::new();
        for (word, base) in [
            ("crate::", Vec::new()),
            ("self::", own.clone()),
            (
                "super::",
                own.split_last()
                    .map_or_else(Vec::new, |(_, above)| above.to_vec()),
            ),
        ] {
            for (index, _) in code.match_indices(word) {
                let starts_a_path = !code[..index].ends_with([':', '_'])
                    && !code[..index].ends_with(|before: char| before.is_alphanumeric());
                if !starts_a_path {
                    continue;
                }
                let rest = &code[index + word.len()..];
                let mut depth = 0;
                let end = rest.find(|character: char| {
                    match character {
                        '{' => depth += 1,
                        '}' => depth -= 1,
                        _ => {}
                    }
                    depth < 0
                        || (depth == 0
                            && !(character.is_alphanumeric() || "_:}".contains(character)))
                });
                let tree = rest[..end.unwrap_or(rest.len())].trim_end_matches(':');
                leaves(tree, &base, &mut found);
            }
        }
        found
    }

    #[test]
    fn the_modules_of_the_command_line_have_no_cycle() {
        let files: Vec<(Module, String)> = super::sources()
            .into_iter()
            .filter_map(|(path, text)| {
                let path = path.strip_prefix("bin/hookctl").ok()?;
                Some((module(path), text))
            })
            .collect();
        let modules: BTreeSet<&Module> = files.iter().map(|(module, _)| module).collect();
        let mut arrows: BTreeMap<&Module, BTreeSet<&Module>> = BTreeMap::new();
        for (own, text) in &files {
            let arrows = arrows.entry(own).or_default();
            for path in named(own, super::without_tests(text)) {
                // The longest part of the path that is a module.
                let target = (0..=path.len())
                    .rev()
                    .find_map(|length| modules.get(&path[..length].to_vec()));
                arrows.extend(target.filter(|target| **target != own));
            }
        }
        let run = vec!["run".to_owned()];
        let sync = vec!["commands".to_owned(), "sync".to_owned()];
        assert!(arrows[&sync].contains(&run), "the arrows are found");
        let mut settled: BTreeSet<&Module> = BTreeSet::new();
        loop {
            let next = arrows
                .iter()
                .find(|(own, targets)| !settled.contains(**own) && targets.is_subset(&settled));
            match next {
                Some((own, _)) => settled.insert(own),
                None => break,
            };
        }
        let knot: Vec<_> = arrows
            .iter()
            .filter(|(own, _)| !settled.contains(**own))
            .collect();
        assert!(knot.is_empty(), "{knot:#?}");
    }
}
