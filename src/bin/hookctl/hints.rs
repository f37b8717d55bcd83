//! What to do about an error. The errors of the library say what failed; this module adds the advice.

use std::error::Error;

use hookctl::apply::UndecidedCreate;
use hookctl::config::DiscoverError;
use hookctl::plan::PlanProblem;
use hookctl::plan::safety::Refusal;
use hookctl::record::{RecordError, RecordErrorKind};
use hookctl::remote::http::ClientError;
use hookctl::remote::{ApiError, ObserveError};
use hookctl::report::Duplicate;
use hookctl::saved::{NoPlan, OpenError};
use hookctl::secret::{ResolveError, TooShort};
use hookctl::trust::GatherError;
use hookctl::watch::HintsError;

/// For a rule that refuses a key of the API where a token is expected.
pub(crate) const SEPARATE_TOKEN: &str =
    "give the token a variable, a file, or a program of its own";

/// For a folder that cannot hold the record.
pub(crate) const RECORD_FOLDER: &str =
    "name an empty folder, or the folder of a record, with --cache-dir";

/// For a command that needs the API's URL.
pub(crate) const API_URL: &str = "set `api_url` of the target in hookctl.yaml, or use --api-url or HOOKCTL_API_URL \
                                  (such as https://api-prod.interactly.ai)";

/// For a command that needs an account.
pub(crate) const SANDBOX: &str = "use --sandbox to try hookctl without an account";

/// Returns the hints for an error and its causes, one action each.
pub(crate) fn of(error: &(dyn Error + 'static)) -> Vec<String> {
    let mut hints: Vec<String> = Vec::new();
    let mut cause = Some(error);
    while let Some(error) = cause {
        for hint in fixed(error)
            .iter()
            .map(|&hint| hint.to_owned())
            .chain(made(error))
        {
            if !hints.contains(&hint) {
                hints.push(hint);
            }
        }
        cause = error.source();
    }
    hints
}

/// The hints that do not depend on values of the error.
fn fixed(error: &(dyn Error + 'static)) -> &'static [&'static str] {
    if let Some(error) = error.downcast_ref::<RecordError>() {
        record(error.kind())
    } else if let Some(error) = error.downcast_ref() {
        api(error)
    } else if let Some(ObserveError::Unstable) = error.downcast_ref() {
        &["retry when no other program changes the webhooks"]
    } else if let Some(error) = error.downcast_ref() {
        refusal(error)
    } else if let Some(error) = error.downcast_ref() {
        problem(error)
    } else if error.is::<UndecidedCreate>() {
        &[
            "delete the duplicates in the dashboard",
            "pin the right one with `id:`",
        ]
    } else if error.is::<Duplicate>() {
        &["delete one of the two, and pin the other with `id:`"]
    } else if let Some(error) = error.downcast_ref() {
        consent(error)
    } else if let Some(error) = error.downcast_ref() {
        configuration(error)
    } else if let Some(error) = error.downcast_ref() {
        plan_file(error)
    } else if let Some(error) = error.downcast_ref() {
        plan_seal(error)
    } else if let Some(ResolveError::Escapes { .. }) = error.downcast_ref() {
        &["write an absolute path to read a file outside the repository"]
    } else if error.is::<TooShort>() {
        &["use 32 random bytes, as printed by `openssl rand -hex 32`"]
    } else if let Some(ClientError::Proxy { .. }) = error.downcast_ref() {
        &["write it as http://proxy.example.com:3128, or unset it"]
    } else if let Some(error) = error.downcast_ref() {
        file_events(error)
    } else {
        &[]
    }
}

fn record(kind: RecordErrorKind) -> &'static [&'static str] {
    match kind {
        RecordErrorKind::Held => &["raise --lock-timeout to wait longer"],
        RecordErrorKind::Misplaced => &[RECORD_FOLDER],
        RecordErrorKind::Damaged => {
            &["`hookctl record repair` sets it aside and rebuilds it from the API"]
        }
        RecordErrorKind::Newer => &[
            "use that version of hookctl",
            "move the folder aside to start a new record",
        ],
        _ => &[],
    }
}

fn api(error: &ApiError) -> &'static [&'static str] {
    match error {
        ApiError::Unauthorized {
            team_headers_sent: false,
            ..
        } => &["if the key is correct, set `team_id` and `user_id` of the target too"],
        ApiError::NotServed { .. } => &["check `api_url` of the target"],
        _ => &[],
    }
}

fn refusal(refusal: &Refusal) -> &'static [&'static str] {
    match refusal {
        Refusal::NothingDeclared => &["add --allow-empty if no webhook is to be declared"],
        Refusal::ForeignAccount { .. } => &[
            "check the API key and the URL of the target: the key may belong to another team",
            "add --force if all of these webhooks were deleted",
        ],
        Refusal::TooMany { .. } => &[
            "add --force to apply this plan once",
            "raise the limit in hookctl.yaml to allow such plans",
        ],
    }
}

