//! The files that consent to a program covers: those that decide what it does, as far as its arguments tell.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::io;
use std::path::{Path, PathBuf};

use super::named::{Names, reads_more, runs_a_text_that_hides_names};
use super::{Checkout, Content, FileSystem, GatherError};
use hookctl_core::path::normal;
use hookctl_system::input::TooFar;

/// The most files and folders that are read in folders named by arguments.
const MOST_FILES: usize = 4_096;
/// The most bytes of these files.
const MOST_BYTES: u64 = 64 * 1024 * 1024;
/// The most folders that relative names are resolved against, since a script may change into any folder that it names.
const MOST_BASES: usize = 32;
/// How many consecutive changes of the folder are followed.
const MOST_CHANGES: usize = 2;

/// The most path components that are followed for all programs together, including those in links: enough for 10,000
/// programs with ten names each, ten folders deep.
const MOST_STEPS: usize = if cfg!(test) { 40_000 } else { 1_000_000 };
/// The most files and folders that are listed for all programs together.
const MOST_ENTRIES: usize = 250_000;

/// The work done so far for all programs of a configuration, which may be as many as webhooks.
pub(super) struct Spent {
    /// The remaining path components.
    steps: usize,
    /// The results so far, by path without `.`.
    found: HashMap<PathBuf, Option<Found>>,
    entries: usize,
    read: HashMap<PathBuf, Content>,
}

/// The target of a path.
#[derive(Clone)]
struct Found {
    real: PathBuf,
    is_folder: bool,
}

impl Default for Spent {
    fn default() -> Self {
        Self {
            steps: MOST_STEPS,
            found: HashMap::new(),
            entries: 0,
            read: HashMap::new(),
        }
    }
}

impl Spent {
    /// Resolves a path.
    fn find(&mut self, path: &Path, files: &impl FileSystem) -> Result<Option<Found>, TooFar> {
        let mut take = |steps| {
            self.steps = self.steps.checked_sub(steps).ok_or(TooFar::Spent)?;
            Ok(())
        };
        take(1)?;
        let path: PathBuf = path.components().collect();
        if let Some(found) = self.found.get(&path) {
            return Ok(found.clone());
        }
        take(path.components().count())?;
        let real = files.real_within(&path, &mut self.steps)?;
        let found = real.map(|real| Found {
            is_folder: files.is_folder(&real),
            real,
        });
        self.found.insert(path, found.clone());
        Ok(found)
    }
}

/// A program and its call.
pub(super) struct Call<'a> {
    /// The name in the file.
    pub(super) program: &'a str,
    /// The path where it was found.
    pub(super) path: &'a Path,
    /// The real path.
    pub(super) real: &'a Path,
    /// The working directory.
    pub(super) folder: &'a Path,
    pub(super) arguments: &'a [String],
}

/// The files that were read for one program.
#[derive(Default)]
pub(super) struct Covered {
    /// The contents, by real path.
    pub(super) contents: Vec<(PathBuf, Content)>,
    /// Whether it may read files that the arguments do not name.
    pub(super) is_open: bool,
}

/// Reads the files of the repository that decide what a program does: the program, and the files that its arguments
/// name, in whole or in part. Of a named folder, all files are read.
///
/// # Errors
/// Returns [`GatherError`] if a file cannot be read, or a limit is exceeded.
pub(super) fn covered(
    call: &Call<'_>,
    checkout: &Checkout,
    files: &impl FileSystem,
    spent: &mut Spent,
) -> Result<Covered, GatherError> {
    let too_many = || GatherError::TooManyNames {
        program: call.program.to_owned(),
    };
    let names = Names::of(call.arguments).ok_or_else(too_many)?;
    let own = BTreeSet::from([call.folder.to_owned()]);
    let own = bases(&names, own, files, spent).ok_or_else(too_many)?;
    let starts = checkout.starts().map(Path::to_owned).collect();
    let mut bases = bases(&names, starts, files, spent).ok_or_else(too_many)?;
    bases.extend(own.iter().cloned());
    let mut reach = Reach {
        checkout,
        files,
        // If the repository itself is among the system's files, those tell nothing.
        has_system: !files.is_of_the_system(checkout.root()),
        contents: BTreeMap::new(),
        entries: 0,
        bytes: 0,
        spent,
    };
    let programs = [
        call.program,
        &call.path.to_string_lossy(),
        &call.real.to_string_lossy(),
    ];
    let mut is_open = names.is_cut
        || reads_more(&programs)
        || runs_a_text_that_hides_names(&programs, call.arguments);
    if reach.counts(&normal(call.path)) || reach.counts(call.real) {
        reach.file(call.real.to_owned())?;
    }
    for (name, is_word) in names.all() {
        for base in &bases {
            for path in ways(base, name) {
                let found = reach.spent.find(&path, files).map_err(|_| too_many())?;
                let Some(Found { real, is_folder }) = found else {
                    continue;
                };
                if !reach.counts(&path) && !reach.counts(&real) {
                    continue;
                }
                let is_below = checkout.holds(&real) && !call.folder.starts_with(&real);
                // A whole argument is relative to the folder where the program starts.
                let is_start = base == call.folder;
                if !is_folder {
                    reach.file(real)?;
                } else if is_below && !own.contains(base) {
                    // A word may be a folder of the repository, but rarely means all of it.
                    is_open = true;
                } else if is_below || (is_start && !is_word) {
                    reach.folder(real)?;
                } else if is_start {
                    // Words such as `.` and `..` occur in many texts, and rarely mean a whole folder.
                    is_open = true;
                }
            }
        }
    }
    Ok(Covered {
        contents: reach.contents.into_iter().collect(),
        is_open,
    })
}

