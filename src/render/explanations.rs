//! The explanations of all codes: the page of the documentation, by section.

const PAGE: &str = include_str!("../../docs/diagnostics.md");

/// Returns every code with its explanation, in the order of the page.
pub fn explanations() -> impl Iterator<Item = (&'static str, &'static str)> {
    PAGE.split("\n## ").skip(1).filter_map(|section| {
        let (code, text) = section.split_once('\n')?;
        Some((code, before_heading(text).trim()))
    })
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
