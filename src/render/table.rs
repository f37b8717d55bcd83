//! Tables of text, aligned by the columns of a terminal.

use super::layout::{columns, cut, pad, wrap};
use super::sanitize::sanitize;
use super::style::{Styles, paint};

/// The most columns of a cell, except in the last.
const WIDEST: usize = 40;

/// The fewest columns that the last cell of a row is wrapped in.
const NARROWEST: usize = 16;

/// The fewest columns of the first cell. A longer one is then on a line of its own.
const FIRST: usize = 8;

/// Renders a table with a header. Cells are sanitized. `style` returns the style of a row. Where the rows do not fit into
/// `width`, columns with nothing in them are left out, and then the first column gives way. Where even that does not
/// suffice, each row becomes a paragraph that names its cells.
pub(super) fn table(
    head: &[&str],
    rows: &[Vec<String>],
    width: Option<usize>,
    styles: &Styles,
    style: impl Fn(usize) -> anstyle::Style,
) -> String {
    let mut head: Vec<String> = head.iter().map(|name| (*name).to_owned()).collect();
    let mut rows: Vec<Vec<String>> = rows
        .iter()
        .map(|row| row.iter().map(|cell| sanitize(cell).into_owned()).collect())
        .collect();
    let mut widths = widths_of(&head, &rows, width);
    if width.is_some_and(|width| needed(&widths, &rows) > width) {
        without_empty_columns(&mut head, &mut rows);
        widths = widths_of(&head, &rows, width);
    }
    let needed = needed(&widths, &rows);
    if let (Some(width), Some(first)) = (width.filter(|width| needed > *width), widths.first_mut())
    {
        let room = (width + *first).saturating_sub(needed);
        if room < FIRST {
            return paragraphs(&head, &rows, styles, style);
        }
        *first = room;
    }
    let mut text = String::new();
    text += &paint(styles.headline, &line(&head, &widths, width));
    text.push('\n');
    for (index, row) in rows.iter().enumerate() {
        text += &paint(style(index), &line(row, &widths, width));
        text.push('\n');
    }
    text
}

/// Returns the width of each column. The first one names a thing, and is cut nowhere.
fn widths_of(head: &[String], rows: &[Vec<String>], width: Option<usize>) -> Vec<usize> {
    let mut widths: Vec<usize> = head.iter().map(|name| columns(name)).collect();
    for row in rows {
        for (index, (wide, cell)) in widths.iter_mut().zip(row).enumerate() {
            let most = match width {
                None if index == 0 => usize::MAX,
                _ => WIDEST,
            };
            *wide = (*wide).max(columns(cell).min(most));
        }
    }
    widths
}

/// Returns the width of a table whose last column is as narrow as it may be.
fn needed(widths: &[usize], rows: &[Vec<String>]) -> usize {
    let last = rows.iter().filter_map(|row| row.last());
    // A word of the last column may be an id, which must stay whole to be copied.
    let words = last.flat_map(|cell| cell.split(' ')).map(columns);
    let (widest, others) = widths.split_last().unwrap_or((&0, &[]));
    let rest = words.max().unwrap_or_default();
    let rest = rest.max((*widest).min(NARROWEST));
    others.iter().map(|width| width + 2).sum::<usize>() + rest
}

/// Removes the columns, apart from the first two, that have nothing in any row.
fn without_empty_columns(head: &mut Vec<String>, rows: &mut [Vec<String>]) {
    let is_empty = |index: usize| {
        let mut cells = rows.iter().filter_map(|row| row.get(index));
        cells.all(|cell| is_nothing(cell))
    };
    let kept: Vec<bool> = (0..head.len())
        .map(|index| index < 2 || !is_empty(index))
        .collect();
    let keep = |cells: &mut Vec<String>| {
        let mut kept = kept.iter();
        cells.retain(|_| kept.next().copied().unwrap_or(true));
    };
    keep(head);
    rows.iter_mut().for_each(keep);
}

fn is_nothing(cell: &str) -> bool {
    cell.is_empty() || cell == "-"
}

