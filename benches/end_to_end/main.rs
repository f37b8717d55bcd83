//! The release binary against the emulator as another process: what a run costs beside what the network
//! alone would cost. `cargo bench --profile dist --bench end_to_end` prints a table; sizes may be given:
//! `cargo bench --profile dist --bench end_to_end -- 1000 10000`; with `--json` each run is a line of JSON instead.
//! `-- shared` measures a shared record instead, of 100 webhooks or of the sizes given; `-- large` every kind of run with
//! 100,000 webhooks; `-- watch` the memory and the threads of a watch of 1,000 webhooks that are edited; `-- tls` the runs
//! of the table over TLS, with a latency of 50 ms or of the first number, and 1,000 webhooks or the further numbers.
//! Bytes are counted in runs of their own, which go through a relay. `HOOKCTL_BENCH_BINARY` names another
//! build, to compare with.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::cast_precision_loss,
    reason = "a bench prints its figures and fails by panicking"
)]

mod large;
mod process;
mod relay;
mod shared;
mod tls;
mod watch;

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use process::{Sandbox, Usage};
use relay::Relay;
use serde_json::{Value, json};

/// The most requests at once, as by default.
const CONCURRENCY: f64 = 16.0;
/// Rows on a page of the list.
const PAGE: usize = 300;

/// The files of so many webhooks, 100 in each.
fn declare(folder: &Path, count: usize, timeout: impl Fn(usize) -> usize) {
    let numbers: Vec<usize> = (0..count).collect();
    for (file, numbers) in numbers.chunks(100).enumerate() {
        let numbers = numbers.iter().copied();
        declare_file(folder, file, numbers, |number| {
            ("{ env: TOKEN }".to_owned(), timeout(number))
        });
    }
}

/// One file. Each webhook has the source of a token, and a time limit.
fn declare_file(
    folder: &Path,
    file: usize,
    numbers: impl Iterator<Item = usize>,
    webhook: impl Fn(usize) -> (String, usize),
) {
    let mut text = "webhooks:\n".to_owned();
    for number in numbers {
        let (token, timeout) = webhook(number);
        writeln!(
            text,
            "  hook-{number}: {{ url: 'https://h{number}.example.com/x', actions: all, timeout_seconds: {timeout}, \
             bearer_token: {token} }}"
        )
        .unwrap();
    }
    fs::write(folder.join(format!("webhooks.d/{file}.yaml")), text).unwrap();
}

/// The runs, in the order in which they are made.
const RUNS: [&str; 4] = ["create all", "no change", "again", "10 % changed"];

/// Makes the runs; the requests go to `url`, which leads to the emulator.
fn runs(
    folder: &Path,
    (sandbox, url): (&Sandbox, &str),
    count: usize,
    each: impl FnMut(usize, Usage),
) {
    runs_with(folder, (sandbox, url), count, &[], each);
}

/// Makes the runs like [`runs`], with these variables.
fn runs_with(
    folder: &Path,
    (sandbox, url): (&Sandbox, &str),
    count: usize,
    variables: &[(String, String)],
    mut each: impl FnMut(usize, Usage),
) {
    for run in 0..RUNS.len() {
        declare(folder, count, |number| {
            10 + usize::from(run == 3 && number % 10 == 0)
        });
        each(run, sandbox.sync_with(folder, url, variables));
    }
}

fn repository() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("webhooks.d")).unwrap();
    folder
}

/// The bytes of each run.
fn bytes(count: usize) -> Vec<u64> {
    let folder = repository();
    let sandbox = Sandbox::start(folder.path(), 0);
    let relay = Relay::to(&sandbox.url);
    let mut bytes = Vec::new();
    runs(folder.path(), (&sandbox, &relay.url), count, |_, _| {
        bytes.push(relay.take());
    });
    bytes
}

/// A run, and what it cost.
struct Row {
    webhooks: usize,
    latency_ms: u64,
    run: &'static str,
    cost: Usage,
    bytes: u64,
    /// What the network alone takes, in milliseconds.
    floor_ms: f64,
}

