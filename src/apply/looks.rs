//! Fresh lists in the middle of an apply.
//!
//! A list of several pages is one state of the account only if nothing is made meanwhile, so that a look
//! waits for the creates under way, and they for it. Whoever asked before a look began shares it: after so
//! many creates without an answer, one look tells of all of them.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::{RwLock, RwLockReadGuard};

use crate::remote::{ObserveError, WebhookApi, observe, observe_absences};
use crate::state::ObservedState;

/// What a look brought: the list, or why there is none, which is the same for everybody who waited.
pub(super) type Looked = Result<Arc<ObservedState>, Arc<ObserveError>>;

/// The looks of one apply.
#[derive(Debug, Default)]
pub(super) struct Looks {
    /// Shared by the creates under way, and held alone by a look.
    last: RwLock<Option<Look>>,
    /// Counts questions and looks, so that it can be told which was first.
    turns: AtomicU64,
}

#[derive(Debug)]
struct Look {
    turn: u64,
    brought: Looked,
}

impl Looks {
    /// Keeps looks away, for as long as a webhook is being made.
    pub(super) async fn making(&self) -> Making<'_> {
        Making {
            _shared: self.last.read().await,
        }
    }

    /// A list that was read after this was called.
    pub(super) async fn look(&self, api: &impl WebhookApi) -> Looked {
        let asked = self.turn();
        let mut last = self.last.write().await;
        if let Some(look) = &*last
            && look.turn > asked
        {
            return look.brought.clone();
        }
        let turn = self.turn();
        let read = match observe(api).await {
            Ok(first) => observe_absences(api, first).await,
            Err(error) => Err(error),
        };
        let brought = read
            .map(|listing| Arc::new(listing.observed))
            .map_err(Arc::new);
        *last = Some(Look {
            turn,
            brought: brought.clone(),
        });
        brought
    }

    fn turn(&self) -> u64 {
        self.turns.fetch_add(1, Ordering::SeqCst)
    }
}

/// A webhook is being made.
pub(super) struct Making<'a> {
    _shared: RwLockReadGuard<'a, Option<Look>>,
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicU32;

    use futures_util::FutureExt as _;
    use futures_util::future::join3;

    use super::*;
    use crate::remote::{ApiError, Page, TokenWrite};
    use crate::secret::Secret;
    use crate::state::ObservedWebhook;
    use crate::webhook::{Field, FieldValue, RemoteId, WebhookSpec};

    /// An API without webhooks, that counts how often it was asked, and may refuse.
    #[derive(Default)]
    struct Empty {
        asked: AtomicU32,
        refuses: bool,
    }

    impl WebhookApi for Empty {
        async fn page(&self, _: u32, _: u32) -> Result<Page, ApiError> {
            self.asked.fetch_add(1, Ordering::SeqCst);
            tokio::task::yield_now().await;
            if self.refuses {
                return Err(ApiError::NotServed {
                    url: "https://api.example".into(),
                    status: 404,
                });
            }
            Ok(Page {
                webhooks: Vec::new(),
                total: Some(0),
            })
        }

        async fn create(
            &self,
            _: &WebhookSpec,
            _: Option<&Secret>,
        ) -> Result<Option<ObservedWebhook>, ApiError> {
            panic!("looking never writes")
        }

        async fn patch(
            &self,
            _: &RemoteId,
            _: &[(Field, FieldValue)],
            _: TokenWrite<'_>,
        ) -> Result<Option<ObservedWebhook>, ApiError> {
            panic!("looking never writes")
        }

        async fn delete(&self, _: &RemoteId) -> Result<(), ApiError> {
            panic!("looking never writes")
        }
    }

    impl Empty {
        fn asked(&self) -> u32 {
            self.asked.load(Ordering::SeqCst)
        }
    }

    #[tokio::test]
    async fn a_look_waits_for_what_is_being_made() {
        let (looks, api) = (Looks::default(), Empty::default());
        let making = looks.making().await;
        let mut look = std::pin::pin!(looks.look(&api));
        assert!(look.as_mut().now_or_never().is_none());
        assert_eq!(api.asked(), 0);
        drop(making);
        look.await.unwrap();
        assert_eq!(api.asked(), 1);
    }

    #[tokio::test]
    async fn who_asked_before_a_look_began_shares_it_and_nobody_else() {
        for refuses in [false, true] {
            let (looks, api) = (
                Looks::default(),
                Empty {
                    refuses,
                    ..Empty::default()
                },
            );
            let all = join3(looks.look(&api), looks.look(&api), looks.look(&api)).await;
            assert_eq!(all.0.is_err(), refuses);
            assert_eq!(all.1.is_err(), refuses);
            assert_eq!(all.2.is_err(), refuses);
            // The second asked while the first one read, and the third did, too.
            assert_eq!(api.asked(), 2);
            let _later = looks.look(&api).await;
            assert_eq!(api.asked(), 3);
        }
    }
}
