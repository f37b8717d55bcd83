//! What the store does and answers.

use std::time::{Duration, Instant};

use hyper::header::IF_NONE_MATCH;
use hyper::{HeaderMap, Method, StatusCode};

use super::dialect::{self, Dialect, Refusal};
use super::objects::{Condition, Object};
use super::state::{Fault, S3Request, Shared, State};

/// The time of all objects.
const MODIFIED: &str = "Thu, 01 Jan 2026 00:00:00 GMT";
const MODIFIED_IN_LISTS: &str = "2026-01-01T00:00:00.000Z";
/// The longest key.
const LONGEST: usize = 1024;
/// The parameters of a list.
const PARAMETERS: [&str; 4] = ["list-type", "prefix", "start-after", "continuation-token"];

/// A response.
#[derive(Debug, Default)]
pub(super) struct Reply {
    pub(super) status: StatusCode,
    pub(super) headers: Vec<(&'static str, String)>,
    pub(super) body: Vec<u8>,
}

/// What follows a request.
#[derive(Debug)]
pub(super) enum Outcome {
    Reply(Reply, Duration),
    Cut,
    Hang,
}

impl From<Refusal> for Reply {
    fn from((status, code, message): Refusal) -> Self {
        let body = format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>{code}</Code><Message>{message}</Message></Error>"
        );
        Self {
            status,
            headers: vec![("content-type", "application/xml".to_owned())],
            body: body.into_bytes(),
        }
    }
}

/// Does what a request asks for, unless a fault prevents it.
pub(super) fn respond(
    shared: &Shared,
    head: &hyper::http::request::Parts,
    body: Vec<u8>,
) -> Outcome {
    let at = Instant::now();
    let mut state = shared.state();
    let writes = head.method == Method::PUT;
    let once = if writes { state.once.take() } else { None };
    let fault = once.or(state.fault);
    let outcome = under(&mut state, shared, head, body, fault);
    let (_, key) = dialect::split(head.uri.path()).unwrap_or_default();
    let key = if key.is_empty() {
        head.uri.query().unwrap_or_default().to_owned()
    } else {
        key
    };
    let status = match &outcome {
        Outcome::Reply(reply, _) => Some(reply.status.as_u16()),
        Outcome::Cut | Outcome::Hang => None,
    };
    state.requests.push(S3Request {
        method: head.method.to_string(),
        key,
        status,
        at,
    });
    outcome
}

fn under(
    state: &mut State,
    shared: &Shared,
    head: &hyper::http::request::Parts,
    body: Vec<u8>,
    fault: Option<Fault>,
) -> Outcome {
    let writes = head.method == Method::PUT;
    let now = |reply: Reply| Outcome::Reply(reply, Duration::ZERO);
    let busy: Refusal = (
        StatusCode::SERVICE_UNAVAILABLE,
        "SlowDown",
        "Please reduce your request rate.",
    );
    let ignored = fault == Some(Fault::IgnoreConditions);
    match fault {
        Some(Fault::Refuse) => return now(busy.into()),
        Some(Fault::Hang) => return Outcome::Hang,
        Some(Fault::Elsewhere(status, region)) => return now(elsewhere(status, region)),
        Some(Fault::ReadOnly) if writes => {
            return now((StatusCode::FORBIDDEN, "AccessDenied", "Access Denied").into());
        }
        Some(Fault::Conflict) if writes => {
            let message = "The conditional request cannot succeed due to a conflicting operation.";
            return now((StatusCode::CONFLICT, "ConditionalRequestConflict", message).into());
        }
        _ => {}
    }
    let reply = perform(state, shared, head, body, ignored).unwrap_or_else(Reply::from);
    match fault {
        Some(Fault::CutAfterWrite) if writes => Outcome::Cut,
        Some(Fault::HangAfterWrite) if writes => Outcome::Hang,
        Some(Fault::RefuseAfterWrite) if writes => now(busy.into()),
        Some(Fault::Delay(delay)) => Outcome::Reply(reply, delay),
        _ => now(reply),
    }
}

/// Returns a redirect as S3 sends it for a bucket of another region.
fn elsewhere(status: u16, region: Option<&'static str>) -> Reply {
    let (code, message) = match status {
        307 => (
            "TemporaryRedirect",
            "Please re-send this request to the specified temporary endpoint.",
        ),
        _ => (
            "PermanentRedirect",
            "The bucket you are attempting to access must be addressed using the specified endpoint.",
        ),
    };
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::MOVED_PERMANENTLY);
    let mut reply = Reply::from((status, code, message));
    let region = region.map(|region| ("x-amz-bucket-region", region.to_owned()));
    reply.headers.extend(region);
    reply
}

