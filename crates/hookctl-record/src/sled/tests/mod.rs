//! The record on a real disk: round trips, two openers, history.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::{Duration, SystemTime};

use super::maintenance::*;
use super::opened::{Copied, Opened};
use super::*;
use std::path::PathBuf;
use std::sync::Arc;

use hookctl_core::record::{Account, After, Commit, Entry, HistoryLimits, Observation, Settlement};
use hookctl_core::state::{LastApplied, ObservedState, ObservedWebhook};
use hookctl_core::webhook::{Key, RemoteId};
use hookctl_testing::{bound, key, record, spec};
use jiff::Timestamp;

mod damage;

fn options(directory: &Path) -> SledOptions {
    SledOptions {
        lock_timeout: Duration::from_millis(50),
        ..SledOptions::in_folder(directory)
    }
}

fn account() -> Account {
    Account::new("qa", "https://api.example")
}

/// Commits a settlement by itself.
fn settle(opened: &Opened, settlement: Settlement) {
    append(opened, vec![Entry::Settled(settlement)]);
}

/// Commits settlements together.
fn settle_at_once(opened: &Opened, settlements: impl Iterator<Item = Settlement>) {
    append(opened, settlements.map(Entry::Settled).collect());
}

fn runtime() -> tokio::runtime::Runtime {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    builder.build().unwrap()
}

fn append(opened: &Opened, entries: Vec<Entry>) {
    let runtime = runtime();
    let commit = Commit {
        sequence: opened.load().unwrap().sequence + 1,
        entries,
    };
    runtime.block_on(opened.append(Arc::new(commit))).unwrap();
}

fn filled(directory: &Path, count: u64) {
    let cache = Opened::open(&options(directory), account()).unwrap();
    for number in 0..count {
        settle(&cache, bound(number));
    }
    cache.close().unwrap();
}

fn expected(count: u64) -> LastApplied {
    (0..count)
        .map(|number| (key(number), record(number)))
        .collect()
}

/// Returns every file below a folder with its content and time.
fn listing(folder: &Path) -> BTreeMap<PathBuf, (Vec<u8>, SystemTime)> {
    let mut files = BTreeMap::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(listing(&path));
        } else {
            let modified = fs::metadata(&path).unwrap().modified().unwrap();
            files.insert(path.clone(), (fs::read(&path).unwrap(), modified));
        }
    }
    files
}

/// A process ended after its transaction and before the generation file had it. A state that was read before, with its tag,
/// then counts as outdated. The file does not vouch for the transaction, which may not be durable.
#[test]
fn a_transaction_that_the_tag_does_not_show_changes_it_when_the_record_is_opened() {
    let folder = tempfile::tempdir().unwrap();
    let tag = || super::generation::head(folder.path());
    let generation = folder.path().join(super::folder::GENERATION);
    assert_eq!(tag(), None);
    filled(folder.path(), 1);
    for count in [1, 2] {
        let before = fs::read(&generation).unwrap();
        filled(folder.path(), count + 1);
        let recent = fs::File::options().write(true).open(&generation).unwrap();
        fs::write(&generation, &before).unwrap();
        recent
            .set_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(count))
            .unwrap();
        let known = tag();
        let opened = Opened::open(&options(folder.path()), account()).unwrap();
        assert_ne!(tag(), known);
        assert_eq!(fs::read(&generation).unwrap(), before);
        assert_eq!(
            opened.load().unwrap().remembered.last_applied,
            expected(count + 1)
        );
        opened.close().unwrap();
        filled(folder.path(), 1);
    }
    let known = tag();
    let opened = Opened::open(&options(folder.path()), account()).unwrap();
    assert_eq!(tag(), known, "the file has the last transaction");
    opened.close().unwrap();
}

#[test]
fn what_is_settled_is_read_back() {
    let folder = tempfile::tempdir().unwrap();
    filled(folder.path(), 3);
    let cache = Opened::open(&options(folder.path()), account()).unwrap();
    assert_eq!(cache.load().unwrap().remembered.last_applied, expected(3));
    let newest: Vec<_> = cache
        .history(2)
        .unwrap()
        .into_iter()
        .map(|entry| entry.key)
        .collect();
    assert_eq!(newest, [key(2), key(1)]);
    settle(
        &cache,
        Settlement {
            after: After::Dropped,
            history: None,
            lingering: None,
            ..bound(1)
        },
    );
    assert_eq!(cache.load().unwrap().remembered.last_applied.len(), 2);
    assert_eq!(cache.database.accounts().unwrap(), [account()]);
}

