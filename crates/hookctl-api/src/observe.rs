//! Reading of the complete list. An incomplete list is an error, and must never become a plan.

use std::collections::BTreeSet;

use futures_util::StreamExt as _;
use futures_util::stream::FuturesOrdered;

use super::{ApiError, PAGE_SIZE, Page, WebhookApi};
use hookctl_core::state::ObservedState;

/// The maximum number of pages: 300,000 webhooks. Bounds a server whose list never ends.
const MAX_PAGES: u32 = 1000;

/// The maximum number of concurrent page requests. The client may throttle further.
const AT_ONCE: usize = 16;

/// The maximum number of pages that are requested before the first has arrived. An API that refuses the key refuses so many
/// requests.
const UNCHECKED: u32 = 4;

/// The maximum size of the list, in bytes. 300,000 webhooks of typical length have half of it.
const LIST_BYTES: usize = 256 * 1024 * 1024;

/// The maximum size of concurrently read pages, in bytes, estimated by the first page.
const BYTES_AT_ONCE: usize = 64 * 1024 * 1024;

/// The maximum number of readings until two in a row are equal.
const MAX_READINGS: usize = 5;

/// Why the complete list could not be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ObserveError {
    /// A page could not be read.
    #[error("could not read page {page} of the list of webhooks")]
    Page {
        /// The number of the page, from 1.
        page: u32,
        /// The error of the API.
        source: ApiError,
    },
    /// Two readings ended before the total.
    #[error(
        "the list of webhooks is incomplete: two readings ended after {found} of {total} webhooks"
    )]
    Short {
        /// The number of distinct webhooks listed.
        found: usize,
        /// The total that the API reports.
        total: u64,
    },
    /// A page contained only webhooks of earlier pages, in two readings.
    #[error(
        "the list of webhooks is incomplete: page {page} repeats earlier pages, in two readings"
    )]
    Repeats {
        /// The number of the page, from 1.
        page: u32,
    },
    /// The list changed during each of several readings.
    #[error("the list of webhooks changed during each of several reads, so it may be incomplete")]
    Unstable,
    /// The list does not end.
    #[error("the list of webhooks does not end after {MAX_PAGES} pages")]
    Endless,
    /// The list is larger than the limit.
    #[error(
        "the list of webhooks exceeds {} MiB at page {page}",
        limit / (1024 * 1024)
    )]
    TooLarge {
        /// The first page over the limit, from 1.
        page: u32,
        /// The limit, in bytes.
        limit: usize,
    },
}

impl ObserveError {
    /// Returns the error of the API, if a request failed.
    pub const fn api_error(&self) -> Option<&ApiError> {
        match self {
            Self::Page { source, .. } => Some(source),
            Self::Short { .. }
            | Self::Repeats { .. }
            | Self::Unstable
            | Self::Endless
            | Self::TooLarge { .. } => None,
        }
    }
}

/// A complete reading of the list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listing {
    /// All webhooks of the account.
    pub observed: ObservedState,
    /// The number of pages. One page is a consistent snapshot. Between several, a deleted webhook moves others from unread
    /// pages to pages that were already read.
    pub pages: u32,
}

/// Reads the whole list.
///
/// Reads until the total number of distinct ids, or without a total until an empty page. A list that ends early, repeats
/// itself, or changes its total has changed between two pages, so it is read once more from the start.
///
/// # Errors
/// Returns [`ObserveError`] if the list is not complete.
pub async fn observe(api: &impl WebhookApi) -> Result<Listing, ObserveError> {
    observe_expected(api, 0).await
}

/// Reads the whole list like [`observe`]. If `expected` webhooks, as the last reading may have found, take several pages, the
/// first few are requested at once. Otherwise, the others follow the first, which contains the total.
///
/// # Errors
/// Returns the errors of [`observe`].
pub async fn observe_expected(
    api: &impl WebhookApi,
    expected: usize,
) -> Result<Listing, ObserveError> {
    within(api, api, expected, LIST_BYTES).await
}

/// Where the pages of a reading come from.
pub(crate) trait Pages: Sync {
    /// Returns a page, which is requested once in a reading.
    fn page(&self, number: u32) -> impl Future<Output = Result<Page, ApiError>> + Send;
}

impl<A: WebhookApi> Pages for A {
    fn page(&self, number: u32) -> impl Future<Output = Result<Page, ApiError>> + Send {
        WebhookApi::page(self, number, PAGE_SIZE)
    }
}

/// Reads the whole list like [`observe`]. The pages of the first reading come from `first`.
#[cfg(feature = "http")]
pub(crate) async fn observe_from(
    first: &impl Pages,
    api: &impl WebhookApi,
) -> Result<Listing, ObserveError> {
    within(first, api, 0, LIST_BYTES).await
}

