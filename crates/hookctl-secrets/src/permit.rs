//! Permits: the programs that may run for secrets, with consent, each at its path.

use std::collections::HashMap;
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::path::{Path, PathBuf};

use hookctl_core::secret::SecretSource;
use hookctl_system::input::{digest_regular, real_path};

/// The largest program or file in its arguments, in bytes.
pub(crate) const MAX_CONTENT_BYTES: u64 = 1 << 30;

/// The programs that may run for secrets. Only consent creates a non-empty one: see `Consent` in the module `trust`.
#[derive(Clone, Default)]
pub struct Permits {
    programs: HashMap<SecretSource, Permitted>,
    /// The `PATH` of child processes.
    search: OsString,
}

/// What may run for a source.
#[derive(Clone)]
enum Permitted {
    At(Program),
    NotFound,
}

/// A program at its path, and the files that consent covers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Program {
    /// The path to execute.
    pub(crate) path: PathBuf,
    /// The real path.
    pub(crate) real: PathBuf,
    /// The files that were read for consent, with the digests of their contents.
    pub(crate) contents: Vec<(PathBuf, [u8; 32])>,
}

/// Why a program may not run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NotRun {
    NoConsent,
    NotFound,
}

impl Permits {
    /// Returns permits without any program.
    pub fn none() -> Self {
        Self::default()
    }

    /// Returns permits without any program yet, with the `PATH` of child processes.
    pub(crate) fn searching(search: OsString) -> Self {
        Self {
            programs: HashMap::new(),
            search,
        }
    }

    pub(crate) fn allow(&mut self, source: SecretSource, program: Program) {
        self.programs.insert(source, Permitted::At(program));
    }

    /// Records that the program of a source does not exist.
    pub(crate) fn missing(&mut self, source: SecretSource) {
        self.programs.insert(source, Permitted::NotFound);
    }

    /// Returns whether a source may be resolved: it is not a program, or a permitted one.
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
    /// Returns the first path whose content has changed.
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

/// Shows the programs without arguments.
impl fmt::Debug for Permits {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let programs = self.programs.keys().map(ToString::to_string);
        formatter.debug_set().entries(programs).finish()
    }
}
