//! `hookctl sync`: plans and applies.

use std::collections::BTreeMap;
use std::mem::ManuallyDrop;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use clap::{Args, ValueEnum};
use hookctl::apply::ApplyOptions;
use hookctl::config::Confirm;
use hookctl::declaration::Declarations;
use hookctl::plan::safety::Overrides;
use hookctl::plan::{Plan, Policy};
use hookctl::reconcile::{self, PassError, PlanInputs};
use hookctl::record::Access;
use hookctl::record::Account;
use hookctl::saved::{SavedPlan, Terms, UnseenTokens};
use hookctl::secret::Secrets;

use crate::args::{DetailArgs, GlobalArgs, KeyGlob, SettlingArgs};
use crate::confirm::Question;
use crate::early::{self, EarlyList, first};
use crate::environment::Environment;
use crate::error::CommandError;
use crate::exit_status::ExitStatus;
use crate::files::beside;
use crate::mask;
use crate::older_files::Files;
use crate::plan_file;
use crate::presenter::{Output, Presenter};
use crate::record_ahead::{self, RecordAhead};
use crate::run::{Writing, apply, count_events, now, older, policy, selects_something};
use crate::secrets::{Missing, clear_and_resolve, runs_programs};
use crate::session::{Client, RecordAccess, Session};
use crate::settings::Settings;
use crate::signals::{cancel_on_signal, unless_cancelled};
use crate::trust::{Asks, Request};
use crate::ui::Ui;
use crate::unseen;
use crate::verification::VerifyingArgs;

/// The arguments of `hookctl sync`.
#[expect(clippy::struct_excessive_bools, reason = "each is a command-line flag")]
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  hookctl sync --dry-run                 show what would change, write nothing
  hookctl sync --dry-run --out plan.json save the plan, for `hookctl apply plan.json`
  hookctl sync --yes                     apply without asking
  hookctl sync --only 'billing-*'        only some keys
  hookctl sync --yes --verify 10m        apply, and prove by deliveries that the changes work
  hookctl sync --sandbox                 use the built-in emulator, without an account")]
pub(crate) struct SyncArgs {
    /// Show the plan; write nothing, neither to the API nor to the local record
    #[arg(long)]
    dry_run: bool,
    /// Delete bound webhooks that are no longer declared
    #[arg(long)]
    prune: bool,
    /// Do not ask before deleting a webhook or clearing a token
    #[arg(long, short = 'y')]
    yes: bool,
    /// Apply even if the plan exceeds the safety limits
    #[arg(long)]
    force: bool,
    /// Allow a plan in which no webhook is declared
    #[arg(long)]
    allow_empty: bool,
    /// Sync only keys that match this pattern; may be repeated
    #[arg(long, value_name = "KEY-GLOB", value_parser = KeyGlob::parse)]
    only: Vec<KeyGlob>,
    /// What to do with a token at the API that cannot be compared
    #[arg(long, value_name = "WHAT", value_enum, default_value_t = Unverified::Assert)]
    unverified_secrets: Unverified,
    /// Plan without tokens that cannot be resolved
    #[arg(long, requires = "dry_run")]
    allow_missing_secrets: bool,
    /// Save the plan to this file, for `hookctl apply`; `-` is standard output
    #[arg(long, value_name = "FILE", requires = "dry_run")]
    out: Option<PathBuf>,
    /// Exit with 2 if the files ask for changes, and with 3 if only drift was found
    #[arg(long, requires = "dry_run")]
    detailed_exitcode: bool,
    #[command(flatten)]
    verifying: VerifyingArgs,
    #[command(flatten)]
    settling: SettlingArgs,
    #[command(flatten)]
    detail: DetailArgs,
    /// Output format
    #[arg(long, value_name = "FORMAT", value_enum, default_value_t = Output::Human)]
    output: Output,
    /// Use the built-in API emulator, stored below the local record's folder
    #[arg(long)]
    sandbox: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Unverified {
    /// Write the declared token once
    Assert,
    /// Keep the token at the API
    Keep,
}

impl SyncArgs {
    fn question(&self, confirm: Confirm, ui: &Ui) -> Question {
        Question {
            // A rehearsal loses nothing.
            confirm: match confirm {
                Confirm::Always if self.sandbox => Confirm::Losses,
                confirm => confirm,
            },
            is_answered: self.yes,
            can_ask: ui.can_ask(),
        }
    }

    fn terms(&self, settings: &Settings, account: &Account) -> Terms {
        Terms {
            target: account.target().to_owned(),
            api: account.api().to_owned(),
            only: self
                .only
                .iter()
                .map(|glob| glob.as_str().to_owned())
                .collect(),
            prune: self.prune || settings.prune,
            keep_unverified_secrets: self.unverified_secrets == Unverified::Keep,
        }
    }

