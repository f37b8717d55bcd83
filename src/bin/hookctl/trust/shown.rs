//! A grant as a person sees it.

use hookctl::outside::Outside;
use hookctl::trust::Grant;

/// A grant for a person: what it is, and each place where the files ask for it.
pub(crate) fn shown(grant: &Grant) -> String {
    format!("  {}\n      at {}\n", grant.what(), places(grant))
}

/// Where the files ask for it. The first places are enough to find the others.
pub(super) fn places(grant: &Grant) -> String {
    let all = grant.places();
    let mut text = all
        .iter()
        .take(3)
        .map(|place| {
            let path = Outside::path(&place.path);
            format!("{path}:{}:{}", place.line, place.column)
        })
        .collect::<Vec<_>>()
        .join(", ");
    if all.len() > 3 {
        text += &format!(", and {} more", all.len() - 3);
    }
    if text.is_empty() {
        // What no file says is a default, and those are free.
        "no file".clone_into(&mut text);
    }
    text
}
