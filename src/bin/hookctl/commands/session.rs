//! What a run that talks to the API is made of, and how its result is presented.

use clap::ValueEnum;
use hookctl::cache::{Account, Cache, CacheError, CacheOptions, CacheReader};
use hookctl::declaration::{Declarations, LoadOptions};
use hookctl::diagnostic::{Diagnostics, SourceMap};
use hookctl::plan::Plan;
use hookctl::plan::safety::Refusal;
use hookctl::reconcile::{PassError, PassReport};
use hookctl::remote::http::{HttpApi, HttpOptions, ProxyUse, RequestStats};
use hookctl::render::{Cost, Message, PlanDocument, Scene, Styles};
use hookctl::sandbox::{Dialect, Sandbox, SandboxOptions, Storage};
use hookctl::secret::{FingerprintKey, Salt, Secret};
use hookctl::state::LastApplied;
use tokio_util::sync::CancellationToken;

use super::secrets::resolve_key;
use crate::cli::GlobalArgs;
use crate::environment::Environment;
use crate::error::CommandError;
use crate::exit_status::ExitStatus;
use crate::settings::{Settings, SettingsError};
use crate::ui::Ui;

/// The key that the sandbox takes in process: it is no secret, it only has to be one.
pub(crate) const SANDBOX_KEY: &str = "sandbox-api-key";

/// The form in which a plan is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Output {
    /// For people.
    Human,
    /// One JSON document (schemas/plan-v1.schema.json).
    Json,
    /// A unified diff of canonical YAML, from what is observed to what is desired.
    Diff,
}

/// A document for a run that failed before anything else was known.
pub(crate) fn early_json(code: &'static str, message: &str, help: Option<String>) -> String {
    let message = Message::error(code, message, help);
    PlanDocument::of_messages(None, false, false, vec![message]).to_text()
}

/// Shows what a run has to say, in the form that was asked for.
pub(crate) struct Presenter<'a> {
    ui: &'a Ui,
    output: Output,
    dry_run: bool,
    sandbox: bool,
    target: Option<String>,
    messages: Vec<Message>,
    sources: SourceMap,
    announced: bool,
}

impl<'a> Presenter<'a> {
    pub(crate) fn new(ui: &'a Ui, output: Output, dry_run: bool, sandbox: bool) -> Self {
        Self {
            ui,
            output,
            dry_run,
            sandbox,
            target: None,
            messages: Vec::new(),
            sources: SourceMap::default(),
            announced: false,
        }
    }

