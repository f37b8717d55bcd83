//! The official YAML test suite: no valid text is a syntax error, no invalid one is accepted, and what is read is what the
//! suite says.
//!
//! `cases.json` holds the cases of <https://github.com/yaml/yaml-test-suite>, branch `data` (commit 6ad3d2c), one
//! a line: the text, and whether it is invalid, or the JSON values of its documents where it has any. Its
//! licence stands beside it.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::path::PathBuf;

use hookctl::diagnostic::{Code, Diagnostics, Severity, SourceMap};
use hookctl::yaml::{Document, Kind, Node, Value, read_text};
use serde::Deserialize;
use serde_json::Value as Json;

/// Cases that are read otherwise than the suite says, and why.
const EXCEPTIONS: &[(&str, &str)] = &[
    ("9C9N", LESS_INDENTED),
    ("DK95/01", LESS_INDENTED),
    ("QB6E", LESS_INDENTED),
];

const LESS_INDENTED: &str = "a line inside brackets or quotes is indented less than its key: only one reading is \
     possible, and the readers of other tools (libyaml and what is made of it) accept it too";

#[derive(Deserialize)]
struct Case {
    id: String,
    name: String,
    yaml: String,
    #[serde(default)]
    error: bool,
    json: Option<Vec<Json>>,
}

fn cases() -> Vec<Case> {
    serde_json::from_str(include_str!("cases.json")).unwrap()
}

/// Says what is wrong with how a case is read, if anything is.
fn fault(case: &Case) -> Option<String> {
    let mut sources = SourceMap::default();
    let mut diagnostics = Diagnostics::default();
    let path = PathBuf::from(&case.id);
    let documents = read_text(path, case.yaml.clone(), &mut sources, &mut diagnostics);
    let errors: Vec<_> = diagnostics
        .iter()
        .filter(|diagnostic| diagnostic.severity == Severity::Error)
        .map(|diagnostic| (diagnostic.code, diagnostic.message.clone()))
        .collect();
    if case.error {
        return errors.is_empty().then(|| "accepted".to_owned());
    }
    if let Some((_, message)) = errors.iter().find(|(code, _)| *code == Code::Syntax) {
        return Some(format!("refused: {message}"));
    }
    let wanted = case.json.as_ref().filter(|_| errors.is_empty())?;
    let read: Vec<_> = documents
        .iter()
        .map(|Document { root }| json(root))
        .collect();
    (!same(&Json::from(read.clone()), &Json::from(wanted.clone())))
        .then(|| format!("read as {}", Json::from(read)))
}

fn json(node: &Node) -> Json {
    match node.value() {
        Value::Sequence(items) => items.iter().map(json).collect(),
        Value::Mapping(mapping) => mapping
            .iter()
            .map(|entry| (entry.key.value.clone(), json(&entry.value)))
            .collect(),
        Value::Broken => "(broken)".into(),
        Value::Scalar(scalar) => match scalar.kind() {
            Kind::Null => Json::Null,
            Kind::Boolean => scalar.text().eq_ignore_ascii_case("true").into(),
            Kind::Integer | Kind::Float => number(scalar.text()),
            _ => scalar.text().into(),
        },
    }
}

fn number(text: &str) -> Json {
    let parsed = match (text.strip_prefix("0x"), text.strip_prefix("0o")) {
        (Some(hexadecimal), _) => i64::from_str_radix(hexadecimal, 16).map(Json::from).ok(),
        (_, Some(octal)) => i64::from_str_radix(octal, 8).map(Json::from).ok(),
        _ => text.parse::<f64>().map(Json::from).ok(),
    };
    parsed.unwrap_or_else(|| text.into())
}

fn same(one: &Json, other: &Json) -> bool {
    match (one, other) {
        (Json::Number(one), Json::Number(other)) => one.as_f64() == other.as_f64(),
        (Json::Array(one), Json::Array(other)) => {
            one.len() == other.len() && one.iter().zip(other).all(|(one, other)| same(one, other))
        }
        (Json::Object(one), Json::Object(other)) => {
            one.len() == other.len()
                && one
                    .iter()
                    .all(|(key, one)| other.get(key).is_some_and(|other| same(one, other)))
        }
        _ => one == other,
    }
}

#[test]
fn every_case_is_read_as_the_suite_says() {
    let cases = cases();
    assert_eq!(cases.len(), 402);
    let faults: BTreeMap<_, _> = cases
        .iter()
        .filter_map(|case| Some((case.id.as_str(), format!("{}: {}", case.name, fault(case)?))))
        .collect();
    let exceptions: BTreeMap<_, _> = EXCEPTIONS.iter().copied().collect();
    let unexpected: Vec<_> = faults
        .iter()
        .filter(|(id, _)| !exceptions.contains_key(*id))
        .collect();
    assert!(unexpected.is_empty(), "{unexpected:#?}");
    let stale: Vec<_> = exceptions
        .keys()
        .filter(|id| !faults.contains_key(*id))
        .collect();
    assert!(stale.is_empty(), "no exceptions any more: {stale:?}");
}
