//! Runs a schedule, and holds the world against what is promised.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use hookctl::apply::{ApplyEvent, ApplyOptions, Listener};
use hookctl::diagnostic::Location;
use hookctl::plan::safety::Overrides;
use hookctl::plan::{Plan, Policy, Prune};
use hookctl::reconcile::{
    PassError, PassReport, PlanInputs, Verdict, evidence, prepare, reconcile_settling,
};
use hookctl::record::{MemoryRecord, Remembered};
use hookctl::remote::http::{HttpApi, HttpOptions};
use hookctl::sandbox::{Emulator, SandboxOptions, Webhook, When};
use hookctl::secret::{FingerprintKey, Salt, Secret, Secrets};
use hookctl::state::{
    AbsentWebhook, DeclaredToken, DesiredState, DesiredWebhook, IgnoreChanges, Origin,
    TokenEvidence,
};
use hookctl::webhook::{EndpointUrl, Key, WebhookSpec, WorkflowActions};
use tokio_util::sync::CancellationToken;

use crate::machine::{Life, VirtualClock, Wire, Witness, record};
use crate::schedule::{Declaration, Declared, Edit, KEYS, Run, Schedule, Token, Trouble};

/// The account, the disk, and what is known of both.
pub(crate) struct World {
    pub(crate) emulator: Emulator,
    pub(crate) disk: MemoryRecord,
    latencies: Vec<u64>,
    clock: VirtualClock,
    /// How many requests are under way to the API.
    under_way: Arc<AtomicU64>,
    /// Webhooks that no declaration is about, as they have to stay.
    strangers: BTreeMap<String, Webhook>,
    /// Webhooks that were there before and may be adopted.
    adoptable: BTreeSet<String>,
}

/// How a run ended.
#[derive(Debug)]
pub(crate) enum Ending {
    Died,
    Refused(PassError),
    Done(Box<PassReport>),
}

fn name(index: usize) -> String {
    format!("Hook {}", KEYS[index])
}

fn url(index: usize) -> String {
    format!("https://hooks.example/{}/", KEYS[index])
}

fn token_text(number: u8) -> String {
    format!("token-{number}")
}

fn key(index: usize) -> Key {
    Key::parse(KEYS[index]).unwrap()
}

fn secret(text: &str) -> Secret {
    Secret::new(text.to_owned()).unwrap()
}

impl World {
    pub(crate) fn new(schedule: &Schedule) -> Self {
        let options = SandboxOptions {
            dialect: schedule.dialect,
            ..SandboxOptions::in_memory("key")
        };
        let mut world = Self {
            emulator: Emulator::new(options).unwrap(),
            disk: MemoryRecord::new(),
            latencies: schedule.latencies.clone(),
            clock: VirtualClock::new(),
            under_way: Arc::default(),
            strangers: BTreeMap::new(),
            adoptable: BTreeSet::new(),
        };
        for (number, before) in schedule.before.iter().enumerate() {
            let id = format!("{:024x}", 0xf000 + number);
            let webhook = Webhook {
                id: id.clone(),
                name: before
                    .like
                    .map_or_else(|| format!("Stranger {number}"), name),
                url: before
                    .like
                    .map_or_else(|| "https://stranger.example/".to_owned(), url),
                actions: vec!["workflow_created".to_owned()],
                enabled: true,
                has_bearer_token: before.has_token,
                timeout_seconds: before.timeout_seconds,
                max_retries: 3,
                retry_backoff_seconds: 10,
            };
            if before.like.is_some() {
                world.adoptable.insert(id);
            } else {
                world.strangers.insert(id, webhook.clone());
            }
            world.emulator.put(webhook).unwrap();
        }
        world
    }

    fn edit(&mut self, index: usize, edit: &Edit) {
        let webhooks = self.emulator.webhooks();
        let Some(webhook) = webhooks.get(index % webhooks.len().max(1)) else {
            return;
        };
        let fields = match edit {
            Edit::Remove => {
                self.emulator.remove(&webhook.id).unwrap();
                self.strangers.remove(&webhook.id);
                return;
            }
            other => match other.fault(String::new()) {
                hookctl::sandbox::Fault::Edit { fields, .. } => fields,
                _ => return,
            },
        };
        self.emulator.edit(&webhook.id, &fields).unwrap();
        let edited = self.emulator.webhooks();
        let edited = edited.iter().find(|known| known.id == webhook.id).unwrap();
        if let Some(stranger) = self.strangers.get_mut(&webhook.id) {
            stranger.clone_from(edited);
        }
    }

