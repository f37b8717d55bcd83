//! A process that can die at any step, its disk, and its way to the emulated API. Time is virtual.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use hookctl::apply::remember;
use hookctl::clock::{Clock, Stamp, Writer};
use hookctl::record::{After, Intent, Journal, JournalError, Pending, Settlement};
use hookctl::record::{RecordSource, Records, RecordsError, Remembered};
use hookctl::remote::http::{Answer, NoAnswer, Outgoing, Transport, Verb};
use hookctl::sandbox::{Emulator, Exchange, RecordedRequest};
use hookctl::state::{LastApplied, ObservedState};
use hookctl::webhook::{Key, RemoteId};
use tokio::sync::{Notify, oneshot};

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

/// The clocks of a machine in virtual time.
pub(crate) struct VirtualClock {
    started: tokio::time::Instant,
}

impl VirtualClock {
    pub(crate) fn new() -> Self {
        Self {
            started: tokio::time::Instant::now(),
        }
    }
}

impl Clock for VirtualClock {
    fn now(&self) -> Stamp {
        let uptime = self.started.elapsed();
        Stamp {
            at: jiff::Timestamp::UNIX_EPOCH + jiff::SignedDuration::try_from(uptime).unwrap(),
            uptime_ms: uptime.as_millis().try_into().unwrap(),
            writer: Writer {
                host: "model".to_owned(),
                boot: Some("boot".to_owned()),
                run: String::new(),
            },
        }
    }
}

/// Opens the record of a process.
pub(crate) struct MemorySource {
    pub(crate) disk: Arc<Mutex<Disk>>,
    pub(crate) life: Arc<Life>,
}

impl RecordSource for MemorySource {
    type Open<'a> = Memory;

    fn open(&self) -> Result<Memory, RecordsError> {
        Ok(Memory {
            disk: Arc::clone(&self.disk),
            life: Arc::clone(&self.life),
        })
    }

    fn close(&self, _: Memory) -> Result<(), RecordsError> {
        Ok(())
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
            match settlement.lingering {
                Some(intent) => disk.intents.insert(settlement.key, *intent),
                None => disk.intents.remove(&settlement.key),
            };
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

/// A write whose effect comes later than the client hears of it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Late {
    /// How long the write is under way before it has its effect, in milliseconds.
    pub(crate) transit: u64,
    /// What the client hears meanwhile.
    pub(crate) hears: Hears,
}

/// What the client hears of a late write before its effect.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Hears {
    /// Nothing until its time-out.
    Nothing,
    /// The connection is closed after so many milliseconds.
    Reset(u64),
    /// A gateway answers 504 after so many milliseconds.
    Gateway(u64),
}

/// The way to the API.
pub(crate) struct Wire {
    pub(crate) emulator: Emulator,
    pub(crate) life: Arc<Life>,
    /// Late writes, by the request's number in this life, from 1.
    pub(crate) late: BTreeMap<u64, Late>,
    /// How many requests are under way to the API, over all lives.
    pub(crate) under_way: Arc<AtomicU64>,
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
            Duration::from_millis(self.latencies[index])
        };
        self.life.step().await;
        let late = self.late.get(&(number + 1)).copied();
        let late = late.filter(|_| request.verb != Verb::Get);
        let transit = latency(0) + Duration::from_millis(late.map_or(0, |late| late.transit));
        let answer = self.depart(recorded(request), transit);
        self.life.step().await;
        let answered = async {
            let (delay, exchange) = answer.await.unwrap();
            tokio::time::sleep(delay).await;
            exchange
        };
        let gives_up = async {
            let (after, heard) = match late.map_or(Hears::Nothing, |late| late.hears) {
                Hears::Nothing => (TIMEOUT, lost("it took too long")),
                Hears::Reset(after) => (Duration::from_millis(after), lost("connection reset")),
                Hears::Gateway(after) => (Duration::from_millis(after), Ok(gateway_timeout())),
            };
            tokio::time::sleep(after).await;
            heard
        };
        let answer = tokio::select! {
            biased;
            exchange = answered => match exchange {
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
            },
            heard = gives_up => heard,
        };
        self.life.step().await;
        tokio::time::sleep(latency(1)).await;
        answer
    }
}

impl Wire {
    /// Lets a request leave: from here on it has its effect whatever becomes of its sender.
    fn depart(
        &self,
        request: RecordedRequest,
        transit: Duration,
    ) -> oneshot::Receiver<(Duration, Exchange)> {
        let (answer, answered) = oneshot::channel();
        let emulator = self.emulator.clone();
        let witness = Arc::clone(&self.witness);
        let under_way = Arc::clone(&self.under_way);
        under_way.fetch_add(1, Ordering::SeqCst);
        tokio::spawn(async move {
            tokio::time::sleep(transit).await;
            under_way.fetch_sub(1, Ordering::SeqCst);
            witness(&request, &emulator);
            // Without a sender there is nobody to answer.
            let _ = answer.send(emulator.exchange(&request, false));
        });
        answered
    }
}

fn lost(reason: &str) -> Result<Answer, NoAnswer> {
    Err(NoAnswer {
        never_sent: false,
        reason: reason.to_owned(),
    })
}

fn gateway_timeout() -> Answer {
    Answer {
        status: 504,
        headers: vec![("content-type".to_owned(), "text/html".to_owned())],
        body: b"<html>Gateway Time-out</html>".to_vec(),
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
        body: request
            .body
            .map(|body| serde_json::from_slice(body.as_bytes()).unwrap()),
        authorized: true,
        headers: Vec::new(),
    }
}
