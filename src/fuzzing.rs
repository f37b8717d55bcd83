//! Entrances of the fuzz targets to what the library does not show. Built for them only.

pub use crate::cache::fuzz_row as record_row;
pub use crate::remote::http::fuzz_page as list_page;
