//! What stops an apply: a record that fails, or a cancellation. Nothing new is sent after it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use hookctl::apply::{ApplyOptions, Held, RunContext, Seen, Silent, apply};
use hookctl::clock::SystemClock;
use hookctl::declaration::{LoadOptions, load_texts};
use hookctl::plan::{Plan, Policy, plan};
use hookctl::record::{Intent, Journal, JournalError, SendPermit, Settlement};
use hookctl::remote::{ApiError, DeleteAnswer, Page, SendGate, WebhookApi};
use hookctl::report::{ActionError, Outcome};
use hookctl::secret::Secret;
use hookctl::state::{LastApplied, ObservedState, ObservedWebhook};
use hookctl::webhook::{Field, FieldValue, RemoteId, TokenChange, WebhookSpec};
use tokio_util::sync::CancellationToken;

/// An API that has nothing, refuses every write, and counts them.
#[derive(Default)]
struct Refusing {
    writes: AtomicUsize,
    /// What is cancelled while a write is in flight, and while which.
    cancels: Option<(usize, CancellationToken)>,
}

impl Refusing {
    async fn refuse<T>(&self, gate: &impl SendGate) -> Result<T, ApiError> {
        gate.permit().await.map_err(|_| ApiError::Withheld)?;
        let number = self.writes.fetch_add(1, Ordering::SeqCst) + 1;
        if let Some((at, cancellation)) = &self.cancels
            && *at == number
        {
            cancellation.cancel();
        }
        // Others get their turn before the answer.
        tokio::task::yield_now().await;
        Err(ApiError::Rejected {
            status: 400,
            message: "not today".to_owned(),
            fields: Vec::new(),
        })
    }
}

impl WebhookApi for Refusing {
    async fn page(&self, _: u32, _: u32) -> Result<Page, ApiError> {
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
        gate: &impl SendGate,
    ) -> Result<Option<ObservedWebhook>, ApiError> {
        self.refuse(gate).await
    }

    async fn patch(
        &self,
        _: &RemoteId,
        _: &[(Field, FieldValue)],
        _: TokenChange<&Secret>,
        gate: &impl SendGate,
    ) -> Result<Option<ObservedWebhook>, ApiError> {
        self.refuse(gate).await
    }

    async fn delete(&self, _: &RemoteId, gate: &impl SendGate) -> Result<DeleteAnswer, ApiError> {
        self.refuse(gate).await
    }
}

/// A journal that takes intents, and loses their end if it is broken.
struct Scrap {
    broken: bool,
    /// How many sends it permits.
    permits: AtomicUsize,
}

impl Scrap {
    fn new(broken: bool) -> Self {
        Self {
            broken,
            permits: AtomicUsize::new(usize::MAX),
        }
    }
}

impl Journal for Scrap {
    async fn intend(&self, _: Intent) -> Result<(), JournalError> {
        Ok(())
    }

    async fn settle(&self, settlement: Settlement) -> Result<(), JournalError> {
        if !self.broken {
            return Ok(());
        }
        Err(JournalError {
            key: settlement.key,
            source: "the disk is full".into(),
        })
    }

    fn send_permit(&self) -> SendPermit {
        let left = self
            .permits
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| {
                left.checked_sub(1)
            });
        SendPermit::new(move || left.is_ok())
    }
}

fn creates(count: usize) -> Plan {
    let lines = (0..count).map(|number| {
        format!("  hook-{number:02}: {{ url: 'https://h{number}.example.com/', actions: all }}\n")
    });
    let text = lines.fold("webhooks:\n".to_owned(), |text, line| text + &line);
    let options = LoadOptions::below(Path::new("/"));
    let loaded = load_texts(&[(PathBuf::from("all.yaml"), text)], &options);
    let desired = loaded.declarations.unwrap().into_desired(&BTreeMap::new());
    let (observed, remembered) = (ObservedState::default(), LastApplied::new());
    plan(&desired, &observed, &remembered, &Policy::default()).unwrap()
}

