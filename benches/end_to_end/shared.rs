//! What a shared record costs: each run on a new runner without memory, and the object store with a latency of its own.

use std::path::Path;
use std::time::Duration;

use hookctl_testing::s3::{Fault, S3Stub};

use crate::process::Sandbox;
use crate::{declare, repository};

/// The latency of the API, in milliseconds.
const API_LATENCY: u64 = 50;
const WEBHOOKS: usize = 100;
/// The runs, in order, with how many webhooks have another time limit than before.
const RUNS: [(&str, usize); 3] = [("create 100", 0), ("no change", 0), ("one field", 1)];

/// Prints a table of the runs, beside those of a workstation with a local record.
pub(crate) fn table() {
    println!(
        "| store latency | run | requests to the store | wall | with a local record | added |"
    );
    println!("| ---: | --- | ---: | ---: | ---: | ---: |");
    for latency in [5, 50] {
        let local = repository();
        let (here, there) = (account(), account());
        let store = S3Stub::start();
        store.set_fault(Some(Fault::Delay(Duration::from_millis(latency))));
        here.init(runner(0).path(), &store.variables());
        for (name, changed) in RUNS {
            store.forget_requests();
            let shared = here.sync_with(runner(changed).path(), &here.url, &store.variables());
            let requests = store.requests().len();
            declare_with(local.path(), changed);
            let alone = there.sync(local.path(), &there.url);
            println!(
                "| {latency} ms | {name} | {requests} | {} ms | {} ms | {} ms |",
                shared.wall.as_millis(),
                alone.wall.as_millis(),
                shared.wall.saturating_sub(alone.wall).as_millis()
            );
        }
    }
}

fn account() -> Sandbox {
    Sandbox::start(repository().path(), API_LATENCY)
}

/// Returns a new folder with the files.
fn runner(changed: usize) -> tempfile::TempDir {
    let folder = repository();
    std::fs::write(
        folder.path().join("hookctl.yaml"),
        "record: s3://bucket/hooks\n",
    )
    .unwrap();
    declare_with(folder.path(), changed);
    folder
}

fn declare_with(folder: &Path, changed: usize) {
    declare(folder, WEBHOOKS, |number| {
        10 + usize::from(number < changed)
    });
}
