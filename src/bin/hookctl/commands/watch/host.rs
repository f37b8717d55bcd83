//! The command line as the host of a watch: files, secrets, and a log.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use hookctl::apply::Listener as _;
use hookctl::clock::Clock;
use hookctl::plan::KeyFilter;
use hookctl::reconcile::PassError;
use hookctl::record::{Provenance, Record};
use hookctl::remote::http::HttpApi;
use hookctl::report::SyncReport;
use hookctl::secret::FingerprintKey;
use hookctl::watch::{
    Ended, Files, Host, Inputs, PassFailure, Passed, Reason, ScanResult, WatchEvent, WatchOptions,
    Watched,
};
use hookctl::webhook::Key;
use tokio_util::sync::CancellationToken;

use super::board::Board;
use super::context::WatchContext;
use super::deliveries::Deliveries;
use super::failure;
use super::lines::{self, Bound, help, milliseconds};
use super::metrics::Metrics;
use super::readiness::Input;
use super::screen;
use super::service::Service;
use super::standing::Standing;
use super::unreadable::Unreadable;
use crate::error::{CommandError, chain};
use crate::files::with_load_options;
use crate::mask;
use crate::problems::show_diagnostics;
use crate::progress::{self, Phase, Progress};
use crate::secrets::{Missing, resolve_tokens};
use crate::session::{Session, record_error};
use crate::settings::Settings;
use crate::trust::{Asks, Request, clear};

/// Where the watch reports what it does.
pub(super) struct Reported {
    pub(super) metrics: Arc<Metrics>,
    pub(super) service: Arc<Service>,
    /// The page, if it is served.
    pub(super) board: Option<Arc<Board>>,
}

/// The host of the watch.
pub(super) struct CliHost<'a> {
    context: WatchContext<'a>,
    only: KeyFilter,
    settings: Arc<Settings>,
    options: WatchOptions,
    session: Arc<Session>,
    /// Ends the passes of this term.
    term: CancellationToken,
    /// The name of this run.
    run: String,
    files: Files,
    unreadable: Unreadable,
    /// The orphans of the last pass.
    orphans: Standing<Bound, String>,
    /// The webhooks whose drift the last pass did not correct, with the changes.
    drifted: Standing<String, String>,
    deliveries: Deliveries,
    service: Arc<Service>,
    metrics: Arc<Metrics>,
    board: Option<Arc<Board>>,
}

impl<'a> CliHost<'a> {
    pub(super) fn new(
        context: WatchContext<'a>,
        only: KeyFilter,
        settings: Settings,
        session: Session,
        reported: Reported,
    ) -> Self {
        Self {
            options: context.options(&only, &settings, session.horizon()),
            deliveries: Deliveries::new(
                context.args.verify,
                Arc::clone(&reported.metrics),
                reported.board.clone(),
            ),
            service: reported.service,
            run: crate::provenance::run(context.environment),
            context,
            only,
            settings: Arc::new(settings),
            session: Arc::new(session),
            term: CancellationToken::new(),
            files: Files::default(),
            unreadable: Unreadable::default(),
            orphans: Standing::default(),
            drifted: Standing::default(),
            metrics: reported.metrics,
            board: reported.board,
        }
    }