    /// Runs the program once, as a schedule says.
    pub(crate) async fn run(&mut self, run: &Run) -> (Ending, u64) {
        tokio::time::sleep(Duration::from_millis(run.pause)).await;
        for (index, edit) in &run.edits {
            self.edit(*index, edit);
        }
        let received = self.emulator.received();
        for (number, trouble) in &run.faults {
            let fault = match trouble {
                Trouble::Fault(fault) => fault.clone(),
                Trouble::Edited(index, edit) => {
                    let webhooks = self.emulator.webhooks();
                    let Some(webhook) = webhooks.get(index % webhooks.len().max(1)) else {
                        continue;
                    };
                    if self.strangers.contains_key(&webhook.id) {
                        continue;
                    }
                    edit.fault(webhook.id.clone())
                }
            };
            self.emulator.fault(When::Request(received + number), fault);
        }
        let ending = self.pass(&run.declared, Some(run)).await;
        self.emulator.clear_faults();
        ending
    }

    /// A run without trouble.
    pub(crate) async fn quiet(&mut self, declared: &Declared) -> Ending {
        self.pass(declared, None).await.0
    }

    /// Whether no request is under way.
    pub(crate) fn is_quiet(&self) -> bool {
        self.under_way.load(Ordering::SeqCst) == 0
    }

    fn api(&self, life: &Arc<Life>, declared: &Declared, run: Option<&Run>) -> HttpApi<Wire> {
        let wire = Wire {
            emulator: self.emulator.clone(),
            life: Arc::clone(life),
            latencies: self.latencies.clone(),
            late: run.map_or_else(BTreeMap::new, |run| run.late.iter().copied().collect()),
            under_way: Arc::clone(&self.under_way),
            sent: AtomicU64::new(0),
            witness: witness(declared, self.adoptable.clone()),
        };
        let options = HttpOptions::new("http://model".into(), secret("key"), "the test".into());
        HttpApi::over(wire, options)
    }

    fn desired_state(declared: &Declared, remembered: &Remembered) -> (DesiredState, Secrets) {
        let mut secrets = Secrets::new();
        for (index, declaration) in declared.webhooks.iter().enumerate() {
            if let Some(Declaration::Present {
                token: Token::Secret(number),
                ..
            }) = declaration
            {
                secrets.insert(key(index), secret(&token_text(*number)));
            }
        }
        let fingerprints = FingerprintKey::derive(&secret("key"));
        // The same in every run, so that two plans can be compared.
        let mut salts = 0_u128;
        let evidence = evidence(&secrets, remembered, &fingerprints, &mut |_| {
            salts += 1;
            Salt::new(salts.to_be_bytes())
        });
        (desired(declared, &evidence), secrets)
    }

