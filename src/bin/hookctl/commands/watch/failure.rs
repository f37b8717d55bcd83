//! The error of a pass without a report, as the log and the page show it.

use hookctl::reconcile::PassError;

use crate::error::CommandError;
use crate::hints;

/// Converts the error of a pass.
pub(super) fn of_pass(error: &PassError) -> CommandError {
    match error {
        PassError::Plan(problems) => {
            let texts: Vec<String> = problems.problems.iter().map(ToString::to_string).collect();
            let hints = problems
                .problems
                .iter()
                .flat_map(|problem| hints::of(problem));
            CommandError::new("no-plan", texts.join("; ")).hints(hints)
        }
        PassError::Refused { refusal, .. } => CommandError::caused(refusal.code(), refusal),
        other => CommandError::caused("pass", other),
    }
}
