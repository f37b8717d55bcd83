//! One thing that the files ask for and that needs consent.

use std::fmt;
use std::path::{Path, PathBuf};

use super::digest::{Digest, Encoder};
use super::{Checkout, Content};
use hookctl_core::location::Location;
use hookctl_core::outside::{Outside, beginning};

/// How the names of variables begin that hold nothing but what is meant for this program.
const FREE_VARIABLES: [&str; 2] = ["INTERACTLY_", "HOOKCTL_"];

/// Whether an API key may come from a variable with nobody's consent: `INTERACTLY_*` and `HOOKCTL_*`. Any other may
/// hold the secret of something else, which would go to the API.
pub fn is_free_variable(name: &str) -> bool {
    FREE_VARIABLES.iter().any(|prefix| name.starts_with(prefix))
}

/// Whether the key of fingerprints may come from a variable with nobody's consent: a free one that says that it is a
/// key. The others hold settings and public values, which tell whoever has the record all that it hides.
pub(super) fn is_free_fingerprint_variable(name: &str) -> bool {
    is_free_variable(name) && name.ends_with("_KEY") && !name.starts_with("HOOKCTL_VAR_")
}

/// What a secret is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Purpose {
    /// The bearer token of a webhook.
    Token,
    /// The API key.
    ApiKey,
    /// The key of fingerprints.
    FingerprintKey,
}

impl Purpose {
    /// The field that it is declared in.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Token => "bearer_token",
            Self::ApiKey => "api_key",
            Self::FingerprintKey => "fingerprint_key",
        }
    }

    const fn noun(self) -> &'static str {
        match self {
            Self::Token => "a token",
            Self::ApiKey => "the API key",
            Self::FingerprintKey => "the key of fingerprints",
        }
    }
}

/// Something that needs consent, as it is shown to a person and as consent to it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    what: What,
    places: Vec<Location>,
    digest: Digest,
}

/// What a grant is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// To run a program.
    Program(ProgramRun),
    /// To send the API key, and with it all tokens, somewhere.
    Host {
        /// Scheme, host, and port.
        origin: String,
        /// Where the key comes from.
        key: KeyOrigin,
    },
    /// To take a key from a variable that may hold something else.
    Variable {
        /// What it is for.
        purpose: Purpose,
        /// Its name.
        name: String,
    },
    /// To take a key from a file that may hold something else.
    File {
        /// What it is for.
        purpose: Purpose,
        /// Its path.
        path: PathBuf,
        /// The same without links. `None` if there is no such file.
        real: Option<PathBuf>,
    },
}

/// A program that is run for a secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProgramRun {
    /// What the secret is for.
    pub purpose: Purpose,
    /// The program as the file names it.
    pub program: String,
    /// Where it was found.
    pub path: PathBuf,
    /// The same without links.
    pub real: PathBuf,
    /// The folder that it runs in.
    pub folder: PathBuf,
    /// Its arguments, variables replaced.
    pub arguments: Vec<String>,
    /// What those files of the checkout hold that are the program, or that an argument names, and all files of each
    /// folder that one names: by real path.
    pub contents: Vec<(PathBuf, Content)>,
    /// Whether its arguments do not tell which files it reads: a shell replaces something in them, or they are a text
    /// in another language.
    pub is_open: bool,
}

/// Where a key comes from, as far as it matters where it goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeyOrigin {
    /// Variables of the environment.
    Variables(Vec<String>),
    /// A file.
    File(PathBuf),
    /// A program: its name, and the digest of the grant to run it.
    Program(String, Option<Digest>),
    /// A text of the file itself.
    Text,
}

impl Grant {
    /// Makes a grant of a checkout.
    pub(super) fn new(what: What, place: Option<Location>, checkout: &Checkout) -> Self {
        Self {
            digest: digest(&what, checkout),
            what,
            places: place.into_iter().collect(),
        }
    }

    /// What it is about.
    pub const fn what(&self) -> &What {
        &self.what
    }

    /// Where the files ask for it.
    pub fn places(&self) -> &[Location] {
        &self.places
    }

    /// The digest that consent to it is stored by. It covers the checkout's path, and the place not.
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
    }
    encoder.finish()
}

impl What {
    /// A word for the kind, for machines.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Program(_) => "program",
            Self::Host { .. } => "host",
            Self::Variable { .. } => "variable",
            Self::File { .. } => "file",
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
        }
    }
}

/// Describes it on one line, for a person to decide by: with every argument, and where a link leads. `{:.200}` shows no
/// more than so many characters of the arguments.
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
        }
    }
}

/// An argument as a shell would take it, so that it is seen where one ends.
fn quoted(argument: &str) -> String {
    let is_plain =
        |character: char| character.is_ascii_alphanumeric() || "-_./:=@%+,".contains(character);
    if !argument.is_empty() && argument.chars().all(is_plain) {
        return argument.to_owned();
    }
    format!("'{}'", Outside::text(&argument.replace('\'', "'\\''")))
}
