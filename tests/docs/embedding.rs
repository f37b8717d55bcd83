//! The code on the page about embedding is that of the examples, which the gate runs.

use std::path::Path;

use super::read;

/// Returns the part of an example between its anchors, without common indentation.
fn excerpt(text: &str, anchor: &str) -> Option<String> {
    let (begin, end) = (
        format!("// ANCHOR: {anchor}"),
        format!("// ANCHOR_END: {anchor}"),
    );
    let lines: Vec<&str> = text
        .lines()
        .skip_while(|line| line.trim() != begin)
        .skip(1)
        .take_while(|line| line.trim() != end)
        .collect();
    let has_text = |line: &&&str| !line.trim().is_empty();
    let indentation = |line: &&str| line.len() - line.trim_start().len();
    let common = lines.iter().filter(has_text).map(indentation).min()?;
    let lines = lines.iter().map(|line| line.get(common..).unwrap_or(""));
    Some(lines.collect::<Vec<_>>().join("\n"))
}

/// Returns the blocks of Rust of a page, each with the line before it.
fn blocks(page: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut before = "";
    let mut lines = page.lines();
    while let Some(line) = lines.next() {
        if line == "```rust" {
            let block: Vec<&str> = lines.by_ref().take_while(|line| *line != "```").collect();
            found.push((before.to_owned(), block.join("\n")));
        }
        before = line;
    }
    found
}

#[test]
fn code_about_embedding_is_that_of_the_examples() {
    let blocks = blocks(&read(Path::new("docs/embedding.md")));
    assert!(blocks.len() > 5, "{} blocks", blocks.len());
    for (source, block) in blocks {
        let named = source
            .strip_prefix("<!-- ")
            .and_then(|rest| rest.strip_suffix(" -->")?.split_once(": "));
        let (file, anchor) = named.unwrap_or_else(|| panic!("{source:?} names no example"));
        let excerpt = excerpt(&read(Path::new(file)), anchor);
        assert_eq!(excerpt.as_ref(), Some(&block), "{source}");
        let gate = read(Path::new(".ci/run"));
        let name = Path::new(file).file_stem().unwrap().to_str().unwrap();
        assert!(gate.contains(name), "the gate does not run {file}");
    }
}