    fn policy(&self, terms: &Terms) -> Result<Policy, CommandError> {
        Ok(Policy {
            retry_held: self.verifying.retry_held,
            ..policy(terms)?
        })
    }

    /// Returns the keys whose tokens the saved plan does not see, with the seals of their sources.
    fn unseen(
        &self,
        declarations: &Declarations,
        secrets: &Secrets,
        policy: &Policy,
        session: &Session,
    ) -> UnseenTokens {
        if self.out.is_none() {
            return UnseenTokens::new();
        }
        let mut sources = unseen::sources(declarations, session.fingerprint_key());
        sources.retain(|key, _| !secrets.contains_key(key) && policy.only.selects(key));
        sources
    }

    /// Returns whether the saved plan is the result: `--out -`.
    fn writes_to_stdout(&self) -> bool {
        self.out.as_deref().is_some_and(is_stdout)
    }

    /// Checks that the arguments can be combined.
    fn check(&self) -> Result<(), CommandError> {
        if self.writes_to_stdout() && matches!(self.output, Output::Json | Output::Markdown) {
            return Err(CommandError::new(
                "usage",
                "--out - cannot be combined with --output json or markdown: both write to standard output",
            )
            .status(ExitStatus::Usage));
        }
        Ok(())
    }

    const fn access(&self) -> Access {
        if self.dry_run {
            Access::Read
        } else {
            Access::Write
        }
    }

    /// Returns what the command needs consent for.
    fn request<'a>(&self, declarations: &'a Declarations) -> Request<'a> {
        Request {
            sandbox: self.sandbox,
            api: true,
            tokens: (!self.allow_missing_secrets).then_some(declarations),
            asks: Asks::a_person_unless(self.output == Output::Json),
        }
    }

    const fn missing(&self) -> Missing {
        if self.allow_missing_secrets {
            Missing::Unseen
        } else {
            Missing::Error
        }
    }
}

/// Runs the command.
pub(crate) async fn run(
    ui: &Ui,
    global: &GlobalArgs,
    args: &SyncArgs,
    environment: &Environment,
) -> ExitStatus {
    let mut presenter =
        Presenter::new(ui, args.output, args.dry_run, args.sandbox).detailed(args.detail.choice());
    match sync(ui, global, args, environment, &mut presenter).await {
        Ok(status) => status,
        Err(error) => presenter.fail(&error),
    }
}

