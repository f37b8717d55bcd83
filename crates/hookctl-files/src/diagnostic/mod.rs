//! Diagnostics of files: data only.
//!
//! Problems are collected rather than returned one at a time, and rendered elsewhere.

mod code;
mod lint;
mod report;
mod source;
mod suggest;

pub use code::{Code, Severity};
pub use hookctl_core::location::Location;
pub use lint::{Level, Lints};
pub use report::{Diagnostic, Diagnostics, Label};
pub use source::{SourceFile, SourceId, SourceMap, Span, Spanned};
pub use suggest::{excerpt, excerpt_key, is_word, nearest};