    fn scene(&self) -> Scene<'_> {
        Scene {
            target: self.target.as_deref().unwrap_or("default"),
            sandbox: self.sandbox,
            dry_run: self.dry_run,
        }
    }

    fn styles_out(&self) -> Styles {
        Styles::new(self.ui.color_out())
    }

    /// Reads the settings; what is wrong with hookctl.yaml is shown.
    pub(crate) fn settings(&mut self, global: &GlobalArgs) -> Result<Settings, CommandError> {
        match Settings::resolve(global) {
            Ok(settings) => {
                self.target = Some(settings.target.name.clone());
                Ok(settings)
            }
            Err(SettingsError::Command(error)) => Err(error),
            Err(SettingsError::Diagnostics(sources, diagnostics)) => {
                self.sources = sources;
                self.diagnostics(&diagnostics, 1);
                Err(CommandError::new(
                    "invalid-config",
                    "hookctl.yaml does not validate",
                ))
            }
        }
    }

    /// Reads the declarations; every problem of them is shown.
    pub(crate) fn declarations(
        &mut self,
        settings: &Settings,
        environment: &Environment,
    ) -> Result<Declarations, CommandError> {
        let loaded = load(settings, environment);
        self.sources = loaded.sources;
        self.diagnostics(&loaded.diagnostics, loaded.files);
        loaded.declarations.ok_or_else(|| {
            CommandError::new(
                "invalid-declarations",
                "the declarations do not validate; nothing was sent",
            )
        })
    }

    /// Shows what became of the tokens' sources.
    pub(crate) fn secrets(&mut self, mut diagnostics: Diagnostics) -> Result<(), CommandError> {
        diagnostics.sort(&self.sources);
        let failed = diagnostics.has_errors();
        self.diagnostics(&diagnostics, 0);
        if failed {
            return Err(CommandError::new(
                "secrets-unresolved",
                "not every token could be resolved; nothing was sent",
            ));
        }
        Ok(())
    }

    fn diagnostics(&mut self, diagnostics: &Diagnostics, files: usize) {
        self.messages.extend(
            diagnostics
                .iter()
                .map(|diagnostic| Message::of_diagnostic(diagnostic, &self.sources)),
        );
        if self.output != Output::Json {
            show_diagnostics(self.ui, diagnostics, &self.sources, files);
        }
    }

    /// Shows a plan that is about to be applied.
    pub(crate) fn announce(&mut self, plan: &Plan) {
        self.announced = true;
        match self.output {
            Output::Human => {
                let text = hookctl::render::plan(plan, self.scene(), &self.styles_out());
                self.ui.result(&text);
            }
            Output::Diff => self
                .ui
                .result(&hookctl::render::diff(plan, &self.styles_out())),
            Output::Json => {}
        }
    }

    /// Shows a plan that is not applied.
    pub(crate) fn planned(&mut self, plan: &Plan) {
        if self.output == Output::Json {
            let messages = std::mem::take(&mut self.messages);
            let document = PlanDocument::of_plan(self.scene(), plan, messages);
            self.ui.result(&document.to_text());
        } else if !self.announced {
            self.announce(plan);
        }
    }

    /// Shows what became of a plan, and picks the exit code.
    pub(crate) fn applied(&mut self, report: &PassReport, cost: Cost) -> ExitStatus {
        let Some(results) = &report.report else {
            self.planned(&report.plan);
            self.ui.remark("Nothing was applied.\n");
            return ExitStatus::Success;
        };
        if report.unsettled {
            self.messages.push(Message::error(
                "unsettled",
                format!(
                    "somebody else was still at work after {} rounds",
                    report.rounds
                ),
                Some("find out who, then sync again".to_owned()),
            ));
        }
        match self.output {
            Output::Human => {
                let styles = self.styles_out();
                self.ui.result(&hookctl::render::report(
                    &report.plan,
                    results,
                    cost,
                    &styles,
                ));
            }
            Output::Diff => {
                let text = hookctl::render::report(
                    &report.plan,
                    results,
                    cost,
                    &Styles::new(self.ui.color_err()),
                );
                self.ui.remark(&text);
            }
            Output::Json => {
                let messages = std::mem::take(&mut self.messages);
                let document =
                    PlanDocument::of_report(self.scene(), &report.plan, results, messages);
                self.ui.result(&document.to_text());
            }
        }
        if report.unsettled {
            self.ui.message(
                "error: somebody else was still at work after the last round; find out who, then \
                 sync again\n",
            );
        }
        if results.is_complete() && !report.unsettled {
            ExitStatus::Success
        } else {
            ExitStatus::PartlyFailed
        }
    }

    /// Shows a plan that is refused.
    pub(crate) fn refused(&mut self, plan: &Plan, refusal: &Refusal) -> ExitStatus {
        self.messages.push(Message::of_refusal(refusal));
        self.planned(plan);
        self.ui
            .message(&format!("error[{}]: {refusal}\n", refusal.code()));
        ExitStatus::Refused
    }

    /// Shows why no plan could be made.
    pub(crate) fn failed(&mut self, error: &PassError) -> CommandError {
        match error {
            PassError::Plan(problems) => {
                let status = if problems.is_refusal() {
                    ExitStatus::Refused
                } else {
                    ExitStatus::Error
                };
                for problem in &problems.problems {
                    let message = Message::of_problem(problem);
                    if self.output != Output::Json {
                        let place = message.place().map(|place| format!("  --> {place}\n"));
                        self.ui.message(&format!(
                            "error[{}]: {}\n{}",
                            message.code,
                            message.message,
                            place.unwrap_or_default()
                        ));
                    }
                    self.messages.push(message);
                }
                CommandError::new("no-plan", "no plan can be made; nothing was sent").status(status)
            }
            PassError::Observe(source) => CommandError::caused("api", source),
            PassError::Records(source) => CommandError::new(
                "record",
                format!("could not use the local record: {source}"),
            ),
            other => CommandError::caused("record", other),
        }
    }

    /// Shows an error that ends the run.
    pub(crate) fn fail(&mut self, error: &CommandError) -> ExitStatus {
        self.ui.message(&format!("error: {}\n", error.message));
        if let Some(help) = &error.help {
            self.ui.message(&format!("  help: {help}\n"));
        }
        if self.output == Output::Json {
            let mut messages = std::mem::take(&mut self.messages);
            messages.push(Message::error(
                error.code,
                error.message.clone(),
                error.help.clone(),
            ));
            let document = PlanDocument::of_messages(
                self.target.as_deref(),
                self.sandbox,
                self.dry_run,
                messages,
            );
            self.ui.result(&document.to_text());
        }
        error.status
    }
}

