//! The conformance suite of the record's back ends, and of the handle over them.
//!
//! A back end conforms if each test here passes. A new back end implements [`Location`] and is listed in
//! [`on_every_back_end`].

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod back_end;
mod data;
mod handle;

use hookctl_core::record::{Account, Backend};
use hookctl_record::MemoryRecord;

/// The location of one record.
trait Location {
    /// Opens the record as another process would.
    fn reach(&self) -> Box<dyn Backend>;

    /// Whether another process reads what this one observed.
    fn keeps_observations(&self) -> bool {
        true
    }
}

/// In memory.
#[derive(Default)]
struct InMemory(MemoryRecord);

impl Location for InMemory {
    fn reach(&self) -> Box<dyn Backend> {
        Box::new(self.0.clone())
    }
}

/// In a folder.
#[cfg(feature = "sled")]
struct InFolder(tempfile::TempDir);

#[cfg(feature = "sled")]
impl Location for InFolder {
    fn reach(&self) -> Box<dyn Backend> {
        let options = hookctl_record::sled::SledOptions {
            lock_timeout: std::time::Duration::ZERO,
            ..hookctl_record::sled::SledOptions::in_folder(self.0.path().join("record"))
        };
        Box::new(hookctl_record::sled::SledRecord::new(options, account()))
    }
}

#[cfg(feature = "shared")]
mod distant;

/// On an object store in memory, whose operations are suspended as those over a network are.
#[cfg(feature = "shared")]
#[derive(Default)]
struct OnStore(distant::Distant);

#[cfg(feature = "shared")]
impl OnStore {
    fn record(&self) -> hookctl_record::shared::SharedRecord {
        use std::time::Duration;

        use hookctl_record::shared::{SharedOptions, SharedRecord, Times};
        let clock = std::sync::Arc::new(hookctl_system::clock::SystemClock::new());
        let options = SharedOptions {
            times: Times {
                lease: Duration::from_millis(300),
                request_timeout: Duration::from_millis(100),
            },
            ..SharedOptions::new("a test", clock)
        };
        SharedRecord::new(self.0.clone(), account(), options)
    }
}

#[cfg(feature = "shared")]
impl Location for OnStore {
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

/// Runs a test on a fresh record of every back end.
#[expect(
    clippy::needless_pass_by_value,
    reason = "a test is written as an argument"
)]
fn on_every_back_end(test: impl AsyncFn(&dyn Location)) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .unwrap();
    runtime.block_on(test(&InMemory::default()));
    #[cfg(feature = "sled")]
    runtime.block_on(test(&InFolder(tempfile::tempdir().unwrap())));
    #[cfg(feature = "shared")]
    runtime.block_on(async {
        let store = OnStore::default();
        store.record().init().await.unwrap();
        test(&store).await;
    });
}
