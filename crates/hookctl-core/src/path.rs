//! Paths as text, without access to files.

use std::path::{Component, Path, PathBuf};

/// Removes `.`, and each `..` with the folder before it, without access to the file system.
pub fn normal(path: &Path) -> PathBuf {
    let mut normal = PathBuf::new();
    for component in path.components() {
        match component {
            Component::CurDir => {}
            Component::ParentDir
                if matches!(normal.components().next_back(), Some(Component::Normal(_))) =>
            {
                normal.pop();
            }
            Component::ParentDir
                if matches!(
                    normal.components().next_back(),
                    Some(Component::RootDir | Component::Prefix(_))
                ) => {}
            other => normal.push(other),
        }
    }
    normal
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_made_normal_by_their_text() {
        let normal = |path: &str| normal(Path::new(path)).display().to_string();
        assert_eq!(normal("/a/./b/../c"), "/a/c");
        assert_eq!(normal("/../a"), "/a");
        assert_eq!(normal("a/../../b"), "../b");
        assert_eq!(normal("../../b"), "../../b");
    }
}
