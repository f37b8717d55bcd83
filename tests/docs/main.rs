//! The documentation: every page is in the book, every link leads somewhere, and retired words stay out of it and of the
//! sources.
//!
//! The test reads files only. It needs neither the network nor mdBook.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod embedding;
mod words;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Component, Path, PathBuf};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Collects the files below a folder, as paths from the root.
fn files_below(folder: &str, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(root().join(folder)).unwrap() {
        let name = entry.unwrap().file_name();
        let path = format!("{folder}/{}", name.to_str().unwrap());
        if root().join(&path).is_dir() {
            files_below(&path, found);
        } else {
            found.push(path.into());
        }
    }
}

fn is_markdown(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "md")
}

/// The Markdown files that this test checks.
fn pages() -> Vec<PathBuf> {
    let mut found = Vec::new();
    files_below("docs", &mut found);
    files_below("examples", &mut found);
    found.retain(|path| is_markdown(path));
    found.extend(
        [
            "README.md",
            "CONTRIBUTING.md",
            "ARCHITECTURE.md",
            "SECURITY.md",
            "CHANGELOG.md",
        ]
        .map(PathBuf::from),
    );
    found.sort();
    found
}

fn read(path: &Path) -> String {
    fs::read_to_string(root().join(path)).unwrap()
}

/// Blanks fenced blocks, and keeps the lines.
fn without_blocks(text: &str) -> String {
    let mut is_block = false;
    let mut kept = String::new();
    for line in text.lines() {
        let is_fence = line.trim_start().starts_with("```");
        if !is_fence && !is_block {
            kept += line;
        }
        is_block ^= is_fence;
        kept.push('\n');
    }
    kept
}

/// Replaces each span of inline code by `placeholder`, and returns the spans.
fn without_code(text: &str, placeholder: &str) -> (String, Vec<String>) {
    let mut spans = Vec::new();
    let mut kept = String::new();
    for (index, part) in text.split('`').enumerate() {
        if index.is_multiple_of(2) {
            kept += part;
        } else {
            spans.push(part.to_owned());
            kept += placeholder;
            // A span may continue on the next line.
            kept.extend(part.matches('\n'));
        }
    }
    (kept, spans)
}

/// The targets of the links of a page.
fn links(text: &str) -> Vec<String> {
    let text = without_blocks(text);
    // A label in code font remains a label.
    let (text, _) = without_code(&text, "code");
    text.split("](")
        .skip(1)
        .map(|rest| rest.split(')').next().unwrap().to_owned())
        .collect()
}

/// The anchors of a page, by the rule that GitHub and mdBook share.
fn anchors(text: &str) -> BTreeSet<String> {
    let mut counts = BTreeMap::new();
    let mut found = BTreeSet::new();
    for line in without_blocks(text).lines() {
        let title = line.trim_start_matches('#');
        if title.len() == line.len() || !title.starts_with(' ') {
            continue;
        }
        let slug: String = title
            .trim()
            .to_lowercase()
            .chars()
            .filter(|character| character.is_alphanumeric() || matches!(character, ' ' | '-' | '_'))
            .map(|character| if character == ' ' { '-' } else { character })
            .collect();
        let count: &mut u32 = counts.entry(slug.clone()).or_default();
        found.insert(if *count == 0 {
            slug
        } else {
            format!("{slug}-{count}")
        });
        *count += 1;
    }
    found
}

/// Resolves a relative path from the folder of a page. Returns `None` if it leaves the repository.
fn resolve(page: &Path, target: &str) -> Option<PathBuf> {
    let mut resolved = page.parent().unwrap().to_owned();
    for part in Path::new(target).components() {
        match part {
            Component::Normal(name) => resolved.push(name),
            Component::CurDir => {}
            Component::ParentDir => {
                if !resolved.pop() {
                    return None;
                }
            }
            Component::RootDir | Component::Prefix(_) => return None,
        }
    }
    Some(resolved)
}