/// Reads the declarations of a target.
pub(crate) fn load(settings: &Settings, environment: &Environment) -> hookctl::declaration::Loaded {
    let lookup = |name: &str| {
        let variable = settings.target.vars.get(name).cloned();
        variable.or_else(|| environment.get(name))
    };
    let options = LoadOptions {
        display_root: &settings.root,
        repository_root: &settings.root,
        target: &settings.target.name,
        known_targets: &settings.known_targets,
        lookup: &lookup,
        plaintext_secrets: settings.plaintext_secrets,
    };
    hookctl::declaration::load(&settings.webhooks_dir, &options)
}

/// Shows diagnostics of files on standard error.
pub(crate) fn show_diagnostics(
    ui: &Ui,
    diagnostics: &Diagnostics,
    sources: &SourceMap,
    files: usize,
) {
    let text = hookctl::render::diagnostics(
        diagnostics,
        sources,
        &Styles::new(ui.color_err()),
        ui.width(),
    );
    if diagnostics.has_errors() {
        ui.message(&text);
    } else {
        ui.remark(&text);
    }
    if let (true, Some(line)) = (files > 0, hookctl::render::count_line(diagnostics, files)) {
        ui.remark(&format!("{line}\n"));
    }
}

/// The API, the emulator behind it if asked for, and where the record is.
pub(crate) struct Session {
    api: HttpApi,
    account: Account,
    cache: CacheOptions,
    fingerprint_key: FingerprintKey,
    // Stops when the session ends.
    _sandbox: Option<Sandbox>,
}

impl Session {
    /// Sets up the API of a target, or the emulator in its place. Sends nothing.
    pub(crate) async fn open(
        settings: &Settings,
        environment: &Environment,
        sandbox: bool,
    ) -> Result<Self, CommandError> {
        let target = &settings.target;
        let cache = CacheOptions {
            directory: settings.cache_dir.clone(),
            lock_timeout: settings.lock_timeout,
        };
        if sandbox {
            let running = start_sandbox(settings).await?;
            let key = Secret::new(SANDBOX_KEY.to_owned())
                .map_err(|error| CommandError::caused("api-key", &error))?;
            let options = HttpOptions {
                https_only: false,
                proxy: ProxyUse::None,
                ..options(settings, running.base_url(), key, "the sandbox".to_owned())
            };
            return Ok(Self {
                api: client(options)?,
                account: Account::new(&target.name, "sandbox"),
                cache,
                fingerprint_key: fingerprint_key(settings, environment, None).await?,
                _sandbox: Some(running),
            });
        }
        let url = target.api_url.as_ref().ok_or_else(|| {
            CommandError::new("no-api-url", "there is no API URL").help(
                "give the target an `api_url` in hookctl.yaml, or use --api-url or \
                 HOOKCTL_API_URL (such as https://api-prod.interactly.ai); to try things out \
                 without an account, use --sandbox",
            )
        })?;
        if !url.is_https() && !url.is_loopback() && !settings.insecure_http {
            return Err(CommandError::new(
                "insecure-http",
                format!(
                    "{url} is plain http: the API key and the tokens would be readable on the way"
                ),
            )
            .help("use https, or add --insecure-http if the way is safe"));
        }
        let key = resolve_key("API key", &target.api_key, environment).await?;
        let fingerprint_key = fingerprint_key(settings, environment, Some(&key)).await?;
        let options = HttpOptions {
            https_only: url.is_https(),
            proxy: if url.is_loopback() {
                ProxyUse::None
            } else {
                ProxyUse::System
            },
            ..options(settings, url.to_string(), key, target.api_key.to_string())
        };
        Ok(Self {
            api: client(options)?,
            account: Account::new(&target.name, &url.to_string()),
            cache,
            fingerprint_key,
            _sandbox: None,
        })
    }

    pub(crate) const fn api(&self) -> &HttpApi {
        &self.api
    }

    pub(crate) const fn fingerprint_key(&self) -> &FingerprintKey {
        &self.fingerprint_key
    }

    pub(crate) fn stats(&self) -> RequestStats {
        self.api.stats()
    }

