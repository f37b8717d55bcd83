//! The explanations of all codes: the page of the documentation, by section.

use super::layout::wrap;
use super::style::{Screen, paint};

const PAGE: &str = include_str!("../../docs/diagnostics.md");

/// Returns every code with its explanation, in the order of the page.
pub fn explanations() -> impl Iterator<Item = (&'static str, &'static str)> {
    PAGE.split("\n## ").skip(1).filter_map(|section| {
        let (code, text) = section.split_once('\n')?;
        Some((code, before_heading(text).trim()))
    })
}

/// Renders the explanation of a code. Returns `None` if there is no such code. A pipe gets the text of the page; a terminal
/// gets paragraphs of its own width, and examples without their fences.
pub fn explanation(code: &str, screen: &Screen) -> Option<String> {
    let (_, text) = explanations().find(|(known, _)| *known == code)?;
    let Some(width) = screen.columns else {
        return Some(format!("{code}\n\n{text}\n"));
    };
    let headline = paint(screen.styles.headline, code);
    Some(format!("{headline}\n\n{}", laid_out(text, width, screen)))
}

/// Lays out the Markdown of an explanation.
fn laid_out(text: &str, width: usize, screen: &Screen) -> String {
    let mut shown = String::new();
    let mut paragraph = String::new();
    let mut in_example = false;
    for line in text.lines() {
        let is_fence = line.starts_with("```");
        let continues = !in_example && !is_fence && is_prose(line);
        if continues {
            if !paragraph.is_empty() {
                paragraph.push(' ');
            }
            paragraph += line;
            continue;
        }
        shown += &prose(&std::mem::take(&mut paragraph), width);
        if is_fence {
            in_example = !in_example;
        } else if in_example {
            shown += &format!("    {}\n", paint(screen.styles.hint, line));
        } else if line.is_empty() {
            shown.push('\n');
        } else {
            shown += &wrap(&format!("{line}\n"), width);
        }
    }
    shown + &prose(&paragraph, width)
}

/// Returns whether a line is a part of a paragraph, and not of a list or a table.
fn is_prose(line: &str) -> bool {
    !line.is_empty() && !line.starts_with(['|', '-', ' ', '#'])
}

/// Wraps a paragraph, without the marks of the emphasis of its beginning.
fn prose(paragraph: &str, width: usize) -> String {
    if paragraph.is_empty() {
        return String::new();
    }
    let plain = match paragraph
        .strip_prefix('*')
        .and_then(|rest| rest.split_once('*'))
    {
        Some((severity, rest)) => format!("{severity}{rest}"),
        None => paragraph.to_owned(),
    };
    wrap(&plain, width).replace("\n  ", "\n") + "\n"
}

/// Returns what a code means: the first sentence of its explanation, on one line.
pub fn meaning(code: &str) -> String {
    let text = explanations()
        .find(|(known, _)| *known == code)
        .map_or("", |(_, text)| text);
    let paragraph = text.split("\n\n").next().unwrap_or_default();
    let paragraph = paragraph.split_whitespace().collect::<Vec<_>>().join(" ");
    // The severity comes first: "*error* — ".
    let paragraph = match paragraph.split_once(" — ") {
        Some((severity, rest)) if severity.starts_with('*') => rest.to_owned(),
        _ => paragraph,
    };
    match paragraph.split_once(". ") {
        Some((sentence, _)) => format!("{sentence}."),
        None if paragraph.is_empty() => code.to_owned(),
        None => paragraph,
    }
}

/// Returns the text before the next heading of the page. A `#` inside an example is a comment.
fn before_heading(text: &str) -> &str {
    let mut in_example = false;
    let mut end = 0;
    for line in text.split_inclusive('\n') {
        in_example ^= line.starts_with("```");
        if !in_example && line.starts_with("# ") {
            break;
        }
        end += line.len();
    }
    text.get(..end).unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::Styles;

    #[test]
    fn a_terminal_gets_no_markdown() {
        let screen = Screen {
            columns: Some(60),
            ..Screen::pipe(Styles::plain())
        };
        let shown = explanation("delivery-failing", &screen).unwrap();
        assert!(
            shown.starts_with("delivery-failing\n\nerror — Deliveries"),
            "{shown}"
        );
        assert!(!shown.contains("```") && !shown.contains('*'), "{shown}");
        assert!(
            shown.contains("\n    $ hookctl sync --verify 10m\n"),
            "{shown}"
        );
        for (code, _) in explanations() {
            let shown = explanation(code, &screen).unwrap();
            for line in shown.lines().filter(|line| !line.starts_with("    ")) {
                let is_wide = super::super::columns(line) > 60 && line.split(' ').count() > 1;
                assert!(!is_wide, "{code}: {line}");
            }
        }
    }
}
