//! `hookctl apply`: applies a saved plan, if it is still current.

use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use clap::Args;
use hookctl::apply::ApplyOptions;
use hookctl::declaration::Declarations;
use hookctl::plan::safety::Overrides;
use hookctl::plan::{Plan, Policy};
use hookctl::reconcile::{self, PassError, PlanInputs};
use hookctl::saved::{Now, SavedPlan, SealedPlan, Stale};
use hookctl::webhook::Key;

use crate::args::{DetailArgs, GlobalArgs, SettlingArgs};
use crate::early::{first, request_in};
use crate::environment::Environment;
use crate::error::CommandError;
use crate::exit_status::ExitStatus;
use crate::plan_file::{self, is_for, is_for_account, refused};
use crate::presenter::{Output, Presenter};
use crate::run::{Approval, Writing, apply, conclude, policy};
use crate::secrets::{Missing, Resolved, clear_and_resolve};
use crate::session::{Session, record_error};
use crate::settings::Settings;
use crate::signals::{cancel_on_signal, unless_cancelled};
use crate::trust::{Asks, Request, clear};
use crate::ui::Ui;
use crate::unseen::{self, UnseenTokens};

/// The arguments of `hookctl apply`.
#[expect(clippy::struct_excessive_bools, reason = "each is a command-line flag")]
#[derive(Debug, Args)]
#[command(
    after_help = "hookctl plans again and compares each action with the file. If anything differs, it \
    writes nothing and exits with 5. With --partial, it applies the actions that still match.

The plan is sealed with the API key or `fingerprint_key`. A file that was modified is rejected before \
its content is read.

Examples:
  hookctl sync --dry-run --out plan.json   make and save the plan
  hookctl apply plan.json                  apply exactly that plan"
)]
pub(crate) struct ApplyArgs {
    /// The file written by `hookctl sync --dry-run --out`
    plan: PathBuf,
    /// Apply the actions that are still current, and skip the rest
    #[arg(long)]
    partial: bool,
    /// What to do with tokens that a plan made with --allow-missing-secrets did not see
    #[arg(long, value_name = "WHAT", value_enum)]
    unseen_tokens: Option<UnseenTokens>,
    #[command(flatten)]
    settling: SettlingArgs,
    #[command(flatten)]
    detail: DetailArgs,
    /// Apply even if the plan exceeds the safety limits
    #[arg(long)]
    force: bool,
    /// Allow a plan in which no webhook is declared
    #[arg(long)]
    allow_empty: bool,
    /// Apply a plan made with --sandbox to the built-in emulator
    #[arg(long)]
    sandbox: bool,
    /// Output format
    #[arg(long, value_name = "FORMAT", value_enum, default_value_t = Output::Human)]
    output: Output,
}

/// Runs the command.
pub(crate) async fn run(
    ui: &Ui,
    global: &GlobalArgs,
    args: &ApplyArgs,
    environment: &Environment,
) -> ExitStatus {
    let sealed = plan_file::read(&args.plan);
    let mut presenter =
        Presenter::new(ui, args.output, false, args.sandbox).detailed(args.detail.choice());
    let result = match sealed {
        Ok(sealed) => run_sealed(ui, global, args, environment, &sealed, &mut presenter).await,
        Err(error) => Err(error),
    };
    match result {
        Ok(status) => status,
        Err(error) => presenter.fail(&error),
    }
}

async fn run_sealed(
    ui: &Ui,
    global: &GlobalArgs,
    args: &ApplyArgs,
    environment: &Environment,
    sealed: &SealedPlan,
    presenter: &mut Presenter<'_>,
) -> Result<ExitStatus, CommandError> {
    let started = Instant::now();
    let cancellation = cancel_on_signal()?;
    let settings = Arc::new(presenter.settings(global)?);
    presenter.loose(settings.guards.loose(environment));
    let opening = opened(ui, args, sealed, &settings, environment);
    let (session, saved) = unless_cancelled(&cancellation, opening).await??;
    let early = request_in(&session).await;
    let reading = crate::files::read_beside(&settings, environment);
    let declarations = presenter.declarations(unless_cancelled(&cancellation, reading).await?)?;
    let request = args.request(sealed);
    let resolving = tokens(ui, &settings, environment, &declarations, request);
    let resolved = unless_cancelled(&cancellation, resolving).await??;
    presenter.secrets(resolved.diagnostics)?;
    let whole = policy(saved.terms())?;
    let open = session.write().await?;
    let remembered = open.remembered().await;
    let remembered = remembered.map_err(|error| record_error(&error))?;
    let first_list = first(early, &session, &remembered, resolved.known).await;
    let sources = unseen::sources(&declarations, session.fingerprint_key());
    let mut desired =
        session.desired(declarations, &resolved.secrets, &remembered, &saved.salts())?;
    if args.unseen_tokens == Some(UnseenTokens::Keep) {
        desired.leave_tokens(saved.unseen_tokens());
    }
    let run = crate::provenance::run(environment);
    let provenance = || crate::provenance::of(&settings.webhooks_dir, &settings.root);
    let options = ApplyOptions {
        secrets: &resolved.secrets,
        concurrency: settings.concurrency,
        grace: args.settling.grace,
        provenance: Some(&provenance),
        run: Some(&run),
    };
    let inputs = |policy| PlanInputs {
        first_list: first_list.clone(),
        overrides: Overrides {
            force: args.force,
            allow_empty: args.allow_empty,
        },
        settle: args.settling.settle(),
        ..session.plan_inputs(&settings, &desired, policy, &cancellation)
    };
    let compare = |presenter: &Presenter<'_>, plan: &Plan| {
        let now = Now {
            plan,
            document: &presenter.document(plan),
            sources: &sources,
        };
        saved.stale(now, session.fingerprint_key())
    };
    let chosen = if args.partial {
        let plan = match reconcile::prepare(&inputs(whole.clone()), &remembered).await {
            Ok(planned) => planned.plan,
            Err(PassError::Refused { plan, refusal }) => {
                return Ok(presenter.refused(&plan, &refusal));
            }
            Err(error) => return Err(presenter.failed(&error)),
        };
        let mut stale = compare(presenter, &plan);
        if args.unseen_tokens == Some(UnseenTokens::Keep) {
            stale.extend(unseen::left_out(&saved, &plan));
        }
        presenter.stale(&stale, true);
        let left = stale.into_iter().map(|stale| stale.key);
        Policy {
            only: whole.only.clone().except(left),
            ..whole
        }
    } else {
        whole
    };
    let mut found = Found::default();
    let documents = Presenter::new(ui, args.output, false, args.sandbox);
    let mut approve = |plan: &Plan| {
        let mut differing = compare(&documents, plan);
        if args.partial {
            let planned: HashSet<&Key> = plan.actions.iter().map(|action| &action.key).collect();
            differing.retain(|stale| planned.contains(&stale.key));
        }
        let forbidden = unseen::forbidden(&saved, plan, args.unseen_tokens);
        found.review(differing, forbidden, saved.unseen_writes(plan))
    };
    let inputs = inputs(chosen);
    let writing = Writing {
        record: session.record(),
        open,
        // The plan was compared with the record.
        files: None,
    };
    let result = apply(ui, &inputs, &options, writing, presenter, &mut approve).await;
    if let Ok(Some(report)) = &result
        && report.plan.actions.is_empty()
        && !args.partial
    {
        found.stale = compare(presenter, &report.plan);
    }
    found.conclude(&saved, args.unseen_tokens, presenter)?;
    conclude(result, &cancellation, presenter, || session.stats(started))
}

