//! A program that keeps an account as a folder says, and stops after its first pass.

use std::path::PathBuf;
use std::sync::Arc;

use hookctl::clock::{Clock, SystemClock};
use hookctl::declaration::LoadOptions;
use hookctl::record::sled::{SledOptions, SledRecord};
use hookctl::record::{Account, Record};
use hookctl::remote::http::{HttpApi, HttpOptions};
use hookctl::sandbox::{Sandbox, SandboxOptions};
use hookctl::secret::{
    FingerprintKey, KeyValues, Permits, ResolveError, Resolver, Secret, Secrets,
};
use hookctl::watch::{Files, Host, Inputs, ScanResult, WatchEvent, WatchOptions, Watched, watch};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

struct Service {
    root: PathBuf,
    files: Files,
    api: HttpApi,
    record: Record,
    fingerprint_key: FingerprintKey,
    clock: Arc<dyn Clock>,
    options: WatchOptions,
    stop: CancellationToken,
}

impl Host for Service {
    type Api = HttpApi;
    type Error = ResolveError;

    fn options(&self) -> &WatchOptions {
        &self.options
    }
    fn api(&self) -> &HttpApi {
        &self.api
    }
    fn record(&self) -> &Record {
        &self.record
    }
    fn fingerprint_key(&self) -> &FingerprintKey {
        &self.fingerprint_key
    }
    fn clock(&self) -> &Arc<dyn Clock> {
        &self.clock
    }
    fn watched(&self) -> Watched<'_> {
        Watched {
            root: &self.root,
            files: self.files.secret_files(),
        }
    }
    fn scan(&mut self) -> ScanResult {
        // A program with a user interface shows the diagnostics of what was loaded.
        let (result, _loaded) = self.files.scan(&self.root, &LoadOptions::below(&self.root));
        result
    }
    async fn inputs(&self) -> Result<Option<Inputs>, ResolveError> {
        let Some(declarations) = self.files.declarations(&LoadOptions::below(&self.root)) else {
            return Ok(None);
        };
        let mut secrets = Secrets::new();
        // No program runs here; `hookctl::trust` turns consent into permission for some. This program has no API key.
        let (permits, keys) = (Permits::none(), KeyValues::none());
        let resolver = Resolver::new(&|_| None, &permits, &keys);
        for (key, source) in declarations.secret_sources() {
            let secret = resolver.resolve(source).await?;
            secrets.insert(key.clone(), secret);
        }
        Ok(Some(Inputs {
            declarations,
            secrets,
        }))
    }
    // ANCHOR: events
    fn on_event(&self, event: WatchEvent<'_, ResolveError>) {
        if let WatchEvent::Passed(passed) = event {
            assert_eq!(passed.report.results().len(), 1);
            self.stop.cancel();
        }
    }
    // ANCHOR_END: events
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    // The emulator takes the place of an account.
    let address = std::net::SocketAddr::from(([127, 0, 0, 1], 0));
    let emulator = Sandbox::start(SandboxOptions::in_memory("an-api-key"), address).await?;
    let key = Secret::new("an-api-key".to_owned())?;
    let folder = tempfile::tempdir()?;
    let root = folder.path().join("webhooks.d");
    std::fs::create_dir(&root)?;
    std::fs::write(
        root.join("billing.yaml"),
        "webhooks: { billing: { url: 'https://hooks.example.com', actions: all } }",
    )?;
    let options = SledOptions::in_folder(folder.path().join("record"));
    let stop = CancellationToken::new();
    let mut service = Service {
        root,
        files: Files::default(),
        fingerprint_key: FingerprintKey::derive(&key),
        clock: SystemClock::shared(),
        api: HttpApi::new(HttpOptions {
            https_only: false,
            ..HttpOptions::new(emulator.base_url(), key, "the example".to_owned())
        })?,
        record: SledRecord::new(options, Account::new("default", &emulator.base_url()))
            .into_record(),
        options: WatchOptions::default(),
        stop: stop.clone(),
    };
    // ANCHOR: spawn
    let running = tokio::spawn(async move { watch(&mut service, &Notify::new(), &stop).await });
    running.await?;
    // ANCHOR_END: spawn
    assert_eq!(emulator.webhooks().len(), 1);
    Ok(())
}
