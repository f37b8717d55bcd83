//! Which configuration would have been found in a commit, links in it followed.

use std::path::{Path, PathBuf};

use hookctl::config::FILE_NAMES;

use crate::git::Repository;

/// What to look for in one commit.
pub(super) struct Request {
    commit: String,
    /// Each start: its folder, and the files that are looked for from there, the nearest folder first.
    starts: Vec<(String, Vec<Vec<String>>)>,
}

/// What a commit has.
pub(super) enum Found {
    /// No file, so the defaults held.
    Nothing,
    /// A file: its path in the repository, and its text.
    File {
        /// Its path.
        path: String,
        /// Its text.
        text: String,
    },
    /// Something that cannot be compared, and why.
    Unread(String),
    /// The folder itself was not there; and what would have been found from above.
    NewFolder(Box<Found>),
}

impl Request {
    /// Of the folders, each a path in the repository, and the name of the file if a person named it.
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

    /// The objects that tell.
    fn objects(&self) -> impl Iterator<Item = String> {
        let paths = self
            .starts
            .iter()
            .flat_map(|(folder, files)| std::iter::once(folder).chain(files.iter().flatten()));
        paths.map(|path| format!("{}:{path}\n", self.commit))
    }

    /// What was found from each start whose folder was there; from the first one if none was.
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

/// What one folder has. `None` if it has no such file.
fn one(mut there: Vec<(&String, Answer)>, paths: &[String]) -> Option<Found> {
    if there.len() > 1 {
        let why = format!("there was both {}", paths.join(" and "));
        return Some(Found::Unread(why));
    }
    let (path, answer) = there.pop()?;
    Some(match answer {
        Answer::Blob(text) => Found::File {
            path: path.clone(),
            text,
        },
        _ => Found::Unread(format!("{path} was no file of the repository")),
    })
}

/// The names that a file may have.
fn names(name: Option<&str>) -> Vec<&str> {
    name.map_or_else(|| FILE_NAMES.to_vec(), |name| vec![name])
}

/// A path as Git's question holds it: on one line.
fn text(path: &Path) -> Option<String> {
    let text = path.to_str()?;
    (!text.contains('\n')).then(|| text.to_owned())
}

/// Asks Git for all of them at once.
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
            found.unwrap_or_else(|| vec![Found::Unread("Git gave no whole answer".to_owned())])
        })
        .collect()
}

/// What Git says of one object.
enum Answer {
    Missing,
    Tree,
    Blob(String),
    /// A link that leads out of the repository, or something else that is no file.
    Other,
}

/// What Git printed and was not read yet.
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
            // A part of the path is a file, or a link came before what is not there.
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
