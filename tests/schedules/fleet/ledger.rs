//! What the store and the API saw, and the rules that no process may break.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use hookctl::record::{IntendedWrite, Intent};
use hookctl::sandbox::RecordedRequest;
use hookctl_testing::simulation::{Life, LinkEvent};
use serde::Deserialize;
use serde_json::Value;

/// What a process is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// It writes.
    Writer,
    /// It plans, and writes nothing.
    Reader,
    /// It takes the lease away from a holder, and waits until that holder can send nothing more.
    Administrator,
}

/// How much a process did.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Counts {
    pub(crate) steps: u64,
    pub(crate) operations: u64,
}

/// What was seen so far. Broken rules are collected.
#[derive(Default)]
pub(crate) struct Ledger(Mutex<Seen>);

/// A process, and how many operations of the store it asked for.
struct Process {
    role: Role,
    life: Arc<Life>,
    operations: Arc<AtomicU64>,
}

#[derive(Default)]
struct Seen {
    processes: Vec<Process>,
    entries: Vec<LogEntry>,
    /// The process of each epoch.
    epochs: BTreeMap<u64, usize>,
    epoch: u64,
    is_held: bool,
    broken: Vec<String>,
}

struct LogEntry {
    process: usize,
    epoch: u64,
    content: Vec<u8>,
    intents: Vec<Intent>,
    /// Whether its process knows that it took effect.
    is_known: bool,
}

#[derive(Deserialize)]
struct Object<T> {
    body: T,
}

#[derive(Deserialize)]
struct LogBody {
    sequence: usize,
    epoch: u64,
    operations: Vec<Operation>,
}

#[derive(Deserialize)]
struct Operation {
    intent: Option<Intent>,
}

#[derive(Deserialize)]
struct HeadBody {
    epoch: u64,
    holder: Option<Value>,
    unclean: bool,
}

fn body<T: for<'a> Deserialize<'a>>(content: &[u8]) -> T {
    let object: Object<T> = serde_json::from_slice(content).unwrap();
    object.body
}

impl Ledger {
    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.0.lock().unwrap()
    }

    /// Adds a process, and returns its number.
    pub(crate) fn add(&self, role: Role, life: &Arc<Life>, operations: &Arc<AtomicU64>) -> usize {
        let mut seen = self.seen();
        seen.processes.push(Process {
            role,
            life: Arc::clone(life),
            operations: Arc::clone(operations),
        });
        seen.processes.len() - 1
    }

    /// Returns how many steps each process took, and how many operations of the store it asked for.
    pub(crate) fn counts(&self) -> Vec<Counts> {
        let seen = self.seen();
        let counts = seen.processes.iter().map(|process| Counts {
            steps: process.life.steps(),
            operations: process.operations.load(Ordering::SeqCst),
        });
        counts.collect()
    }

    /// Notes what a process did at the store.
    pub(crate) fn at_store(&self, process: usize, event: LinkEvent<'_>) {
        let mut seen = self.seen();
        match event {
            LinkEvent::Asked if seen.is(process, Role::Reader) => {
                seen.broken.push("a dry run wrote to the record".to_owned());
            }
            LinkEvent::Landed {
                name: "head",
                content,
            } => {
                seen.swapped(process, &body(content));
            }
            LinkEvent::Landed { name, content } if name.starts_with("log/") => {
                seen.appended(process, content);
            }
            LinkEvent::Known { name, content } if name.starts_with("log/") => {
                let known = seen.entries.iter_mut().rev();
                let mut known = known.filter(|entry| entry.process == process);
                if let Some(entry) = known.find(|entry| entry.content == content) {
                    entry.is_known = true;
                }
            }
            _ => {}
        }
    }

    /// Notes a request that leaves for the API.
    pub(crate) fn sent(&self, process: usize, request: &RecordedRequest) {
        if request.method != "GET" {
            self.seen().wrote(process, request);
        }
    }

    /// Returns the rules that were broken.
    pub(crate) fn broken(&self) -> Vec<String> {
        self.seen().broken.clone()
    }

    /// Returns the epoch of the head, and whether the lease is held.
    pub(crate) fn lease(&self) -> (u64, bool) {
        let seen = self.seen();
        (seen.epoch, seen.is_held)
    }
}

