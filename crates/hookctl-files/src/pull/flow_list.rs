//! Edits a list in brackets.

use super::list::List;
use super::source::{Edit, line_after, line_before, line_rest, line_start, whole_line};

/// Returns the edits. Returns `None` if a comment prevents them.
pub(super) fn edit(list: &List<'_>) -> Option<Vec<Edit>> {
    if list.text.get(list.span.clone())?.contains('#') {
        lines(list)
    } else {
        joined(list).map(|edit| vec![edit])
    }
}

/// Writes all items anew, with the separator of the first two.
fn joined(list: &List<'_>) -> Option<Edit> {
    let (first, _) = list.items.first()?;
    let (end, _) = list.items.last()?;
    let between = |pair: &[(std::ops::Range<usize>, bool)]| {
        let [(one, _), (other, _)] = pair else {
            return None;
        };
        list.text.get(one.end..other.start)
    };
    let separators = list.items.windows(2).map(between);
    let separators = separators.collect::<Option<Vec<_>>>()?;
    if separators.iter().any(|one| one.trim() != ",") {
        return None;
    }
    let mut words = Vec::new();
    for index in 0..=list.items.len() {
        let added = list.added.iter().filter(|(before, _)| *before == index);
        words.extend(added.map(|(_, word)| word.as_str()));
        if let Some((place, true)) = list.items.get(index) {
            words.push(list.written(place));
        }
    }
    Some(Edit {
        range: first.start..end.end,
        text: words.join(separators.first().copied().unwrap_or(", ")),
    })
}

/// Edits a list with comments, in which each item has a line of its own.
fn lines(list: &List<'_>) -> Option<Vec<Edit>> {
    let text = list.text;
    let (first, _) = list.items.first()?;
    let indent = line_before(text, first.start);
    let mut edits = Vec::new();
    let mut needs_comma = None;
    for (place, stays) in &list.items {
        let rest = line_rest(text, place.end).trim_start();
        let has_comma = rest.starts_with(',');
        let rest = rest.strip_prefix(',').unwrap_or(rest).trim();
        let is_alone = line_before(text, place.start).trim().is_empty()
            && (rest.is_empty() || rest.starts_with('#'));
        if !is_alone {
            return None;
        }
        if *stays {
            needs_comma = (!has_comma).then_some(place.end);
        } else {
            edits.push(Edit {
                range: whole_line(text, place),
                text: String::new(),
            });
        }
    }
    for (before, word) in &list.added {
        let line = format!("{indent}{word},");
        match list.kept_before(*before) {
            Some(kept) => {
                if needs_comma == Some(kept.end) {
                    needs_comma = None;
                    edits.push(Edit::insert(kept.end, ",".to_owned()));
                }
                edits.push(line_after(text, kept.end, &line));
            }
            None => edits.push(line_after(
                text,
                line_start(text, first.start).checked_sub(1)?,
                &line,
            )),
        }
    }
    Some(edits)
}
