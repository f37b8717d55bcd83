//! The shape of the house: which crate may know which, that no modules know each other in a circle, and that every file
//! says what it is for.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// The crates of this workspace that each crate may depend on. Cargo enforces the walls. This table makes a new dependency
/// a decision.
const MAY_DEPEND: &[(&str, &[&str])] = &[
    ("hookctl-core", &[]),
    ("hookctl-sandbox", &[]),
    ("hookctl-system", &["hookctl-core"]),
    ("hookctl-testing", &["hookctl-core", "hookctl-record"]),
    ("hookctl-api", &["hookctl-core"]),
    ("hookctl-secrets", &["hookctl-core", "hookctl-system"]),
    ("hookctl-record", &["hookctl-core", "hookctl-system"]),
    (
        "hookctl-objects",
        &["hookctl-core", "hookctl-record", "hookctl-system"],
    ),
    ("hookctl-files", &["hookctl-core", "hookctl-system"]),
    (
        "hookctl-engine",
        &[
            "hookctl-api",
            "hookctl-core",
            "hookctl-files",
            "hookctl-record",
            "hookctl-secrets",
            "hookctl-system",
        ],
    ),
];

/// What the pure core may not touch: files, clocks, the network, the environment, other programs, and whatever waits.
const NOT_PURE: &[&str] = &[
    "std::fs",
    "std::net",
    "std::process",
    "std::env",
    "std::thread",
    "std::io::stdin",
    "SystemTime",
    "Instant::now",
    "Timestamp::now",
    "Zoned::now",
    "tokio",
    "async fn",
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

/// Every source file, by its path from the root of the repository.
fn sources() -> Vec<(PathBuf, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = Vec::new();
    rust_files(&root.join("src"), &mut files);
    for entry in fs::read_dir(root.join("crates")).unwrap() {
        rust_files(&entry.unwrap().path().join("src"), &mut files);
    }
    files
        .into_iter()
        .map(|path| {
            let text = fs::read_to_string(&path).unwrap();
            (path.strip_prefix(root).unwrap().to_owned(), text)
        })
        .collect()
}

/// Every source file that does not consist of tests.
fn shipped_sources() -> impl Iterator<Item = (PathBuf, String)> {
    sources().into_iter().filter(|(path, _)| {
        !path.ends_with("tests.rs") && !path.components().any(|part| part.as_os_str() == "tests")
    })
}

/// The beginnings of items.
const ITEMS: &[&str] = &[
    "async ",
    "const ",
    "enum ",
    "extern ",
    "fn ",
    "impl ",
    "impl<",
    "macro_rules! ",
    "mod ",
    "pub ",
    "pub(",
    "static ",
    "struct ",
    "trait ",
    "type ",
    "use ",
];

/// The part of a file before the modules of tests that end it.
fn without_tests(text: &str) -> &str {
    let is_mark =
        |line: &str| line.starts_with("#[cfg(test)]") || line.starts_with("#[cfg(all(test");
    let mut end = None;
    let (mut at, mut is_marked) = (0, false);
    for line in text.split_inclusive('\n') {
        if is_mark(line) {
            is_marked = true;
            end = end.or(Some(at));
        } else if ITEMS.iter().any(|item| line.starts_with(item)) {
            if !(is_marked && line.starts_with("mod ")) {
                end = None;
            }
            is_marked = false;
        }
        at += line.len();
    }
    end.map_or(text, |end| &text[..end])
}

#[test]
fn only_the_modules_of_tests_at_the_end_are_left_out() {
    let code = "//! A file.\n\nimpl A {\n    #[cfg(test)]\n    fn b() {}\n}\n\n";
    let tests = "#[cfg(test)]\nmod tests {\n    use super::A;\n\n    fn c() {}\n}\n";
    assert_eq!(without_tests(code), code);
    assert_eq!(without_tests(&format!("{code}{tests}")), code);
    let more = format!("{code}{tests}\n#[cfg(all(test, unix))]\n#[path = \"x.rs\"]\nmod more;\n");
    assert_eq!(without_tests(&more), code);
    for after in ["fn d() {}\n", "#[cfg(test)]\nfn d() {}\n", "mod e;\n"] {
        let text = format!("{code}{tests}\n{after}");
        assert_eq!(without_tests(&text), text);
    }
}

#[test]
fn crates_depend_only_on_what_they_may() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("crates");
    let allowed: BTreeMap<_, _> = MAY_DEPEND.iter().copied().collect();
    let mut wrong = Vec::new();
    for entry in fs::read_dir(root).unwrap() {
        let folder = entry.unwrap().path();
        let name = folder.file_name().unwrap().to_str().unwrap();
        let manifest = fs::read_to_string(folder.join("Cargo.toml")).unwrap();
        let normal = manifest.split("\n[dev-dependencies]").next().unwrap();
        for line in normal.lines().filter(|line| line.starts_with("hookctl-")) {
            let target = line.split(['.', ' ']).next().unwrap();
            let may = allowed.get(name).is_some_and(|may| may.contains(&target));
            if !may {
                wrong.push(format!("{name} depends on {target}"));
            }
        }
        assert!(allowed.contains_key(name), "{name} is not in the table");
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn the_core_has_no_effects() {
    let mut wrong = Vec::new();
    for (path, text) in sources() {
        if !path.starts_with("crates/hookctl-core") {
            continue;
        }
        let code = without_tests(&text).lines();
        let code = code.filter(|line| !line.trim_start().starts_with("//"));
        let code: String = code.collect();
        let effects = NOT_PURE.iter().filter(|effect| code.contains(**effect));
        wrong.extend(effects.map(|effect| format!("{} has {effect}", path.display())));
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// A path can hold anything, so it is shown by `Outside::path` alone.
#[test]
fn no_path_is_shown_raw() {
    let raw: Vec<_> = shipped_sources()
        .filter(|(_, text)| without_tests(text).contains(".display()"))
        .map(|(path, _)| path)
        .collect();
    assert!(raw.is_empty(), "use Outside::path in {raw:?}");
}

/// JSON that is shown has one way out, which escapes what cannot be seen.
#[test]
fn no_json_is_shown_raw() {
    // The store of consent is a file of its own, read by hookctl alone.
    let own = Path::new("src/bin/hookctl/trust/store.rs");
    let raw: Vec<_> = sources()
        .into_iter()
        .filter(|(path, _)| path.starts_with("src"))
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

/// A file that another user may have put there is opened by `input` alone, which never waits.
#[test]
fn no_file_is_read_without_bounds() {
    // The record's own files, below a folder that only its owner writes; the sandbox shares nothing.
    let own = [
        "crates/hookctl-system/src/input/mod.rs",
        "crates/hookctl-record/src/sled/database.rs",
        "crates/hookctl-record/src/sled/folder.rs",
        "crates/hookctl-sandbox/src/store.rs",
    ];
    let unbounded: Vec<_> = shipped_sources()
        .filter(|(path, _)| !own.iter().any(|known| path == Path::new(known)))
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
    for folder in ["crates", "src", "tests"] {
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

/// The files of each crate, with their own imports: `crate::`, `super::`, and `self::`.
mod circles {
    use std::collections::{BTreeMap, BTreeSet};
    use std::path::{Path, PathBuf};

    type Module = Vec<String>;

    /// The module of a file below the root of its crate.
    fn module(path: &Path) -> Module {
        let mut parts: Module = path
            .with_extension("")
            .components()
            .map(|part| part.as_os_str().to_str().unwrap().to_owned())
            .collect();
        if matches!(
            parts.last().map(String::as_str),
            Some("mod" | "main" | "lib")
        ) {
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

    /// Every path that a file names, from the root of its crate.
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

    /// The root of the crate that a file belongs to.
    fn root(path: &Path) -> Option<PathBuf> {
        let mut parts = path.components();
        if path.starts_with("src/bin/hookctl") {
            return Some(PathBuf::from("src/bin/hookctl"));
        }
        match parts.next()?.as_os_str().to_str()? {
            "crates" => Some(Path::new("crates").join(parts.next()?).join("src")),
            other => Some(PathBuf::from(other)),
        }
    }

    type Arrows = BTreeMap<Module, BTreeSet<Module>>;

    /// Where the names really live that the file of a folder passes on, such as `pub use child::{A, B}`.
    fn passed_on(files: &[(Module, String)]) -> BTreeMap<Module, Module> {
        let modules: BTreeSet<&Module> = files.iter().map(|(module, _)| module).collect();
        let mut passed = BTreeMap::new();
        for (own, text) in files {
            for part in text.split("use ").skip(1) {
                let tree = part.split(';').next().unwrap();
                let tree: Vec<&str> = tree.split_whitespace().collect();
                let mut found = Vec::new();
                if tree.first().is_some_and(|head| head.contains("::")) {
                    leaves(&tree.join(" "), own, &mut found);
                }
                for path in found {
                    let (name, child) = path.split_last().unwrap();
                    if child.len() == own.len() + 1 && modules.contains(&child.to_vec()) {
                        passed.insert(
                            [own.as_slice(), std::slice::from_ref(name)].concat(),
                            child.to_vec(),
                        );
                    }
                }
            }
        }
        passed
    }

    /// Which file takes something from which other one, apart from the file of a folder and what is in the folder.
    fn arrows(files: &[(Module, String)]) -> Arrows {
        let modules: BTreeSet<&Module> = files.iter().map(|(module, _)| module).collect();
        let passed = passed_on(files);
        let mut arrows = Arrows::new();
        for (own, text) in files {
            let arrows = arrows.entry(own.clone()).or_default();
            for path in named(own, super::without_tests(text)) {
                // The longest part of the path that is a module, or is passed on from one.
                let target = (0..=path.len()).rev().find_map(|length| {
                    let part = path.get(..length)?.to_vec();
                    passed.get(&part).or_else(|| modules.get(&part).copied())
                });
                let is_apart =
                    |target: &&Module| !target.starts_with(own) && !own.starts_with(target);
                arrows.extend(target.filter(is_apart).cloned());
            }
        }
        arrows
    }

    /// The modules that are part of a circle, or between two.
    fn knot(arrows: &Arrows) -> Vec<String> {
        let mut knot: BTreeSet<&Module> = arrows.keys().collect();
        loop {
            let before = knot.len();
            let all = knot.clone();
            knot.retain(|own| arrows[*own].iter().any(|target| all.contains(target)));
            let all = knot.clone();
            knot.retain(|own| all.iter().any(|other| arrows[*other].contains(*own)));
            if knot.len() == before {
                break;
            }
        }
        let shown = knot.iter().map(|own| {
            let targets = arrows[*own].iter().filter(|target| knot.contains(target));
            let targets: Vec<_> = targets.map(|target| target.join("::")).collect();
            format!("{} -> {}", own.join("::"), targets.join(", "))
        });
        shown.collect()
    }

    #[test]
    fn no_files_know_each_other_in_a_circle() {
        let mut crates: BTreeMap<PathBuf, Vec<(Module, String)>> = BTreeMap::new();
        for (path, text) in super::sources() {
            let root = root(&path).unwrap();
            let module = module(path.strip_prefix(&root).unwrap());
            crates.entry(root).or_default().push((module, text));
        }
        let mut found: Vec<String> = Vec::new();
        for (root, files) in &crates {
            let knot = knot(&arrows(files));
            let knot = knot
                .into_iter()
                .map(|line| format!("{}: {line}", root.display()));
            found.extend(knot);
        }
        assert!(found.is_empty(), "{found:#?}");
        let cli = arrows(&crates[Path::new("src/bin/hookctl")]);
        let (run, sync) = (
            ["run".to_owned()],
            ["commands".to_owned(), "sync".to_owned()],
        );
        assert!(
            cli[sync.as_slice()].contains(run.as_slice()),
            "the arrows are found"
        );
    }
}
