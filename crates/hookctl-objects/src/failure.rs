//! Failed requests, and what they mean.

use std::error::Error;

use hookctl_core::outside::{Outside, beginning};
use hookctl_core::secret::Filter;
use hookctl_record::shared::{BlobError, BlobErrorKind};
use http::{HeaderMap, StatusCode};

/// The longest message of a store that is shown, in characters.
const LONGEST: usize = 300;

/// Why a request failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Failure {
    #[error("timed out")]
    TimedOut,
    #[error("{0}")]
    Broken(String),
    #[error("a response exceeds 16 MiB")]
    TooLarge,
    #[error("lists too many objects")]
    TooMany,
    #[error("a request to {0} would not use https")]
    PlainHttp(String),
    #[error("no credentials were found, and this machine has no metadata service")]
    NoMetadata,
    #[error(transparent)]
    Status(#[from] Refusal),
    /// Not of a request.
    #[error("{text}")]
    Other { text: String, of_file: bool },
}

/// A response with a status of failure.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{} {}{}{message}", .status.as_u16(), self.reason(), if .message.is_empty() { "" } else { ": " })]
pub(crate) struct Refusal {
    pub(crate) status: StatusCode,
    /// The code of the store, such as `NoSuchKey`.
    pub(crate) code: Option<String>,
    pub(crate) message: String,
    /// Whether the request was for an object, rather than for credentials.
    pub(crate) of_object: bool,
}

impl Refusal {
    /// Reads the description of a failure: the XML of stores, or the JSON of token services.
    pub(crate) fn read(
        status: StatusCode,
        headers: &HeaderMap,
        body: &[u8],
        of_object: bool,
        mask: &Filter,
    ) -> Self {
        let body = String::from_utf8_lossy(body);
        let header = |name| {
            let value: Option<&http::HeaderValue> = headers.get(name);
            value.and_then(|value| value.to_str().ok())
        };
        let (code, message) = if body.trim_start().starts_with('{') {
            json(&body)
        } else {
            let code = tagged(&body, "Code").or_else(|| header("x-ms-error-code"));
            let message = tagged(&body, "Message").unwrap_or_default();
            (code.map(str::to_owned), message.to_owned())
        };
        // Azure adds lines with the id of the request.
        let first = message.trim().lines().next().unwrap_or_default();
        let mut message = beginning(&mask.masked(first), LONGEST).into_owned();
        // Only what is certainly a region is shown: the header may contain any text.
        if let Some(region) = header("x-amz-bucket-region")
            && status.is_redirection()
            && is_region(region)
            && mask.masked(region) == region
        {
            message = format!("the bucket is in region {region}");
        }
        let plain = |code: &String| {
            let mut letters = code.chars();
            code.len() <= 64
                && letters.all(|letter| letter.is_ascii_alphanumeric() || letter == '_')
        };
        Self {
            status,
            code: code.filter(plain),
            message,
            of_object,
        }
    }

    fn reason(&self) -> &str {
        let reason = self.status.canonical_reason();
        self.code.as_deref().or(reason).unwrap_or_default()
    }

    fn has(&self, code: &str) -> bool {
        self.code.as_deref() == Some(code)
    }

    fn misses_bucket(&self) -> bool {
        self.has("NoSuchBucket") || self.has("ContainerNotFound")
    }

    /// Returns whether the condition of a write does not hold.
    fn refuses_write(&self, creates: bool) -> bool {
        let of_container =
            |code: &str| code.starts_with("Container") || code.starts_with("Account");
        match self.status {
            StatusCode::PRECONDITION_FAILED => true,
            // Also of S3, if another conditional write is under way.
            StatusCode::CONFLICT => !self.code.as_deref().is_some_and(of_container),
            StatusCode::NOT_MODIFIED => creates,
            StatusCode::NOT_FOUND => !creates && !self.misses_bucket(),
            _ => false,
        }
    }

    fn kind(&self) -> BlobErrorKind {
        let temporary = [
            StatusCode::REQUEST_TIMEOUT,
            StatusCode::CONFLICT,
            StatusCode::TOO_MANY_REQUESTS,
        ];
        // Some stores do not implement conditions.
        let permanent = self.status == StatusCode::NOT_IMPLEMENTED;
        let server = self.status.is_server_error() && !permanent;
        let timed_out = self.has("RequestTimeout");
        if server || timed_out || temporary.contains(&self.status) {
            BlobErrorKind::Unavailable
        } else if self.misses_bucket() {
            BlobErrorKind::NoBucket
        } else if self.of_object && self.status.is_redirection() {
            BlobErrorKind::Elsewhere
        } else {
            BlobErrorKind::Denied
        }
    }
}

