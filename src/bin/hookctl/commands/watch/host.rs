//! What the command line is to a watch: files by its settings, secrets by its environment, a log.

use std::sync::Arc;
use std::time::Duration;

use hookctl::apply::ApplyEvent;
use hookctl::clock::Clock;
use hookctl::plan::{Change, KeyFilter, PlannedAction};
use hookctl::reconcile::PassError;
use hookctl::record::{Horizon, Provenance};
use hookctl::remote::http::HttpApi;
use hookctl::report::{Outcome, SyncReport};
use hookctl::secret::FingerprintKey;
use hookctl::store::Store;
use hookctl::watch::{
    Drift, Ended, Files, Host, Look, PassFailure, Passed, Reason, Wanted, WatchEvent, WatchOptions,
    Watched,
};

use super::args::WatchArgs;
use super::metrics::Metrics;
use super::readiness::Input;
use super::service::Service;
use super::unreadable::Unreadable;
use crate::args::GlobalArgs;
use crate::environment::Environment;
use crate::error::{CommandError, chain};
use crate::files::with_load_options;
use crate::mask;
use crate::problems::{show_diagnostics, show_settings_error};
use crate::secrets::{Missing, resolve_tokens};
use crate::session::{Session, record_error};
use crate::settings::Settings;
use crate::trust::{Asks, Request, clear};
use crate::ui::Ui;

/// What the command was started with.
pub(super) struct WatchContext<'a> {
    pub(super) ui: &'a Ui,
    pub(super) global: &'a GlobalArgs,
    pub(super) args: &'a WatchArgs,
    pub(super) environment: &'a Environment,
}

/// The command, as a watch sees it.
pub(super) struct CliHost<'a> {
    surroundings: WatchContext<'a>,
    only: KeyFilter,
    settings: Settings,
    options: WatchOptions,
    session: Session,
    files: Files,
    unreadable: Unreadable,
    service: Service,
    metrics: Arc<Metrics>,
}

impl<'a> CliHost<'a> {
    pub(super) fn new(
        surroundings: WatchContext<'a>,
        only: KeyFilter,
        settings: Settings,
        session: Session,
        metrics: Arc<Metrics>,
    ) -> Self {
        Self {
            options: options(surroundings.args, &only, &settings, session.horizon()),
            service: Service::of(surroundings.environment),
            surroundings,
            only,
            settings,
            session,
            files: Files::default(),
            unreadable: Unreadable::default(),
            metrics,
        }
    }

    fn passed(&self, passed: &Passed) {
        let report = &passed.report;
        self.metrics.report(report, passed.held);
        self.unreadable.passed(&report.plan);
        if self.options.drift == Drift::Warn {
            self.metrics.left(passed.left.len());
        }
        if let Some(error) = &report.ended_by {
            tracing::error!(
                error = mask::masked(&chain(error)),
                "a further round was needed, and failed"
            );
        }
        for twin in report.report.iter().flat_map(|results| &results.twins) {
            tracing::error!("{twin}");
        }
        let requests = self.metrics.requests(&self.session.api().outcomes());
        let count = |of: fn(&SyncReport) -> usize| report.report.as_ref().map_or(0, of);
        let (applied, failed) = (count(SyncReport::applied), count(SyncReport::failed));
        let milliseconds = milliseconds(passed.took);
        let reason = passed.reason.as_str();
        if applied + failed > 0 || passed.reason == Reason::Start {
            let unchanged = report.plan.unchanged.len();
            tracing::info!(
                reason,
                applied,
                failed,
                unchanged,
                requests,
                milliseconds,
                "pass"
            );
        } else {
            tracing::debug!(reason, requests, milliseconds, "pass");
        }
        for planned in &passed.left {
            let (key, fields) = (planned.key.as_str(), fields(planned));
            tracing::warn!(key, fields, "drift, left as it is");
        }
        self.metrics.pass(passed.reason, passed.ended, passed.took);
        if passed.ended == Ended::Well {
            self.service.ready();
        }
        mask::forget_tokens();
    }

