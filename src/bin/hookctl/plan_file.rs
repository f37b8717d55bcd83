//! The file of a saved plan, written by `sync --out`, and read by `apply` and `show`.

use std::path::Path;

use hookctl::input::read_regular;
use hookctl::outside::Outside;
use hookctl::plan::Plan;
use hookctl::record::Account;
use hookctl::render::{Detail, Styles};
use hookctl::saved::{OpenError, Rendering, SavedPlan, SealedPlan};
use hookctl::secret::FingerprintKey;

use crate::error::{CommandError, chain};
use crate::exit_status::ExitStatus;
use crate::output_file;
use crate::place::stays_within;
use crate::presenter::Presenter;
use crate::settings::Settings;
use crate::{hints, mask};

/// The largest plan file that is read, in bytes. A plan for 100,000 webhooks is smaller.
const LARGEST: u64 = 256 * 1024 * 1024;

/// Writes a plan file atomically.
pub(crate) fn write(text: &str, path: &Path) -> Result<(), CommandError> {
    let here = std::env::current_dir();
    let folder = path.parent().unwrap_or(Path::new(""));
    let stays = here.and_then(|here| stays_within(&here, &here.join(folder)));
    let put = stays.and_then(|()| output_file::put(path, text.as_bytes()));
    put.map_err(|error| {
        let path = Outside::path(path);
        CommandError::new(
            "plan-file",
            format!("could not write the plan to {path}: {error}"),
        )
    })
}

/// Returns a plan as the text of its file.
pub(crate) fn text(saved: &SavedPlan, key: &FingerprintKey) -> Result<String, CommandError> {
    saved
        .to_file(key)
        .map_err(|error| CommandError::caused("plan-file", &error))
}

/// Returns what the file contains for `hookctl show`.
pub(crate) fn rendering(presenter: &Presenter<'_>, plan: &Plan) -> Rendering {
    let shown = &*mask::shown(plan);
    let text = |detail| hookctl::render::plan(shown, presenter.context(), &Styles::plain(), detail);
    Rendering {
        document: presenter.document(plan),
        full: text(Detail::Full),
        compact: text(Detail::Compact),
    }
}

/// Reads a plan file. Its content is not parsed before its seal is checked.
pub(crate) fn read(path: &Path) -> Result<SealedPlan, CommandError> {
    let shown = Outside::path(path);
    let failed = |what: String| {
        CommandError::new(
            "plan-file",
            format!("could not read the plan in {shown}: {what}"),
        )
    };
    let content = read_regular(path, LARGEST).map_err(|error| failed(error.to_string()))?;
    if content.len() as u64 > LARGEST {
        return Err(failed("it is larger than 256 MiB".to_owned()));
    }
    SealedPlan::read(content).map_err(|error| failed(error.to_string()).hints(hints::of(&error)))
}

/// Checks the seal of a plan, and opens it.
pub(crate) fn open(
    sealed: &SealedPlan,
    key: &FingerprintKey,
    path: &Path,
) -> Result<SavedPlan, CommandError> {
    sealed.open(key).map_err(|error| {
        let shown = Outside::path(path);
        let text = format!("refusing the plan in {shown}: {}", chain(&error));
        let refusal = match error {
            OpenError::OtherVersion(_) => refused(text),
            _ => CommandError::new("plan-seal", text),
        };
        refusal.hints(hints::of(&error))
    })
}

/// Returns the error for a plan that is no longer current.
pub(crate) fn refused(message: String) -> CommandError {
    CommandError::new("stale-plan", message).status(ExitStatus::Refused)
}

/// Checks that the plan was made for this account.
pub(crate) fn is_for_account(account: &Account, saved: &SavedPlan) -> Result<(), CommandError> {
    let api = account.api();
    if *api == saved.terms().api {
        return Ok(());
    }
    Err(refused(format!(
        "the plan was made for the API at {}, not {api}",
        saved.terms().api
    )))
}

/// Checks that the plan was made for this target.
pub(crate) fn is_for(settings: &Settings, saved: &SavedPlan) -> Result<(), CommandError> {
    if settings.target.name == saved.terms().target {
        return Ok(());
    }
    Err(refused(format!(
        "the plan was made for target '{}', not '{}'",
        saved.terms().target,
        settings.target.name
    ))
    .hint(format!("add --target {}", saved.terms().target)))
}