impl Seen {
    fn is(&self, process: usize, role: Role) -> bool {
        self.processes[process].role == role
    }

    fn swapped(&mut self, process: usize, head: &HeadBody) {
        if head.epoch < self.epoch {
            let fell = format!("the epoch fell from {} to {}", self.epoch, head.epoch);
            self.broken.push(fell);
        }
        if head.epoch > self.epoch {
            let before = self.epochs.get(&self.epoch).copied();
            if let Some(before) = before.filter(|_| head.unclean)
                && !self.is(process, Role::Administrator)
                && !self.processes[before].life.was_troubled()
            {
                self.broken.push(format!(
                    "the lease of process {before}, which ran without trouble, went to process {process}"
                ));
            }
            self.epochs.insert(head.epoch, process);
        }
        self.epoch = head.epoch;
        self.is_held = head.holder.is_some();
    }

    fn appended(&mut self, process: usize, content: &[u8]) {
        let entry: LogBody = body(content);
        let next = self.entries.len() + 1;
        if entry.sequence != next {
            let number = entry.sequence;
            self.broken
                .push(format!("entry {number} was written, and {next} is next"));
        }
        let last = self.entries.last().map_or(0, |last| last.epoch);
        if entry.epoch < last {
            let epoch = entry.epoch;
            self.broken
                .push(format!("an entry of epoch {epoch} follows epoch {last}"));
        }
        if self.epochs.get(&entry.epoch) != Some(&process) {
            let epoch = entry.epoch;
            self.broken
                .push(format!("process {process} wrote in epoch {epoch}"));
        }
        let operations = entry.operations.into_iter();
        self.entries.push(LogEntry {
            process,
            epoch: entry.epoch,
            content: content.to_vec(),
            intents: operations
                .filter_map(|operation| operation.intent)
                .collect(),
            is_known: false,
        });
    }

    fn wrote(&mut self, process: usize, request: &RecordedRequest) {
        let what = format!("process {process} sent {} {}", request.method, request.path);
        if self.is(process, Role::Reader) {
            self.broken.push(format!("{what} in a dry run"));
        }
        let mut own = self.epochs.iter().rev();
        let Some((&epoch, _)) = own.find(|(_, holder)| **holder == process) else {
            self.broken.push(format!("{what} without a lease"));
            return;
        };
        let own = self.entries.iter();
        let mut own = own.filter(|entry| entry.epoch == epoch && entry.process == process);
        let is_intended = own.any(|entry| {
            let is_same = |intent: &Intent| is_request_of(&intent.write, request);
            entry.is_known && entry.intents.iter().any(is_same)
        });
        if !is_intended {
            self.broken.push(format!(
                "{what} without an acknowledged intent of its epoch {epoch}"
            ));
        }
        let mut newer = self.entries.iter().filter(|entry| entry.epoch > epoch);
        if newer.any(|entry| !self.is(entry.process, Role::Administrator)) {
            self.broken
                .push(format!("{what} after a newer epoch than {epoch} began"));
        }
        // An administrator lets the old holder send until its permit has ended.
        let waits = self.is_held && self.is(self.epochs[&self.epoch], Role::Administrator);
        if self.epoch > epoch && !waits {
            self.broken
                .push(format!("{what} in epoch {} with {epoch}", self.epoch));
        }
    }
}

/// Whether an intent is that of a request.
fn is_request_of(write: &IntendedWrite, request: &RecordedRequest) -> bool {
    if write.method() != request.method {
        return false;
    }
    let id = request.path.rsplit('/').next().unwrap();
    match write {
        IntendedWrite::Create { webhook, .. } => {
            let body = request.body.as_ref().unwrap();
            body["name"] == webhook.spec.name.as_str()
        }
        IntendedWrite::Patch { .. } | IntendedWrite::Delete { .. } => {
            write.id().is_some_and(|known| known.as_str() == id)
        }
    }
}
