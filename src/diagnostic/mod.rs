//! Diagnostics of files: data only.
//!
//! Problems are collected rather than returned one at a time, and rendered elsewhere.

mod code;
mod lint;
mod report;
mod source;
mod suggest;

pub use code::{Code, Severity};
pub use lint::{Level, Lints};
pub use report::{Diagnostic, Diagnostics, Label};
pub use source::{Location, SourceFile, SourceId, SourceMap, Span, Spanned};
pub use suggest::{excerpt, excerpt_key, is_word, nearest};
