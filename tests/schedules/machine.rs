//! The disk of a process that can die at any step, and its way to the emulated API. Time is virtual.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use hookctl::record::{
    Account, Backend, Commit, Head, HistoryEntry, Loaded, MemoryRecord, Observation, PortFuture,
    Record, SendPermit, Session,
};
use hookctl::remote::http::{Answer, Fate, NoAnswer, Outgoing, Transport, Verb};
use hookctl::sandbox::{Emulator, Exchange, RecordedRequest};
use hookctl_testing::simulation::Life;
use tokio::sync::oneshot;

/// How long a request may take: what the client of the binary allows.
const TIMEOUT: Duration = Duration::from_secs(30);

/// The record of a process, on a disk that survives it.
pub(crate) fn record(disk: &MemoryRecord, life: &Arc<Life>) -> Record {
    let mortal = Mortal {
        disk: disk.clone(),
        life: Arc::clone(life),
    };
    Record::new(mortal, Account::new("model", "https://api.example"))
}

/// A back end whose process may die before and after each commit. No lock is left by the dead.
#[derive(Clone)]
struct Mortal {
    disk: MemoryRecord,
    life: Arc<Life>,
}

impl Backend for Mortal {
    fn head(&self) -> PortFuture<'_, Option<Head>> {
        Backend::head(&self.disk)
    }

    fn load(&self) -> PortFuture<'_, Loaded> {
        Backend::load(&self.disk)
    }

    fn history(&self, limit: usize) -> PortFuture<'_, Vec<HistoryEntry>> {
        self.disk.history(limit)
    }

    fn observed(&self) -> PortFuture<'_, Option<Observation>> {
        self.disk.observed()
    }

    fn begin(&self) -> PortFuture<'_, Box<dyn Session>> {
        let session: Box<dyn Session> = Box::new(self.clone());
        Box::pin(async { Ok(session) })
    }
}

impl Session for Mortal {
    fn load(&self) -> PortFuture<'_, Loaded> {
        Backend::load(&self.disk)
    }

    fn append(&self, commit: Arc<Commit>) -> PortFuture<'_, u64> {
        Box::pin(async move {
            self.life.step().await;
            let appended = self.disk.append(&commit);
            self.life.step().await;
            appended
        })
    }

    fn end(self: Box<Self>) -> PortFuture<'static, Option<Head>> {
        Box::pin(async move { Backend::head(&self.disk).await })
    }
}

/// Checks each request before it has its effect.
pub(crate) type Witness = dyn Fn(&RecordedRequest, &Emulator) + Send + Sync;

/// Checks each request when it leaves.
pub(crate) type Departures = dyn Fn(&RecordedRequest) + Send + Sync;

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
    pub(crate) departures: Arc<Departures>,
}

impl Transport for Wire {
    async fn exchange(
        &self,
        request: Outgoing<'_>,
        permit: &SendPermit,
    ) -> Result<Answer, NoAnswer> {
        let number = self.sent.fetch_add(1, Ordering::SeqCst);
        let latency = |turn: u64| {
            let index = usize::try_from(number * 2 + turn).unwrap() % self.latencies.len();
            Duration::from_millis(self.latencies[index])
        };
        self.life.step().await;
        if !permit.holds() {
            return Err(NoAnswer {
                fate: Fate::NeverSent,
                reason: "the permit ended".to_owned(),
            });
        }
        let machine = self.life.machine();
        if machine.is_api_cut() {
            let (fate, waits) = if number.is_multiple_of(2) {
                (Fate::NeverSent, Duration::ZERO)
            } else {
                (Fate::Unknown, TIMEOUT)
            };
            tokio::time::sleep(waits).await;
            self.life.step().await;
            return Err(NoAnswer {
                fate,
                reason: "the network is unreachable".to_owned(),
            });
        }
        let late = self.late.get(&(number + 1)).copied();
        let late = late.filter(|_| request.verb != Verb::Get);
        let transit = latency(0) + Duration::from_millis(late.map_or(0, |late| late.transit));
        let request = recorded(request);
        (self.departures)(&request);
        let answer = self.depart(request, transit);
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
        if machine.is_api_cut() {
            tokio::time::sleep(TIMEOUT).await;
            return lost("the network is unreachable");
        }
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
            // Without a sender, no one receives the response.
            let _ = answer.send(emulator.exchange(&request, false));
        });
        answered
    }
}

fn lost(reason: &str) -> Result<Answer, NoAnswer> {
    Err(NoAnswer {
        fate: Fate::Unknown,
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
    let target = request.url.strip_prefix("http://model").unwrap();
    let body = request
        .body
        .map(|body| serde_json::from_slice(body.as_bytes()).unwrap());
    RecordedRequest::authorized(request.verb.as_str(), target, body)
}
