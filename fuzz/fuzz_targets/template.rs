//! A text with variables: what has none is itself, and what a variable holds is never read again.
#![no_main]

use hookctl::template::Template;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let Ok(template) = Template::parse(text) else {
        return;
    };
    if template.is_literal() {
        let expanded = template.expand(&|_| None);
        assert_eq!(expanded.as_deref(), Ok(text.replace("$$", "$").as_str()));
    }
    let names = template.variables();
    let expanded = template.expand(&|name| {
        assert!(names.contains(&name), "{name} is not in {names:?}");
        Some("${AGAIN}".to_owned())
    });
    assert!(expanded.is_ok(), "every variable has a value");
});
