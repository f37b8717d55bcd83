//! Which programs may be run for secrets: those that there is consent to, each where it was found.

use std::collections::HashMap;
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::path::{Path, PathBuf};

use hookctl_core::secret::SecretSource;
use hookctl_system::input::{digest_regular, real_path};

/// The most that a program or a file in its arguments may hold, in bytes.
pub(crate) const MAX_CONTENT_BYTES: u64 = 1 << 30;

/// The programs that may be run for secrets. Only consent makes one that holds any: see `Consent` in the module `trust`.
#[derive(Clone, Default)]
pub struct Permits {
    programs: HashMap<SecretSource, Permitted>,
    /// The `PATH` of their children: the folders that programs are looked for in.
    search: OsString,
}

/// What may be run for a source.
#[derive(Clone)]
enum Permitted {
    At(Program),
    NotFound,
}

/// A program where it was found, and what was read of it then.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Program {
    /// What is run.
    pub(crate) path: PathBuf,
    /// The same without links.
    pub(crate) real: PathBuf,
    /// What was read when consent was looked for: each file with the digest of what it held.
    pub(crate) contents: Vec<(PathBuf, [u8; 32])>,
}

/// Why a program is not run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NotRun {
    NoConsent,
    NotFound,
}

impl Permits {
    /// Returns permission to run nothing.
    pub fn none() -> Self {
        Self::default()
    }

    /// Returns permission to run nothing yet, for programs whose children look for programs there.
    pub(crate) fn searching(search: OsString) -> Self {
        Self {
            programs: HashMap::new(),
            search,
        }
    }

    pub(crate) fn allow(&mut self, source: SecretSource, program: Program) {
        self.programs.insert(source, Permitted::At(program));
    }

    /// Notes that the program of a source is nowhere.
    pub(crate) fn missing(&mut self, source: SecretSource) {
        self.programs.insert(source, Permitted::NotFound);
    }

    /// Whether a source may be followed: it is no program, or one that may be run.
    pub fn cover(&self, source: &SecretSource) -> bool {
        !matches!(source, SecretSource::Command { .. })
            || matches!(self.programs.get(source), Some(Permitted::At(_)))
    }

    pub(super) fn of(&self, source: &SecretSource) -> Result<&Program, NotRun> {
        match self.programs.get(source) {
            Some(Permitted::At(program)) => Ok(program),
            Some(Permitted::NotFound) => Err(NotRun::NotFound),
            None => Err(NotRun::NoConsent),
        }
    }

    pub(super) fn search(&self) -> &OsStr {
        &self.search
    }
}

impl Program {
    /// Returns the first path that no longer leads to what was read there.
    pub(super) fn changed(&self) -> Option<&Path> {
        if real_path(&self.path).ok().as_ref() != Some(&self.real) {
            return Some(&self.path);
        }
        let mut contents = self.contents.iter();
        let changed = contents.find(|(path, digest)| {
            digest_regular(path, MAX_CONTENT_BYTES).ok().as_ref() != Some(digest)
        });
        changed.map(|(path, _)| path.as_path())
    }
}

/// Shows which programs, and no argument.
impl fmt::Debug for Permits {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let programs = self.programs.keys().map(ToString::to_string);
        formatter.debug_set().entries(programs).finish()
    }
}
