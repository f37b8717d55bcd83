//! A program that runs many passes on one record: an idle one opens nothing, and a subscriber hears of each change.

use std::collections::BTreeMap;

use hookctl::apply::{ApplyOptions, Silent};
use hookctl::clock::SystemClock;
use hookctl::declaration::{LoadOptions, load_texts};
use hookctl::plan::Plan;
use hookctl::reconcile::{PlanInputs, Verdict, prepare, reconcile};
use hookctl::record::sled::{SledOptions, SledRecord};
use hookctl::record::{Account, HistoryAction};
use hookctl::remote::http::{HttpApi, HttpOptions};
use hookctl::sandbox::{Sandbox, SandboxOptions};
use hookctl::secret::Secret;

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
    let clock = SystemClock::shared();
    let inputs = PlanInputs::new(&api, &desired, &clock);

    // The plan, from what is remembered and what the API has.
    let planned = prepare(&inputs, &*record.remembered().await?).await?;
    assert_eq!(planned.plan.summary().create, 1);

    // The same, applied, and recorded.
    let open = record.open().await?;
    let mut approve = |_: &Plan| Verdict::Apply;
    reconcile(
        &inputs,
        &ApplyOptions::default(),
        &open,
        &Silent,
        &mut approve,
    )
    .await?;
    open.close_and_cache().await?;
    assert_eq!(changes.try_recv()?.action, HistoryAction::Create);

    // From now on an idle pass opens nothing.
    let cached = record.cached().await.ok_or("nothing was written since")?;
    assert!(prepare(&inputs, &cached).await?.is_idle());
    Ok(())
}
