//! What one pass costs apart from the network: parse, plan, render, record, at 10 to 100,000 webhooks.
//!
//! `cargo bench --bench core`; a part of it with `cargo bench --bench core -- plan`.

#![expect(
    clippy::unwrap_used,
    clippy::cast_possible_wrap,
    reason = "a bench fails by panicking, and its numbers are small"
)]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use divan::Bencher;
use divan::counter::ItemsCount;
use hookctl::cache::{Account, Cache, CacheOptions};
use hookctl::declaration::{LoadOptions, Loaded, load_texts};
use hookctl::plan::{Plan, Policy, plan};
use hookctl::record::{After, Settlement};
use hookctl::render::{PlanDocument, Scene, Styles};
use hookctl::secret::PlaintextSecrets;
use hookctl::state::{AppliedRecord, DesiredState, LastApplied, ObservedState, ObservedWebhook};
use hookctl::webhook::RemoteId;

const SIZES: [usize; 5] = [10, 100, 1_000, 10_000, 100_000];

fn main() {
    divan::main();
}

/// So many webhooks, so many in each file.
fn texts(count: usize, in_each: usize) -> Vec<(PathBuf, String)> {
    let numbers: Vec<usize> = (0..count).collect();
    numbers
        .chunks(in_each)
        .enumerate()
        .map(|(file, numbers)| {
            let lines = numbers.iter().map(|number| {
                format!(
                    "  hook-{number}:\n    name: Webhook {number}\n    url: https://hooks-{number}.example.com/interactly\n    actions: [workflow_run_started, workflow_run_completed]\n    timeout_seconds: 20\n"
                )
            });
            let text = lines.fold("webhooks:\n".to_owned(), |text, line| text + &line);
            (PathBuf::from(format!("{file}.yaml")), text)
        })
        .collect()
}

fn load(texts: &[(PathBuf, String)]) -> Loaded {
    let options = LoadOptions {
        display_root: Path::new("/"),
        repository_root: Path::new("/"),
        target: "default",
        known_targets: &[],
        lookup: &|_| None,
        plaintext_secrets: PlaintextSecrets::Warn,
    };
    load_texts(texts, &options)
}

/// What is desired, observed, and remembered, when so many of a hundred were edited by hand.
fn states(count: usize, percent: usize) -> (DesiredState, ObservedState, LastApplied) {
    let declarations = load(&texts(count, 100)).declarations.unwrap();
    let desired = declarations.into_desired(&BTreeMap::new());
    let mut observed = ObservedState::default();
    let mut remembered = LastApplied::new();
    for (number, (key, webhook)) in desired.webhooks.iter().enumerate() {
        let id = RemoteId::parse(&format!("{number:024x}")).unwrap();
        let mut spec = webhook.spec.clone();
        remembered.insert(
            key.clone(),
            AppliedRecord {
                id: id.clone(),
                sent: spec.clone(),
                stored: spec.clone(),
                token: None,
                prevent_destroy: false,
            },
        );
        if number % 100 < percent {
            spec.timeout_seconds += 1 + (number % 30) as i64;
        }
        let row = ObservedWebhook {
            id: id.clone(),
            spec,
            has_bearer_token: false,
        };
        observed.webhooks.insert(id, row);
    }
    (desired, observed, remembered)
}

fn planned(count: usize, percent: usize) -> Plan {
    let (desired, observed, remembered) = states(count, percent);
    plan(&desired, &observed, &remembered, &Policy::default()).unwrap()
}

#[divan::bench(args = SIZES, max_time = 3)]
fn parse_and_validate_files_of_100(bencher: Bencher, count: usize) {
    let texts = texts(count, 100);
    bencher
        .counter(ItemsCount::new(count))
        .bench_local(|| load(divan::black_box(&texts)));
}

