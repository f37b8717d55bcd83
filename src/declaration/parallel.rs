//! Reading many files at once. What comes of it does not depend on how they were shared out.

use std::num::NonZero;

use super::{ReadFile, Unread};
use crate::diagnostic::{Diagnostics, SourceMap};
use crate::yaml;

/// Fewer bytes than this are read faster than a thread is started.
const WORTH_A_THREAD: usize = 64 * 1024;

/// The most threads: reading is a small part of a run.
const MOST_THREADS: usize = 8;

/// What came of some files that follow each other.
pub(super) struct Part {
    pub(super) sources: SourceMap,
    pub(super) files: Vec<ReadFile>,
    pub(super) diagnostics: Diagnostics,
}

/// Reads files, and returns what came of them in their order.
pub(super) fn read(unread: Vec<Unread>) -> Vec<Part> {
    let bytes: usize = unread.iter().map(|file| file.bytes.len()).sum();
    let processors = std::thread::available_parallelism().map_or(1, NonZero::get);
    let threads = processors
        .min(MOST_THREADS)
        .min(bytes / WORTH_A_THREAD)
        .max(1);
    let parts = shared_out(unread, bytes, threads);
    if parts.len() <= 1 {
        return parts
            .into_iter()
            .map(|(first, files)| part(first, files))
            .collect();
    }
    std::thread::scope(|scope| {
        let running: Vec<_> = parts
            .into_iter()
            .map(|(first, files)| scope.spawn(move || part(first, files)))
            .collect();
        running
            .into_iter()
            .map(|thread| match thread.join() {
                Ok(part) => part,
                Err(panic) => std::panic::resume_unwind(panic),
            })
            .collect()
    })
}

/// Shares files out by their bytes, each share with the number of its first source.
fn shared_out(unread: Vec<Unread>, bytes: usize, threads: usize) -> Vec<(usize, Vec<Unread>)> {
    let share = bytes / threads + 1;
    let mut parts: Vec<(usize, Vec<Unread>)> = Vec::new();
    let (mut first, mut taken) = (0, share);
    for file in unread {
        if taken >= share {
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

fn part(first: usize, unread: Vec<Unread>) -> Part {
    let mut part = Part {
        sources: SourceMap::starting_at(first),
        files: Vec::new(),
        diagnostics: Diagnostics::default(),
    };
    for file in unread {
        let mut diagnostics = Diagnostics::default();
        let documents =
            yaml::read_bytes(file.shown, file.bytes, &mut part.sources, &mut diagnostics);
        part.files.push(ReadFile {
            folder: file.folder,
            documents,
            is_complete: diagnostics.is_empty(),
        });
        part.diagnostics.extend(diagnostics);
    }
    part
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;
    use crate::yaml::MAX_FILE_BYTES;

    fn files() -> Vec<Unread> {
        let mut texts: Vec<Vec<u8>> = (0..400)
            .map(|number| match number % 5 {
                0 => b"webhooks: [".to_vec(),
                1 => vec![0xff; 10],
                _ => format!(
                    "webhooks: {{ hook-{number}: {{ name: {} }} }}",
                    "x".repeat(900)
                )
                .into_bytes(),
            })
            .collect();
        texts.insert(7, vec![b' '; MAX_FILE_BYTES + 1]);
        texts
            .into_iter()
            .enumerate()
            .map(|(number, bytes)| Unread {
                folder: PathBuf::from("/"),
                shown: PathBuf::from(format!("{number}.yaml")),
                bytes,
            })
            .collect()
    }

    /// Everything that is told of the files, with its place.
    fn told(parts: Vec<Part>) -> (usize, Vec<String>) {
        let mut sources = SourceMap::default();
        let (mut documents, mut diagnostics) = (0, Vec::new());
        for part in parts {
            assert!(sources.append(part.sources).is_ok());
            documents += part
                .files
                .iter()
                .map(|file| file.documents.len())
                .sum::<usize>();
            diagnostics.extend(part.diagnostics.iter().cloned());
        }
        let lines = diagnostics.iter().map(|diagnostic| {
            let place = diagnostic
                .primary
                .as_ref()
                .map(|label| sources.location(label.span));
            format!("{} {place:?} {:?}", diagnostic.message, diagnostic.path)
        });
        (documents, lines.collect())
    }

    #[test]
    fn it_makes_no_difference_how_files_are_shared_out() {
        let bytes = files().iter().map(|file| file.bytes.len()).sum();
        let alone = |threads| {
            shared_out(files(), bytes, threads)
                .into_iter()
                .map(|(first, files)| part(first, files))
                .collect()
        };
        let one = told(alone(1));
        assert!(
            one.0 > 200 && one.1.len() > 150,
            "{} {}",
            one.0,
            one.1.len()
        );
        for threads in [2, 3, 8, 1000] {
            assert_eq!(told(alone(threads)), one, "{threads}");
        }
        assert_eq!(told(read(files())), one);
    }
}
