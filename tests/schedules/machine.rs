//! A process that can die at any step, its disk, and its way to the emulated API. Time is virtual.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use hookctl::apply::remember;
use hookctl::reconcile::{Records, RecordsError, Remembered};
use hookctl::record::{After, Intent, Journal, JournalError, Pending, Settlement};
use hookctl::remote::http::{Answer, NoAnswer, Outgoing, Transport};
use hookctl::sandbox::{Emulator, Exchange, RecordedRequest};
use hookctl::state::{LastApplied, ObservedState};
use hookctl::webhook::{Key, RemoteId};
use tokio::sync::Notify;

/// How long a request may take: what the client of the binary allows.
const TIMEOUT: Duration = Duration::from_secs(30);

/// What survives a crash.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Disk {
    pub(crate) records: LastApplied,
    pub(crate) intents: BTreeMap<Key, Intent>,
    seen: BTreeSet<RemoteId>,
}

impl Disk {
    pub(crate) fn pending(&self) -> Pending {
        Pending {
            intents: self.intents.values().cloned().collect(),
            seen: self.seen.clone(),
        }
    }
}

/// The life of one process: it dies at the step of a number, and then nothing of it goes on.
pub(crate) struct Life {
    dies_at: Option<u64>,
    steps: AtomicU64,
    died: Notify,
}

impl Life {
    pub(crate) fn new(dies_at: Option<u64>) -> Arc<Self> {
        Arc::new(Self {
            dies_at,
            steps: AtomicU64::new(0),
            died: Notify::new(),
        })
    }

    /// How many steps it took.
    pub(crate) fn steps(&self) -> u64 {
        self.steps.load(Ordering::SeqCst)
    }

    /// Waits for the death.
    pub(crate) async fn death(&self) {
        self.died.notified().await;
    }

    async fn step(&self) {
        let step = self.steps.fetch_add(1, Ordering::SeqCst);
        if self.dies_at.is_some_and(|end| step >= end) {
            self.died.notify_one();
            std::future::pending::<()>().await;
        }
    }
}

/// The record of a process.
pub(crate) struct Memory {
    pub(crate) disk: Arc<Mutex<Disk>>,
    pub(crate) life: Arc<Life>,
}

impl Journal for Memory {
    async fn intend(&self, intent: Intent) -> Result<(), JournalError> {
        self.life.step().await;
        self.disk
            .lock()
            .unwrap()
            .intents
            .insert(intent.key.clone(), intent);
        self.life.step().await;
        Ok(())
    }

    async fn settle(&self, settlement: Settlement) -> Result<(), JournalError> {
        self.life.step().await;
        {
            let mut disk = self.disk.lock().unwrap();
            if settlement.after != After::Unchanged {
                remember(std::slice::from_ref(&settlement), &mut disk.records);
            }
            disk.intents.remove(&settlement.key);
        }
        self.life.step().await;
        Ok(())
    }
}

impl Records for Memory {
    fn remembered(&self) -> Result<Arc<Remembered>, RecordsError> {
        let disk = self.disk.lock().unwrap();
        Ok(Arc::new(Remembered {
            last_applied: disk.records.clone(),
            pending: disk.pending(),
        }))
    }

    fn keep_observed(&self, _: &str, observed: &ObservedState) -> Result<(), RecordsError> {
        self.disk.lock().unwrap().seen = observed.webhooks.keys().cloned().collect();
        Ok(())
    }
}

/// Looks at each request before it has its effect.
pub(crate) type Witness = dyn Fn(&RecordedRequest, &Emulator) + Send + Sync;

/// The way to the API.
pub(crate) struct Wire {
    pub(crate) emulator: Emulator,
    pub(crate) life: Arc<Life>,
    /// How long each request takes, in turn: what shuffles the order of answers.
    pub(crate) latencies: Vec<u64>,
    pub(crate) sent: AtomicU64,
    pub(crate) witness: Arc<Witness>,
}

impl Transport for Wire {
    async fn exchange(&self, request: Outgoing<'_>) -> Result<Answer, NoAnswer> {
        let number = self.sent.fetch_add(1, Ordering::SeqCst);
        let latency = |turn: u64| {
            let index = usize::try_from(number * 2 + turn).unwrap() % self.latencies.len();
            tokio::time::sleep(Duration::from_millis(self.latencies[index]))
        };
        self.life.step().await;
        latency(0).await;
        let recorded = recorded(request);
        (self.witness)(&recorded, &self.emulator);
        let (delay, exchange) = self.emulator.exchange(&recorded, false);
        self.life.step().await;
        tokio::time::sleep(delay).await;
        latency(1).await;
        let lost = |reason: &str| {
            Err(NoAnswer {
                never_sent: false,
                reason: reason.to_owned(),
            })
        };
        match exchange {
            Exchange::Answer(reply) => Ok(Answer {
                status: reply.status,
                headers: reply.headers,
                body: reply.body,
            }),
            Exchange::HalfAnswer(_) => lost("half an answer"),
            Exchange::Close => lost("connection closed"),
            Exchange::Hang => {
                tokio::time::sleep(TIMEOUT).await;
                lost("it took too long")
            }
        }
    }
}

fn recorded(request: Outgoing<'_>) -> RecordedRequest {
    let url = request.url.strip_prefix("http://model").unwrap();
    let (path, query) = url.split_once('?').unwrap_or((url, ""));
    RecordedRequest {
        number: 0,
        method: request.verb.as_str().to_owned(),
        path: path.to_owned(),
        query: query
            .split('&')
            .filter_map(|pair| pair.split_once('='))
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect(),
        body: request.body.cloned(),
        authorized: true,
        headers: Vec::new(),
    }
}
