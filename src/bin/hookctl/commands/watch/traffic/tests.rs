//! Readings of deliveries in virtual time.

use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;

const ID: &str = "5eb7cf5a86d9755df3a6c593";

/// An API with one page of events, which counts its requests.
#[derive(Default)]
struct OnePage {
    rows: Vec<Event>,
    requests: AtomicUsize,
}

impl DeliveryApi for OnePage {
    async fn events(&self, _: &EventQuery, _: u32, _: u32) -> Result<Rows<Event>, ApiError> {
        self.requests.fetch_add(1, Ordering::Relaxed);
        Ok(Rows {
            rows: self.rows.clone(),
            total: None,
            unreadable: 0,
        })
    }

    async fn attempts(&self, _: &str, _: u32, _: u32) -> Result<Rows<Attempt>, ApiError> {
        Err(ApiError::Withheld)
    }

    async fn retry(&self, _: &str) -> Result<(), ApiError> {
        Err(ApiError::Withheld)
    }
}

#[tokio::test(start_paused = true)]
async fn nothing_is_requested_while_a_pass_runs() {
    let passing = watch::Sender::new(true);
    let api = OnePage::default();
    let between = BetweenPasses {
        api: &api,
        passing: passing.subscribe(),
    };
    let query = EventQuery::default();
    let mut asked = std::pin::pin!(between.events(&query, 1, 300));
    let waited = tokio::time::timeout(Duration::from_hours(1), &mut asked).await;
    assert!(waited.is_err(), "the pass still runs");
    assert_eq!(api.requests.load(Ordering::Relaxed), 0);
    passing.send_replace(false);
    assert!(asked.await.is_ok());
    assert_eq!(api.requests.load(Ordering::Relaxed), 1);
}

/// An API that takes a time for each page, of which there are so many.
struct Slow {
    takes: Duration,
    pages: u32,
}

impl DeliveryApi for Slow {
    async fn events(&self, _: &EventQuery, page: u32, size: u32) -> Result<Rows<Event>, ApiError> {
        tokio::time::sleep(self.takes).await;
        assert_ne!(self.takes, Duration::ZERO, "an API without time");
        let rows = if page < self.pages { size } else { 0 };
        Ok(Rows {
            rows: Vec::new(),
            total: None,
            unreadable: rows as usize,
        })
    }

    async fn attempts(&self, _: &str, _: u32, _: u32) -> Result<Rows<Attempt>, ApiError> {
        Err(ApiError::Withheld)
    }

    async fn retry(&self, _: &str) -> Result<(), ApiError> {
        Err(ApiError::Withheld)
    }
}

fn traffic() -> Arc<Traffic> {
    let key = hookctl::secret::Secret::new("an-api-key".to_owned()).unwrap();
    let url = "https://api.example".to_owned();
    let options = hookctl::remote::http::HttpOptions::new(url, key, "the test".to_owned());
    let api = Arc::new(HttpApi::new(options).unwrap());
    let metrics = Arc::new(Metrics::new("qa", Duration::from_mins(1)));
    let traffic = Arc::new(Traffic::new("qa", api, metrics, watch::Sender::new(0)));
    traffic.leads(true);
    traffic
}

fn begin(traffic: &Arc<Traffic>) -> Reading {
    Reading::begin(traffic, &mut traffic.state())
}

#[tokio::test(start_paused = true)]
async fn a_long_pass_does_not_make_an_api_slow() {
    let seconds = Duration::from_secs;
    // How many pages are read, and whether a pass runs from the fifth second on.
    for (pages, passes, in_time) in [
        (1, false, true),
        (2, false, false),
        (2, true, true),
        (3, true, false),
    ] {
        let traffic = traffic();
        let reading = begin(&traffic);
        let slow = Slow {
            takes: seconds(16),
            pages,
        };
        let counting = tokio::spawn(async move { reading.count(&slow).await });
        if passes {
            tokio::time::sleep(seconds(5)).await;
            traffic.passing(true);
            tokio::time::sleep(seconds(600)).await;
            traffic.passing(false);
        }
        let (known, pause) = counting.await.unwrap().unwrap();
        assert_eq!(pause, None);
        match known {
            Known::Counted(_) => assert!(in_time, "{pages} {passes}"),
            Known::Unknown(why) => {
                assert_eq!(why, "the API takes longer than 30 s");
                assert!(!in_time, "{pages} {passes}");
            }
            Known::Nothing => panic!("nothing is known"),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_reading_that_panics_is_over() {
    let traffic = traffic();
    let reading = begin(&traffic);
    let panics = Slow {
        takes: Duration::ZERO,
        pages: 1,
    };
    let reading = tokio::spawn(async move { reading.count(&panics).await });
    // A page waits for it, and does not wait for its end.
    traffic.refresh(Duration::ZERO).await;
    assert!(reading.await.is_err_and(|error| error.is_panic()));
    let begun = Instant::now();
    traffic.refresh(Duration::from_hours(1)).await;
    assert_eq!(begun.elapsed(), Duration::ZERO, "nothing to wait for");
    assert!(matches!(traffic.known(), Known::Unknown(why) if why == BROKEN_OFF));
    assert_eq!(*traffic.version.borrow(), 1, "the page changes");
    assert!(traffic.reading().is_none(), "none is due yet");
    tokio::time::advance(PAUSE).await;
    assert!(traffic.reading().is_some(), "the next one begins");
}

#[tokio::test]
async fn no_text_of_an_event_is_kept() {
    let text = || "s3cr3t".to_owned();
    let event = Event {
        event_id: text(),
        document_id: Some(text()),
        webhook: ID.to_owned(),
        action: text(),
        status: text(),
        attempts: Some(1),
        created_at: Some("2026-01-01T11:00:00+01:00".to_owned()),
        last_attempt_at: Some(text()),
        delivered_at: Some(text()),
        next_retry_at: Some(text()),
        last_status_code: Some(503),
        last_error: Some(text()),
        workflow_name: Some(text()),
    };
    let of_no_webhook = Event {
        webhook: "no id".to_owned(),
        ..event.clone()
    };
    let api = OnePage {
        rows: vec![event, of_no_webhook],
        ..OnePage::default()
    };
    let between = BetweenPasses {
        api: &api,
        passing: watch::Sender::new(false).subscribe(),
    };
    let query = EventQuery::default();
    let read = between.events(&query, 1, 300).await.unwrap();
    let kept = Event {
        webhook: ID.to_owned(),
        status: "pending".to_owned(),
        created_at: Some("2026-01-01T10:00:00Z".to_owned()),
        last_status_code: Some(503),
        ..Event::default()
    };
    assert_eq!((read.rows, read.unreadable), (vec![kept], 1));
}

#[test]
fn a_failure_is_named_without_a_text_of_the_api() {
    let error = ApiError::Unexpected {
        status: 500,
        content_type: "s3cr3t".to_owned(),
        excerpt: "s3cr3t".to_owned(),
    };
    assert_eq!(why(&error), "the API answers unexpectedly, with status 500");
    let throttled = |seconds| ApiError::Throttled {
        status: 429,
        blocked: Duration::ZERO,
        retry_after: Some(Duration::from_secs(seconds)),
    };
    assert_eq!(why(&throttled(1)), "the API answers with status 429");
    assert_eq!(asked(&throttled(1)), Some(PAUSE));
    assert_eq!(asked(&throttled(900)), Some(Duration::from_mins(15)));
    assert_eq!(asked(&throttled(u64::MAX)), Some(LONGEST_PAUSE));
    assert_eq!(asked(&error), None);
}