impl Failure {
    /// Finds the failed request behind an error.
    pub(crate) fn of(error: &object_store::Error, mask: &Filter) -> Self {
        let mut cause: Option<&(dyn Error + 'static)> = Some(error);
        let mut of_file = false;
        while let Some(found) = cause {
            if let Some(failure) = found.downcast_ref::<Self>() {
                return failure.clone();
            }
            // Only credentials are read from files.
            of_file |= found.is::<std::io::Error>();
            cause = found.source();
        }
        let text = error.to_string();
        Self::Other {
            text: described(&text, mask),
            of_file,
        }
    }

    /// Returns whether the condition of a write does not hold.
    pub(crate) fn refuses_write(&self, creates: bool) -> bool {
        matches!(self, Self::Status(refusal) if refusal.of_object && refusal.refuses_write(creates))
    }

    /// Returns whether no object has this name.
    pub(crate) fn misses_object(&self) -> bool {
        matches!(self, Self::Status(refusal)
            if refusal.of_object && refusal.status == StatusCode::NOT_FOUND && !refusal.misses_bucket())
    }

    /// Returns whether an object has the version that the caller knows.
    pub(crate) fn is_unchanged(&self) -> bool {
        matches!(self, Self::Status(refusal)
            if refusal.of_object && refusal.status == StatusCode::NOT_MODIFIED)
    }

    /// Returns the error of the port. `place` names the bucket.
    pub(crate) fn error(&self, action: &str, place: &str) -> BlobError {
        let text = match self {
            Self::Status(refusal) if refusal.misses_bucket() => format!("{place} does not exist"),
            _ => format!("could not {action}: {self}"),
        };
        BlobError::new(self.kind(), Outside::text(&text))
    }

    fn kind(&self) -> BlobErrorKind {
        match self {
            Self::TooLarge | Self::TooMany => BlobErrorKind::TooLarge,
            Self::PlainHttp(_) | Self::NoMetadata | Self::Other { of_file: true, .. } => {
                BlobErrorKind::Denied
            }
            Self::TimedOut | Self::Broken(_) | Self::Other { .. } => BlobErrorKind::Unavailable,
            Self::Status(refusal) => refusal.kind(),
        }
    }
}

/// Returns a text of a library for display: bounded, without secrets, and without the queries of URLs, which can be
/// signatures.
pub(crate) fn described(text: &str, mask: &Filter) -> String {
    let masked = mask.masked(text);
    let words = masked
        .split_whitespace()
        .map(|word| match word.split_once('?') {
            Some((before, _)) if word.contains("://") => before,
            _ => word,
        });
    let text = words.collect::<Vec<_>>().join(" ");
    beginning(&text, LONGEST).into_owned()
}

/// Returns whether a text has the form of a region.
fn is_region(text: &str) -> bool {
    let mut letters = text.bytes();
    (1..=32).contains(&text.len())
        && letters.all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
}

/// Returns the content of the first element of this name.
fn tagged<'t>(text: &'t str, name: &str) -> Option<&'t str> {
    let (_, rest) = text.split_once(&format!("<{name}>"))?;
    let (content, _) = rest.split_once(&format!("</{name}>"))?;
    Some(content)
}