impl Row {
    const HEAD: &str = "| webhooks | latency | run | requests | bytes | wall | floor | times | CPU | server | peak |\n\
        | ---: | ---: | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |";

    fn wall_ms(&self) -> f64 {
        self.cost.wall.as_secs_f64() * 1_000.0
    }

    fn markdown(&self) -> String {
        let times = if self.floor_ms > 0.0 {
            format!("{:.2}", self.wall_ms() / self.floor_ms)
        } else {
            "-".to_owned()
        };
        format!(
            "| {} | {} ms | {} | {} | {} kB | {:.0} ms | {:.0} ms | {times} | {:.2} s | {:.2} s | {:.0} MB |",
            self.webhooks,
            self.latency_ms,
            self.run,
            self.cost.requests,
            self.bytes.div_ceil(1_000),
            self.wall_ms(),
            self.floor_ms,
            self.cost.cpu,
            self.cost.server_cpu,
            self.cost.peak
        )
    }

    fn json(&self) -> Value {
        json!({
            "webhooks": self.webhooks,
            "latency_ms": self.latency_ms,
            "run": self.run,
            "requests": self.cost.requests,
            "bytes": self.bytes,
            "wall_ms": self.wall_ms(),
            "floor_ms": self.floor_ms,
            "cpu_s": self.cost.cpu,
            "server_cpu_s": self.cost.server_cpu,
            "peak_mb": self.cost.peak,
        })
    }
}

/// What the network alone takes for each of the runs, in milliseconds.
fn floors(count: usize, latency_ms: u64) -> [f64; RUNS.len()] {
    let latency = latency_ms as f64;
    let writes = |count: usize| (count as f64 / CONCURRENCY).ceil() * latency;
    // The first page tells how many there are; the others come at once.
    let others = count.div_ceil(PAGE).saturating_sub(1) as f64;
    let pages = latency + (others / CONCURRENCY).ceil() * latency;
    [
        latency + writes(count),
        pages,
        pages,
        pages + writes(count / 10),
    ]
}

fn main() {
    let as_json = std::env::args().any(|word| word == "--json");
    let given: Vec<usize> = std::env::args()
        .filter_map(|word| word.parse().ok())
        .collect();
    if std::env::args().any(|word| word == "shared") {
        return shared::table(if given.is_empty() { &[100] } else { &given });
    }
    if std::env::args().any(|word| word == "large") {
        return large::table(given.first().copied().unwrap_or(100_000));
    }
    if std::env::args().any(|word| word == "watch") {
        return watch::table(given.first().copied().unwrap_or(1_000));
    }
    if std::env::args().any(|word| word == "tls") {
        let latency_ms = given.first().map_or(50, |latency| *latency as u64);
        let sizes = given.get(1..).filter(|sizes| !sizes.is_empty());
        return tls::table(latency_ms, sizes.unwrap_or(&[1_000]), as_json);
    }
    let sizes = if given.is_empty() { vec![1_000] } else { given };
    let bytes: Vec<Vec<u64>> = sizes.iter().map(|count| bytes(*count)).collect();
    if !as_json {
        println!("{}", Row::HEAD);
    }
    for latency_ms in [0, 50] {
        for (webhooks, bytes) in sizes.iter().zip(&bytes) {
            let folder = repository();
            let sandbox = Sandbox::start(folder.path(), latency_ms);
            let floors = floors(*webhooks, latency_ms);
            let to = (&sandbox, sandbox.url.as_str());
            runs(folder.path(), to, *webhooks, |run, cost| {
                let row = Row {
                    webhooks: *webhooks,
                    latency_ms,
                    run: RUNS[run],
                    cost,
                    bytes: bytes[run],
                    floor_ms: floors[run],
                };
                if as_json {
                    println!("{}", row.json());
                } else {
                    println!("{}", row.markdown());
                }
            });
        }
    }
    if !as_json {
        println!(
            "\nThe floor is what the network alone takes: pages and writes, 16 at once, each with the latency."
        );
    }
}