async fn within(
    first: &impl Pages,
    api: &impl WebhookApi,
    expected: usize,
    limit: usize,
) -> Result<Listing, ObserveError> {
    match read(first, expected, limit).await {
        Err(ObserveError::Short { .. } | ObserveError::Repeats { .. } | ObserveError::Unstable) => {
            read(api, 0, limit).await
        }
        done => done,
    }
}

/// Reads the list until two readings in a row contain the same webhooks, so that a webhook missing from both does not
/// exist. `first` counts as a reading. A list of one page needs no second reading.
///
/// # Errors
/// Returns [`ObserveError`] if a list is not complete, or no two in a row are equal.
pub async fn observe_absences(
    api: &impl WebhookApi,
    first: Listing,
) -> Result<Listing, ObserveError> {
    let mut last = first;
    for _ in 1..MAX_READINGS {
        if last.pages <= 1 {
            return Ok(last);
        }
        let next = observe(api).await?;
        // A webhook that is unreadable in only one of them has changed, but was not missed.
        let ids = |listing: &Listing| listing.observed.ids().cloned().collect::<BTreeSet<_>>();
        if ids(&next) == ids(&last) {
            return Ok(next);
        }
        last = next;
    }
    Err(ObserveError::Unstable)
}

/// Reads every page once. They are processed in order, so that concurrency does not affect the result.
async fn read(api: &impl Pages, expected: usize, limit: usize) -> Result<Listing, ObserveError> {
    let mut reading = Reading {
        limit,
        ..Reading::default()
    };
    let mut pages = PagesInFlight::new(|number| page(api, number));
    pages.expect(expected);
    for number in 1..=MAX_PAGES {
        let page = pages.next().await?;
        if number == 1 {
            let rows = page.webhooks.len() + page.unreadable.len();
            pages.request_all(pages_in_all(rows, page.total), at_once(page.bytes));
        }
        if let Some(listing) = reading.take(number, page)? {
            return Ok(listing);
        }
    }
    Err(ObserveError::Endless)
}

/// Requests for pages, several at once. The responses come in the order of the pages.
pub(crate) struct PagesInFlight<F: Future, R: Fn(u32) -> F> {
    request: R,
    in_flight: FuturesOrdered<F>,
    /// The number of the last requested page.
    last: u32,
    /// The number of pages to request without waiting to be asked for them.
    ahead: u32,
    at_once: usize,
}

impl<F: Future, R: Fn(u32) -> F> PagesInFlight<F, R> {
    /// Requests the first page, once it is polled.
    pub(crate) fn new(request: R) -> Self {
        Self {
            request,
            in_flight: FuturesOrdered::new(),
            last: 0,
            ahead: 1,
            at_once: UNCHECKED as usize,
        }
    }

    /// Requests the first pages of so many webhooks without waiting for the first.
    pub(crate) fn expect(&mut self, webhooks: usize) {
        let pages = pages_in_all(PAGE_SIZE as usize, Some(webhooks as u64));
        self.ahead = self.ahead.max(pages.min(UNCHECKED));
    }

    /// Requests all pages, so many at once, since the first page has arrived.
    pub(crate) fn request_all(&mut self, pages: u32, at_once: usize) {
        self.ahead = self.ahead.max(pages);
        self.at_once = at_once;
    }

    /// Returns the number of pages that are requested ahead.
    #[cfg(feature = "http")]
    pub(crate) const fn ahead(&self) -> u32 {
        self.ahead
    }

    /// Returns the next page. Requests it if it was not requested ahead.
    pub(crate) async fn next(&mut self) -> F::Output {
        loop {
            self.request_ahead();
            if let Some(page) = self.in_flight.next().await {
                return page;
            }
            self.ahead = self.last + 1;
        }
    }

    /// Returns the next page, or `None` if none is left of those requested ahead.
    #[cfg(feature = "http")]
    pub(crate) async fn next_ahead(&mut self) -> Option<F::Output> {
        self.request_ahead();
        self.in_flight.next().await
    }

    fn request_ahead(&mut self) {
        while self.last < self.ahead && self.in_flight.len() < self.at_once {
            self.last += 1;
            self.in_flight.push_back((self.request)(self.last));
        }
    }
}

async fn page(pages: &impl Pages, number: u32) -> Result<Page, ObserveError> {
    pages
        .page(number)
        .await
        .map_err(|source| ObserveError::Page {
            page: number,
            source,
        })
}

