//! Retired words: phrases that are not the field's English, and names that the code once had.

use std::collections::BTreeSet;
use std::path::Path;

use super::{files_below, is_markdown, pages, prose, read};

/// Phrases, in lower case, and the terms to use instead.
const RETIRED: &[(&str, &str)] = &[
    ("mend", "fix, repair, or revert"),
    ("mends", "fixes, repairs, or reverts"),
    ("mended", "fixed, repaired, or reverted"),
    ("mending", "fixing, repairing, or reverting"),
    ("shall", "must"),
    ("told", "received, reported, or distinguished"),
    ("twin", "duplicate"),
    ("twins", "duplicates"),
    ("whoever", "the caller, or anyone"),
    ("somebody", "another writer, or another user"),
    ("anybody", "another user, or anyone"),
    ("nobody", "no process, or no user"),
    ("everybody", "every process, or every user"),
    ("behind our back", "outside hookctl"),
    ("the cache", "the record"),
    ("declared no more", "no longer declared"),
    ("one of ours", "one of this program"),
];

/// Phrases that are retired in the documentation only, because names of the code contain them.
const RETIRED_IN_DOCS: &[(&str, &str)] = &[
    ("who", "the caller, a process, a reader, or a holder"),
    ("gone", "missing, or deleted"),
    ("the store", "the record"),
];

/// Names that the code once had.
const NAMES: [&str; 22] = [
    "Brake",
    "Circumstances",
    "Cost",
    "Hints",
    "Looks",
    "News",
    "Nobody",
    "Place",
    "Scene",
    "Surroundings",
    "Trace",
    "Twin",
    "Wanted",
    "Workstation",
    "let_go",
    "put_together",
    "slow_down",
    "surroundings",
    "take_apart",
    "twin",
    "twins",
    "went_well",
];

/// Legitimate uses: the file, the phrase in lower case, and the reason.
const ALLOWED: &[(&str, &str, &str)] = &[
    (
        "docs/security.md",
        "lists who can change what",
        "people: the threat model",
    ),
    (
        "docs/security.md",
        "who writes goal defence",
        "people: the threat model",
    ),
    (
        "",
        "the cache of the ci system",
        "a cache that is not the record",
    ),
    (
        "",
        "the cache of the workflow",
        "a cache that is not the record",
    ),
];

/// The words of a text in lower case, with their lines.
fn words(text: &str) -> Vec<(usize, String)> {
    let is_break = |character: char| !character.is_alphanumeric() && character != '_';
    let mut found = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let parts = line.split(is_break).filter(|part| !part.is_empty());
        found.extend(parts.map(|part| (index + 1, part.to_lowercase())));
    }
    found
}

/// Where a phrase begins in a sequence of words.
fn starts(words: &[(usize, String)], phrase: &str) -> Vec<usize> {
    let phrase: Vec<&str> = phrase.split(' ').collect();
    words
        .windows(phrase.len())
        .enumerate()
        .filter(|(_, window)| window.iter().map(|(_, word)| word).eq(&phrase))
        .map(|(start, _)| start)
        .collect()
}

/// The words of the names of functions, with their lines: a test is named by what it shows.
fn words_of_names(text: &str) -> Vec<(usize, &str)> {
    let mut found = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let name = line.split_once("fn ").map(|(_, rest)| rest);
        let is_end = |character: char| !character.is_alphanumeric() && character != '_';
        let name = name.and_then(|rest| rest.split(is_end).next());
        found.extend(
            name.into_iter()
                .flat_map(|name| name.split('_'))
                .map(|word| (index + 1, word)),
        );
    }
    found
}

/// Finds retired words in a text, with their lines. A phrase may continue on the next line.
fn retired<'a>(
    name: &str,
    text: &str,
    phrases: impl IntoIterator<Item = &'a (&'a str, &'a str)>,
) -> Vec<String> {
    let words = words(text);
    let mut allowed = BTreeSet::new();
    for (file, phrase, _) in ALLOWED {
        if file.is_empty() || *file == name {
            for start in starts(&words, phrase) {
                allowed.extend(start..start + phrase.split(' ').count());
            }
        }
    }
    let mut found = Vec::new();
    for (phrase, instead) in phrases {
        let used = starts(&words, phrase);
        let lines = used
            .iter()
            .filter(|start| !allowed.contains(*start))
            .filter_map(|start| words.get(*start));
        found.extend(lines.map(|(line, _)| format!("{name}:{line}: '{phrase}'; use {instead}")));
    }
    found
}

#[test]
fn no_retired_word_is_used() {
    let mut files = pages();
    let mut examples = Vec::new();
    files_below("examples", &mut examples);
    files.extend(examples.into_iter().filter(|path| !is_markdown(path)));
    let found: Vec<String> = files
        .iter()
        .flat_map(|path| {
            let phrases = RETIRED.iter().chain(RETIRED_IN_DOCS);
            retired(path.to_str().unwrap(), &prose(path), phrases)
        })
        .collect();
    assert!(found.is_empty(), "{found:#?}");
}

#[test]
fn no_retired_word_is_used_in_the_sources() {
    let mut files = Vec::new();
    for folder in ["benches", "crates", "fuzz", "src", "tests"] {
        files_below(folder, &mut files);
    }
    files.retain(|path| path.extension().is_some_and(|extension| extension == "rs"));
    for folder in [".ci", ".github", "dist", "schemas"] {
        files_below(folder, &mut files);
    }
    files.retain(|path| path != Path::new("tests/docs/words.rs"));
    assert!(files.len() > 100, "{}", files.len());
    let mut found = Vec::new();
    for path in &files {
        let (name, text) = (path.to_str().unwrap(), read(path));
        found.extend(retired(name, &text, RETIRED));
        for (line, word) in words_of_names(&text) {
            let instead = RETIRED.iter().find(|(phrase, _)| *phrase == word);
            found.extend(
                instead.map(|(_, instead)| format!("{name}:{line}: '{word}'; use {instead}")),
            );
        }
        for (index, line) in text.lines().enumerate() {
            let is_break = |character: char| !character.is_alphanumeric() && character != '_';
            let names = line.split(is_break).filter(|word| NAMES.contains(word));
            found.extend(names.map(|word| format!("{name}:{}: '{word}'", index + 1)));
        }
    }
    assert!(found.is_empty(), "{found:#?}");
}

#[test]
fn the_checks_of_words_find_what_they_look_for() {
    let retired = |name, text| retired(name, text, RETIRED.iter().chain(RETIRED_IN_DOCS));
    assert_eq!(
        retired("a.md", "One line.\nThe caller who\nmends it."),
        [
            "a.md:3: 'mends'; use fixes, repairs, or reverts",
            "a.md:2: 'who'; use the caller, a process, a reader, or a holder",
        ]
    );
    assert_eq!(retired("a.md", "The\ncache of the CI system"), [""; 0]);
    assert_eq!(retired("a.md", "reads the\n  cache").len(), 1);
    assert_eq!(retired("a.md", "the whole amendment, bygone"), [""; 0]);
    assert_eq!(
        words_of_names("\n    async fn it_is_told() {}"),
        [(2, "it"), (2, "is"), (2, "told")]
    );
}
