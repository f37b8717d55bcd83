//! A record whose writer begins late: another machine's whole run can come between the plan and the first write.

use std::sync::atomic::{AtomicBool, Ordering};

use hookctl::record::{
    After, Backend, Commit, Entry, Head, HistoryEntry, Loaded, MemoryRecord, Observation,
    PortFuture, Record, Session, Settlement,
};
use hookctl::sandbox::{Dialect, Emulator, Webhook};
use hookctl::state::AppliedRecord;
use hookctl::webhook::{EndpointUrl, Key, RemoteId, WebhookSpec, WorkflowActions};

use crate::fixture::Fixture;

const HOOK: &str =
    "webhooks:\n  hook: { name: Hook, url: 'https://hook.example.com', actions: all }\n";
const ID: &str = "aaaaaaaaaaaaaaaaaaaaaaaa";

/// A record in memory that begins late, right after another machine has created the webhook.
struct Raced {
    record: MemoryRecord,
    emulator: Emulator,
    is_over: AtomicBool,
}

impl Raced {
    fn race(&self) {
        if self.is_over.swap(true, Ordering::SeqCst) {
            return;
        }
        self.emulator
            .put(Webhook {
                id: ID.to_owned(),
                name: "Hook".to_owned(),
                url: "https://hook.example.com".to_owned(),
                actions: WorkflowActions::all()
                    .iter()
                    .map(|action| action.as_str().to_owned())
                    .collect(),
                enabled: true,
                has_bearer_token: false,
                timeout_seconds: 10,
                max_retries: 3,
                retry_backoff_seconds: 10,
            })
            .unwrap();
        let spec = WebhookSpec {
            name: "Hook".to_owned(),
            url: EndpointUrl::parse("https://hook.example.com").unwrap(),
            ..hookctl_testing::spec(10)
        };
        let key = Key::parse("hook").unwrap();
        let bound = AppliedRecord {
            id: RemoteId::parse(ID).unwrap(),
            sent: spec.clone(),
            stored: spec,
            token: None,
            prevent_destroy: false,
            held: None,
        };
        let settlement = Settlement {
            after: After::Record(Box::new(bound)),
            ..Settlement::nothing(key)
        };
        let commit = Commit {
            sequence: 1,
            entries: vec![Entry::Settled(settlement)],
        };
        self.record.append(&commit).unwrap();
    }
}

impl Backend for Raced {
    fn head(&self) -> PortFuture<'_, Option<Head>> {
        Backend::head(&self.record)
    }

    fn load(&self) -> PortFuture<'_, Loaded> {
        Backend::load(&self.record)
    }

    fn history(&self, limit: usize) -> PortFuture<'_, Vec<HistoryEntry>> {
        self.record.history(limit)
    }

    fn observed(&self) -> PortFuture<'_, Option<Observation>> {
        self.record.observed()
    }

    fn begin(&self) -> PortFuture<'_, Box<dyn Session>> {
        self.race();
        self.record.begin()
    }

    fn begins_late(&self) -> bool {
        true
    }
}

#[tokio::test]
async fn what_another_machine_did_since_the_plan_is_not_done_twice() {
    let mut fixture = Fixture::new(Dialect::default()).await;
    fixture.declare(HOOK);
    let raced = Raced {
        record: MemoryRecord::new(),
        emulator: Emulator::clone(fixture.sandbox()),
        is_over: AtomicBool::new(false),
    };
    let memory = raced.record.clone();
    let record = Record::new(raced, fixture.account());
    let mut plans = Vec::new();
    let report = fixture.pass_over(&record, |plan, _| {
        plans.push(plan.actions.len());
        hookctl::reconcile::Verdict::Apply
    });
    let report = report.await.unwrap();
    assert!(report.is_complete(), "{report:?}");
    assert_eq!(
        plans,
        [1],
        "the second plan has nothing that was not approved"
    );
    assert_eq!(fixture.requests(), ["L", "L"]);
    assert_eq!(memory.remembered().last_applied.len(), 1);
}
