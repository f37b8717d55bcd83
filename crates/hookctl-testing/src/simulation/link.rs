//! The way of a process to the object store, with faults.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use hookctl_record::shared::{
    Blob, BlobError, BlobErrorKind, BlobFuture, Blobs, MemoryBlobs, Version, Written,
};
use tokio::time::sleep;

use super::{Dice, Life};

/// What happens to an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It fails without an effect.
    Refused,
    /// It has its effect, and the response is lost.
    Lost,
    /// It has its effect after so long, and the response is lost.
    Late(Duration),
    /// The store refuses it although its condition holds.
    Competing,
}

/// What happens on the way to the store.
#[derive(Clone, Copy, Debug)]
pub enum LinkEvent<'a> {
    /// The process asks for a write.
    Asked,
    /// A write took effect.
    Landed {
        /// The object.
        name: &'a str,
        /// Its new content.
        content: &'a [u8],
    },
    /// The process knows that an object has this content.
    Known {
        /// The object.
        name: &'a str,
        /// Its content.
        content: &'a [u8],
    },
}

/// Receives what happens on the way to the store.
pub type Observer = Arc<dyn Fn(LinkEvent<'_>) + Send + Sync>;

/// The way of a process to the object store.
#[derive(Clone)]
pub struct Link {
    /// The store.
    pub store: MemoryBlobs,
    /// The process.
    pub life: Arc<Life>,
    /// Decides about latencies and random faults.
    pub dice: Arc<Dice>,
    /// How many in a hundred operations fail.
    pub faults: u64,
    /// The operations that fail, by number from 1.
    pub planned: BTreeMap<u64, Fate>,
    /// How many operations there were.
    pub operations: Arc<AtomicU64>,
    /// Whether the store overwrites entries of the log, as none does.
    pub overwrites: bool,
    /// Receives what happens.
    pub observer: Option<Observer>,
}

impl fmt::Debug for Link {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Link")
            .field("life", &self.life)
            .finish_non_exhaustive()
    }
}

impl Link {
    /// Returns a way without faults.
    pub fn new(store: MemoryBlobs, life: Arc<Life>, seed: u64) -> Self {
        Self {
            store,
            life,
            dice: Arc::new(Dice::new(seed)),
            faults: 0,
            planned: BTreeMap::new(),
            operations: Arc::default(),
            overwrites: false,
            observer: None,
        }
    }

    /// Returns what happens to the next operation; `None` if it succeeds.
    fn fate(&self) -> Option<Fate> {
        let number = self.operations.fetch_add(1, Ordering::SeqCst) + 1;
        if self.life.machine().is_store_cut() {
            return Some(Fate::Refused);
        }
        if let Some(fate) = self.planned.get(&number) {
            return Some(*fate);
        }
        if self.dice.below(100) >= self.faults {
            return None;
        }
        Some(match self.dice.below(4) {
            0 => Fate::Refused,
            1 => Fate::Lost,
            2 => Fate::Late(self.dice.millis(20_000)),
            _ => Fate::Competing,
        })
    }

    fn tell(&self, event: LinkEvent<'_>) {
        if let Some(observer) = &self.observer {
            observer(event);
        }
    }

    /// Lets a write take effect if its condition holds.
    fn land(&self, name: &str, content: &[u8], version: Option<&Version>) -> Written {
        if self.overwrites && name.starts_with("log/") {
            self.store.damage(name, None);
        }
        let written = self.store.write(name, content.to_vec(), version);
        if matches!(written, Written::Done(_)) {
            self.tell(LinkEvent::Landed { name, content });
        }
        written
    }

    async fn write(
        self,
        name: String,
        content: Vec<u8>,
        version: Option<Version>,
    ) -> Result<Written, BlobError> {
        self.tell(LinkEvent::Asked);
        sleep(self.dice.millis(40)).await;
        self.life.step().await;
        let result = match self.fate() {
            None => Ok(self.land(&name, &content, version.as_ref())),
            Some(Fate::Refused) => Err(unavailable()),
            Some(Fate::Competing) => Ok(Written::Refused),
            Some(Fate::Lost) => {
                self.land(&name, &content, version.as_ref());
                Err(unavailable())
            }
            Some(Fate::Late(after)) => {
                let (link, name, content) = (self.clone(), name.clone(), content.clone());
                // Whatever becomes of its sender.
                tokio::spawn(async move {
                    sleep(after).await;
                    link.land(&name, &content, version.as_ref());
                });
                Err(unavailable())
            }
        };
        sleep(self.dice.millis(40)).await;
        self.life.step().await;
        if matches!(result, Ok(Written::Done(_))) {
            self.tell(LinkEvent::Known {
                name: &name,
                content: &content,
            });
        }
        result
    }

    async fn until_read(&self) -> Result<(), BlobError> {
        sleep(self.dice.millis(60)).await;
        self.life.step().await;
        match self.fate() {
            None | Some(Fate::Competing) => Ok(()),
            Some(Fate::Refused | Fate::Lost | Fate::Late(_)) => Err(unavailable()),
        }
    }
}

fn unavailable() -> BlobError {
    BlobError::new(BlobErrorKind::Unavailable, "503")
}

impl Blobs for Link {
    fn create(&self, name: &str, content: Vec<u8>) -> BlobFuture<'_, Written> {
        Box::pin(self.clone().write(name.to_owned(), content, None))
    }

    fn swap(&self, name: &str, content: Vec<u8>, version: &Version) -> BlobFuture<'_, Written> {
        let version = Some(version.clone());
        Box::pin(self.clone().write(name.to_owned(), content, version))
    }

    fn read(&self, name: &str, unless: Option<&Version>) -> BlobFuture<'_, Blob> {
        let (name, unless) = (name.to_owned(), unless.cloned());
        Box::pin(async move {
            self.until_read().await?;
            let blob = self.store.read(&name, unless.as_ref()).await?;
            if let Blob::Found { content, .. } = &blob {
                self.tell(LinkEvent::Known {
                    name: &name,
                    content,
                });
            }
            Ok(blob)
        })
    }

    fn list_after(&self, folder: &str, after: &str) -> BlobFuture<'_, Vec<String>> {
        let (folder, after) = (folder.to_owned(), after.to_owned());
        Box::pin(async move {
            self.until_read().await?;
            self.store.list_after(&folder, &after).await
        })
    }
}
