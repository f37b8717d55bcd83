//! Keeps retired words out of the sources: names that code once had, and phrases that are not the field's English.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::path::{Path, PathBuf};

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

/// Phrases of comments and messages, in lower case.
const PHRASES: [&str; 13] = [
    "anybody",
    "are told",
    "declared no more",
    "is told",
    "mend",
    "mended",
    "mends",
    "nobody",
    "of ours",
    "shall",
    "somebody",
    "the cache",
    "whoever",
];

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// Whether a text contains a word that is not a part of a longer one.
fn contains(text: &str, word: &str) -> bool {
    let is_word = |character: char| character.is_alphanumeric() || character == '_';
    text.match_indices(word).any(|(start, _)| {
        let before = text[..start].chars().next_back();
        let after = text[start + word.len()..].chars().next();
        !before.is_some_and(is_word) && !after.is_some_and(is_word)
    })
}

#[test]
fn retired_words_stay_out_of_the_sources() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = Vec::new();
    sources(&root.join("crates"), &mut files);
    sources(&root.join("src"), &mut files);
    let mut found = Vec::new();
    for file in &files {
        let path = file.strip_prefix(root).unwrap();
        for (number, line) in fs::read_to_string(file).unwrap().lines().enumerate() {
            let lower = line.to_lowercase();
            let names = NAMES.iter().filter(|name| contains(line, name));
            let phrases = PHRASES.iter().filter(|phrase| contains(&lower, phrase));
            found.extend(
                names
                    .chain(phrases)
                    .map(|word| format!("{}:{}: {word}", path.display(), number + 1)),
            );
        }
    }
    assert!(files.len() > 100, "{}", files.len());
    assert!(found.is_empty(), "{}", found.join("\n"));
}