fn perform(
    state: &mut State,
    shared: &Shared,
    head: &hyper::http::request::Parts,
    body: Vec<u8>,
    ignores_conditions: bool,
) -> Result<Reply, Refusal> {
    let options = &shared.options;
    let dialect = dialect::authorize(&head.headers, &options.access_key)?;
    let path = dialect::split(head.uri.path());
    let (bucket, key) = path.ok_or((StatusCode::BAD_REQUEST, "InvalidURI", "not a path"))?;
    if bucket != options.bucket {
        let message = "The specified bucket does not exist";
        return Err((StatusCode::NOT_FOUND, "NoSuchBucket", message));
    }
    if key.len() > LONGEST {
        return Err((
            StatusCode::BAD_REQUEST,
            "KeyTooLongError",
            "Your key is too long",
        ));
    }
    let query = head.uri.query().unwrap_or_default();
    match (&head.method, key.is_empty(), query.is_empty()) {
        (&Method::GET, true, false) => list(state, query, options.page_size),
        (&Method::GET, false, true) => get(state, &key, &head.headers, dialect),
        (&Method::PUT, false, true) => {
            let condition = dialect::condition(&head.headers, dialect)?;
            if ignores_conditions || state.objects.holds(&key, &condition) {
                let object = state.objects.put(&key, body);
                return Ok(Reply {
                    headers: described(&object, dialect),
                    ..Reply::default()
                });
            }
            Err(unmet(state, &key, &condition))
        }
        _ => Err((
            StatusCode::METHOD_NOT_ALLOWED,
            "MethodNotAllowed",
            "The specified method is not allowed against this resource.",
        )),
    }
}

/// The refusal of a write whose condition does not hold.
fn unmet(state: &State, key: &str, condition: &Condition) -> Refusal {
    if state.objects.get(key).is_none() && matches!(condition, Condition::ETag(_)) {
        (
            StatusCode::NOT_FOUND,
            "NoSuchKey",
            "The specified key does not exist.",
        )
    } else {
        let message = "At least one of the pre-conditions you specified did not hold";
        (
            StatusCode::PRECONDITION_FAILED,
            "PreconditionFailed",
            message,
        )
    }
}

fn get(state: &State, key: &str, headers: &HeaderMap, dialect: Dialect) -> Result<Reply, Refusal> {
    let missing = (
        StatusCode::NOT_FOUND,
        "NoSuchKey",
        "The specified key does not exist.",
    );
    let object = state.objects.get(key).ok_or(missing)?;
    let mut reply = Reply {
        headers: described(object, dialect),
        ..Reply::default()
    };
    if dialect::text(headers, IF_NONE_MATCH.as_str()) == Some(&object.e_tag) {
        reply.status = StatusCode::NOT_MODIFIED;
    } else {
        reply.body.clone_from(&object.content);
    }
    Ok(reply)
}

fn described(object: &Object, dialect: Dialect) -> Vec<(&'static str, String)> {
    let mut headers = vec![
        ("etag", object.e_tag.clone()),
        ("last-modified", MODIFIED.to_owned()),
    ];
    if dialect == Dialect::Google {
        headers.push(("x-goog-generation", object.generation.to_string()));
    }
    headers
}

fn list(state: &State, query: &str, most: usize) -> Result<Reply, Refusal> {
    let invalid = |message| (StatusCode::BAD_REQUEST, "InvalidArgument", message);
    let parameters = dialect::parameters(query);
    if parameters
        .keys()
        .any(|name| !PARAMETERS.contains(&name.as_str()))
    {
        return Err(invalid("an unknown parameter"));
    }
    let value = |name: &str| parameters.get(name).map_or("", String::as_str);
    if value("list-type") != "2" {
        return Err(invalid("not version 2 of the list"));
    }
    let token = value("continuation-token");
    let after = match token.strip_prefix("after:") {
        Some(after) => after,
        None if token.is_empty() => value("start-after"),
        None => return Err(invalid("The continuation token provided is incorrect")),
    };
    let (page, has_more) = state.objects.page(value("prefix"), after, most);
    let mut body = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<ListBucketResult>");
    body.push_str(&format!(
        "<KeyCount>{}</KeyCount><IsTruncated>{has_more}</IsTruncated>",
        page.len()
    ));
    if let (true, Some((last, _))) = (has_more, page.last()) {
        let token = escaped(&format!("after:{last}"));
        body.push_str(&format!(
            "<NextContinuationToken>{token}</NextContinuationToken>"
        ));
    }
    for (key, object) in page {
        body.push_str(&format!(
            "<Contents><Key>{}</Key><LastModified>{MODIFIED_IN_LISTS}</LastModified><ETag>{}</ETag><Size>{}</Size></Contents>",
            escaped(key),
            escaped(&object.e_tag),
            object.content.len()
        ));
    }
    body.push_str("</ListBucketResult>");
    Ok(Reply {
        headers: vec![("content-type", "application/xml".to_owned())],
        body: body.into_bytes(),
        ..Reply::default()
    })
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}
