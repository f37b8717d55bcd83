//! Declarations and hookctl.yaml from any bytes: read, judged, and shown.
#![no_main]

use std::path::{Path, PathBuf};

use hookctl::declaration::{LoadOptions, load_texts};
use hookctl::diagnostic::{Diagnostics, SourceMap};
use hookctl::render;
use hookctl::yaml::read_bytes;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let mut sources = SourceMap::default();
    let mut diagnostics = Diagnostics::default();
    read_bytes(PathBuf::from("a.yaml"), bytes.to_vec(), &mut sources, &mut diagnostics);
    let shown = render::diagnostics(&diagnostics, &sources, &render::Styles::plain());
    assert!(!shown.contains('\u{1b}'), "an escape is shown: {shown:?}");

    if let Ok(text) = std::str::from_utf8(bytes) {
        let options = LoadOptions::below(Path::new("."));
        load_texts(&[(PathBuf::from("a.yaml"), text.to_owned())], &options);
    }
});
