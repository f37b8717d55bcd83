//! The query parameters of each route, and their valid values. Pure.
//!
//! Unknown parameters are refused, although a server may ignore them: a client that relies on one would receive all rows
//! instead of the filtered ones.

use jiff::Timestamp;

use super::contract::{ACTIONS, Problem};

/// The type of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// Any text.
    Text,
    /// `true` or `false`.
    Boolean,
    /// A whole number of at least 1.
    Positive,
    /// 24 lower-case hexadecimal digits.
    ObjectId,
    /// A time in RFC 3339.
    Time,
    /// One of these values.
    OneOf(&'static [&'static str]),
}

type Parameters = &'static [(&'static str, Kind)];

const STATUSES: [&str; 4] = ["pending", "retrying", "delivered", "failed"];

const LIST: Parameters = &[
    ("page", Kind::Positive),
    ("size", Kind::Positive),
    ("search", Kind::Text),
    ("enabled", Kind::Boolean),
    ("action", Kind::OneOf(&ACTIONS)),
];

const EVENTS: Parameters = &[
    ("page", Kind::Positive),
    ("size", Kind::Positive),
    ("search", Kind::Text),
    ("subscription_id", Kind::ObjectId),
    ("workflow_id", Kind::ObjectId),
    ("action", Kind::OneOf(&ACTIONS)),
    ("status", Kind::OneOf(&STATUSES)),
    ("start", Kind::Time),
    ("end", Kind::Time),
];

const ATTEMPTS: Parameters = &[
    ("page", Kind::Positive),
    ("size", Kind::Positive),
    ("search", Kind::Text),
    ("start", Kind::Time),
    ("end", Kind::Time),
];

/// Checks the query of a request. The method and the parts of the path determine the route.
///
/// # Errors
/// Returns every [`Problem`] of the query.
pub(super) fn check(
    method: &str,
    parts: &[&str],
    query: &[(String, String)],
) -> Result<(), Vec<Problem>> {
    let known = match (method, parts) {
        ("GET", []) => LIST,
        ("GET", ["events"]) => EVENTS,
        ("GET", ["events", _, "attempts"]) => ATTEMPTS,
        _ => &[],
    };
    let mut problems = Vec::new();
    for (index, (name, value)) in query.iter().enumerate() {
        let earlier = query.iter().take(index);
        let is_first = earlier.filter(|(other, _)| other == name).count() == 0;
        let kind = known.iter().find(|(known, _)| known == name);
        let problem = match kind {
            _ if !is_first => Some(("Parameter is repeated", "value_error")),
            None => Some(("Extra inputs are not permitted", "extra_forbidden")),
            Some((_, kind)) => flaw(*kind, value),
        };
        problems.extend(problem.map(|(message, kind)| Problem::query(name, message, kind)));
    }
    if problems.is_empty() {
        Ok(())
    } else {
        Err(problems)
    }
}

/// Returns the message and type of the problem of a value, if any.
fn flaw(kind: Kind, value: &str) -> Option<(&'static str, &'static str)> {
    let is_right = match kind {
        Kind::Text => true,
        Kind::Boolean => matches!(value, "true" | "false"),
        Kind::Positive => value.parse::<u64>().is_ok_and(|number| number >= 1),
        Kind::ObjectId => {
            let is_digit = |byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
            value.len() == 24 && value.bytes().all(is_digit)
        }
        Kind::Time => time(value).is_some(),
        Kind::OneOf(words) => words.contains(&value),
    };
    let flaw = match kind {
        Kind::Text | Kind::Boolean => ("Input should be a valid boolean", "bool_parsing"),
        Kind::Positive => (
            "Input should be a whole number of at least 1",
            "greater_than_equal",
        ),
        Kind::ObjectId => (
            "String should match pattern '^[0-9a-f]{24}$'",
            "string_pattern_mismatch",
        ),
        Kind::Time => ("Input should be a valid datetime", "datetime_parsing"),
        Kind::OneOf(_) => ("Input should be one of the documented values", "enum"),
    };
    (!is_right).then_some(flaw)
}

