//! The Git repository around the files: its root, found without Git, and queries that do not depend on settings of the
//! user, the environment, or the repository.
//!
//! A repository may come from an archive or belong to another user, so its settings are as untrusted as its files. Git
//! is run by an absolute path outside the repository, with plumbing commands only and the Git directory named. Every
//! setting that runs a program or fetches an object is blanked.

use std::ffi::OsString;
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError, mpsc};
use std::time::{Duration, Instant};

use hookctl::config::git_root;
use hookctl::input::read_regular;

/// How long a Git command may take.
const TIME_LIMIT: Duration = Duration::from_secs(5);

/// How long Git is not run again after a time-out, since the next command would take as long.
const SILENCE: Duration = Duration::from_mins(5);

/// When Git last timed out.
static UNANSWERED: Mutex<Option<Instant>> = Mutex::new(None);

/// Whether the output of a Git command was missing or truncated, as opposed to negative.
static LACKING: AtomicBool = AtomicBool::new(false);

/// Returns whether the output of any Git command so far was missing or truncated.
pub(crate) fn gave_no_answer() -> bool {
    LACKING.load(Ordering::SeqCst)
}

/// The most output that is read, in bytes.
const MOST_PRINTED: u64 = 4 * 1024 * 1024;

/// The environment variables that Git inherits.
const KEPT: [&str; 3] = ["SystemRoot", "TMPDIR", "TEMP"];

/// Settings by which the repository's configuration or attributes would run a program.
const BLANK: [&str; 10] = [
    "core.fsmonitor=false",
    "core.hooksPath=/dev/null",
    "core.attributesFile=/dev/null",
    "core.sshCommand=",
    "core.gitProxy=",
    "core.askPass=",
    "core.pager=",
    "diff.external=",
    "protocol.allow=never",
    "safe.bareRepository=explicit",
];

/// The largest index that is searched, in bytes.
const LARGEST_INDEX: u64 = 256 * 1024 * 1024;

/// The largest `.git` that is a file, in bytes.
const LARGEST_POINTER: u64 = 64 * 1024;

