//! A single thing that the files ask for and that needs consent.

use std::fmt;
use std::path::{Path, PathBuf};

use super::digest::{Digest, Encoder};
use super::{Checkout, Content};
use hookctl_core::location::Location;
use hookctl_core::outside::{Outside, beginning};
use hookctl_core::record::RecordUrl;
use hookctl_core::secret::{ProviderName, SecretReference};

/// The prefixes of environment variables that are meant for this program only.
const FREE_VARIABLES: [&str; 2] = ["INTERACTLY_", "HOOKCTL_"];

/// Returns whether an API key may come from this variable without consent: `INTERACTLY_*` and `HOOKCTL_*`. Any other
/// variable may hold an unrelated secret, which would be sent to the API.
pub fn is_free_variable(name: &str) -> bool {
    FREE_VARIABLES.iter().any(|prefix| name.starts_with(prefix))
}

/// Returns whether a fingerprint key may come from this variable without consent: a free variable that is named as a
/// key. Others hold settings and public values, with which a holder of the record could reveal its secrets.
pub(super) fn is_free_fingerprint_variable(name: &str) -> bool {
    is_free_variable(name) && name.ends_with("_KEY") && !name.starts_with("HOOKCTL_VAR_")
}

/// The purpose of a secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Purpose {
    /// The bearer token of a webhook.
    Token,
    /// The API key.
    ApiKey,
    /// The fingerprint key.
    FingerprintKey,
    /// The credentials of the shared record's store.
    RecordCredentials,
}

impl Purpose {
    /// Returns the field that declares it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Token => "bearer_token",
            Self::ApiKey => "api_key",
            Self::FingerprintKey => "fingerprint_key",
            Self::RecordCredentials => "record.credentials",
        }
    }

    const fn noun(self) -> &'static str {
        match self {
            Self::Token => "a token",
            Self::ApiKey => "the API key",
            Self::FingerprintKey => "the fingerprint key",
            Self::RecordCredentials => "the credentials of the record",
        }
    }
}

/// A single thing that needs consent, as it is shown and stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    what: What,
    places: Vec<Location>,
    digest: Digest,
}

/// The subject of a grant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// Running a program.
    Program(ProgramRun),
    /// Sending the API key, and with it all tokens, to a host.
    Host {
        /// Scheme, host, and port.
        origin: String,
        /// The source of the key.
        key: KeyOrigin,
    },
    /// Reading a key from a variable that may hold an unrelated secret.
    Variable {
        /// The purpose of the key.
        purpose: Purpose,
        /// Its name.
        name: String,
    },
    /// Reading a key from a file that may hold an unrelated secret.
    File {
        /// The purpose of the key.
        purpose: Purpose,
        /// Its path.
        path: PathBuf,
        /// The real path. `None` if the file does not exist.
        real: Option<PathBuf>,
    },
    /// Keeping the record on an object store, which decides what counts as bound.
    Record {
        /// The address of the record.
        url: RecordUrl,
        /// The address of the store. `None` for the vendor's own.
        endpoint: Option<String>,
        /// The region of the bucket.
        region: Option<String>,
        /// The key that encrypts the objects.
        kms_key: Option<String>,
    },
}

/// A program that prints a secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProgramRun {
    /// The purpose of the secret.
    pub purpose: Purpose,
    /// The name in the file.
    pub program: String,
    /// The path where it was found.
    pub path: PathBuf,
    /// The real path.
    pub real: PathBuf,
    /// The working directory.
    pub folder: PathBuf,
    /// The arguments, with variables replaced.
    pub arguments: Vec<String>,
    /// The contents of the checkout's files that are the program or that an argument names, and of all files of a named
    /// folder, by real path.
    pub contents: Vec<(PathBuf, Content)>,
    /// Whether the arguments do not show which files it reads: a shell expands them, or they are a script in another
    /// language.
    pub is_open: bool,
}

/// The source of a key, as far as it matters for its destination.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeyOrigin {
    /// Variables of the environment.
    Variables(Vec<String>),
    /// A file.
    File(PathBuf),
    /// A program: its name, and the digest of its grant.
    Program(String, Option<Digest>),
    /// A text in the configuration file.
    Text,
    /// An entry of a provider that the program has registered.
    Provider(ProviderName, SecretReference),
}

impl Grant {
    /// Creates a grant in a checkout.
    pub(super) fn new(what: What, place: Option<Location>, checkout: &Checkout) -> Self {
        Self {
            digest: digest(&what, checkout),
            what,
            places: place.into_iter().collect(),
        }
    }

    /// Returns the subject.
    pub const fn what(&self) -> &What {
        &self.what
    }

    /// Returns the locations in the files.
    pub fn places(&self) -> &[Location] {
        &self.places
    }

    /// Returns the digest that identifies stored consent. It covers the checkout's path, but not the locations.
    pub const fn digest(&self) -> Digest {
        self.digest
    }

    pub(super) fn also_at(&mut self, places: Vec<Location>) {
        self.places.extend(places);
    }
}

