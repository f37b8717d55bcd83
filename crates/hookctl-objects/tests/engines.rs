//! Races and a record on emulators of real stores. `.ci/engines` starts them.
//!
//! - `HOOKCTL_TEST_S3`: the endpoint of a store with the interface of S3, with a bucket `hookctl-test`, and the keys in
//!   `AWS_ACCESS_KEY_ID` and `AWS_SECRET_ACCESS_KEY`
//! - `HOOKCTL_TEST_AZURE`: the endpoint of a storage account, with a container `hookctl-test`, and the key in
//!   `AZURE_STORAGE_KEY`
//!
//! The same tests always run on the stub, by both of its interfaces.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stderr,
    clippy::disallowed_methods,
    reason = "a test fails by panicking, reads where emulators are, and says what it skips"
)]

use std::env;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::future::try_join_all;
use hookctl_core::api_url::ApiBaseUrl;
use hookctl_core::record::{Account, Backend as _, Commit, Entry, RecordUrl};
use hookctl_objects::{ObjectBlobs, ObjectOptions, folder};
use hookctl_record::shared::{
    Blob, BlobErrorKind, Blobs as _, SharedOptions, SharedRecord, Times, Version, Written,
};
use hookctl_system::clock::SystemClock;
use hookctl_testing::s3::S3Stub;
use hookctl_testing::{bound, key};

const ROUNDS: usize = 100;
const WRITERS: usize = 8;

/// A store, and where it is.
struct Engine {
    url: String,
    missing_bucket: String,
    endpoint: String,
    variables: Vec<(String, String)>,
}

impl Engine {
    fn options(&self, url: &str) -> ObjectOptions {
        // Each run has a prefix of its own.
        let unique = jiff::Timestamp::now().as_nanosecond();
        let url = RecordUrl::parse(&format!("{url}/run-{unique}")).unwrap();
        ObjectOptions {
            endpoint: Some(ApiBaseUrl::parse(&self.endpoint).unwrap()),
            request_timeout: Duration::from_secs(30),
            ..ObjectOptions::new(url, folder(&account()), self.variables.clone())
        }
    }

    fn blobs(&self) -> ObjectBlobs {
        ObjectBlobs::new(&self.options(&self.url)).unwrap()
    }

    /// Runs all tests.
    async fn test(&self) {
        self.race().await;
        self.calls().await;
        self.record().await;
        let options = self.options(&self.missing_bucket);
        let error = ObjectBlobs::new(&options).unwrap();
        let error = error.read("head", None).await.unwrap_err();
        assert_eq!(error.kind(), BlobErrorKind::NoBucket, "{error}");
        assert!(error.to_string().contains("does not exist"), "{error}");
    }

    /// Of writers at once, exactly one wins.
    async fn race(&self) {
        // Of one place, by connections of their own.
        let options = self.options(&self.url);
        let writer = |_| ObjectBlobs::new(&options).unwrap();
        let writers: Vec<_> = (0..WRITERS).map(writer).collect();
        let mut won = Vec::new();
        let mut head = created(&writers[0], "race/head", "0").await;
        let started = Instant::now();
        for round in 0..ROUNDS {
            let name = format!("race/{round:020}");
            let creates = writers.iter().enumerate().map(|(number, writer)| {
                writer.create(&name, format!("{round}-{number}").into_bytes())
            });
            won.push(winners(try_join_all(creates).await.unwrap()).len());
            let swaps = writers.iter().enumerate().map(|(number, writer)| {
                writer.swap("race/head", format!("{round}-{number}").into_bytes(), &head)
            });
            let swaps = try_join_all(swaps).await.unwrap();
            let mut swapped = winners(swaps);
            won.push(swapped.len());
            head = swapped.pop().unwrap();
        }
        assert_eq!(won, vec![1; 2 * ROUNDS]);
        let passed = started.elapsed();
        eprintln!(
            "{}: {ROUNDS} creates and {ROUNDS} swaps by {WRITERS} writers in {passed:?}",
            self.url
        );
    }