    /// Opens the record: for a dry run a copy, if there is one.
    pub(crate) fn records(&self, dry_run: bool) -> Result<RecordAccess, CommandError> {
        let account = self.account.clone();
        if dry_run {
            CacheReader::open(&self.cache, account).map(RecordAccess::Reading)
        } else {
            Cache::open(&self.cache, account).map(|cache| RecordAccess::Writing(Box::new(cache)))
        }
        .map_err(|error| record_error(&error))
    }
}

/// The record, as a run may use it.
pub(crate) enum RecordAccess {
    /// A dry run: a copy, if there is a record at all.
    Reading(Option<CacheReader>),
    /// Anything else.
    Writing(Box<Cache>),
}

impl RecordAccess {
    pub(crate) fn last_applied(&self) -> Result<LastApplied, CommandError> {
        match self {
            Self::Reading(None) => Ok(LastApplied::new()),
            Self::Reading(Some(reader)) => reader.last_applied(),
            Self::Writing(cache) => cache.last_applied(),
        }
        .map_err(|error| record_error(&error))
    }
}

pub(crate) fn record_error(error: &CacheError) -> CommandError {
    CommandError::caused("record", error)
}

async fn start_sandbox(settings: &Settings) -> Result<Sandbox, CommandError> {
    let file = format!("{}.json", settings.target.name);
    let options = SandboxOptions {
        api_key: SANDBOX_KEY.to_owned(),
        storage: Storage::File(settings.cache_dir.join("sandbox").join(file)),
        dialect: Dialect::default(),
        latency: std::time::Duration::ZERO,
    };
    let address = std::net::SocketAddr::from(([127, 0, 0, 1], 0));
    Sandbox::start(options, address)
        .await
        .map_err(|error| CommandError::caused("sandbox", &error))
}

async fn fingerprint_key(
    settings: &Settings,
    environment: &Environment,
    api_key: Option<&Secret>,
) -> Result<FingerprintKey, CommandError> {
    match (&settings.target.fingerprint_key, api_key) {
        (Some(source), Some(_)) => {
            let secret = resolve_key("fingerprint key", source, environment).await?;
            Ok(FingerprintKey::derive(&secret))
        }
        (None, Some(api_key)) => Ok(FingerprintKey::derive(api_key)),
        (_, None) => {
            let secret = Secret::new(SANDBOX_KEY.to_owned())
                .map_err(|error| CommandError::caused("api-key", &error))?;
            Ok(FingerprintKey::derive(&secret))
        }
    }
}

fn options(settings: &Settings, base_url: String, key: Secret, source: String) -> HttpOptions {
    HttpOptions {
        team_id: settings.target.team_id.clone(),
        user_id: settings.target.user_id.clone(),
        concurrency: settings.concurrency,
        requests_per_second: settings.requests_per_second,
        ..HttpOptions::new(base_url, key, source)
    }
}

fn client(options: HttpOptions) -> Result<HttpApi, CommandError> {
    HttpApi::new(options).map_err(|error| CommandError::caused("api-client", &error))
}

/// Draws fresh salts.
pub(crate) fn fresh_salt() -> Result<Salt, CommandError> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(|error| {
        CommandError::new(
            "randomness",
            format!("the system gave no randomness: {error}"),
        )
    })?;
    Ok(Salt::new(bytes))
}

/// Cancelled by the first SIGINT or SIGTERM; the second ends the process at once.
pub(crate) fn cancel_on_signal() -> Result<CancellationToken, CommandError> {
    let failed = |error: std::io::Error| {
        CommandError::new("signals", format!("could not listen for signals: {error}"))
    };
    let token = CancellationToken::new();
    let cancelled = token.clone();
    #[cfg(unix)]
    let mut terminated = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())
        .map_err(failed)?;
    #[cfg(unix)]
    let mut interrupted = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::interrupt())
        .map_err(failed)?;
    tokio::spawn(async move {
        for first in [true, false] {
            tokio::select! {
                _ = interrupted.recv() => {}
                _ = terminated.recv() => {}
            }
            if first {
                cancelled.cancel();
            } else {
                end_at_once();
            }
        }
    });
    Ok(token)
}

#[expect(
    clippy::exit,
    reason = "a second signal means now; the record holds what was settled"
)]
fn end_at_once() {
    std::process::exit(i32::from(ExitStatus::Interrupted.code()));
}

/// The error of a run that was interrupted before it wrote anything.
pub(crate) fn interrupted() -> CommandError {
    CommandError::new("interrupted", "interrupted; nothing was sent but the list")
        .status(ExitStatus::Interrupted)
}