/// Applies 40 creates: the requests that went out, and what became of each create.
async fn refused(journal: &Scrap, concurrency: usize) -> (usize, Vec<Outcome>) {
    sent_to(Refusing::default(), journal, concurrency).await
}

async fn sent_to(api: Refusing, journal: &Scrap, concurrency: usize) -> (usize, Vec<Outcome>) {
    let cancels = api.cancels.as_ref();
    let options = ApplyOptions {
        concurrency,
        ..ApplyOptions::default()
    };
    let clock = SystemClock::shared();
    let mut context = RunContext::new(&clock);
    if let Some((_, cancellation)) = cancels {
        context.cancellation = cancellation.clone();
    }
    let observed = ObservedState::default();
    let held = Held::default();
    let seen = Seen {
        observed: &observed,
        held: &held,
        unsettled: &[],
    };
    let plan = creates(40);
    let report = apply(&plan, seen, &api, journal, &context, &options, &Silent)
        .await
        .unwrap();
    let outcomes = report.results.into_iter().map(|result| result.outcome);
    (api.writes.into_inner(), outcomes.collect())
}

#[tokio::test]
async fn a_refused_write_whose_end_cannot_be_recorded_is_the_last_one() {
    let (sent, outcomes) = refused(&Scrap::new(true), 1).await;
    assert_eq!(sent, 1);
    let Some(Outcome::Failed(error)) = outcomes.first() else {
        panic!("{outcomes:?}");
    };
    assert_eq!(
        error.to_string(),
        "the API rejected the request (status 400): not today; its end could not be recorded: \
         could not record 'hook-00' (the disk is full)"
    );
    for outcome in outcomes.iter().skip(1) {
        assert!(matches!(outcome, Outcome::NotAttempted), "{outcome:?}");
    }
}

#[tokio::test]
async fn a_refused_write_whose_end_is_recorded_holds_back_no_other() {
    let (sent, outcomes) = refused(&Scrap::new(false), 1).await;
    assert_eq!((sent, outcomes.len()), (40, 40));
}

#[tokio::test]
async fn any_concurrency_is_taken() {
    for concurrency in [0, 1, usize::MAX] {
        let (sent, _) = refused(&Scrap::new(false), concurrency).await;
        assert_eq!(sent, 40);
    }
}

#[tokio::test]
async fn after_a_cancellation_only_what_had_passed_the_gate_is_sent() {
    for concurrency in [1, 4, 16] {
        let api = Refusing {
            cancels: Some((3, CancellationToken::new())),
            ..Refusing::default()
        };
        let (sent, outcomes) = sent_to(api, &Scrap::new(false), concurrency).await;
        assert!(
            (3..3 + concurrency).contains(&sent),
            "{sent} at {concurrency}"
        );
        let held_back = outcomes
            .iter()
            .filter(|outcome| matches!(outcome, Outcome::NotAttempted));
        assert_eq!(held_back.count(), 40 - sent);
    }
}

#[tokio::test]
async fn once_the_lease_is_lost_nothing_is_sent() {
    for concurrency in [1, 4, 16] {
        let journal = Scrap {
            permits: AtomicUsize::new(5),
            ..Scrap::new(false)
        };
        let (sent, outcomes) = refused(&journal, concurrency).await;
        assert_eq!((sent, outcomes.len()), (5, 40), "at {concurrency}");
        let lost: Vec<_> = outcomes
            .iter()
            .filter_map(|outcome| match outcome {
                Outcome::Failed(error @ ActionError::LeaseLost) => Some(error.to_string()),
                _ => None,
            })
            .collect();
        assert!((1..=concurrency).contains(&lost.len()), "{lost:?}");
        assert_eq!(
            lost[0],
            "not sent: the lease on the record could not be renewed in time"
        );
        let held_back = outcomes
            .iter()
            .filter(|outcome| matches!(outcome, Outcome::NotAttempted));
        assert_eq!(held_back.count(), 40 - 5 - lost.len());
    }
}
