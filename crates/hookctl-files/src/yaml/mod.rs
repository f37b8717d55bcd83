//! Parses YAML text to trees in which every key and value has its position.
//!
//! Resolves aliases and merge keys, rejects repeated keys, and types plain scalars by the core schema of YAML 1.2.
//! Limits ensure that any input ends in bounded time and memory, with trees or with diagnostics. After a syntax error,
//! parsing continues at the next `---`. Ranges that must not be shown are marked in the source map before any line of
//! the file can be rendered.
//!
//! This module is independent of webhooks, and opens no files.

mod builder;
mod collection;
mod conceal;
mod decode;
mod exposure;
mod limits;
mod reader;
mod scalar;
mod secret_key;
mod tree;
mod typed;
mod write;

pub use limits::{MAX_DEPTH, MAX_NODES};
pub(crate) use reader::adds_a_source;
pub use reader::{MAX_DOCUMENTS, MAX_FILE_BYTES, read_bytes, read_text};
pub use scalar::{Kind, Scalar, Style};
pub use tree::{Document, Entry, Mapping, Name, Node, Value};
pub use write::{is_printable, quoted, scalar, single_quoted};

#[cfg(test)]
mod tests;
