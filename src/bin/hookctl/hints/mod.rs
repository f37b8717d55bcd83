//! What to do about an error. The errors of the library say what failed; this module adds the advice.

use std::error::Error;

use hookctl::apply::UndecidedCreate;
use hookctl::config::{ApiBaseUrl, DiscoverError};
use hookctl::plan::PlanProblem;
use hookctl::plan::safety::Refusal;
use hookctl::record::shared::{BlobErrorKind, SharedError};
use hookctl::record::{RecordError, RecordErrorKind};
use hookctl::remote::http::ClientError;
use hookctl::remote::{ApiError, ObserveError};
use hookctl::report::{ActionError, Duplicate};
use hookctl::saved::{NoPlan, OpenError};
use hookctl::secret::{ResolveError, TooShort};
use hookctl::trust::GatherError;
use hookctl::watch::FsEventsError;

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

/// For a create that several new webhooks match.
const SEVERAL_CREATED: &[&str] = &[
    "delete the duplicates in the dashboard",
    "pin the right one with `id:`",
];

/// For an object of a shared record that is not what was written.
const DAMAGED_OBJECT: &[&str] = &[
    "restore the object from a version of the bucket",
    "`hookctl record repair` rebuilds the record from what can be read, and the API",
];

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

/// Returns the base URL that a text without a scheme most likely means. A text without a dot may be anything, even a key.
pub(crate) fn with_scheme(text: &str) -> Option<ApiBaseUrl> {
    let (host, _) = text.split_once(['/', ':']).unwrap_or((text, ""));
    let is_local = host == "localhost" || host == "127.0.0.1";
    if text.contains("://") || !is_local && !host.contains('.') {
        return None;
    }
    let scheme = if is_local { "http" } else { "https" };
    ApiBaseUrl::parse(&format!("{scheme}://{text}")).ok()
}

/// The hints that do not depend on values of the error.
fn fixed(error: &(dyn Error + 'static)) -> &'static [&'static str] {
    None.or_else(|| error.downcast_ref().map(record))
        .or_else(|| error.downcast_ref().map(api))
        .or_else(|| error.downcast_ref().map(list))
        .or_else(|| error.downcast_ref().map(refusal))
        .or_else(|| error.downcast_ref().map(problem))
        .or_else(|| error.downcast_ref().map(undecided))
        .or_else(|| error.downcast_ref().map(action))
        .or_else(|| error.downcast_ref().map(duplicate))
        .or_else(|| error.downcast_ref().map(consent))
        .or_else(|| error.downcast_ref().map(configuration))
        .or_else(|| error.downcast_ref().copied().map(plan_file))
        .or_else(|| error.downcast_ref().map(plan_seal))
        .or_else(|| error.downcast_ref().map(secret))
        .or_else(|| error.downcast_ref().copied().map(fingerprint_key))
        .or_else(|| error.downcast_ref().map(client))
        .or_else(|| error.downcast_ref().map(file_events))
        .unwrap_or_default()
}

fn record(error: &RecordError) -> &'static [&'static str] {
    if let Some(error) = error.cause().downcast_ref() {
        return shared_record(error);
    }
    match error.kind() {
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

fn shared_record(error: &SharedError) -> &'static [&'static str] {
    match error {
        SharedError::Missing => &["create it with `hookctl record init`"],
        SharedError::OtherEpoch { .. } => &["`hookctl record status` shows the current holder"],
        SharedError::Fenced | SharedError::Ended => {
            &["run it again: it settles what this run left pending"]
        }
        SharedError::Store(error) => match error.kind() {
            BlobErrorKind::TooLarge => DAMAGED_OBJECT,
            BlobErrorKind::NoBucket => &[
                "create the bucket, or correct its name in `record`; hookctl creates objects only",
            ],
            BlobErrorKind::Elsewhere => &[
                "set `region` of `record` to the region of the bucket",
                "if `record` has an `endpoint`, set it to that of this region",
            ],
            BlobErrorKind::Denied => &[
                "check the credentials, and their permissions to read, list, and write below the prefix",
            ],
            _ => &["check the address and the region of `record`"],
        },
        SharedError::Damaged { .. } => DAMAGED_OBJECT,
        SharedError::RolledBack { .. } => &[
            "restore the latest version of the objects",
            "to accept the older state, delete `shared-*.json` in `.hookctl`; each change since then is made again or seen as drift",
        ],
        SharedError::Newer { .. } => &["use that version of hookctl"],
        SharedError::OtherAccount { .. } => &["name another prefix in `record`"],
        SharedError::Moved { .. } => &["name that address in `record`"],
        SharedError::Unsafe { .. } => &[
            "use a store that honours If-Match and If-None-Match, such as S3, Azure Blob Storage, or Google Cloud Storage",
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
        ApiError::Untrusted {
            unknown_issuer: true,
            ..
        } => &[
            "install the certificate of its authority on this machine, or on Linux, name a PEM file that contains it in \
             SSL_CERT_FILE",
        ],
        ApiError::Untrusted { .. } => {
            &["check `api_url` of the target, and the clock of this machine"]
        }
        ApiError::NotServed { .. }
        | ApiError::Unexpected {
            status: 300..400, ..
        } => &["check `api_url` of the target"],
        _ => &[],
    }
}

fn list(error: &ObserveError) -> &'static [&'static str] {
    match error {
        ObserveError::Unstable => &["retry when no other program changes the webhooks"],
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
        _ => &[],
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
        PlanProblem::Unreadable { .. } | PlanProblem::UnreadableName { .. } => &[
            "correct the webhook in the dashboard",
            "leave the declaration out with --only",
        ],
        // The hints of a renamed key contain its names.
        _ => &[],
    }
}

fn action(error: &ActionError) -> &'static [&'static str] {
    match error {
        ActionError::Api(error) | ActionError::Unanswered(error) => api(error),
        ActionError::NotEnded { refusal, .. } => api(refusal),
        ActionError::Unread(error) => list(error),
        ActionError::Ambiguous(_) => SEVERAL_CREATED,
        _ => &[],
    }
}

const fn undecided(_: &UndecidedCreate) -> &'static [&'static str] {
    SEVERAL_CREATED
}

