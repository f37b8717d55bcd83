//! Resolves all secrets of a run, before anything is written.

use std::collections::{BTreeMap, HashMap};

use futures_util::StreamExt as _;
use hookctl::declaration::Declarations;
use hookctl::diagnostic::{Code, Diagnostic, Diagnostics};
use hookctl::secret::{
    KeyValues, KnownSecrets, Permits, ResolveError, Resolver, Secret, SecretSource, Secrets,
};
use hookctl::webhook::Key;

use crate::environment::Environment;
use crate::error::{CommandError, chain};
use crate::progress::{self, Phase};
use crate::settings::Settings;
use crate::trust::{Cleared, Request, clear};
use crate::ui::Ui;
use crate::{hints, mask};

/// How many sources are resolved concurrently. Commands mostly wait for a server.
const AT_ONCE: usize = 16;

/// What happens if a source cannot be resolved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Missing {
    /// An error.
    Error,
    /// The token counts as unverified. Only for commands that write nothing.
    Allowed,
    /// Like `Allowed`, without running programs or reading files outside the repository: for files that have not been
    /// reviewed.
    Unseen,
}

/// The resolved tokens of the declarations.
pub(crate) struct Resolved {
    pub(crate) secrets: Secrets,
    /// All secrets of the run, for what arrived before they were known.
    pub(crate) known: KnownSecrets,
    /// The problems, each at its location.
    pub(crate) diagnostics: Diagnostics,
}

/// Obtains consent to what the files ask for, then resolves every declared token.
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

/// Resolves every declared token. A source shared by several webhooks is resolved once.
pub(crate) async fn resolve_tokens(
    declarations: &Declarations,
    settings: &Settings,
    environment: &Environment,
    missing: Missing,
    cleared: &Cleared,
) -> Resolved {
    // Only the environment: a token must not come from `vars`, which are part of a file.
    let lookup = |name: &str| environment.get(name);
    let mut distinct: Vec<&SecretSource> = Vec::new();
    let mut places: HashMap<&SecretSource, usize> = HashMap::new();
    let mut wanted = BTreeMap::new();
    let permits = cleared.permits();
    let mut stand_ins = Secrets::new();
    for (key, source) in declarations.secret_sources() {
        if missing == Missing::Unseen && source.is_outside() {
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
        KeyValues::of(&settings.keys, &lookup, environment.names(), outside)
    };
    let resolver = Resolver::new(&lookup, permits, &keys);
    if !distinct.is_empty() {
        progress::begin(Phase::Secrets {
            sources: distinct.len(),
        });
    }
    let counted = async |source| {
        let result = resolver.resolve(source).await;
        progress::advance();
        result
    };
    let resolving: Vec<_> = distinct.into_iter().map(counted).collect();
    let results: Vec<_> = futures_util::stream::iter(resolving)
        .buffered(AT_ONCE)
        .collect()
        .await;
    let mut gathered = Resolved {
        secrets: stand_ins,
        // All of them before any message: the output of one program may contain another secret.
        known: mask::follow_tokens(results.iter().flatten()),
        diagnostics: Diagnostics::default(),
    };
    for (key, index) in wanted {
        match results.get(index) {
            Some(Ok(secret)) => {
                if secret.begins_with_scheme() {
                    gathered.diagnostics.push(at(
                        Diagnostic::new(
                            Code::TokenScheme,
                            format!("the token of '{key}' begins with 'Bearer '"),
                        )
                        .help("remove it from the token: the API adds 'Bearer ' itself"),
                        declarations,
                        key,
                    ));
                }
                gathered.secrets.insert(key.clone(), secret.clone());
            }
            Some(Err(error)) => {
                let unresolved = unresolved(key, error, missing);
                let unresolved = unresolved.map(|found| at(found, declarations, key));
                if let Some(found) = unresolved {
                    gathered.diagnostics.push(found);
                }
            }
            None => {}
        }
    }
    gathered.diagnostics = settings.lints.apply(gathered.diagnostics);
    gathered
}

/// Returns the diagnostic of a token that could not be resolved. A key in place of a token is always an error, even
/// where tokens may be missing.
fn unresolved(key: &Key, error: &ResolveError, missing: Missing) -> Option<Diagnostic> {
    let said = mask::masked(&chain(error));
    let message = format!("could not resolve the token of '{key}': {said}");
    if matches!(error, ResolveError::IsKey { .. }) {
        return Some(Diagnostic::new(Code::KeyAsToken, message).help(hints::SEPARATE_TOKEN));
    }
    (missing == Missing::Error).then(|| {
        let help = hints::of(error).into_iter().next();
        Diagnostic::new(Code::SecretUnresolved, message).help(help.unwrap_or_else(|| {
            "provide the source, or plan without it: --dry-run --allow-missing-secrets".to_owned()
        }))
    })
}

/// Returns the token that the sandbox uses for a program without consent. It is the same in every run, so that the
/// second run finds no changes.
fn stand_in(key: &Key) -> Option<Secret> {
    Secret::new(format!("sandbox-token-of-{key}")).ok()
}

/// Returns whether any secret comes from a program.
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

/// Resolves the API key or the fingerprint key.
pub(crate) async fn resolve_key(
    what: &str,
    source: &SecretSource,
    environment: &Environment,
    permits: &Permits,
) -> Result<Secret, CommandError> {
    let lookup = |name: &str| environment.get(name);
    let keys = KeyValues::none();
    let resolver = Resolver::new(&lookup, permits, &keys);
    let secret = resolver.resolve(source).await;
    secret.inspect(mask::follow_key).map_err(|error| {
        let message = format!("could not resolve the {what}: {}", chain(&error));
        let hints = hints::of(&error);
        let other_source = hints.is_empty().then(|| {
            let field = what.replace(' ', "_").to_lowercase();
            format!(
                "set it in the environment, or name another source as `{field}:` in hookctl.yaml"
            )
        });
        CommandError::new("api-key", message)
            .hints(hints.into_iter().chain(other_source))
            .hint(hints::SANDBOX)
    })
}
