//! Diagnostics for code review: annotations in the log of a GitHub workflow, and SARIF 2.1.0 for code scanning.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Serialize;
use serde_json::{Value, json};

use super::explanations::meaning;
use super::message::Message;
use super::sanitize::sanitize;
use crate::outside;

/// The URL of the SARIF schema.
const SARIF_SCHEMA: &str =
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json";

/// Writes one workflow command for each message.
///
/// # Errors
/// Returns the error of the writer.
pub fn github(messages: &[Message], out: &mut dyn io::Write) -> io::Result<()> {
    messages
        .iter()
        .try_for_each(|message| out.write_all(command(message).as_bytes()))
}

fn command(message: &Message) -> String {
    let mut properties = Vec::new();
    if let Some(file) = &message.file {
        properties.push(format!("file={}", property(&slashed(file))));
    }
    if let Some(line) = message.line {
        properties.push(format!("line={line}"));
    }
    if let Some(column) = message.column {
        properties.push(format!("col={column}"));
    }
    if let Some((line, column)) = message.end {
        properties.push(format!("endLine={line}"));
        // The last column. GitHub only supports columns on a single line.
        if message.line == Some(line) {
            let last = column.saturating_sub(1).max(message.column.unwrap_or(1));
            properties.push(format!("endColumn={last}"));
        }
    }
    properties.push(format!("title={}", property(message.code)));
    format!(
        "::{} {}::{}\n",
        message.severity,
        properties.join(","),
        data(&with_help(message))
    )
}

fn with_help(message: &Message) -> String {
    match &message.help {
        Some(help) => format!("{}\nhelp: {}", message.message, help.replace('\n', "; ")),
        None => message.message.clone(),
    }
}

fn slashed(path: &std::path::Path) -> String {
    path.to_string_lossy().replace('\\', "/")
}

/// Escapes the text of a workflow command. The runner decodes only these characters, so no other is encoded.
fn data(text: &str) -> String {
    text.split('\n')
        .map(|line| sanitize(line).replace('%', "%25").replace('\r', "%0D"))
        .collect::<Vec<_>>()
        .join("%0A")
}

/// Escapes a property of a workflow command.
fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

/// Writes a SARIF log with one run.
///
/// # Errors
/// Returns the error of the writer.
pub fn sarif(messages: &[Message], out: &mut dyn io::Write) -> io::Result<()> {
    let mut codes: Vec<&str> = messages.iter().map(|message| message.code).collect();
    codes.sort_unstable();
    codes.dedup();
    let rules = codes
        .iter()
        .map(|code| {
            json!({
                "id": code,
                "shortDescription": { "text": meaning(code) },
                "help": { "text": format!("Run `hookctl explain {code}` for an example and its fix.") },
            })
        })
        .collect();
    let log = Log {
        schema: SARIF_SCHEMA,
        version: "2.1.0",
        runs: [Run {
            tool: json!({ "driver": {
                "name": "hookctl",
                "semanticVersion": env!("CARGO_PKG_VERSION"),
                "rules": Value::Array(rules),
            } }),
            column_kind: "unicodeCodePoints",
            results: Results { messages, codes },
        }],
    };
    outside::json::write(&log, out)
}

#[derive(Serialize)]
struct Log<'a> {
    #[serde(rename = "$schema")]
    schema: &'static str,
    version: &'static str,
    runs: [Run<'a>; 1],
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Run<'a> {
    tool: Value,
    column_kind: &'static str,
    results: Results<'a>,
}

/// The results, serialized one at a time.
struct Results<'a> {
    messages: &'a [Message],
    codes: Vec<&'a str>,
}

impl Serialize for Results<'_> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut occurrences = BTreeMap::new();
        serializer.collect_seq(
            self.messages
                .iter()
                .map(|message| result(message, &self.codes, &mut occurrences)),
        )
    }
}

/// `occurrences` counts each fingerprint of the log so far.
fn result(message: &Message, codes: &[&str], occurrences: &mut BTreeMap<String, u32>) -> Value {
    let level = match message.severity {
        "notice" => "note",
        other => other,
    };
    let mut result = json!({
        "ruleId": message.code,
        "ruleIndex": codes.binary_search(&message.code).unwrap_or_default(),
        "level": level,
        "message": { "text": with_help(message) },
    });
    let (Some(file), Some(object)) = (&message.file, result.as_object_mut()) else {
        return result;
    };
    let fingerprint = fingerprint(message, file);
    let occurrence = occurrences.entry(fingerprint.clone()).or_default();
    *occurrence += 1;
    // The only name by which code scanning at GitHub recognises a finding of an earlier upload.
    object.insert(
        "partialFingerprints".to_owned(),
        json!({ "primaryLocationLineHash": format!("{fingerprint}:{occurrence}") }),
    );
    let mut place = json!({ "artifactLocation": { "uri": uri(&slashed(file)) } });
    if let (Some(line), Some(place)) = (message.line, place.as_object_mut()) {
        let mut region = json!({ "startLine": line });
        if let (Some(column), Some(region)) = (message.column, region.as_object_mut()) {
            region.insert("startColumn".to_owned(), column.into());
        }
        if let (Some((line, column)), Some(region)) = (message.end, region.as_object_mut()) {
            region.insert("endLine".to_owned(), line.into());
            region.insert("endColumn".to_owned(), column.into());
        }
        place.insert("region".to_owned(), region);
    }
    object.insert(
        "locations".to_owned(),
        json!([{ "physicalLocation": place }]),
    );
    result
}