#[divan::bench(args = [10, 100, 1_000, 10_000], max_time = 3)]
fn parse_and_validate_one_file(bencher: Bencher, count: usize) {
    let texts = texts(count, count);
    bencher
        .counter(ItemsCount::new(count))
        .bench_local(|| load(divan::black_box(&texts)));
}

#[divan::bench(args = SIZES, max_time = 3)]
fn plan_no_change(bencher: Bencher, count: usize) {
    let (desired, observed, remembered) = states(count, 0);
    bencher
        .counter(ItemsCount::new(count))
        .bench_local(|| plan(&desired, &observed, &remembered, &Policy::default()));
}

#[divan::bench(args = SIZES, max_time = 3)]
fn plan_10_percent_changed(bencher: Bencher, count: usize) {
    let (desired, observed, remembered) = states(count, 10);
    bencher
        .counter(ItemsCount::new(count))
        .bench_local(|| plan(&desired, &observed, &remembered, &Policy::default()));
}

/// A fifth is bound and no longer declared, another fifth is declared and not there yet.
#[divan::bench(args = SIZES, max_time = 3)]
fn plan_a_fifth_replaced(bencher: Bencher, count: usize) {
    let (mut desired, mut observed, mut remembered) = states(count, 0);
    let fifth = count / 5;
    let keys: Vec<_> = desired.webhooks.keys().cloned().collect();
    for key in keys.iter().take(fifth) {
        let record = remembered.remove(key).unwrap();
        observed.webhooks.remove(&record.id);
    }
    for key in keys.iter().rev().take(fifth) {
        desired.webhooks.remove(key);
    }
    bencher
        .counter(ItemsCount::new(count))
        .bench_local(|| plan(&desired, &observed, &remembered, &Policy::default()));
}

const SCENE: Scene<'_> = Scene {
    target: "default",
    sandbox: false,
    dry_run: true,
};

#[divan::bench(args = SIZES, max_time = 3)]
fn render_human_10_percent(bencher: Bencher, count: usize) {
    let plan = planned(count, 10);
    bencher
        .counter(ItemsCount::new(count))
        .bench_local(|| hookctl::render::plan(&plan, SCENE, &Styles::new(true)));
}

#[divan::bench(args = SIZES, max_time = 3)]
fn render_json_10_percent(bencher: Bencher, count: usize) {
    let plan = planned(count, 10);
    bencher
        .counter(ItemsCount::new(count))
        .bench_local(|| PlanDocument::of_plan(SCENE, &plan, Vec::new()).to_text());
}

fn cache(folder: &Path) -> Cache {
    let options = CacheOptions {
        directory: folder.to_owned(),
        lock_timeout: Duration::from_secs(10),
    };
    Cache::open(&options, Account::new("default", "https://api.example")).unwrap()
}

fn fill(cache: &Cache, remembered: &LastApplied) {
    let settlements = remembered.iter().map(|(key, record)| Settlement {
        key: key.clone(),
        after: After::Record(Box::new(record.clone())),
        history: None,
    });
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    runtime
        .block_on(cache.settle_together(settlements.collect()))
        .unwrap();
}

#[divan::bench(args = SIZES, max_time = 3)]
fn record_open_and_read(bencher: Bencher, count: usize) {
    let folder = tempfile::tempdir().unwrap();
    let (_, _, remembered) = states(count, 0);
    let opened = cache(folder.path());
    fill(&opened, &remembered);
    opened.close().unwrap();
    bencher.counter(ItemsCount::new(count)).bench_local(|| {
        let cache = cache(folder.path());
        let read = cache.last_applied().unwrap();
        cache.close().unwrap();
        assert_eq!(read.len(), count);
    });
}

#[divan::bench(args = [10, 100, 1_000, 10_000], max_time = 3)]
fn record_write_together(bencher: Bencher, count: usize) {
    let folder = tempfile::tempdir().unwrap();
    let (_, _, remembered) = states(count, 0);
    let cache = cache(folder.path());
    bencher
        .counter(ItemsCount::new(count))
        .bench_local(|| fill(&cache, &remembered));
}
