//! Edits a block list, line by line.

use super::list::List;
use super::source::{Edit, line_after, line_before, line_rest, line_start, whole_line};

/// Returns the edits. Returns `None` unless each item has a line of its own.
pub(super) fn edit(list: &List<'_>) -> Option<Vec<Edit>> {
    let text = list.text;
    let (first, _) = list.items.first()?;
    let dash = line_before(text, first.start);
    if dash.trim() != "-" {
        return None;
    }
    let mut edits = Vec::new();
    for (before, word) in &list.added {
        let line = format!("{dash}{word}");
        edits.push(match list.kept_before(*before) {
            Some(kept) => line_after(text, kept.end, &line),
            None => line_after(text, line_start(text, first.start).checked_sub(1)?, &line),
        });
    }
    for (place, stays) in &list.items {
        let rest = line_rest(text, place.end).trim();
        let is_alone = line_before(text, place.start).trim() == "-"
            && (rest.is_empty() || rest.starts_with('#'));
        if !is_alone {
            return None;
        }
        if !stays {
            edits.push(Edit {
                range: whole_line(text, place),
                text: String::new(),
            });
        }
    }
    Some(edits)
}
