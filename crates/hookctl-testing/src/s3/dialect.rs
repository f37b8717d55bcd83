//! What a request says in the dialect of S3 or of Google Cloud Storage.

use std::collections::BTreeMap;

use hyper::header::{AUTHORIZATION, IF_MATCH, IF_NONE_MATCH};
use hyper::{HeaderMap, StatusCode};
use percent_encoding::percent_decode_str;

use super::objects::Condition;

/// The condition of Google Cloud Storage.
const GENERATION_MATCH: &str = "x-goog-if-generation-match";

/// A dialect of the interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Dialect {
    S3,
    Google,
}

/// A refusal: its status, its code, and its message.
pub(super) type Refusal = (StatusCode, &'static str, &'static str);

/// Returns the dialect of a request, if its key is the right one.
pub(super) fn authorize(headers: &HeaderMap, access_key: &str) -> Result<Dialect, Refusal> {
    let denied = |code, message| Err((StatusCode::FORBIDDEN, code, message));
    let Some(header) = text(headers, AUTHORIZATION.as_str()) else {
        return denied("AccessDenied", "Access Denied");
    };
    if let Some(token) = header.strip_prefix("Bearer ") {
        if token == access_key {
            return Ok(Dialect::Google);
        }
        let message = "Invalid Credentials";
        return Err((StatusCode::UNAUTHORIZED, "AuthenticationRequired", message));
    }
    let key = header
        .strip_prefix("AWS4-HMAC-SHA256 Credential=")
        .and_then(|rest| Some(rest.split_once('/')?.0));
    if key == Some(access_key) && header.contains("Signature=") {
        Ok(Dialect::S3)
    } else {
        let message = "The AWS Access Key Id you provided does not exist in our records.";
        denied("InvalidAccessKeyId", message)
    }
}

/// Returns the condition of a write, which must have one.
pub(super) fn condition(headers: &HeaderMap, dialect: Dialect) -> Result<Condition, Refusal> {
    let invalid = |message| Err((StatusCode::BAD_REQUEST, "InvalidRequest", message));
    let absent = text(headers, IF_NONE_MATCH.as_str());
    let e_tag = text(headers, IF_MATCH.as_str());
    let generation = text(headers, GENERATION_MATCH);
    match (dialect, absent, e_tag, generation) {
        (Dialect::S3, Some("*"), None, None) | (Dialect::Google, None, None, Some("0")) => {
            Ok(Condition::Missing)
        }
        (Dialect::S3, None, Some(e_tag), None) => Ok(Condition::ETag(e_tag.to_owned())),
        (Dialect::Google, None, None, Some(number)) => match number.parse() {
            Ok(number) => Ok(Condition::Generation(number)),
            Err(_) => invalid("not a generation"),
        },
        (_, None, None, None) => invalid("a write without a condition"),
        _ => invalid("not a condition of this interface"),
    }
}

/// Returns the bucket and the key of a path. The key of the bucket itself is empty.
pub(super) fn split(path: &str) -> Option<(String, String)> {
    let path = path.strip_prefix('/')?;
    let (bucket, key) = path.split_once('/').unwrap_or((path, ""));
    let decoded = |text: &str| Some(percent_decode_str(text).decode_utf8().ok()?.into_owned());
    Some((decoded(bucket)?, decoded(key)?))
}

/// Returns the parameters of a query.
pub(super) fn parameters(query: &str) -> BTreeMap<String, String> {
    let decoded = |text: &str| {
        let spaced = text.replace('+', " ");
        percent_decode_str(&spaced).decode_utf8_lossy().into_owned()
    };
    let pairs = query.split('&').filter(|pair| !pair.is_empty());
    pairs
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
        .map(|(name, value)| (decoded(name), decoded(value)))
        .collect()
}

/// Returns the value of a header.
pub(super) fn text<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    headers.get(name)?.to_str().ok()
}