    fn failed(&self, reason: Reason, failure: &PassFailure<CommandError>, took: Duration) {
        self.metrics.requests(&self.session.api().outcomes());
        let caused;
        let error = match failure {
            PassFailure::Wanted(error) => error,
            PassFailure::Record(error) => {
                caused = record_error(error);
                &caused
            }
            PassFailure::Randomness(error) => {
                caused = CommandError::caused("randomness", error);
                &caused
            }
            PassFailure::Pass(error) => {
                caused = no_result(error);
                &caused
            }
        };
        tracing::error!(
            reason = reason.as_str(),
            code = error.code,
            help = error.help.as_deref(),
            milliseconds = milliseconds(took),
            "pass failed: {}",
            mask::masked(&error.message)
        );
        self.metrics.pass(reason, Ended::Badly, took);
        mask::forget_tokens();
    }
}

impl Host for CliHost<'_> {
    type Api = HttpApi;
    type Error = CommandError;

    fn options(&self) -> &WatchOptions {
        &self.options
    }

    fn clock(&self) -> &dyn Clock {
        self.session.clock()
    }

    fn api(&self) -> &HttpApi {
        self.session.api()
    }

    fn store(&self) -> &Store {
        self.session.store()
    }

    fn fingerprint_key(&self) -> &FingerprintKey {
        self.session.fingerprint_key()
    }

    fn watched(&self) -> Watched<'_> {
        Watched {
            root: &self.settings.webhooks_dir,
            files: self.files.secret_files(),
        }
    }

    fn look(&mut self) -> Look {
        let settings = &self.settings;
        let (look, loaded) =
            with_load_options(settings, self.surroundings.environment, |options| {
                self.files.look(&settings.webhooks_dir, options)
            });
        if let Some(loaded) = loaded {
            let ui = self.surroundings.ui;
            show_diagnostics(ui, &loaded.diagnostics, &loaded.sources, loaded.files);
        }
        if look != Look::Same {
            self.metrics
                .read(Input::Declarations, look == Look::Changed);
        }
        look
    }

    async fn wanted(&self) -> Result<Option<Wanted>, CommandError> {
        let (settings, environment) = (&self.settings, self.surroundings.environment);
        let declarations = with_load_options(settings, environment, |options| {
            self.files.declarations(options)
        });
        let Some(declarations) = declarations else {
            return Ok(None);
        };
        // Asked anew for each pass: a program or what it is given may have changed since.
        let request = Request {
            api: false,
            tokens: Some(&declarations),
            ..Request::of_api(self.surroundings.args.sandbox, Asks::Nobody)
        };
        let cleared = clear(self.surroundings.ui, settings, environment, request).await?;
        let missing = Missing::Error;
        let resolved =
            resolve_tokens(&declarations, settings, environment, missing, &cleared).await;
        if let Some(first) = resolved.diagnostics.iter().next()
            && resolved.diagnostics.has_errors()
        {
            let message = first.message.clone();
            return Err(CommandError::new("secrets-unresolved", message));
        }
        self.session.spares_keys(&resolved.secrets)?;
        Ok(Some(Wanted {
            declarations,
            secrets: resolved.secrets,
        }))
    }

    fn on_event(&self, event: WatchEvent<'_, CommandError>) {
        match event {
            WatchEvent::NoHints(error) => {
                tracing::warn!(error = %chain(error), "no reports of changes");
            }
            WatchEvent::Invalid => {
                tracing::warn!("the files do not validate; what validated last stays applied");
            }
            WatchEvent::Valid => tracing::info!("the files validate again"),
            WatchEvent::Action(event) => acted(event),
            WatchEvent::Passed(report) => self.passed(report),
            WatchEvent::Failed {
                reason,
                failure,
                took,
            } => self.failed(reason, failure, took),
            WatchEvent::Held { key, field } => tracing::error!(
                key = key.as_str(),
                field,
                "set back three times in ten minutes: somebody else keeps changing it. The webhook is left \
                 alone until a file changes, or for an hour"
            ),
        }
    }

    fn provenance(&self) -> Option<Provenance> {
        crate::provenance::of(&self.settings.webhooks_dir, &self.settings.root)
    }

    /// Reads hookctl.yaml again. What is wrong with it is shown; then all stays.
    async fn on_wake(&mut self) {
        let WatchContext {
            ui,
            global,
            args,
            environment,
        } = self.surroundings;
        let reloaded =
            match Settings::resolve(global).map_err(|error| show_settings_error(ui, error)) {
                Ok(settings) => opened(ui, &settings, environment, args.sandbox)
                    .await
                    .map(|session| (settings, session)),
                Err(error) => Err(error),
            };
        self.metrics.read(Input::Configuration, reloaded.is_ok());
        match reloaded {
            Ok((settings, session)) => {
                tracing::info!("hookctl.yaml was read again");
                self.options = options(args, &self.only, &settings, session.horizon());
                self.settings = settings;
                self.session = session;
                self.metrics.counts_start_anew();
            }
            Err(error) => tracing::error!(
                code = error.code,
                help = error.help.as_deref(),
                error = error.message,
                "hookctl.yaml stays as it was"
            ),
        }
    }

    fn heartbeat(&mut self) -> Option<Duration> {
        self.service.heartbeat();
        self.service.next_sign()
    }
}

