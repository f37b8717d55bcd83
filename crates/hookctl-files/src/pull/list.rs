//! A list and what becomes of it.

use std::ops::Range;

/// A list and what becomes of it.
pub(super) struct List<'a> {
    pub(super) text: &'a str,
    /// The range of the list.
    pub(super) span: Range<usize>,
    /// The items as written, and whether each stays.
    pub(super) items: Vec<(Range<usize>, bool)>,
    /// The new items as they are written, each with the number of old items before it.
    pub(super) added: Vec<(usize, String)>,
}

impl List<'_> {
    /// Returns the last item that stays among the first `count` items.
    pub(super) fn kept_before(&self, count: usize) -> Option<&Range<usize>> {
        let first = self.items.get(..count).unwrap_or(&self.items);
        let mut kept = first.iter().rev().filter(|(_, stays)| *stays);
        kept.next().map(|(place, _)| place)
    }

    pub(super) fn written(&self, place: &Range<usize>) -> &str {
        self.text.get(place.clone()).unwrap_or("")
    }
}