impl ApplyArgs {
    /// Returns what this command needs consent for before the plan is opened.
    fn request(&self, sealed: &SealedPlan) -> Request<'static> {
        let asks = Asks::a_person_unless(self.output == Output::Json);
        Request::of_api(sealed.is_for_sandbox(), asks)
    }
}

/// Opens the session with consent, then the plan. The key of the seal is known only then, and no token is
/// resolved before the seal is checked.
async fn opened(
    ui: &Ui,
    args: &ApplyArgs,
    sealed: &SealedPlan,
    settings: &Settings,
    environment: &Environment,
) -> Result<(Session, SavedPlan), CommandError> {
    match (sealed.is_for_sandbox(), args.sandbox) {
        (true, false) => {
            return Err(refused("the plan was made for the sandbox".to_owned())
                .hint("add --sandbox to apply it there"));
        }
        (false, true) => {
            return Err(refused("the plan was not made for the sandbox".to_owned())
                .hint("remove --sandbox"));
        }
        (true, true) | (false, false) => {}
    }
    let cleared = clear(ui, settings, environment, args.request(sealed)).await?;
    let session = Session::open(settings, environment, &cleared).await?;
    let saved = plan_file::open(sealed, session.fingerprint_key(), &args.plan)?;
    is_for(settings, &saved)?;
    is_for_account(session.account(), &saved)?;
    Ok((session, saved))
}

/// Resolves the tokens, with consent. The API already has it.
async fn tokens(
    ui: &Ui,
    settings: &Settings,
    environment: &Environment,
    declarations: &Declarations,
    request: Request<'_>,
) -> Result<Resolved, CommandError> {
    let wanted = Request {
        api: false,
        tokens: Some(declarations),
        ..request
    };
    let missing = Missing::Error;
    let resolving = clear_and_resolve(ui, settings, environment, declarations, wanted, missing);
    resolving.await.map(|(_, resolved)| resolved)
}

/// What the review of the first round found.
#[derive(Default)]
struct Found {
    rounds: usize,
    /// The actions that are no longer current.
    stale: Vec<Stale>,
    /// Keys whose tokens the plan did not see, and that may not be written.
    forbidden: Vec<Key>,
    /// Keys whose tokens the plan did not see, and that are written.
    written: Vec<Key>,
}

impl Found {
    /// Records the findings of the first round. Further rounds were not reviewed by anyone.
    fn review(&mut self, stale: Vec<Stale>, forbidden: Vec<Key>, written: Vec<Key>) -> Approval {
        self.rounds += 1;
        let holds = stale.is_empty() && forbidden.is_empty() && self.rounds == 1;
        if self.rounds == 1 {
            self.stale = stale;
            self.forbidden = forbidden;
            self.written = written;
        }
        Approval::given_if(holds)
    }

    /// Refuses a plan that may not be applied, and reports what happens to unseen tokens.
    fn conclude(
        self,
        saved: &SavedPlan,
        choice: Option<UnseenTokens>,
        presenter: &mut Presenter<'_>,
    ) -> Result<(), CommandError> {
        if !self.stale.is_empty() {
            presenter.stale(&self.stale, false);
            return Err(
                refused("the plan is no longer current; nothing was written".to_owned())
                    .hint("save a new plan with `hookctl sync --dry-run --out`")
                    .hint("apply the actions that are still current with --partial"),
            );
        }
        if !self.forbidden.is_empty() {
            return Err(unseen::refused(&self.forbidden, choice));
        }
        let Some(choice) = choice else { return Ok(()) };
        let keys = match choice {
            UnseenTokens::Apply => self.written,
            UnseenTokens::Keep => saved.unseen_tokens().cloned().collect(),
        };
        if !keys.is_empty() {
            presenter.report(unseen::notice(&keys, choice));
        }
        Ok(())
    }
}
