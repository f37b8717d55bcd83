//! The file of a saved plan: written by `sync --out`, read by `apply`.

use std::path::Path;

use hookctl::input::read_regular;
use hookctl::outside::Outside;
use hookctl::saved::{NoPlan, OpenError, SavedPlan, SealedPlan};
use hookctl::secret::FingerprintKey;

use crate::error::{CommandError, chain};
use crate::exit_status::ExitStatus;
use crate::output_file;
use crate::place::stays_within;

/// The largest plan file that is read, in bytes: a plan for 100,000 webhooks is smaller.
const LARGEST: u64 = 256 * 1024 * 1024;

/// Writes the file of a plan, as a whole or not at all.
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

/// A plan as the text of its file.
pub(crate) fn text(saved: &SavedPlan, key: &FingerprintKey) -> Result<String, CommandError> {
    saved
        .to_file(key)
        .map_err(|error| CommandError::caused("plan-file", &error))
}

/// Reads the file of a plan. Nothing that the plan says is known before its seal was checked.
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
    SealedPlan::read(content).map_err(|error| {
        failed(error.to_string()).help(match error {
            NoPlan::Form => {
                "make it with `hookctl sync --dry-run --out FILE`, and apply the file as it was \
                 written"
            }
            NoPlan::Version => "make another plan with this version",
        })
    })
}

/// Checks the seal of a plan, and returns it.
pub(crate) fn open(
    sealed: &SealedPlan,
    key: &FingerprintKey,
    path: &Path,
) -> Result<SavedPlan, CommandError> {
    sealed.open(key).map_err(|error| {
        let shown = Outside::path(path);
        let text = format!("the plan in {shown} is refused: {}", chain(&error));
        match error {
            OpenError::OtherVersion(_) => refused(text).help("make and apply it with one version"),
            OpenError::OtherKey => CommandError::new("plan-seal", text).help(
                "plan and apply with different API keys need a `fingerprint_key`: give the target \
                 one in hookctl.yaml, and make another plan. Or name the --target of the plan",
            ),
            OpenError::Changed | OpenError::Content(_) => CommandError::new("plan-seal", text)
                .help("make another plan; nothing of this one was read"),
        }
    })
}

/// Refuses a plan that does not hold.
pub(crate) fn refused(message: String) -> CommandError {
    CommandError::new("stale-plan", message).status(ExitStatus::Refused)
}
