//! The conformance suite of the record's back ends, on an object store over HTTP.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "../../hookctl-record/tests/conformance/back_end.rs"]
mod back_end;
#[path = "../../hookctl-record/tests/conformance/data.rs"]
mod data;
#[path = "../../hookctl-record/tests/conformance/handle.rs"]
mod handle;

use std::sync::Arc;
use std::time::Duration;

use hookctl_core::record::{Account, Backend, RecordUrl};
use hookctl_objects::{ObjectBlobs, ObjectOptions, folder};
use hookctl_record::shared::{SharedOptions, SharedRecord, Times};
use hookctl_system::clock::SystemClock;
use hookctl_testing::s3::S3Stub;

/// The location of one record.
trait Location {
    /// Opens the record as another process would.
    fn reach(&self) -> Box<dyn Backend>;

    /// Whether another process reads what this one observed.
    fn keeps_observations(&self) -> bool {
        true
    }
}

/// On an object store.
struct OnStub(S3Stub);

impl OnStub {
    fn record(&self) -> SharedRecord {
        let url = RecordUrl::parse("s3://bucket/hookctl").unwrap();
        let options = ObjectOptions::new(url, folder(&account()), self.0.variables());
        let blobs = ObjectBlobs::new(&options).unwrap();
        let options = SharedOptions {
            times: Times {
                lease: Duration::from_millis(600),
                request_timeout: Duration::from_millis(200),
            },
            ..SharedOptions::new("a test", Arc::new(SystemClock::new()))
        };
        SharedRecord::new(blobs, account(), options)
    }
}

impl Location for OnStub {
    fn reach(&self) -> Box<dyn Backend> {
        Box::new(self.record())
    }

    fn keeps_observations(&self) -> bool {
        false
    }
}

fn account() -> Account {
    Account::new("qa", "https://api.example")
}

/// Runs a test on a fresh record.
#[expect(
    clippy::needless_pass_by_value,
    reason = "a test is written as an argument"
)]
fn on_every_back_end(test: impl AsyncFn(&dyn Location)) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let store = OnStub(S3Stub::start());
        store.record().init().await.unwrap();
        test(&store).await;
    });
}
