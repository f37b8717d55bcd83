//! Reading of whole files: accepted and rejected input, and concealed ranges.

use std::fmt::Write as _;

use proptest::prelude::*;
use serde_json::Value as Json;

use super::*;
use crate::diagnostic::{Diagnostics, SourceMap, Span};

struct Read {
    sources: SourceMap,
    diagnostics: Diagnostics,
    documents: Vec<Document>,
}

fn read(text: &str) -> Read {
    let mut sources = SourceMap::default();
    let mut diagnostics = Diagnostics::default();
    let documents = read_text(
        "a.yaml".into(),
        text.to_owned(),
        &mut sources,
        &mut diagnostics,
    );
    Read {
        sources,
        diagnostics,
        documents,
    }
}

/// Returns `line:column code` for each diagnostic.
fn problems(text: &str) -> Vec<String> {
    let read = read(text);
    read.diagnostics
        .iter()
        .map(|diagnostic| match &diagnostic.primary {
            Some(label) => {
                let at = read.sources.location(label.span);
                format!("{}:{} {}", at.line, at.column, diagnostic.code)
            }
            None => diagnostic.code.to_string(),
        })
        .collect()
}

fn json(node: &Node) -> Json {
    match node.value() {
        Value::Scalar(scalar) => match scalar.kind() {
            Kind::Null => Json::Null,
            Kind::Boolean => Json::Bool(scalar.text().eq_ignore_ascii_case("true")),
            Kind::Integer => scalar.text().parse::<i64>().unwrap().into(),
            Kind::Float => scalar.text().parse::<f64>().unwrap().into(),
            _ => scalar.text().into(),
        },
        Value::Sequence(items) => items.iter().map(json).collect(),
        Value::Mapping(mapping) => Json::Object(
            mapping
                .iter()
                .map(|entry| (entry.key.value.clone(), json(&entry.value)))
                .collect(),
        ),
        Value::Broken => "(broken)".into(),
    }
}

fn jsons(text: &str) -> Vec<String> {
    let read = read(text);
    read.documents
        .iter()
        .map(|document| json(&document.root).to_string())
        .collect()
}

