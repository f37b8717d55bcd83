//! Bodies that are withheld at the last moment.
//!
//! Between the permission for a write and its bytes on the wire lie queues and a connection that may have to be made, and
//! the process can be stopped anywhere in between. The HTTP client asks for the body right before it writes to the
//! connection, the head of the request included.

use std::error::Error;
use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

use hookctl_core::record::SendPermit;
use hyper::body::{Body, Bytes, Frame, SizeHint};

/// A body that ends with an error if the permit has ended when it is to be written. The API ignores a request without the
/// whole body.
pub(super) struct PermittedBody {
    content: Option<Bytes>,
    permit: SendPermit,
}

/// The permit ended before the request left the process.
#[derive(Debug)]
struct Withdrawn;

impl fmt::Display for Withdrawn {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("the permit ended before the request was sent")
    }
}

impl Error for Withdrawn {}

impl PermittedBody {
    /// Returns the body of a request. If the permit lasts, nothing is asked.
    pub(super) fn of(content: Bytes, permit: &SendPermit) -> reqwest::Body {
        if permit.is_lasting() {
            return content.into();
        }
        reqwest::Body::wrap(Self {
            content: Some(content),
            permit: permit.clone(),
        })
    }
}

impl Body for PermittedBody {
    type Data = Bytes;
    type Error = Box<dyn Error + Send + Sync>;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let Some(content) = self.content.take() else {
            return Poll::Ready(None);
        };
        Poll::Ready(Some(if self.permit.holds() {
            Ok(Frame::data(content))
        } else {
            Err(Withdrawn.into())
        }))
    }

    fn is_end_stream(&self) -> bool {
        self.content.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        let left = self.content.as_ref().map_or(0, Bytes::len);
        SizeHint::with_exact(left as u64)
    }
}

/// Returns whether a request was not sent because its permit had ended.
pub(super) fn is_withdrawn(error: &(dyn Error + 'static)) -> bool {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if error.is::<Withdrawn>() {
            return true;
        }
        cause = error.source();
    }
    false
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};

    use hookctl_core::secret::Secret;
    use hookctl_core::webhook::{Field, FieldValue, TokenChange};
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;

    use super::super::body::RequestBody;
    use super::super::options::{HttpOptions, ProxyUse};
    use super::super::transport::{
        Answer, Fate, Network, NoAnswer, Outgoing, Transport as _, Verb,
    };
    use super::*;
    use crate::WriteBody;

    const BODY: &str = r#"{"timeout_seconds":20}"#;

    /// Sends a PATCH. Returns what arrived on the connection, and the response.
    async fn sent(permit: SendPermit) -> (String, Result<Answer, NoAnswer>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let server = tokio::spawn(async move {
            let (mut connection, _) = listener.accept().await.unwrap();
            let mut arrived = Vec::new();
            while !arrived.ends_with(BODY.as_bytes()) {
                if connection.read_buf(&mut arrived).await.unwrap() == 0 {
                    break;
                }
            }
            let reply = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
            let _ = connection.write_all(reply).await;
            String::from_utf8(arrived).unwrap()
        });
        let key = Secret::new("a-key".to_owned()).unwrap();
        let network = Network::new(&HttpOptions {
            https_only: false,
            proxy: ProxyUse::None,
            ..HttpOptions::new(url.clone(), key, "the test".to_owned())
        });
        let fields = [(Field::TimeoutSeconds, FieldValue::Number(20))];
        let body = RequestBody::new(&WriteBody::patch(&fields, TokenChange::Keep));
        let request = Outgoing {
            verb: Verb::Patch,
            url: &url,
            body: Some(&body),
        };
        let answer = network.unwrap().exchange(request, &permit).await;
        (server.await.unwrap(), answer)
    }

    #[tokio::test]
    async fn a_request_is_the_same_whether_its_permit_can_end_or_not() {
        let (lasting, answer) = sent(SendPermit::lasting()).await;
        assert_eq!(answer.unwrap().status, 200);
        let (checked, answer) = sent(SendPermit::new(|| true)).await;
        assert_eq!(answer.unwrap().status, 200);
        let without_host = |request: &str| {
            let lines = request.lines().filter(|line| !line.starts_with("host:"));
            lines.map(str::to_owned).collect::<Vec<_>>()
        };
        assert_eq!(without_host(&checked), without_host(&lasting));
        assert!(checked.contains("content-length: 22\r\n"), "{checked}");
    }

    #[tokio::test]
    async fn nothing_is_sent_once_the_permit_has_ended() {
        let is_asked = Arc::new(AtomicBool::new(false));
        let asked = Arc::clone(&is_asked);
        let permit = SendPermit::new(move || {
            asked.store(true, Ordering::SeqCst);
            false
        });
        let (arrived, answer) = sent(permit).await;
        assert!(is_asked.load(Ordering::SeqCst));
        assert_eq!(arrived, "");
        assert_eq!(answer.unwrap_err().fate, Fate::NeverSent);
    }
}
