//! Texts from files and from the API, made harmless where they are shown.

pub use crate::outside::escape as sanitize;