fn digest(what: &What, checkout: &Checkout) -> Digest {
    let mut encoder = Encoder::new("hookctl trust: a grant, version 1");
    encoder.number(checkout.folders().count());
    for folder in checkout.folders() {
        encoder.path(folder);
    }
    match what {
        What::Program(run) => {
            encoder
                .text("program")
                .text(run.purpose.as_str())
                .text(&run.program)
                .path(&run.path)
                .path(&run.real)
                .path(&run.folder)
                .number(run.arguments.len());
            for argument in &run.arguments {
                encoder.text(argument);
            }
            encoder.number(run.contents.len());
            for (path, content) in &run.contents {
                encoder.path(path);
                match content {
                    Content::Bytes(digest) => encoder.bytes(digest),
                    Content::Link(to) => encoder.text("link").path(to),
                    Content::Other => encoder.bytes(&[]),
                };
            }
        }
        What::Host { origin, key } => {
            encoder.text("host").text(origin);
            match key {
                KeyOrigin::Variables(names) => {
                    encoder.text("variables").number(names.len());
                    for name in names {
                        encoder.text(name);
                    }
                }
                KeyOrigin::File(path) => {
                    encoder.text("file").path(path);
                }
                KeyOrigin::Program(program, grant) => {
                    encoder.text("program").text(program);
                    encoder.bytes(grant.as_ref().map_or(&[][..], |grant| grant.as_bytes()));
                }
                KeyOrigin::Text => {
                    encoder.text("text");
                }
                KeyOrigin::Provider(name, reference) => {
                    encoder.text("provider").text(name.as_str());
                    encoder.text(reference.as_str());
                }
            }
        }
        What::Variable { purpose, name } => {
            encoder.text("variable").text(purpose.as_str()).text(name);
        }
        What::File {
            purpose,
            path,
            real,
        } => {
            let real = real.as_deref().unwrap_or(Path::new(""));
            encoder
                .text("file")
                .text(purpose.as_str())
                .path(path)
                .path(real);
        }
        What::Record {
            url,
            endpoint,
            region,
            kms_key,
        } => {
            encoder.text("record").text(&url.to_string());
            for part in [endpoint, region, kms_key] {
                encoder.text(part.as_deref().unwrap_or_default());
            }
        }
    }
    encoder.finish()
}

impl What {
    /// Returns the kind in snake case, for documents.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Program(_) => "program",
            Self::Host { .. } => "host",
            Self::Variable { .. } => "variable",
            Self::File { .. } => "file",
            Self::Record { .. } => "record",
        }
    }
}

impl fmt::Display for KeyOrigin {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Variables(names) if names.len() == 1 => {
                write!(formatter, "the variable {}", names.join(""))
            }
            Self::Variables(names) => write!(formatter, "the variables {}", names.join(", ")),
            Self::File(path) => write!(formatter, "the file {}", Outside::path(path)),
            Self::Program(program, _) => {
                write!(formatter, "the program {}", Outside::text(program))
            }
            Self::Text => formatter.write_str("a text of the file"),
            Self::Provider(name, _) => write!(formatter, "the secret provider '{name}'"),
        }
    }
}

/// Describes the subject on one line, for the user to decide: with every argument and link target. `{:.200}` truncates
/// the arguments.
impl fmt::Display for What {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Program(run) => {
                write!(formatter, "run {}", Outside::path(&run.path))?;
                let most = formatter.precision().unwrap_or(usize::MAX);
                let mut arguments = String::new();
                for argument in &run.arguments {
                    arguments.push(' ');
                    arguments += &quoted(argument);
                    if arguments.len() > most.saturating_mul(4) {
                        break;
                    }
                }
                write!(
                    formatter,
                    "{} in {} for {}",
                    beginning(&arguments, most),
                    Outside::path(&run.folder),
                    run.purpose.noun()
                )?;
                if run.real == run.path {
                    return Ok(());
                }
                let (path, real) = (Outside::path(&run.path), Outside::path(&run.real));
                write!(formatter, " ({path} is a link to {real})")
            }
            Self::Host { origin, key } => write!(
                formatter,
                "send the API key from {key}, and the tokens, to {}",
                Outside::text(origin)
            ),
            Self::Variable { purpose, name } => {
                let noun = purpose.noun();
                write!(formatter, "take {noun} from the variable {name}")
            }
            Self::File {
                purpose,
                path,
                real,
            } => {
                let noun = purpose.noun();
                write!(
                    formatter,
                    "take {noun} from the file {}",
                    Outside::path(path)
                )?;
                match real {
                    Some(real) if real != path => {
                        write!(formatter, " (a link to {})", Outside::path(real))
                    }
                    _ => Ok(()),
                }
            }
            Self::Record {
                url,
                endpoint,
                region,
                kms_key,
            } => {
                write!(formatter, "keep the record in {url}")?;
                for (word, part) in [
                    ("at", endpoint),
                    ("in the region", region),
                    ("encrypted with the key", kms_key),
                ] {
                    if let Some(part) = part {
                        write!(formatter, " {word} {}", Outside::text(part))?;
                    }
                }
                Ok(())
            }
        }
    }
}

/// Quotes an argument for a shell, to show where it ends.
fn quoted(argument: &str) -> String {
    let is_plain =
        |character: char| character.is_ascii_alphanumeric() || "-_./:=@%+,".contains(character);
    if !argument.is_empty() && argument.chars().all(is_plain) {
        return argument.to_owned();
    }
    format!("'{}'", Outside::text(&argument.replace('\'', "'\\''")))
}
