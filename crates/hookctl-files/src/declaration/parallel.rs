//! Parses many files in parallel. The result does not depend on the number of threads.

use std::num::NonZero;
use std::path::PathBuf;

use super::interpolate::TextBudget;
use super::validate::Found;
use super::{LoadOptions, ReadFile};
use crate::diagnostic::{Diagnostics, SourceMap};
use crate::yaml;

/// The bytes that justify a thread: parsing fewer is faster than starting it, and saves the memory that the allocator
/// reserves for it. About two thousand webhooks.
const WORTH_A_THREAD: usize = 256 * 1024;

/// The most threads, since parsing is a small part of a run.
const MOST_THREADS: usize = 8;

/// A file that has not been parsed.
pub(super) struct Unread {
    /// The folder for its relative paths.
    pub(super) folder: PathBuf,
    /// Its displayed path.
    pub(super) shown: PathBuf,
    pub(super) bytes: Vec<u8>,
}

/// The result for some consecutive files.
pub(super) struct Part {
    pub(super) sources: SourceMap,
    pub(super) diagnostics: Diagnostics,
    pub(super) found: Found,
}

/// Parses files, on as many threads as are worthwhile. Returns the results in order.
pub(super) fn read(unread: Vec<Unread>, options: &LoadOptions<'_>) -> Vec<Part> {
    let bytes: usize = unread.iter().map(|file| file.bytes.len()).sum();
    let processors = std::thread::available_parallelism().map_or(1, NonZero::get);
    let threads = (bytes / WORTH_A_THREAD).min(processors).min(MOST_THREADS);
    let mut shares = shared_out(unread, bytes, threads.max(1)).into_iter();
    let budget = TextBudget::default();
    let budget = &budget;
    let Some((first, files)) = shares.next() else {
        return Vec::new();
    };
    std::thread::scope(|scope| {
        let others: Vec<_> = shares
            .map(|(first, files)| scope.spawn(move || part(first, files, options, budget)))
            .collect();
        let mut parts = vec![part(first, files, options, budget)];
        parts.extend(others.into_iter().map(|thread| match thread.join() {
            Ok(part) => part,
            Err(panic) => std::panic::resume_unwind(panic),
        }));
        parts
    })
}

/// Splits files into shares of similar size, each with the number of its first file.
fn shared_out(unread: Vec<Unread>, bytes: usize, shares: usize) -> Vec<(usize, Vec<Unread>)> {
    let most = bytes / shares + 1;
    let mut parts: Vec<(usize, Vec<Unread>)> = Vec::new();
    let (mut first, mut taken) = (0, most);
    for file in unread {
        if taken >= most {
            parts.push((first, Vec::new()));
            taken = 0;
        }
        taken += file.bytes.len();
        first += usize::from(yaml::adds_a_source(&file.bytes));
        if let Some((_, files)) = parts.last_mut() {
            files.push(file);
        }
    }
    parts
}

/// Parses a share, one file at a time, so that only one file's trees are in memory.
fn part(first: usize, unread: Vec<Unread>, options: &LoadOptions<'_>, budget: &TextBudget) -> Part {
    let mut part = Part {
        sources: SourceMap::starting_at(first),
        diagnostics: Diagnostics::default(),
        found: Found::default(),
    };
    for file in unread {
        let mut diagnostics = Diagnostics::default();
        let documents =
            yaml::read_bytes(file.shown, file.bytes, &mut part.sources, &mut diagnostics);
        let read = ReadFile {
            folder: file.folder,
            documents,
            is_complete: diagnostics.is_empty(),
        };
        part.diagnostics.extend(diagnostics);
        part.found
            .add(&read, &part.sources, options, budget, &mut part.diagnostics);
    }
    part
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;
    use std::path::Path;

    use super::*;
    use crate::declaration::{Declarations, Loaded, merge};
    use crate::yaml::MAX_FILE_BYTES;

    /// Returns valid files, or files that conflict with each other: keys and names used two and three times.
    fn files(with_errors: bool) -> Vec<Unread> {
        let mut texts: Vec<Vec<u8>> = (0..400)
            .map(|number| {
                let key = if with_errors { number % 150 } else { number };
                let name = if with_errors { number % 170 } else { number };
                match number % 7 {
                    0 if with_errors => b"webhooks: [".to_vec(),
                    1 if with_errors => vec![0xff; 10],
                    2 if with_errors => format!("webhooks: {{ hook-{key}: {{ url: 5 }} }}").into(),
                    _ => format!(
                        "webhooks: {{ hook-{key}: {{ name: n{name}, url: 'https://h{number}.example.com', actions: all }} }} {}",
                        "\n".repeat(number % 90)
                    )
                    .into(),
                }
            })
            .collect();
        if with_errors {
            texts.insert(7, vec![b' '; MAX_FILE_BYTES + 1]);
        }
        let files = texts.into_iter().enumerate();
        files
            .map(|(number, bytes)| Unread {
                folder: PathBuf::from("/"),
                shown: PathBuf::from(format!("{number:03}.yaml")),
                bytes,
            })
            .collect()
    }

    /// Returns all diagnostics with their locations, and the declarations.
    fn reported(loaded: &Loaded) -> String {
        let mut reported = String::new();
        for diagnostic in loaded.diagnostics.iter() {
            let labels = diagnostic.primary.iter().chain(&diagnostic.secondary);
            let places: Vec<_> = labels
                .map(|label| loaded.sources.location(label.span))
                .collect();
            let path = &diagnostic.path;
            writeln!(reported, "{} {places:?} {path:?}", diagnostic.message).unwrap();
        }
        if let Some(declarations) = &loaded.declarations {
            let desired = declarations
                .clone()
                .into_desired(&std::collections::BTreeMap::new());
            writeln!(reported, "{:?}", desired.webhooks).unwrap();
        }
        reported
    }

    fn shared(with_errors: bool, shares: usize) -> Loaded {
        let files = files(with_errors);
        let bytes = files.iter().map(|file| file.bytes.len()).sum();
        let budget = TextBudget::default();
        let options = LoadOptions::below(Path::new("/"));
        let parts = shared_out(files, bytes, shares)
            .into_iter()
            .map(|(first, files)| part(first, files, &options, &budget));
        merge(parts, Diagnostics::default(), 0)
    }

    #[test]
    fn it_makes_no_difference_how_files_are_shared_out() {
        for with_errors in [true, false] {
            let one = shared(with_errors, 1);
            let declared = one.declarations.as_ref().map(Declarations::len);
            assert_eq!(declared, (!with_errors).then_some(400));
            let one = reported(&one);
            for shares in [2, 3, 8, 1000] {
                assert_eq!(reported(&shared(with_errors, shares)), one, "{shares}");
            }
            let parts = read(files(with_errors), &LoadOptions::below(Path::new("/")));
            let read = merge(parts.into_iter(), Diagnostics::default(), 0);
            assert_eq!(reported(&read), one);
            let twice = one.matches("is declared twice").count();
            assert_eq!(twice > 100, with_errors, "{twice}");
        }
    }
}
