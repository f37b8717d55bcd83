//! The shared record of a simulation, and the processes on it.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use hookctl::record::shared::{MemoryBlobs, SharedOptions, SharedRecord};
use hookctl::record::{Account, Backend as _, Remembered};
use hookctl_testing::simulation::{Fate, Life, Link, Machine};

use super::flaws::{self, Flaw};
use super::ledger::{Ledger, Role};
use crate::world::Process;

/// The store, and what it saw.
pub(crate) struct SharedDisk {
    store: MemoryBlobs,
    pub(crate) ledger: Arc<Ledger>,
    flaw: Option<Flaw>,
    /// Decides about latencies.
    seed: u64,
    /// The process of the runs without trouble. It keeps what it has read.
    home: OnceLock<Process>,
    /// Reads the record for the checks.
    reader: SharedRecord,
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
    pub(crate) fn new(seed: u64, flaw: Option<Flaw>) -> Self {
        let store = MemoryBlobs::new();
        let life = Life::new(Arc::new(Machine::steady("reader")), []);
        let options = options(&life, "reader".to_owned());
        Self {
            reader: SharedRecord::new(store.clone(), account(), options),
            store,
            ledger: Arc::default(),
            flaw,
            seed,
            home: OnceLock::new(),
        }
    }

    /// Returns the process of the runs without trouble.
    pub(crate) fn home(&self, machine: &Arc<Machine>) -> Process {
        let new = || {
            let life = Life::new(Arc::clone(machine), []);
            self.faulty(Role::Writer, life, &[])
        };
        self.home.get_or_init(new).clone()
    }

    /// Returns a process with faults of the store.
    pub(crate) fn faulty(&self, role: Role, life: Arc<Life>, faults: &[(u64, Fate)]) -> Process {
        let (number, link) = self.link(role, &life, faults);
        let options = options(&life, format!("process {number}"));
        let ledger = Arc::clone(&self.ledger);
        Process {
            record: flaws::record(self.flaw, link, account(), options),
            departures: Arc::new(move |request| ledger.sent(number, request)),
            life,
        }
    }

    fn link(&self, role: Role, life: &Arc<Life>, faults: &[(u64, Fate)]) -> (usize, Link) {
        let operations = Arc::default();
        let number = self.ledger.add(role, life, &operations);
        let ledger = Arc::clone(&self.ledger);
        let seed = self.seed + u64::try_from(number).unwrap();
        let link = Link {
            planned: faults.iter().copied().collect::<BTreeMap<_, _>>(),
            operations,
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

    /// Returns the state of the record.
    pub(crate) async fn remembered(&self) -> Remembered {
        self.reader.load().await.unwrap().remembered
    }

    /// Returns what a process did wrong.
    pub(crate) fn check(&self) -> Result<(), String> {
        let broken = self.ledger.broken();
        match broken.first() {
            Some(first) => Err(format!("{first}; {} in all", broken.len())),
            None => Ok(()),
        }
    }

    /// Returns what is wrong with the record.
    pub(crate) async fn verify(&self) -> Result<(), String> {
        let verified = self.reader.verify().await;
        verified.map_err(|error| error.to_string())
    }
}
