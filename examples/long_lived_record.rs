//! A program that runs many passes on one record: an idle one opens nothing, and a subscriber hears of each change.

use std::collections::BTreeMap;
use std::time::Duration;

use hookctl::apply::{ApplyEvent, ApplyOptions, Listener, Settle};
use hookctl::clock::SystemClock;
use hookctl::declaration::{LoadOptions, load_texts};
use hookctl::plan::safety::{Overrides, SafetyLimits};
use hookctl::plan::{Plan, Policy};
use hookctl::reconcile::{Pass, Verdict, prepare, reconcile};
use hookctl::record::sled::{SledOptions, SledRecord};
use hookctl::record::{Account, Horizon};
use hookctl::remote::http::{HttpApi, HttpOptions};
use hookctl::sandbox::{Sandbox, SandboxOptions};
use hookctl::secret::{Secret, Secrets};
use tokio_util::sync::CancellationToken;

struct Silent;
impl Listener for Silent {
    fn on(&self, _: ApplyEvent<'_>) {}
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    // The emulator takes the place of an account.
    let address = std::net::SocketAddr::from(([127, 0, 0, 1], 0));
    let emulator = Sandbox::start(SandboxOptions::in_memory("an-api-key"), address).await?;
    let key = Secret::new("an-api-key".to_owned())?;
    let api = HttpApi::new(HttpOptions {
        https_only: false,
        ..HttpOptions::new(emulator.base_url(), key, "the example".to_owned())
    })?;

    let folder = tempfile::tempdir()?;
    let options = SledOptions::in_folder(folder.path().join("record"));
    let account = Account::new("default", &emulator.base_url());
    let record = SledRecord::new(options, account).into_record();
    let mut changes = record.subscribe();

    let text = "webhooks: { billing: { url: 'https://hooks.example.com', actions: all } }";
    let desired = load_texts(
        &[("billing.yaml".into(), text.to_owned())],
        &LoadOptions::below(folder.path()),
    )
    .declarations
    .ok_or("mistakes")?
    .into_desired(&BTreeMap::new());
    let pass = Pass {
        api: &api,
        desired: &desired,
        secrets: &Secrets::new(),
        policy: &Policy::default(),
        limits: SafetyLimits::default(),
        overrides: Overrides::default(),
        settle: Settle::Wait,
        options: ApplyOptions {
            concurrency: 4,
            clock: &SystemClock::new(),
            horizon: Horizon::default(),
            grace: Duration::from_secs(25),
            provenance: None,
            cancellation: CancellationToken::new(),
        },
    };

    // The plan, from what is remembered and what the API has.
    let planned = prepare(&pass, &*record.remembered().await?).await?;
    assert_eq!(planned.plan.summary().create, 1);

    // The same, applied, and recorded.
    let open = record.open().await?;
    reconcile(&pass, &open, &Silent, &mut |_: &Plan| Verdict::Apply).await?;
    open.close_and_cache().await?;
    assert_eq!(changes.try_recv()?.action, "create");

    // From now on an idle pass opens nothing.
    let cached = record.cached().await.ok_or("nothing was written since")?;
    assert!(prepare(&pass, &cached).await?.is_idle());
    Ok(())
}
