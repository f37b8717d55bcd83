//! Resolves sources to secrets: the only code that reads secret files and runs secret commands.

use std::fmt;
use std::io;
use std::path::Path;
use std::time::Duration;

use zeroize::Zeroizing;

use crate::limits::MAX_SECRET_BYTES;
use crate::permit::NotRun;
use crate::program::{self, ProgramError};
use crate::{KeyValues, Permits, Providers, ResolveError};
use hookctl_core::secret::{ProviderName, Secret, SecretReference, SecretSource};
use hookctl_system::input::{FileId, open_regular, read, real_path};

/// The time limit of a command or a provider: enough for a slow secret store in the cloud, and short enough to wait for.
const TIME_LIMIT: Duration = Duration::from_secs(30);

/// How sources are resolved: what may be read, run, and asked.
#[derive(Clone, Copy)]
pub struct Resolver<'a> {
    lookup: &'a (dyn Fn(&str) -> Option<String> + Sync),
    permits: &'a Permits,
    providers: &'a Providers,
    keys: &'a KeyValues,
}

impl fmt::Debug for Resolver<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Resolver").finish_non_exhaustive()
    }
}

static NO_PROVIDERS: Providers = Providers::none();

impl<'a> Resolver<'a> {
    /// Creates a resolver without providers. `lookup` returns environment variables, and `permits` determines which
    /// programs may run. No result is or contains one of the `keys`, whatever path leads to them: a token is sent to the
    /// address in a file. [`KeyValues::none`] is for the keys themselves, and for a program without any.
    pub fn new(
        lookup: &'a (dyn Fn(&str) -> Option<String> + Sync),
        permits: &'a Permits,
        keys: &'a KeyValues,
    ) -> Self {
        Self {
            lookup,
            permits,
            providers: &NO_PROVIDERS,
            keys,
        }
    }

    /// Sets the providers.
    #[must_use]
    pub const fn providers(self, providers: &'a Providers) -> Self {
        Self { providers, ..self }
    }

    /// Resolves a source. A program runs in the folder of the declaring file, and is ended with its process group if the
    /// future is dropped.
    ///
    /// # Errors
    /// Returns [`ResolveError`]. Its texts contain no part of the secret.
    pub async fn resolve(&self, source: &SecretSource) -> Result<Secret, ResolveError> {
        let invalid = |reason| ResolveError::Invalid {
            what: source.to_string(),
            reason,
        };
        let secret = match source {
            SecretSource::Env { name } => match (self.lookup)(name) {
                Some(value) if !value.is_empty() => Secret::new(value).map_err(invalid)?,
                found => {
                    return Err(ResolveError::Env {
                        name: name.clone(),
                        empty: found.is_some(),
                    });
                }
            },
            SecretSource::File {
                path, confined_to, ..
            } => {
                let value = read_file(source, path, confined_to.as_deref(), self.keys).await?;
                Secret::new(value).map_err(invalid)?
            }
            SecretSource::Command {
                program,
                arguments,
                directory,
            } => {
                let value = run(source, program, arguments, directory, self.permits).await?;
                Secret::new(value).map_err(invalid)?
            }
            SecretSource::Text { template } => {
                let value = template.expand(&|name| (self.lookup)(name))?;
                Secret::new(value).map_err(invalid)?
            }
            SecretSource::Provider { name, reference } => {
                ask(self.providers, name, reference).await?
            }
        };
        if self.keys.are_in(&secret) {
            return Err(ResolveError::IsKey {
                what: source.to_string(),
            });
        }
        Ok(secret)
    }

    /// Runs the program of a source, and returns all that it printed, which may have several lines. Returns `None` if the
    /// source is not a program.
    ///
    /// # Errors
    /// Returns [`ResolveError`]. Its texts contain no part of the output.
    pub async fn output(
        &self,
        source: &SecretSource,
    ) -> Result<Option<Zeroizing<String>>, ResolveError> {
        let SecretSource::Command {
            program,
            arguments,
            directory,
        } = source
        else {
            return Ok(None);
        };
        let output = run(source, program, arguments, directory, self.permits).await?;
        Ok(Some(Zeroizing::new(output)))
    }
}

