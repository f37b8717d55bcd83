//! Finds and reads declaration files: the only part of this module that touches the disk.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::diagnostic::{Code, Diagnostic, Diagnostics};
use crate::yaml::MAX_FILE_BYTES;
use hookctl_system::input::{Folder, real_path, real_path_within};

/// The most files that are read. With one webhook per file, ten times the planned maximum.
pub const MAX_FILES: usize = 100_000;
/// The most bytes of all files together. They are kept in memory for diagnostics.
pub const MAX_TOTAL_BYTES: usize = 256 * 1024 * 1024;

/// The most names in the targets of all links: ten for each of [`MAX_FILES`] links.
const MAX_LINK_NAMES: usize = 10 * MAX_FILES;

/// The folders that may contain files, whatever path leads to them.
#[derive(Default)]
pub(super) struct Bounds {
    /// Real paths of folders, each opened on first use.
    roots: Vec<(PathBuf, Option<Folder>)>,
}

impl Bounds {
    /// Creates bounds from folders. A missing folder contains nothing.
    pub(super) fn of<'a>(roots: impl IntoIterator<Item = &'a Path>) -> Self {
        let roots = roots
            .into_iter()
            .filter_map(|root| fs::canonicalize(root).ok());
        Self {
            roots: roots.map(|root| (root, None)).collect(),
        }
    }

    fn hold(&self, real: &Path) -> bool {
        self.roots.iter().any(|(root, _)| real.starts_with(root))
    }

    fn read(&mut self, real: &Path, limit: u64) -> io::Result<Vec<u8>> {
        let held = self
            .roots
            .iter_mut()
            .find_map(|(root, folder)| Some((real.strip_prefix(&*root).ok()?, &*root, folder)));
        let Some((below, root, folder)) = held else {
            return Err(io::Error::other(OUTSIDE));
        };
        match folder {
            Some(folder) => folder.read_regular(below, limit),
            None => folder
                .insert(Folder::open(root)?)
                .read_regular(below, limit),
        }
    }
}

const OUTSIDE: &str = "the path leads out of the repository";

/// A declaration file.
pub(super) struct File {
    /// The path by which it was found.
    pub(super) path: PathBuf,
    /// The real path.
    real: PathBuf,
}

/// Finds the declaration files below a folder, sorted by path. Skips hidden files and folders, and backups of editors.
/// Each file and folder is visited once, if possible by a path without links. A link that leads out of the bounds is
/// an error.
pub(super) fn discover(
    directory: &Path,
    bounds: &Bounds,
    shown: &dyn Fn(&Path) -> PathBuf,
    diagnostics: &mut Diagnostics,
) -> Vec<File> {
    discover_within(MAX_FILES, directory, bounds, shown, diagnostics)
}

fn discover_within(
    most: usize,
    directory: &Path,
    bounds: &Bounds,
    shown: &dyn Fn(&Path) -> PathBuf,
    diagnostics: &mut Diagnostics,
) -> Vec<File> {
    let mut walk = Walk {
        bounds,
        shown,
        diagnostics,
        seen: BTreeSet::new(),
        folders: Vec::new(),
        links: Vec::new(),
        link_names: MAX_LINK_NAMES,
        files: Vec::new(),
    };
    walk.start(directory);
    while walk.files.len() <= most {
        if let Some(folder) = walk.folders.pop() {
            walk.folder(&folder);
        } else if let Some(link) = walk.links.pop() {
            walk.enter(&link);
        } else {
            let mut files = walk.files;
            files.sort_by(|one, other| one.path.cmp(&other.path));
            return files;
        }
    }
    diagnostics.push(
        Diagnostic::new(
            Code::TooManyFiles,
            format!("the folder contains more than {most} declaration files"),
        )
        .path(shown(directory))
        .help("check the folder, or put several webhooks into one file"),
    );
    Vec::new()
}

/// Reads a file, at most one byte beyond the size limit. Reads the file that was found within the bounds, even if a
/// link has replaced it since.
pub(super) fn read(
    file: &File,
    bounds: &mut Bounds,
    shown: &Path,
    bytes_left: &mut usize,
) -> Result<Vec<u8>, Box<Diagnostic>> {
    let limit = MAX_FILE_BYTES as u64;
    let bytes = bounds.read(&file.real, limit).or_else(|error| {
        // Kubernetes replaces a mounted volume as a whole; then the path leads elsewhere by now.
        match real_path(&file.path) {
            Ok(real) if real != file.real && bounds.hold(&real) => bounds.read(&real, limit),
            _ => Err(error),
        }
    });
    let bytes = bytes.map_err(|error| Box::new(unreadable(shown.to_owned(), "file", &error)))?;
    match bytes_left.checked_sub(bytes.len()) {
        Some(left) => {
            *bytes_left = left;
            Ok(bytes)
        }
        None => Err(Box::new(
            Diagnostic::new(
                Code::FilesTooLarge,
                format!("the declaration files exceed {MAX_TOTAL_BYTES} bytes together"),
            )
            .path(shown)
            .help("check the folder"),
        )),
    }
}

