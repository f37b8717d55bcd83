//! A pass with a record in memory, for a program that stores nothing: after its restart, it finds webhooks by name.

use std::collections::BTreeMap;
use std::error::Error;
use std::path::Path;

use hookctl::apply::{ApplyOptions, Silent};
use hookctl::clock::SystemClock;
use hookctl::declaration::{LoadOptions, load_texts};
use hookctl::plan::Plan;
use hookctl::reconcile::{PlanInputs, Verdict, prepare, reconcile};
use hookctl::record::{Account, MemoryRecord, Record};
use hookctl::remote::http::{HttpApi, HttpOptions};
use hookctl::sandbox::{Sandbox, SandboxOptions};
use hookctl::secret::Secret;

const FILE: &str = "webhooks: { billing: { url: 'https://hooks.example.com', actions: all } }";

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    // The emulator takes the place of an account.
    let address = std::net::SocketAddr::from(([127, 0, 0, 1], 0));
    let emulator = Sandbox::start(SandboxOptions::in_memory("an-api-key"), address).await?;
    let key = Secret::new("an-api-key".to_owned())?;
    let api = HttpApi::new(HttpOptions {
        https_only: false,
        ..HttpOptions::new(emulator.base_url(), key, "the example".to_owned())
    })?;
    let loaded = load_texts(
        &[("billing.yaml".into(), FILE.to_owned())],
        &LoadOptions::below(Path::new("/")),
    );
    let declarations = loaded.declarations.ok_or("the file does not validate")?;
    let desired = declarations.into_desired(&BTreeMap::new());

    // ANCHOR: record
    let account = Account::new("default", &emulator.base_url());
    let record = Record::new(MemoryRecord::new(), account);
    // ANCHOR_END: record
    let clock = SystemClock::shared();
    // ANCHOR: pass
    // A dry run.
    let inputs = PlanInputs::new(&api, &desired, &clock);
    let planned = prepare(&inputs, &*record.remembered().await?).await?;
    assert_eq!(planned.plan.summary().create, 1);

    // A pass that never deletes.
    let mut review = |plan: &Plan| match plan.summary().delete {
        0 => Verdict::Apply,
        _ => Verdict::Leave,
    };
    let options = ApplyOptions::default();
    let open = record.open().await?;
    let report = reconcile(&inputs, &options, &open, &Silent, &mut review).await?;
    open.close().await?;
    assert!(report.is_complete());
    // ANCHOR_END: pass
    assert_eq!(emulator.webhooks().len(), 1);
    Ok(())
}
