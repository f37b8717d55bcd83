//! A list that is requested before the secrets of the run are known.
//!
//! An API may echo a token in any field, and what is read of a list is shown and recorded. So a response that arrives
//! early stays bytes: an [`UnreadList`] becomes a [`Listing`] only with [`KnownSecrets`]. Until then, only the number of
//! rows and the total are taken from the first page, to request the others.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{Notify, oneshot};
use tokio::task::AbortHandle;

use super::HttpApi;
use super::refusal::Refusal;
use super::transport::{Answer, Network, Transport};
use super::wire;
use crate::observe::{Pages, PagesInFlight, at_once, observe_from, pages_in_all};
use crate::{ApiError, Listing, ObserveError, PAGE_SIZE, Page};
use hookctl_core::secret::KnownSecrets;

/// The maximum size of unread pages, in bytes: those of some 50,000 webhooks. Further pages are requested when the list is
/// read.
const UNREAD_BYTES: usize = 16 * 1024 * 1024;

/// A list that was requested, and is not read yet. The requests end when it is dropped.
pub struct UnreadList<T: Transport + 'static = Network> {
    api: Arc<HttpApi<T>>,
    arriving: Arc<Arriving>,
    requests: AbortHandle,
    expected: Option<oneshot::Sender<usize>>,
}

impl<T: Transport + 'static> UnreadList<T> {
    /// Requests the list, in a task of the current runtime.
    ///
    /// # Panics
    /// Outside a runtime of tokio.
    pub fn request(api: Arc<HttpApi<T>>) -> Self {
        let arriving = Arc::new(Arriving::default());
        let (expected, expecting) = oneshot::channel();
        let requests = request(Arc::clone(&api), Ending(Arc::clone(&arriving)), expecting);
        Self {
            api,
            arriving,
            requests: tokio::spawn(requests).abort_handle(),
            expected: Some(expected),
        }
    }

    /// Expects so many webhooks, as the last reading may have found. Like [`observe_expected`](crate::observe_expected), it
    /// then requests the first few pages at once. Without this, the others follow the first, which contains the total.
    pub fn expect(&mut self, webhooks: usize) {
        if let Some(expected) = self.expected.take() {
            // The first page may have arrived.
            let _ = expected.send(webhooks);
        }
    }

    /// Reads the list, like [`observe`](crate::observe). Pages are read as they arrive. If the list must be read again, or has
    /// more pages than were requested, the others are requested now.
    ///
    /// # Errors
    /// Returns the errors of [`observe`](crate::observe).
    pub async fn read(self, known: KnownSecrets) -> Result<Listing, ObserveError> {
        let first = Early {
            list: &self,
            known: &known,
        };
        observe_from(&first, &*self.api).await
    }

    /// Discards the list, because its content is outdated. Waits for the first response if it has not arrived yet.
    ///
    /// # Errors
    /// Returns the failure of the first request if it arrives only now, or if the API rejected the key: then a further
    /// request would fail in the same way, and may lock the account.
    pub async fn discard(self, known: &KnownSecrets) -> Result<(), ObserveError> {
        let is_new = !self.arriving.has_arrived(1);
        let Some(Err(refusal)) = self.arriving.take(1).await else {
            return Ok(());
        };
        if !is_new && !matches!(refusal, Refusal::KeyRefused(_)) {
            return Ok(());
        }
        let redactor = self.api.redactor_of(known.followed());
        let failed = self.api.read_page(Err(refusal), &redactor);
        failed
            .map(drop)
            .map_err(|source| ObserveError::Page { page: 1, source })
    }
}

impl<T: Transport + 'static> Drop for UnreadList<T> {
    fn drop(&mut self) {
        self.requests.abort();
    }
}

impl<T: Transport + 'static> fmt::Debug for UnreadList<T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("UnreadList").finish_non_exhaustive()
    }
}

