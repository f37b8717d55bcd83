//! The two processes: the emulator, and a run of the tool.

use std::ffi::OsString;
use std::fs;
use std::io::{BufRead as _, BufReader, Lines};
use std::path::Path;
use std::process::{Child, ChildStderr, Command, Stdio};
use std::sync::LazyLock;
use std::time::{Duration, Instant};

/// The build that is measured: this one, unless another is named.
static BINARY: LazyLock<OsString> = LazyLock::new(|| {
    std::env::var_os("HOOKCTL_BENCH_BINARY").unwrap_or_else(|| env!("CARGO_BIN_EXE_hookctl").into())
});

/// What one run took.
pub(crate) struct Usage {
    pub(crate) wall: Duration,
    /// Seconds of CPU, user and system.
    pub(crate) cpu: f64,
    /// Seconds of the emulator's CPU meanwhile.
    pub(crate) server_cpu: f64,
    /// The most memory, in MB.
    pub(crate) peak: f64,
    pub(crate) requests: u64,
}

/// The emulator, which ends with this.
pub(crate) struct Sandbox {
    process: Child,
    pub(crate) url: String,
}

impl Sandbox {
    pub(crate) fn start(folder: &Path, latency: u64) -> Self {
        let mut process = Command::new(&*BINARY)
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
        let mut stdout = BufReader::new(process.stdout.take().unwrap());
        while !line.contains("http://") {
            line.clear();
            assert!(stdout.read_line(&mut line).unwrap() > 0, "no sandbox");
        }
        let start = line.find("http://").unwrap();
        let url = line[start..].split_whitespace().next().unwrap();
        let url = url.trim_end_matches(['.', ',', '/']).to_owned();
        // The rest is not read; the pipe stays open.
        std::mem::forget(stdout);
        Self { process, url }
    }

    /// Creates the record that a folder names.
    pub(crate) fn init(&self, folder: &Path, variables: &[(String, String)]) {
        let status = command(folder, &self.url)
            .args(["record", "init", "--quiet"])
            .envs(variables.iter().cloned())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status();
        assert!(status.unwrap().success());
    }

    /// Runs `sync` against it in a folder.
    pub(crate) fn sync(&self, folder: &Path, url: &str) -> Usage {
        self.sync_with(folder, url, &[])
    }

    /// Like [`Sandbox::sync`], with these variables.
    pub(crate) fn sync_with(
        &self,
        folder: &Path,
        url: &str,
        variables: &[(String, String)],
    ) -> Usage {
        let arguments = ["sync", "--yes", "--force", "--quiet"];
        self.run(folder, url, &arguments, variables)
    }

    /// Runs a command against it in a folder.
    pub(crate) fn run(
        &self,
        folder: &Path,
        url: &str,
        arguments: &[&str],
        variables: &[(String, String)],
    ) -> Usage {
        let server_cpu = || sample(self.process.id()).map_or(0.0, |(_, cpu)| cpu);
        let server_before = server_cpu();
        let started = Instant::now();
        let mut child = command(folder, url)
            .args(arguments)
            .envs(variables.iter().cloned())
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
        Usage {
            wall,
            cpu,
            server_cpu: server_cpu() - server_before,
            peak,
            requests: requests.unwrap_or_default(),
        }
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Sandbox {
    /// Starts a watch against it in a folder, which checks for drift once an hour.
    pub(crate) fn watch(&self, folder: &Path) -> Watch {
        let mut process = command(folder, &self.url)
            .args(["watch", "--interval", "1h", "--log-format", "json"])
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(process.stderr.take().unwrap()).lines();
        Watch { process, lines }
    }
}

/// A watch, which ends with this.
pub(crate) struct Watch {
    process: Child,
    lines: Lines<BufReader<ChildStderr>>,
}

impl Watch {
    /// Waits until it has completed a pass that applied as many changes.
    pub(crate) fn pass(&mut self, applied: usize) {
        let is_pass = |line: std::io::Result<String>| {
            let line: serde_json::Value = serde_json::from_str(&line.unwrap()).unwrap_or_default();
            line["fields"]["message"] == "pass" && line["fields"]["applied"] == applied
        };
        assert!(self.lines.any(is_pass), "the watch ended");
    }

    /// Returns its resident memory in MB, and how many threads it has.
    pub(crate) fn size(&self) -> (f64, usize) {
        let status = fs::read_to_string(format!("/proc/{}/status", self.process.id())).unwrap();
        let field = |name: &str| {
            let line = status.lines().find(|line| line.starts_with(name)).unwrap();
            line.split_whitespace().nth(1).unwrap().parse().unwrap()
        };
        let (resident, threads): (usize, usize) = (field("VmRSS:"), field("Threads:"));
        (resident as f64 / 1024.0, threads)
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A command in a folder against the API at a URL.
fn command(folder: &Path, url: &str) -> Command {
    let mut command = Command::new(&*BINARY);
    command
        .args(["--api-url", url])
        .env("INTERACTLY_API_KEY", "sandbox-api-key")
        .env("TOKEN", "a-token-of-the-bench")
        // The address of a record may be in a file.
        .env("HOOKCTL_TRUST", "1")
        .current_dir(folder);
    command
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
