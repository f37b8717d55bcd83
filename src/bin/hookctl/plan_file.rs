//! The file of a saved plan: written by `sync --out`, read by `apply`.

use std::path::Path;

use hookctl::input::read_regular;
use hookctl::outside::Outside;
use hookctl::saved::{FORMAT_VERSION, SavedPlan};

use crate::error::CommandError;
use crate::exit_status::ExitStatus;
use crate::output_file;

/// The largest plan file that is read, in bytes: a plan for 100,000 webhooks is smaller.
const LARGEST: u64 = 256 * 1024 * 1024;

/// Writes a plan, as a whole or not at all.
pub(crate) fn write(saved: &SavedPlan, path: &Path) -> Result<(), CommandError> {
    let failed = |error: &dyn std::fmt::Display| {
        let path = Outside::path(path);
        CommandError::new(
            "plan-file",
            format!("could not write the plan to {path}: {error}"),
        )
    };
    let text = text(saved)?;
    output_file::put(path, text.as_bytes()).map_err(|error| failed(&error))
}

/// A plan as the text of its file.
pub(crate) fn text(saved: &SavedPlan) -> Result<String, CommandError> {
    let text = serde_json::to_string_pretty(saved)
        .map_err(|error| CommandError::caused("plan-file", &error))?;
    Ok(text + "\n")
}

/// Reads a plan that this version wrote.
pub(crate) fn read(path: &Path) -> Result<SavedPlan, CommandError> {
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

/// Refuses a plan that does not hold.
pub(crate) fn refused(message: String) -> CommandError {
    CommandError::new("stale-plan", message).status(ExitStatus::Refused)
}