/// Parses a time in RFC 3339.
pub(super) fn time(text: &str) -> Option<Timestamp> {
    text.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "5eb7cf5a86d9755df3a6c593";

    fn problems(method: &str, parts: &[&str], query: &str) -> Vec<String> {
        let query: Vec<_> = url::form_urlencoded::parse(query.as_bytes())
            .into_owned()
            .collect();
        let problems = check(method, parts, &query).err().unwrap_or_default();
        let text = |problem: &Problem| {
            let problem = problem.to_json();
            format!("{}: {}", problem["loc"], problem["type"])
        };
        problems.iter().map(text).collect()
    }

    #[test]
    fn each_route_takes_its_own_parameters_once_and_with_documented_values() {
        let attempts = ["events", "e", "attempts"];
        let routes: [(&str, &[&str], &str, &str); 3] = [
            (
                "GET",
                &[],
                "page=1&size=300&search=&enabled=true&action=workflow_created",
                "page=0&size=-1&enabled=1&action=zebra",
            ),
            (
                "GET",
                &["events"],
                "page=2&size=1&search=x&subscription_id=5eb7cf5a86d9755df3a6c593&workflow_id=5eb7cf5a86d9755df3a6c593&action=workflow_run_completed&status=failed&start=2026-01-01T00:00:00Z&end=2026-01-01T00:00:00%2B02:00",
                "subscription_id=x&workflow_id=&action=&status=gone&start=&end=2026-13-01T00:00:00Z",
            ),
            (
                "GET",
                &attempts,
                "page=2&size=1&search=x&start=2026-01-01T00:00:00Z&end=2026-01-01T00:00:00Z",
                "page=x&size=1.5&start=yesterday&end=",
            ),
        ];
        for (method, parts, valid, invalid) in routes {
            assert_eq!(problems(method, parts, valid), [""; 0], "{valid}");
            let count = invalid.split('&').count();
            assert_eq!(problems(method, parts, invalid).len(), count, "{invalid}");
            let twice = format!("{valid}&{valid}");
            let repeated = problems(method, parts, &twice);
            assert_eq!(repeated.len(), valid.split('&').count());
            assert!(
                repeated
                    .iter()
                    .all(|text| text.ends_with("\"value_error\""))
            );
        }
        let writes: [(&str, &[&str]); 4] = [
            ("POST", &[]),
            ("PATCH", &[ID]),
            ("DELETE", &[ID]),
            ("POST", &["events", ID, "retry"]),
        ];
        let routes = routes.map(|(method, parts, ..)| (method, parts));
        for (method, parts) in routes.into_iter().chain(writes) {
            assert_eq!(problems(method, parts, ""), [""; 0]);
            assert_eq!(
                problems(method, parts, "x=1"),
                ["[\"query\",\"x\"]: \"extra_forbidden\""]
            );
        }
        assert_eq!(problems("GET", &[], "start=2026-01-01T00:00:00Z").len(), 1);
    }

    #[test]
    fn a_wrong_query_is_answered_in_the_documented_shape() {
        use crate::{Emulator, Exchange, RecordedRequest, SandboxOptions};

        let emulator = Emulator::new(SandboxOptions::in_memory("key")).unwrap();
        let target = "/workflows/v1/workflow-webhooks?workflow_id=";
        let request = RecordedRequest::authorized("GET", target, None);
        let (_, Exchange::Answer(reply)) = emulator.exchange(&request, false) else {
            panic!("no answer")
        };
        assert_eq!(reply.status, 422);
        let body: serde_json::Value = serde_json::from_slice(&reply.body).unwrap();
        assert_eq!(
            body,
            serde_json::json!({ "detail": [{
                "loc": ["query", "workflow_id"],
                "msg": "Extra inputs are not permitted",
                "type": "extra_forbidden"
            }] })
        );
    }
}
