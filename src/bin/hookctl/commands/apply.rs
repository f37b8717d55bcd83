//! `hookctl apply`: apply a plan that was saved and reviewed, if it still holds.

use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::time::Instant;

use clap::Args;
use hookctl::apply::ApplyOptions;
use hookctl::plan::safety::Overrides;
use hookctl::plan::{Plan, Policy};
use hookctl::reconcile::{self, Pass, PassError};
use hookctl::render::Cost;
use hookctl::saved::{FORMAT_VERSION, SavedPlan, Stale};

use super::presenter::{Output, Presenter};
use super::secrets::{Missing, resolve_tokens};
use super::session::{Session, cancel_on_signal, record_error};
use super::sync::{Approval, SettlingArgs, apply, conclude, policy};
use crate::cli::GlobalArgs;
use crate::environment::Environment;
use crate::error::CommandError;
use crate::exit_status::ExitStatus;
use crate::settings::Settings;
use crate::ui::Ui;

/// The largest plan file that is read, in bytes: a plan for 100,000 webhooks is smaller.
const LARGEST: u64 = 256 * 1024 * 1024;

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
    let settings = presenter.settings(global)?;
    is_for(&settings, saved)?;
    let declarations = presenter.declarations(&settings, environment)?;
    let resolved = resolve_tokens(&declarations, &settings, environment, Missing::Error).await;
    presenter.secrets(resolved.diagnostics)?;
    let secrets = resolved.secrets;
    let session = Session::open(&settings, environment, is_for_sandbox(saved)).await?;
    if session.account().api() != saved.terms.api {
        return Err(refused(format!(
            "the plan was made for the API at {}, and this is {}",
            saved.terms.api,
            session.account().api()
        )));
    }
    let whole = policy(&saved.terms)?;
    let chosen;
    let store = session
        .store()
        .open()
        .map_err(|error| record_error(&error))?;
    let remembered = store.remembered().map_err(|error| record_error(&error))?;
    let desired = session.desired(declarations, &secrets, &remembered, &saved.salts())?;
    let cancellation = cancel_on_signal()?;
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
        return Err(
            refused("the plan does not hold any more; nothing was written".to_owned())
                .help("make another plan, or apply what still holds with --partial"),
        );
    }
    let cost = || Cost {
        requests: session.stats().requests,
        duration: started.elapsed(),
    };
    conclude(result, &cancellation, presenter, cost)
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

fn refused(message: String) -> CommandError {
    CommandError::new("stale-plan", message).status(ExitStatus::Refused)
}

/// Writes a plan, as a whole or not at all.
pub(super) fn write(saved: &SavedPlan, path: &Path) -> Result<(), CommandError> {
    let failed = |error: &dyn std::fmt::Display| {
        let path = path.display();
        CommandError::new(
            "plan-file",
            format!("could not write the plan to {path}: {error}"),
        )
    };
    let folder = match path.parent() {
        Some(folder) if folder != Path::new("") => folder,
        _ => Path::new("."),
    };
    let file = tempfile::NamedTempFile::new_in(folder).map_err(|error| failed(&error))?;
    let mut text = serde_json::to_string_pretty(saved).map_err(|error| failed(&error))?;
    text.push('\n');
    fs::write(file.path(), text).map_err(|error| failed(&error))?;
    file.persist(path).map_err(|error| failed(&error))?;
    Ok(())
}

fn read(path: &Path) -> Result<SavedPlan, CommandError> {
    let shown = path.display();
    let failed = |what: String| {
        CommandError::new(
            "plan-file",
            format!("could not read the plan in {shown}: {what}"),
        )
    };
    let mut content = Vec::new();
    fs::File::open(path)
        .and_then(|file| file.take(LARGEST).read_to_end(&mut content))
        .map_err(|error| failed(error.to_string()))?;
    let value: serde_json::Value = serde_json::from_slice(&content)
        .map_err(|error| failed(format!("it is not JSON ({error})")))?;
    let text = |name: &str| value.get(name).and_then(serde_json::Value::as_str);
    let theirs = text("tool_version");
    let (Some(FORMAT_VERSION), Some(theirs)) = (text("format_version"), theirs) else {
        return Err(
            failed("it is not a plan that --out of this version wrote".to_owned())
                .help("make it with `hookctl sync --dry-run --out FILE`"),
        );
    };
    let ours = env!("CARGO_PKG_VERSION");
    if theirs != ours {
        return Err(refused(format!(
            "the plan in {shown} was made by hookctl {theirs}, and this is {ours}"
        ))
        .help("make and apply it with one version"));
    }
    serde_json::from_value(value).map_err(|error| failed(error.to_string()))
}
