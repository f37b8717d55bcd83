//! Folders below that of the file, which hookctl does not expand as a shell would.

use std::path::{Component, Path, PathBuf};

use super::reader::Reader;
use crate::diagnostic::Code;
use crate::yaml::Mapping;

impl Reader<'_> {
    /// Reads a folder below that of the file. Other folders need a flag, which does not come with the repository.
    pub(super) fn folder(&mut self, mapping: &Mapping, key: &str, flag: &str) -> Option<PathBuf> {
        let node = mapping.get(key)?;
        let text = node.text(key, self.diagnostics)?;
        let problem = if text.starts_with('~') {
            Some("'~' does not mean the home folder here")
        } else if text.contains('$') {
            Some("variables have no meaning here")
        } else if text.contains('\0') {
            Some("a path cannot contain this character")
        } else if Path::new(text).has_root() || begins_elsewhere(Path::new(text)) {
            Some("leads out of the folder of this file")
        } else if Path::new(text)
            .components()
            .any(|part| part == Component::ParentDir)
        {
            // Behind a link, which comes with the files, `..` may lead anywhere.
            Some("'..' may lead out of the folder of this file")
        } else {
            None
        };
        if let Some(label) = problem {
            self.diagnostics.push(
                node.problem(
                    Code::InvalidFolder,
                    format!("'{key}' must be a folder below this file"),
                    label,
                )
                .help(format!(
                    "use a relative path, or name another folder with {flag}"
                )),
            );
            return None;
        }
        self.text(mapping, key)
            .map(|(text, _)| self.folder.join(text))
    }
}

/// Returns whether a path starts at a drive or another root.
fn begins_elsewhere(path: &Path) -> bool {
    matches!(path.components().next(), Some(Component::Prefix(_)))
}