    pub(super) const fn context(&self) -> WatchContext<'a> {
        self.context
    }

    pub(super) const fn session(&self) -> &Arc<Session> {
        &self.session
    }

    pub(super) const fn settings(&self) -> &Arc<Settings> {
        &self.settings
    }

    /// Begins a term, which the signal or another record ends.
    pub(super) fn begin_term(&mut self, cancellation: &CancellationToken) -> CancellationToken {
        self.term = cancellation.child_token();
        self.term.clone()
    }

    /// Reports that this watch makes the passes.
    pub(super) fn leads(&self) {
        self.metrics.leads(true);
        self.board(|board| board.standby(None));
        self.service.ready("the first pass runs");
    }

    /// Reports that this watch makes no passes, and why.
    pub(super) fn stands_by(&self, why: &str) {
        self.metrics.leads(false);
        self.deliveries.stand_by();
        self.board(|board| board.standby(Some(why)));
        self.service.ready(why);
    }

    fn board(&self, report: impl FnOnce(&Board)) {
        if let Some(board) = &self.board {
            report(board);
        }
    }

    fn passed(&self, passed: &Passed) {
        let report = &passed.report;
        let target = self.target();
        let left = passed.left.iter().map(|planned| {
            let key = planned.key.as_str().to_owned();
            (key, lines::changes(planned))
        });
        let drifted = self.drifted.replace(left);
        let new: HashSet<&str> = drifted.begun.iter().map(|(key, _)| &**key).collect();
        let is_new = |key: &Key| new.contains(key.as_str());
        let found = passed.left.iter().filter(|planned| is_new(&planned.key));
        let fields = found.map(|planned| planned.changes.len().max(1)).sum();
        self.metrics.report(passed, fields);
        self.deliveries.passed(report, &self.session, target);
        self.unreadable.passed(&report.plan);
        let orphans = self
            .orphans
            .replace(report.plan.orphans.iter().map(lines::orphan));
        lines::orphans(&orphans, self.options.prune, target);
        if let Some(error) = &report.ended_by {
            tracing::error!(
                target,
                error = mask::masked(&chain(error)),
                help = help(error),
                "a further round was needed and failed"
            );
        }
        for duplicate in report.report.iter().flat_map(|results| &results.duplicates) {
            tracing::error!(target, help = help(duplicate), "{duplicate}");
        }
        let requests = self.metrics.requests(&self.session.api().outcomes());
        let count = |of: fn(&SyncReport) -> usize| report.report.as_ref().map_or(0, of);
        let (applied, failed) = (count(SyncReport::applied), count(SyncReport::failed));
        let milliseconds = milliseconds(passed.took);
        let reason = passed.reason.as_str();
        let (settings, sandbox) = (&self.settings, self.context.args.sandbox);
        screen::show(self.context.ui, settings, sandbox, passed, requests);
        if applied + failed > 0 || passed.reason == Reason::Start {
            let unchanged = report.plan.unchanged.len();
            tracing::info!(
                target,
                reason,
                applied,
                failed,
                unchanged,
                requests,
                milliseconds,
                "pass"
            );
        } else {
            tracing::debug!(target, reason, requests, milliseconds, "pass");
        }
        lines::drift(&drifted, target);
        self.metrics.pass(passed.reason, passed.ended, passed.took);
        self.service.status(&self.status(passed, failed));
        self.board(|board| board.passed(passed));
        mask::forget_tokens();
    }

    fn failed(&self, reason: Reason, failure: &PassFailure<CommandError>, took: Duration) {
        self.metrics.requests(&self.session.api().outcomes());
        let caused;
        let error = match failure {
            PassFailure::Inputs(error) => error,
            PassFailure::Record(error) => {
                self.metrics.failed(error);
                caused = record_error(error);
                &caused
            }
            PassFailure::Randomness(error) => {
                caused = CommandError::caused("randomness", error);
                &caused
            }
            PassFailure::Pass(error) => {
                self.metrics.failed(error);
                if let PassError::Refused { plan, .. } = error {
                    self.metrics.refused(plan.actions.len());
                }
                caused = failure::of_pass(error);
                &caused
            }
        };
        let message = mask::masked(&error.message);
        tracing::error!(
            target = self.target(),
            reason = reason.as_str(),
            code = error.code,
            help = error.help(),
            milliseconds = milliseconds(took),
            "pass failed: {message}"
        );
        self.metrics.pass(reason, Ended::Incomplete, took);
        let plan = match failure {
            PassFailure::Pass(PassError::Refused { plan, .. }) => Some(&**plan),
            _ => None,
        };
        self.board(|board| board.failed(reason, message.clone(), took, plan));
        let code = error.code;
        self.service.status(&format!(
            "the last pass failed, and is retried: {message} ({code})"
        ));
        mask::forget_tokens();
    }

    pub(super) fn target(&self) -> &str {
        &self.settings.target.name
    }

    /// Returns the result of a pass on one line, for a service manager.
    fn status(&self, passed: &Passed, failed: usize) -> String {
        let plan = &passed.report.plan;
        let (target, now) = (self.target(), jiff::Timestamp::now());
        let mut text = match passed.ended {
            Ended::Complete if passed.left.is_empty() => format!("{target} is in sync"),
            Ended::Complete => format!("{target} has drift, which is not corrected"),
            Ended::Incomplete => format!("{target} is not in sync: {failed} failed, retrying"),
        };
        let counts = [
            ("held", passed.held.len() + plan.held.len()),
            ("orphans", plan.orphans.len()),
        ];
        for (word, count) in counts.into_iter().filter(|(_, count)| *count > 0) {
            text += &format!(", {word}: {count}");
        }
        text += &format!(" (last pass {now:.0})");
        if self.metrics.are_valid() {
            text
        } else {
            format!("the files are invalid; the last valid state stays applied: {text}")
        }
    }
}

