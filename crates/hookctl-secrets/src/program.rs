//! Runs the program of a secret, bounded in time and memory, and ends it with its child processes.

use std::ffi::OsStr;
use std::io;
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::process::{Child, Command};
use zeroize::Zeroizing;

use crate::limits::MAX_SECRET_BYTES;
use hookctl_core::secret::Filter;

/// The most bytes of standard error that are kept.
const MOST_SAID: usize = 16 * 1024;
/// The most lines of standard error that are shown, and the longest line, in characters.
const LINES: usize = 5;
const LINE_LENGTH: usize = 200;
/// The shortest word with letters and digits that may be a credential, in characters.
const WORD_LENGTH: usize = 20;
/// The prefixes of variables that child processes do not inherit.
const WITHHELD: [&str; 2] = ["INTERACTLY_", "HOOKCTL_"];
/// The replacement for a secret.
const MASK: &str = "(secret)";

/// Why a program has no output.
pub(super) enum ProgramError {
    System(io::Error),
    TooLarge,
    TimedOut,
}

/// The result of a finished program.
pub(super) struct Ended {
    pub(super) status: ExitStatus,
    pub(super) stdout: Zeroizing<Vec<u8>>,
    stderr: Zeroizing<Vec<u8>>,
}

/// Returns the command of a program, with its working directory and environment. `search` is the `PATH` of the program
/// and its child processes.
pub(super) fn command(
    program: &Path,
    arguments: &[String],
    directory: &Path,
    search: &OsStr,
) -> Command {
    let mut command = Command::new(program);
    // A program named by a file must not see the settings and keys of hookctl.
    for (name, _) in std::env::vars_os().filter(|(name, _)| is_withheld(name)) {
        command.env_remove(&name);
    }
    // An empty entry would mean the current folder, which belongs to the repository.
    if search.is_empty() {
        command.env_remove("PATH");
    } else {
        command.env("PATH", search);
    }
    command
        .args(arguments)
        .current_dir(directory)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    command
}

/// Returns whether a variable is withheld, ignoring case, which has no meaning on some systems.
fn is_withheld(name: &OsStr) -> bool {
    let name = name.as_encoded_bytes();
    WITHHELD.iter().any(|prefix| {
        name.get(..prefix.len())
            .is_some_and(|start| start.eq_ignore_ascii_case(prefix.as_bytes()))
    })
}

/// Runs a program until it exits. Its output is what it has printed by then, since a background process may keep the
/// pipe open.
pub(super) async fn run(mut command: Command, limit: Duration) -> Result<Ended, ProgramError> {
    let mut group = Group::prepare(&mut command);
    let mut child = command.spawn().map_err(ProgramError::System)?;
    group.lead(&child);
    let most = usize::try_from(MAX_SECRET_BYTES).unwrap_or(usize::MAX - 1);
    let mut stdout = Pipe::of(child.stdout.take(), most)?;
    let mut stderr = Pipe::of(child.stderr.take(), MOST_SAID)?;
    let ended = async {
        tokio::select! {
            status = child.wait() => status.map_err(ProgramError::System),
            () = stdout.fill() => Err(ProgramError::TooLarge),
            // Excess output is read and dropped, so that the program does not block.
            () = stderr.fill_and_forget() => Err(ProgramError::TimedOut),
        }
    };
    let status = tokio::time::timeout(limit, ended)
        .await
        .map_err(|_| ProgramError::TimedOut)??;
    group.ended();
    stdout.rest()?;
    stderr.rest()?;
    if stdout.is_over() {
        return Err(ProgramError::TooLarge);
    }
    Ok(Ended {
        status,
        stdout: stdout.bytes,
        stderr: stderr.bytes,
    })
}

impl Ended {
    /// Returns the last lines of standard error. Masks the program's standard output in them, and each word that looks
    /// like a credential.
    pub(super) fn said(&self) -> Vec<String> {
        let printed = String::from_utf8_lossy(&self.stdout);
        let printed: Vec<&str> = printed
            .split_whitespace()
            .filter(|word| word.len() >= 4)
            .collect();
        let mut filter = Filter::new();
        for word in &printed {
            filter.follow_text(word);
        }
        let said = String::from_utf8_lossy(&self.stderr);
        let lines: Vec<&str> = said
            .lines()
            .filter(|line| !line.trim().is_empty())
            .collect();
        let first = lines.len().saturating_sub(LINES);
        lines
            .into_iter()
            .skip(first)
            .map(|line| {
                let mut line = filter.masked(line.trim()).into_owned();
                for word in &printed {
                    line = line.replace(word, MASK);
                }
                masked_words(&line).chars().take(LINE_LENGTH).collect()
            })
            .collect()
    }
}

/// Returns a text of another program as one line of bounded length, with each word masked that looks like a credential.
pub(super) fn masked_line(text: &str) -> String {
    let line: Vec<&str> = text.split_whitespace().collect();
    masked_words(&line.join(" "))
        .chars()
        .take(LINE_LENGTH)
        .collect()
}

