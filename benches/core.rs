//! What one pass costs apart from the network: parse, plan, render, record, at 10 to 100,000 webhooks.
//!
//! `cargo bench --profile dist --bench core`; append `-- plan` for a part of it. What it measured is left
//! as JSON in `target/criterion/PART/WEBHOOKS/new/estimates.json`, in nanoseconds for the whole part.

#![expect(
    clippy::unwrap_used,
    clippy::cast_possible_wrap,
    reason = "a bench fails by panicking, and its numbers are small"
)]

use std::collections::BTreeMap;
use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::time::Duration;

use criterion::{BenchmarkId, Criterion, SamplingMode, Throughput};
use hookctl::declaration::{LoadOptions, Loaded, load_texts};
use hookctl::plan::{Plan, Policy, plan};
use hookctl::record::sled::{SledOptions, SledRecord};
use hookctl::record::{Account, After, OpenRecord, Record, Settlement};
use hookctl::render::{Detail, LooseSettings, PlanDocument, RenderContext, Styles};
use hookctl::state::{AppliedRecord, DesiredState, LastApplied, ObservedState, ObservedWebhook};
use hookctl::webhook::RemoteId;

const SIZES: [usize; 5] = [10, 100, 1_000, 10_000, 100_000];

/// What a bench measures for so many webhooks.
type Part = Box<dyn FnMut()>;

/// Measures a part at each size. `prepare` is not measured.
fn part(criterion: &mut Criterion, name: &str, sizes: &[usize], prepare: impl Fn(usize) -> Part) {
    let mut group = criterion.benchmark_group(name);
    group.sampling_mode(SamplingMode::Flat);
    for size in sizes {
        group.throughput(Throughput::Elements(*size as u64));
        group.bench_function(BenchmarkId::from_parameter(size), |bencher| {
            let mut part = prepare(*size);
            bencher.iter(&mut part);
        });
    }
    group.finish();
}

fn main() {
    // The least that gives a median: ten times each, or for some seconds.
    let mut criterion = Criterion::default()
        .sample_size(10)
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(2))
        .without_plots()
        .configure_from_args();
    parsing(&mut criterion);
    planning(&mut criterion);
    rendering(&mut criterion);
    recording(&mut criterion);
    criterion.final_summary();
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
    let options = LoadOptions::below(Path::new("/"));
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
                held: None,
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

fn parsing(criterion: &mut Criterion) {
    part(criterion, "parse_files_of_100", &SIZES, |count| {
        let texts = texts(count, 100);
        Box::new(move || drop(black_box(load(black_box(&texts)))))
    });
    // A file of 100,000 would be larger than what is read of one.
    let sizes = SIZES.split_last().unwrap().1;
    part(criterion, "parse_one_file", sizes, |count| {
        let texts = texts(count, count);
        Box::new(move || drop(black_box(load(black_box(&texts)))))
    });
}

fn planning(criterion: &mut Criterion) {
    let measured = |(desired, observed, remembered): (DesiredState, ObservedState, LastApplied)| {
        Box::new(move || {
            let planned = plan(&desired, &observed, &remembered, &Policy::default());
            drop(black_box(planned.unwrap()));
        })
    };
    part(criterion, "plan_no_change", &SIZES, |count| {
        measured(states(count, 0))
    });
    part(criterion, "plan_10_percent_changed", &SIZES, |count| {
        measured(states(count, 10))
    });
    part(criterion, "plan_a_fifth_replaced", &SIZES, |count| {
        measured(a_fifth_replaced(count))
    });
}

/// A fifth is declared and not there yet, another fifth is bound and no longer declared.
fn a_fifth_replaced(count: usize) -> (DesiredState, ObservedState, LastApplied) {
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
    (desired, observed, remembered)
}

const SCENE: RenderContext<'_> = RenderContext {
    target: "default",
    sandbox: false,
    dry_run: true,
    settings: &LooseSettings::NONE,
};

fn rendering(criterion: &mut Criterion) {
    part(criterion, "render_for_people", &SIZES, |count| {
        let plan = planned(count, 10);
        let styles = Styles::new(true);
        Box::new(move || {
            drop(black_box(hookctl::render::plan(
                &plan,
                SCENE,
                &styles,
                Detail::Full,
            )));
        })
    });
    part(criterion, "render_json", &SIZES, |count| {
        let plan = planned(count, 10);
        Box::new(move || {
            let document = PlanDocument::of_plan(SCENE, &plan, Vec::new());
            drop(black_box(document.to_text()));
        })
    });
}

fn record(folder: &Path) -> Record {
    let account = Account::new("default", "https://api.example");
    SledRecord::new(SledOptions::in_folder(folder), account).into_record()
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .unwrap()
}

async fn fill(open: &OpenRecord, remembered: &LastApplied) {
    let settlements = remembered.iter().map(|(key, record)| Settlement {
        key: key.clone(),
        after: After::Record(Box::new(record.clone())),
        history: None,
        lingering: None,
    });
    open.settle_together(settlements.collect()).await.unwrap();
}

fn recording(criterion: &mut Criterion) {
    part(criterion, "record_open_and_read", &SIZES, |count| {
        let folder = tempfile::tempdir().unwrap();
        let (_, _, remembered) = states(count, 0);
        let runtime = runtime();
        runtime.block_on(async {
            let open = record(folder.path()).open().await.unwrap();
            fill(&open, &remembered).await;
            open.close().await.unwrap();
        });
        Box::new(move || {
            let read = runtime.block_on(async {
                let open = record(folder.path()).open().await.unwrap();
                let read = open.remembered().await.unwrap();
                open.close().await.unwrap();
                read
            });
            assert_eq!(read.last_applied.len(), count);
        })
    });
    part(criterion, "record_write_together", &SIZES, |count| {
        let folder = tempfile::tempdir().unwrap();
        let (_, _, remembered) = states(count, 0);
        let runtime = runtime();
        let open = runtime.block_on(record(folder.path()).open()).unwrap();
        Box::new(move || {
            // Kept as long as the record.
            let _folder = &folder;
            runtime.block_on(fill(&open, &remembered));
        })
    });
}
