//! A folder, a record on a real disk, and the emulator over a real socket, with short waits.

use std::collections::BTreeMap;
use std::fs;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use hookctl::apply::{ApplyOptions, Silent};
use hookctl::clock::{Clock, Stamp, SystemClock};
use hookctl::declaration::{self, LoadOptions};
use hookctl::plan::Plan;
use hookctl::reconcile::{PassError, PassReport, PlanInputs, Verdict, reconcile_settling};
use hookctl::record::Horizon;
use hookctl::record::sled::{SledOptions, SledRecord};
use hookctl::record::{Account, Pending, Record};
use hookctl::remote::http::{HttpApi, HttpOptions, ProxyUse, RetryPolicy};
use hookctl::sandbox::{Dialect, RecordedRequest, Sandbox, SandboxOptions};
use hookctl::secret::Secret;
use hookctl::state::DesiredState;

const KEY: &str = "the-key";

/// The clocks of this machine after another boot.
struct AfterBoot {
    clock: SystemClock,
    boot: Option<String>,
}

impl Clock for AfterBoot {
    fn now(&self) -> Stamp {
        let mut now = self.clock.now();
        if self.boot.is_some() {
            now.writer.boot.clone_from(&self.boot);
        }
        now
    }
}

/// A repository, its record, and its account.
pub(crate) struct Fixture {
    folder: tempfile::TempDir,
    pub(crate) sandbox: Option<Sandbox>,
    base_url: String,
    /// How long a request may take: long, so that a busy machine is not taken for a fault.
    pub(crate) patience: Duration,
    /// How long a request without an answer may still take effect.
    pub(crate) horizon: Horizon,
    /// The boot that the clocks name, if it is not this machine's.
    pub(crate) boot: Option<String>,
}

impl Fixture {
    pub(crate) async fn new(dialect: Dialect) -> Self {
        let options = SandboxOptions {
            dialect,
            ..SandboxOptions::in_memory(KEY)
        };
        let sandbox = Sandbox::start(options, SocketAddr::from(([127, 0, 0, 1], 0)))
            .await
            .unwrap();
        Self {
            folder: tempfile::tempdir().unwrap(),
            base_url: sandbox.base_url(),
            sandbox: Some(sandbox),
            patience: Duration::from_secs(30),
            horizon: Horizon(Duration::from_millis(100)),
            boot: None,
        }
    }

    pub(crate) fn sandbox(&self) -> &Sandbox {
        self.sandbox.as_ref().unwrap()
    }

    /// Replaces the declarations.
    pub(crate) fn declare(&self, text: &str) {
        let folder = self.folder.path().join("webhooks.d");
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("all.yaml"), text).unwrap();
    }

    /// The requests since the last time, each as one line; `L` is a list.
    pub(crate) fn requests(&self) -> Vec<String> {
        let requests = self.sandbox().requests();
        self.sandbox().clear_requests();
        requests.iter().map(line).collect()
    }

    pub(crate) fn desired(&self) -> DesiredState {
        let root = self.folder.path();
        let loaded = declaration::load(&root.join("webhooks.d"), &LoadOptions::below(root));
        loaded.declarations.unwrap().into_desired(&BTreeMap::new())
    }

    /// The writes whose outcome the record does not know.
    pub(crate) async fn pending(&self) -> Pending {
        self.record().remembered().await.unwrap().pending.clone()
    }

    pub(crate) fn record(&self) -> Record {
        let options = SledOptions::in_folder(self.folder.path().join("record"));
        SledRecord::new(options, self.account()).into_record()
    }

    pub(crate) fn account(&self) -> Account {
        Account::new("default", &self.base_url)
    }

    pub(crate) fn api(&self) -> HttpApi {
        HttpApi::new(HttpOptions {
            https_only: false,
            proxy: ProxyUse::None,
            connect_timeout: self.horizon.connect(),
            request_timeout: self.patience,
            retry: RetryPolicy {
                attempts: 3,
                base: Duration::from_millis(1),
                ..RetryPolicy::default()
            },
            ..HttpOptions::new(
                self.base_url.clone(),
                Secret::new(KEY.to_owned()).unwrap(),
                "the test".to_owned(),
            )
        })
        .unwrap()
    }

    /// One pass.
    pub(crate) async fn pass(&mut self) -> Result<PassReport, PassError> {
        self.pass_with(|_, _| Verdict::Apply).await
    }

    /// One pass; the plan is shown before it is applied.
    pub(crate) async fn pass_with(
        &mut self,
        decide: impl FnMut(&Plan, &mut Option<Sandbox>) -> Verdict + Send,
    ) -> Result<PassReport, PassError> {
        let record = self.record();
        self.pass_over(&record, decide).await
    }

    /// One pass over another record.
    pub(crate) async fn pass_over(
        &mut self,
        record: &Record,
        mut decide: impl FnMut(&Plan, &mut Option<Sandbox>) -> Verdict + Send,
    ) -> Result<PassReport, PassError> {
        let (desired, api) = (self.desired(), self.api());
        let clock: Arc<dyn Clock> = Arc::new(AfterBoot {
            clock: SystemClock::new(),
            boot: self.boot.clone(),
        });
        let open = record.open_late().await.unwrap();
        let mut inputs = PlanInputs::new(&api, &desired, &clock);
        inputs.context.horizon = self.horizon;
        let options = ApplyOptions::default();
        let sandbox = &mut self.sandbox;
        let mut decide = |plan: &Plan| decide(plan, sandbox);
        reconcile_settling(&inputs, &options, record, open, &Silent, &mut decide).await
    }
}

/// A request on one line, ids left out.
fn line(request: &RecordedRequest) -> String {
    match (request.method.as_str(), &request.body) {
        ("GET", _) => "L".to_owned(),
        ("POST", Some(body)) => format!("POST {}", body["name"]),
        (method, Some(body)) => format!("{method} {body}"),
        (method, None) => method.to_owned(),
    }
}