/// Requests the pages, as many at once as [`observe`](crate::observe) does, up to the first that fails.
async fn request<T: Transport>(
    api: Arc<HttpApi<T>>,
    arriving: Ending,
    expected: oneshot::Receiver<usize>,
) {
    let arriving = &arriving.0;
    let mut flight = PagesInFlight::new(|number| api.unread_page(number, PAGE_SIZE));
    let first = tokio::select! {
        biased;
        first = flight.next() => first,
        Ok(webhooks) = expected => {
            flight.expect(webhooks);
            flight.next().await
        }
    };
    let Ok(answer) = &first else {
        return arriving.put(1, first, 1);
    };
    let mut bytes = answer.body.len();
    let pages = wire::extent(&answer.body).map_or(1, |(rows, total)| pages_in_all(rows, total));
    // As many as fit if all are as large as the first.
    let fitting = u32::try_from(UNREAD_BYTES / bytes.max(1)).unwrap_or(u32::MAX);
    flight.request_all(pages.min(fitting.max(1)), at_once(bytes));
    let pages = flight.ahead();
    arriving.put(1, first, pages);
    let mut number = 1;
    while bytes <= UNREAD_BYTES
        && let Some(page) = flight.next_ahead().await
    {
        number += 1;
        bytes += page.as_ref().map_or(0, |answer| answer.body.len());
        let failed = page.is_err();
        arriving.put(number, page, pages);
        if failed {
            return;
        }
    }
}

/// The pages that arrived and were not read.
#[derive(Default)]
struct Arriving {
    state: Mutex<State>,
    changed: Notify,
}

#[derive(Default)]
struct State {
    pages: BTreeMap<u32, Result<Answer, Refusal>>,
    /// The number of pages that are requested, once it is known.
    requested: Option<u32>,
    /// Whether no further page arrives.
    ended: bool,
}

impl Arriving {
    fn put(&self, number: u32, page: Result<Answer, Refusal>, requested: u32) {
        let mut state = self.lock();
        state.pages.insert(number, page);
        state.requested = Some(requested);
        drop(state);
        self.changed.notify_waiters();
    }

    /// Returns whether a page is there.
    fn has_arrived(&self, number: u32) -> bool {
        self.lock().pages.contains_key(&number)
    }