async fn sync(
    ui: &Ui,
    global: &GlobalArgs,
    args: &SyncArgs,
    environment: &Environment,
    presenter: &mut Presenter<'_>,
) -> Result<ExitStatus, CommandError> {
    let started = Instant::now();
    let cancellation = cancel_on_signal()?;
    args.check()?;
    let settings = Arc::new(presenter.settings(global)?);
    let record = record_ahead::record(&settings, args.sandbox)?;
    let gathering = gather(args, &settings, environment, &record, presenter);
    let (declarations, client, early) = unless_cancelled(&cancellation, gathering).await??;
    if runs_programs(&declarations, &settings) {
        // Programs may wait for the user while other processes wait for the record.
        record.release().await;
    }
    let request = args.request(&declarations);
    let resolving = clear_and_resolve(
        ui,
        &settings,
        environment,
        &declarations,
        request,
        args.missing(),
    );
    let (cleared, resolved) = unless_cancelled(&cancellation, resolving).await??;
    presenter.secrets(resolved.diagnostics)?;
    let secrets = resolved.secrets;
    let opening = Session::over(record, client, &settings, environment, &cleared);
    let session = unless_cancelled(&cancellation, opening).await??;
    let terms = args.terms(&settings, session.account());
    let policy = args.policy(&terms)?;
    let access = session.access(args.dry_run).await?;
    // Large values are never dropped: freeing them takes as long as a tenth of a run without changes.
    let remembered = ManuallyDrop::new(access.remembered().await?);
    let unseen_tokens = args.unseen(&declarations, &secrets, &policy, &session);
    let desired = session.desired(declarations, &secrets, &remembered, &BTreeMap::new())?;
    let desired = ManuallyDrop::new(desired);
    let keys = desired.keys().chain(remembered.last_applied.keys());
    selects_something(&policy.only, keys)?;
    let run = crate::provenance::run(environment);
    let provenance = || crate::provenance::of(&settings.webhooks_dir, &settings.root);
    let inputs = PlanInputs {
        first_list: first(early, &session, &remembered, resolved.known).await,
        overrides: Overrides {
            force: args.force,
            allow_empty: args.allow_empty,
        },
        settle: args.settling.settle(),
        ..session.plan_inputs(&settings, &desired, policy, &cancellation)
    };
    let files = Files::of(&settings, session.record(), args.sandbox);
    match access {
        RecordAccess::Reading(_) => {
            let planning = reconcile::prepare(&inputs, &remembered);
            let planned = unless_cancelled(&cancellation, planning).await?;
            if let Ok(planned) = &planned {
                presenter.unsettled(&planned.settled.unsettled);
            }
            let mut planned = planned.map(|planned| planned.plan);
            if let Ok(plan) = &mut planned {
                mask::plan(plan);
                unless_cancelled(&cancellation, count_events(session.api(), plan)).await?;
                let older = unless_cancelled(&cancellation, older(files, plan)).await?;
                if let Some(notice) = older {
                    presenter.report(notice);
                }
            }
            if let (Some(path), Ok(plan)) = (&args.out, &planned) {
                let rendering = plan_file::rendering(presenter, plan);
                let key = session.fingerprint_key();
                let saved = SavedPlan::of(plan, rendering, terms, unseen_tokens, key, now());
                put(&plan_file::text(&saved, key)?, path, ui, presenter)?;
            }
            dry_run(args, planned, presenter)
        }
        RecordAccess::Writing(open) => {
            let options = ApplyOptions {
                secrets: &secrets,
                concurrency: settings.concurrency,
                grace: args.settling.grace,
                provenance: Some(&provenance),
                run: Some(&run),
            };
            let question = args.question(settings.confirm, ui);
            let mut approve = |plan: &Plan| question.about(plan);
            let writing = Writing {
                record: session.record(),
                open,
                files,
            };
            let result = apply(ui, &inputs, &options, writing, presenter, &mut approve).await;
            if let Ok(Some(report)) = &result
                && report.report.is_none()
                && !cancellation.is_cancelled()
            {
                return Ok(declined(&report.plan, question, presenter));
            }
            let verifying = args.verifying;
            let concluding =
                verifying.conclude(result, &session, started, &cancellation, presenter);
            concluding.await
        }
    }
}

/// Reads the files. At the same time, requests the list, reads the local record, and asks Git for the settings before this
/// change.
async fn gather(
    args: &SyncArgs,
    settings: &Arc<Settings>,
    environment: &Environment,
    record: &RecordAhead,
    presenter: &mut Presenter<'_>,
) -> Result<(Declarations, Option<Client>, Option<EarlyList>), CommandError> {
    let early = early::request(settings, environment, record, args.sandbox).await;
    let (client, mut early) = early.unzip();
    let reading = early::prefetch(record, args.access(), early.as_mut());
    let inputs = (Arc::clone(settings), environment.clone());
    let asking = beside(move || inputs.0.guards.loose(&inputs.1));
    let files = crate::files::read_beside(settings, environment);
    let ((), declarations) = tokio::join!(reading, files);
    let declarations = presenter.declarations(declarations);
    let answer = match asking {
        Some(asking) => asking.await.ok(),
        None => None,
    };
    presenter.loose(answer.unwrap_or_else(|| settings.guards.loose(environment)));
    Ok((declarations?, client, early))
}

/// Writes a plan to the path of `--out`.
fn put(
    text: &str,
    path: &Path,
    ui: &Ui,
    presenter: &mut Presenter<'_>,
) -> Result<(), CommandError> {
    if is_stdout(path) {
        ui.result(text);
        presenter.stand_aside();
        return Ok(());
    }
    plan_file::write(text, path)
}

fn is_stdout(path: &Path) -> bool {
    path == Path::new("-")
}

fn dry_run(
    args: &SyncArgs,
    planned: Result<Plan, PassError>,
    presenter: &mut Presenter<'_>,
) -> Result<ExitStatus, CommandError> {
    let plan = match planned {
        Ok(plan) => plan,
        Err(PassError::Refused { plan, refusal }) => return Ok(presenter.refused(&plan, &refusal)),
        Err(error) => return Err(presenter.failed(&error)),
    };
    presenter.planned(&plan);
    Ok(if !args.detailed_exitcode || !plan.has_requests() {
        ExitStatus::Success
    } else if plan.files_ask_for_changes() {
        ExitStatus::Changes
    } else {
        ExitStatus::Drift
    })
}

/// Shows a plan that was not confirmed.
fn declined(plan: &Plan, question: Question, presenter: &mut Presenter<'_>) -> ExitStatus {
    let error = question.refusal();
    let status = error.status;
    presenter.report(error.into_message());
    presenter.planned(plan);
    status
}
