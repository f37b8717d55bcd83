//! The file of a saved plan, written by `sync --out` and read by `apply`.

use std::path::Path;

use hookctl::input::read_regular;
use hookctl::outside::Outside;
use hookctl::saved::{OpenError, SavedPlan, SealedPlan};
use hookctl::secret::FingerprintKey;

use crate::error::{CommandError, chain};
use crate::exit_status::ExitStatus;
use crate::hints;
use crate::output_file;
use crate::place::stays_within;

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
