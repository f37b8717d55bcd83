//! Recorded requests, for assertions.

use hyper::header::AUTHORIZATION;
use serde_json::Value;

/// A recorded request. It contains no API key, but may contain a token in its body, in memory only.
#[derive(Clone, Debug, PartialEq)]
pub struct RecordedRequest {
    /// The number of the request, from 1.
    pub number: usize,
    /// `GET`, `POST`, `PATCH`, or `DELETE`.
    pub method: String,
    /// The path, without the query.
    pub path: String,
    /// The query, in order.
    pub query: Vec<(String, String)>,
    /// The body, if it was JSON.
    pub body: Option<Value>,
    /// Whether the API key was correct.
    pub authorized: bool,
    /// The headers `teamid`, `uuid`, and `user-agent`, if sent.
    pub headers: Vec<(String, String)>,
}

impl RecordedRequest {
    /// Creates a request with the right API key, for [`Emulator::exchange`](crate::Emulator::exchange). The target is a path
    /// with its query.
    pub fn authorized(method: &str, target: &str, body: Option<Value>) -> Self {
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        Self {
            number: 0,
            method: method.to_owned(),
            path: path.to_owned(),
            query: url::form_urlencoded::parse(query.as_bytes())
                .into_owned()
                .collect(),
            body,
            authorized: true,
            headers: Vec::new(),
        }
    }

    /// Reads a request. The caller sets its number.
    pub(super) fn read(
        head: &hyper::http::request::Parts,
        body: Option<&[u8]>,
        is_api_key: impl Fn(&str) -> bool,
    ) -> Self {
        let text = |name: &str| head.headers.get(name).and_then(|value| value.to_str().ok());
        let query = head.uri.query().unwrap_or_default();
        Self {
            number: 0,
            method: head.method.to_string(),
            path: head.uri.path().to_owned(),
            query: url::form_urlencoded::parse(query.as_bytes())
                .into_owned()
                .collect(),
            body: body
                .filter(|body| !body.is_empty())
                .and_then(|body| serde_json::from_slice(body).ok()),
            authorized: text(AUTHORIZATION.as_str())
                .and_then(|value| value.strip_prefix("Bearer "))
                .is_some_and(is_api_key),
            headers: ["teamid", "uuid", "user-agent"]
                .into_iter()
                .filter_map(|name| Some((name.to_owned(), text(name)?.to_owned())))
                .collect(),
        }
    }

    /// Returns the value of a query parameter.
    pub fn query(&self, name: &str) -> Option<&str> {
        self.query
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.as_str())
    }

    /// Returns the method, the last part of the path, and the body on one line, for comparison in tests.
    pub fn line(&self) -> String {
        let last = self.path.rsplit('/').next().unwrap_or_default();
        match &self.body {
            Some(body) => format!("{} {last} {body}", self.method),
            None => format!("{} {last}", self.method),
        }
    }
}