/// Returns the number of pages if all have as many rows as the first, or 1 if it is unknown.
pub(crate) fn pages_in_all(rows: usize, total: Option<u64>) -> u32 {
    let pages = match total {
        Some(total) if rows > 0 => u32::try_from(total.div_ceil(rows as u64)).unwrap_or(u32::MAX),
        _ => 1,
    };
    pages.min(MAX_PAGES)
}

/// Returns how many pages are requested concurrently if all are as large as the first.
pub(crate) fn at_once(bytes: usize) -> usize {
    (BYTES_AT_ONCE / bytes.max(1)).clamp(1, AT_ONCE)
}

/// The content of the pages so far.
#[derive(Default)]
struct Reading {
    observed: ObservedState,
    total: Option<u64>,
    bytes: usize,
    limit: usize,
}

impl Reading {
    /// Returns the number of distinct ids so far.
    fn found(&self) -> usize {
        self.observed.webhooks.len() + self.observed.unreadable.len()
    }

    /// Adds the next page. Returns the complete list after the last one.
    fn take(&mut self, number: u32, page: Page) -> Result<Option<Listing>, ObserveError> {
        self.bytes = self.bytes.saturating_add(page.bytes);
        if self.bytes > self.limit {
            return Err(ObserveError::TooLarge {
                page: number,
                limit: self.limit,
            });
        }
        let was_empty = page.webhooks.is_empty() && page.unreadable.is_empty();
        let before = self.found();
        for webhook in page.webhooks {
            if !self.observed.unreadable.contains_key(&webhook.id) {
                self.observed.webhooks.insert(webhook.id.clone(), webhook);
            }
        }
        // A webhook that is listed twice and is unreadable once counts as unreadable.
        for webhook in page.unreadable {
            self.observed.webhooks.remove(&webhook.id);
            self.observed.unreadable.insert(webhook.id.clone(), webhook);
        }
        let found = self.found();
        if number > 1 && self.total != page.total {
            return Err(ObserveError::Unstable);
        }
        self.total = page.total;
        let complete = match self.total {
            Some(total) => found as u64 >= total,
            None => was_empty,
        };
        if complete {
            return Ok(Some(Listing {
                observed: std::mem::take(&mut self.observed),
                // Includes the empty page at the end of a list without a total, since a webhook may have moved before
                // it.
                pages: number,
            }));
        }
        if let (true, Some(total)) = (was_empty, self.total) {
            return Err(ObserveError::Short { found, total });
        }
        if found == before {
            return Err(ObserveError::Repeats { page: number });
        }
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;
    use crate::{DeleteAnswer, SendGate};
    use hookctl_core::secret::Secret;
    use hookctl_core::state::ObservedWebhook;
    use hookctl_core::webhook::{
        EndpointUrl, Field, FieldValue, RemoteId, TokenChange, WebhookSpec, WorkflowActions,
    };

    /// An API that returns these pages in order, and records the requested numbers.
    struct Scripted(Mutex<Vec<Page>>, Mutex<Vec<u32>>);

    impl WebhookApi for Scripted {
        async fn page(&self, page: u32, size: u32) -> Result<Page, ApiError> {
            assert_eq!(size, 300);
            self.1.lock().unwrap().push(page);
            let page = self.0.lock().unwrap().remove(0);
            tokio::task::yield_now().await;
            Ok(page)
        }

        async fn create(
            &self,
            _: &WebhookSpec,
            _: Option<&Secret>,
            _: &impl SendGate,
        ) -> Result<Option<ObservedWebhook>, ApiError> {
            panic!("observing never writes")
        }

        async fn patch(
            &self,
            _: &RemoteId,
            _: &[(Field, FieldValue)],
            _: TokenChange<&Secret>,
            _: &impl SendGate,
        ) -> Result<Option<ObservedWebhook>, ApiError> {
            panic!("observing never writes")
        }

        async fn delete(&self, _: &RemoteId, _: &impl SendGate) -> Result<DeleteAnswer, ApiError> {
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
            unreadable: Vec::new(),
            total,
            bytes: 1024 * 1024,
        }
    }

    /// Returns the ids found or the error, and the requested pages.
    async fn reading(pages: Vec<Page>) -> (String, Vec<u32>) {
        reading_expected(pages, 0).await
    }

    async fn reading_expected(pages: Vec<Page>, expected: usize) -> (String, Vec<u32>) {
        let api = Scripted(Mutex::new(pages), Mutex::default());
        let result = match observe_expected(&api, expected).await {
            Ok(listing) => listing
                .observed
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
    async fn a_list_that_is_too_large_is_an_error_at_the_page_that_makes_it_so() {
        let pages: Vec<_> = ["a", "b", "c", "d"].map(|id| page(&[id], None)).into();
        let api = Scripted(Mutex::new(pages), Mutex::default());
        let error = within(&api, &api, 0, 2 * 1024 * 1024).await.unwrap_err();
        assert_eq!(
            error.to_string(),
            "the list of webhooks exceeds 2 MiB at page 3"
        );
        assert_eq!(
            api.1.into_inner().unwrap(),
            [1, 2, 3],
            "and is not read again"
        );
    }

    #[tokio::test]
    async fn a_list_that_does_not_end_is_an_error_at_the_last_page_that_is_read() {
        let pages = (0..=MAX_PAGES).map(|number| Page {
            bytes: 100,
            ..page(&[&format!("id-{number}")], None)
        });
        let api = Scripted(Mutex::new(pages.collect()), Mutex::default());
        let error = observe(&api).await.unwrap_err();
        assert!(matches!(error, ObserveError::Endless), "{error}");
        assert_eq!(api.1.lock().unwrap().last(), Some(&MAX_PAGES));
        assert_eq!(api.0.lock().unwrap().len(), 1, "and is not read again");
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
    async fn the_first_few_expected_pages_are_requested_at_once() {
        let page_of = |number: usize, total| page(&[["a", "b", "c", "d", "e", "f"][number]], total);
        let pages = |total: u64| (0..6).map(move |number| page_of(number, Some(total)));
        for (expected, total, asked) in [
            (0, 3, vec![1, 2, 3]),
            (300, 3, vec![1, 2, 3]),
            (301, 3, vec![1, 2, 3]),
            // More webhooks are there.
            (601, 6, vec![1, 2, 3, 4, 5, 6]),
            // Fewer are there: what was requested for nothing is dropped.
            (10_000, 2, vec![1, 2, 3, 4]),
        ] {
            let (found, requested) = reading_expected(pages(total).collect(), expected).await;
            assert_eq!(found.replace(' ', "").len() as u64, total, "{expected}");
            assert_eq!(requested, asked, "{expected}");
        }
        let without_total = ["a", "b"].map(|id| page(&[id], None)).into_iter();
        let pages = without_total.chain([page(&[], None), page(&[], None)]);
        let read = reading_expected(pages.collect(), 1_000).await;
        assert_eq!(read, ("a b".into(), vec![1, 2, 3, 4]));
        // A list that shifted is read with care.
        let shifted = vec![page(&["a", "b"], Some(3)), page(&["b"], Some(3))];
        let whole = vec![page(&["a", "b"], Some(3)), page(&["c"], Some(3))];
        let read = reading_expected([shifted, whole].concat(), 600).await;
        assert_eq!(read, ("a b c".into(), vec![1, 2, 1, 2]));
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
            error.ends_with("two readings ended after 1 of 2 webhooks"),
            "{error}"
        );
        assert_eq!(asked, [1, 2, 1, 2]);
        let repeats = || vec![page(&["a"], None), page(&["a"], None)];
        let (error, _) = reading([repeats(), repeats()].concat()).await;
        assert!(error.contains("page 2 repeats earlier pages"), "{error}");
    }

    #[tokio::test]
    async fn a_webhook_that_slipped_between_two_pages_is_not_missed() {
        // `a` is deleted after the first page was read, so `c` moves to that page.
        let slipped = vec![page(&["a", "b"], Some(4)), page(&["d"], Some(3))];
        let whole = || vec![page(&["b", "c"], Some(3)), page(&["d"], Some(3))];
        let (found, asked) = reading([slipped, whole()].concat()).await;
        assert_eq!((found.as_str(), asked), ("b c d", vec![1, 2, 1, 2]));

        // `a` is deleted and `e` is created: the total stays equal, but a second reading differs.
        let slipped = vec![page(&["a", "b"], Some(4)), page(&["d", "e"], Some(4))];
        let whole = || vec![page(&["b", "c"], Some(4)), page(&["d", "e"], Some(4))];
        let pages = [slipped, whole(), whole()].concat();
        let api = Scripted(Mutex::new(pages), Mutex::default());
        let first = observe(&api).await.unwrap();
        let stable = observe_absences(&api, first).await.unwrap();
        let ids: Vec<_> = stable
            .observed
            .webhooks
            .keys()
            .map(RemoteId::as_str)
            .collect();
        assert_eq!(ids, ["b", "c", "d", "e"]);
    }

    #[tokio::test]
    async fn one_page_is_one_moment() {
        let api = Scripted(Mutex::new(vec![page(&["a"], Some(1))]), Mutex::default());
        let first = observe(&api).await.unwrap();
        assert_eq!(observe_absences(&api, first.clone()).await.unwrap(), first);
    }
}
