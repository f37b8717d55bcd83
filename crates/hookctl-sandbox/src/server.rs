//! The HTTP/1.1 server of the emulator, with a task for each connection.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt as _, Full, Limited, StreamBody};
use hyper::body::{Bytes, Frame, Incoming};
use hyper::header::{CONTENT_LENGTH, HeaderName, HeaderValue};
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tokio::task::{AbortHandle, JoinSet};

use super::emulator::{Emulator, Exchange, Reply};
use super::options::{SandboxOptions, Storage};

/// The maximum size of a request body, in bytes.
const BODY_LIMIT: usize = 1024 * 1024;

/// Why the emulator could not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SandboxError {
    /// Listening on the address failed.
    #[error("could not listen on {address}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// The error of the system.
        source: io::Error,
    },
    /// The file could not be read or created.
    #[error("could not use the sandbox file {path:?}")]
    Storage {
        /// The path of the file.
        path: PathBuf,
        /// The error of the file.
        source: io::Error,
    },
}

/// A running emulator, which stops on drop.
#[derive(Debug)]
pub struct Sandbox {
    address: SocketAddr,
    emulator: Emulator,
    task: AbortHandle,
}

impl Sandbox {
    /// Starts an emulator on an address. Port 0 selects a free port.
    ///
    /// # Errors
    /// Returns [`SandboxError`] if the address or the file cannot be used.
    pub async fn start(options: SandboxOptions, address: SocketAddr) -> Result<Self, SandboxError> {
        let path = match &options.storage {
            Storage::Memory { .. } => PathBuf::new(),
            Storage::File(path) => path.clone(),
        };
        let emulator =
            Emulator::new(options).map_err(|source| SandboxError::Storage { path, source })?;
        let failed = |source| SandboxError::Listen { address, source };
        let listener = TcpListener::bind(address).await.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        emulator.resume();
        let task = tokio::spawn(accept(listener, emulator.clone())).abort_handle();
        Ok(Self {
            address,
            emulator,
            task,
        })
    }

    /// Returns the base URL.
    pub fn base_url(&self) -> String {
        format!("http://{}", self.address)
    }
}

impl std::ops::Deref for Sandbox {
    type Target = Emulator;

    fn deref(&self) -> &Emulator {
        &self.emulator
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn accept(listener: TcpListener, emulator: Emulator) {
    let mut connections = JoinSet::new();
    loop {
        // Removes finished connections, so that memory does not grow over months.
        while connections.try_join_next().is_some() {}
        let Ok((stream, _)) = listener.accept().await else {
            // Most likely no file descriptors are left. Other connections will end.
            tokio::time::sleep(Duration::from_millis(50)).await;
            continue;
        };
        // Small responses must be sent at once. A failure only delays them.
        let _ = stream.set_nodelay(true);
        let emulator = emulator.clone();
        connections.spawn(async move {
            let service = hyper::service::service_fn(|request| respond(emulator.clone(), request));
            // Broken connections concern only the client.
            let _ = hyper::server::conn::http1::Builder::new()
                .serve_connection(TokioIo::new(stream), service)
                .await;
        });
    }
}

type Body = BoxBody<Bytes, io::Error>;

/// Responds to a request. An error closes the connection without a response.
async fn respond(
    emulator: Emulator,
    request: Request<Incoming>,
) -> Result<Response<Body>, io::Error> {
    let (head, body) = request.into_parts();
    let body = Limited::new(body, BODY_LIMIT).collect().await;
    let body = body.map(http_body_util::Collected::to_bytes).ok();
    wait(emulator.latency()).await;
    let request = emulator.read(&head, body.as_deref());
    let (delay, exchange) = emulator.exchange(&request, body.is_none());
    wait(delay).await;
    match exchange {
        Exchange::Answer(reply) => Ok(full(&reply)),
        Exchange::HalfAnswer(reply) => Ok(half(&reply)),
        Exchange::Close => Err(io::Error::other("closed")),
        Exchange::Hang => std::future::pending().await,
    }
}

/// Waits, unless the time is zero, since the timer has a resolution of a millisecond.
async fn wait(time: Duration) {
    if !time.is_zero() {
        tokio::time::sleep(time).await;
    }
}

fn full(reply: &Reply) -> Response<Body> {
    let body = Full::new(Bytes::copy_from_slice(&reply.body))
        .map_err(|never| match never {})
        .boxed();
    let mut response = Response::new(body);
    *response.status_mut() = status(reply);
    for (name, value) in &reply.headers {
        let name = HeaderName::try_from(name.as_str());
        let value = HeaderValue::try_from(value.as_str());
        if let (Ok(name), Ok(value)) = (name, value) {
            response.headers_mut().insert(name, value);
        }
    }
    response
}

fn half(reply: &Reply) -> Response<Body> {
    let length = reply.body.len();
    let begin = reply.body.get(..length / 2).unwrap_or_default();
    let frames = [
        Ok(Frame::data(Bytes::copy_from_slice(begin))),
        Err(io::Error::other("closed")),
    ];
    let body = StreamBody::new(futures_util::stream::iter(frames));
    let mut response = Response::new(BoxBody::new(body));
    *response.status_mut() = status(reply);
    response.headers_mut().insert(CONTENT_LENGTH, length.into());
    response
}

fn status(reply: &Reply) -> StatusCode {
    StatusCode::from_u16(reply.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}