/// Asks a provider.
async fn ask(
    providers: &Providers,
    name: &ProviderName,
    reference: &SecretReference,
) -> Result<Secret, ResolveError> {
    let Some(provider) = providers.get(name) else {
        return Err(ResolveError::NoProvider { name: name.clone() });
    };
    tokio::time::timeout(TIME_LIMIT, provider.resolve(reference))
        .await
        .map_err(|_| ResolveError::ProviderTimedOut { name: name.clone() })?
        .map_err(|error| {
            let mut said = error.to_string();
            let mut cause = error.source();
            while let Some(next) = cause {
                said = format!("{said}: {next}");
                cause = next.source();
            }
            // A token may be in place of the reference.
            let said = said.replace(reference.as_str(), "(reference)");
            ResolveError::Provider {
                name: name.clone(),
                said: program::masked_line(&said),
            }
        })
}

async fn read_file(
    source: &SecretSource,
    path: &Path,
    confined_to: Option<&Path>,
    keys: &KeyValues,
) -> Result<String, ResolveError> {
    let failed = |error| ResolveError::File {
        path: path.to_owned(),
        source: error,
    };
    let (at, within) = (path.to_owned(), confined_to.map(Path::to_owned));
    let reading = move || {
        let real = real_path(&at)?;
        if let Some(root) = within
            && !real.starts_with(real_path(&root)?)
        {
            return Ok(None);
        }
        let file = open_regular(&real)?;
        let id = FileId::of(&file, &real)?;
        Ok(Some((id, Zeroizing::new(read(file, MAX_SECRET_BYTES)?))))
    };
    let found = tokio::task::spawn_blocking(reading)
        .await
        .map_err(io::Error::other)
        .flatten()
        .map_err(failed)?;
    let Some((id, bytes)) = found else {
        return Err(ResolveError::Escapes {
            path: path.to_owned(),
            root: confined_to.unwrap_or(path).to_owned(),
        });
    };
    if keys.come_from(&id) {
        return Err(ResolveError::IsKey {
            what: source.to_string(),
        });
    }
    if bytes.len() as u64 > MAX_SECRET_BYTES {
        return Err(ResolveError::TooLarge {
            what: source.to_string(),
        });
    }
    text(source, &bytes)
}

async fn run(
    source: &SecretSource,
    program: &str,
    arguments: &[String],
    directory: &Path,
    permits: &Permits,
) -> Result<String, ResolveError> {
    let permitted = permits.of(source).map_err(|why| match why {
        NotRun::NoConsent => ResolveError::NoConsent {
            program: program.to_owned(),
        },
        NotRun::NotFound => ResolveError::NotFound {
            program: program.to_owned(),
            directory: directory.to_owned(),
        },
    })?;
    let looked_at = permitted.clone();
    let changed =
        tokio::task::spawn_blocking(move || looked_at.changed().map(Path::to_owned)).await;
    if let Some(path) = changed.unwrap_or_else(|_| Some(permitted.path.clone())) {
        return Err(ResolveError::Changed {
            program: program.to_owned(),
            path,
        });
    }
    let command = program::command(&permitted.path, arguments, directory, permits.search());
    let output = program::run(command, TIME_LIMIT).await;
    let output = output.map_err(|error| match error {
        ProgramError::System(source) => ResolveError::Spawn {
            program: program.to_owned(),
            directory: directory.to_owned(),
            source,
        },
        ProgramError::TooLarge => ResolveError::TooLarge {
            what: source.to_string(),
        },
        ProgramError::TimedOut => ResolveError::TimedOut {
            program: program.to_owned(),
        },
    })?;
    if !output.status.success() {
        return Err(ResolveError::Failed {
            program: program.to_owned(),
            directory: directory.to_owned(),
            status: output.status.to_string(),
            said: output.said(),
        });
    }
    text(source, &output.stdout)
}

/// Returns the text without a byte order mark and one trailing line break, which editors and `echo` add.
fn text(source: &SecretSource, bytes: &[u8]) -> Result<String, ResolveError> {
    let text = std::str::from_utf8(bytes).map_err(|_| ResolveError::NotText {
        what: source.to_string(),
    })?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let text = text.strip_suffix('\n').unwrap_or(text);
    Ok(text.strip_suffix('\r').unwrap_or(text).to_owned())
}

#[cfg(test)]
mod tests;