async fn opened(
    ui: &Ui,
    settings: &Settings,
    environment: &Environment,
    sandbox: bool,
) -> Result<Session, CommandError> {
    let request = Request::of_api(sandbox, Asks::Nobody);
    let cleared = clear(ui, settings, environment, request).await?;
    Session::open(settings, environment, &cleared).await
}

fn options(
    args: &WatchArgs,
    only: &KeyFilter,
    settings: &Settings,
    horizon: Horizon,
) -> WatchOptions {
    WatchOptions {
        interval: args.interval,
        grace: args.prune_grace,
        poll: args.poll,
        drift: args.drift.into(),
        prune: args.prune || settings.prune,
        only: only.clone(),
        limits: settings.limits,
        concurrency: settings.concurrency,
        horizon,
        request_grace: args.grace,
        ..WatchOptions::default()
    }
}

fn no_result(error: &PassError) -> CommandError {
    match error {
        PassError::Plan(problems) => {
            let texts: Vec<String> = problems.problems.iter().map(ToString::to_string).collect();
            CommandError::new("no-plan", texts.join("; "))
        }
        PassError::Refused { refusal, .. } => {
            CommandError::new(refusal.code(), refusal.to_string())
        }
        other => CommandError::new("pass", chain(other)),
    }
}

/// A time as a number that JSON has.
fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

fn fields(planned: &PlannedAction) -> String {
    let names: Vec<&str> = planned.changes.iter().map(Change::field_name).collect();
    names.join(", ")
}

/// One line for each change.
fn acted(event: ApplyEvent<'_>) {
    let ApplyEvent::Ended { planned, outcome } = event else {
        return;
    };
    let (key, action) = (planned.key.as_str(), planned.action.as_str());
    let cause = planned.changes.first();
    let cause = cause.map_or("", |change| change.cause().as_str());
    let masked = mask::masked;
    match outcome {
        Outcome::Applied { id, .. } => {
            let (fields, id) = (fields(planned), id.as_str());
            tracing::info!(key, action, fields, cause, id, "applied");
        }
        Outcome::Failed(error) => {
            tracing::error!(key, action, error = masked(&error.to_string()), "failed");
        }
        Outcome::Pending(error) => {
            tracing::warn!(key, action, error = masked(&error.to_string()), "pending");
        }
        Outcome::Held => tracing::warn!(key, action, error = Outcome::WHY_HELD, "pending"),
        Outcome::NotAttempted => tracing::warn!(key, action, "not attempted"),
    }
}
