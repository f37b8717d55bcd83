//! Presents the result of a run, exactly once, in the requested output format.

use std::path::PathBuf;

use clap::ValueEnum;
use hookctl::apply::Unsettled;
use hookctl::declaration::{Declarations, Loaded};
use hookctl::diagnostic::{Diagnostics, SourceMap};
use hookctl::plan::Plan;
use hookctl::plan::safety::Refusal;
use hookctl::reconcile::{PassError, PassReport};
use hookctl::render::{
    Detail, LooseSettings, Message, PlanDocument, RenderContext, RunStats, Styles,
    VerificationReport, markdown,
};
use hookctl::saved::Stale;

use crate::args::GlobalArgs;
use crate::error::CommandError;
use crate::exit_status::ExitStatus;
use crate::problems::{invalid_config, show_diagnostics};
use crate::session::record_error;
use crate::settings::{Settings, SettingsError};
use crate::signals::interrupted;
use crate::ui::Ui;
use crate::{aftermath, hints, mask};

/// The output format of a plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Output {
    /// Human-readable text
    Human,
    /// One JSON document (schemas/plan-v1.schema.json)
    Json,
    /// A comment for a pull request
    Markdown,
    /// A unified diff of canonical YAML, from observed to desired state
    Diff,
}

/// Where a plan is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stream {
    Stdout,
    /// Because standard output holds another result.
    Stderr,
}

