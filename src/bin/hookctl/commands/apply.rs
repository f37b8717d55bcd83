//! `hookctl apply`: apply a plan that was saved and reviewed, if it still holds.

use std::path::PathBuf;
use std::time::Instant;

use clap::Args;
use hookctl::apply::ApplyOptions;
use hookctl::declaration::Declarations;
use hookctl::plan::safety::Overrides;
use hookctl::plan::{Plan, Policy};
use hookctl::reconcile::{self, Pass, PassError};
use hookctl::saved::{SavedPlan, Stale};

use crate::args::{GlobalArgs, SettlingArgs};
use crate::environment::Environment;
use crate::error::CommandError;
use crate::exit_status::ExitStatus;
use crate::plan_file::{read, refused};
use crate::presenter::{Output, Presenter};
use crate::run::{Approval, apply, conclude, policy};
use crate::secrets::{Missing, clear_and_resolve};
use crate::session::{Session, record_error};
use crate::settings::Settings;
use crate::signals::{cancel_on_signal, unless_cancelled};
use crate::trust::{Asks, Request};
use crate::ui::Ui;

/// The arguments of `hookctl apply`.
#[derive(Debug, Args)]
#[command(
    after_help = "The plan is made again and compared with the file, action by action. If \
anything differs, nothing is written (exit code 5), unless --partial says to apply what still holds.

Examples:
  hookctl sync --dry-run --out plan.json   make and save the plan
  hookctl apply plan.json                  apply exactly that"
)]
pub(crate) struct ApplyArgs {
    /// The file that `hookctl sync --dry-run --out` wrote
    plan: PathBuf,
    /// Apply what still holds, and leave the rest
    #[arg(long)]
    partial: bool,
    #[command(flatten)]
    settling: SettlingArgs,
    /// Apply also what the safety limits refuse
    #[arg(long)]
    force: bool,
    /// Accept that nothing is declared
    #[arg(long)]
    allow_empty: bool,
    /// The form of the result
    #[arg(long, value_name = "FORM", value_enum, default_value_t = Output::Human)]
    output: Output,
}

/// Runs the command.
pub(crate) async fn run(
    ui: &Ui,
    global: &GlobalArgs,
    args: &ApplyArgs,
    environment: &Environment,
) -> ExitStatus {
    let saved = read(&args.plan);
    let sandbox = saved.as_ref().is_ok_and(is_for_sandbox);
    let mut presenter = Presenter::new(ui, args.output, false, sandbox);
    let result = match saved {
        Ok(saved) => run_saved(ui, global, args, environment, &saved, &mut presenter).await,
        Err(error) => Err(error),
    };
    match result {
        Ok(status) => status,
        Err(error) => presenter.fail(&error),
    }
}

fn is_for_sandbox(saved: &SavedPlan) -> bool {
    saved.terms.api == "sandbox"
}

