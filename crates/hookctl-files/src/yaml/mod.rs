//! YAML text to trees in which every key and value knows its place.
//!
//! One reader for every file that a person writes. It resolves aliases and merge keys, refuses
//! repeated keys, judges plain scalars by the rules of YAML 1.2's core schema, and keeps to limits, so
//! that any input ends in bounded time and memory with trees or with diagnostics. After a syntax error
//! it goes on at the next `---`. What may not be shown is marked in the source map before
//! a line of the file can be rendered.
//!
//! It knows nothing of webhooks, and opens no file: it is given bytes or text.

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
pub use write::{quoted, scalar};

#[cfg(test)]
mod tests;