/// Collects and prints what a run reports, in the requested format.
pub(crate) struct Presenter<'a> {
    ui: &'a Ui,
    output: Output,
    dry_run: bool,
    sandbox: bool,
    target: Option<String>,
    messages: Vec<Message>,
    sources: SourceMap,
    announced: bool,
    shown_on: Stream,
    detail: Option<Detail>,
    loose: LooseSettings,
    /// The verdicts, if the changes were verified.
    verdicts: Option<VerificationReport>,
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
            shown_on: Stream::Stdout,
            detail: None,
            loose: LooseSettings::NONE,
            verdicts: None,
        }
    }

    pub(crate) fn context(&self) -> RenderContext<'_> {
        RenderContext {
            target: self.target.as_deref().unwrap_or("default"),
            sandbox: self.sandbox,
            dry_run: self.dry_run,
            settings: &self.loose,
        }
    }

    /// Sets how much of the plan is shown. `None` leaves it to the size of the plan.
    pub(crate) const fn detailed(mut self, detail: Option<Detail>) -> Self {
        self.detail = detail;
        self
    }

    /// Returns how much of the plan is shown. In a pipe it is complete, since a log is searched, not watched.
    fn detail(&self, plan: &Plan) -> Detail {
        match self.detail {
            _ if self.ui.is_quiet() => Detail::Summary,
            Some(detail) => detail,
            None if self.ui.is_on_screen() => Detail::that_fits(plan),
            None => Detail::Full,
        }
    }

    /// Sets the settings that make the plan less careful, which are shown with it.
    pub(crate) fn loose(&mut self, settings: LooseSettings) {
        self.loose = settings;
    }

    fn styles_out(&self) -> Styles {
        Styles::new(match self.shown_on {
            Stream::Stdout => self.ui.color_out(),
            Stream::Stderr => self.ui.color_err(),
        })
    }

    /// Resolves the settings, and shows problems of hookctl.yaml.
    pub(crate) fn settings(&mut self, global: &GlobalArgs) -> Result<Settings, CommandError> {
        match Settings::resolve(global) {
            Ok(mut settings) => {
                self.target = Some(settings.target.name.clone());
                if let Some((sources, diagnostics)) = settings.remarks.take() {
                    self.sources = sources;
                    self.diagnostics(&diagnostics, 1);
                }
                Ok(settings)
            }
            Err(SettingsError::Command(error)) => Err(error),
            Err(SettingsError::Diagnostics(sources, diagnostics)) => {
                self.sources = sources;
                self.diagnostics(&diagnostics, 1);
                Err(invalid_config())
            }
        }
    }

    /// Shows the problems of the declarations, and returns them if they are valid.
    pub(crate) fn declarations(&mut self, loaded: Loaded) -> Result<Declarations, CommandError> {
        self.sources = loaded.sources;
        self.diagnostics(&loaded.diagnostics, loaded.files);
        loaded.declarations.ok_or_else(|| {
            CommandError::new(
                "invalid-declarations",
                "the declarations are invalid; nothing was changed",
            )
        })
    }

    /// Shows the problems of the declarations, and returns them with the text of each file.
    pub(crate) fn declarations_and_texts(
        &mut self,
        loaded: Loaded,
    ) -> Result<(Declarations, Vec<(PathBuf, String)>), CommandError> {
        let declarations = self.declarations(loaded)?;
        let texts = self
            .sources
            .files()
            .map(|file| (file.path().to_owned(), file.text().to_owned()))
            .collect();
        Ok((declarations, texts))
    }

    /// Shows problems of the tokens' sources.
    pub(crate) fn secrets(&mut self, mut diagnostics: Diagnostics) -> Result<(), CommandError> {
        diagnostics.sort(&self.sources);
        let failed = diagnostics.has_errors();
        self.diagnostics(&diagnostics, 0);
        if failed {
            return Err(CommandError::new(
                "secrets-unresolved",
                "not every token could be resolved; nothing was changed",
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

    /// Moves human-readable text to standard error, since standard output holds another result.
    pub(crate) const fn stand_aside(&mut self) {
        self.shown_on = Stream::Stderr;
    }

    fn present(&self, text: &str) {
        match self.shown_on {
            Stream::Stdout if self.output == Output::Human => self.ui.human(text),
            Stream::Stdout => self.ui.result(text),
            Stream::Stderr => self.ui.message(text),
        }
    }

    /// Shows a plan that the user is asked about, whatever else is shown: a user can approve only what is seen.
    pub(crate) fn show_for_approval(&mut self, plan: &Plan) {
        let seen = matches!(self.output, Output::Human | Output::Diff);
        if seen && self.ui.is_on_screen() && !self.ui.is_quiet() {
            self.announce(plan);
            return;
        }
        self.announced |= seen;
        let plan = &*mask::shown(plan);
        let detail = self.detail.unwrap_or(Detail::that_fits(plan));
        let styles = Styles::new(self.ui.color_err());
        let text = hookctl::render::plan(plan, self.context(), &styles, detail);
        self.ui.message(&text);
    }

    /// Shows a plan that is about to be applied.
    pub(crate) fn announce(&mut self, plan: &Plan) {
        if self.ui.is_quiet() && !self.dry_run && !plan.actions.is_empty() {
            // The results follow.
            return;
        }
        self.announced = true;
        let plan = &*mask::shown(plan);
        match self.output {
            Output::Human => {
                let detail = self.detail(plan);
                let text = hookctl::render::plan(plan, self.context(), &self.styles_out(), detail);
                self.present(&text);
            }
            Output::Diff => self.present(&hookctl::render::diff(plan, &self.styles_out())),
            // Part of the one document at the end.
            Output::Json | Output::Markdown => {}
        }
    }

    /// Shows a plan that is not applied.
    pub(crate) fn planned(&mut self, plan: &Plan) {
        let messages = std::mem::take(&mut self.messages);
        let plan = &*mask::shown(plan);
        match self.output {
            Output::Json => {
                let document = PlanDocument::of_plan(self.context(), plan, messages);
                self.ui.result(&document.to_text());
            }
            Output::Markdown => {
                let text = markdown(self.context(), Some(plan), None, &messages, "");
                self.ui.result(&text);
            }
            Output::Human | Output::Diff if !self.announced => self.announce(plan),
            Output::Human | Output::Diff => {}
        }
    }

    /// Shows the results of an applied plan.
    pub(crate) fn applied(&mut self, report: &PassReport, stats: RunStats) {
        let Some(results) = &report.report else {
            self.planned(&report.plan);
            self.ui.remark("Nothing was applied.\n");
            return;
        };
        let mut beside = aftermath::unsettled(report);
        if let Some(error) = &report.ended_by {
            let error = self.failed(error);
            beside.push(error.into_message());
        }
        beside.extend(aftermath::duplicates(results));
        beside.extend(aftermath::advice(results));
        let beside: Vec<Message> = beside.into_iter().map(mask::message).collect();
        self.messages.extend(beside.iter().cloned());
        let messages = std::mem::take(&mut self.messages);
        match self.output {
            Output::Human => {
                let styles = self.styles_out();
                if !self.announced && !self.ui.is_quiet() {
                    self.ui
                        .human(&hookctl::render::beside(&report.plan, &styles));
                }
                self.ui.human(&hookctl::render::report(
                    &report.plan,
                    results,
                    stats,
                    &styles,
                    self.detail(&report.plan),
                ));
            }
            Output::Diff => {
                let text = hookctl::render::report(
                    &report.plan,
                    results,
                    stats,
                    &Styles::new(self.ui.color_err()),
                    self.detail(&report.plan),
                );
                self.ui.remark(&text);
            }
            Output::Markdown => {
                let verdicts = self.verdicts.as_ref();
                let section = verdicts.map(VerificationReport::to_markdown);
                let text = markdown(
                    self.context(),
                    Some(&report.plan),
                    Some((results, stats)),
                    &messages,
                    &section.unwrap_or_default(),
                );
                self.ui.result(&text);
            }
            Output::Json => {
                let document =
                    PlanDocument::of_report(self.context(), &report.plan, results, messages)
                        .verified(self.verdicts.as_ref());
                self.ui.result(&document.to_text());
            }
        }
        for message in &beside {
            self.ui.report(message);
        }
    }

    /// Returns whether results are shown when they are there, rather than in one document at the end.
    pub(crate) const fn shows_at_once(&self) -> bool {
        matches!(self.output, Output::Human | Output::Diff)
    }

    /// Shows verdicts, or keeps them for the document.
    pub(crate) fn verified(&mut self, verdicts: VerificationReport) {
        let text = verdicts.to_human(&self.ui.screen());
        match self.output {
            Output::Human => self.ui.human(&text),
            Output::Diff => self.ui.remark(&text),
            Output::Json | Output::Markdown => {}
        }
        self.verdicts = Some(verdicts);
    }

    /// Says at the end of an interrupted run how to continue.
    pub(crate) fn interrupted(&self, report: &PassReport) {
        self.ui.message(if report.is_complete() {
            "interrupted, after everything was applied\n"
        } else {
            "interrupted; run it again to continue\n"
        });
    }

    /// Adds a message, and prints it unless the output is one JSON document.
    pub(crate) fn report(&mut self, message: Message) {
        let message = mask::message(message);
        if self.output != Output::Json {
            self.ui.report(&message);
        }
        self.messages.push(message);
    }

    /// Returns a plan as the JSON document shows it, with the messages so far.
    pub(crate) fn document(&self, plan: &Plan) -> serde_json::Value {
        PlanDocument::of_plan(self.context(), &mask::shown(plan), self.messages.clone()).to_value()
    }

    /// Reports the actions of a saved plan that are no longer current.
    pub(crate) fn stale(&mut self, stale: &[Stale], skipped: bool) {
        for message in aftermath::stale(stale, skipped) {
            self.report(message);
        }
    }

    /// Reports which requests may still take effect, and for how long.
    pub(crate) fn unsettled(&mut self, unsettled: &[Unsettled]) {
        for message in aftermath::open_requests(unsettled) {
            self.report(message);
        }
    }

    /// Shows a refused plan.
    pub(crate) fn refused(&mut self, plan: &Plan, refusal: &Refusal) -> ExitStatus {
        let message = CommandError::caused(refusal.code(), refusal).into_message();
        self.messages.push(message.clone());
        match self.output {
            // "No changes" would contradict the refusal.
            Output::Human | Output::Diff if plan.actions.is_empty() => {}
            Output::Markdown if plan.actions.is_empty() => {
                let messages = std::mem::take(&mut self.messages);
                let text = markdown(self.context(), None, None, &messages, "");
                self.ui.result(&text);
            }
            _ => self.planned(plan),
        }
        self.ui.report(&message);
        ExitStatus::Refused
    }

    /// Shows why planning failed, and returns the error that ends the run.
    pub(crate) fn failed(&mut self, error: &PassError) -> CommandError {
        match error {
            PassError::Plan(problems) => {
                let status = if problems.is_refusal() {
                    ExitStatus::Refused
                } else {
                    ExitStatus::Error
                };
                for problem in &problems.problems {
                    self.report(Message::of_problem(problem, &hints::of(problem)));
                }
                CommandError::new("no-plan", "could not plan; nothing was changed").status(status)
            }
            PassError::Interrupted => interrupted(),
            PassError::Observe(source) => CommandError::caused("api", source),
            PassError::Record(source) => record_error(source),
            other => CommandError::caused("record", other),
        }
    }

    /// Shows an error that ends the run.
    pub(crate) fn fail(&mut self, error: &CommandError) -> ExitStatus {
        self.ui.failure(error);
        let mut messages = std::mem::take(&mut self.messages);
        messages.push(error.clone().into_message());
        match self.output {
            Output::Human | Output::Diff => {}
            Output::Markdown => {
                let text = markdown(self.context(), None, None, &messages, "");
                self.ui.result(&text);
            }
            Output::Json => {
                let document = PlanDocument::of_messages(
                    self.target.as_deref(),
                    self.sandbox,
                    self.dry_run,
                    messages,
                );
                self.ui.result(&document.to_text());
            }
        }
        error.status
    }
}