/// Returns what is wrong with a link.
fn problem(page: &Path, link: &str) -> Option<String> {
    if ["http://", "https://", "mailto:"]
        .iter()
        .any(|scheme| link.starts_with(scheme))
    {
        return None;
    }
    let (path, anchor) = link.split_once('#').unwrap_or((link, ""));
    let target = if path.is_empty() {
        Some(page.to_owned())
    } else {
        resolve(page, path)
    };
    let Some(target) = target else {
        return Some("leaves the repository".to_owned());
    };
    if !root().join(&target).exists() {
        return Some("does not exist".to_owned());
    }
    if anchor.is_empty() {
        return None;
    }
    if !is_markdown(&target) {
        return Some("an anchor needs a Markdown page".to_owned());
    }
    (!anchors(&read(&target)).contains(anchor)).then(|| "has no such heading".to_owned())
}

#[test]
fn every_page_is_in_the_book() {
    let contents = Path::new("docs/SUMMARY.md");
    let listed: Vec<PathBuf> = links(&read(contents))
        .iter()
        .map(|link| resolve(contents, link).unwrap())
        .collect();
    let unique: BTreeSet<_> = listed.iter().cloned().collect();
    assert_eq!(listed.len(), unique.len(), "a page is listed twice");
    let mut files = Vec::new();
    files_below("docs", &mut files);
    let pages: BTreeSet<_> = files
        .into_iter()
        .filter(|path| is_markdown(path) && path != contents)
        .collect();
    assert_eq!(unique, pages, "docs/SUMMARY.md (left) and docs/ (right)");
}

#[test]
fn every_link_leads_somewhere() {
    let mut checked = 0;
    let mut broken = Vec::new();
    for page in pages() {
        for link in links(&read(&page)) {
            checked += 1;
            if let Some(problem) = problem(&page, &link) {
                broken.push(format!("{}: {link} {problem}", page.display()));
            }
        }
    }
    assert!(broken.is_empty(), "{broken:#?}");
    assert!(checked > 100, "{checked} links");
}

#[test]
fn every_test_and_page_that_is_named_exists() {
    let folders = ["docs/", "examples/", "schemas/", "tests/"];
    let mut missing = Vec::new();
    for page in pages() {
        let text = without_blocks(&read(&page));
        for span in without_code(&text, "").1 {
            let is_path = folders.iter().any(|folder| span.starts_with(folder))
                && !span.contains(['*', ' ', '{'])
                && !span.contains("NNNN");
            if is_path && !root().join(&span).exists() {
                missing.push(format!("{}: {span}", page.display()));
            }
        }
    }
    assert!(missing.is_empty(), "{missing:#?}");
}

/// The comments of a file that is not Markdown.
fn comments(text: &str) -> String {
    let mut kept = String::new();
    for line in text.lines() {
        let comment = ["//", "# "].iter().filter_map(|mark| line.find(mark)).min();
        kept += comment.map_or("", |start| &line[start..]);
        kept.push('\n');
    }
    kept
}

/// The prose of a file: no blocks, no code font, no targets of links.
fn prose(path: &Path) -> String {
    let text = read(path);
    if !is_markdown(path) {
        return without_code(&comments(&text), "code").0;
    }
    let text = without_blocks(&text);
    // The headings of this page are codes.
    let text: String = if path.ends_with("diagnostics.md") {
        text.lines()
            .map(|line| if line.starts_with("## ") { "" } else { line })
            .flat_map(|line| [line, "\n"])
            .collect()
    } else {
        text
    };
    let (text, _) = without_code(&text, "code");
    let mut parts = text.split("](");
    let mut kept = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        kept.push(']');
        kept += part.split_once(')').map_or("", |(_, rest)| rest);
    }
    kept
}

#[test]
fn the_checks_of_links_find_what_they_look_for() {
    let page = Path::new("docs/ci.md");
    assert_eq!(problem(page, "security.md#consent"), None);
    assert!(problem(page, "security.md#no-such-heading").is_some());
    assert!(problem(page, "no-such-page.md").is_some());
    assert!(problem(page, "../../outside.md").is_some());
    assert_eq!(links("```\n[a](b)\n```\n[`c`](d#e)"), ["d#e"]);
    let headings = anchors("# A `b`, c!\n## A\n## A\n#no\n");
    assert_eq!(headings, ["a", "a-1", "a-b-c"].map(str::to_owned).into());
}
