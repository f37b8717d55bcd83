//! Runs a schedule, and holds the world against what is promised.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use hookctl::apply::{ApplyEvent, ApplyOptions, Listener, Settle};
use hookctl::clock::Clock;
use hookctl::plan::Plan;
use hookctl::plan::safety::Overrides;
use hookctl::reconcile::{PassError, PassReport, PlanInputs, Verdict, prepare, reconcile_settling};
use hookctl::record::{MemoryRecord, Record, Remembered};
use hookctl::remote::http::{HttpApi, HttpOptions};
use hookctl::sandbox::{Dialect, Emulator, SandboxOptions, Webhook, When};
use hookctl::state::DesiredState;
use hookctl_testing::simulation::{Life, Machine, Trouble as Disturbance};
use tokio_util::sync::CancellationToken;

use crate::desired::{desired_state, key, name, policy, secret, token_text, url, witness};
use crate::fleet::SharedDisk;
use crate::machine::{Departures, Wire, record};
use crate::schedule::{Before, Declaration, Declared, Edit, KEYS, Run, Schedule, Token, Trouble};

/// The account, the disk, and what is known of both.
pub(crate) struct World {
    pub(crate) emulator: Emulator,
    pub(crate) disk: Disk,
    /// Whether runs wait for writes that may still take effect.
    pub(crate) settle: Settle,
    latencies: Vec<u64>,
    /// The machine of the runs without trouble.
    home: Arc<Machine>,
    /// How many requests are under way to the API.
    under_way: Arc<AtomicU64>,
    /// Webhooks that no declaration is about, as they have to stay.
    strangers: Mutex<BTreeMap<String, Webhook>>,
    /// Webhooks that were there before and may be adopted.
    adoptable: BTreeSet<String>,
}

/// Where the record is.
pub(crate) enum Disk {
    Local(MemoryRecord),
    Shared(SharedDisk),
}

/// A process, with its record.
#[derive(Clone)]
pub(crate) struct Process {
    pub(crate) life: Arc<Life>,
    pub(crate) record: Record,
    pub(crate) departures: Arc<Departures>,
}

/// How a run ended.
#[derive(Debug)]
pub(crate) enum Ending {
    Died,
    Refused(PassError),
    Done(Box<PassReport>),
}

impl World {
    pub(crate) fn new(schedule: &Schedule) -> Self {
        let disk = Disk::Local(MemoryRecord::new());
        let latencies = schedule.latencies.clone();
        Self::over(disk, schedule.dialect, &schedule.before, latencies)
    }

