//! A grant, rendered for the user.

use hookctl::outside::Outside;
use hookctl::trust::{Grant, What};

/// Renders a grant and the locations in the files that need it.
pub(crate) fn shown(grant: &Grant) -> String {
    let mut text = format!("  {}\n      at {}\n", grant.what(), places(grant));
    if is_open(grant) {
        text += "      may read other files: consent covers its text and the files named in it\n";
    }
    text
}

/// Returns whether the grant cannot list all that the program reads.
pub(crate) fn is_open(grant: &Grant) -> bool {
    matches!(grant.what(), What::Program(run) if run.is_open)
}

/// Renders the first locations of a grant.
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
        // A grant without a location would be for a default, and defaults need no consent.
        "no file".clone_into(&mut text);
    }
    text
}
