//! What the protocol relies on, taken away: the checker must find each of these.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use hookctl::record::shared::{
    Blob, BlobFuture, Blobs, SharedOptions, SharedRecord, Version, Written,
};
use hookctl::record::{
    Account, Backend, Commit, Head, HistoryEntry, Loaded, Observation, PortFuture, Record, Session,
};
use hookctl_testing::simulation::Link;
use serde_json::Value;

/// What is missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flaw {
    /// Requests are sent without a permit.
    IgnoresPermit,
    /// The store lets an entry of the log be created twice.
    LacksFence,
    /// After a lost response, what is read back looks like another writer's.
    ReadsNothingBack,
    /// A lease looks like one of a millisecond to other processes.
    TakesOverEarly,
}

/// Returns a record with a flaw.
pub(crate) fn record(
    flaw: Option<Flaw>,
    link: Link,
    account: Account,
    options: SharedOptions,
) -> Record {
    let link = Link {
        overwrites: flaw == Some(Flaw::LacksFence),
        ..link
    };
    let flawed = Flawed {
        link,
        flaw,
        lost: Arc::default(),
    };
    let shared = SharedRecord::new(flawed, account.clone(), options);
    if flaw == Some(Flaw::IgnoresPermit) {
        Record::new(Unpermitted(shared), account)
    } else {
        Record::new(shared, account)
    }
}

/// A store with a flaw.
struct Flawed {
    link: Link,
    flaw: Option<Flaw>,
    /// The objects of writes without a response.
    lost: Arc<Mutex<BTreeSet<String>>>,
}

impl Flawed {
    async fn written(
        &self,
        name: &str,
        write: BlobFuture<'_, Written>,
    ) -> Result<Written, hookctl::record::shared::BlobError> {
        let written = write.await;
        if written.is_err() {
            self.lost.lock().unwrap().insert(name.to_owned());
        }
        written
    }
}

impl Blobs for Flawed {
    fn create(&self, name: &str, content: Vec<u8>) -> BlobFuture<'_, Written> {
        let (name, write) = (name.to_owned(), self.link.create(name, content));
        Box::pin(async move { self.written(&name, write).await })
    }

    fn swap(&self, name: &str, content: Vec<u8>, version: &Version) -> BlobFuture<'_, Written> {
        let (name, write) = (name.to_owned(), self.link.swap(name, content, version));
        Box::pin(async move { self.written(&name, write).await })
    }

    fn read(&self, name: &str, unless: Option<&Version>) -> BlobFuture<'_, Blob> {
        let (name, read) = (name.to_owned(), self.link.read(name, unless));
        Box::pin(async move {
            let blob = read.await?;
            let Blob::Found { content, version } = blob else {
                return Ok(blob);
            };
            let was_lost = self.lost.lock().unwrap().remove(&name);
            let content = if was_lost && self.flaw == Some(Flaw::ReadsNothingBack) {
                b"of another writer".to_vec()
            } else if name == "head" && self.flaw == Some(Flaw::TakesOverEarly) {
                with_lease_of_a_millisecond(&content)
            } else {
                content
            };
            Ok(Blob::Found { content, version })
        })
    }

    fn list_after(&self, folder: &str, after: &str) -> BlobFuture<'_, Vec<String>> {
        self.link.list_after(folder, after)
    }
}

fn with_lease_of_a_millisecond(head: &[u8]) -> Vec<u8> {
    let mut object: Value = serde_json::from_slice(head).unwrap();
    object["body"]["lease_ms"] = Value::from(1);
    let digest = blake3::hash(object["body"].to_string().as_bytes());
    object["checksum"] = Value::from(&digest.to_hex()[..32]);
    object.to_string().into_bytes()
}

/// A record that permits every send.
struct Unpermitted(SharedRecord);

impl Backend for Unpermitted {
    fn head(&self) -> PortFuture<'_, Option<Head>> {
        self.0.head()
    }

    fn load(&self) -> PortFuture<'_, Loaded> {
        self.0.load()
    }

    fn history(&self, limit: usize) -> PortFuture<'_, Vec<HistoryEntry>> {
        self.0.history(limit)
    }

    fn observed(&self) -> PortFuture<'_, Option<Observation>> {
        self.0.observed()
    }

    fn begin(&self) -> PortFuture<'_, Box<dyn Session>> {
        Box::pin(async {
            let session: Box<dyn Session> = Box::new(UnpermittedSession(self.0.begin().await?));
            Ok(session)
        })
    }

    fn begins_late(&self) -> bool {
        true
    }
}

struct UnpermittedSession(Box<dyn Session>);

impl Session for UnpermittedSession {
    fn load(&self) -> PortFuture<'_, Loaded> {
        self.0.load()
    }

    fn append(&self, commit: Arc<Commit>) -> PortFuture<'_, u64> {
        self.0.append(commit)
    }

    fn end(self: Box<Self>) -> PortFuture<'static, Option<Head>> {
        self.0.end()
    }
}
