//! One leader among the watches of a record: it makes the passes, and the others stand by.
//!
//! # Expected flow
//! A watch waits in [`SharedRecord::lead`] until no other one leads. It then leads until it releases the lead, or until
//! [`Leader::lost`] completes.
//!
//! # Guarantees
//! - A watch whose heartbeats end is replaced after the lease. A slow clock of one machine is allowed for.
//! - A released lead is free at once.
//!
//! # Caveats
//! The lead keeps two watches from doing the same work. It does not keep them from writing at once: the lease of the record
//! does. So a run from elsewhere may write the record beside a leader.

use std::sync::Arc;
use std::time::Duration;

use hookctl_core::clock::Stamp;
use serde::{Deserialize, Serialize};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::backend::SharedRecord;
use super::blobs::{Blob, Version};
use super::context::{Shared, milliseconds, nonce};
use super::error::SharedError;
use super::format;
use super::holder::Holder;
use super::lease::{Heartbeat, by_any_clock, passed_since};
use super::names;
use super::write::Resolved;

/// The largest object of a lead, in bytes. Those that hookctl writes need less than 1 KiB.
const LARGEST: usize = 16 * 1024;

/// The content of the object that names the leader.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct LeadBody {
    /// The leader; `None` after a release.
    pub(super) holder: Option<Holder>,
    /// How long the lead lasts after its last heartbeat, in milliseconds.
    lease_ms: u64,
    /// Counts the heartbeats.
    beat: u64,
    /// Makes each content unique, because an entity tag may be a digest of it.
    nonce: String,
}

/// The lead of the watches of a record. It ends by itself after the lease if it is dropped.
pub struct Leader {
    held: Arc<Held>,
    heartbeat: Heartbeat,
}

/// What the heartbeats keep.
struct Held {
    shared: Arc<Shared>,
    name: String,
    current: tokio::sync::Mutex<(LeadBody, Version)>,
    lost: CancellationToken,
}

/// A lead that another watch has.
struct Seen {
    body: LeadBody,
    version: Version,
    since: Instant,
}

impl SharedRecord {
    /// Waits until this watch leads those with the same scope. The scope is empty, or a name for the keys that the watch
    /// syncs. Tells about each other leader once, through `on_standby`.
    ///
    /// # Errors
    /// [`SharedError::Missing`] if there is no record, [`SharedError::Interrupted`], or another [`SharedError`]. The caller
    /// may try again.
    ///
    /// # Cancel safety
    /// If the future is dropped, this watch may lead without knowing it, until the lease ends.
    pub async fn lead(
        &self,
        scope: &str,
        on_standby: &(dyn Fn(&Holder) + Send + Sync),
    ) -> Result<Leader, SharedError> {
        let shared = self.shared();
        let head = shared.current_head().await?;
        shared.check(&head.body)?;
        let name = names::lead(scope);
        let mut seen: Option<Seen> = None;
        let mut reported: Option<Holder> = None;
        loop {
            seen = shared.unless_cancelled(shared.look(&name, seen)).await?;
            let leading = seen.as_ref().and_then(|seen| {
                let takeover_after = by_any_clock(seen.body.lease_ms);
                let holder = seen.body.holder.as_ref()?;
                (seen.since.elapsed() < takeover_after).then_some((holder, takeover_after))
            });
            let Some((holder, takeover_after)) = leading else {
                if let Some(leader) = shared.take_lead(&name, seen.as_ref()).await? {
                    return Ok(leader);
                }
                continue;
            };
            if reported.as_ref() != Some(holder) {
                reported = Some(holder.clone());
                on_standby(holder);
            }
            let poll =
                (takeover_after / 30).clamp(Duration::from_millis(10), Duration::from_secs(2));
            let pause = async {
                tokio::time::sleep(poll).await;
                Ok(())
            };
            shared.unless_cancelled(pause).await?;
        }
    }

    /// Returns the leader of the watches without a scope, if any. It may be one that has ended without a release.
    ///
    /// # Errors
    /// [`SharedError::Newer`] or [`SharedError::Store`]
    pub async fn leader(&self) -> Result<Option<Holder>, SharedError> {
        let shared = self.shared();
        let name = names::lead("");
        let seen = shared.unless_cancelled(shared.look(&name, None)).await?;
        Ok(seen.and_then(|seen| seen.body.holder))
    }
}