#[test]
fn a_commit_is_the_next_one_or_none() {
    let folder = tempfile::tempdir().unwrap();
    let opened = Opened::open(&options(folder.path()), account()).unwrap();
    settle(&opened, bound(0));
    let runtime = runtime();
    for sequence in [0, 1, 3] {
        let entries = vec![Entry::Settled(bound(1))];
        let commit = Arc::new(Commit { sequence, entries });
        let refused = runtime.block_on(opened.append(commit)).unwrap_err();
        assert!(
            matches!(*refused, SledError::Conflict { expected: 2, found } if found == sequence),
            "{refused:?}"
        );
    }
    assert_eq!(opened.load().unwrap().remembered.last_applied, expected(1));
}

#[test]
fn changes_that_share_a_row_are_listed_and_counted_one_by_one() {
    let folder = tempfile::tempdir().unwrap();
    let cache = Opened::open(&options(folder.path()), account()).unwrap();
    settle_at_once(&cache, (0..40).map(bound));
    settle(&cache, bound(40));
    let newest = |limit: usize| -> Vec<Key> {
        let entries = cache.history(limit).unwrap();
        entries.into_iter().map(|entry| entry.key).collect()
    };
    let all: Vec<Key> = (0..=40).rev().map(key).collect();
    assert_eq!(newest(usize::MAX), all);
    for limit in [0, 1, 2, 10, 17, 40] {
        assert_eq!(newest(limit), all[..limit], "limit {limit}");
    }
    let rows = cache.database.history.len();
    assert!(rows < 20, "{rows} rows");
    cache.close().unwrap();
    let verified = super::verify(&options(folder.path())).unwrap().unwrap();
    assert_eq!(verified.history, 41);
}

#[test]
fn accounts_do_not_see_each_other() {
    let folder = tempfile::tempdir().unwrap();
    filled(folder.path(), 2);
    for other in [
        Account::new("prod", "https://api.example"),
        Account::new("qa", "https://api-prod.example"),
    ] {
        let cache = Opened::open(&options(folder.path()), other).unwrap();
        assert_eq!(
            cache.load().unwrap().remembered.last_applied,
            LastApplied::new()
        );
        assert_eq!(cache.history(10).unwrap(), []);
        cache.close().unwrap();
    }
}

#[test]
fn what_was_observed_is_kept_and_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let observed = |ids: &[usize], timeout| -> ObservedState {
        ids.iter()
            .map(|id| ObservedWebhook {
                id: RemoteId::parse(&format!("id-{id}")).unwrap(),
                spec: spec(timeout),
                has_bearer_token: true,
            })
            .collect()
    };
    let cache = Opened::open(&options(folder.path()), account()).unwrap();
    assert_eq!(cache.observed().unwrap(), None);
    let all: Vec<usize> = (0..100).collect();
    let without_some: Vec<usize> = (5..100).filter(|id| id % 7 != 0).collect();
    for (ids, timeout) in [
        (&all[1..3], 10),
        (&all[2..4], 20),
        (&all[..], 20),
        (&without_some[..], 20),
        (&without_some[..], 30),
        (&all[90..], 30),
        (&[][..], 30),
        (&all[..], 30),
    ] {
        let observation = Observation {
            at: Timestamp::from_second(timeout + 1_000 * i64::try_from(ids.len()).unwrap())
                .unwrap(),
            observed: Arc::new(observed(ids, timeout)),
        };
        append(&cache, vec![Entry::Observed(observation.clone())]);
        assert_eq!(cache.observed().unwrap().unwrap(), observation);
        assert_eq!(cache.database.observed.len(), ids.len().div_ceil(16));
    }
    cache.close().unwrap();
    let verified = super::verify(&options(folder.path())).unwrap().unwrap();
    assert_eq!(verified.observed, 100);
}

#[test]
fn a_second_opener_waits_and_its_error_names_the_holder() {
    let folder = tempfile::tempdir().unwrap();
    let first = Opened::open(&options(folder.path()), account()).unwrap();
    let refused = Opened::open(&options(folder.path()), account())
        .err()
        .unwrap();
    let pid = std::process::id();
    assert!(matches!(refused, SledError::Locked { holder: Some(holder), .. } if holder == pid));
    let refused = Copied::open(&options(folder.path()), account())
        .err()
        .unwrap();
    assert!(matches!(refused, SledError::Locked { .. }));
    let patient = SledOptions {
        lock_timeout: Duration::from_mins(1),
        ..options(folder.path())
    };
    let waiting = std::thread::spawn(move || Opened::open(&patient, account()).map(drop));
    first.close().unwrap();
    waiting.join().unwrap().unwrap();
}