impl Host for CliHost<'_> {
    type Api = HttpApi;
    type Error = CommandError;

    fn options(&self) -> &WatchOptions {
        &self.options
    }

    fn clock(&self) -> &Arc<dyn Clock> {
        self.session.clock()
    }

    fn api(&self) -> &HttpApi {
        self.session.api()
    }

    fn record(&self) -> &Record {
        self.session.record()
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

    fn scan(&mut self) -> ScanResult {
        let settings = &self.settings;
        let (result, loaded) = with_load_options(settings, self.context.environment, |options| {
            self.files.scan(&settings.webhooks_dir, options)
        });
        if let Some(loaded) = loaded {
            let ui = self.context.ui;
            show_diagnostics(ui, &loaded.diagnostics, &loaded.sources, loaded.files);
            let is_valid = result == ScanResult::Changed;
            self.board(|board| board.files(is_valid, &loaded.diagnostics));
        }
        if result != ScanResult::Same {
            self.metrics
                .read(Input::Declarations, result == ScanResult::Changed);
        }
        result
    }

    async fn inputs(&self) -> Result<Option<Inputs>, CommandError> {
        self.board(Board::pass_begins);
        let (settings, environment) = (&self.settings, self.context.environment);
        let declarations = with_load_options(settings, environment, |options| {
            self.files.declarations(options)
        });
        let Some(declarations) = declarations else {
            return Ok(None);
        };
        // Checked in each pass, since a program or its arguments may have changed.
        let request = Request {
            api: false,
            tokens: Some(&declarations),
            ..Request::of_api(self.context.args.sandbox, Asks::Never)
        };
        let cleared = clear(self.context.ui, settings, environment, request).await?;
        self.session.renew(environment, cleared.permits()).await?;
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
        progress::begin(Phase::List);
        Ok(Some(Inputs {
            declarations,
            secrets: resolved.secrets,
        }))
    }

    fn on_event(&self, event: WatchEvent<'_, CommandError>) {
        if !matches!(event, WatchEvent::Action(_)) {
            progress::end();
        }
        match event {
            WatchEvent::NoFsEvents(error) => {
                tracing::warn!(error = %chain(error), help = help(error), "file events are unavailable");
            }
            WatchEvent::Invalid => {
                let text = "the files are invalid; the last valid state stays applied";
                tracing::warn!(target = self.target(), "{text}");
                self.service.status(text);
            }
            WatchEvent::Valid => {
                let text = "the files are valid again";
                tracing::info!(target = self.target(), "{text}");
                self.service.status(text);
            }
            WatchEvent::Action(event) if self.context.ui.shows_progress() => Progress.on(event),
            WatchEvent::Action(event) => lines::acted(event, self.target()),
            WatchEvent::Passed(report) => self.passed(report),
            WatchEvent::Failed {
                reason,
                failure,
                took,
            } => self.failed(reason, failure, took),
            WatchEvent::Held { key, field } => tracing::error!(
                target = self.target(),
                key = key.as_str(),
                field,
                "corrected three times in ten minutes: another writer keeps changing it. Not corrected again \
                until a file changes, or for an hour"
            ),
            WatchEvent::Scheduled { after, .. } => self.board(|board| board.scheduled(after)),
            _ => tracing::info!("an event of the watch that this version does not describe"),
        }
    }

    fn provenance(&self) -> Option<Provenance> {
        crate::provenance::of(&self.settings.webhooks_dir, &self.settings.root)
    }

    fn run(&self) -> Option<&str> {
        Some(&self.run)
    }

    /// Reloads hookctl.yaml. If it is invalid, shows why and keeps the previous settings.
    async fn on_wake(&mut self) {
        self.service.reloading();
        let reloaded = self.context.reload().await;
        self.metrics.read(Input::Configuration, reloaded.is_ok());
        match reloaded {
            Ok((settings, session)) => {
                let text = if settings.has_file {
                    "reloaded hookctl.yaml"
                } else {
                    "there is no hookctl.yaml to reload; flags, variables, and defaults stay in effect"
                };
                tracing::info!(target = settings.target.name, "{text}");
                self.service.ready(text);
                let horizon = session.horizon();
                self.options = self.context.options(&self.only, &settings, horizon);
                if self.settings.record.shared() != settings.record.shared()
                    || self.session.account() != session.account()
                {
                    // The lead is that of another record.
                    self.term.cancel();
                }
                self.settings = Arc::new(settings);
                self.session = session;
                self.metrics.client_replaced(&self.settings.target.name);
                self.board(|board| board.reloaded(self.target(), &self.session));
            }
            Err(error) => {
                let text = "could not reload hookctl.yaml; the previous settings stay in effect";
                tracing::error!(
                    target = self.target(),
                    code = error.code,
                    help = error.help(),
                    error = error.message,
                    "{text}"
                );
                self.service.ready(text);
            }
        }
    }

    fn heartbeat(&self) -> Option<Duration> {
        self.service.heartbeat()
    }
}