/// Returns whether a text is the hash of an object.
pub(crate) fn is_hash(text: &str) -> bool {
    matches!(text.len(), 40 | 64) && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// A repository with a work tree.
pub(crate) struct Repository {
    root: PathBuf,
}

impl Repository {
    /// Finds the repository that contains a folder, by the rule of [`git_root`].
    pub(crate) fn around(folder: &Path) -> Option<Self> {
        Self::around_part(folder, folder)
    }

    /// Finds the repository that contains a folder, which may be a submodule of the repository of `named`.
    pub(crate) fn around_part(folder: &Path, named: &Path) -> Option<Self> {
        let folder = std::path::absolute(folder).ok()?;
        let root = git_root(&folder, named)?;
        Some(Self {
            root: root.to_owned(),
        })
    }

    /// Returns the superproject of this submodule: its Git directory contains that of the submodule.
    pub(crate) fn above(&self) -> Option<Self> {
        let directory = std::fs::canonicalize(self.directory()).ok()?;
        let outer = self.root.ancestors().skip(1).find(|folder| {
            std::fs::canonicalize(folder.join(".git")).is_ok_and(|git| directory.starts_with(git))
        })?;
        Some(Self {
            root: outer.to_owned(),
        })
    }

    /// Returns the root of the work tree.
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// Runs a Git command and returns its output. The output must not depend on settings. Returns `None` if Git is
    /// missing or fails.
    pub(crate) fn ask(&self, arguments: &[&str]) -> Option<String> {
        self.run(arguments, &[], &[])
            .filter(|output| output.status.success())
            .map(|output| String::from_utf8_lossy(&output.stdout).into_owned())
    }

    /// Runs a Git command with input, and returns its output as bytes.
    pub(crate) fn ask_about(&self, arguments: &[&str], input: &[u8]) -> Option<Vec<u8>> {
        self.run(arguments, &[], input)
            .filter(|output| output.status.success())
            .map(|output| output.stdout)
    }

    /// Runs a Git command that may compare file contents. The repository's filters, which are programs, are blanked.
    pub(crate) fn ask_of_files(&self, arguments: &[&str]) -> Option<String> {
        let filters = self.filters()?;
        self.run(arguments, &filters, &[])
            .filter(|output| output.status.success())
            .map(|output| String::from_utf8_lossy(&output.stdout).into_owned())
    }

    /// Runs a Git command that answers by its exit code: 0 for yes, 1 for no.
    pub(crate) fn agrees(&self, arguments: &[&str]) -> Option<bool> {
        match self.run(arguments, &[], &[])?.status.code() {
            Some(0) => Some(true),
            Some(1) => Some(false),
            _ => None,
        }
    }

    /// Returns whether the index contains a file below a folder of the work tree. Returns `None` if that is unknown:
    /// without Git, some forms of the index cannot be read.
    pub(crate) fn tracks(&self, folder: &Path) -> Option<bool> {
        // The index has real paths, without `..` and links.
        let real = |path: &Path| std::fs::canonicalize(path).ok();
        let (Some(folder), Some(root)) = (real(folder), real(&self.root)) else {
            return None;
        };
        let below = folder.strip_prefix(&root).ok().and_then(Path::to_str);
        let Some(below) = below.filter(|below| !below.is_empty()) else {
            return Some(false);
        };
        match self.ask(&["ls-files", "-z", "--cached", "--", &pattern(below)]) {
            Some(files) => Some(!files.is_empty()),
            // Without Git, the index is searched for the name.
            None => self.index_names(below),
        }
    }

    /// Returns a folder of the work tree as a Git pathspec.
    pub(crate) fn literal(&self, folder: &Path) -> Option<String> {
        let absolute = std::path::absolute(folder).ok()?;
        let below = absolute.strip_prefix(&self.root).ok()?;
        Some(pattern(below.to_str()?))
    }

    fn index_names(&self, below: &str) -> Option<bool> {
        let needle = format!("{below}/");
        let folder = self.directory();
        let index = match read_regular(&folder.join("index"), LARGEST_INDEX) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Some(false),
            index => index.ok()?,
        };
        let names_it = index
            .windows(needle.len())
            .any(|window| window == needle.as_bytes());
        if names_it {
            return Some(true);
        }
        // Version 4 compresses names by their prefix, and a split index is spread over two files.
        let is_plain = matches!(index.get(..8), Some(b"DIRC\0\0\0\x02" | b"DIRC\0\0\0\x03"));
        let is_whole = index.len() as u64 <= LARGEST_INDEX && !has_shared_index(&folder);
        (is_plain && is_whole).then_some(false)
    }

    /// Returns the Git directory: `.git`, or the target of a `.git` file.
    fn directory(&self) -> PathBuf {
        let path = self.root.join(".git");
        let text = read_regular(&path, LARGEST_POINTER).unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        match text.strip_prefix("gitdir:") {
            Some(target) => self.root.join(target.trim()),
            None => path,
        }
    }

    /// Returns settings that blank the filters of the repository's configuration.
    fn filters(&self) -> Option<Vec<String>> {
        let names = [
            "config",
            "--includes",
            "--name-only",
            "-z",
            "--get-regexp",
            "^filter\\.",
        ];
        let output = self.run(&names, &[], &[])?;
        match output.status.code() {
            Some(0) => {}
            // None are configured.
            Some(1) => return Some(Vec::new()),
            _ => return None,
        }
        let names = String::from_utf8(output.stdout).ok()?;
        let drivers = names
            .split('\0')
            .filter_map(|name| Some(name.strip_prefix("filter.")?.rsplit_once('.')?.0));
        Some(
            drivers
                .flat_map(|driver| {
                    ["clean", "smudge", "process", "required"]
                        .map(|what| format!("filter.{driver}.{what}"))
                })
                .collect(),
        )
    }

    /// Runs Git with further settings blanked. They are passed in the environment, where a name may contain any
    /// character.
    fn run(&self, arguments: &[&str], blank: &[String], input: &[u8]) -> Option<Output> {
        let unanswered = *UNANSWERED.lock().unwrap_or_else(PoisonError::into_inner);
        if unanswered.is_some_and(|at| at.elapsed() < SILENCE) {
            return None;
        }
        let mut command = Command::new(self.program()?);
        command.env_clear();
        for name in KEPT {
            if let Some(value) = std::env::var_os(name) {
                command.env(name, value);
            }
        }
        command.env("GIT_CONFIG_COUNT", blank.len().to_string());
        for (number, name) in blank.iter().enumerate() {
            let value = if name.ends_with(".required") {
                "false"
            } else {
                ""
            };
            command
                .env(format!("GIT_CONFIG_KEY_{number}"), name)
                .env(format!("GIT_CONFIG_VALUE_{number}"), value);
        }
        command
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .env("GIT_ATTR_NOSYSTEM", "1")
            .env("GIT_OPTIONAL_LOCKS", "0")
            .env("GIT_TERMINAL_PROMPT", "0")
            .env("GIT_NO_LAZY_FETCH", "1")
            .env("GIT_NO_REPLACE_OBJECTS", "1")
            .env("GIT_ALLOW_PROTOCOL", "none")
            .env("LC_ALL", "C")
            .current_dir(&self.root)
            .arg("--no-pager")
            .arg("--git-dir")
            .arg(self.root.join(".git"))
            .arg("--work-tree")
            .arg(&self.root);
        for setting in BLANK {
            command.args(["-c", setting]);
        }
        command
            .args(arguments)
            .stdin(if input.is_empty() {
                Stdio::null()
            } else {
                Stdio::piped()
            })
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        let answer = answer(&mut command, input, TIME_LIMIT);
        if answer
            .as_ref()
            .is_none_or(|answer| answer.status.code().is_none())
        {
            LACKING.store(true, Ordering::SeqCst);
        }
        answer
    }

    /// Finds Git in an absolute folder of `PATH` that is outside the repository.
    fn program(&self) -> Option<PathBuf> {
        let name = OsString::from(format!("git{}", std::env::consts::EXE_SUFFIX));
        let outermost = std::iter::successors(self.above(), Self::above).last();
        let root = &outermost.as_ref().unwrap_or(self).root;
        let real_root = std::fs::canonicalize(root).ok()?;
        let path = std::env::var_os("PATH")?;
        std::env::split_paths(&path)
            .filter(|folder| folder.is_absolute())
            .map(|folder| folder.join(&name))
            .filter(|program| program.is_file())
            .find(|program| {
                std::fs::canonicalize(program)
                    .is_ok_and(|real| !real.starts_with(&real_root) && !program.starts_with(root))
            })
    }
}