    async fn calls(&self) {
        let blobs = self.blobs();
        assert_eq!(blobs.read("head", None).await.unwrap(), Blob::Missing);
        let first = created(&blobs, "head", "1").await;
        let missing = blobs.swap("other", "1".into(), &first).await.unwrap();
        assert_eq!(missing, Written::Refused);
        let unchanged = blobs.read("head", Some(&first)).await.unwrap();
        assert_eq!(unchanged, Blob::Unchanged);
        let Written::Done(second) = blobs.swap("head", "2".into(), &first).await.unwrap() else {
            panic!("refused");
        };
        let found = Blob::Found {
            content: b"2".to_vec(),
            version: second,
        };
        assert_eq!(blobs.read("head", Some(&first)).await.unwrap(), found);
        let names = (0..30).map(|number| format!("log/{number:020}"));
        let names: Vec<_> = names.collect();
        for name in &names {
            created(&blobs, name, name).await;
        }
        assert_eq!(blobs.list_after("log/", "").await.unwrap(), names);
        assert_eq!(
            blobs.list_after("log/", &names[9]).await.unwrap(),
            names[10..]
        );
        assert_eq!(blobs.list_after("late/", "").await.unwrap(), [""; 0]);
    }

    async fn record(&self) {
        let blobs = self.blobs();
        let record = || {
            let options = SharedOptions {
                times: Times {
                    lease: Duration::from_secs(6),
                    request_timeout: Duration::from_secs(2),
                },
                ..SharedOptions::new("a test", Arc::new(SystemClock::new()))
            };
            SharedRecord::new(blobs.clone(), account(), options)
        };
        record().init().await.unwrap();
        for start in [0, 100] {
            let session = record().begin().await.unwrap();
            for number in start + 1..=start + 100 {
                let commit = Commit {
                    sequence: session.load().await.unwrap().sequence + 1,
                    entries: vec![Entry::Settled(bound(number))],
                };
                session.append(Arc::new(commit)).await.unwrap();
            }
            assert!(session.end().await.unwrap().is_some());
        }
        let loaded = record().load().await.unwrap();
        let bound = &loaded.remembered.last_applied;
        assert!((1..=200).all(|number| bound.contains_key(&key(number))));
        record().verify().await.unwrap();
    }
}

fn account() -> Account {
    Account::new("qa", "https://api.example")
}

async fn created(blobs: &ObjectBlobs, name: &str, content: &str) -> Version {
    match blobs.create(name, content.into()).await.unwrap() {
        Written::Done(version) => version,
        Written::Refused => panic!("{name} exists"),
    }
}

fn winners(results: Vec<Written>) -> Vec<Version> {
    let won = |written| match written {
        Written::Done(version) => Some(version),
        Written::Refused => None,
    };
    results.into_iter().filter_map(won).collect()
}

/// Returns these variables, and the endpoint of an emulator, if the first variable names one.
fn emulator(endpoint: &str, names: &[&str]) -> Option<(String, Vec<(String, String)>)> {
    let Ok(endpoint) = env::var(endpoint) else {
        eprintln!("skipped: {endpoint} is not set");
        return None;
    };
    let found = |name: &&str| Some(((*name).to_owned(), env::var(name).ok()?));
    Some((endpoint, names.iter().filter_map(found).collect()))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_the_stub_by_both_interfaces() {
    let stub = S3Stub::start();
    let token = ("GOOGLE_BEARER_TOKEN".to_owned(), "stub-key".to_owned());
    for (scheme, variables) in [("s3", stub.variables()), ("gs", vec![token])] {
        let engine = Engine {
            url: format!("{scheme}://bucket/{scheme}"),
            missing_bucket: format!("{scheme}://no-such-bucket/x"),
            endpoint: stub.url(),
            variables,
        };
        engine.test().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_an_emulator_of_s3() {
    let names = ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"];
    if let Some((endpoint, variables)) = emulator("HOOKCTL_TEST_S3", &names) {
        let engine = Engine {
            url: "s3://hookctl-test/engines".to_owned(),
            missing_bucket: "s3://hookctl-no-such-bucket/x".to_owned(),
            endpoint,
            variables,
        };
        engine.test().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_an_emulator_of_azure() {
    if let Some((endpoint, variables)) = emulator("HOOKCTL_TEST_AZURE", &["AZURE_STORAGE_KEY"]) {
        let account = endpoint.rsplit_once('/').map_or("", |(_, account)| account);
        let engine = Engine {
            url: format!("az://{account}/hookctl-test/engines"),
            missing_bucket: format!("az://{account}/hookctl-no-such-container/x"),
            endpoint: endpoint.clone(),
            variables,
        };
        engine.test().await;
    }
}
