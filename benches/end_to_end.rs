//! The release binary against the emulator as another process: what a run costs beside what the network
//! alone would cost. `cargo bench --bench end_to_end` prints a table; sizes may be given:
//! `cargo bench --bench end_to_end -- 1000 10000`. Bytes are counted in runs of their own, which go
//! through a relay. `HOOKCTL_BENCH_BINARY` names another build, to compare with.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::cast_precision_loss,
    reason = "a bench prints its figures and fails by panicking"
)]

use std::ffi::OsString;
use std::fmt::Write as _;
use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};

/// The build that is measured: this one, unless another is named.
static BINARY: LazyLock<OsString> = LazyLock::new(|| {
    std::env::var_os("HOOKCTL_BENCH_BINARY").unwrap_or_else(|| env!("CARGO_BIN_EXE_hookctl").into())
});
/// The most requests at once, as by default.
const CONCURRENCY: f64 = 16.0;
/// Rows on a page of the list.
const PAGE: usize = 300;

/// What one run took.
struct Cost {
    wall: Duration,
    cpu: f64,
    peak: f64,
    requests: u64,
}

/// Counts the bytes of both directions on their way.
struct Relay {
    url: String,
    bytes: Arc<AtomicU64>,
}

impl Relay {
    fn to(url: &str) -> Self {
        let server = url.trim_start_matches("http://").to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let bytes = Arc::new(AtomicU64::new(0));
        let counter = Arc::clone(&bytes);
        std::thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let server = TcpStream::connect(&server).unwrap();
                for (from, to) in [(&client, &server), (&server, &client)] {
                    let (from, to) = (from.try_clone().unwrap(), to.try_clone().unwrap());
                    let counter = Arc::clone(&counter);
                    std::thread::spawn(move || carry(from, to, &counter));
                }
            }
        });
        Self { url, bytes }
    }

    /// The bytes since the last time.
    fn take(&self) -> u64 {
        self.bytes.swap(0, Ordering::SeqCst)
    }
}

fn carry(mut from: TcpStream, mut to: TcpStream, counter: &AtomicU64) {
    let mut part = vec![0; 65_536];
    while let Ok(length) = from.read(&mut part) {
        let sent = part.get(..length).unwrap_or_default();
        counter.fetch_add(length as u64, Ordering::SeqCst);
        if length == 0 || to.write_all(sent).is_err() {
            break;
        }
    }
    let _ = to.shutdown(Shutdown::Write);
}

struct Sandbox(Child, String);