#[test]
fn valid_documents() {
    for (text, expected) in [
        ("", vec![]),
        ("# only a comment\n", vec![]),
        ("---\n---\n", vec!["null", "null"]),
        ("a: 1\nb:\n", vec![r#"{"a":1,"b":null}"#]),
        ("\u{feff}a: 'x'\r\n", vec![r#"{"a":"x"}"#]),
        (
            "a: ~\nb: [x, \"5\", 5]",
            vec![r#"{"a":null,"b":["x","5",5]}"#],
        ),
        ("a: |\n  x\n  y\n", vec![r#"{"a":"x\ny\n"}"#]),
        (
            "a: !!str 5\nb: ! 5\nc: !!int 5",
            vec![r#"{"a":"5","b":"5","c":5}"#],
        ),
        ("a: &x {b: 1}\nc: *x", vec![r#"{"a":{"b":1},"c":{"b":1}}"#]),
        (
            "x: &x {a: 1, b: 2}\ny:\n  b: 3\n  <<: *x",
            vec![r#"{"x":{"a":1,"b":2},"y":{"b":3,"a":1}}"#],
        ),
        (
            "- &x {a: 1}\n- &y {a: 2, b: 2}\n- <<: [*x, *y]",
            vec![r#"[{"a":1},{"a":2,"b":2},{"a":1,"b":2}]"#],
        ),
        (
            "- &x {a: 1}\n- &y {<<: *x, b: 2}\n- {<<: *y, c: 3}",
            vec![r#"[{"a":1},{"b":2,"a":1},{"c":3,"b":2,"a":1}]"#],
        ),
        ("\"<<\": 1", vec![r#"{"<<":1}"#]),
        (
            "a: &x 1\n---\na: &x 2\nb: *x",
            vec![r#"{"a":1}"#, r#"{"a":2,"b":2}"#],
        ),
    ] {
        assert_eq!(problems(text), [""; 0], "{text:?}");
        let sorted = |json: &str| serde_json::from_str::<Json>(json).unwrap();
        assert_eq!(
            jsons(text)
                .iter()
                .map(|json| sorted(json))
                .collect::<Vec<_>>(),
            expected.into_iter().map(sorted).collect::<Vec<_>>(),
            "{text:?}"
        );
    }
}

#[test]
fn invalid_documents() {
    for (text, expected) in [
        ("a: b: c", vec!["1:5 syntax"]),
        ("a:\n\t- b", vec!["2:2 syntax"]),
        ("a: 'x\nb: 1\n", vec!["1:4 syntax"]),
        ("a: [1, 2\nb: 1\n", vec!["2:2 syntax"]),
        ("a: {b: 1]\n", vec!["1:4 syntax"]),
        ("a: @x\n", vec!["1:4 syntax"]),
        ("a: \"\\q\"\n", vec!["1:4 syntax"]),
        ("a: 1\n b: 2\n", vec!["2:3 syntax"]),
        ("a: 1\nb\n", vec!["2:1 syntax"]),
        ("a: x\0y", vec!["1:5 control-character"]),
        ("ä: \u{1b}[31m", vec!["1:4 control-character"]),
        ("a: 1\nb: 2\na: 3\n", vec!["3:1 repeated-key"]),
        ("a: {b: 1, 'b': 2}", vec!["1:11 repeated-key"]),
        ("ä: 1\nö: {ü: 1, ü: 2}", vec!["2:11 repeated-key"]),
        ("a: &x {}\n<<: *x\n<<: *x\n", vec!["3:1 repeated-key"]),
        ("? [a]\n: 1\n", vec!["1:3 complex-key"]),
        ("{a: 1}: 1\n", vec!["1:1 complex-key"]),
        (
            "a: *x\nb: *y\n",
            vec!["1:4 unknown-alias", "2:4 unknown-alias"],
        ),
        ("a: &x 1\n---\nb: *x\n", vec!["3:4 unknown-alias"]),
        ("a: &x [*x]\n", vec!["1:8 recursive-alias"]),
        ("a: &x\n  b: *x\n", vec!["2:6 recursive-alias"]),
        ("<<: 1\na: 2\n", vec!["1:5 invalid-merge"]),
        (
            "a: &x {b: 1}\nc: {<<: [*x, 5]}\n",
            vec!["2:14 invalid-merge"],
        ),
        ("a: !secret x\n", vec!["1:4 unknown-tag"]),
        ("a: !!python/object:x {}\n", vec!["1:4 unknown-tag"]),
        (
            "a: !!binary x\nb: !!map [1]\n",
            vec!["1:4 unknown-tag", "2:4 unknown-tag"],
        ),
        (
            "a: [1\n---\nb: 1\nb: 2\n---\nc: d: e\n---\nf: *g\n",
            vec![
                "1:4 syntax",
                "4:1 repeated-key",
                "6:5 syntax",
                "8:4 unknown-alias",
            ],
        ),
    ] {
        assert_eq!(problems(text), expected, "{text:?}");
    }
}

#[test]
fn a_key_is_repeated_however_many_there_are() {
    for count in [2, 15, 16, 17, 18, 40] {
        let keys: Vec<_> = (0..count).map(|index| format!("k{index}: 1")).collect();
        let text = format!(
            "{}\nk0: 2\nk{}: 2\nl: 3\nl: 4\n",
            keys.join("\n"),
            count - 1
        );
        let at = |line| format!("{line}:1 repeated-key");
        let expected = [at(count + 1), at(count + 2), at(count + 4)];
        assert_eq!(problems(&text), expected, "{count}");
    }
}

#[test]
fn documents_after_a_syntax_error_are_read() {
    assert_eq!(
        jsons("a: 1\n---\n{\n---\nb: 2\n---\n'\n---\nc: 3"),
        [r#"{"a":1}"#, r#"{"b":2}"#, r#"{"c":3}"#]
    );
}

#[test]
fn bytes_that_are_not_text() {
    let mut sources = SourceMap::default();
    let mut diagnostics = Diagnostics::default();
    read_bytes(
        "a.yaml".into(),
        b"a: 1\nb: \xe4\n".to_vec(),
        &mut sources,
        &mut diagnostics,
    );
    read_bytes(
        "b.yaml".into(),
        vec![b' '; MAX_FILE_BYTES + 1],
        &mut sources,
        &mut diagnostics,
    );
    let found: Vec<_> = diagnostics
        .iter()
        .map(|diagnostic| {
            let place = diagnostic.primary.as_ref().map(|label| {
                let at = sources.location(label.span);
                (at.line, at.column)
            });
            (diagnostic.message.as_str(), place)
        })
        .collect();
    assert_eq!(
        found,
        [
            ("the text is not UTF-8 from byte 8 on", Some((2, 4))),
            ("the file is larger than 4194304 bytes", None)
        ]
    );
}

/// Collects the text of every value and key, in order.
fn walk(node: &Node, text: &str, found: &mut Vec<String>) {
    let span = node.span();
    found.push(text[span.start..span.end].to_owned());
    for child in node.as_sequence().unwrap_or(&[]) {
        walk(child, text, found);
    }
    for entry in node.as_mapping().iter().flat_map(|mapping| mapping.iter()) {
        let span = entry.key.span;
        found.push(text[span.start..span.end].to_owned() + ":");
        walk(&entry.value, text, found);
    }
}

#[test]
fn spans_are_the_exact_values() {
    let text =
        "ä:\n  - \"ö x\"\n  - |\n    ü\n    ß\nb: {c: [1, 2]}\nd:\ne: &z  f g # h\ni: *z\nj: [,]\n";
    let text = text.replace("j: [,]\n", "j:\n-\n- k: l\n  m: n\n\n");
    let read = read(&text);
    let mut found = Vec::new();
    walk(&read.documents[0].root, &text, &mut found);
    assert_eq!(found[0], text.trim_end());
    assert_eq!(
        found[1..],
        [
            "ä:",
            "- \"ö x\"\n  - |\n    ü\n    ß",
            "\"ö x\"",
            "ü\n    ß",
            "b:",
            "{c: [1, 2]}",
            "c:",
            "[1, 2]",
            "1",
            "2",
            "d:",
            "d",
            "e:",
            "f g",
            "i:",
            "f g",
            "j:",
            "-\n- k: l\n  m: n",
            "-",
            "k: l\n  m: n",
            "k:",
            "l",
            "m:",
            "n",
        ]
    );
}

#[test]
fn debug_output_contains_neither_keys_nor_values() {
    let documents = read("hunter2: [hunter2, { b: 'hunter2' }]").documents;
    let Value::Mapping(mapping) = documents[0].root.value() else {
        panic!("a mapping");
    };
    let shown = format!("{documents:?} {mapping:?}");
    assert!(shown.contains("Mapping") && !shown.contains("hunter2"));
    let shown = format!("{:?}", mapping.iter().next().unwrap().value.value());
    assert!(
        shown.contains("List") || shown.contains("Sequence"),
        "{shown}"
    );
    assert!(!shown.contains("hunter2"), "{shown}");
    let scalar = read("hunter2").documents;
    assert!(!format!("{:?}", scalar[0].root.value()).contains("hunter2"));
}

#[test]
fn bombs_end_early() {
    let mut laughs = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..20 {
        let alias = format!("*a{}, ", level - 1).repeat(9);
        let _ = writeln!(laughs, "a{level}: &a{level} [{alias}]");
    }
    // 9^6 values fit into a million, 9^7 do not; the seventh level is line 7.
    assert_eq!(problems(&laughs).len(), 1);
    assert!(
        problems(&laughs)[0].starts_with("7:"),
        "{:?}",
        problems(&laughs)
    );
    assert!(problems(&laughs)[0].ends_with("too-many-nodes"));

    let wide = format!(
        "a: &a [{}]\nb: [{}]",
        "x, ".repeat(1000),
        "*a, ".repeat(20_000)
    );
    assert!(problems(&wide)[0].ends_with("too-many-nodes"));

    let merges = format!(
        "a: &a {{{}}}\nb:\n{}",
        (0..1000)
            .map(|index| format!("k{index}: 1"))
            .collect::<Vec<_>>()
            .join(", "),
        "- <<: *a\n".repeat(20_000)
    );
    assert!(problems(&merges)[0].ends_with("too-many-nodes"));

    let long = format!(
        "a: &a {}\nb: [{}]",
        "x".repeat(1_000_000),
        "*a, ".repeat(100)
    );
    assert!(problems(&long)[0].ends_with("too-many-nodes"));

    for open in ["[", "{a: ", "- ", "? "] {
        let deep = open.repeat(100_000);
        let found = problems(&deep);
        assert_eq!(found.len(), 1, "{open}");
        assert!(found[0].ends_with("too-deep"), "{open} {found:?}");
    }

    let mut chain = "a0: &a0 [x]\n".to_owned();
    for level in 1..1000 {
        let _ = writeln!(chain, "a{level}: &a{level} [*a{}]", level - 1);
    }
    assert_eq!(problems(&chain), ["64:12 too-deep"]);

    let documents = "--- 1\n".repeat(MAX_DOCUMENTS + 1);
    assert_eq!(problems(&documents), ["10001:1 too-many-documents"]);
    assert_eq!(problems(&"--- 1\n".repeat(MAX_DOCUMENTS)), [""; 0]);
}

fn simple_json() -> impl Strategy<Value = Json> {
    let text = prop_oneof![
        "[a-z ]{0,12}",
        "[-~#:&*!|>'\"%@`{}\\[\\],?<. \\n\\t\\\\a0xeE+_]{0,12}",
        "[0-9_.xoe+-]{1,6}",
        prop::sample::select(vec![
            "yes",
            "no",
            "null",
            "~",
            "true",
            "NULL",
            "012",
            "0x1",
            "<<",
            "---",
            "...",
            "=",
            "\u{feff}",
            "ä\u{1f600}",
            "\r\n",
            "\0",
        ])
        .prop_map(str::to_owned),
        any::<String>(),
    ]
    // The other implementation folds lines at these, as YAML 1.1 did.
    .prop_map(|text| text.replace(['\u{85}', '\u{2028}', '\u{2029}'], ""));
    // The other implementation writes a key '<<' without quotes, which means a merge.
    let name = text.clone().prop_filter("a merge key", |name| name != "<<");
    let leaf = prop_oneof![
        Just(Json::Null),
        any::<bool>().prop_map(Json::from),
        any::<i64>().prop_map(Json::from),
        (-1e9..1e9_f64).prop_map(Json::from),
        text.clone().prop_map(Json::from),
    ];
    leaf.prop_recursive(4, 32, 5, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Json::from),
            prop::collection::vec((name.clone(), inner), 0..5)
                .prop_map(|entries| Json::Object(entries.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn reads_what_another_implementation_wrote(value in simple_json()) {
        let text = serde_yaml::to_string(&value).unwrap();
        prop_assert_eq!(problems(&text), Vec::<String>::new(), "{}", text);
        let read = read(&text);
        let found = read.documents.first().map_or(Json::Null, |document| json(&document.root));
        prop_assert_eq!(&found, &value, "{}", &text);
        let oracle: Json = serde_yaml::from_str(&text).unwrap();
        prop_assert_eq!(&found, &oracle, "{}", &text);
    }

    #[test]
    fn any_text_ends_with_spans_inside_it(
        text in prop_oneof![
            any::<String>(),
            "([-:?&*!|>'\"%@{}\\[\\],#<a \\nä]|<<: |token: |\\n---\\n|\\n  |- |: |&a |\\*a ){0,60}",
        ]
    ) {
        let read = read(&text);
        let check = |span: Span| {
            let file = read.sources.file(span.source).unwrap();
            prop_assert!(file.text().get(span.start..span.end).is_some(), "{:?}", span);
            Ok(())
        };
        for diagnostic in read.diagnostics.iter() {
            for label in diagnostic.primary.iter().chain(&diagnostic.secondary) {
                check(label.span)?;
            }
        }
        for file in read.sources.files() {
            for range in file.secrets() {
                prop_assert!(file.text().get(range.clone()).is_some());
            }
        }
        let mut left: Vec<_> = read.documents.iter().map(|document| document.root.clone()).collect();
        while let Some(node) = left.pop() {
            check(node.span())?;
            left.extend(node.as_sequence().unwrap_or(&[]).iter().cloned());
            for entry in node.as_mapping().iter().flat_map(|mapping| mapping.iter()) {
                check(entry.key.span)?;
                left.push(entry.value.clone());
            }
        }
    }
}