struct Walk<'a> {
    bounds: &'a Bounds,
    shown: &'a dyn Fn(&Path) -> PathBuf,
    diagnostics: &'a mut Diagnostics,
    /// Visited files and folders, by real path.
    seen: BTreeSet<PathBuf>,
    folders: Vec<PathBuf>,
    /// Links that wait until everything reachable without a link has been visited.
    links: Vec<PathBuf>,
    /// How many names the remaining links may have.
    link_names: usize,
    files: Vec<File>,
}

impl Walk<'_> {
    fn start(&mut self, directory: &Path) {
        let problem = match fs::metadata(directory) {
            Ok(metadata) if metadata.is_dir() => return self.enter(directory),
            Ok(_) => Diagnostic::new(Code::NotAFolder, "the path is not a folder")
                .path((self.shown)(directory))
                .help("name the folder of the declaration files"),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                Diagnostic::new(Code::MissingFolder, "the folder does not exist")
                    .path((self.shown)(directory))
                    .help("create it, or name another folder with --dir or 'webhooks_dir'")
            }
            Err(error) => unreadable((self.shown)(directory), "folder", &error),
        };
        self.diagnostics.push(problem);
    }

    /// Visits a file or folder, once.
    fn enter(&mut self, path: &Path) {
        let found = real_path_within(path, &mut self.link_names)
            .and_then(|real| Ok((fs::metadata(&real)?, real)));
        let (metadata, real) = match found {
            Ok(found) => found,
            Err(error) => {
                self.diagnostics
                    .push(unreadable((self.shown)(path), "link", &error));
                return;
            }
        };
        let counts = metadata.is_dir() || path.extension().is_some_and(is_yaml);
        if !counts || self.seen.contains(&real) {
            return;
        }
        if !self.bounds.hold(&real) {
            self.diagnostics.push(
                Diagnostic::new(Code::LinkOutside, OUTSIDE)
                    .path((self.shown)(path))
                    .help(
                        "move the files into the repository, or name a folder outside with --dir or HOOKCTL_DIR",
                    ),
            );
            return;
        }
        self.seen.insert(real.clone());
        if metadata.is_dir() {
            self.folders.push(path.to_owned());
        } else if metadata.is_file() {
            self.files.push(File {
                path: path.to_owned(),
                real,
            });
        } else {
            let error = io::Error::other("not a regular file or a folder");
            self.diagnostics
                .push(unreadable((self.shown)(path), "file", &error));
        }
    }

    fn folder(&mut self, folder: &Path) {
        let entries = fs::read_dir(folder).and_then(Iterator::collect::<io::Result<Vec<_>>>);
        let entries = match entries {
            Ok(entries) => entries,
            Err(error) => {
                self.diagnostics
                    .push(unreadable((self.shown)(folder), "folder", &error));
                return;
            }
        };
        let mut links = Vec::new();
        for entry in entries {
            if is_left_out(&entry.file_name()) {
                continue;
            }
            match entry.file_type() {
                Ok(kind) if kind.is_symlink() => links.push(entry.path()),
                _ => self.enter(&entry.path()),
            }
        }
        // The last link is followed first, so the stack is reversed: the first by name wins.
        links.sort_by(|one, other| other.cmp(one));
        self.links.splice(0..0, links);
    }
}

fn unreadable(path: PathBuf, what: &str, error: &io::Error) -> Diagnostic {
    Diagnostic::new(
        Code::Unreadable,
        format!("could not read the {what}: {error}"),
    )
    .path(path)
    .help("fix or remove it: nothing is planned from incomplete files")
}

fn is_yaml(extension: &OsStr) -> bool {
    extension.eq_ignore_ascii_case("yaml") || extension.eq_ignore_ascii_case("yml")
}

