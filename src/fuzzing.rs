//! Entrances of the fuzz targets to what the library does not show. Built for them and for the tests only.

pub use crate::cache::fuzz_row as record_row;
pub use crate::remote::http::fuzz_page as list_page;

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use super::*;

    /// A fuzz target is built rarely; its entrance and its seeds are held here.
    #[test]
    fn every_seed_is_read() {
        let seeds = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/seeds");
        let each = |target: &str, read: &dyn Fn(&[u8])| {
            let files = fs::read_dir(seeds.join(target)).unwrap();
            let read = files.map(|file| read(&fs::read(file.unwrap().path()).unwrap()));
            assert!(read.count() > 0, "{target}");
        };
        each("list_page", &list_page);
        each("record_row", &record_row);
    }
}
