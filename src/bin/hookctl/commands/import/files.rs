//! The files that an import writes.

use std::collections::BTreeSet;
use std::fs;
use std::io::{ErrorKind, Write as _};
use std::path::{Component, Path, PathBuf};

use hookctl::import::{Imported, SCHEMA_FILE, file};
use hookctl::outside::Outside;
use hookctl::yaml::MAX_FILE_BYTES;

use crate::commands::schema::{Subject, text};
use crate::error::CommandError;
use crate::exit_status::ExitStatus;
use crate::place::stays_within;
use crate::settings::{NamedBy, Settings};

/// The schema of hookctl.yaml, in the folder of declarations.
pub(crate) const CONFIG_SCHEMA_FILE: &str = ".config.schema.json";

/// A file to write.
pub(super) struct NewFile {
    pub(super) path: PathBuf,
    pub(super) text: String,
}

/// Returns the files to write, none of which exists yet. If a name is taken, another one is chosen, unless `--file`
/// names it: then it is an error.
pub(super) fn files(
    kept: &[Imported],
    folder: &Path,
    one: Option<&Path>,
) -> Result<Vec<NewFile>, CommandError> {
    if kept.is_empty() {
        return Ok(Vec::new());
    }
    let Some(name) = one else {
        let names = free_names(kept, |name| is_taken(&folder.join(name)))?;
        let files = kept.iter().zip(names).map(|(imported, name)| NewFile {
            path: folder.join(name),
            text: file([imported], 0),
        });
        return Ok(files.collect());
    };
    // Hidden files and folders are not read as declarations.
    let is_visible = |component| match component {
        Component::Normal(name) => !name.as_encoded_bytes().starts_with(b"."),
        _ => false,
    };
    let is_name = name.components().all(is_visible)
        && name
            .extension()
            .is_some_and(|extension| extension == "yaml" || extension == "yml");
    if !is_name {
        return Err(CommandError::new(
            "usage",
            "--file must be the name of a .yaml file in the folder of declarations, such as teams/billing.yaml",
        )
        .status(ExitStatus::Usage));
    }
    let path = folder.join(name);
    if is_taken(&path)? {
        return Err(CommandError::new(
            "file-exists",
            format!(
                "{} already exists; nothing was written",
                Outside::path(&path)
            ),
        )
        .hint("move it, or choose another name for --file"));
    }
    let text = file(kept, name.components().count() - 1);
    if text.len() > MAX_FILE_BYTES {
        return Err(CommandError::new(
            "import",
            format!(
                "{} would have {} bytes, and a file of declarations has at most {MAX_FILE_BYTES}; nothing was written",
                Outside::path(&path),
                text.len()
            ),
        )
        .hint("leave out --file, to write a file for each webhook"));
    }
    Ok(vec![NewFile { path, text }])
}

/// Chooses a unique file name for each webhook: its key, with a number if that is taken.
fn free_names(
    kept: &[Imported],
    is_taken: impl Fn(&str) -> Result<bool, CommandError>,
) -> Result<Vec<String>, CommandError> {
    // The name `<key>.yaml` is reserved for the webhook of that key.
    let keys: BTreeSet<String> = kept.iter().map(|one| format!("{}.yaml", one.key)).collect();
    let mut chosen = BTreeSet::new();
    kept.iter()
        .map(|imported| {
            let key = &imported.key;
            let mut name = format!("{key}.yaml");
            let mut number = 1_u64;
            while chosen.contains(&name) || (number > 1 && keys.contains(&name)) || is_taken(&name)?
            {
                number += 1;
                name = format!("{key}-{number}.yaml");
            }
            chosen.insert(name.clone());
            Ok(name)
        })
        .collect()
}

/// Returns whether the path exists; a broken link counts.
fn is_taken(path: &Path) -> Result<bool, CommandError> {
    match fs::symlink_metadata(path) {
        Ok(_) => Ok(true),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
        Err(error) => Err(CommandError::new(
            "import",
            format!("could not read {}: {error}", Outside::path(path)),
        )),
    }
}

