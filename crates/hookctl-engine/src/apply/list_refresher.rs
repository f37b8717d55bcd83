//! Fresh lists in the middle of an apply.
//!
//! A list of several pages is one state of the account only if nothing is created meanwhile. So a refresh waits for
//! the creates under way, and they wait for it. One refresh serves every caller that asked before it began.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::{RwLock, RwLockReadGuard};

use hookctl_api::{ObserveError, WebhookApi, observe, observe_absences};
use hookctl_core::state::ObservedState;

/// The list, or why it could not be read: the same for every caller that waited.
pub(super) type Refreshed = Result<Arc<ObservedState>, Arc<ObserveError>>;

/// Refreshes the list during one apply.
#[derive(Debug, Default)]
pub(super) struct ListRefresher {
    /// Shared by the creates under way, and held alone by a refresh.
    last: RwLock<Option<Refresh>>,
    /// Numbers calls and refreshes in order.
    turns: AtomicU64,
}

#[derive(Debug)]
struct Refresh {
    turn: u64,
    result: Refreshed,
}

impl ListRefresher {
    /// Delays refreshes while a webhook is being created.
    pub(super) async fn creating(&self) -> Creating<'_> {
        Creating {
            _shared: self.last.read().await,
        }
    }

    /// Returns a list that was read after this call.
    pub(super) async fn refresh(&self, api: &impl WebhookApi) -> Refreshed {
        let asked = self.turn();
        let mut last = self.last.write().await;
        if let Some(refresh) = &*last
            && refresh.turn > asked
        {
            return refresh.result.clone();
        }
        let turn = self.turn();
        let read = match observe(api).await {
            Ok(first) => observe_absences(api, first).await,
            Err(error) => Err(error),
        };
        let result = read
            .map(|listing| Arc::new(listing.observed))
            .map_err(Arc::new);
        *last = Some(Refresh {
            turn,
            result: result.clone(),
        });
        result
    }

    fn turn(&self) -> u64 {
        self.turns.fetch_add(1, Ordering::SeqCst)
    }
}

/// A guard that delays refreshes while a webhook is being created.
#[derive(Debug)]
pub(super) struct Creating<'a> {
    _shared: RwLockReadGuard<'a, Option<Refresh>>,
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicU32;

    use futures_util::FutureExt as _;
    use futures_util::future::join3;

    use super::*;
    use hookctl_api::{ApiError, DeleteAnswer, Page, SendGate};
    use hookctl_core::secret::Secret;
    use hookctl_core::state::ObservedWebhook;
    use hookctl_core::webhook::{Field, FieldValue, RemoteId, TokenChange, WebhookSpec};

    /// An API without webhooks that counts requests, and may refuse them.
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
                unreadable: Vec::new(),
                total: Some(0),
                bytes: 0,
            })
        }

        async fn create(
            &self,
            _: &WebhookSpec,
            _: Option<&Secret>,
            _: &impl SendGate,
        ) -> Result<Option<ObservedWebhook>, ApiError> {
            panic!("a refresh never writes")
        }

        async fn patch(
            &self,
            _: &RemoteId,
            _: &[(Field, FieldValue)],
            _: TokenChange<&Secret>,
            _: &impl SendGate,
        ) -> Result<Option<ObservedWebhook>, ApiError> {
            panic!("a refresh never writes")
        }

        async fn delete(&self, _: &RemoteId, _: &impl SendGate) -> Result<DeleteAnswer, ApiError> {
            panic!("a refresh never writes")
        }
    }

    impl Empty {
        fn asked(&self) -> u32 {
            self.asked.load(Ordering::SeqCst)
        }
    }

    #[tokio::test]
    async fn a_refresh_waits_for_what_is_being_created() {
        let (refresher, api) = (ListRefresher::default(), Empty::default());
        let creating = refresher.creating().await;
        let mut refresh = std::pin::pin!(refresher.refresh(&api));
        assert!(refresh.as_mut().now_or_never().is_none());
        assert_eq!(api.asked(), 0);
        drop(creating);
        refresh.await.unwrap();
        assert_eq!(api.asked(), 1);
    }

    #[tokio::test]
    async fn a_call_before_a_refresh_began_shares_it_and_no_other_does() {
        for refuses in [false, true] {
            let (refresher, api) = (
                ListRefresher::default(),
                Empty {
                    refuses,
                    ..Empty::default()
                },
            );
            let all = join3(
                refresher.refresh(&api),
                refresher.refresh(&api),
                refresher.refresh(&api),
            )
            .await;
            assert_eq!(all.0.is_err(), refuses);
            assert_eq!(all.1.is_err(), refuses);
            assert_eq!(all.2.is_err(), refuses);
            // The second and third call came during the first refresh, and share the second one.
            assert_eq!(api.asked(), 2);
            let _later = refresher.refresh(&api).await;
            assert_eq!(api.asked(), 3);
        }
    }
}