fn line(row: &[String], widths: &[usize], width: Option<usize>) -> String {
    let mut shown = String::new();
    for (index, (cell, wide)) in row.iter().zip(widths).enumerate() {
        if index == 0 && width.is_some() && columns(cell) > *wide {
            shown += &format!("{cell}\n{}", pad("", wide + 2));
        } else if index + 1 < widths.len() {
            shown += &pad(&cut(cell, *wide), wide + 2);
        } else if let Some(width) = width {
            let margin = columns(shown.rsplit('\n').next().unwrap_or_default());
            let cell = wrap(cell, width.saturating_sub(margin));
            shown += &cell.replace("\n  ", &format!("\n{:margin$}", ""));
        } else {
            shown += cell;
        }
    }
    shown.trim_end().to_owned()
}

/// Renders each row as its first two cells, and a line of the further ones with their names.
fn paragraphs(
    head: &[String],
    rows: &[Vec<String>],
    styles: &Styles,
    style: impl Fn(usize) -> anstyle::Style,
) -> String {
    let mut text = String::new();
    for (index, row) in rows.iter().enumerate() {
        let first: Vec<&str> = row.iter().take(2).map(String::as_str).collect();
        text += &paint(style(index), &first.join("  "));
        text.push('\n');
        let further = head.iter().zip(row).skip(2);
        let further: Vec<String> = further
            .filter(|(_, cell)| !is_nothing(cell))
            .map(|(name, cell)| format!("{}: {cell}", paint(styles.aside, name)))
            .collect();
        if !further.is_empty() {
            text += &format!("  {}\n", further.join(" · "));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(head: &[&str], rows: &[Vec<String>], width: Option<usize>) -> String {
        table(head, rows, width, &Styles::plain(), |_| {
            anstyle::Style::new()
        })
    }

    #[test]
    fn columns_are_aligned_and_cut() {
        let long = "x".repeat(50);
        let rows = [
            vec!["1".into(), long, "last".into()],
            vec!["\u{1b}[31m".into(), "é".into(), String::new()],
        ];
        let text = shown(&["a", "b", "c"], &rows, None);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 3);
        assert!(lines[1].contains("…  last"));
        assert!(!text.contains('\u{1b}'));
        assert_eq!(lines[2].trim_end(), lines[2]);
    }

    #[test]
    fn ideographs_are_aligned() {
        let rows = [
            vec!["会議".into(), "x".into()],
            vec!["abcd".into(), "y".into()],
        ];
        assert_eq!(
            shown(&["name", "b"], &rows, None),
            "name  b\n会議  x\nabcd  y\n"
        );
    }

    #[test]
    fn a_first_cell_is_cut_in_no_pipe() {
        let long = "k".repeat(63);
        let rows = [
            vec![long.clone(), "x".into()],
            vec!["short".into(), "y".into()],
        ];
        let text = shown(&["a", "b"], &rows, None);
        assert!(text.contains(&format!("{long}  x\n")), "{text}");
    }

    #[test]
    fn columns_with_nothing_in_them_give_way_first() {
        let row = |detail: &str| {
            let cells = ["billing-run", "in sync", "-", "1", "", detail];
            cells.map(str::to_owned).to_vec()
        };
        let head = ["webhook", "status", "ok", "fail", "last ok", "detail"];
        let rows = [row("no address on this machine"), row("")];
        assert_eq!(
            shown(&head, &rows, Some(46)),
            "webhook      status   fail  detail\n\
             billing-run  in sync  1     no address on this\n                            machine\n\
             billing-run  in sync  1\n"
        );
        assert!(shown(&head, &rows, Some(80)).contains("last ok"));
    }

    #[test]
    fn a_row_that_does_not_fit_becomes_a_paragraph() {
        let rows = [vec![
            "billing-run".into(),
            "edited, and more".into(),
            "-".into(),
            "timeout_seconds, and more".into(),
        ]];
        assert_eq!(
            shown(&["webhook", "status", "ok", "differs"], &rows, Some(40)),
            "billing-run  edited, and more\n  differs: timeout_seconds, and more\n"
        );
        assert_eq!(
            shown(&["webhook", "status", "ok", "differs"], &rows, Some(46)),
            format!(
                "webhook     status            differs\nbilling-run\n{:12}edited, and more  \
                 timeout_seconds,\n{:30}and more\n",
                "", ""
            )
        );
    }
}
