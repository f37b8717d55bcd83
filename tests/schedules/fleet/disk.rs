//! The shared record of a simulation, and the processes on it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use hookctl::record::shared::{MemoryBlobs, SharedOptions, SharedRecord};
use hookctl::record::{Account, Backend as _, Remembered};
use hookctl_testing::simulation::{Fate, Life, Link, Machine};

use super::flaws::Flaws;
use super::ledger::{Ledger, Role};
use crate::world::Process;

/// The store, and what it saw.
pub(crate) struct SharedDisk {
    store: MemoryBlobs,
    pub(crate) ledger: Arc<Ledger>,
    flaws: Flaws,
    /// Decides about latencies.
    seed: u64,
}

fn account() -> Account {
    Account::new("model", "https://api.example")
}

fn options(life: &Life, run: String) -> SharedOptions {
    SharedOptions {
        lock_timeout: Duration::from_mins(10),
        ..SharedOptions::new(run, Arc::clone(life.machine()) as _)
    }
}

impl SharedDisk {
    pub(crate) fn new(seed: u64, flaws: Flaws) -> Self {
        Self {
            store: MemoryBlobs::new(),
            ledger: Arc::default(),
            flaws,
            seed,
        }
    }

    /// Returns a process that writes without faults.
    pub(crate) fn process(&self, life: Arc<Life>) -> Process {
        self.faulty(Role::Writer, life, &[]).0
    }

    /// Returns a process with faults of the store, and a function that counts its operations.
    pub(crate) fn faulty(
        &self,
        role: Role,
        life: Arc<Life>,
        faults: &[(u64, Fate)],
    ) -> (Process, impl Fn() -> u64 + use<>) {
        let (number, link) = self.link(role, &life, faults);
        let operations = Arc::clone(&link.operations);
        let options = options(&life, format!("process {number}"));
        let ledger = Arc::clone(&self.ledger);
        let process = Process {
            record: self.flaws.record(link, account(), options),
            departures: Arc::new(move |request| ledger.sent(number, request)),
            life,
        };
        (process, move || operations.load(Ordering::SeqCst))
    }

    fn link(&self, role: Role, life: &Arc<Life>, faults: &[(u64, Fate)]) -> (usize, Link) {
        let number = self.ledger.add(role, life);
        let ledger = Arc::clone(&self.ledger);
        let seed = self.seed + u64::try_from(number).unwrap();
        let link = Link {
            planned: faults.iter().copied().collect::<BTreeMap<_, _>>(),
            observer: Some(Arc::new(move |event| ledger.at_store(number, event))),
            ..Link::new(self.store.clone(), Arc::clone(life), seed)
        };
        (number, link)
    }

    /// Returns an administrator, or the first process, which makes the record.
    pub(crate) fn administrator(&self) -> SharedRecord {
        let life = Life::new(Arc::new(Machine::steady("administrator")), []);
        let (number, link) = self.link(Role::Administrator, &life, &[]);
        SharedRecord::new(link, account(), options(&life, format!("process {number}")))
    }

    /// Takes the lease away from its holder, if it is held.
    pub(crate) async fn unlock(&self) {
        let (epoch, is_held) = self.ledger.lease();
        if is_held {
            // Refused if it was released meanwhile.
            let _ = self.administrator().unlock(epoch).await;
        }
    }

    pub(crate) fn trace(&self) {
        for (name, content) in self.store.objects() {
            if name.starts_with("log") { let v: serde_json::Value = serde_json::from_slice(&content).unwrap();
            eprintln!("{name} {} {}", v["body"]["epoch"], v["body"]["operations"]); }
        }
    }

    fn reader(&self) -> SharedRecord {
        let life = Life::new(Arc::new(Machine::steady("reader")), []);
        let options = options(&life, "reader".to_owned());
        SharedRecord::new(self.store.clone(), account(), options)
    }

    /// Returns the state of the record.
    pub(crate) async fn remembered(&self) -> Remembered {
        self.reader().load().await.unwrap().remembered
    }

    /// Returns what is wrong with the record, or what a process did wrong.
    pub(crate) async fn check(&self) -> Result<(), String> {
        let broken = self.ledger.broken();
        if let Some(first) = broken.first() {
            return Err(format!("{first}; {} in all", broken.len()));
        }
        let verified = self.reader().verify().await;
        verified.map_err(|error| error.to_string())
    }
}