    /// Waits for a page. Returns `None` if it was not requested.
    async fn take(&self, number: u32) -> Option<Result<Answer, Refusal>> {
        loop {
            let changed = self.changed.notified();
            {
                let mut state = self.lock();
                if let Some(page) = state.pages.remove(&number) {
                    return Some(page);
                }
                if state.ended || state.requested.is_some_and(|last| number > last) {
                    return None;
                }
            }
            changed.await;
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Reports the end of the requests when dropped, however they end.
struct Ending(Arc<Arriving>);

impl Drop for Ending {
    fn drop(&mut self) {
        self.0.lock().ended = true;
        self.0.changed.notify_waiters();
    }
}

/// The pages of an unread list, read with all secrets of the run.
struct Early<'a, T: Transport + 'static> {
    list: &'a UnreadList<T>,
    known: &'a KnownSecrets,
}

impl<T: Transport> Pages for Early<'_, T> {
    async fn page(&self, number: u32) -> Result<Page, ApiError> {
        let api = &self.list.api;
        let sent = match self.list.arriving.take(number).await {
            Some(sent) => sent,
            None => api.unread_page(number, PAGE_SIZE).await,
        };
        api.read_page(sent, &api.redactor_of(self.known.followed()))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use serde_json::{Value, json};

    use super::super::options::HttpOptions;
    use super::super::transport::{NoAnswer, Outgoing};
    use super::*;
    use crate::observe;
    use hookctl_core::record::SendPermit;
    use hookctl_core::secret::{Followed, Secret};

    const TOKEN: &str = "an-echoed-token";

    /// Responds to each request with the next response, and counts them by page.
    #[derive(Default)]
    struct Scripted {
        answers: Mutex<BTreeMap<String, Vec<Answer>>>,
        requests: AtomicUsize,
    }

    impl Transport for Scripted {
        async fn exchange(
            &self,
            request: Outgoing<'_>,
            _: &SendPermit,
        ) -> Result<Answer, NoAnswer> {
            self.requests.fetch_add(1, Ordering::SeqCst);
            tokio::task::yield_now().await;
            let (_, query) = request.url.split_once('?').unwrap();
            let mut answers = self.answers.lock().unwrap();
            let answers = answers.get_mut(query).unwrap();
            Ok(answers.remove(0))
        }
    }

    fn secret(text: &str) -> Secret {
        Secret::new(text.to_owned()).unwrap()
    }

    fn row(id: &str) -> Value {
        json!({
            "id": id, "name": id, "url": "https://a.example/x", "actions": ["workflow_created"],
            "enabled": true, "has_bearer_token": false, "timeout_seconds": 10, "max_retries": 3,
            "retry_backoff_seconds": 10
        })
    }

    fn page(ids: &[&str], total: usize) -> (u16, String) {
        let rows: Vec<_> = ids.iter().map(|id| row(id)).collect();
        (
            200,
            json!({ "subscriptions": rows, "total": total }).to_string(),
        )
    }

    fn api(answers: &[(u32, (u16, String))], followed: &Followed) -> Arc<HttpApi<Scripted>> {
        let scripted = Scripted::default();
        for (number, (status, body)) in answers {
            let query = format!("page={number}&size={PAGE_SIZE}");
            // The text of a redirect is its address.
            let location = (300..400)
                .contains(status)
                .then(|| ("location".to_owned(), body.clone()));
            let answer = Answer {
                status: *status,
                headers: location.into_iter().collect(),
                body: body.clone().into_bytes(),
            };
            let mut answers = scripted.answers.lock().unwrap();
            answers.entry(query).or_default().push(answer);
        }
        let options = HttpOptions::new(
            "https://api.example".to_owned(),
            secret("the-api-key"),
            "the test".to_owned(),
        );
        let followed = followed.clone();
        Arc::new(HttpApi::over(
            scripted,
            HttpOptions {
                followed,
                ..options
            },
        ))
    }

    /// Reads a list early, after all requests ended, and normally. Returns both results, and how many requests each took.
    async fn both(answers: &[(u32, (u16, String))]) -> [(String, u64); 2] {
        let followed = Followed::default();
        let early = api(answers, &followed);
        let list = UnreadList::request(Arc::clone(&early));
        while !list.arriving.lock().ended {
            tokio::task::yield_now().await;
        }
        let read = list.read(followed.follow_tokens([&secret(TOKEN)])).await;
        let normal = api(answers, &followed);
        [
            (format!("{read:?}"), early.stats().requests),
            (
                format!("{:?}", observe(&*normal).await),
                normal.stats().requests,
            ),
        ]
    }

    #[tokio::test]
    async fn a_list_is_read_as_if_it_had_been_requested_then() {
        let rejected = |status| {
            let body = json!({ "detail": format!("no {TOKEN}") });
            (status, body.to_string())
        };
        let cases = [
            vec![(1, page(&["a", "b"], 2))],
            vec![
                (1, page(&["a", "b"], 5)),
                (2, page(&["c", "d"], 5)),
                (3, page(&["e"], 5)),
            ],
            // It changed, and is read again.
            vec![
                (1, page(&["a", "b"], 4)),
                (2, page(&["d"], 3)),
                (1, page(&["b", "c"], 3)),
                (2, page(&["d"], 3)),
            ],
            vec![(1, (200, "[]".to_owned()))],
            vec![(1, (200, format!("<html>{TOKEN}")))],
            vec![(1, rejected(400))],
            vec![(1, rejected(401))],
            vec![(1, rejected(404))],
            vec![(1, page(&["a", "b"], 3)), (2, rejected(400))],
            vec![(1, page(&["a", &format!("x_{TOKEN}")], 2))],
            vec![(1, page(&["a"], 2)), (2, page(&[TOKEN], 2))],
        ];
        for answers in cases {
            let [early, normal] = both(&answers).await;
            assert_eq!(early, normal);
            assert!(!early.0.contains(TOKEN), "{}", early.0);
        }
    }

    #[tokio::test]
    async fn a_redirect_names_no_secret_of_its_address() {
        for (location, host) in [
            ("https://login.example/x?y", "to login.example,"),
            (
                "https://LOGIN.example:8443/an-echoed-token",
                "to login.example,",
            ),
            ("https://an-echoed-token.example/x", "to (secret).example,"),
            ("https://AN-echoed-Token.example/x", "to (secret).example,"),
            (
                "https://an%2Dechoed%2dtoken.example/x",
                "to (secret).example,",
            ),
            // A parser ignores the tab, and reads the wide letters as narrow ones.
            (
                "https://an-echo\ted-token.example/x",
                "to (secret).example,",
            ),
            (
                "https://ａｎ-echoed-token.example/x",
                "to (secret).example,",
            ),
            ("https://the-api-key.example/x", "to (secret).example,"),
            ("custom://The-Api-Key", "to (secret),"),
            ("//an-echoed-token/x", "elsewhere,"),
            ("an-echoed-token", "elsewhere,"),
        ] {
            for status in [301, 302, 307, 308] {
                let answers = [(1, (status, location.to_owned()))];
                let [early, normal] = both(&answers).await;
                assert_eq!(early, normal, "{location}");
                assert!(early.0.contains(host), "{location}: {}", early.0);
                let shown = early.0.to_lowercase();
                assert!(!shown.contains(TOKEN), "{location}: {shown}");
                assert!(!shown.contains("the-api-key"), "{location}: {shown}");
            }
        }
    }

    #[tokio::test]
    async fn pages_are_read_while_others_are_requested() {
        let followed = Followed::default();
        let answers = [(1, page(&["a"], 2)), (2, page(&["b"], 2))];
        let list = UnreadList::request(api(&answers, &followed));
        let read = list.read(followed.follow_tokens([])).await.unwrap();
        assert_eq!((read.observed.webhooks.len(), read.pages), (2, 2));
    }

    #[tokio::test]
    async fn expected_pages_do_not_wait_for_the_first() {
        let followed = Followed::default();
        let rest = (3..=5).map(|number| (number, page(&[], 2)));
        let answers: Vec<_> = [(1, page(&["a"], 2)), (2, page(&["b"], 2))]
            .into_iter()
            .chain(rest)
            .collect();
        for (expected, requests) in [(1, 2), (1_000, 4), (100_000, 4)] {
            let api = api(&answers, &followed);
            let mut list = UnreadList::request(Arc::clone(&api));
            list.expect(expected);
            while api.stats().requests == 0 {
                tokio::task::yield_now().await;
            }
            let at_first = if expected > 300 { requests } else { 1 };
            assert_eq!(api.stats().requests, at_first, "{expected}");
            let read = list.read(followed.follow_tokens([])).await.unwrap();
            assert_eq!((read.observed.webhooks.len(), read.pages), (2, 2));
            assert_eq!(api.stats().requests, requests, "{expected}");
        }
    }

    #[tokio::test]
    async fn pages_beyond_the_limit_are_requested_when_the_list_is_read() {
        let large = |id: &str| {
            let (status, body) = page(&[id], 6);
            // Two do not fit.
            (status, body + &" ".repeat(UNREAD_BYTES / 2))
        };
        let ids = ["a", "b", "c", "d", "e", "f"];
        let answers: Vec<_> = (1..).zip(ids.map(large)).collect();
        let followed = Followed::default();
        let api = api(&answers, &followed);
        let list = UnreadList::request(Arc::clone(&api));
        while !list.arriving.lock().ended {
            tokio::task::yield_now().await;
        }
        let kept = list.arriving.lock().pages.len();
        assert_eq!(kept, 1);
        let read = list.read(followed.follow_tokens([])).await.unwrap();
        assert_eq!(read.observed.webhooks.len(), 6);
        assert_eq!(api.stats().requests, 6);
    }

    #[tokio::test]
    async fn a_discarded_list_fails_if_another_request_would() {
        let refused = |status| (status, json!({ "detail": TOKEN }).to_string());
        for (answer, has_arrived, expected) in [
            (page(&["a"], 1), true, None),
            (page(&["a"], 1), false, None),
            (refused(401), true, Some("does not accept the API key")),
            (refused(403), false, Some("does not accept the API key")),
            (refused(400), true, None),
            (refused(400), false, Some("rejected the request")),
        ] {
            let followed = Followed::default();
            let api = api(&[(1, answer)], &followed);
            let list = UnreadList::request(Arc::clone(&api));
            while has_arrived && !list.arriving.lock().ended {
                tokio::task::yield_now().await;
            }
            let known = followed.follow_tokens([&secret(TOKEN)]);
            let discarded = list.discard(&known).await;
            let failure = discarded.err().map(|error| {
                format!("{error:?} {}", {
                    let source = error.api_error().unwrap();
                    source.to_string()
                })
            });
            assert_eq!(failure.is_some(), expected.is_some(), "{failure:?}");
            let text = failure.unwrap_or_default();
            assert!(text.contains(expected.unwrap_or_default()), "{text}");
            assert!(!text.contains(TOKEN), "{text}");
            assert_eq!(api.stats().requests, 1);
        }
    }

    #[tokio::test]
    async fn a_dropped_list_requests_nothing_more() {
        let followed = Followed::default();
        let api = api(&[(1, page(&["a"], 2))], &followed);
        drop(UnreadList::request(Arc::clone(&api)));
        tokio::task::yield_now().await;
        assert_eq!(Arc::strong_count(&api), 1, "the task has ended");
        assert_eq!(api.stats().requests, 0);
    }
}
