//! The text of a saved plan, in color.

use super::style::{Styles, paint};

/// Adds color to the text of a plan that was rendered without: to the line of each action, and to the summary.
pub fn styled_plan(text: &str, styles: &Styles) -> String {
    let mut colored = String::with_capacity(text.len());
    for line in text.lines() {
        let sign = line.strip_prefix("  ").and_then(|rest| rest.get(..2));
        let style = match sign {
            Some("+ ") => styles.create,
            Some("~ " | "> ") => styles.change,
            Some("- ") => styles.destroy,
            Some(". ") => styles.aside,
            _ if line.starts_with("Plan") => styles.headline,
            _ => {
                colored += line;
                colored.push('\n');
                continue;
            }
        };
        colored += &paint(style, line);
        colored.push('\n');
    }
    colored
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_changes_without_color() {
        let text = "  + a: create   x.yaml:1\n      url: https://a\n\nPlan: 1 to create.\n";
        assert_eq!(styled_plan(text, &Styles::plain()), text);
        let colored = styled_plan(text, &Styles::colored());
        assert!(colored.starts_with("\u{1b}[32m  + a"), "{colored}");
        assert!(colored.contains("\n      url: https://a\n"), "{colored}");
    }
}