/// Returns the folders that relative names may start at, including those that a script may change into. Returns `None`
/// if there are too many.
fn bases(
    names: &Names,
    mut bases: BTreeSet<PathBuf>,
    files: &impl FileSystem,
    spent: &mut Spent,
) -> Option<BTreeSet<PathBuf>> {
    let mut last = bases.clone();
    for _ in 0..MOST_CHANGES {
        let mut further = BTreeSet::new();
        for base in &last {
            for path in names.all().flat_map(|(name, _)| ways(base, name)) {
                let found = spent.find(&path, files).ok()?;
                let folder = found.filter(|found| found.is_folder);
                further.extend(folder.map(|found| found.real));
            }
        }
        last = further.difference(&bases).cloned().collect();
        bases.extend(further);
        if bases.len() > MOST_BASES {
            return None;
        }
    }
    Some(bases)
}

/// Returns a name below a folder as the system resolves it and as written, which differ if `..` follows a link.
fn ways(base: &Path, name: &str) -> impl Iterator<Item = PathBuf> {
    let path = base.join(name);
    let written = normal(&path);
    let other = (written != path).then_some(written);
    std::iter::once(path).chain(other)
}

struct Reach<'a, L> {
    checkout: &'a Checkout,
    files: &'a L,
    has_system: bool,
    contents: BTreeMap<PathBuf, Content>,
    /// The listed entries, and the bytes of the files.
    entries: usize,
    bytes: u64,
    spent: &'a mut Spent,
}

impl<L: FileSystem> Reach<'_, L> {
    /// Returns whether an author of the repository may have written the file.
    fn counts(&self, path: &Path) -> bool {
        let is_of_the_system = || self.has_system && self.files.is_of_the_system(path);
        self.checkout.holds(path) || (self.checkout.is_open_ended() && !is_of_the_system())
    }

    fn file(&mut self, path: PathBuf) -> Result<(), GatherError> {
        if self.contents.contains_key(&path) {
            return Ok(());
        }
        let content = match self.spent.read.get(&path) {
            Some(content) => content.clone(),
            None => match self.files.content(&path) {
                Ok(content) => content,
                Err(source) => return Err(GatherError::Content { path, source }),
            },
        };
        self.spent.read.insert(path.clone(), content.clone());
        self.contents.insert(path, content);
        Ok(())
    }

    /// Reads all files of a folder, with links followed.
    fn folder(&mut self, folder: PathBuf) -> Result<(), GatherError> {
        let mut folders = vec![folder.clone()];
        while let Some(next) = folders.pop() {
            if self.contents.insert(next.clone(), Content::Other).is_some() {
                continue;
            }
            let most = MOST_FILES.saturating_sub(self.entries);
            let entries = self.files.entries(&next, most + 1).map_err(|source| {
                let path = next.clone();
                GatherError::Content { path, source }
            })?;
            self.entries += entries.len();
            self.spent.entries += entries.len();
            for entry in entries {
                self.entry(entry, &mut folders)?;
            }
            let is_spent = self.spent.entries > MOST_ENTRIES;
            if self.entries > MOST_FILES || self.bytes > MOST_BYTES || is_spent {
                return Err(GatherError::TooLarge { path: folder });
            }
        }
        Ok(())
    }

    fn entry(&mut self, entry: PathBuf, folders: &mut Vec<PathBuf>) -> Result<(), GatherError> {
        if self.checkout.makes(&entry) {
            // Not even its existence counts: the first run creates the record, after consent.
            return Ok(());
        }
        let found = self.files.real_within(&entry, &mut self.spent.steps);
        let found = found.map_err(|why| GatherError::Content {
            path: entry.clone(),
            source: io::Error::other(why),
        })?;
        let Some(real) = found else {
            self.contents.insert(entry, Content::Other);
            return Ok(());
        };
        if real != entry {
            self.contents.insert(entry, Content::Link(real.clone()));
            if !self.counts(&real) {
                return Ok(());
            }
        }
        if self.files.is_folder(&real) {
            folders.push(real);
            return Ok(());
        }
        self.bytes = self.bytes.saturating_add(self.files.length(&real));
        if self.bytes > MOST_BYTES {
            // The caller names the folder.
            return Ok(());
        }
        self.file(real)
    }
}