impl Shared {
    /// Reads who leads. Returns `None` if no watch ever did. A lead that has not changed keeps the time of its first sight.
    async fn look(&self, name: &str, seen: Option<Seen>) -> Result<Option<Seen>, SharedError> {
        let unless = seen.as_ref().map(|seen| &seen.version);
        match self.attempts().read(name, unless).await? {
            Blob::Missing => Ok(None),
            Blob::Unchanged => Ok(seen),
            Blob::Found { content, version } => {
                if let Some(seen) = seen.filter(|seen| seen.version == version) {
                    return Ok(Some(seen));
                }
                let body = if content.len() > LARGEST {
                    self.unreadable()?
                } else {
                    match format::decode(name, &content) {
                        Err(SharedError::Damaged { .. }) => self.unreadable()?,
                        body => body?,
                    }
                };
                Ok(Some(Seen {
                    body,
                    version,
                    since: Instant::now(),
                }))
            }
        }
    }

    /// Returns a lead in place of one that cannot be read. It ends like that of a watch without heartbeats.
    fn unreadable(&self) -> Result<LeadBody, SharedError> {
        Ok(LeadBody {
            holder: Some(Holder {
                id: String::new(),
                run: "a watch whose lead cannot be read".to_owned(),
                since: self.options.clock.now().at,
            }),
            lease_ms: milliseconds(self.options.times.lease),
            beat: 0,
            nonce: nonce()?,
        })
    }

    /// Takes the lead. Returns `None` if another watch was first.
    async fn take_lead(
        self: &Arc<Self>,
        name: &str,
        seen: Option<&Seen>,
    ) -> Result<Option<Leader>, SharedError> {
        let began = self.options.clock.now();
        let body = LeadBody {
            holder: Some(self.holder(nonce()?, began.at)),
            lease_ms: milliseconds(self.options.times.lease),
            beat: 0,
            nonce: nonce()?,
        };
        let content = format::encode(&body)?;
        let attempts = self.attempts();
        let resolved = match seen {
            Some(seen) => attempts.swap(name, &content, &seen.version).await,
            None => attempts.create(name, &content).await,
        };
        let version = match resolved {
            Resolved::Mine(version) => version,
            Resolved::Theirs => return Ok(None),
            Resolved::Unknown(error) => return Err(error.into()),
        };
        let held = Arc::new(Held {
            shared: Arc::clone(self),
            name: name.to_owned(),
            current: tokio::sync::Mutex::new((body, version)),
            lost: CancellationToken::new(),
        });
        let heartbeat = Heartbeat::of(Arc::clone(&held).keep(began));
        Ok(Some(Leader { held, heartbeat }))
    }
}

impl Leader {
    /// Completes once this watch can no longer show that it leads: another one took over, or no heartbeat succeeded during
    /// the lease.
    ///
    /// # Cancel safety
    /// This method is cancel safe.
    pub async fn lost(&self) {
        self.held.lost.cancelled().await;
    }

    /// Releases the lead, so that another watch leads at once. After an error, it ends by itself.
    ///
    /// # Errors
    /// [`SharedError::Fenced`] if another watch took over, or another [`SharedError`]
    pub async fn release(self) -> Result<(), SharedError> {
        let held = &self.held;
        // After a heartbeat that is under way.
        let mut current = held.current.lock().await;
        drop(self.heartbeat);
        let body = LeadBody {
            holder: None,
            ..current.0.clone()
        };
        if held.swap(&mut current, body).await? {
            Ok(())
        } else {
            Err(SharedError::Fenced)
        }
    }
}

impl std::fmt::Debug for Leader {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Leader").finish_non_exhaustive()
    }
}

impl Held {
    /// Sends heartbeats until the lead is lost. `acknowledged` is when the last one that succeeded was begun.
    async fn keep(self: Arc<Self>, mut acknowledged: Stamp) {
        let options = &self.shared.options;
        loop {
            tokio::time::sleep(options.times.beat()).await;
            let began = options.clock.now();
            let silent = passed_since(&acknowledged, &began);
            let left = options.times.lease.saturating_sub(silent);
            match tokio::time::timeout(left, self.beat()).await {
                Ok(Ok(true)) => acknowledged = began,
                Ok(Err(_)) => {}
                Ok(Ok(false)) | Err(_) => break,
            }
        }
        self.lost.cancel();
    }

    /// Sends a heartbeat. Returns `false` if another watch took over.
    async fn beat(&self) -> Result<bool, SharedError> {
        let mut current = self.current.lock().await;
        let body = LeadBody {
            beat: current.0.beat + 1,
            ..current.0.clone()
        };
        self.swap(&mut current, body).await
    }

