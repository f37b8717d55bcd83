//! All secrets of a run: every source is followed before anything is written.

use std::collections::{BTreeMap, HashMap};

use futures_util::StreamExt as _;
use hookctl::declaration::Declarations;
use hookctl::diagnostic::{Code, Diagnostic, Diagnostics};
use hookctl::secret::{
    KeyValues, Permits, ResolveError, Secret, SecretSource, Secrets, resolve, resolve_token,
};
use hookctl::webhook::Key;

use crate::environment::Environment;
use crate::error::{CommandError, chain};
use crate::mask;
use crate::settings::Settings;
use crate::trust::{Cleared, Request, clear};
use crate::ui::Ui;

/// How many sources are followed at once: commands mostly wait for a server.
const AT_ONCE: usize = 16;

/// Whether a source that leads nowhere is an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Missing {
    /// It is.
    Error,
    /// It counts as unverified; only what writes nothing may say so.
    Allowed,
    /// The same, and neither a program is run nor a file outside the repository read: for files that nobody has
    /// looked at yet.
    Unseen,
}

/// What became of the declared tokens.
pub(crate) struct Resolved {
    /// The tokens.
    pub(crate) secrets: Secrets,
    /// What went wrong, each at its place.
    pub(crate) diagnostics: Diagnostics,
}

/// Finds out whether there is consent to what the files ask for, and follows the source of every declared token.
pub(crate) async fn clear_and_resolve(
    ui: &Ui,
    settings: &Settings,
    environment: &Environment,
    declarations: &Declarations,
    request: Request<'_>,
    missing: Missing,
) -> Result<(Cleared, Resolved), CommandError> {
    let cleared = clear(ui, settings, environment, request).await?;
    let resolved = resolve_tokens(declarations, settings, environment, missing, &cleared).await;
    Ok((cleared, resolved))
}

/// Follows the source of every declared token. A source that several webhooks share is followed once.
pub(crate) async fn resolve_tokens(
    declarations: &Declarations,
    settings: &Settings,
    environment: &Environment,
    missing: Missing,
    cleared: &Cleared,
) -> Resolved {
    // The environment alone: a token never comes from `vars`, which stand in a file.
    let lookup = |name: &str| environment.get(name);
    let mut distinct: Vec<&SecretSource> = Vec::new();
    let mut places: HashMap<&SecretSource, usize> = HashMap::new();
    let mut wanted = BTreeMap::new();
    let permits = cleared.permits();
    let mut stand_ins = Secrets::new();
    for (key, source) in declarations.secret_sources() {
        if missing == Missing::Unseen && is_outside(source) {
            continue;
        }
        if cleared.is_sandbox() && !permits.cover(source) {
            stand_ins.extend(stand_in(key).map(|secret| (key.clone(), secret)));
            continue;
        }
        let index = *places.entry(source).or_insert_with(|| {
            distinct.push(source);
            distinct.len() - 1
        });
        wanted.insert(key, index);
    }
    let keys = if distinct.is_empty() {
        KeyValues::none()
    } else {
        let outside = missing != Missing::Unseen;
        settings.keys.values(&lookup, environment.names(), outside)
    };
    let resolving: Vec<_> = distinct
        .into_iter()
        .map(|source| resolve_token(source, &lookup, permits, &keys))
        .collect();
    let results: Vec<_> = futures_util::stream::iter(resolving)
        .buffered(AT_ONCE)
        .collect()
        .await;
    let mut resolved = Resolved {
        secrets: stand_ins,
        diagnostics: Diagnostics::default(),
    };
    // All of them first: what one program says may hold another's secret.
    results.iter().flatten().for_each(mask::follow_token);
    for (key, index) in wanted {
        match results.get(index) {
            Some(Ok(secret)) => {
                if secret.begins_with_scheme() {
                    resolved.diagnostics.push(at(
                        Diagnostic::new(
                            Code::TokenScheme,
                            format!("the token of '{key}' begins with 'Bearer '"),
                        )
                        .help("the API adds 'Bearer ' by itself; leave it out of the token"),
                        declarations,
                        key,
                    ));
                }
                resolved.secrets.insert(key.clone(), secret.clone());
            }
            Some(Err(error)) => {
                let unresolved = unresolved(key, error, missing);
                let unresolved = unresolved.map(|found| at(found, declarations, key));
                if let Some(found) = unresolved {
                    resolved.diagnostics.push(found);
                }
            }
            None => {}
        }
    }
    resolved.diagnostics = settings.lints.apply(resolved.diagnostics);
    resolved
}

/// What is said of a token that its source did not give. A key in its place is told of even where a token may be
/// missing: nothing of it can be meant.
fn unresolved(key: &Key, error: &ResolveError, missing: Missing) -> Option<Diagnostic> {
    let said = mask::masked(&chain(error));
    let message = format!("the token of '{key}' could not be resolved: {said}");
    if matches!(error, ResolveError::IsKey { .. }) {
        let help = "give the token a variable, a file, or a program of its own";
        return Some(Diagnostic::new(Code::KeyAsToken, message).help(help));
    }
    (missing == Missing::Error).then(|| {
        Diagnostic::new(Code::SecretUnresolved, message).help(
            "make the source available; a dry run without secrets is possible with \
             --dry-run --allow-missing-secrets",
        )
    })
}

/// Whether a source leads out of the files of the repository and the variables of the job.
fn is_outside(source: &SecretSource) -> bool {
    match source {
        SecretSource::Command { .. } => true,
        SecretSource::File { confined_to, .. } => confined_to.is_none(),
        SecretSource::Env { .. } | SecretSource::Text { .. } => false,
    }
}

/// What stands in the sandbox for a token whose program nobody consented to: the same in every run, so that a
/// second one finds nothing to do.
fn stand_in(key: &Key) -> Option<Secret> {
    Secret::new(format!("sandbox-token-of-{key}")).ok()
}

/// Whether any source of a secret is a program.
pub(crate) fn runs_programs(declarations: &Declarations, settings: &Settings) -> bool {
    let target = &settings.target;
    declarations
        .secret_sources()
        .map(|(_, source)| source)
        .chain([&target.api_key])
        .chain(&target.fingerprint_key)
        .any(|source| matches!(source, SecretSource::Command { .. }))
}

fn at(diagnostic: Diagnostic, declarations: &Declarations, key: &Key) -> Diagnostic {
    match declarations.span_of_secret(key) {
        Some(span) => diagnostic.at(span, ""),
        None => diagnostic,
    }
}

/// Follows the source of the API key or of the key of fingerprints.
pub(crate) async fn resolve_key(
    what: &str,
    source: &SecretSource,
    environment: &Environment,
    permits: &Permits,
) -> Result<Secret, CommandError> {
    resolve(source, &|name| environment.get(name), permits)
        .await
        .inspect(mask::follow_key)
        .map_err(|error| {
            CommandError::new("api-key", format!("there is no {what}: {}", chain(&error))).help(
                "set it in the environment, or name another source under the target's `api_key:` \
                 in hookctl.yaml; to try things out without an account, use --sandbox",
            )
        })
}
