//! A grant as a person sees it.

use hookctl::outside::Outside;
use hookctl::trust::{Grant, What};

/// A grant for a person: what it is, and each place where the files ask for it.
pub(crate) fn shown(grant: &Grant) -> String {
    let mut text = format!("  {}\n      at {}\n", grant.what(), places(grant));
    if is_open(grant) {
        text += "      what else this reads cannot be told: consent covers its text, and the files named in it\n";
    }
    text
}

/// Whether a grant does not tell all that it is about.
pub(crate) fn is_open(grant: &Grant) -> bool {
    matches!(grant.what(), What::Program(run) if run.is_open)
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