/// Returns the code and the message of `{"error": {"status", "message"}}` or `{"error", "error_description"}`.
fn json(text: &str) -> (Option<String>, String) {
    let found: serde_json::Value = serde_json::from_str(text).unwrap_or_default();
    let error = found.get("error");
    let text = |value: Option<&serde_json::Value>| value?.as_str().map(str::to_owned);
    let inner = |key: &str| text(error?.get(key));
    let code = text(error).or_else(|| inner("status"));
    let message = text(found.get("error_description")).or_else(|| inner("message"));
    (code, message.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(status: u16, body: &str) -> Failure {
        let mut mask = Filter::new();
        mask.follow_text("hunter2-hunter2");
        let status = StatusCode::from_u16(status).unwrap();
        Refusal::read(status, &HeaderMap::new(), body.as_bytes(), true, &mask).into()
    }

    fn xml(code: &str) -> String {
        format!("<?xml version=\"1.0\"?><Error><Code>{code}</Code><Message>Why</Message></Error>")
    }

    #[test]
    fn conditions_that_do_not_hold() {
        for (status, code, create, swap) in [
            (412, "PreconditionFailed", true, true),
            (412, "ConditionNotMet", true, true),
            (409, "ConditionalRequestConflict", true, true),
            (409, "BlobAlreadyExists", true, true),
            (409, "ContainerBeingDeleted", false, false),
            (304, "", true, false),
            (404, "NoSuchKey", false, true),
            (404, "NoSuchBucket", false, false),
            (404, "ContainerNotFound", false, false),
            (403, "AccessDenied", false, false),
            (503, "SlowDown", false, false),
        ] {
            let failure = refusal(status, &xml(code));
            assert_eq!(failure.refuses_write(true), create, "{status} {code}");
            assert_eq!(failure.refuses_write(false), swap, "{status} {code}");
        }
        let missing = refusal(404, &xml("NoSuchKey"));
        assert!(missing.misses_object() && !missing.is_unchanged());
        assert!(!refusal(404, &xml("NoSuchBucket")).misses_object());
        assert!(refusal(304, "").is_unchanged());
    }

    #[test]
    fn a_failure_to_get_credentials_is_no_statement_about_an_object() {
        for status in [304, 404, 409, 412] {
            let status = StatusCode::from_u16(status).unwrap();
            let mask = Filter::new();
            let failure = Refusal::read(status, &HeaderMap::new(), b"", false, &mask).into();
            let failure: Failure = failure;
            assert!(!failure.misses_object() && !failure.is_unchanged());
            assert!(!failure.refuses_write(true) && !failure.refuses_write(false));
        }
    }

    #[test]
    fn kinds_say_whether_a_retry_helps() {
        use BlobErrorKind::{Denied, Elsewhere, NoBucket, TooLarge, Unavailable};
        for (status, code, kind) in [
            (500, "InternalError", Unavailable),
            (503, "SlowDown", Unavailable),
            (429, "", Unavailable),
            (408, "", Unavailable),
            (409, "OperationAborted", Unavailable),
            (400, "RequestTimeout", Unavailable),
            (400, "ExpiredToken", Denied),
            (301, "PermanentRedirect", Elsewhere),
            (401, "AuthenticationRequired", Denied),
            (403, "AccessDenied", Denied),
            (404, "NoSuchBucket", NoBucket),
            (404, "ContainerNotFound", NoBucket),
            (501, "NotImplemented", Denied),
        ] {
            assert_eq!(refusal(status, &xml(code)).kind(), kind, "{status} {code}");
        }
        assert_eq!(Failure::TooLarge.kind(), TooLarge);
        assert_eq!(Failure::TimedOut.kind(), Unavailable);
        assert_eq!(Failure::NoMetadata.kind(), Denied);
    }

    #[test]
    fn messages_are_one_bounded_line_without_secrets() {
        let text = |status, body: &str| {
            refusal(status, body)
                .error("read head", "s3://b")
                .to_string()
        };
        assert_eq!(
            text(403, &xml("AccessDenied")),
            "could not read head: 403 AccessDenied: Why"
        );
        assert_eq!(text(404, &xml("NoSuchBucket")), "s3://b does not exist");
        assert_eq!(
            text(503, ""),
            "could not read head: 503 Service Unavailable"
        );
        let token = "{\"error\":\"invalid_grant\",\"error_description\":\"expired\"}";
        assert_eq!(
            text(400, token),
            "could not read head: 400 invalid_grant: expired"
        );
        let google = "{\"error\":{\"code\":403,\"status\":\"FORBIDDEN\",\"message\":\"no\"}}";
        assert_eq!(text(403, google), "could not read head: 403 FORBIDDEN: no");
        let long = format!("<Message>{}</Message>", "a".repeat(9999));
        assert!(text(400, &long).len() < 400);
        for hostile in [
            "<Code>a\nb</Code><Message>::error::x\u{202e}\r\nRequestId:1</Message>",
            "<Code>A</Code><Message>hunter2-hunter2</Message><StringToSign>hunter2-hunter2</StringToSign>",
            "<html>hunter2-hunter2</html>",
        ] {
            let text = text(400, hostile);
            assert!(!text.contains(['\n', '\r', '\u{202e}']), "{text}");
            assert!(
                !text.contains("hunter2") && !text.contains("RequestId"),
                "{text}"
            );
        }
    }

    #[test]
    fn texts_of_libraries_lose_queries_and_secrets() {
        let mut mask = Filter::new();
        mask.follow_text("hunter2-hunter2");
        let text = described(
            "GET https://a.example/b?sig=abc failed:\n hunter2-hunter2?",
            &mask,
        );
        assert_eq!(text, "GET https://a.example/b failed: (secret)?");
    }
}
