//! A place in a file, as people name it. What stands there is the business of whoever reads files.

use std::path::Path;
use std::sync::Arc;

/// A place in a file as people name it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Location {
    /// The file's path, as it is shown. Each webhook has several places in one file.
    pub path: Arc<Path>,
    /// The line, from 1.
    pub line: usize,
    /// The column, from 1, in Unicode scalar values.
    pub column: usize,
}