async fn run_saved(
    ui: &Ui,
    global: &GlobalArgs,
    args: &ApplyArgs,
    environment: &Environment,
    saved: &SavedPlan,
    presenter: &mut Presenter<'_>,
) -> Result<ExitStatus, CommandError> {
    let started = Instant::now();
    let cancellation = cancel_on_signal()?;
    let settings = presenter.settings(global)?;
    is_for(&settings, saved)?;
    let declarations = presenter.declarations(&settings, environment)?;
    let resolving = clear_and_resolve(
        ui,
        &settings,
        environment,
        &declarations,
        args.request(saved, &declarations),
        Missing::Error,
    );
    let (cleared, resolved) = unless_cancelled(&cancellation, resolving).await??;
    presenter.secrets(resolved.diagnostics)?;
    let secrets = resolved.secrets;
    let session = unless_cancelled(
        &cancellation,
        Session::open(&settings, environment, &cleared),
    )
    .await??;
    is_for_account(&session, saved)?;
    let whole = policy(&saved.terms)?;
    let chosen;
    let store = session
        .store()
        .open()
        .map_err(|error| record_error(&error))?;
    let remembered = store.remembered().map_err(|error| record_error(&error))?;
    let desired = session.desired(declarations, &secrets, &remembered, &saved.salts())?;
    let provenance = || crate::provenance::of(&settings.webhooks_dir);
    let pass = |policy| Pass {
        api: session.api(),
        desired: &desired,
        secrets: &secrets,
        policy,
        limits: settings.limits,
        overrides: Overrides {
            force: args.force,
            allow_empty: args.allow_empty,
        },
        settle: args.settling.settle(),
        options: ApplyOptions {
            provenance: Some(&provenance),
            ..session.apply_options(&settings, args.settling.grace, &cancellation)
        },
    };
    let compare = |presenter: &Presenter<'_>, plan: &Plan| {
        saved.stale(plan, &presenter.document(plan), session.fingerprint_key())
    };
    if args.partial {
        let plan = match reconcile::prepare(&pass(&whole), &remembered).await {
            Ok(planned) => planned.plan,
            Err(PassError::Refused { plan, refusal }) => {
                return Ok(presenter.refused(&plan, &refusal));
            }
            Err(error) => return Err(presenter.failed(&error)),
        };
        let stale = compare(presenter, &plan);
        presenter.stale(&stale, true);
        let left = stale.into_iter().map(|stale| stale.key);
        chosen = Policy {
            only: whole.only.clone().except(left),
            ..whole.clone()
        };
    } else {
        chosen = whole.clone();
    }
    let mut stale: Vec<Stale> = Vec::new();
    let mut rounds = 0;
    let documents = Presenter::new(ui, args.output, false, is_for_sandbox(saved));
    let mut approve = |plan: &Plan| {
        rounds += 1;
        let mut differing = compare(&documents, plan);
        if args.partial {
            differing.retain(|stale| plan.actions.iter().any(|action| action.key == stale.key));
        }
        // What a further round would do was not reviewed.
        let holds = differing.is_empty() && rounds == 1;
        if rounds == 1 {
            stale = differing;
        }
        Approval::given_if(holds)
    };
    let pass = pass(&chosen);
    let result = apply(ui, &pass, session.store(), store, presenter, &mut approve).await;
    if let Ok(Some(report)) = &result
        && report.plan.actions.is_empty()
        && !args.partial
    {
        stale = compare(presenter, &report.plan);
    }
    if !stale.is_empty() {
        presenter.stale(&stale, false);
        return Err(does_not_hold());
    }
    let cost = || session.cost(started);
    conclude(result, &cancellation, presenter, cost)
}

impl ApplyArgs {
    /// What the command wants to do.
    fn request<'a>(&self, saved: &SavedPlan, declarations: &'a Declarations) -> Request<'a> {
        let asks = Asks::a_person_unless(self.output == Output::Json);
        Request {
            tokens: Some(declarations),
            ..Request::of_api(is_for_sandbox(saved), asks)
        }
    }
}

fn does_not_hold() -> CommandError {
    refused("the plan does not hold any more; nothing was written".to_owned())
        .help("make another plan, or apply what still holds with --partial")
}

/// Whether the plan was made for this account.
fn is_for_account(session: &Session, saved: &SavedPlan) -> Result<(), CommandError> {
    let api = session.account().api();
    if api == saved.terms.api {
        return Ok(());
    }
    Err(refused(format!(
        "the plan was made for the API at {}, and this is {api}",
        saved.terms.api
    )))
}

/// Whether the plan was made for this target.
fn is_for(settings: &Settings, saved: &SavedPlan) -> Result<(), CommandError> {
    if settings.target.name == saved.terms.target {
        return Ok(());
    }
    Err(refused(format!(
        "the plan was made for target '{}', and this is '{}'",
        saved.terms.target, settings.target.name
    ))
    .help(format!("add --target {}", saved.terms.target)))
}
