//! `hookctl validate FILE...`: what concerns the named files, and nothing else.

use crate::harness::{BILLING, Repository, codes};

/// Three files: `a` is valid, `b` repeats a key of `c`, and `c` also has a mistake.
fn repository() -> Repository {
    let repository = Repository::new();
    repository.write("webhooks.d/a.yaml", BILLING);
    let other = BILLING
        .replace("com/billing", "com/other")
        .replace("billing:", "other:")
        .replace("Billing", "Other");
    repository.write("webhooks.d/team/b.yaml", &other);
    let more = "  wrong: { url: 'https://w.example.com', actions: all, timeout: 5 }\n";
    repository.write("webhooks.d/team/c.yaml", &format!("{other}{more}"));
    repository.write("README.md", "");
    repository.write("webhooks.d/notes.txt", "");
    repository
}

#[test]
fn only_problems_of_the_named_files_count() {
    let repository = repository();
    repository.run(&["validate"]).code(1);
    repository
        .run(&["validate", "webhooks.d/a.yaml"])
        .code(0)
        .shows("1 webhook in 1 file is valid.");
    // The conflict concerns both files, the mistake only one.
    for (file, expected) in [
        ("webhooks.d/team/b.yaml", &["duplicate-key"][..]),
        (
            "webhooks.d/team/../team/c.yaml",
            &["duplicate-key", "unknown-field"],
        ),
        ("webhooks.d/team", &["duplicate-key", "unknown-field"]),
    ] {
        let document = repository
            .run(&["validate", "--output", "json", "webhooks.d/a.yaml", file])
            .code(1)
            .json();
        let mut found = codes(&document);
        found.sort_unstable();
        assert_eq!(found, expected, "{file}");
    }
    let whole = repository.run(&["validate"]).code(1).stderr;
    repository.write("hookctl.yaml", "");
    let named = repository.run(&["validate", "hookctl.yaml", "webhooks.d/a.yaml"]);
    assert_eq!(named.code(1).stderr, whole);
}

#[test]
fn a_path_that_is_no_declaration_is_an_error() {
    let repository = repository();
    for (path, message) in [
        (
            "README.md",
            "README.md is not in the folder of declarations",
        ),
        (
            "hookctl.yaml",
            "hookctl.yaml is not in the folder of declarations",
        ),
        (
            "webhooks.d/notes.txt",
            "webhooks.d/notes.txt is not a declaration file",
        ),
        (
            "webhooks.d/none.yaml",
            "webhooks.d/none.yaml does not exist",
        ),
    ] {
        let run = repository
            .run(&["validate", "--output", "json", "webhooks.d/a.yaml", path])
            .code(64)
            .complains(message);
        assert_eq!(codes(&run.json()), ["usage"], "{path}");
    }
}

#[test]
fn an_api_without_a_scheme_has_a_hint() {
    let repository = Repository::with(BILLING);
    for (url, hint) in [
        (
            "api.example.com",
            "hint: did you mean https://api.example.com?",
        ),
        (
            "api.example.com:8443/x",
            "hint: did you mean https://api.example.com:8443/x?",
        ),
        (
            "localhost:8787",
            "hint: did you mean http://localhost:8787?",
        ),
    ] {
        repository
            .run(&["--api-url", url, "sync"])
            .code(64)
            .complains(hint);
    }
    for other in ["ftp://api.example.com", "pasted-key", "a@b.example.com"] {
        let run = repository.run(&["--api-url", other, "sync"]).code(64);
        assert!(!run.stderr.contains("did you mean"), "{}", run.stderr);
    }
}