/// Returns whether a name is hidden, or a backup of an editor.
fn is_left_out(name: &OsStr) -> bool {
    let name = name.to_string_lossy();
    name.starts_with('.')
        || name.ends_with('~')
        || (name.starts_with('#') && name.ends_with('#'))
        || [".swp", ".swo", ".swx", ".bak", ".tmp", ".orig", ".rej"]
            .iter()
            .any(|ending| name.ends_with(ending))
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    use super::*;

    struct Folder(tempfile::TempDir);

    impl Folder {
        fn new(files: &[&str]) -> Self {
            let folder = Self(tempfile::tempdir().unwrap());
            for file in files {
                let path = folder.path(file);
                fs::create_dir_all(path.parent().unwrap()).unwrap();
                fs::write(path, "").unwrap();
            }
            folder
        }

        fn path(&self, name: &str) -> PathBuf {
            self.0.path().join(name)
        }

        fn link(&self, target: &str, name: &str) {
            symlink(target, self.path(name)).unwrap();
        }

        fn found(&self) -> Vec<String> {
            let (files, problems) = self.discover("");
            assert_eq!(problems, [""; 0]);
            files
        }

        fn discover(&self, below: &str) -> (Vec<String>, Vec<String>) {
            let mut diagnostics = Diagnostics::default();
            let shown = |path: &Path| path.strip_prefix(self.0.path()).unwrap().to_owned();
            let bounds = Bounds::of([self.path("").as_path()]);
            let files = discover(&self.path(below), &bounds, &shown, &mut diagnostics);
            (
                files
                    .iter()
                    .map(|file| shown(&file.path).display().to_string())
                    .collect(),
                diagnostics
                    .iter()
                    .map(|diagnostic| {
                        let path = diagnostic.path.as_ref().unwrap();
                        format!("{} {}", diagnostic.code, path.display())
                    })
                    .collect(),
            )
        }
    }

    #[test]
    fn yaml_files_recursively_in_order() {
        let folder = Folder::new(&[
            "b.yaml",
            "a.yml",
            "c/d.yaml",
            "c/e/f.YAML",
            "readme.md",
            "yaml",
            ".hidden.yaml",
            ".git/x.yaml",
            "a.yaml~",
            "#a.yaml#",
            ".#a.yaml",
            "a.yaml.swp",
            "old.bak/x.yaml",
            "c/x.yaml.orig",
        ]);
        assert_eq!(
            folder.found(),
            ["a.yml", "b.yaml", "c/d.yaml", "c/e/f.YAML"]
        );
    }

    #[test]
    fn links_are_followed_once() {
        let folder = Folder::new(&["z/real.yaml", "..data/hook.yaml"]);
        folder.link("z/real.yaml", "a.yaml");
        folder.link("z", "b");
        folder.link(".", "z/loop");
        folder.link("../z", "z/again");
        folder.link("..data/hook.yaml", "hook.yaml");
        folder.link("..data/hook.yaml", "hook2.yaml");
        assert_eq!(folder.found(), ["hook.yaml", "z/real.yaml"]);
    }

    #[test]
    fn what_cannot_be_read_is_never_an_absence() {
        let folder = Folder::new(&["file.yaml", "d/a.yaml"]);
        folder.link("nowhere", "dangling");
        assert_eq!(folder.discover("").1, ["unreadable dangling"]);
        assert_eq!(folder.discover("none").1, ["missing-folder none"]);
        assert_eq!(folder.discover("file.yaml").1, ["not-a-folder file.yaml"]);

        fs::remove_file(folder.path("dangling")).unwrap();
        let closed = folder.path("d");
        fs::set_permissions(&closed, fs::Permissions::from_mode(0o000)).unwrap();
        // Root can read it nevertheless; then there is nothing to test.
        if fs::read_dir(&closed).is_err() {
            assert_eq!(folder.discover("").1, ["unreadable d"]);
        }
        fs::set_permissions(&closed, fs::Permissions::from_mode(0o700)).unwrap();
    }

    #[test]
    fn links_that_lead_through_many_others_are_not_followed() {
        let folder = Folder::new(&["a/x.yaml"]);
        for number in 0..35 {
            let next = if number < 34 {
                format!("l{}", number + 1)
            } else {
                "a/x.yaml".to_owned()
            };
            let winding = "a/../".repeat(800);
            folder.link(&format!("{winding}{next}"), &format!("l{number}"));
        }
        for number in 0..2_000 {
            folder.link("../l0", &format!("a/f{number}.yaml"));
        }
        let begun = std::time::Instant::now();
        let (files, problems) = folder.discover("a");
        // The system alone would take 90 seconds.
        assert!(begun.elapsed() < std::time::Duration::from_secs(30));
        assert_eq!(files, ["a/x.yaml"]);
        assert_eq!(problems.len(), 2_000);
        assert_eq!(problems[0], "unreadable a/f0.yaml");
    }

    #[test]
    fn files_are_counted() {
        let folder = Folder::new(&["a.yaml", "b/c.yaml", "b/d.yaml"]);
        let within = |most| {
            let mut diagnostics = Diagnostics::default();
            let root = folder.path("");
            let bounds = Bounds::of([root.as_path()]);
            let files = discover_within(most, &root, &bounds, &Path::to_owned, &mut diagnostics);
            let codes: Vec<_> = diagnostics.iter().map(|found| found.code).collect();
            (files.len(), codes)
        };
        assert_eq!(within(3), (3, vec![]));
        assert_eq!(within(2), (0, vec![Code::TooManyFiles]));
    }

    #[test]
    fn reading_is_bounded() {
        let folder = Folder::new(&["a.yaml"]);
        let path = folder.path("a.yaml");
        fs::write(&path, vec![b'#'; 2 * MAX_FILE_BYTES]).unwrap();
        let mut bounds = Bounds::of([folder.path("").as_path()]);
        let mut read = |path: &Path, mut left: usize| {
            let real = fs::canonicalize(folder.path("")).unwrap();
            let file = File {
                path: path.to_owned(),
                real: real.join(path.file_name().unwrap()),
            };
            super::read(&file, &mut bounds, path, &mut left)
        };
        let whole = read(&path, MAX_TOTAL_BYTES).unwrap();
        assert_eq!(whole.len(), MAX_FILE_BYTES + 1);
        assert_eq!(read(&path, 5).unwrap_err().code, Code::FilesTooLarge);
        let gone = read(&folder.path("gone.yaml"), 5).unwrap_err();
        assert_eq!(gone.code, Code::Unreadable);
    }

    #[test]
    fn no_link_leads_out_of_the_bounds() {
        let outside = Folder::new(&["x.yaml", "more/y.yaml"]);
        let folder = Folder::new(&["inner/a.yaml", "beside/b.yaml"]);
        let links = [
            (outside.path("x.yaml"), "inner/file.yaml"),
            (outside.path("more"), "inner/folder"),
            (folder.path("inner/folder"), "inner/twice"),
            ("../../..".into(), "inner/up"),
            ("../beside/b.yaml".into(), "inner/b.yaml"),
        ];
        for (target, name) in &links {
            symlink(target, folder.path(name)).unwrap();
        }
        let (files, problems) = folder.discover("inner");
        assert_eq!(files, ["inner/a.yaml", "inner/b.yaml"]);
        assert_eq!(
            problems,
            [
                "link-outside inner/file.yaml",
                "link-outside inner/folder",
                "link-outside inner/twice",
                "link-outside inner/up",
            ]
        );
    }

    #[test]
    fn what_was_put_in_the_place_of_a_file_is_not_followed() {
        let outside = Folder::new(&["x.yaml"]);
        let folder = Folder::new(&["d/a.yaml"]);
        let shown = Path::to_owned;
        let mut diagnostics = Diagnostics::default();
        let mut bounds = Bounds::of([folder.path("").as_path()]);
        let files = discover(&folder.path(""), &bounds, &shown, &mut diagnostics);
        let mut read = || {
            let mut left = MAX_TOTAL_BYTES;
            read(&files[0], &mut bounds, Path::new("a.yaml"), &mut left)
        };
        assert!(read().is_ok());
        fs::remove_file(folder.path("d/a.yaml")).unwrap();
        symlink(outside.path("x.yaml"), folder.path("d/a.yaml")).unwrap();
        assert_eq!(read().unwrap_err().code, Code::Unreadable);
        fs::remove_dir_all(folder.path("d")).unwrap();
        fs::rename(outside.path("x.yaml"), outside.path("a.yaml")).unwrap();
        symlink(outside.path(""), folder.path("d")).unwrap();
        assert_eq!(read().unwrap_err().code, Code::Unreadable);
    }

    #[test]
    fn a_volume_that_was_replaced_since_is_read_as_it_is_now() {
        let folder = Folder::new(&["..one/a.yaml", "..two/a.yaml"]);
        folder.link("..one", "..data");
        folder.link("..data/a.yaml", "a.yaml");
        let shown = Path::to_owned;
        let mut diagnostics = Diagnostics::default();
        let mut bounds = Bounds::of([folder.path("").as_path()]);
        let files = discover(&folder.path(""), &bounds, &shown, &mut diagnostics);
        fs::write(folder.path("..two/a.yaml"), "x-two: 1").unwrap();
        fs::remove_file(folder.path("..data")).unwrap();
        folder.link("..two", "..data");
        fs::remove_dir_all(folder.path("..one")).unwrap();
        let mut left = MAX_TOTAL_BYTES;
        let bytes = read(&files[0], &mut bounds, Path::new("a.yaml"), &mut left);
        assert_eq!(bytes.unwrap(), b"x-two: 1");
    }
}