impl Sandbox {
    fn start(folder: &Path, latency: u64) -> Self {
        let mut child = Command::new(&*BINARY)
            .args([
                "sandbox",
                "--memory",
                "--listen",
                "127.0.0.1:0",
                "--latency",
            ])
            .arg(latency.to_string())
            .env("INTERACTLY_API_KEY", "sandbox-api-key")
            .current_dir(folder)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut line = String::new();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        while !line.contains("http://") {
            line.clear();
            assert!(stdout.read_line(&mut line).unwrap() > 0, "no sandbox");
        }
        let start = line.find("http://").unwrap();
        let url = line[start..].split_whitespace().next().unwrap();
        let url = url.trim_end_matches(['.', ',', '/']).to_owned();
        // The rest is not read; the pipe stays open.
        std::mem::forget(stdout);
        Self(child, url)
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn declare(folder: &Path, count: usize, timeout: impl Fn(usize) -> usize) {
    let numbers: Vec<usize> = (0..count).collect();
    for (file, numbers) in numbers.chunks(100).enumerate() {
        let mut text = "webhooks:\n".to_owned();
        for number in numbers {
            writeln!(
                text,
                "  hook-{number}: {{ url: 'https://h{number}.example.com/x', actions: all, timeout_seconds: {}, \
                 bearer_token: {{ env: TOKEN }} }}",
                timeout(*number)
            )
            .unwrap();
        }
        fs::write(folder.join(format!("webhooks.d/{file}.yaml")), text).unwrap();
    }
}

/// What the system says of a process: its peak in MB, and its CPU in seconds.
fn sample(id: u32) -> Option<(f64, f64)> {
    let status = fs::read_to_string(format!("/proc/{id}/status")).ok()?;
    let peak = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    let peak: f64 = peak.split_whitespace().nth(1)?.parse().ok()?;
    let stat = fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
    let fields: Vec<&str> = stat.rsplit(')').next()?.split_whitespace().collect();
    let ticks: f64 = fields.get(11)?.parse::<f64>().ok()? + fields.get(12)?.parse::<f64>().ok()?;
    Some((peak / 1024.0, ticks / 100.0))
}

fn sync(folder: &Path, url: &str) -> Cost {
    let started = Instant::now();
    let mut child = Command::new(&*BINARY)
        .args(["--api-url", url, "sync", "--yes", "--force", "--quiet"])
        .env("INTERACTLY_API_KEY", "sandbox-api-key")
        .env("TOKEN", "a-token-of-the-bench")
        .current_dir(folder)
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit())
        .spawn()
        .unwrap();
    let stdout = child.stdout.take().unwrap();
    let reader = std::thread::spawn(move || {
        let lines = BufReader::new(stdout).lines().map_while(Result::ok);
        lines.last().unwrap_or_default()
    });
    let (mut peak, mut cpu) = (0.0, 0.0);
    let status = loop {
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        if let Some((new_peak, new_cpu)) = sample(child.id()) {
            (peak, cpu) = (new_peak, new_cpu);
        }
        std::thread::sleep(Duration::from_millis(1));
    };
    let wall = started.elapsed();
    assert!(status.success(), "{status}");
    let last = reader.join().unwrap();
    let words: Vec<&str> = last.split_whitespace().collect();
    let at = words.iter().position(|word| word.starts_with("request"));
    let requests = at
        .and_then(|at| words.get(at - 1))
        .and_then(|word| word.parse().ok());
    Cost {
        wall,
        cpu,
        peak,
        requests: requests.unwrap_or_default(),
    }
}

/// The runs, in the order in which they are made.
const RUNS: [&str; 4] = ["create all", "no change", "again", "10 % changed"];

/// Makes the runs.
fn runs(folder: &Path, url: &str, count: usize, mut each: impl FnMut(usize, Cost)) {
    for run in 0..RUNS.len() {
        declare(folder, count, |number| {
            10 + usize::from(run == 3 && number % 10 == 0)
        });
        each(run, sync(folder, url));
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
    let relay = Relay::to(&sandbox.1);
    let mut bytes = Vec::new();
    runs(folder.path(), &relay.url, count, |_, _| {
        bytes.push(relay.take());
    });
    bytes
}

fn show(what: &str, count: usize, latency: u64, (cost, bytes): (&Cost, u64), floor: f64) {
    let wall = cost.wall.as_secs_f64() * 1_000.0;
    let times = if floor > 0.0 {
        format!("{:.2}", wall / floor)
    } else {
        "-".to_owned()
    };
    println!(
        "| {count} | {latency} ms | {what} | {} | {} kB | {wall:.0} ms | {floor:.0} ms | {times} | {:.2} s | {:.0} MB |",
        cost.requests,
        bytes.div_ceil(1_000),
        cost.cpu,
        cost.peak
    );
}

fn main() {
    let given: Vec<usize> = std::env::args()
        .filter_map(|word| word.parse().ok())
        .collect();
    let sizes = if given.is_empty() { vec![1_000] } else { given };
    println!("| webhooks | latency | run | requests | bytes | wall | floor | times | CPU | peak |");
    println!("| ---: | ---: | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |");
    let bytes: Vec<Vec<u64>> = sizes.iter().map(|count| bytes(*count)).collect();
    for latency in [0, 50] {
        for (count, bytes) in sizes.iter().zip(&bytes) {
            let folder = repository();
            let sandbox = Sandbox::start(folder.path(), latency);
            let latency_ms = latency as f64;
            let writes = |count: usize| (count as f64 / CONCURRENCY).ceil() * latency_ms;
            // The first page tells how many there are; the others come at once.
            let pages = |count: usize| {
                let others = count.div_ceil(PAGE).saturating_sub(1) as f64;
                latency_ms + (others / CONCURRENCY).ceil() * latency_ms
            };
            let floors = [
                latency_ms + writes(*count),
                pages(*count),
                pages(*count),
                pages(*count) + writes(count / 10),
            ];
            runs(folder.path(), &sandbox.1, *count, |run, cost| {
                let what = RUNS.get(run).copied().unwrap_or_default();
                let bytes = bytes.get(run).copied().unwrap_or_default();
                let floor = floors.get(run).copied().unwrap_or_default();
                show(what, *count, latency, (&cost, bytes), floor);
            });
        }
    }
    println!(
        "\nThe floor is what the network alone takes: pages and writes, 16 at once, each with the latency."
    );
}
