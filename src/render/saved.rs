//! The text of a saved plan, in color.

use super::style::{Styles, paint};

/// Adds color to the text of a plan that was rendered without: to the line of each action, and to the summary.
pub fn styled_plan(text: &str, styles: &Styles) -> String {
    let mut styled = String::with_capacity(text.len());
    for line in text.lines() {
        let sign = line.strip_prefix("  ").and_then(|rest| rest.get(..2));
        let style = match sign {
            Some("+ ") => styles.create,
            Some("~ " | "> ") => styles.change,
            Some("- ") => styles.destroy,
            Some(". ") => styles.aside,
            _ if line.starts_with("Plan") => styles.headline,
            _ => {
                styled += line;
                styled.push('\n');
                continue;
            }
        };
        styled += &paint(style, line);
        styled.push('\n');
    }
    styled
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_changes_without_color() {
        let text = "  + a: create   x.yaml:1\n      url: https://a\n\nPlan: 1 to create.\n";
        assert_eq!(styled_plan(text, &Styles::plain()), text);
        let styled = styled_plan(text, &Styles::colored());
        assert!(styled.starts_with("\u{1b}[32m  + a"), "{styled}");
        assert!(styled.contains("\n      url: https://a\n"), "{styled}");
    }
}
