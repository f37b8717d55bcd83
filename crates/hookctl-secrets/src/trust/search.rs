//! Searches programs. The system's search is not used, since it accepts relative folders in `PATH`, and folders of the
//! repository.

use std::ffi::OsStr;
use std::path::{MAIN_SEPARATOR, Path, PathBuf};

use super::{Checkout, FileSystem};
use hookctl_core::path::normal;

/// Returns the folders of `PATH` that are searched: absolute ones outside the checkout.
pub(super) fn folders(
    path: Option<&OsStr>,
    checkout: &Checkout,
    files: &impl FileSystem,
) -> Vec<PathBuf> {
    let is_of_the_checkout = |folder: &Path| {
        let real = files.real(folder);
        checkout.holds(&normal(folder)) || real.is_some_and(|real| checkout.holds(&real))
    };
    path.iter()
        .flat_map(std::env::split_paths)
        .filter(|folder| folder.is_absolute() && !is_of_the_checkout(folder))
        .collect()
}

/// Returns the absolute path of a program. A name with a slash is relative to the folder; others are searched in
/// `PATH`.
pub(super) fn find(
    program: &str,
    folder: &Path,
    folders: &[PathBuf],
    files: &impl FileSystem,
) -> Option<PathBuf> {
    if program.contains(['/', MAIN_SEPARATOR]) {
        let path = folder.join(program);
        let is_program = || {
            files
                .real(&path)
                .is_some_and(|real| files.is_program(&real))
        };
        return (path.is_absolute() && is_program()).then_some(path);
    }
    folders
        .iter()
        .map(|folder| folder.join(program))
        .flat_map(|path| {
            let mut with_suffix = path.clone().into_os_string();
            with_suffix.push(std::env::consts::EXE_SUFFIX);
            [path, with_suffix.into()]
        })
        .find(|path| files.is_program(path))
}
