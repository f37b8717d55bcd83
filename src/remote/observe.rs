//! All pages of the list, or an error: an incomplete list must never become a plan.

use std::collections::BTreeMap;

use super::{ApiError, PAGE_SIZE, Page, WebhookApi};
use crate::state::{ObservedState, ObservedWebhook};
use crate::webhook::RemoteId;

/// The most pages that are read: 300,000 webhooks. More is a server that counts pages for ever.
const MAX_PAGES: u32 = 1000;

/// Why there is no complete list.
#[derive(Debug, thiserror::Error)]
pub enum ObserveError {
    /// A page could not be read.
    #[error("could not read page {page} of the list of webhooks")]
    Page {
        /// Which, from 1.
        page: u32,
        /// Why.
        source: ApiError,
    },
    /// The list ended short, twice.
    #[error(
        "the API lists {found} of {total} webhooks and then no more, in two readings: nothing is planned from an incomplete list"
    )]
    Short {
        /// How many distinct ones were listed.
        found: usize,
        /// How many the API says there are.
        total: u64,
    },
    /// A page brought nothing new, twice.
    #[error(
        "page {page} of the list repeats what earlier pages held, in two readings: nothing is planned from an incomplete list"
    )]
    Repeats {
        /// Which, from 1.
        page: u32,
    },
    /// The list does not end.
    #[error("the list of webhooks does not end after {MAX_PAGES} pages")]
    Endless,
}

impl ObserveError {
    /// The API's own error, if it gave one.
    pub const fn api_error(&self) -> Option<&ApiError> {
        match self {
            Self::Page { source, .. } => Some(source),
            Self::Short { .. } | Self::Repeats { .. } | Self::Endless => None,
        }
    }
}

/// Reads the whole list.
///
/// With a total it reads until that many distinct ids are there, without one until an empty page. A
/// list that ends short or repeats itself is read once more from the start, since it may have changed
/// between two pages; then it is an error.
///
/// # Errors
/// [`ObserveError`] if the list is not complete.
pub async fn observe(api: &impl WebhookApi) -> Result<ObservedState, ObserveError> {
    match read(api).await {
        Err(ObserveError::Short { .. } | ObserveError::Repeats { .. }) => read(api).await,
        done => done,
    }
}

async fn read(api: &impl WebhookApi) -> Result<ObservedState, ObserveError> {
    let mut webhooks: BTreeMap<RemoteId, ObservedWebhook> = BTreeMap::new();
    for number in 1..=MAX_PAGES {
        let Page {
            webhooks: rows,
            total,
        } = api
            .page(number, PAGE_SIZE)
            .await
            .map_err(|source| ObserveError::Page {
                page: number,
                source,
            })?;
        let was_empty = rows.is_empty();
        let before = webhooks.len();
        webhooks.extend(
            rows.into_iter()
                .map(|webhook| (webhook.id.clone(), webhook)),
        );
        let found = webhooks.len();
        let complete = match total {
            Some(total) => found as u64 >= total,
            None => was_empty,
        };
        if complete {
            return Ok(ObservedState { webhooks });
        }
        if let (true, Some(total)) = (was_empty, total) {
            return Err(ObserveError::Short { found, total });
        }
        if found == before {
            return Err(ObserveError::Repeats { page: number });
        }
    }
    Err(ObserveError::Endless)
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;
    use crate::remote::TokenWrite;
    use crate::secret::Secret;
    use crate::webhook::{EndpointUrl, Field, FieldValue, WebhookSpec, WorkflowActions};

    /// An API that answers with these pages, one after the other.
    struct Scripted(Mutex<Vec<Page>>, Mutex<Vec<u32>>);

    impl WebhookApi for Scripted {
        async fn page(&self, page: u32, size: u32) -> Result<Page, ApiError> {
            assert_eq!(size, 300);
            self.1.lock().unwrap().push(page);
            Ok(self.0.lock().unwrap().remove(0))
        }

        async fn create(
            &self,
            _: &WebhookSpec,
            _: Option<&Secret>,
        ) -> Result<Option<ObservedWebhook>, ApiError> {
            panic!("observing never writes")
        }

        async fn patch(
            &self,
            _: &RemoteId,
            _: &[(Field, FieldValue)],
            _: TokenWrite<'_>,
        ) -> Result<Option<ObservedWebhook>, ApiError> {
            panic!("observing never writes")
        }

        async fn delete(&self, _: &RemoteId) -> Result<(), ApiError> {
            panic!("observing never writes")
        }
    }

    fn page(ids: &[&str], total: Option<u64>) -> Page {
        Page {
            webhooks: ids
                .iter()
                .map(|id| ObservedWebhook {
                    id: RemoteId::parse(id).unwrap(),
                    spec: WebhookSpec {
                        name: (*id).to_owned(),
                        url: EndpointUrl::from_remote("https://a.example".into()),
                        actions: WorkflowActions::all(),
                        enabled: true,
                        timeout_seconds: 10,
                        max_retries: 3,
                        retry_backoff_seconds: 10,
                    },
                    has_bearer_token: false,
                })
                .collect(),
            total,
        }
    }

    /// The ids found or the error, and the pages asked for.
    async fn reading(pages: Vec<Page>) -> (String, Vec<u32>) {
        let api = Scripted(Mutex::new(pages), Mutex::default());
        let result = match observe(&api).await {
            Ok(state) => state
                .webhooks
                .keys()
                .map(RemoteId::as_str)
                .collect::<Vec<_>>()
                .join(" "),
            Err(error) => error.to_string(),
        };
        (result, api.1.into_inner().unwrap())
    }

    #[tokio::test]
    async fn stops_at_the_total() {
        let pages = vec![page(&["a", "b"], Some(3)), page(&["c"], Some(3))];
        assert_eq!(reading(pages).await, ("a b c".into(), vec![1, 2]));
        assert_eq!(
            reading(vec![page(&[], Some(0))]).await,
            (String::new(), vec![1])
        );
    }

    #[tokio::test]
    async fn without_a_total_reads_until_an_empty_page() {
        let pages = vec![page(&["a"], None), page(&["b"], None), page(&[], None)];
        assert_eq!(reading(pages).await, ("a b".into(), vec![1, 2, 3]));
    }

    #[tokio::test]
    async fn a_list_that_shifted_is_read_again() {
        let pages = vec![
            page(&["a", "b"], Some(3)),
            page(&["b"], Some(3)),
            page(&["a", "b"], Some(3)),
            page(&["c"], Some(3)),
        ];
        assert_eq!(reading(pages).await, ("a b c".into(), vec![1, 2, 1, 2]));
    }

    #[tokio::test]
    async fn a_list_that_stays_incomplete_is_an_error() {
        let short = || vec![page(&["a"], Some(2)), page(&[], Some(2))];
        let (error, asked) = reading([short(), short()].concat()).await;
        assert!(
            error.starts_with("the API lists 1 of 2 webhooks"),
            "{error}"
        );
        assert_eq!(asked, [1, 2, 1, 2]);
        let repeats = || vec![page(&["a"], None), page(&["a"], None)];
        let (error, _) = reading([repeats(), repeats()].concat()).await;
        assert!(error.starts_with("page 2 of the list repeats"), "{error}");
    }
}
