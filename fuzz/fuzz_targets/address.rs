//! An address: what is masked stays masked, and one without user info is the same as itself.
#![no_main]

use hookctl::address;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let masked = address::mask(text);
    assert_eq!(address::mask(&masked), masked);
    for range in address::sensitive(text) {
        assert!(text.get(range).is_some(), "a range within the text, at characters");
    }
    if let Ok(parsed) = address::parse(text) {
        assert!(parsed.username().is_empty() && parsed.password().is_none());
        assert!(address::same(text, text));
        assert!(address::same(text, parsed.as_str()));
    }
});