    pub(crate) fn over(
        disk: Disk,
        dialect: Dialect,
        before: &[Before],
        latencies: Vec<u64>,
    ) -> Self {
        let options = SandboxOptions {
            dialect,
            ..SandboxOptions::in_memory("key")
        };
        let mut world = Self {
            emulator: Emulator::new(options).unwrap(),
            disk,
            settle: Settle::Wait,
            latencies,
            home: Arc::new(Machine::steady("home")),
            under_way: Arc::default(),
            strangers: Mutex::default(),
            adoptable: BTreeSet::new(),
        };
        for (number, before) in before.iter().enumerate() {
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
                world.strangers().insert(id, webhook.clone());
            }
            world.emulator.put(webhook).unwrap();
        }
        world
    }

    fn strangers(&self) -> MutexGuard<'_, BTreeMap<String, Webhook>> {
        self.strangers.lock().unwrap()
    }

    fn edit(&self, index: usize, edit: &Edit) {
        let webhooks = self.emulator.webhooks();
        let Some(webhook) = webhooks.get(index % webhooks.len().max(1)) else {
            return;
        };
        let fields = match edit {
            Edit::Remove => {
                self.emulator.remove(&webhook.id).unwrap();
                self.strangers().remove(&webhook.id);
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
        if let Some(stranger) = self.strangers().get_mut(&webhook.id) {
            stranger.clone_from(edited);
        }
    }

    /// Runs the program once on this machine, as a schedule says.
    pub(crate) async fn run(&self, run: &Run) -> (Ending, u64) {
        let process = self.process(run.dies_at);
        let ending = self.disturbed(&process, run).await;
        self.emulator.clear_faults();
        (ending, process.life.steps())
    }

    /// Runs a process, as a schedule says. What of its faults did not happen stays.
    pub(crate) async fn disturbed(&self, process: &Process, run: &Run) -> Ending {
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
                    if self.strangers().contains_key(&webhook.id) {
                        continue;
                    }
                    edit.fault(webhook.id.clone())
                }
            };
            self.emulator.fault(When::Request(received + number), fault);
        }
        self.pass(process, &run.declared, Some(run)).await
    }

    /// A run without trouble.
    pub(crate) async fn quiet(&self, declared: &Declared) -> Ending {
        self.pass(&self.process(None), declared, None).await
    }

    /// A process of this machine. With a local record, it may die at a step.
    fn process(&self, dies_at: Option<u64>) -> Process {
        let disk = match &self.disk {
            Disk::Local(disk) => disk,
            Disk::Shared(disk) => return disk.home(&self.home),
        };
        let deaths = dies_at.map(|step| (step, Disturbance::Death));
        let life = Life::new(Arc::clone(&self.home), deaths);
        Process {
            record: record(disk, &life),
            departures: Arc::new(|_| {}),
            life,
        }
    }

    /// The state of the record.
    pub(crate) async fn remembered(&self) -> Remembered {
        match &self.disk {
            Disk::Local(disk) => disk.remembered(),
            Disk::Shared(disk) => disk.remembered().await,
        }
    }

    /// Whether no request is under way.
    pub(crate) fn is_quiet(&self) -> bool {
        self.under_way.load(Ordering::SeqCst) == 0
    }

    fn api(&self, process: &Process, declared: &Declared, run: Option<&Run>) -> HttpApi<Wire> {
        let wire = Wire {
            emulator: self.emulator.clone(),
            life: Arc::clone(&process.life),
            latencies: self.latencies.clone(),
            late: run.map_or_else(BTreeMap::new, |run| run.late.iter().copied().collect()),
            under_way: Arc::clone(&self.under_way),
            sent: AtomicU64::new(0),
            witness: witness(declared, self.adoptable.clone()),
            departures: Arc::clone(&process.departures),
        };
        let options = HttpOptions::new("http://model".into(), secret("key"), "the test".into());
        HttpApi::over(wire, options)
    }

    async fn pass(&self, process: &Process, declared: &Declared, run: Option<&Run>) -> Ending {
        let pass = self.reconciled(process, declared, run);
        match process.life.run(pass).await {
            Some(Ok(report)) => Ending::Done(Box::new(report)),
            Some(Err(error)) => Ending::Refused(error),
            None => Ending::Died,
        }
    }

    async fn reconciled(
        &self,
        process: &Process,
        declared: &Declared,
        run: Option<&Run>,
    ) -> Result<PassReport, PassError> {
        let record = &process.record;
        let open = record.open_late().await.map_err(PassError::Record)?;
        let remembered = open.remembered().await.map_err(PassError::Record)?;
        let (desired, secrets) = desired_state(declared, &remembered);
        let api = self.api(process, declared, run);
        let cancellation = CancellationToken::new();
        let clock: Arc<dyn Clock> = process.life.machine().clone();
        let mut inputs = inputs(&clock, &api, &desired, declared);
        inputs.context.cancellation = cancellation.clone();
        inputs.settle = self.settle;
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
        reconcile_settling(&inputs, &options, record, open, &listener, &mut apply).await
    }

    /// The plan of a dry run of a process.
    pub(crate) async fn planned(
        &self,
        process: &Process,
        declared: &Declared,
    ) -> Result<Plan, PassError> {
        let remembered = process.record.remembered().await;
        let remembered = remembered.map_err(PassError::Record)?;
        let (desired, _) = desired_state(declared, &remembered);
        let api = self.api(process, declared, None);
        let clock: Arc<dyn Clock> = process.life.machine().clone();
        let inputs = inputs(&clock, &api, &desired, declared);
        let planned = prepare(&inputs, &remembered).await;
        planned.map(|planned| planned.plan)
    }

    /// A dry run: the plan, if there is one, and that nothing was written for it.
    pub(crate) async fn rehearse(&self, declared: &Declared) -> Result<Plan, PassError> {
        let disk = self.remembered().await;
        let quiet = self.is_quiet();
        let (webhooks, received) = (self.emulator.webhooks(), self.emulator.received());
        let planned = self.planned(&self.process(None), declared).await;
        let after = self.remembered().await;
        assert_eq!(after, disk, "a dry run wrote to the disk");
        if quiet {
            let after = self.emulator.webhooks();
            assert_eq!(after, webhooks, "a dry run wrote to the API");
            let requests = self.emulator.requests();
            let mut sent = requests.iter().skip(received);
            assert!(sent.all(|request| request.method == "GET"));
        }
        planned
    }

    /// What has to hold once a run without trouble has ended well.
    pub(crate) async fn check(&self, last: &Declared, plan: &Plan) {
        let disk = self.remembered().await;
        let pending = &disk.pending.intents;
        assert!(pending.is_empty(), "pending: {pending:?}");
        let webhooks: BTreeMap<String, Webhook> = self
            .emulator
            .webhooks()
            .into_iter()
            .map(|webhook| (webhook.id.clone(), webhook))
            .collect();
        for (id, stranger) in &*self.strangers() {
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
                || self.strangers().contains_key(id)
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

fn inputs<'a, A>(
    clock: &'a Arc<dyn Clock>,
    api: &'a A,
    desired: &'a DesiredState,
    declared: &Declared,
) -> PlanInputs<'a, A> {
    PlanInputs {
        policy: policy(declared),
        overrides: Overrides::ALL,
        ..PlanInputs::new(api, desired, clock)
    }
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