    async fn swap(
        &self,
        current: &mut (LeadBody, Version),
        mut body: LeadBody,
    ) -> Result<bool, SharedError> {
        body.nonce = nonce()?;
        let content = format::encode(&body)?;
        let attempts = self.shared.attempts();
        match attempts.swap(&self.name, &content, &current.1).await {
            Resolved::Mine(version) => {
                *current = (body, version);
                Ok(true)
            }
            Resolved::Theirs => Ok(false),
            Resolved::Unknown(error) => Err(error.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use hookctl_core::record::{Account, Backend as _};
    use hookctl_testing::simulation::Machine;

    use super::super::{MemoryBlobs, SharedOptions};
    use super::*;

    const LEASE: Duration = Duration::from_mins(1);

    /// A watch on a machine of its own.
    struct Watch {
        record: SharedRecord,
        leaders: Arc<Mutex<Vec<String>>>,
    }

    impl Watch {
        fn on(store: &MemoryBlobs, name: &'static str) -> Self {
            let account = Account::new("prod", "https://api.example");
            let options = SharedOptions::new(name, Arc::new(Machine::steady(name)));
            Self {
                record: SharedRecord::new(store.clone(), account, options),
                leaders: Arc::default(),
            }
        }

        async fn lead(&self) -> Leader {
            let leaders = Arc::clone(&self.leaders);
            let on_standby =
                move |holder: &Holder| leaders.lock().unwrap().push(holder.run.clone());
            self.record.lead("", &on_standby).await.unwrap()
        }
    }

    async fn pair() -> (MemoryBlobs, Watch, Watch) {
        let store = MemoryBlobs::new();
        let (one, other) = (Watch::on(&store, "one"), Watch::on(&store, "other"));
        one.record.init().await.unwrap();
        (store, one, other)
    }

    #[tokio::test(start_paused = true)]
    async fn a_released_lead_is_taken_at_the_next_look_and_a_kept_one_never() {
        let (_, one, other) = pair().await;
        let leader = one.lead().await;
        assert!(
            tokio::time::timeout(LEASE * 60, other.lead())
                .await
                .is_err()
        );
        assert_eq!(*other.leaders.lock().unwrap(), ["one"], "reported once");
        assert_eq!(one.record.leader().await.unwrap().unwrap().run, "one");
        leader.release().await.unwrap();
        assert_eq!(one.record.leader().await.unwrap(), None);
        let began = Instant::now();
        let _leader = other.lead().await;
        assert!(began.elapsed() < Duration::from_secs(3));
    }

    #[tokio::test(start_paused = true)]
    async fn a_leader_without_heartbeats_is_replaced_after_the_lease() {
        let (_, one, other) = pair().await;
        drop(one.lead().await);
        let began = Instant::now();
        let leader = other.lead().await;
        let waited = began.elapsed();
        assert!(waited >= LEASE, "{waited:?}");
        assert!(waited < LEASE * 6 / 5, "{waited:?}");
        let lost = tokio::time::timeout(LEASE * 10, leader.lost()).await;
        assert!(lost.is_err(), "it leads on");
    }

    #[tokio::test(start_paused = true)]
    async fn a_leader_that_was_replaced_notices_at_its_next_heartbeat_and_frees_nothing() {
        let (store, one, other) = pair().await;
        let replaced = one.lead().await;
        store.damage("watch", None);
        let leader = other.lead().await;
        tokio::time::timeout(Duration::from_secs(11), replaced.lost())
            .await
            .unwrap();
        let refused = replaced.release().await.unwrap_err();
        assert!(matches!(refused, SharedError::Fenced), "{refused}");
        assert_eq!(one.record.leader().await.unwrap().unwrap().run, "other");
        leader.release().await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn a_run_from_elsewhere_writes_the_record_beside_a_leader() {
        let (_, one, other) = pair().await;
        let _leader = one.lead().await;
        let session = other.record.begin().await.unwrap();
        session.end().await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn watches_of_other_keys_have_a_lead_of_their_own() {
        let (_, one, other) = pair().await;
        let _leader = one.lead().await;
        let _ours = other.record.lead("billing", &|_| {}).await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn without_a_record_there_is_no_leader_and_a_damaged_lead_is_replaced_after_the_lease() {
        let store = MemoryBlobs::new();
        let watch = Watch::on(&store, "one");
        let refused = watch.record.lead("", &|_| {}).await.unwrap_err();
        assert!(matches!(refused, SharedError::Missing), "{refused}");
        watch.record.init().await.unwrap();
        for wrong in [b"x".to_vec(), vec![b' '; LARGEST + 1]] {
            store.damage("watch", Some(wrong));
            let began = Instant::now();
            drop(watch.lead().await);
            assert!(began.elapsed() >= LEASE);
        }
    }
}