/// Identifies a finding from run to run. A moved line keeps its findings, so the position does not count.
fn fingerprint(message: &Message, file: &Path) -> String {
    let mut hasher = blake3::Hasher::new();
    for part in [message.code, &slashed(file), &message.message] {
        hasher.update(part.as_bytes()).update(b"\0");
    }
    hasher.finalize().to_hex().chars().take(32).collect()
}

/// Converts a path to a relative URI reference.
fn uri(path: &str) -> String {
    /// Everything except the unreserved characters of RFC 3986 and the separator.
    const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC
        .remove(b'-')
        .remove(b'.')
        .remove(b'_')
        .remove(b'~')
        .remove(b'/');
    utf8_percent_encode(path, ESCAPED).to_string()
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;

    fn message() -> Message {
        Message {
            severity: "error",
            code: "out-of-range",
            message: "100% wrong,\nreally: yes".to_owned(),
            file: Some(PathBuf::from("webhooks.d/a b,c.yaml")),
            line: Some(3),
            column: Some(7),
            end: Some((3, 12)),
            help: Some("fix it".to_owned()),
        }
    }

    #[test]
    fn a_command_is_one_line_and_nothing_in_it_ends_it() {
        let mut text = Vec::new();
        github(&[message()], &mut text).unwrap();
        assert_eq!(
            String::from_utf8(text).unwrap(),
            "::error file=webhooks.d/a b%2Cc.yaml,line=3,col=7,endLine=3,endColumn=11,title=out-of-range::\
             100%25 wrong,%0Areally: yes%0Ahelp: fix it\n"
        );
    }

    #[test]
    fn a_result_names_its_rule_and_place() {
        let mut text = Vec::new();
        sarif(&[message()], &mut text).unwrap();
        let log: Value = serde_json::from_slice(&text).unwrap();
        let result = &log["runs"][0]["results"][0];
        assert_eq!(
            log["runs"][0]["tool"]["driver"]["rules"][0]["id"],
            result["ruleId"]
        );
        let place = &result["locations"][0]["physicalLocation"];
        assert_eq!(
            place["artifactLocation"]["uri"],
            "webhooks.d/a%20b%2Cc.yaml"
        );
        assert_eq!(
            place["region"],
            json!({ "startLine": 3, "startColumn": 7, "endLine": 3, "endColumn": 12 })
        );
        let rule = &log["runs"][0]["tool"]["driver"]["rules"][0];
        let description = rule["shortDescription"]["text"].as_str().unwrap();
        assert!(description.ends_with('.'), "{description}");
    }

    #[test]
    fn a_finding_keeps_its_fingerprint_when_its_line_moves_and_equal_findings_are_numbered() {
        let fingerprints = |messages: &[Message]| {
            let mut text = Vec::new();
            sarif(messages, &mut text).unwrap();
            let log: Value = serde_json::from_slice(&text).unwrap();
            let results = log["runs"][0]["results"].as_array().unwrap().clone();
            let name = |result: &Value| {
                let found = &result["partialFingerprints"];
                assert_eq!(found.as_object().unwrap().len(), 1, "{found}");
                found["primaryLocationLineHash"]
                    .as_str()
                    .unwrap()
                    .to_owned()
            };
            results.iter().map(name).collect::<Vec<_>>()
        };
        let mut moved = message();
        (moved.line, moved.column, moved.end) = (Some(9), Some(1), Some((9, 2)));
        let [first, second] = fingerprints(&[message(), moved.clone()])
            .try_into()
            .unwrap();
        let (hash, number) = first.split_once(':').unwrap();
        assert!(
            hash.len() == 32 && hash.bytes().all(|byte| byte.is_ascii_hexdigit()),
            "{hash}"
        );
        assert_eq!((number, second), ("1", format!("{hash}:2")));
        assert_eq!(fingerprints(&[moved.clone()]), [first.as_str()]);
        moved.message.push('!');
        assert_ne!(fingerprints(&[moved.clone()]), [first.as_str()]);
        // A message of the whole run has no place, and so no fingerprint.
        moved.file = None;
        let mut text = Vec::new();
        sarif(&[moved], &mut text).unwrap();
        assert!(
            !String::from_utf8(text)
                .unwrap()
                .contains("partialFingerprints")
        );
    }
}