    fn inputs<'a, A>(
        &'a self,
        api: &'a A,
        desired: &'a DesiredState,
        declared: &Declared,
    ) -> PlanInputs<'a, A> {
        PlanInputs {
            policy: policy(declared),
            overrides: Overrides {
                force: true,
                allow_empty: true,
            },
            ..PlanInputs::new(api, desired, &self.clock)
        }
    }

    async fn pass(&mut self, declared: &Declared, run: Option<&Run>) -> (Ending, u64) {
        let life = Life::new(run.and_then(|run| run.dies_at));
        let record = record(&self.disk, &life);
        let open = record.open().await.unwrap();
        let remembered = open.remembered().await.unwrap();
        let (desired, secrets) = Self::desired_state(declared, &remembered);
        let api = self.api(&life, declared, run);
        let cancellation = CancellationToken::new();
        let mut inputs = self.inputs(&api, &desired, declared);
        inputs.context.cancellation = cancellation.clone();
        let options = ApplyOptions {
            secrets: &secrets,
            ..ApplyOptions::default()
        };
        let listener = Interrupter {
            after: run.and_then(|run| run.interrupted_at),
            ended: AtomicU64::new(0),
            cancellation,
        };
        let mut apply = |_: &Plan| Verdict::Apply;
        let ending = tokio::select! {
            biased;
            () = life.death() => Ending::Died,
            result = reconcile_settling(&inputs, &options, &record, open, &listener, &mut apply) => match result {
                Ok(report) => Ending::Done(Box::new(report)),
                Err(error) => Ending::Refused(error),
            },
        };
        (ending, life.steps())
    }

    /// A dry run: the plan, if there is one, and that nothing was written for it.
    pub(crate) async fn rehearse(&mut self, declared: &Declared) -> Result<Plan, PassError> {
        let disk = self.disk.remembered();
        let quiet = self.is_quiet();
        let (webhooks, received) = (self.emulator.webhooks(), self.emulator.requests().len());
        let life = Life::new(None);
        let remembered = record(&self.disk, &life).remembered().await.unwrap();
        let (desired, _) = Self::desired_state(declared, &remembered);
        let api = self.api(&life, declared, None);
        let inputs = self.inputs(&api, &desired, declared);
        let planned = prepare(&inputs, &remembered)
            .await
            .map(|planned| planned.plan);
        assert_eq!(self.disk.remembered(), disk, "a dry run wrote to the disk");
        if quiet {
            let after = self.emulator.webhooks();
            assert_eq!(after, webhooks, "a dry run wrote to the API");
        }
        if quiet {
            for request in self.emulator.requests().iter().skip(received) {
                assert_eq!(request.method, "GET");
            }
        }
        planned
    }

    /// What has to hold once a run without trouble has ended well.
    pub(crate) fn check(&self, last: &Declared, plan: &Plan) {
        let disk = self.disk.remembered();
        let pending = &disk.pending.intents;
        assert!(pending.is_empty(), "pending: {pending:?}");
        let webhooks: BTreeMap<String, Webhook> = self
            .emulator
            .webhooks()
            .into_iter()
            .map(|webhook| (webhook.id.clone(), webhook))
            .collect();
        for (id, stranger) in &self.strangers {
            assert_eq!(webhooks.get(id), Some(stranger), "a stranger's was touched");
        }
        let mut bound = BTreeMap::new();
        for (key, record) in &disk.last_applied {
            let other = bound.insert(record.id.to_string(), key.clone());
            assert!(
                other.is_none(),
                "{key} and {other:?} are bound to one webhook"
            );
        }
        for id in webhooks.keys() {
            let known = bound.contains_key(id)
                || self.strangers.contains_key(id)
                || self.adoptable.contains(id);
            assert!(
                known,
                "{id} is bound to no key: a double or a loss: {webhooks:#?}"
            );
        }
        for (index, declaration) in last.webhooks.iter().enumerate() {
            let record = disk.last_applied.get(&key(index));
            match declaration {
                Some(Declaration::Present {
                    timeout_seconds,
                    token,
                }) => {
                    let record = record.unwrap_or_else(|| panic!("{} is lost", KEYS[index]));
                    let id = record.id.to_string();
                    let webhook = &webhooks[&id];
                    assert_eq!(webhook.name, name(index));
                    assert_eq!(webhook.timeout_seconds, *timeout_seconds);
                    assert!(webhook.enabled);
                    self.check_token(index, *token, webhook, plan);
                }
                Some(Declaration::Absent) => assert!(record.is_none()),
                None => assert!(!last.prune || record.is_none()),
            }
        }
    }

    fn check_token(&self, index: usize, token: Token, webhook: &Webhook, plan: &Plan) {
        let is = self.emulator.token(&webhook.id);
        match token {
            Token::Secret(number) => assert_eq!(is, Some(token_text(number)), "{}", KEYS[index]),
            Token::Null => assert!(!webhook.has_bearer_token, "{}", KEYS[index]),
            // A token that remains is foreign, or may be, and then the plan says so.
            Token::LeftOut => assert!(
                !webhook.has_bearer_token
                    || plan.notices.iter().any(|notice| matches!(
                        notice,
                        hookctl::plan::Notice::ForeignToken { key: of, .. } if *of == key(index)
                    )),
                "{} kept {is:?} silently",
                KEYS[index]
            ),
        }
    }
}