/// Returns the line with each word masked that looks like a credential.
fn masked_words(line: &str) -> String {
    let belongs = |character: char| character.is_ascii_alphanumeric() || "_-+=".contains(character);
    let mut masked = String::new();
    let mut rest = line;
    while let Some(start) = rest.find(belongs) {
        let (before, from) = rest.split_at(start);
        let end = from
            .find(|character| !belongs(character))
            .unwrap_or(from.len());
        let (word, after) = from.split_at(end);
        let has = |test: fn(&u8) -> bool| word.as_bytes().iter().any(test);
        masked += before;
        masked +=
            if word.len() >= WORD_LENGTH && has(u8::is_ascii_digit) && has(u8::is_ascii_alphabetic)
            {
                MASK
            } else {
                word
            };
        rest = after;
    }
    masked + rest
}

/// The read end of a pipe, read up to a limit.
struct Pipe<R> {
    reader: Option<R>,
    /// The same end, for reads that do not block.
    #[cfg(unix)]
    now: Option<std::fs::File>,
    bytes: Zeroizing<Vec<u8>>,
    limit: usize,
}

#[cfg(unix)]
trait End: AsyncRead + Unpin + std::os::fd::AsFd {}
#[cfg(unix)]
impl<R: AsyncRead + Unpin + std::os::fd::AsFd> End for R {}
#[cfg(not(unix))]
trait End: AsyncRead + Unpin {}
#[cfg(not(unix))]
impl<R: AsyncRead + Unpin> End for R {}

impl<R: End> Pipe<R> {
    fn of(reader: Option<R>, limit: usize) -> Result<Self, ProgramError> {
        #[cfg(unix)]
        let now = reader
            .as_ref()
            .map(|reader| reader.as_fd().try_clone_to_owned())
            .transpose()
            .map_err(ProgramError::System)?
            .map(std::fs::File::from);
        Ok(Self {
            reader,
            #[cfg(unix)]
            now,
            // Growing the buffer would leave copies behind.
            bytes: Zeroizing::new(Vec::with_capacity(limit + 1)),
            limit,
        })
    }

    fn is_over(&self) -> bool {
        self.bytes.len() > self.limit
    }

    /// Reads until the limit is exceeded; never returns otherwise.
    async fn fill(&mut self) {
        while !self.is_over() {
            let left = self.limit + 1 - self.bytes.len();
            let Some(reader) = &mut self.reader else {
                break;
            };
            match reader.take(left as u64).read_buf(&mut *self.bytes).await {
                Ok(count) if count > 0 => {}
                _ => break,
            }
        }
        if !self.is_over() {
            std::future::pending::<()>().await;
        }
    }

    /// Reads forever, overwriting what exceeds the limit.
    async fn fill_and_forget(&mut self) {
        loop {
            self.fill().await;
            let half = self.limit / 2;
            self.bytes.drain(..half);
        }
    }

    /// Reads what is available without blocking.
    fn rest(&mut self) -> Result<(), ProgramError> {
        #[cfg(unix)]
        if let Some(mut now) = self.now.take() {
            use std::io::Read as _;

            let mut buffer = Zeroizing::new(vec![0; 4096]);
            while !self.is_over() {
                match now.read(&mut buffer) {
                    Ok(0) => break,
                    Ok(count) => {
                        let left = self.limit + 1 - self.bytes.len();
                        let read = buffer.get(..count.min(left)).unwrap_or_default();
                        self.bytes.extend_from_slice(read);
                    }
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                    Err(error) => return Err(ProgramError::System(error)),
                }
            }
        }
        Ok(())
    }
}

/// The process group of a program, which ends with it unless the program exits by itself. On a terminal the program
/// stays in the terminal's group, so that it can prompt; Ctrl-C reaches it there.
struct Group {
    #[cfg(unix)]
    own: bool,
    #[cfg(unix)]
    leader: Option<rustix::process::Pid>,
}

impl Group {
    #[cfg(unix)]
    fn prepare(command: &mut Command) -> Self {
        use std::io::IsTerminal as _;

        let own = !io::stdin().is_terminal() && !io::stderr().is_terminal();
        if own {
            command.process_group(0);
        }
        Self { own, leader: None }
    }

    #[cfg(unix)]
    fn lead(&mut self, child: &Child) {
        let id = child.id().and_then(|id| i32::try_from(id).ok());
        self.leader = id
            .and_then(rustix::process::Pid::from_raw)
            .filter(|_| self.own);
    }

    #[cfg(unix)]
    fn ended(&mut self) {
        self.leader = None;
    }

    #[cfg(not(unix))]
    fn prepare(_: &mut Command) -> Self {
        Self {}
    }

    #[cfg(not(unix))]
    fn lead(&mut self, _: &Child) {}

    #[cfg(not(unix))]
    fn ended(&mut self) {}
}

#[cfg(unix)]
impl Drop for Group {
    fn drop(&mut self) {
        if let Some(leader) = self.leader {
            // A finished process needs no signal.
            let _ = rustix::process::kill_process_group(leader, rustix::process::Signal::KILL);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_and_keys_are_withheld_in_whatever_case() {
        for name in [
            "INTERACTLY_API_KEY",
            "HOOKCTL_TRUST",
            "Interactly_x",
            "hookctl_",
            "HOOKCTL_",
        ] {
            assert!(is_withheld(OsStr::new(name)), "{name}");
        }
        for name in ["PATH", "INTERACTLY", "MY_HOOKCTL_X", "", "HOOKCTL"] {
            assert!(!is_withheld(OsStr::new(name)), "{name}");
        }
    }
}