/// Writes a new file. Removes it again if the write fails.
pub(crate) fn write_new(path: &Path, text: &str) -> std::io::Result<()> {
    let mut options = fs::OpenOptions::new();
    let mut opened = options.write(true).create_new(true).open(path)?;
    let written = opened.write_all(text.as_bytes());
    if written.is_err() {
        // A partial file would still count as a declaration.
        let _ = fs::remove_file(path);
    }
    written
}

/// Writes the files, and the schema next to them.
pub(super) fn write(files: &[NewFile], settings: &Settings) -> Result<(), CommandError> {
    let failed = |path: &Path, error: &std::io::Error| {
        CommandError::new(
            "import",
            format!("could not write {}: {error}", Outside::path(path)),
        )
    };
    if files.is_empty() {
        return Ok(());
    }
    let folder = &settings.webhooks_dir;
    if settings.webhooks_dir_by == NamedBy::Repository {
        stays_within(&settings.root, folder).map_err(|error| failed(folder, &error))?;
    }
    fs::create_dir_all(folder).map_err(|error| failed(folder, &error))?;
    write_schema(folder).map_err(|error| failed(&folder.join(SCHEMA_FILE), &error))?;
    for file in files {
        if let Some(parent) = file.path.parent().filter(|parent| parent != folder) {
            stays_within(folder, parent).map_err(|error| failed(parent, &error))?;
            fs::create_dir_all(parent).map_err(|error| failed(parent, &error))?;
        }
        write_new(&file.path, &file.text).map_err(|error| failed(&file.path, &error))?;
    }
    Ok(())
}

/// Writes the schema that the first line of each file refers to.
pub(crate) fn write_schema(folder: &Path) -> std::io::Result<()> {
    replace(&folder.join(SCHEMA_FILE), &text(Subject::Webhooks))
}

/// Writes the schema that the first line of hookctl.yaml refers to, also into the folder of declarations: it is hidden
/// there.
pub(crate) fn write_config_schema(folder: &Path) -> std::io::Result<()> {
    replace(&folder.join(CONFIG_SCHEMA_FILE), &text(Subject::Config))
}

fn replace(path: &Path, text: &str) -> std::io::Result<()> {
    // Removed rather than written through: a link or a FIFO may lead anywhere.
    match fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
        Ok(()) | Err(_) => {}
    }
    write_new(path, text)
}

pub(super) fn shown<'a>(path: &'a Path, settings: &Settings) -> &'a Path {
    path.strip_prefix(&settings.root).unwrap_or(path)
}

#[cfg(test)]
mod tests {
    use hookctl::webhook::{Key, RemoteId};

    use super::*;

    fn imported(key: &str, text: &str) -> Imported {
        Imported {
            key: Key::parse(key).unwrap(),
            id: RemoteId::parse("id").unwrap(),
            name: String::new(),
            text: text.to_owned(),
        }
    }

    #[test]
    fn one_file_is_no_larger_than_one_that_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let half = imported("a", &"#".repeat(MAX_FILE_BYTES / 2));
        let files = |kept: &[Imported], one| files(kept, folder.path(), one);
        let one = Some(Path::new("all.yaml"));
        let together = files(&[half.clone(), half.clone()], one).map(|_| ());
        let message = together.unwrap_err().message;
        assert!(message.contains("all.yaml would have 4194"), "{message}");
        assert_eq!(
            files(std::slice::from_ref(&half), one)
                .map_err(|_| ())
                .unwrap()
                .len(),
            1
        );
        assert_eq!(
            files(&[half.clone(), half], None)
                .map_err(|_| ())
                .unwrap()
                .len(),
            2
        );
    }

    #[test]
    fn a_taken_name_is_left_alone_and_no_name_is_chosen_twice() {
        let imported = ["a", "a-2", "b"].map(|key| imported(key, ""));
        let names = |taken: &[&str]| free_names(&imported, |name| Ok(taken.contains(&name)));
        let names = |taken: &[&str]| names(taken).map_err(|error| error.message).unwrap();
        assert_eq!(names(&[]), ["a.yaml", "a-2.yaml", "b.yaml"]);
        assert_eq!(names(&["a.yaml"]), ["a-3.yaml", "a-2.yaml", "b.yaml"]);
        assert_eq!(
            names(&["a.yaml", "a-3.yaml", "a-2.yaml"]),
            ["a-4.yaml", "a-2-2.yaml", "b.yaml"]
        );
    }
}
