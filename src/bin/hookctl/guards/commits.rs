//! Which configuration a commit would have used, with links followed.

use std::path::{Path, PathBuf};

use hookctl::config::FILE_NAMES;

use crate::git::Repository;

/// A query for one commit.
pub(super) struct Request {
    commit: String,
    /// Each start: its folder, and the candidate files from there, nearest folder first.
    starts: Vec<(String, Vec<Vec<String>>)>,
}

/// The configuration of a commit.
pub(super) enum Found {
    /// No file, so the defaults applied.
    Nothing,
    /// A file.
    File {
        /// Its path in the repository.
        path: String,
        /// Its content.
        text: String,
    },
    /// The reason why it cannot be compared.
    Unread(String),
    /// The folder did not exist; with the configuration found from its parents.
    NewFolder(Box<Found>),
}

impl Request {
    /// Creates a query for folders, given as paths in the repository, and the file name, if the user named a file.
    pub(super) fn new(commit: &str, folders: &[PathBuf], name: Option<&str>) -> Self {
        let start = |folder: &PathBuf| {
            let upwards = folder
                .ancestors()
                .take(if name.is_some() { 1 } else { usize::MAX });
            let files = upwards.map(|folder| {
                let files = names(name).into_iter().map(|name| text(&folder.join(name)));
                files.collect::<Option<Vec<String>>>()
            });
            Some((text(folder)?, files.collect::<Option<_>>()?))
        };
        Self {
            commit: commit.to_owned(),
            starts: folders.iter().filter_map(start).collect(),
        }
    }

    /// Returns the objects that Git is asked for.
    fn objects(&self) -> impl Iterator<Item = String> {
        let paths = self
            .starts
            .iter()
            .flat_map(|(folder, files)| std::iter::once(folder).chain(files.iter().flatten()));
        paths.map(|path| format!("{}:{path}\n", self.commit))
    }

    /// Returns what was found from each start whose folder existed, or from the first one if none did.
    fn found(&self, answers: &mut Answers<'_>) -> Option<Vec<Found>> {
        let mut all = Vec::new();
        let mut new = None;
        for (_, files) in &self.starts {
            let is_there = matches!(answers.next()?, Answer::Tree);
            let mut found = None;
            for paths in files {
                let mut there = Vec::new();
                for path in paths {
                    match answers.next()? {
                        Answer::Missing => {}
                        answer => there.push((path, answer)),
                    }
                }
                if found.is_none() {
                    found = one(there, paths);
                }
            }
            let found = found.unwrap_or(Found::Nothing);
            if is_there {
                all.push(found);
            } else {
                new.get_or_insert(Found::NewFolder(Box::new(found)));
            }
        }
        if all.is_empty() {
            all.extend(new);
        }
        Some(all)
    }
}

/// Returns the configuration in one folder. Returns `None` if it has no such file.
fn one(mut there: Vec<(&String, Answer)>, paths: &[String]) -> Option<Found> {
    if there.len() > 1 {
        let why = format!("it had both {}", paths.join(" and "));
        return Some(Found::Unread(why));
    }
    let (path, answer) = there.pop()?;
    Some(match answer {
        Answer::Blob(text) => Found::File {
            path: path.clone(),
            text,
        },
        _ => Found::Unread(format!("{path} was not a file of the repository")),
    })
}

/// Returns the possible file names.
fn names(name: Option<&str>) -> Vec<&str> {
    name.map_or_else(|| FILE_NAMES.to_vec(), |name| vec![name])
}

/// Returns a path as text for Git's input, which is one line.
fn text(path: &Path) -> Option<String> {
    let text = path.to_str()?;
    (!text.contains('\n')).then(|| text.to_owned())
}

/// Queries Git once for all requests.
pub(super) fn ask(repository: &Repository, requests: impl Iterator<Item = Request>) -> Vec<Found> {
    let requests: Vec<Request> = requests.collect();
    let question: String = requests.iter().flat_map(Request::objects).collect();
    if question.is_empty() {
        return Vec::new();
    }
    let batch = ["cat-file", "--batch", "--follow-symlinks"];
    let answer = repository.ask_about(&batch, question.as_bytes());
    let mut answers = Answers(answer.as_deref().unwrap_or_default());
    requests
        .iter()
        .flat_map(|request| {
            let found = request.found(&mut answers);
            found.unwrap_or_else(|| {
                vec![Found::Unread("the output of Git was incomplete".to_owned())]
            })
        })
        .collect()
}

/// Git's answer for one object.
enum Answer {
    Missing,
    Tree,
    Blob(String),
    /// A link that leads out of the repository, or another object.
    Other,
}

/// The output of Git that has not been read yet.
struct Answers<'a>(&'a [u8]);

impl Answers<'_> {
    fn next(&mut self) -> Option<Answer> {
        let end = self.0.iter().position(|byte| *byte == b'\n')?;
        let (line, rest) = self.0.split_at_checked(end)?;
        let rest = rest.get(1..)?;
        let line = std::str::from_utf8(line).ok()?;
        if line.ends_with(" missing") || line.ends_with(" submodule") {
            self.0 = rest;
            return Some(Answer::Missing);
        }
        let (head, length) = line.rsplit_once(' ')?;
        let length = length.parse().ok()?;
        let (content, rest) = rest.split_at_checked(length)?;
        self.0 = rest.get(1..)?;
        Some(match head.rsplit(' ').next() {
            Some("blob") => Answer::Blob(String::from_utf8_lossy(content).into_owned()),
            Some("tree") => Answer::Tree,
            // A part of the path is a file, or the path continues after a link to a missing one.
            Some("notdir" | "dangling") => Answer::Missing,
            _ => Answer::Other,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_git_prints_is_read_to_its_end_or_not_at_all() {
        let printed = b"abc tree 3\nx\0y\nabc blob 4\na: 1\nhead:x y missing\nsymlink 7\n../else\nnotdir 3\nh:a\n";
        let mut answers = Answers(printed);
        assert!(matches!(answers.next(), Some(Answer::Tree)));
        assert!(matches!(answers.next(), Some(Answer::Blob(text)) if text == "a: 1"));
        assert!(matches!(answers.next(), Some(Answer::Missing)));
        assert!(matches!(answers.next(), Some(Answer::Other)));
        assert!(matches!(answers.next(), Some(Answer::Missing)));
        assert!(answers.next().is_none());
        assert!(Answers(b"abc blob 40\na: 1\n").next().is_none());
    }
}
