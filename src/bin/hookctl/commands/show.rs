//! `hookctl show`: prints a saved plan. Sends nothing.

use std::io::IsTerminal as _;
use std::path::PathBuf;

use clap::Args;
use hookctl::render::{Detail, Styles, styled_plan};
use hookctl::saved::SavedPlan;
use hookctl::secret::{FingerprintKey, Secret};
use hookctl::webhook::Key;

use crate::args::{DetailArgs, Form, GlobalArgs};
use crate::emulator::SANDBOX_KEY;
use crate::environment::Environment;
use crate::error::CommandError;
use crate::exit_status::ExitStatus;
use crate::mask;
use crate::plan_file::{self, is_for, is_for_account};
use crate::problems::show_settings_error;
use crate::record_ahead::account;
use crate::session::Session;
use crate::settings::Settings;
use crate::signals::{cancel_on_signal, unless_cancelled};
use crate::trust::{Asks, Request, clear};
use crate::ui::Ui;

/// The arguments of `hookctl show`.
#[derive(Debug, Args)]
#[command(
    after_help = "It checks the seal, the version, the target, and the API of the plan, as `hookctl apply` does. \
    Only an apply compares the plan with the files and the API.

Examples:
  hookctl sync --dry-run --out plan.json   make and save the plan
  hookctl show plan.json                   print it as that dry run did
  hookctl show plan.json --output json     print its JSON document"
)]
pub(crate) struct ShowArgs {
    /// The file written by `hookctl sync --dry-run --out`
    plan: PathBuf,
    /// Output format
    #[arg(long, value_name = "FORMAT", value_enum, default_value_t = Form::Human)]
    output: Form,
    #[command(flatten)]
    detail: DetailArgs,
}

/// Runs the command.
pub(crate) async fn run(
    ui: &Ui,
    global: &GlobalArgs,
    args: &ShowArgs,
    environment: &Environment,
) -> ExitStatus {
    match opened(ui, global, args, environment).await {
        Ok(saved) => {
            show(ui, args, &saved);
            ExitStatus::Success
        }
        Err(error) => ui.fail(&error, args.output == Form::Json),
    }
}

fn show(ui: &Ui, args: &ShowArgs, saved: &SavedPlan) {
    if args.output == Form::Json {
        ui.result(&hookctl::outside::json::text(saved.document()));
        return;
    }
    let text = match args.detail.choice().unwrap_or_else(|| fitting(saved)) {
        Detail::Full => saved.full(),
        Detail::Compact | Detail::Summary => saved.compact(),
    };
    let styles = Styles::new(ui.color_out());
    ui.human(&styled_plan(&mask::masked(text), &styles));
    let terms = saved.terms();
    let mut remark = format!(
        "Saved at {} for target '{}' ({}).\n",
        saved.made_at(),
        terms.target,
        terms.api
    );
    let unseen: Vec<&str> = saved.unseen_tokens().map(Key::as_str).collect();
    if !unseen.is_empty() {
        remark += &format!("Tokens that were not resolved: {}.\n", unseen.join(", "));
    }
    ui.remark(&remark);
}

/// Returns the detail that the dry run chose: what fits on the screen, and everything elsewhere.
fn fitting(saved: &SavedPlan) -> Detail {
    let actions = saved.document().get("actions");
    let count = actions
        .and_then(|actions| actions.as_array())
        .map_or(0, Vec::len);
    if std::io::stdout().is_terminal() {
        Detail::for_actions(count)
    } else {
        Detail::Full
    }
}

/// Opens the plan after the checks that need neither the files nor the API.
async fn opened(
    ui: &Ui,
    global: &GlobalArgs,
    args: &ShowArgs,
    environment: &Environment,
) -> Result<SavedPlan, CommandError> {
    let cancellation = cancel_on_signal()?;
    let sealed = plan_file::read(&args.plan)?;
    let settings = Settings::resolve(global).map_err(|error| show_settings_error(ui, error))?;
    let saved = if sealed.is_for_sandbox() {
        let key = Secret::new(SANDBOX_KEY.to_owned());
        let key = key.map_err(|error| CommandError::caused("api-key", &error))?;
        plan_file::open(&sealed, &FingerprintKey::derive(&key), &args.plan)?
    } else {
        let asks = Asks::a_person_unless(args.output == Form::Json);
        let session = session(ui, &settings, environment, asks);
        let session = unless_cancelled(&cancellation, session).await??;
        plan_file::open(&sealed, session.fingerprint_key(), &args.plan)?
    };
    is_for(&settings, &saved)?;
    is_for_account(&account(&settings, sealed.is_for_sandbox()), &saved)?;
    Ok(saved)
}

/// Returns a session, for the key of the seal.
async fn session(
    ui: &Ui,
    settings: &Settings,
    environment: &Environment,
    asks: Asks,
) -> Result<Session, CommandError> {
    let cleared = clear(ui, settings, environment, Request::of_api(false, asks)).await?;
    Session::without_record(settings, environment, &cleared).await
}
