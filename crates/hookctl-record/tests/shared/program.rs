//! A small apply over the record: it creates what is not bound, and settles what an earlier run left.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::{StreamExt, stream};
use hookctl_core::clock::Clock;
use hookctl_core::record::{
    Account, After, IntendedWrite, Intent, Journal, RecordError, Settlement,
};
use hookctl_core::state::{AppliedRecord, Written};
use hookctl_core::webhook::{Key, RemoteId, WebhookSpec};
use hookctl_record::Record;
use hookctl_record::shared::{MemoryBlobs, SharedOptions, SharedRecord, Times};
use hookctl_testing::key;
use hookctl_testing::simulation::{Dice, Life, Link};
use tokio::time::{Instant, sleep};

/// How long a request to the API can take.
pub(crate) const REQUEST: Duration = Duration::from_secs(30);

/// How many actions are in progress for each of the four that may send.
const IN_PROGRESS: usize = 64;

/// The account at the API.
#[derive(Clone, Debug, Default)]
pub(crate) struct Api(Arc<Mutex<BTreeMap<String, String>>>);

impl Api {
    pub(crate) fn webhooks(&self) -> BTreeMap<String, String> {
        self.0.lock().unwrap().clone()
    }

    /// Creates a webhook at some time within the time-out, whatever becomes of the caller.
    async fn create(&self, name: &str, dice: &Dice) -> Option<RemoteId> {
        let is_slow = dice.below(20) == 0;
        let transit = dice.millis(if is_slow { 29_000 } else { 300 });
        let webhooks = Arc::clone(&self.0);
        let name = name.to_owned();
        let made = tokio::spawn(async move {
            sleep(transit).await;
            let mut webhooks = webhooks.lock().unwrap();
            let id = format!("id-{}", webhooks.len());
            webhooks.insert(id.clone(), name);
            RemoteId::parse(&id).unwrap()
        });
        let is_lost = dice.below(15) == 0;
        let made = made.await.unwrap();
        (!is_lost).then_some(made)
    }
}

/// What a run is given.
#[derive(Clone)]
pub(crate) struct Run {
    pub(crate) store: MemoryBlobs,
    pub(crate) api: Api,
    pub(crate) life: Arc<Life>,
    pub(crate) dice: Arc<Dice>,
    /// How many in a hundred operations of the store fail.
    pub(crate) faults: u64,
    pub(crate) webhooks: u64,
    /// Whether the program sends without a permit.
    pub(crate) ignores_permit: bool,
    /// Whether the store lacks what the fence needs.
    pub(crate) lacks_fence: bool,
}

/// How a run ended.
#[derive(Debug)]
pub(crate) enum Ending {
    /// Everything is bound.
    Done,
    /// The permit or the lease was lost.
    Lost,
    /// The record failed.
    Failed(#[expect(dead_code, reason = "shown by a failed check")] RecordError),
}

pub(crate) fn shared(run: &Run) -> SharedRecord {
    let link = Link {
        dice: Arc::clone(&run.dice),
        faults: run.faults,
        overwrites: run.lacks_fence,
        ..Link::new(run.store.clone(), Arc::clone(&run.life), 0)
    };
    let options = SharedOptions {
        times: Times {
            lease: Duration::from_mins(1),
            request_timeout: REQUEST,
        },
        lock_timeout: Duration::from_mins(10),
        ..SharedOptions::new(
            "a machine",
            Arc::clone(run.life.machine()) as Arc<dyn Clock>,
        )
    };
    SharedRecord::new(link, account(), options)
}

pub(crate) fn account() -> Account {
    Account::new("prod", "https://api.example")
}

fn spec(key: &Key) -> WebhookSpec {
    WebhookSpec {
        name: key.to_string(),
        ..hookctl_testing::spec(20)
    }
}

fn bound(key: &Key, id: RemoteId) -> Settlement {
    let record = AppliedRecord {
        id,
        sent: spec(key),
        stored: spec(key),
        token: None,
        prevent_destroy: false,
        held: None,
    };
    Settlement {
        after: After::Record(Box::new(record)),
        ..Settlement::nothing(key.clone())
    }
}

impl Run {
    /// Runs until everything is bound.
    pub(crate) async fn sync(self) -> Ending {
        match self.passes().await {
            Ok(ending) => ending,
            Err(error) => Ending::Failed(error),
        }
    }

    async fn passes(&self) -> Result<Ending, RecordError> {
        let record = Record::new(shared(self), account());
        loop {
            let open = record.open_late().await?;
            let remembered = open.remembered().await?;
            let clock = self.life.machine();
            // What an earlier run sent may arrive until its time-out.
            let began = Instant::now();
            sleep(self.dice.millis(100)).await;
            let listed = self.api.webhooks();
            let find = |key: &Key| {
                let named = listed.iter().find(|(_, name)| **name == key.as_str());
                named.map(|(id, _)| RemoteId::parse(id).unwrap())
            };
            let pending: Vec<_> = remembered.pending.intents.keys().cloned().collect();
            let missing: Vec<_> = (0..self.webhooks)
                .map(key)
                .filter(|key| !remembered.last_applied.contains_key(key))
                .collect();
            if missing.is_empty() && pending.is_empty() {
                open.close().await?;
                return Ok(Ending::Done);
            }
            if !open.begin().await? {
                open.close().await?;
                continue;
            }
            if !pending.is_empty() {
                let waits = pending.iter().any(|key| find(key).is_none());
                let mut waited = began.elapsed();
                if waits && waited < REQUEST {
                    sleep(REQUEST).await;
                    waited = REQUEST;
                }
                let listed = self.api.webhooks();
                let settlements = pending.iter().map(|key| {
                    let named = listed.iter().find(|(_, name)| **name == key.as_str());
                    match named {
                        Some((id, _)) => bound(key, RemoteId::parse(id).unwrap()),
                        None => Settlement::nothing(key.clone()),
                    }
                });
                let _ = waited;
                if open.settle_together(settlements.collect()).await.is_err() {
                    return Ok(Ending::Lost);
                }
                open.close().await?;
                continue;
            }
            let senders = tokio::sync::Semaphore::new(4);
            let results: Vec<bool> = stream::iter(missing)
                .map(|key| {
                    let (open, senders) = (&open, &senders);
                    async move {
                        let write = IntendedWrite::Create {
                            webhook: Written {
                                spec: spec(&key),
                                token: None,
                                prevent_destroy: false,
                                held: None,
                            },
                            seen: Vec::new(),
                        };
                        let intent = Intent::new(key.clone(), clock.now(), write);
                        if open.intend(intent).await.is_err() {
                            return false;
                        }
                        let _sender = senders.acquire().await.unwrap();
                        if !self.ignores_permit && !open.send_permit().holds() {
                            return false;
                        }
                        match self.api.create(key.as_str(), &self.dice).await {
                            Some(id) => open.settle(bound(&key, id)).await.is_ok(),
                            None => true,
                        }
                    }
                })
                .buffer_unordered(IN_PROGRESS)
                .collect()
                .await;
            open.close().await?;
            if results.contains(&false) {
                return Ok(Ending::Lost);
            }
        }
    }
}
