//! The list, requested while the files are read.
//!
//! It stays unread until the tokens of the run are known ([`UnreadList`]), and it is used only if no other process wrote
//! the record meanwhile: a webhook in the record might otherwise be missing from the list, and be created again.

use std::sync::Arc;
use std::time::{Duration, Instant};

use hookctl::clock::{Clock, Stamp};
use hookctl::reconcile::FirstList;
use hookctl::record::{Access, Head, Record, Remembered};
use hookctl::remote::http::{HttpApi, UnreadList};
use hookctl::remote::observe;
use hookctl::secret::{KnownSecrets, SecretSource};

use crate::environment::Environment;
use crate::record_ahead::RecordAhead;
use crate::session::{Client, Session};
use crate::settings::Settings;
use crate::trust::consent_ahead;

/// How old a list may be when the tokens are known. A program or a question may take any time.
const FRESH: Duration = Duration::from_secs(5);

/// A requested list, and the state of the record before.
pub(crate) struct EarlyList {
    list: UnreadList,
    began: Stamp,
    requested: Instant,
    head: Option<Head>,
}

impl EarlyList {
    /// Requests the list.
    async fn request(api: &Arc<HttpApi>, clock: &Arc<dyn Clock>, record: &Record) -> Self {
        let head = record.head().await;
        Self {
            // The stamp is taken before the request, since the list represents a moment after it.
            began: clock.now(),
            requested: Instant::now(),
            list: UnreadList::request(Arc::clone(api)),
            head,
        }
    }

    /// Returns whether the list may be used with this state of the record, which no other process can change if the plan is
    /// applied.
    async fn is_current(&self, record: &Record, remembered: &Remembered) -> bool {
        let is_unchanged = record.head().await == self.head
            // Without a record, or one that can be read, nothing may be remembered either.
            && (self.head.is_some() || *remembered == Remembered::default());
        is_unchanged && self.requested.elapsed() <= FRESH
    }
}

/// Returns the list for the first plan, read with all secrets of the run. If there is none that may be used, the plan
/// requests one, unless the API rejected the key meanwhile.
pub(crate) async fn first(
    early: Option<EarlyList>,
    session: &Session,
    remembered: &Remembered,
    known: KnownSecrets,
) -> FirstList {
    match early {
        Some(early) if early.is_current(session.record(), remembered).await => {
            FirstList::begun(early.began, early.list.read(known))
        }
        Some(early) => {
            tracing::debug!("the list is requested again");
            let api = session.shared_api();
            FirstList::begun(session.clock().now(), async move {
                early.list.discard(&known).await?;
                observe(&*api).await
            })
        }
        None => FirstList::default(),
    }
}

/// Requests the list before the files are read, if nothing in them matters for that: the API and its key need no further
/// consent, no program or file provides a key, and the record is local. Returns the client and the list. Every error is left to
/// the session, which reports it after those of the files.
pub(crate) async fn request(
    settings: &Settings,
    environment: &Environment,
    record: &RecordAhead,
    sandbox: bool,
) -> Option<(Client, EarlyList)> {
    let RecordAhead::Local(record) = record else {
        return None;
    };
    let target = &settings.target;
    let mut keys = [&target.api_key].into_iter().chain(&target.fingerprint_key);
    let are_at_hand =
        keys.all(|key| matches!(key, SecretSource::Env { .. } | SecretSource::Text { .. }));
    if sandbox || !are_at_hand {
        return None;
    }
    let consent = consent_ahead(settings, environment)?;
    let client = Client::connect(settings, environment, &consent)
        .await
        .ok()?;
    let list = EarlyList::request(client.api(), client.clock(), record).await;
    Some((client, list))
}

/// Reads a local record in a thread of its own. The list then expects as many webhooks, so that their pages are requested at
/// once.
pub(crate) async fn prefetch(record: &RecordAhead, access: Access, early: Option<&mut EarlyList>) {
    let Some(reading) = record.prefetch_beside(access) else {
        return;
    };
    let _ = reading.await;
    if let (Some(early), RecordAhead::Local(record)) = (early, record)
        && let Some(webhooks) = record.size_in_memory()
    {
        early.list.expect(webhooks);
    }
}

/// Requests the list in a session whose files are not read yet, unless the record is shared: its head must be read before.
pub(crate) async fn request_in(session: &Session) -> Option<EarlyList> {
    if session.shared().is_some() {
        return None;
    }
    let api = session.shared_api();
    Some(EarlyList::request(&api, session.clock(), session.record()).await)
}