fn policy(declared: &Declared) -> Policy {
    Policy {
        prune: if declared.prune {
            Prune::Yes
        } else {
            Prune::No
        },
        ..Policy::default()
    }
}

fn desired(declared: &Declared, evidence: &BTreeMap<Key, TokenEvidence>) -> DesiredState {
    let mut state = DesiredState::default();
    let origin = || Origin {
        key: Location {
            path: PathBuf::from("a.yaml").into(),
            line: 1,
            column: 1,
        },
        fields: Vec::new(),
    };
    for (index, declaration) in declared.webhooks.iter().enumerate() {
        match declaration {
            None => {}
            Some(Declaration::Absent) => {
                let absent = AbsentWebhook {
                    name: name(index),
                    id: None,
                    previously: Vec::new(),
                    origin: origin(),
                };
                state.absent.insert(key(index), absent);
            }
            Some(Declaration::Present {
                timeout_seconds,
                token,
            }) => {
                let webhook = DesiredWebhook {
                    spec: WebhookSpec {
                        name: name(index),
                        url: EndpointUrl::parse(&url(index)).unwrap(),
                        actions: WorkflowActions::all(),
                        enabled: true,
                        timeout_seconds: *timeout_seconds,
                        max_retries: 3,
                        retry_backoff_seconds: 10,
                    },
                    token: match token {
                        Token::LeftOut => DeclaredToken::LeftOut,
                        Token::Null => DeclaredToken::None,
                        Token::Secret(_) => DeclaredToken::Managed(evidence[&key(index)]),
                    },
                    id: None,
                    previously: Vec::new(),
                    ignore_changes: IgnoreChanges::default(),
                    prevent_destroy: false,
                    origin: origin(),
                };
                state.webhooks.insert(key(index), webhook);
            }
        }
    }
    state
}

/// Checks every request: which webhook it changes, and what it clears.
fn witness(declared: &Declared, adoptable: BTreeSet<String>) -> Arc<Witness> {
    let nulls: BTreeSet<String> = declared
        .webhooks
        .iter()
        .enumerate()
        .filter(|(_, declaration)| {
            matches!(
                declaration,
                Some(Declaration::Present {
                    token: Token::Null,
                    ..
                })
            )
        })
        .map(|(index, _)| name(index))
        .collect();
    Arc::new(move |request, emulator| {
        let Some(body) = &request.body else { return };
        let fields = body.as_object().unwrap();
        assert!(!fields.is_empty(), "an empty body");
        assert!(
            fields.values().all(|value| !value.is_null()),
            "a null: {body}"
        );
        if fields.get("clear_bearer_token").is_none() {
            return;
        }
        assert_eq!(body["clear_bearer_token"], true);
        assert!(!fields.contains_key("bearer_token"));
        let id = request.path.rsplit('/').next().unwrap();
        let webhooks = emulator.webhooks();
        let Some(webhook) = webhooks.iter().find(|webhook| webhook.id == id) else {
            return;
        };
        // The emulator knows the tokens that were set through the API; any other is foreign.
        let foreign = webhook.has_bearer_token && emulator.token(id).is_none();
        assert!(
            !foreign || nulls.contains(&webhook.name) || !adoptable.contains(id),
            "a foreign token is cleared on {}",
            webhook.name
        );
    })
}

/// Interrupts a run once so many actions have ended.
struct Interrupter {
    after: Option<u64>,
    ended: AtomicU64,
    cancellation: CancellationToken,
}

impl Listener for Interrupter {
    fn on(&self, event: ApplyEvent<'_>) {
        if let ApplyEvent::Ended { .. } = event {
            let ended = self.ended.fetch_add(1, std::sync::atomic::Ordering::SeqCst) + 1;
            if self.after.is_some_and(|after| ended >= after) {
                self.cancellation.cancel();
            }
        }
    }
}
