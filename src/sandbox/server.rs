//! The emulator as a server: HTTP/1.1 on a socket, one task per connection.

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt as _, Full, Limited, StreamBody};
use hyper::body::{Bytes, Frame, Incoming};
use hyper::header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderName, HeaderValue};
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::task::{AbortHandle, JoinSet};

use super::contract::Webhook;
use super::fault::{Fault, Faults, When};
use super::request::RecordedRequest;
use super::routes;
use super::store::Store;

/// The most that is read of a body, in bytes.
const BODY_LIMIT: usize = 1024 * 1024;

/// How many requests are remembered.
const LOG_LIMIT: usize = 100_000;

/// How the emulator is run.
pub struct SandboxOptions {
    /// The API key that it takes.
    pub api_key: String,
    /// Where it keeps its webhooks.
    pub storage: Storage,
    /// How it speaks where the contract leaves that open.
    pub dialect: Dialect,
    /// How long every answer takes.
    pub latency: Duration,
}

impl SandboxOptions {
    /// An emulator in memory that takes this key, without latency.
    pub fn in_memory(api_key: impl Into<String>) -> Self {
        Self {
            api_key: api_key.into(),
            storage: Storage::Memory {
                seed: 0x5eb7_cf5a_86d9_755d,
            },
            dialect: Dialect::default(),
            latency: Duration::ZERO,
        }
    }
}

/// Where the emulator keeps its webhooks.
#[derive(Clone, Debug)]
pub enum Storage {
    /// Nowhere.
    Memory {
        /// The same seed gives the same ids.
        seed: u64,
    },
    /// In this file.
    File(PathBuf),
}

/// How the emulator speaks where the contract leaves that open.
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is an open question of its own"
)]
#[derive(Clone, Copy, Debug, Default)]
pub struct Dialect {
    /// The name of the list's array.
    pub list: ListName,
    /// Whether the list says no total.
    pub without_total: bool,
    /// The most webhooks per page, if it caps the size silently.
    pub page_cap: Option<usize>,
    /// Whether ids are called `_id`.
    pub document_ids: bool,
    /// Whether writes are confirmed with an empty body.
    pub silent_writes: bool,
    /// Whether names are trimmed, hosts lowered, and addresses given a path.
    pub normalizes: bool,
}

/// The name of the list's array.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ListName {
    /// `subscriptions`, the likeliest.
    #[default]
    Subscriptions,
    /// `webhooks`
    Webhooks,
    /// `workflow_webhooks`
    WorkflowWebhooks,
    /// A name that nobody expects.
    Other,
    /// No envelope at all.
    Bare,
}

