//! A watch that runs for weeks: ten thousand passes on a virtual clock, over the real schedule, client,
//! reconciler, and record, with drift now and then. A program of its own, since it looks at its memory.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::Path;
use std::time::Duration;

use hookctl::apply::{ApplyEvent, ApplyOptions, Listener};
use hookctl::cache::{Account, CacheOptions};
use hookctl::declaration::{self, Declarations, LoadOptions};
use hookctl::plan::safety::{Overrides, SafetyLimits};
use hookctl::plan::{Cause, Plan, Policy};
use hookctl::reconcile::{Pass, Verdict, evidence, prepare, reconcile};
use hookctl::record::Outcome;
use hookctl::remote::http::{Answer, HttpApi, HttpOptions, NoAnswer, Outgoing, Transport};
use hookctl::sandbox::{Emulator, Exchange, RecordedRequest, SandboxOptions};
use hookctl::secret::{FingerprintKey, PlaintextSecrets, Salt, Secret, Secrets};
use hookctl::store::Store;
use hookctl::watch::{Due, Flapping, Schedule, ScheduleSettings};
use serde_json::json;
use tokio_util::sync::CancellationToken;

const PASSES: u32 = 10_000;
/// Every so many passes somebody edits a webhook by hand.
const DRIFT_EVERY: u32 = 20;
/// Passes after which the allocator has what it needs: with 250 openings of the record behind it, it was
/// seen to grow by 2 MB more, and then no further.
const WARM: u32 = 5_000;
/// What the process may grow by afterwards, in MB. A leak of 1 KB a pass would be 5.
const MAY_GROW: f64 = 4.0;

/// The emulator, without a socket.
struct Wire(Emulator);

impl Transport for Wire {
    async fn exchange(&self, request: Outgoing<'_>) -> Result<Answer, NoAnswer> {
        let url = request.url.strip_prefix("http://model").unwrap();
        let (path, query) = url.split_once('?').unwrap_or((url, ""));
        let recorded = RecordedRequest {
            number: 0,
            method: request.verb.as_str().to_owned(),
            path: path.to_owned(),
            query: query
                .split('&')
                .filter_map(|pair| pair.split_once('='))
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .collect(),
            body: request.body.cloned(),
            authorized: true,
            headers: Vec::new(),
        };
        match self.0.exchange(&recorded, false).1 {
            Exchange::Answer(reply) => Ok(Answer {
                status: reply.status,
                headers: reply.headers,
                body: reply.body,
            }),
            _ => Err(NoAnswer {
                never_sent: true,
                reason: "no fault was asked for".to_owned(),
            }),
        }
    }
}

struct Nobody;

impl Listener for Nobody {
    fn on(&self, _: ApplyEvent<'_>) {}
}

fn declarations(folder: &Path) -> Declarations {
    let options = LoadOptions {
        display_root: folder,
        repository_root: folder,
        target: "default",
        known_targets: &[],
        lookup: &|_| None,
        plaintext_secrets: PlaintextSecrets::Warn,
    };
    declaration::load(folder, &options).declarations.unwrap()
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
    let fingerprints = FingerprintKey::derive(&key);
    let options = HttpOptions::new("http://model".into(), key, "the test".into());
    let api = HttpApi::over(Wire(emulator.clone()), options);
    let options = CacheOptions {
        directory: folder.path().join("record"),
        lock_timeout: Duration::from_secs(10),
    };
    let store = Store::new(options, Account::new("default", "http://model"));

    let start = tokio::time::Instant::now();
    let mut schedule = Schedule::new(ScheduleSettings::default());
    let mut flapping = Flapping::default();
    let (mut passes, mut openings, mut warm) = (0, 0, None);
    while passes < PASSES {
        tokio::time::sleep_until(start + schedule.next()).await;
        match schedule.due(start.elapsed()) {
            None | Some(Due::Look) => continue,
            Some(Due::Pass(_)) => passes += 1,
        }
        if passes % DRIFT_EVERY == 0 {
            let webhooks = emulator.webhooks();
            let webhook = &webhooks[usize::try_from(passes).unwrap() % webhooks.len()];
            let drift = json!({ "timeout_seconds": 10 + passes % 49 + 1 });
            emulator.edit(&webhook.id, &drift).unwrap();
        }
        let policy = Policy {
            only: Policy::default()
                .only
                .except(flapping.held(start.elapsed())),
            ..Policy::default()
        };
        let secrets = Secrets::new();
        let now = || "2026-01-01T00:00:00Z".to_owned();
        let remembered = store.remembered().unwrap();
        let evidence = evidence(&secrets, &remembered, &fingerprints, &mut |_| {
            Salt::new([0; 16])
        });
        let desired = declarations(&files).into_desired(&evidence);
        let pass = Pass {
            api: &api,
            desired: &desired,
            secrets: &secrets,
            policy: &policy,
            limits: SafetyLimits::default(),
            overrides: Overrides::default(),
            options: ApplyOptions {
                concurrency: 4,
                now: &now,
                provenance: None,
                cancellation: CancellationToken::new(),
            },
        };
        if !prepare(&pass, remembered).await.unwrap().is_idle() {
            openings += 1;
            let open = store.open().unwrap();
            let mut apply = |_: &Plan| Verdict::Apply;
            let report = reconcile(&pass, &open, &Nobody, &mut apply).await.unwrap();
            for result in report.results() {
                assert!(matches!(result.outcome, Outcome::Applied { .. }));
                for change in &result.planned.changes {
                    if change.cause() == Cause::Drift {
                        flapping.reverted(
                            &result.planned.key,
                            change.field_name(),
                            start.elapsed(),
                        );
                    }
                }
            }
            open.close_and_keep().unwrap();
        }
        emulator.clear_requests();
        schedule.ended(start.elapsed(), true, f64::from(passes % 100) / 100.0);
        if passes == WARM {
            warm = resident();
        }
    }
    assert_eq!(
        openings,
        1 + PASSES / DRIFT_EVERY,
        "only what has to opens it"
    );
    let days = start.elapsed().as_secs() / 86_400;
    assert!(
        (34..=52).contains(&days),
        "{days} days of five minutes and more"
    );
    if let (Some(warm), Some(now)) = (warm, resident()) {
        assert!(now - warm < MAY_GROW, "{warm:.1} MB, then {now:.1} MB");
    }
}