const fn duplicate(_: &Duplicate) -> &'static [&'static str] {
    &["delete one of the two, and pin the other with `id:`"]
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
        _ => &[],
    }
}

fn configuration(error: &DiscoverError) -> &'static [&'static str] {
    match error {
        DiscoverError::NotOurs { .. } | DiscoverError::Elsewhere { .. } => {
            &["name it with --config, or create a hookctl.yaml in the working directory"]
        }
        DiscoverError::Both { .. } => &["keep one of the two"],
        _ => &[],
    }
}

fn plan_file(error: NoPlan) -> &'static [&'static str] {
    match error {
        NoPlan::Form => {
            &["create the file with `hookctl sync --dry-run --out FILE`, and apply it unmodified"]
        }
        NoPlan::Version => &["save a new plan with this version"],
        _ => &[],
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
        _ => &[],
    }
}

fn secret(error: &ResolveError) -> &'static [&'static str] {
    match error {
        ResolveError::Escapes { .. } => {
            &["write an absolute path to read a file outside the repository"]
        }
        ResolveError::NoConsent { .. } | ResolveError::Changed { .. } => {
            &["review it and consent with `hookctl trust`"]
        }
        _ => &[],
    }
}

const fn fingerprint_key(_: TooShort) -> &'static [&'static str] {
    &["use 32 random bytes, as printed by `openssl rand -hex 32`"]
}

fn client(error: &ClientError) -> &'static [&'static str] {
    match error {
        ClientError::Proxy { .. } => &["write it as http://proxy.example.com:3128, or unset it"],
        _ => &[],
    }
}

fn file_events(error: &FsEventsError) -> &'static [&'static str] {
    match error {
        FsEventsError::OutOfWatches => &["raise fs.inotify.max_user_watches (sysctl)"],
        FsEventsError::OutOfWatchers => &["raise fs.inotify.max_user_instances (sysctl)"],
        _ => &[],
    }
}

/// The hints that name values of the error.
fn made(error: &(dyn Error + 'static)) -> Vec<String> {
    let renamed = error.downcast_ref().map(renamed);
    let held = || error.downcast_ref().map(held);
    renamed.or_else(held).unwrap_or_default()
}

fn renamed(problem: &PlanProblem) -> Vec<String> {
    let PlanProblem::RenamedKey { key, old, id, .. } = problem else {
        return Vec::new();
    };
    vec![
        format!("if the key was renamed, run `hookctl record rename {old} {key}`"),
        format!("or pin it: add `id: {id}` to '{key}'"),
        format!("if a second webhook is intended, give '{key}' another name"),
    ]
}

fn held(error: &RecordError) -> Vec<String> {
    let Some(SharedError::Held { epoch, .. }) = error.cause().downcast_ref() else {
        return Vec::new();
    };
    vec![
        "it ends by itself, or is replaced when its lease ends".to_owned(),
        format!(
            "if you know that it hangs, take the record away from it with `hookctl record unlock --epoch {epoch}`"
        ),
        "raise --lock-timeout to wait longer".to_owned(),
    ]
}

#[cfg(test)]
mod tests;