fn problem(problem: &PlanProblem) -> &'static [&'static str] {
    match problem {
        PlanProblem::Ambiguous { .. } => &["pin the right one with `id:`"],
        PlanProblem::Contested { .. } => &["pin each with `id:`", "give them different names"],
        PlanProblem::DoublyBound { .. } => &["change the `id:` of one of them"],
        PlanProblem::PinnedGone { .. } => &[
            "correct the `id:`",
            "remove the `id:` to create a new webhook",
        ],
        PlanProblem::PreventDestroy { .. } => {
            &["apply `prevent_destroy: false` first, then delete it"]
        }
        PlanProblem::RenamedKey { .. }
        | PlanProblem::Unreadable { .. }
        | PlanProblem::UnreadableName { .. } => &[],
    }
}

fn consent(error: &GatherError) -> &'static [&'static str] {
    match error {
        GatherError::HostNotAllowed { .. } => {
            &["correct the address, or add its host to HOOKCTL_ALLOWED_HOSTS"]
        }
        GatherError::FingerprintKeyInside { .. } => {
            &["name a variable, a program, or a file outside the repository"]
        }
        GatherError::TooManyNames { .. } => {
            &["move the arguments into a file of the repository, and run that file"]
        }
        GatherError::TooLarge { .. } => &[
            "name the files that the program needs, or a folder with nothing else in it: at most 4,096 files and \
             64 MiB are read",
        ],
        GatherError::Content { .. } => &["make it readable, so that consent can cover its content"],
    }
}

fn configuration(error: &DiscoverError) -> &'static [&'static str] {
    match error {
        DiscoverError::NotOurs { .. } | DiscoverError::Elsewhere { .. } => {
            &["name it with --config, or create a hookctl.yaml in the working directory"]
        }
        DiscoverError::Both { .. } => &["keep one of the two"],
        DiscoverError::Access { .. } => &[],
    }
}

fn plan_file(error: &NoPlan) -> &'static [&'static str] {
    match error {
        NoPlan::Form => {
            &["create the file with `hookctl sync --dry-run --out FILE`, and apply it unmodified"]
        }
        NoPlan::Version => &["save a new plan with this version"],
    }
}

fn plan_seal(error: &OpenError) -> &'static [&'static str] {
    match error {
        OpenError::OtherVersion(_) => &["plan and apply with one version"],
        OpenError::OtherKey => &[
            "name the --target of the plan",
            "to plan and apply with different API keys, set a `fingerprint_key` for the target and save a new plan",
        ],
        OpenError::Changed | OpenError::Content(_) => &["save a new plan"],
    }
}

fn file_events(error: &HintsError) -> &'static [&'static str] {
    match error {
        HintsError::OutOfWatches => &["raise fs.inotify.max_user_watches (sysctl)"],
        HintsError::OutOfWatchers => &["raise fs.inotify.max_user_instances (sysctl)"],
        HintsError::Unavailable(_) => &[],
    }
}

/// The hints that name values of the error.
fn made(error: &(dyn Error + 'static)) -> Vec<String> {
    let Some(PlanProblem::RenamedKey { key, old, id, .. }) = error.downcast_ref() else {
        return Vec::new();
    };
    vec![
        format!("if the key was renamed, run `hookctl record rename {old} {key}`"),
        format!("or pin it: add `id: {id}` to '{key}'"),
        format!("if a second webhook is intended, give '{key}' another name"),
    ]
}
