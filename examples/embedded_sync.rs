//! A service that keeps an account as a folder says: the record, the client, and a pass, embedded.
//!
//! `cargo run --example embedded_sync` runs two passes of this repository's `webhooks.d` against the
//! emulator, and shows what the record remembers.

use std::collections::BTreeMap;
use std::error::Error;
use std::path::Path;
use std::time::Duration;

use hookctl::apply::{ApplyEvent, ApplyOptions, Listener, Settle};
use hookctl::cache::{Account, Cache, CacheOptions, HistoryLimits};
use hookctl::clock::SystemClock;
use hookctl::declaration::{self, Declarations, LoadOptions};
use hookctl::plan::Policy;
use hookctl::plan::safety::{Overrides, SafetyLimits};
use hookctl::reconcile::{self, Pass, Records as _, Verdict};
use hookctl::record::Horizon;
use hookctl::remote::http::{HttpApi, HttpOptions};
use hookctl::sandbox::{Sandbox, SandboxOptions};
use hookctl::secret::{FingerprintKey, Followed, Salt, Secret, Secrets, resolve};
use hookctl::trust::{Checkout, Disk, Needs, gather};
use tokio_util::sync::CancellationToken;

/// Hears of every action when it ends.
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
    let fingerprint_key = FingerprintKey::derive(&api_key);
    // What the API echoes of them is not stored.
    let followed = Followed::default();
    followed.follow(&api_key);
    let api = HttpApi::new(HttpOptions {
        https_only: false,
        ..HttpOptions::new(emulator.base_url(), api_key, "the example".to_owned())
    })?;
    let folder = tempfile::tempdir()?;
    let options = CacheOptions {
        directory: folder.path().join("record"),
        lock_timeout: Duration::from_secs(10),
        history: HistoryLimits::default(),
        cancellation: CancellationToken::new(),
        followed,
    };
    for pass in 1..=2 {
        print(&format!("pass {pass}"));
        let cache = Cache::open(&options, Account::new("default", &emulator.base_url()))?;
        sync(&api, &cache, &fingerprint_key).await?;
        for entry in cache.history(1)? {
            print(&format!(
                "  the last change was of '{}' at {}",
                entry.key, entry.at
            ));
        }
        cache.close()?;
    }
    print(&format!("{} requests", emulator.received()));
    Ok(())
}

async fn sync(
    api: &HttpApi,
    cache: &Cache,
    fingerprint_key: &FingerprintKey,
) -> Result<(), Box<dyn Error>> {
    let declarations = declarations()?;
    let secrets = secrets(&declarations).await?;
    let remembered = cache.remembered().map_err(|error| error.to_string())?;
    let mut salts = 0_u128;
    let evidence = reconcile::evidence(&secrets, &remembered, fingerprint_key, &mut |_| {
        // A service takes these from a random source.
        salts += 1;
        Salt::new(salts.to_be_bytes())
    });
    let desired = declarations.into_desired(&evidence);
    let pass = Pass {
        api,
        desired: &desired,
        secrets: &secrets,
        policy: &Policy::default(),
        limits: SafetyLimits::default(),
        overrides: Overrides::default(),
        settle: Settle::Wait,
        options: ApplyOptions {
            concurrency: 8,
            clock: &SystemClock::new(),
            horizon: Horizon::default(),
            grace: Duration::from_secs(25),
            provenance: None,
            cancellation: CancellationToken::new(),
        },
    };
    // Whoever runs the pass sees each plan first, and may leave it.
    let mut decide = |plan: &hookctl::plan::Plan| {
        print(&format!("  {} actions planned", plan.actions.len()));
        Verdict::Apply
    };
    let report = reconcile::reconcile(&pass, cache, &Subscriber, &mut decide).await?;
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

async fn secrets(declarations: &Declarations) -> Result<Secrets, Box<dyn Error>> {
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
    // These files are ours. Those of somebody else's repository would be shown to a person first.
    let consent = authority.trusted_by_caller();
    let mut secrets: BTreeMap<_, _> = Secrets::new();
    for (key, source) in declarations.secret_sources() {
        let secret = resolve(source, &|_| None, consent.permits()).await?;
        secrets.insert(key.clone(), secret);
    }
    Ok(secrets)
}

#[expect(clippy::print_stdout, reason = "an example shows what it does")]
fn print(text: &str) {
    println!("{text}");
}
