//! `hookctl apply`: apply a plan that was saved and reviewed, if it still holds.

use std::path::PathBuf;
use std::time::Instant;

use clap::Args;
use hookctl::apply::ApplyOptions;
use hookctl::declaration::Declarations;
use hookctl::plan::safety::Overrides;
use hookctl::plan::{Plan, Policy};
use hookctl::reconcile::{self, Pass, PassError};
use hookctl::saved::{Now, SavedPlan, SealedPlan, Stale};
use hookctl::webhook::Key;

use crate::args::{GlobalArgs, SettlingArgs};
use crate::environment::Environment;
use crate::error::CommandError;
use crate::exit_status::ExitStatus;
use crate::plan_file::{self, refused};
use crate::presenter::{Output, Presenter};
use crate::run::{Approval, apply, conclude, policy};
use crate::secrets::{Missing, Resolved, clear_and_resolve};
use crate::session::{Session, record_error};
use crate::settings::Settings;
use crate::signals::{cancel_on_signal, unless_cancelled};
use crate::trust::{Asks, Request, clear};
use crate::ui::Ui;
use crate::unseen::{self, UnseenTokens};

/// The arguments of `hookctl apply`.
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a switch of the command line"
)]
#[derive(Debug, Args)]
#[command(
    after_help = "The plan is made again and compared with the file, action by action. If \
anything differs, nothing is written (exit code 5), unless --partial says to apply what still holds.

The file has one seal, made with the API key or `fingerprint_key`. A file that is not as it was \
written is refused before anything of it is read.

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
    /// What to do with tokens that a plan made with --allow-missing-secrets did not see
    #[arg(long, value_name = "WHAT", value_enum)]
    unseen_tokens: Option<UnseenTokens>,
    #[command(flatten)]
    settling: SettlingArgs,
    /// Apply also what the safety limits refuse
    #[arg(long)]
    force: bool,
    /// Accept that nothing is declared
    #[arg(long)]
    allow_empty: bool,
    /// Apply a plan that was made with --sandbox, there
    #[arg(long)]
    sandbox: bool,
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
    let sealed = plan_file::read(&args.plan);
    let mut presenter = Presenter::new(ui, args.output, false, args.sandbox);
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
    let settings = presenter.settings(global)?;
    presenter.loose(settings.guards.loose(environment));
    let opening = opened(ui, args, sealed, &settings, environment);
    let (session, saved) = unless_cancelled(&cancellation, opening).await??;
    let declarations = presenter.declarations(&settings, environment)?;
    let request = args.request(sealed);
    let resolving = tokens(ui, &settings, environment, &declarations, request);
    let resolved = unless_cancelled(&cancellation, resolving).await??;
    presenter.secrets(resolved.diagnostics)?;
    let secrets = resolved.secrets;
    let whole = policy(saved.terms())?;
    let chosen;
    let store = session
        .store()
        .open()
        .map_err(|error| record_error(&error))?;
    let remembered = store.remembered().map_err(|error| record_error(&error))?;
    let sources = unseen::sources(&declarations, session.fingerprint_key());
    let mut desired = session.desired(declarations, &secrets, &remembered, &saved.salts())?;
    if args.unseen_tokens == Some(UnseenTokens::Keep) {
        desired.leave_tokens(saved.unseen_tokens());
    }
    let provenance = || crate::provenance::of(&settings.webhooks_dir, &settings.root);
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
        let now = Now {
            plan,
            document: &presenter.document(plan),
            sources: &sources,
        };
        saved.stale(now, session.fingerprint_key())
    };
    if args.partial {
        let plan = match reconcile::prepare(&pass(&whole), &remembered).await {
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
        chosen = Policy {
            only: whole.only.clone().except(left),
            ..whole.clone()
        };
    } else {
        chosen = whole.clone();
    }
    let mut found = Found::default();
    let documents = Presenter::new(ui, args.output, false, args.sandbox);
    let mut approve = |plan: &Plan| {
        let mut differing = compare(&documents, plan);
        if args.partial {
            differing.retain(|stale| plan.actions.iter().any(|action| action.key == stale.key));
        }
        let forbidden = unseen::forbidden(&saved, plan, args.unseen_tokens);
        found.review(differing, forbidden, saved.unseen_writes(plan))
    };
    let pass = pass(&chosen);
    let result = apply(ui, &pass, session.store(), store, presenter, &mut approve).await;
    if let Ok(Some(report)) = &result
        && report.plan.actions.is_empty()
        && !args.partial
    {
        found.stale = compare(presenter, &report.plan);
    }
    found.conclude(&saved, args.unseen_tokens, presenter)?;
    let cost = || session.cost(started);
    conclude(result, &cancellation, presenter, cost)
}

impl ApplyArgs {
    /// What the command wants to do before the plan is read.
    fn request(&self, sealed: &SealedPlan) -> Request<'static> {
        let asks = Asks::a_person_unless(self.output == Output::Json);
        Request::of_api(sealed.is_for_sandbox(), asks)
    }
}

/// Opens the session, with consent, and then the plan: the first moment at which the key of its seal is known, and before any token
/// is asked for.
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
                .help("add --sandbox to apply it there"));
        }
        (false, true) => {
            return Err(refused("the plan was not made for the sandbox".to_owned())
                .help("leave --sandbox out"));
        }
        (true, true) | (false, false) => {}
    }
    let cleared = clear(ui, settings, environment, args.request(sealed)).await?;
    let session = Session::open(settings, environment, &cleared).await?;
    let saved = plan_file::open(sealed, session.fingerprint_key(), &args.plan)?;
    is_for(settings, &saved)?;
    is_for_account(&session, &saved)?;
    Ok((session, saved))
}

/// Follows the sources of the tokens, with consent. The API has consent already.
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

/// What the one review of a plan found.
#[derive(Default)]
struct Found {
    rounds: usize,
    /// What does not hold any more.
    stale: Vec<Stale>,
    /// Tokens that were not seen and may not be written.
    forbidden: Vec<Key>,
    /// Tokens that were not seen and are written.
    written: Vec<Key>,
}

impl Found {
    /// Takes note of what the first round found. What a further round would do was not reviewed.
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

    /// Refuses what may not be applied, and says what was done about tokens that were not seen.
    fn conclude(
        self,
        saved: &SavedPlan,
        choice: Option<UnseenTokens>,
        presenter: &mut Presenter<'_>,
    ) -> Result<(), CommandError> {
        if !self.stale.is_empty() {
            presenter.stale(&self.stale, false);
            return Err(
                refused("the plan does not hold any more; nothing was written".to_owned())
                    .help("make another plan, or apply what still holds with --partial"),
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
            presenter.tell(unseen::notice(&keys, choice));
        }
        Ok(())
    }
}

/// Whether the plan was made for this account.
fn is_for_account(session: &Session, saved: &SavedPlan) -> Result<(), CommandError> {
    let api = session.account().api();
    if *api == saved.terms().api {
        return Ok(());
    }
    Err(refused(format!(
        "the plan was made for the API at {}, and this is {api}",
        saved.terms().api
    )))
}

/// Whether the plan was made for this target.
fn is_for(settings: &Settings, saved: &SavedPlan) -> Result<(), CommandError> {
    if settings.target.name == saved.terms().target {
        return Ok(());
    }
    Err(refused(format!(
        "the plan was made for target '{}', and this is '{}'",
        saved.terms().target,
        settings.target.name
    ))
    .help(format!("add --target {}", saved.terms().target)))
}
