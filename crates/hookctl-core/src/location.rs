//! A position in a file, for display.

use std::path::Path;
use std::sync::Arc;

/// A position in a file, for display.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Location {
    /// The displayed path. Shared, since each webhook has several locations in one file.
    pub path: Arc<Path>,
    /// The line, from 1.
    pub line: usize,
    /// The column, from 1, in Unicode scalar values.
    pub column: usize,
}
