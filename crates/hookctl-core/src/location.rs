//! Positions in files.

use std::path::Path;
use std::sync::Arc;

/// A position in a file, as editors show it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Location {
    /// The path of the file, as it is shown. Shared, since each webhook has several locations in one file.
    pub path: Arc<Path>,
    /// The line, from 1.
    pub line: usize,
    /// The column, from 1, in Unicode scalar values.
    pub column: usize,
}