/// Why the emulator does not run.
#[derive(Debug, thiserror::Error)]
pub enum SandboxError {
    /// The address could not be listened on.
    #[error("could not listen on {address}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// Why.
        source: io::Error,
    },
    /// The file could not be used.
    #[error("could not use the sandbox file {}", path.display())]
    Storage {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// A running emulator. It stops when this is dropped.
pub struct Sandbox {
    address: SocketAddr,
    shared: Arc<Shared>,
    task: AbortHandle,
}

/// What every connection shares.
pub(super) struct Shared {
    pub(super) api_key: String,
    pub(super) dialect: Dialect,
    latency: Duration,
    state: Mutex<State>,
}

pub(super) struct State {
    pub(super) store: Store,
    faults: Faults,
    requests: VecDeque<RecordedRequest>,
    received: usize,
    by_method: BTreeMap<String, usize>,
}

impl Shared {
    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes note of a request and returns the faults that are for it.
    fn record(&self, mut request: RecordedRequest) -> Vec<Fault> {
        let mut state = self.lock();
        state.received += 1;
        let number = state.received;
        let of_method = state.by_method.entry(request.method.clone()).or_default();
        *of_method += 1;
        let of_method = *of_method;
        let faults = state.faults.take(number, &request.method, of_method);
        request.number = number;
        if state.requests.len() == LOG_LIMIT {
            state.requests.pop_front();
        }
        state.requests.push_back(request);
        faults
    }
}

impl Sandbox {
    /// Starts an emulator on an address; port 0 means any free one.
    ///
    /// # Errors
    /// [`SandboxError`] if the address or the file cannot be used.
    pub async fn start(options: SandboxOptions, address: SocketAddr) -> Result<Self, SandboxError> {
        let store = match &options.storage {
            Storage::Memory { seed } => Store::in_memory(*seed),
            Storage::File(path) => {
                let failed = |source| SandboxError::Storage {
                    path: path.clone(),
                    source,
                };
                let seed = getrandom::u64().map_err(|error| failed(io::Error::other(error)))?;
                Store::in_file(path, seed).map_err(failed)?
            }
        };
        let failed = |source| SandboxError::Listen { address, source };
        let listener = TcpListener::bind(address).await.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        let shared = Arc::new(Shared {
            api_key: options.api_key,
            dialect: options.dialect,
            latency: options.latency,
            state: Mutex::new(State {
                store,
                faults: Faults::default(),
                requests: VecDeque::new(),
                received: 0,
                by_method: BTreeMap::new(),
            }),
        });
        let task = tokio::spawn(accept(listener, Arc::clone(&shared))).abort_handle();
        Ok(Self {
            address,
            shared,
            task,
        })
    }

    /// The base URL.
    pub fn base_url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The requests so far, the oldest first; at most the last 100,000.
    pub fn requests(&self) -> Vec<RecordedRequest> {
        self.lock().requests.iter().cloned().collect()
    }

    /// Forgets the requests so far; their numbers go on.
    pub fn clear_requests(&self) {
        self.lock().requests.clear();
    }

    /// How many requests there were since the start.
    pub fn received(&self) -> usize {
        self.lock().received
    }

    /// Adds a fault.
    pub fn fault(&self, when: When, fault: Fault) {
        self.lock().faults.add(when, fault);
    }

    /// Its webhooks, in the order in which they were made.
    pub fn webhooks(&self) -> Vec<Webhook> {
        self.lock().store.webhooks().to_vec()
    }

    /// The token of a webhook.
    pub fn token(&self, id: &str) -> Option<String> {
        self.lock().store.token(id).map(str::to_owned)
    }

    /// Makes or replaces a webhook behind the API's back.
    ///
    /// # Errors
    /// What keeps the file from being written.
    pub fn put(&self, webhook: Webhook) -> io::Result<()> {
        self.lock().store.put(webhook)
    }

    /// Edits the webhook of an id or a name behind the API's back: the fields of the object are laid
    /// over it, unchecked. Whether there was one.
    ///
    /// # Errors
    /// What keeps the file from being written.
    pub fn edit(&self, webhook: &str, fields: &Value) -> io::Result<bool> {
        edit(&mut self.lock().store, webhook, fields)
    }

    /// Deletes the webhook of an id or a name behind the API's back. Whether there was one.
    ///
    /// # Errors
    /// What keeps the file from being written.
    pub fn remove(&self, webhook: &str) -> io::Result<bool> {
        remove(&mut self.lock().store, webhook)
    }

    /// Adds a delivery, as the API would answer it.
    ///
    /// # Errors
    /// What keeps the file from being written.
    pub fn seed_event(&self, event: Value) -> io::Result<()> {
        self.lock().store.seed_event(event)
    }

    /// Adds an attempt at a delivery, as the API would answer it.
    ///
    /// # Errors
    /// What keeps the file from being written.
    pub fn seed_attempt(&self, attempt: Value) -> io::Result<()> {
        self.lock().store.seed_attempt(attempt)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.shared.lock()
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn position<'a>(store: &'a Store, webhook: &str) -> Option<&'a Webhook> {
    store
        .webhooks()
        .iter()
        .find(|known| known.id == webhook || known.name == webhook)
}

fn edit(store: &mut Store, webhook: &str, fields: &Value) -> io::Result<bool> {
    let Some(known) = position(store, webhook) else {
        return Ok(false);
    };
    let mut edited = serde_json::to_value(known)?;
    if let (Some(edited), Some(fields)) = (edited.as_object_mut(), fields.as_object()) {
        edited.extend(fields.clone());
    }
    store.put(serde_json::from_value(edited)?)?;
    Ok(true)
}

fn remove(store: &mut Store, webhook: &str) -> io::Result<bool> {
    match position(store, webhook).map(|known| known.id.clone()) {
        Some(id) => store.delete(&id),
        None => Ok(false),
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    let mut connections = JoinSet::new();
    loop {
        // Connections that ended are let go of, so that a server that runs for months does not grow.
        while connections.try_join_next().is_some() {}
        let Ok((stream, _)) = listener.accept().await else {
            // Out of file descriptors, most likely: others will end.
            tokio::time::sleep(Duration::from_millis(50)).await;
            continue;
        };
        // Small answers must not wait for more to come; failing to say so only slows them down.
        let _ = stream.set_nodelay(true);
        let shared = Arc::clone(&shared);
        connections.spawn(async move {
            let service =
                hyper::service::service_fn(|request| respond(Arc::clone(&shared), request));
            // A connection that breaks is the client's business.
            let _ = hyper::server::conn::http1::Builder::new()
                .serve_connection(TokioIo::new(stream), service)
                .await;
        });
    }
}

type Body = BoxBody<Bytes, io::Error>;

/// The answer to one request; an error closes the connection without one.
async fn respond(
    shared: Arc<Shared>,
    request: Request<Incoming>,
) -> Result<Response<Body>, io::Error> {
    let (head, body) = request.into_parts();
    let body = Limited::new(body, BODY_LIMIT).collect().await;
    let body = body.map(http_body_util::Collected::to_bytes).ok();
    tokio::time::sleep(shared.latency).await;
    let request = RecordedRequest::read(&head, body.as_deref(), &shared.api_key);
    let faults = shared.record(request.clone());
    let mut effect = Effect::Answer;
    for fault in faults {
        match fault {
            Fault::Edit { webhook, fields } => {
                edit(&mut shared.lock().store, &webhook, &fields)?;
            }
            Fault::Remove { webhook } => {
                remove(&mut shared.lock().store, &webhook)?;
            }
            Fault::Delay(time) => tokio::time::sleep(time).await,
            Fault::CloseBefore => return Err(io::Error::other("closed")),
            Fault::Hang => std::future::pending().await,
            Fault::Answer {
                status,
                headers,
                body,
            } => return Ok(scripted(status, &headers, &body)),
            after => effect = Effect::After(after),
        }
    }
    let (status, answer) = routes::process(&shared, &request, body.is_none());
    match effect {
        Effect::Answer => Ok(full(status, &answer)),
        Effect::After(Fault::HangAfter) => std::future::pending().await,
        Effect::After(Fault::HalfAnswer) => Ok(half(status, &answer)),
        Effect::After(Fault::AnswerAfter {
            status,
            headers,
            body,
        }) => Ok(scripted(status, &headers, &body)),
        Effect::After(_) => Err(io::Error::other("closed")),
    }
}

enum Effect {
    Answer,
    After(Fault),
}

fn full(status: StatusCode, answer: &[u8]) -> Response<Body> {
    let body = Full::new(Bytes::copy_from_slice(answer))
        .map_err(|never| match never {})
        .boxed();
    let mut response = Response::new(body);
    *response.status_mut() = status;
    if !answer.is_empty() {
        response
            .headers_mut()
            .insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    }
    response
}

fn half(status: StatusCode, answer: &[u8]) -> Response<Body> {
    let begin = Bytes::copy_from_slice(answer.get(..answer.len() / 2).unwrap_or_default());
    let frames = [Ok(Frame::data(begin)), Err(io::Error::other("closed"))];
    let body = StreamBody::new(futures_util::stream::iter(frames));
    let mut response = Response::new(BoxBody::new(body));
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(CONTENT_LENGTH, answer.len().into());
    response
}

fn scripted(status: u16, headers: &[(String, String)], body: &str) -> Response<Body> {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = full(status, body.as_bytes());
    for (name, value) in headers {
        let name = HeaderName::try_from(name.as_str());
        let value = HeaderValue::try_from(value.as_str());
        if let (Ok(name), Ok(value)) = (name, value) {
            response.headers_mut().insert(name, value);
        }
    }
    response
}
