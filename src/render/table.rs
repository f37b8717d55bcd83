//! Tables of text.

use super::sanitize::sanitize;

/// The most characters of a column, except the last.
const WIDEST: usize = 40;

/// Renders a table with a header. Cells are sanitized.
pub(super) fn table(head: &[&str], rows: Vec<Vec<String>>) -> String {
    let mut lines: Vec<Vec<String>> = vec![head.iter().map(|name| (*name).to_owned()).collect()];
    for row in rows {
        lines.push(row.iter().map(|cell| sanitize(cell).into_owned()).collect());
    }
    let columns = head.len();
    let mut widths = vec![0; columns];
    for line in &lines {
        for (width, cell) in widths.iter_mut().zip(line) {
            *width = (*width).max(cell.chars().count().min(WIDEST));
        }
    }
    let mut text = String::new();
    for line in lines {
        let mut shown = String::new();
        for (index, (cell, width)) in line.iter().zip(&widths).enumerate() {
            if index + 1 == columns {
                shown += cell;
            } else {
                let cut: String = if cell.chars().count() > WIDEST {
                    cell.chars().take(WIDEST - 1).chain(['…']).collect()
                } else {
                    cell.clone()
                };
                shown += &format!("{cut:<width$}  ");
            }
        }
        text += shown.trim_end();
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_aligned_and_cut() {
        let long = "x".repeat(50);
        let text = table(
            &["a", "b", "c"],
            vec![
                vec!["1".into(), long, "last".into()],
                vec!["\u{1b}[31m".into(), "é".into(), String::new()],
            ],
        );
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 3);
        assert!(lines[1].contains("…  last"));
        assert!(!text.contains('\u{1b}'));
        assert_eq!(lines[2].trim_end(), lines[2]);
    }
}
