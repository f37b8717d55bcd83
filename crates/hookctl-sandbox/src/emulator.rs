//! The emulator without a network: processes requests, and injects faults.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use serde_json::Value;
use tokio::sync::Semaphore;

use super::account::{Shared, State};
use super::contract::Webhook;
use super::delivery;
use super::fault::{Fault, Faults, Hears, When};
use super::options::{SandboxOptions, Storage};
use super::request::RecordedRequest;
use super::routes;
use super::store::Store;

/// How many deliveries are sent concurrently.
const DELIVERIES_AT_ONCE: usize = 32;

/// An emulated account, with methods that inject faults. Clones share the account.
#[derive(Clone)]
pub struct Emulator(Arc<Shared>);

/// The reaction of the emulated API to a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Exchange {
    /// It responds.
    Answer(Reply),
    /// It closes the connection after half of the response.
    HalfAnswer(Reply),
    /// It closes the connection.
    Close,
    /// It never responds.
    Hang,
}

/// A response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// The status.
    pub status: u16,
    /// The headers, with names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

impl fmt::Debug for Emulator {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The state contains the API key and tokens.
        formatter.debug_struct("Emulator").finish_non_exhaustive()
    }
}

impl Emulator {
    /// Creates an emulated account.
    ///
    /// # Errors
    /// Returns an error if its file cannot be read.
    pub fn new(options: SandboxOptions) -> io::Result<Self> {
        let store = match &options.storage {
            Storage::Memory { seed } => Store::in_memory(*seed),
            Storage::File(path) => {
                let seed = getrandom::u64().map_err(io::Error::other)?;
                Store::in_file(path, seed)?
            }
        };
        Ok(Self(Arc::new(Shared {
            dialect: options.dialect,
            latency: options.latency,
            delivery: options.delivery,
            sending: Semaphore::new(DELIVERIES_AT_ONCE),
            state: Mutex::new(State {
                api_keys: vec![options.api_key],
                store,
                faults: Faults::default(),
                requests: VecDeque::new(),
                received: 0,
                by_method: BTreeMap::new(),
                claims: BTreeMap::new(),
                claimed: 0,
            }),
        })))
    }

    /// Returns the latency of every response.
    pub fn latency(&self) -> Duration {
        self.0.latency
    }

    /// Reads a request of a connection.
    pub(super) fn read(
        &self,
        head: &hyper::http::request::Parts,
        body: Option<&[u8]>,
    ) -> RecordedRequest {
        RecordedRequest::read(head, body, |sent| {
            self.lock().api_keys.iter().any(|key| key == sent)
        })
    }

    /// Processes a request. Returns the reaction, and its delay beyond the usual latency. `too_large` is whether the body
    /// exceeded the limit. The emulator assigns the number of the request.
    pub fn exchange(&self, request: &RecordedRequest, too_large: bool) -> (Duration, Exchange) {
        let faults = self.0.record(request.clone());
        let mut delay = Duration::ZERO;
        let mut after = None;
        for fault in faults {
            // An edit or removal of a missing webhook has no effect.
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

    /// Schedules the effect of a request. Requires a Tokio runtime.
    fn happen_later(&self, request: RecordedRequest, after: Duration) {
        let shared = Arc::clone(&self.0);
        tokio::spawn(async move {
            tokio::time::sleep(after).await;
            let _ = routes::process(&shared, &request, false);
        });
    }

    /// Returns the recorded requests, oldest first. At most the last 100,000 are kept.
    pub fn requests(&self) -> Vec<RecordedRequest> {
        self.lock().requests.iter().cloned().collect()
    }

    /// Removes the recorded requests. Later requests continue their numbers.
    pub fn clear_requests(&self) {
        self.lock().requests.clear();
    }

    /// Returns the number of requests since the start.
    pub fn received(&self) -> usize {
        self.lock().received
    }

    /// Accepts a further API key, such as that of another machine.
    pub fn accept_key(&self, api_key: impl Into<String>) {
        self.lock().api_keys.push(api_key.into());
    }

    /// Adds a fault.
    pub fn fault(&self, when: When, fault: Fault) {
        self.lock().faults.add(when, fault);
    }

    /// Removes the faults that have not occurred yet.
    pub fn clear_faults(&self) {
        self.lock().faults = Faults::default();
    }

    /// Returns the webhooks, in order of creation.
    pub fn webhooks(&self) -> Vec<Webhook> {
        self.lock().store.webhooks().cloned().collect()
    }

    /// Returns the token of a webhook.
    pub fn token(&self, id: &str) -> Option<String> {
        self.lock().store.token(id).map(str::to_owned)
    }

    /// Gives the token of a webhook to the emulator, which keeps it in memory only.
    pub fn give_token(&self, id: &str, token: impl Into<String>) {
        self.lock().store.give_token(id, token.into());
    }

    /// Continues the deliveries that an earlier process left pending, if the options say so. Requires a Tokio runtime.
    pub(super) fn resume(&self) {
        delivery::resume(&self.0);
    }

    /// Creates or replaces a webhook without a request.
    ///
    /// # Errors
    /// Returns an error if the file cannot be written.
    pub fn put(&self, webhook: Webhook) -> io::Result<()> {
        self.lock().store.put(webhook)
    }

    /// Edits a webhook by id or name without a request: merges the fields into it, without validation. Returns whether it
    /// existed.
    ///
    /// # Errors
    /// Returns an error if the file cannot be written.
    pub fn edit(&self, webhook: &str, fields: &Value) -> io::Result<bool> {
        edit(&mut self.lock().store, webhook, fields)
    }

    /// Deletes a webhook by id or name without a request. Returns whether it existed.
    ///
    /// # Errors
    /// Returns an error if the file cannot be written.
    pub fn remove(&self, webhook: &str) -> io::Result<bool> {
        remove(&mut self.lock().store, webhook)
    }

    /// Adds a delivery, in the JSON of the API.
    ///
    /// # Errors
    /// Returns an error if the file cannot be written.
    pub fn seed_event(&self, event: Value) -> io::Result<()> {
        self.lock().store.seed_event(event)
    }

    /// Adds a delivery attempt, in the JSON of the API.
    ///
    /// # Errors
    /// Returns an error if the file cannot be written.
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

/// Returns a scripted response. It is JSON unless its headers contain another content type.
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
