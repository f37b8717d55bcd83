//! Escapes text from files and from the API for display.

pub use crate::outside::escape as sanitize;
