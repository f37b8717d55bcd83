//! The explanations of all codes: the page of the documentation, by section.

const PAGE: &str = include_str!("../../docs/diagnostics.md");

/// Returns every code with its explanation, in the order of the page.
pub fn explanations() -> impl Iterator<Item = (&'static str, &'static str)> {
    PAGE.split("\n## ").skip(1).filter_map(|section| {
        let (code, text) = section.split_once('\n')?;
        Some((code, before_heading(text).trim()))
    })
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
