//! A shared record on the store.

use std::sync::Arc;
use std::time::Duration;

use hookctl_core::record::{Account, Backend as _, Commit, Entry, RecordErrorKind};
use hookctl_record::shared::{SharedError, SharedOptions, SharedRecord, Times};
use hookctl_system::clock::SystemClock;
use hookctl_testing::s3::{Fault, S3Stub};
use hookctl_testing::{bound, key};

use super::{INTERFACES, Interface, SHORT};

fn record(interface: Interface, stub: &S3Stub) -> SharedRecord {
    let options = SharedOptions {
        times: Times {
            lease: Duration::from_secs(3),
            request_timeout: Duration::from_secs(1),
        },
        operation_timeout: SHORT,
        ..SharedOptions::new("a test", Arc::new(SystemClock::new()))
    };
    let account = Account::new("qa", "https://api.example");
    SharedRecord::new(interface.hasty(stub), account, options)
}

fn commit(number: u64) -> Arc<Commit> {
    Arc::new(Commit {
        sequence: number,
        entries: vec![Entry::Settled(bound(number))],
    })
}

#[tokio::test]
async fn a_store_that_ignores_conditions_is_refused() {
    for interface in INTERFACES {
        let stub = S3Stub::start();
        stub.set_fault(Some(Fault::IgnoreConditions));
        let refused = record(interface, &stub).init().await;
        assert!(
            matches!(refused, Err(SharedError::Unsafe { .. })),
            "{refused:?}"
        );
        assert!(stub.objects().keys().all(|key| key.contains("/probe/")));
    }
}

#[tokio::test]
async fn lost_responses_lose_no_commit_and_repeat_none() {
    for interface in INTERFACES {
        let stub = S3Stub::start();
        record(interface, &stub).init().await.unwrap();
        stub.set_fault_once(Fault::CutAfterWrite);
        let session = record(interface, &stub).begin().await.unwrap();
        let mut sequence = 0;
        for fault in [
            Fault::CutAfterWrite,
            Fault::RefuseAfterWrite,
            Fault::HangAfterWrite,
            Fault::Conflict,
        ] {
            sequence += 1;
            stub.set_fault_once(fault);
            session.append(commit(sequence)).await.unwrap();
        }
        stub.set_fault_once(Fault::CutAfterWrite);
        session.end().await.unwrap();
        let other = record(interface, &stub);
        let loaded = other.load().await.unwrap();
        assert_eq!(loaded.sequence, sequence);
        for number in 1..=sequence {
            assert!(loaded.remembered.last_applied.contains_key(&key(number)));
        }
        other.verify().await.unwrap();
        let puts = stub.requests();
        let puts = puts.iter().filter(|request| request.method == "PUT");
        assert!(
            puts.clone().all(|request| request.status != Some(400)),
            "{puts:?}"
        );
    }
}

#[tokio::test]
async fn a_store_that_cannot_be_written_changes_nothing() {
    let stub = S3Stub::start();
    record(Interface::S3, &stub).init().await.unwrap();
    let before = stub.objects();
    stub.set_fault(Some(Fault::ReadOnly));
    let other = record(Interface::S3, &stub);
    other.load().await.unwrap();
    let error = other.begin().await.map(|_| ()).unwrap_err();
    assert_eq!(error.kind(), RecordErrorKind::Unavailable);
    assert!(error.to_string().contains("403 AccessDenied"), "{error}");
    assert_eq!(stub.objects(), before);
}