/// Returns whether a Git directory contains a shared index, or is unreadable.
fn has_shared_index(folder: &Path) -> bool {
    let Ok(entries) = std::fs::read_dir(folder) else {
        return true;
    };
    entries.into_iter().any(|entry| {
        entry.is_ok_and(|entry| {
            let name = entry.file_name();
            name.to_string_lossy().starts_with("sharedindex.")
        })
    })
}

/// Returns a path of the work tree as a pathspec. The magic word prevents other interpretations of the name.
fn pattern(below: &str) -> String {
    match below {
        "" => ":(top)".to_owned(),
        below => format!(":(top,literal){below}"),
    }
}

/// Runs a program with a time limit: a repository may contain a FIFO in place of a file.
fn answer(command: &mut Command, input: &[u8], limit: Duration) -> Option<Output> {
    let mut child = command.spawn().ok()?;
    if let Some(mut stdin) = child.stdin.take() {
        let input = input.to_vec();
        // The input may exceed the pipe's buffer, and Git may not read it.
        let _ = std::thread::Builder::new().spawn(move || stdin.write_all(&input));
    }
    let mut printed = child.stdout.take()?.take(MOST_PRINTED);
    let (done, read) = mpsc::sync_channel(1);
    let reader = std::thread::Builder::new().spawn(move || {
        let mut bytes = Vec::new();
        let read = printed.read_to_end(&mut bytes).map(|_| bytes);
        // The receiver is gone after a time-out.
        let _ = done.send(read);
    });
    let read = match reader.ok().map(|_| read.recv_timeout(limit)) {
        Some(Ok(read)) => Some(read),
        Some(Err(mpsc::RecvTimeoutError::Timeout)) => {
            *UNANSWERED.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
            None
        }
        Some(Err(mpsc::RecvTimeoutError::Disconnected)) | None => None,
    };
    // Truncated output counts as missing: the missing part may be what matters.
    let whole = read.filter(|read| {
        read.as_ref()
            .is_ok_and(|bytes| (bytes.len() as u64) < MOST_PRINTED)
    });
    let Some(Ok(stdout)) = whole else {
        let _ = child.kill();
        let _ = child.wait();
        return None;
    };
    Some(Output {
        status: child.wait().ok()?,
        stdout,
        stderr: Vec::new(),
    })
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn a_program_that_does_not_end_or_prints_for_ever_is_ended() {
        let run = |script: &str| {
            let mut command = Command::new("sh");
            command.args(["-c", script]).stdout(Stdio::piped());
            answer(&mut command, &[], Duration::from_secs(2))
        };
        let begun = Instant::now();
        assert_eq!(run("printf yes").unwrap().stdout, b"yes");
        assert!(run("exec sleep 60").is_none());
        assert!(run("exec cat /dev/zero").is_none());
        let just = format!("exec head -c {MOST_PRINTED} /dev/zero");
        assert!(run(&just).is_none(), "it may be cut");
        assert!(begun.elapsed() < Duration::from_secs(30));
    }
}
