//! A strict object store in memory, over HTTP: the part of S3 that a shared record uses, and the same part of the XML API
//! of Google Cloud Storage.
//!
//! # Guarantees
//! A write without a condition, a condition of the other dialect, and any other operation are refused with status 400 or
//! 405. Entity tags depend on the content alone, as those of S3 do, so a content that repeats has its earlier tag.
//!
//! # Caveats
//! Signatures are not checked, only the name of the key.

mod dialect;
mod objects;
mod respond;
mod server;
mod state;

use std::collections::BTreeMap;
use std::sync::Arc;

use state::Shared;

pub use state::{Fault, S3Options, S3Request};

/// A running store, which stops on drop. It runs in a thread of its own.
#[derive(Debug)]
pub struct S3Stub {
    shared: Shared,
    server: server::Server,
}

impl S3Stub {
    /// Starts a store with the default options.
    pub fn start() -> Self {
        Self::with(S3Options::default())
    }

    /// Starts a store on a free port of this machine.
    pub fn with(options: S3Options) -> Self {
        let shared = Shared {
            options: Arc::new(options),
            state: Arc::default(),
        };
        Self {
            server: server::Server::start(shared.clone()),
            shared,
        }
    }

    /// Returns the base URL.
    pub fn url(&self) -> String {
        self.server.url()
    }

    /// Returns the variables of an environment that reach the store by the interface of S3.
    pub fn variables(&self) -> Vec<(String, String)> {
        [
            ("AWS_ACCESS_KEY_ID", &*self.shared.options.access_key),
            ("AWS_SECRET_ACCESS_KEY", "stub-secret"),
            ("AWS_REGION", "eu-central-1"),
            ("AWS_ENDPOINT_URL_S3", &self.url()),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .to_vec()
    }

    /// Returns the requests so far.
    pub fn requests(&self) -> Vec<S3Request> {
        self.shared.state().requests.clone()
    }

    /// Forgets the requests so far.
    pub fn forget_requests(&self) {
        self.shared.state().requests.clear();
    }

    /// Fails from now on. `None` ends it.
    pub fn set_fault(&self, fault: Option<Fault>) {
        self.shared.state().fault = fault;
    }

    /// Fails at the next write.
    pub fn set_fault_once(&self, fault: Fault) {
        self.shared.state().once = Some(fault);
    }

    /// Returns the objects, by key.
    pub fn objects(&self) -> BTreeMap<String, Vec<u8>> {
        self.shared.state().objects.contents()
    }

    /// Replaces an object without a condition, or removes it.
    pub fn damage(&self, key: &str, content: Option<Vec<u8>>) {
        let mut state = self.shared.state();
        match content {
            Some(content) => drop(state.objects.put(key, content)),
            None => state.objects.remove(key),
        }
    }
}
