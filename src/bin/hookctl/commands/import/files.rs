//! The files that an import writes.

use std::fs;
use std::path::{Path, PathBuf};

use hookctl::import::{Imported, SCHEMA_FILE, file};
use hookctl::outside::Outside;

use crate::error::CommandError;
use crate::exit_status::ExitStatus;
use crate::settings::Settings;

/// A file to write.
pub(super) struct NewFile {
    pub(super) path: PathBuf,
    pub(super) text: String,
}

/// The files to write, none of which is there yet.
pub(super) fn files(
    kept: &[Imported],
    folder: &Path,
    one: Option<&Path>,
) -> Result<Vec<NewFile>, CommandError> {
    let files = match one {
        _ if kept.is_empty() => Vec::new(),
        Some(name) => {
            let is_name = name.file_name() == Some(name.as_os_str())
                && name
                    .extension()
                    .is_some_and(|extension| extension == "yaml" || extension == "yml");
            if !is_name {
                return Err(CommandError::new(
                    "usage",
                    "--file takes the name of a .yaml file in the folder of declarations",
                )
                .status(ExitStatus::Usage));
            }
            vec![NewFile {
                path: folder.join(name),
                text: file(kept),
            }]
        }
        None => kept
            .iter()
            .map(|imported| NewFile {
                path: folder.join(format!("{}.yaml", imported.key)),
                text: file([imported]),
            })
            .collect(),
    };
    match files.iter().find(|file| file.path.exists()) {
        Some(taken) => Err(CommandError::new(
            "file-exists",
            format!(
                "{} is there already; nothing was written",
                Outside::path(&taken.path)
            ),
        )
        .help("move it away, or give --file another name")),
        None => Ok(files),
    }
}

/// Writes the files, each as a whole, and the schema beside them.
pub(super) fn write(files: &[NewFile], folder: &Path) -> Result<(), CommandError> {
    let failed = |path: &Path, error: &std::io::Error| {
        CommandError::new(
            "import",
            format!("could not write {}: {error}", Outside::path(path)),
        )
    };
    if files.is_empty() {
        return Ok(());
    }
    fs::create_dir_all(folder).map_err(|error| failed(folder, &error))?;
    write_schema(folder).map_err(|error| failed(&folder.join(SCHEMA_FILE), &error))?;
    for file in files {
        let mut options = fs::OpenOptions::new();
        options
            .write(true)
            .create_new(true)
            .open(&file.path)
            .and_then(|mut opened| std::io::Write::write_all(&mut opened, file.text.as_bytes()))
            .map_err(|error| failed(&file.path, &error))?;
    }
    Ok(())
}

/// Writes the schema that the files' first line refers to.
pub(crate) fn write_schema(folder: &Path) -> std::io::Result<()> {
    fs::write(folder.join(SCHEMA_FILE), crate::commands::schema::text())
}

pub(super) fn shown<'a>(path: &'a Path, settings: &Settings) -> &'a Path {
    path.strip_prefix(&settings.root).unwrap_or(path)
}
