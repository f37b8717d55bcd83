//! From where a secret is to what it is: the one place that reads secret files and runs secret
//! commands.

use std::io;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::process::Command;
use zeroize::Zeroizing;

use super::{InvalidSecret, Secret, SecretSource};
use crate::template::UndefinedVariable;

/// How long a command may take: enough for a cloud secret store's slow answer, short enough for a
/// person to wait.
const COMMAND_TIME_LIMIT: Duration = Duration::from_secs(30);

/// The most that is read from a file or command, in bytes: 2,000 characters of at most four bytes are
/// the longest token there can be; whatever is larger is the wrong file.
const SIZE_LIMIT: u64 = 64 * 1024;

/// The bytes of the buffer that a secret is read into: a little more than it may have.
const BUFFER: usize = 64 * 1024 + 64;

/// How the names of variables begin that no child gets.
const WITHHELD: [&str; 2] = ["INTERACTLY_", "HOOKCTL_"];

/// Why a source gave no secret. No variant holds what the source gave.
#[derive(Debug, thiserror::Error)]
pub enum ResolveError {
    /// The environment variable is not set, or empty.
    #[error("the environment variable {name} is {}", if *.empty { "empty" } else { "not set" })]
    Env {
        /// Its name.
        name: String,
        /// Whether it is set, but to nothing.
        empty: bool,
    },
    /// A variable in the text has no value.
    #[error(transparent)]
    Variable(#[from] UndefinedVariable),
    /// The file could not be read.
    #[error("could not read the file {}", path.display())]
    File {
        /// Its path.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file is outside the folder that it may not leave.
    #[error("the file {} leads outside {}; write an absolute path if that is meant", path.display(), root.display())]
    Escapes {
        /// Its path.
        path: PathBuf,
        /// The folder.
        root: PathBuf,
    },
    /// The file or output is larger than any token.
    #[error("{what} gave more than 64 KiB, which is no token")]
    TooLarge {
        /// The source.
        what: String,
    },
    /// The file or output is not UTF-8.
    #[error("{what} gave something that is not UTF-8 text")]
    NotText {
        /// The source.
        what: String,
    },
    /// The command could not be run.
    #[error("could not run '{program}'")]
    Spawn {
        /// The program.
        program: String,
        /// What the system said.
        source: io::Error,
    },
    /// The command failed. What it wrote is not shown: it may hold anything.
    #[error("'{program}' ended with {status}; run it by hand to see why")]
    Failed {
        /// The program.
        program: String,
        /// Its exit status.
        status: String,
    },
    /// The command took longer than 30 seconds.
    #[error("'{program}' did not end within 30 seconds")]
    TimedOut {
        /// The program.
        program: String,
    },
    /// The value must never be sent.
    #[error("{what} gave a value that cannot be used: {reason}")]
    Invalid {
        /// The source.
        what: String,
        /// Why.
        reason: InvalidSecret,
    },
}

/// Reads the secret that a source leads to.
///
/// `lookup` answers for environment variables of [`SecretSource::Env`] and for variables in a
/// [`SecretSource::Text`].
///
/// # Errors
/// [`ResolveError`]; none of its texts holds any part of the secret.
pub async fn resolve(
    source: &SecretSource,
    lookup: &(dyn Fn(&str) -> Option<String> + Sync),
) -> Result<Secret, ResolveError> {
    let value = match source {
        SecretSource::Env { name } => match lookup(name) {
            Some(value) if !value.is_empty() => value,
            found => {
                return Err(ResolveError::Env {
                    name: name.clone(),
                    empty: found.is_some(),
                });
            }
        },
        SecretSource::File {
            path, confined_to, ..
        } => read_file(source, path, confined_to.as_deref()).await?,
        SecretSource::Command {
            program,
            arguments,
            directory,
        } => run(source, program, arguments, directory).await?,
        SecretSource::Text { template } => template.expand(&|name| lookup(name))?,
    };
    Secret::new(value).map_err(|reason| ResolveError::Invalid {
        what: source.to_string(),
        reason,
    })
}

async fn read_file(
    source: &SecretSource,
    path: &Path,
    confined_to: Option<&Path>,
) -> Result<String, ResolveError> {
    let failed = |error| ResolveError::File {
        path: path.to_owned(),
        source: error,
    };
    let real = tokio::fs::canonicalize(path).await.map_err(failed)?;
    if let Some(root) = confined_to {
        let real_root = tokio::fs::canonicalize(root).await.map_err(failed)?;
        if !real.starts_with(&real_root) {
            return Err(ResolveError::Escapes {
                path: path.to_owned(),
                root: root.to_owned(),
            });
        }
    }
    let file = tokio::fs::File::open(&real).await.map_err(failed)?;
    let bytes = read_limited(source, file).await?.map_err(failed)?;
    text(source, &bytes)
}

async fn run(
    source: &SecretSource,
    program: &str,
    arguments: &[String],
    directory: &Path,
) -> Result<String, ResolveError> {
    let spawn_error = |error| ResolveError::Spawn {
        program: program.to_owned(),
        source: error,
    };
    let mut command = Command::new(program);
    // Settings and keys of ours are no business of a program that a file names.
    for (name, _) in std::env::vars_os() {
        let ours = |name: &str| WITHHELD.iter().any(|prefix| name.starts_with(prefix));
        if name.to_str().is_some_and(ours) {
            command.env_remove(&name);
        }
    }
    let mut child = command
        .args(arguments)
        .current_dir(directory)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .map_err(spawn_error)?;
    let output = child.stdout.take();
    let finished = tokio::time::timeout(COMMAND_TIME_LIMIT, async {
        let bytes = match output {
            Some(output) => read_limited(source, output).await?.map_err(spawn_error)?,
            None => Zeroizing::default(),
        };
        let status = child.wait().await.map_err(spawn_error)?;
        Ok::<_, ResolveError>((bytes, status))
    })
    .await;
    let (bytes, status) = finished.map_err(|_| ResolveError::TimedOut {
        program: program.to_owned(),
    })??;
    if !status.success() {
        return Err(ResolveError::Failed {
            program: program.to_owned(),
            status: status.to_string(),
        });
    }
    text(source, &bytes)
}

async fn read_limited(
    source: &SecretSource,
    reader: impl AsyncRead + Unpin,
) -> Result<io::Result<Zeroizing<Vec<u8>>>, ResolveError> {
    // Large enough from the start: a buffer that grows leaves copies behind.
    let mut bytes = Zeroizing::new(Vec::with_capacity(BUFFER));
    if let Err(error) = reader.take(SIZE_LIMIT + 1).read_to_end(&mut bytes).await {
        return Ok(Err(error));
    }
    if bytes.len() as u64 > SIZE_LIMIT {
        return Err(ResolveError::TooLarge {
            what: source.to_string(),
        });
    }
    Ok(Ok(bytes))
}

/// The text without a byte order mark before it and without one trailing line break, which editors and
/// `echo` add.
fn text(source: &SecretSource, bytes: &[u8]) -> Result<String, ResolveError> {
    let text = std::str::from_utf8(bytes).map_err(|_| ResolveError::NotText {
        what: source.to_string(),
    })?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let text = text.strip_suffix('\n').unwrap_or(text);
    Ok(text.strip_suffix('\r').unwrap_or(text).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::template::Template;

    fn lookup(name: &str) -> Option<String> {
        match name {
            "TOKEN" => Some("from-env".to_owned()),
            "EMPTY" => Some(String::new()),
            "MASKED" => Some("****".to_owned()),
            _ => None,
        }
    }

    async fn value(source: SecretSource) -> Result<String, String> {
        match resolve(&source, &lookup).await {
            Ok(secret) => Ok(secret.expose().to_owned()),
            Err(error) => Err(error.to_string()),
        }
    }

    fn env(name: &str) -> SecretSource {
        SecretSource::Env { name: name.into() }
    }

    fn command(program: &str, arguments: &[&str]) -> SecretSource {
        SecretSource::Command {
            program: program.into(),
            arguments: arguments.iter().map(ToString::to_string).collect(),
            directory: std::env::temp_dir(),
        }
    }

    #[tokio::test]
    async fn environment_and_text() {
        assert_eq!(value(env("TOKEN")).await.unwrap(), "from-env");
        assert_eq!(
            value(env("NONE")).await.unwrap_err(),
            "the environment variable NONE is not set"
        );
        assert_eq!(
            value(env("EMPTY")).await.unwrap_err(),
            "the environment variable EMPTY is empty"
        );
        assert_eq!(
            value(env("MASKED")).await.unwrap_err(),
            "the environment variable MASKED gave a value that cannot be used: it is a placeholder \
             such as '****', not a secret"
        );
        let template = Template::parse("a-${TOKEN}").unwrap();
        assert_eq!(
            value(SecretSource::Text { template }).await.unwrap(),
            "a-from-env"
        );
    }

    #[tokio::test]
    async fn a_file_loses_one_line_break_and_may_not_escape() {
        let folder = tempfile::tempdir().unwrap();
        let outside = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(outside.path(), "outside").unwrap();
        std::fs::write(folder.path().join("token"), "inside\r\n").unwrap();
        std::fs::write(folder.path().join("marked"), "\u{feff}inside\r\n").unwrap();
        std::fs::write(folder.path().join("twice"), "\u{feff}\u{feff}inside").unwrap();
        std::fs::write(folder.path().join("blank"), "inside \n").unwrap();
        std::fs::write(folder.path().join("two"), "inside\n\n").unwrap();
        std::os::unix::fs::symlink(outside.path(), folder.path().join("link")).unwrap();
        let file = |name: &str| SecretSource::File {
            path: folder.path().join(name),
            written: name.to_owned(),
            confined_to: Some(folder.path().to_owned()),
        };
        assert_eq!(value(file("token")).await.unwrap(), "inside");
        assert_eq!(value(file("marked")).await.unwrap(), "inside");
        for (name, message) in [
            (
                "twice",
                "the file twice gave a value that cannot be used: it holds the invisible character U+FEFF",
            ),
            (
                "blank",
                "the file blank gave a value that cannot be used: it ends with a blank (U+0020)",
            ),
        ] {
            assert_eq!(value(file(name)).await.unwrap_err(), message);
        }
        assert!(
            value(file("two"))
                .await
                .unwrap_err()
                .contains("control character")
        );
        assert!(
            value(file("link"))
                .await
                .unwrap_err()
                .contains("leads outside")
        );
        assert!(
            value(file("none"))
                .await
                .unwrap_err()
                .contains("could not read the file")
        );
    }

    #[tokio::test]
    async fn a_command_gives_its_output_and_its_failure_shows_none_of_it() {
        assert_eq!(value(command("echo", &["a b"])).await.unwrap(), "a b");
        let failed = value(command("sh", &["-c", "echo hunter2; exit 3"]))
            .await
            .unwrap_err();
        assert_eq!(
            failed,
            "'sh' ended with exit status: 3; run it by hand to see why"
        );
        assert!(
            value(command("no-such-program-here", &[]))
                .await
                .unwrap_err()
                .contains("could not run")
        );
        let endless = value(command("cat", &["/dev/zero"])).await.unwrap_err();
        assert_eq!(
            endless,
            "the command 'cat' gave more than 64 KiB, which is no token"
        );
    }
}
