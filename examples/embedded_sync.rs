//! A service that syncs an account with a folder: an embedded record, client, and pass.
//!
//! `cargo run --example embedded_sync` runs two passes of this repository's `webhooks.d` against the
//! emulator and shows the content of the record.

use std::collections::BTreeMap;
use std::error::Error;
use std::path::Path;

use hookctl::apply::{ApplyEvent, ApplyOptions, Listener};
use hookctl::clock::SystemClock;
use hookctl::declaration::{self, Declarations, LoadOptions};
use hookctl::reconcile::{self, PlanInputs, Verdict};
use hookctl::record::sled::{SledOptions, SledRecord};
use hookctl::record::{Account, OpenRecord};
use hookctl::remote::http::{HttpApi, HttpOptions};
use hookctl::sandbox::{Sandbox, SandboxOptions};
use hookctl::secret::{FingerprintKey, Followed, KeyValues, Resolver, Salt, Secret, Secrets};
use hookctl::trust::{Checkout, Disk, Needs, gather};

/// Prints each action when it ends.
struct Subscriber;

impl Listener for Subscriber {
    fn on(&self, event: ApplyEvent<'_>) {
        if let ApplyEvent::Ended { planned, .. } = event {
            print(&format!("  {}: {}", planned.key, planned.action.as_str()));
        }
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let key = "an-api-key-of-the-emulator";
    let emulator = Sandbox::start(
        SandboxOptions::in_memory(key),
        std::net::SocketAddr::from(([127, 0, 0, 1], 0)),
    )
    .await?;
    let api_key = Secret::new(key.to_owned())?;
    // hookctl stores nothing that contains them, even if the API echoes them.
    let followed = Followed::default();
    followed.follow(&api_key);
    let api = HttpApi::new(HttpOptions {
        https_only: false,
        ..HttpOptions::new(
            emulator.base_url(),
            api_key.clone(),
            "the example".to_owned(),
        )
    })?;
    let folder = tempfile::tempdir()?;
    let options = SledOptions {
        followed,
        ..SledOptions::in_folder(folder.path().join("record"))
    };
    let account = Account::new("default", &emulator.base_url());
    let record = SledRecord::new(options, account).into_record();
    for pass in 1..=2 {
        print(&format!("pass {pass}"));
        let open = record.open().await?;
        sync(&api, &open, &api_key).await?;
        open.close().await?;
        for entry in record.history(1).await? {
            print(&format!(
                "  the last change was of '{}' at {}",
                entry.key, entry.at
            ));
        }
    }
    print(&format!("{} requests", emulator.received()));
    Ok(())
}

async fn sync(api: &HttpApi, open: &OpenRecord, api_key: &Secret) -> Result<(), Box<dyn Error>> {
    let declarations = declarations()?;
    let secrets = secrets(&declarations, api_key).await?;
    let remembered = open.remembered().await?;
    let fingerprint_key = FingerprintKey::derive(api_key);
    let mut salts = 0_u128;
    let evidence = reconcile::evidence(&secrets, &remembered, &fingerprint_key, &mut |_| {
        // A real service uses a random source.
        salts += 1;
        Salt::new(salts.to_be_bytes())
    });
    let desired = declarations.into_desired(&evidence);
    let clock = SystemClock::shared();
    let inputs = PlanInputs::new(api, &desired, &clock);
    let options = ApplyOptions {
        secrets: &secrets,
        concurrency: 8,
        ..ApplyOptions::default()
    };
    // The caller sees each plan first and may decline it.
    let mut decide = |plan: &hookctl::plan::Plan| {
        print(&format!("  {} actions planned", plan.actions.len()));
        Verdict::Apply
    };
    let report = reconcile::reconcile(&inputs, &options, open, &Subscriber, &mut decide).await?;
    print(&format!("  {} results", report.results().len()));
    Ok(())
}

fn declarations() -> Result<Declarations, Box<dyn Error>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let loaded = declaration::load(&root.join("webhooks.d"), &LoadOptions::below(root));
    loaded
        .declarations
        .ok_or_else(|| "the files do not validate".into())
}

async fn secrets(declarations: &Declarations, api_key: &Secret) -> Result<Secrets, Box<dyn Error>> {
    let placed = declarations.placed_secret_sources();
    let needs = Needs {
        tokens: placed
            .map(|(source, place)| (source, Some(place.clone())))
            .collect(),
        ..Needs::default()
    };
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).canonicalize()?;
    let path = std::env::var_os("PATH");
    let authority = gather(&needs, &Checkout::new(root, []), path.as_deref(), &Disk)?;
    // This repository is trusted. For another one, show the authority to a person first.
    let consent = authority.trusted_by_caller();
    let mut secrets: BTreeMap<_, _> = Secrets::new();
    // No token may be the key of the API.
    let mut keys = KeyValues::none();
    keys.add(api_key);
    let resolver = Resolver::new(&|_| None, consent.permits(), &keys);
    for (key, source) in declarations.secret_sources() {
        let secret = resolver.resolve(source).await?;
        secrets.insert(key.clone(), secret);
    }
    Ok(secrets)
}

#[expect(clippy::print_stdout, reason = "an example shows what it does")]
fn print(text: &str) {
    println!("{text}");
}
