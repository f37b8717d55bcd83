//! The emulator without a network: a request in, an answer out, faults between.

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use serde_json::Value;

use super::account::{Shared, State};
use super::contract::Webhook;
use super::fault::{Fault, Faults, Hears, When};
use super::options::{SandboxOptions, Storage};
use super::request::RecordedRequest;
use super::routes;
use super::store::Store;

/// An emulated account, and the lever of its faults. Copies are the same account.
#[derive(Clone)]
pub struct Emulator(Arc<Shared>);

/// What an emulated API does with one request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Exchange {
    /// It answers.
    Answer(Reply),
    /// It begins to answer, and the connection is closed after half of it.
    HalfAnswer(Reply),
    /// It closes the connection.
    Close,
    /// It never answers.
    Hang,
}

/// An answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// The status.
    pub status: u16,
    /// The headers, names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

impl Emulator {
    /// An account of these options.
    ///
    /// # Errors
    /// What keeps its file from being read.
    pub fn new(options: SandboxOptions) -> io::Result<Self> {
        let store = match &options.storage {
            Storage::Memory { seed } => Store::in_memory(*seed),
            Storage::File(path) => {
                let seed = getrandom::u64().map_err(io::Error::other)?;
                Store::in_file(path, seed)?
            }
        };
        Ok(Self(Arc::new(Shared {
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
        })))
    }

    /// How long every answer takes.
    pub fn latency(&self) -> Duration {
        self.0.latency
    }

    /// A request of a connection, as it is recorded.
    pub(super) fn read(
        &self,
        head: &hyper::http::request::Parts,
        body: Option<&[u8]>,
    ) -> RecordedRequest {
        RecordedRequest::read(head, body, &self.0.api_key)
    }

    /// Takes one request: what happens, and how much later than usual. `too_large` says that its body was
    /// over the limit. The request's number is given here.
    pub fn exchange(&self, request: &RecordedRequest, too_large: bool) -> (Duration, Exchange) {
        let faults = self.0.record(request.clone());
        let mut delay = Duration::ZERO;
        let mut after = None;
        for fault in faults {
            // What cannot be edited or removed is not there: then nobody did.
            match fault {
                Fault::Edit { webhook, fields } => {
                    let _ = edit(&mut self.lock().store, &webhook, &fields);
                }
                Fault::Remove { webhook } => {
                    let _ = remove(&mut self.lock().store, &webhook);
                }
                Fault::Delay(time) => delay += time,
                Fault::Late { after, hears } => {
                    self.happen_later(request.clone(), after);
                    return (delay, heard(hears));
                }
                Fault::CloseBefore => return (delay, Exchange::Close),
                Fault::Hang => return (delay, Exchange::Hang),
                Fault::Answer {
                    status,
                    headers,
                    body,
                } => return (delay, Exchange::Answer(scripted(status, headers, body))),
                fault => after = Some(fault),
            }
        }
        let (status, body) = routes::process(&self.0, request, too_large);
        let reply = reply(status.as_u16(), body);
        let exchange = match after {
            None => Exchange::Answer(reply),
            Some(Fault::HangAfter) => Exchange::Hang,
            Some(Fault::HalfAnswer) => Exchange::HalfAnswer(reply),
            Some(Fault::AnswerAfter {
                status,
                headers,
                body,
            }) => Exchange::Answer(scripted(status, headers, body)),
            Some(_) => Exchange::Close,
        };
        (delay, exchange)
    }

    /// Lets a request have its effect after a while. Needs a Tokio runtime, as the server has one.
    fn happen_later(&self, request: RecordedRequest, after: Duration) {
        let shared = Arc::clone(&self.0);
        tokio::spawn(async move {
            tokio::time::sleep(after).await;
            let _ = routes::process(&shared, &request, false);
        });
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

    /// Forgets the faults that have not come about.
    pub fn clear_faults(&self) {
        self.lock().faults = Faults::default();
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
        self.0.lock()
    }
}

fn heard(hears: Hears) -> Exchange {
    match hears {
        Hears::Nothing => Exchange::Hang,
        Hears::Close => Exchange::Close,
        Hears::GatewayTimeout => Exchange::Answer(scripted(
            504,
            vec![("content-type".to_owned(), "text/html".to_owned())],
            "<html>Gateway Time-out</html>".to_owned(),
        )),
    }
}

fn reply(status: u16, body: Vec<u8>) -> Reply {
    let headers = if body.is_empty() {
        Vec::new()
    } else {
        vec![("content-type".to_owned(), "application/json".to_owned())]
    };
    Reply {
        status,
        headers,
        body,
    }
}

/// A scripted answer; JSON unless its headers say otherwise.
fn scripted(status: u16, headers: Vec<(String, String)>, body: String) -> Reply {
    let mut reply = reply(status, body.into_bytes());
    for (name, value) in headers {
        reply.headers.retain(|(known, _)| *known != name);
        reply.headers.push((name, value));
    }
    reply
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
