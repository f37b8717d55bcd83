//! Where a program is. The system's own search is not used: it takes relative folders of `PATH`, and those of the
//! repository, for as good as any other.

use std::ffi::OsStr;
use std::path::{MAIN_SEPARATOR, Path, PathBuf};

use super::{Checkout, Look};
use hookctl_system::input::normal;

/// Returns the folders of `PATH` that are searched: absolute ones outside the checkout.
pub(super) fn folders(path: Option<&OsStr>, checkout: &Checkout, look: &impl Look) -> Vec<PathBuf> {
    let is_of_the_checkout = |folder: &Path| {
        let real = look.real(folder);
        checkout.holds(&normal(folder)) || real.is_some_and(|real| checkout.holds(&real))
    };
    path.iter()
        .flat_map(std::env::split_paths)
        .filter(|folder| folder.is_absolute() && !is_of_the_checkout(folder))
        .collect()
}

/// Returns the absolute path of a program: one with a slash starts at the folder, one without is looked for.
pub(super) fn find(
    program: &str,
    folder: &Path,
    folders: &[PathBuf],
    look: &impl Look,
) -> Option<PathBuf> {
    if program.contains(['/', MAIN_SEPARATOR]) {
        let path = folder.join(program);
        let is_program = || look.real(&path).is_some_and(|real| look.is_program(&real));
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
        .find(|path| look.is_program(path))
}
