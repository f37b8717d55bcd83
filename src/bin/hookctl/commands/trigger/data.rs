//! The data that is merged into a payload: JSON on the command line, or in a file.

use std::path::Path;

use hookctl::input::read_regular;
use hookctl::outside::Outside;
use serde_json::{Map, Value};

use crate::error::CommandError;
use crate::exit_status::ExitStatus;

/// The maximum size of a file of data, in bytes.
const LIMIT: u64 = 512 * 1024;

/// Returns the JSON object of `--data`: the text itself, or the content of the file that it names.
pub(super) fn read(text: &str) -> Result<Map<String, Value>, CommandError> {
    if text.trim_start().starts_with('{') {
        return parsed(text, "--data");
    }
    let path = Path::new(text);
    let shown = Outside::path(path);
    let content = read_regular(path, LIMIT).map_err(|error| {
        let message = format!("could not read the data in {shown}: {error}");
        CommandError::new("trigger-data", message).hint(
            "name a file, or pass a JSON object such as '{\"run\": {\"status\": \"failed\"}}'",
        )
    })?;
    parsed(&String::from_utf8_lossy(&content), &shown.to_string())
}

fn parsed(text: &str, place: &str) -> Result<Map<String, Value>, CommandError> {
    serde_json::from_str(text).map_err(|error| {
        let message = format!("{place} is not a JSON object: {error}");
        CommandError::new("trigger-data", message).status(ExitStatus::Usage)
    })
}
