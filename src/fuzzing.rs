//! The bodies of the fuzz targets. Tests build and run them too, so that they stay current.

use std::path::{Path, PathBuf};

pub use crate::record::sled::fuzz_row as record_row;
pub use crate::remote::http::fuzz_page as list_page;

use crate::address as addresses;
use crate::declaration::{LoadOptions, load_texts};
use crate::diagnostic::{Diagnostics, SourceMap};
use crate::render::{self, Styles};
use crate::template::Template;
use crate::yaml::read_bytes;

/// Loads declarations from arbitrary bytes and renders their diagnostics.
///
/// # Panics
/// If the rendered text contains an escape character.
pub fn yaml(bytes: &[u8]) {
    let mut sources = SourceMap::default();
    let mut diagnostics = Diagnostics::default();
    let path = PathBuf::from("a.yaml");
    read_bytes(path.clone(), bytes.to_vec(), &mut sources, &mut diagnostics);
    let shown = render::diagnostics(&diagnostics, &sources, &Styles::plain(), 100, 100);
    assert!(
        !shown.contains('\u{1b}'),
        "the text contains an escape: {shown:?}"
    );
    if let Ok(text) = std::str::from_utf8(bytes) {
        load_texts(
            &[(path, text.to_owned())],
            &LoadOptions::below(Path::new(".")),
        );
    }
}

/// Parses and expands a template.
///
/// # Panics
/// If a template without variables changes its text, or if the value of a variable is expanded again.
pub fn template(text: &str) {
    let Ok(template) = Template::parse(text) else {
        return;
    };
    if template.is_literal() {
        let expanded = template.expand(&|_| None);
        assert_eq!(
            expanded.as_deref(),
            Ok(text.replace("$$", "$").as_str()),
            "it is itself"
        );
    }
    let names = template.variables();
    let expanded = template.expand(&|name| {
        assert!(names.contains(&name), "{name} is not in {names:?}");
        Some("${AGAIN}".to_owned())
    });
    assert!(expanded.is_ok(), "every variable has a value");
}

/// Parses and masks an address.
///
/// # Panics
/// If masking twice differs from masking once, or if an address without user info is not the same as itself.
pub fn address(text: &str) {
    let masked = addresses::mask(text);
    assert_eq!(addresses::mask(&masked), masked, "it stays masked");
    for range in addresses::sensitive(text) {
        assert!(
            text.get(range).is_some(),
            "a range within the text, at characters"
        );
    }
    if let Ok(parsed) = addresses::parse(text) {
        assert!(
            parsed.username().is_empty() && parsed.password().is_none(),
            "no user info"
        );
        assert!(addresses::same(text, text), "the same as itself");
        assert!(
            addresses::same(text, parsed.as_str()),
            "the same as its normal form"
        );
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn every_seed_is_read() {
        let seeds = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/seeds");
        let each = |target: &str, read: &dyn Fn(&[u8])| {
            let files = fs::read_dir(seeds.join(target)).unwrap();
            let read = files.map(|file| read(&fs::read(file.unwrap().path()).unwrap()));
            assert!(read.count() > 0, "{target}");
        };
        each("yaml", &yaml);
        each("list_page", &list_page);
        each("record_row", &record_row);
        each("template", &|bytes| {
            template(std::str::from_utf8(bytes).unwrap());
        });
        each("address", &|bytes| {
            address(std::str::from_utf8(bytes).unwrap());
        });
    }
}
