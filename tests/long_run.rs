//! A watch that runs for weeks: ten thousand passes on a virtual clock, over the real loop, client, reconciler,
//! and record, with drift now and then. A program of its own, since it looks at its memory.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::convert::Infallible;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use hookctl::clock::{Clock, SystemClock};
use hookctl::declaration::LoadOptions;
use hookctl::record::sled::{SledOptions, SledRecord};
use hookctl::record::{Account, Record, SendPermit};
use hookctl::remote::http::{Answer, Fate, HttpApi, HttpOptions, NoAnswer, Outgoing, Transport};
use hookctl::sandbox::{Emulator, Exchange, RecordedRequest, SandboxOptions};
use hookctl::secret::{FingerprintKey, Secret, Secrets};
use hookctl::watch::{
    Ended, Files, Host, Inputs, ScanResult, WatchEvent, WatchOptions, Watched, watch,
};
use serde_json::json;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

const PASSES: u32 = 10_000;
/// The number of passes between two edits of a webhook by hand.
const DRIFT_EVERY: u32 = 20;
/// Passes after which the allocator mostly has what it needs.
const WARM: u32 = 5_000;
/// What the process may grow by afterwards, in MB. It was seen to grow by 1 to 5 of what the allocator
/// keeps for its threads, and by 4 in the 50,000 passes after these; the list of one pass, lost each time,
/// would be 40.
const MAY_GROW: f64 = 12.0;

/// The emulator, without a socket.
struct Wire(Emulator);

impl Transport for Wire {
    async fn exchange(&self, request: Outgoing<'_>, _: &SendPermit) -> Result<Answer, NoAnswer> {
        let target = request.url.strip_prefix("http://model").unwrap();
        let body = request
            .body
            .map(|body| serde_json::from_slice(body.as_bytes()).unwrap());
        let recorded = RecordedRequest::authorized(request.verb.as_str(), target, body);
        match self.0.exchange(&recorded, false).1 {
            Exchange::Answer(reply) => Ok(Answer {
                status: reply.status,
                headers: reply.headers,
                body: reply.body,
            }),
            _ => Err(NoAnswer {
                fate: Fate::NeverSent,
                reason: "no fault was asked for".to_owned(),
            }),
        }
    }
}

/// The program that is watched for: it edits a webhook by hand before every so many passes,
/// counts, and stops after the last pass.
struct Weeks {
    root: PathBuf,
    files: Files,
    emulator: Emulator,
    api: HttpApi<Wire>,
    record: Record,
    fingerprint_key: FingerprintKey,
    clock: Arc<dyn Clock>,
    options: WatchOptions,
    stop: CancellationToken,
    passes: AtomicU32,
    applied: AtomicU32,
    warm: OnceLock<Option<f64>>,
}

impl Host for Weeks {
    type Api = HttpApi<Wire>;
    type Error = Infallible;

    fn options(&self) -> &WatchOptions {
        &self.options
    }

    fn clock(&self) -> &Arc<dyn Clock> {
        &self.clock
    }

    fn api(&self) -> &HttpApi<Wire> {
        &self.api
    }

    fn record(&self) -> &Record {
        &self.record
    }

    fn fingerprint_key(&self) -> &FingerprintKey {
        &self.fingerprint_key
    }

    fn watched(&self) -> Watched<'_> {
        Watched {
            root: &self.root,
            files: self.files.secret_files(),
        }
    }

    fn scan(&mut self) -> ScanResult {
        self.files
            .scan(&self.root, &LoadOptions::below(&self.root))
            .0
    }

    async fn inputs(&self) -> Result<Option<Inputs>, Infallible> {
        let number = self.passes.load(Ordering::SeqCst) + 1;
        if number.is_multiple_of(DRIFT_EVERY) {
            let webhooks = self.emulator.webhooks();
            let index = usize::try_from(number).unwrap() % webhooks.len();
            let webhook = webhooks.get(index).unwrap();
            let drift = json!({ "timeout_seconds": 10 + number % 49 + 1 });
            self.emulator.edit(&webhook.id, &drift).unwrap();
        }
        let declarations = self.files.declarations(&LoadOptions::below(&self.root));
        Ok(declarations.map(|declarations| Inputs {
            declarations,
            secrets: Secrets::new(),
        }))
    }

    fn on_event(&self, event: WatchEvent<'_, Infallible>) {
        let WatchEvent::Passed(passed) = event else {
            let is_progress = matches!(event, WatchEvent::Action(_) | WatchEvent::Scheduled { .. });
            assert!(is_progress, "no pass failed");
            return;
        };
        assert_eq!(passed.ended, Ended::Complete);
        if passed.report.results().is_empty() {
            assert!(passed.report.report.is_none(), "an idle pass opens nothing");
        } else {
            self.applied.fetch_add(1, Ordering::SeqCst);
        }
        self.emulator.clear_requests();
        match self.passes.fetch_add(1, Ordering::SeqCst) + 1 {
            WARM => {
                let _ = self.warm.set(resident());
            }
            PASSES => self.stop.cancel(),
            _ => {}
        }
    }
}

/// What the process has of memory, in MB; none where the system does not say.
fn resident() -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmRSS:"))?;
    let kilobytes: f64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kilobytes / 1024.0)
}

#[tokio::test(start_paused = true)]
async fn ten_thousand_passes_leave_no_trace() {
    let folder = tempfile::tempdir().unwrap();
    let files = folder.path().join("webhooks.d");
    std::fs::create_dir(&files).unwrap();
    let text = (0..20).map(|number| {
        format!("  hook-{number}: {{ url: 'https://a.example.com/{number}', actions: all }}\n")
    });
    let text = format!("webhooks:\n{}", text.collect::<String>());
    std::fs::write(files.join("all.yaml"), text).unwrap();

    let emulator = Emulator::new(SandboxOptions::in_memory("key")).unwrap();
    let key = Secret::new("key".to_owned()).unwrap();
    let fingerprint_key = FingerprintKey::derive(&key);
    let options = HttpOptions::new("http://model".into(), key, "the test".into());
    let api = HttpApi::over(Wire(emulator.clone()), options);
    let options = SledOptions::in_folder(folder.path().join("record"));
    let record = SledRecord::new(options, Account::new("default", "http://model")).into_record();

    let start = tokio::time::Instant::now();
    let mut weeks = Weeks {
        root: files,
        files: Files::default(),
        emulator,
        api,
        record,
        fingerprint_key,
        clock: SystemClock::shared(),
        options: WatchOptions {
            // Nothing changes the files; looking at them every half minute would only cost time.
            rescan: Duration::from_hours(24),
            ..WatchOptions::default()
        },
        stop: CancellationToken::new(),
        passes: AtomicU32::new(0),
        applied: AtomicU32::new(0),
        warm: OnceLock::new(),
    };
    let stop = weeks.stop.clone();
    watch(&mut weeks, &Notify::new(), &stop).await;
    assert_eq!(
        weeks.applied.load(Ordering::SeqCst),
        1 + PASSES / DRIFT_EVERY,
        "only what has to opens the record"
    );
    let days = start.elapsed().as_secs() / 86_400;
    assert!(
        (34..=52).contains(&days),
        "{days} days of five minutes and more"
    );
    if let (Some(Some(warm)), Some(now)) = (weeks.warm.get(), resident()) {
        assert!(now - warm < MAY_GROW, "{warm:.1} MB, then {now:.1} MB");
    }
}
