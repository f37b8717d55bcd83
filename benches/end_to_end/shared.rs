//! What a shared record costs, with an object store that has a latency of its own: each run on a new runner without memory,
//! and on a machine that has read the record before.

use std::path::Path;
use std::time::Duration;

use hookctl_testing::s3::{Fault, S3Stub};

use crate::process::{Sandbox, Usage};
use crate::{declare, repository};

/// The latency of the API, in milliseconds.
const API_LATENCY: u64 = 50;

/// The latencies of the object store, in milliseconds.
const STORE_LATENCIES: [u64; 2] = [5, 50];

/// Where a run takes place.
#[derive(Clone, Copy)]
enum Machine {
    /// A folder that nothing ran in before.
    New,
    /// The folder of the run before.
    Same,
}

impl Machine {
    const fn name(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Same => "has a replica",
        }
    }
}

/// Prints a table of the runs with these numbers of webhooks, beside those of a workstation with a local record.
pub(crate) fn table(sizes: &[usize]) {
    println!(
        "| store latency | run | machine | requests to the store | wall | with a local record | added |"
    );
    println!("| ---: | --- | --- | ---: | ---: | ---: | ---: |");
    for latency in STORE_LATENCIES {
        for webhooks in sizes {
            Bench::new(latency, *webhooks).rows();
        }
    }
}

/// Two accounts with the same webhooks: one with a shared record, and one with a local record.
struct Bench {
    latency: u64,
    webhooks: usize,
    store: S3Stub,
    with_shared: Sandbox,
    with_local: Sandbox,
    local: tempfile::TempDir,
    /// The folder of the latest run.
    runner: tempfile::TempDir,
}

impl Bench {
    fn new(latency: u64, webhooks: usize) -> Self {
        let account = || Sandbox::start(repository().path(), API_LATENCY);
        let bench = Self {
            latency,
            webhooks,
            store: S3Stub::start(),
            with_shared: account(),
            with_local: account(),
            local: repository(),
            runner: runner(),
        };
        let delay = Fault::Delay(Duration::from_millis(latency));
        bench.store.set_fault(Some(delay));
        let variables = bench.store.variables();
        bench.with_shared.init(bench.runner.path(), &variables);
        bench
    }

    fn rows(&mut self) {
        let create = format!("create {}", self.webhooks);
        self.row(&create, Machine::New, 0);
        self.row("no change", Machine::New, 0);
        self.row("one field", Machine::New, 1);
        self.row("no change", Machine::Same, 1);
        self.row("one field", Machine::Same, 2);
    }

    /// Prints a run after which `changed` webhooks have another time limit than at the start.
    fn row(&mut self, name: &str, machine: Machine, changed: usize) {
        if let Machine::New = machine {
            self.runner = runner();
        } else if self.keeps().is_ok() {
            // What is measured begins with what this run read.
            self.with_shared_record(changed);
        }
        let shared = self.with_shared_record(changed);
        let requests = self.store.requests().len();
        self.declare(self.local.path(), changed);
        let local = self
            .with_local
            .sync(self.local.path(), &self.with_local.url);
        println!(
            "| {} ms | {name} | {} | {requests} | {} ms | {} ms | {} ms |",
            self.latency,
            machine.name(),
            shared.wall.as_millis(),
            local.wall.as_millis(),
            shared.wall.saturating_sub(local.wall).as_millis()
        );
    }

    fn with_shared_record(&self, changed: usize) -> Usage {
        self.declare(self.runner.path(), changed);
        self.store.forget_requests();
        let (url, variables) = (&self.with_shared.url, self.store.variables());
        self.with_shared
            .sync_with(self.runner.path(), url, &variables)
    }

    /// Lets the runner keep what it reads: it does so if there is a folder for it.
    fn keeps(&self) -> std::io::Result<()> {
        std::fs::create_dir(self.runner.path().join(".hookctl"))
    }

    fn declare(&self, folder: &Path, changed: usize) {
        declare(folder, self.webhooks, |number| {
            10 + usize::from(number < changed)
        });
    }
}

/// Returns a new folder that names the record.
fn runner() -> tempfile::TempDir {
    let folder = repository();
    std::fs::write(
        folder.path().join("hookctl.yaml"),
        "record: s3://bucket/hooks\n",
    )
    .unwrap();
    folder
}