#[test]
fn reading_leaves_the_folder_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    assert!(
        Copied::open(&options(folder.path()), account())
            .unwrap()
            .is_none()
    );
    assert_eq!(listing(folder.path()), BTreeMap::new());
    filled(folder.path(), 3);
    let before = listing(folder.path());
    let reader = Copied::open(&options(folder.path()), account())
        .unwrap()
        .unwrap();
    assert_eq!(reader.load().unwrap().remembered.last_applied, expected(3));
    assert_eq!(reader.history(10).unwrap().len(), 3);
    drop(reader);
    assert_eq!(listing(folder.path()), before);
}

#[test]
#[cfg(unix)]
fn only_its_owner_may_read_it_and_it_holds_no_secret() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().unwrap();
    let directory = folder.path().join(".hookctl");
    filled(&directory, 3);
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&directory), 0o700);
    assert_eq!(
        fs::read_to_string(directory.join(".gitignore")).unwrap(),
        "*\n"
    );
    for (path, (content, _)) in listing(&directory) {
        assert_eq!(mode(&path), 0o600, "{}", path.display());
        for canary in [hookctl_testing::TOKEN, hookctl_testing::API_KEY] {
            let found = content
                .windows(canary.len())
                .any(|window| window == canary.as_bytes());
            assert!(!found, "{} in {}", canary, path.display());
        }
    }
}

#[test]
fn a_newer_schema_is_refused_and_stays_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    filled(folder.path(), 1);
    {
        let database = open::open_guarded(&folder.path().join("db"), folder.path()).unwrap();
        let value = schema::encode(schema::META, b"version", &2_u32).unwrap();
        database
            .open_tree(schema::META)
            .unwrap()
            .insert(b"version", value)
            .unwrap();
    }
    let refused = Opened::open(&options(folder.path()), account())
        .err()
        .unwrap();
    assert!(
        matches!(refused, SledError::Newer { found: 2, .. }),
        "{refused}"
    );
}

#[test]
fn history_is_pruned_by_count_and_by_time_a_few_rows_at_a_time() {
    let folder = tempfile::tempdir().unwrap();
    let at = |number: u64, at: &str| {
        let mut settlement = bound(number);
        if let Some(entry) = &mut settlement.history {
            entry.at = at.parse().unwrap();
        }
        settlement
    };
    let january = "2026-01-01T00:00:00Z";
    let kept = |cache: &Opened| cache.history(usize::MAX).unwrap().len();
    let cache = Opened::open(&options(folder.path()), account()).unwrap();
    for number in 0..100 {
        settle(&cache, at(number, january));
    }
    assert_eq!(kept(&cache), 100);
    cache.close().unwrap();

    // A smaller limit takes effect over several commits, each of which removes some rows.
    let few = SledOptions {
        history: HistoryLimits {
            max_entries: 10,
            ..HistoryLimits::default()
        },
        ..options(folder.path())
    };
    let cache = Opened::open(&few, account()).unwrap();
    let sizes: Vec<_> = (0..4)
        .map(|number| {
            settle(&cache, at(number, january));
            kept(&cache)
        })
        .collect();
    assert_eq!(sizes, [68, 36, 10, 10]);
    // Changes of one commit share rows, which the next commit removes as a whole.
    settle_at_once(&cache, (0..40).map(|number| at(number, january)));
    settle(&cache, at(1, january));
    assert!(kept(&cache) <= 10, "{}", kept(&cache));

    // The newest change stays, whatever its age is by the clock.
    settle(&cache, at(1, "2026-03-31T00:00:00Z"));
    assert!(kept(&cache) > 1);
    settle(&cache, at(1, "2026-05-01T00:00:00Z"));
    assert_eq!(kept(&cache), 2, "January is more than 90 days ago");
    cache.close().unwrap();
    assert_eq!(verify(&few).unwrap().unwrap().history, 2);
}

#[test]
fn two_records_are_put_aside_within_a_second() {
    let folder = tempfile::tempdir().unwrap();
    let options = options(folder.path());
    let names: Vec<_> = (0..3)
        .map(|_| {
            filled(folder.path(), 1);
            let aside = set_aside(&options, "damaged").unwrap().unwrap();
            aside.file_name().unwrap().to_owned()
        })
        .collect();
    assert_eq!(names, ["damaged", "damaged-2", "damaged-3"]);
}
