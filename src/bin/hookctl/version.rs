//! The version of this program, and the commit that it was built from.

use std::sync::LazyLock;

/// The version, as in Cargo.toml.
const VERSION: &str = env!("CARGO_PKG_VERSION");

/// The commit, if the build knew it (`build.rs`).
const COMMIT: Option<&str> = option_env!("HOOKCTL_COMMIT");

static LONG: LazyLock<String> = LazyLock::new(|| with_commit(COMMIT));

/// Returns the version with the commit, for people.
pub(crate) fn long() -> &'static str {
    &LONG
}

fn with_commit(commit: Option<&str>) -> String {
    match commit {
        Some(commit) if !commit.is_empty() => format!("{VERSION} ({commit})"),
        _ => VERSION.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_commit_is_shown_if_it_is_known() {
        assert_eq!(with_commit(None), VERSION);
        assert_eq!(with_commit(Some("")), VERSION);
        assert_eq!(
            with_commit(Some("0123456789ab")),
            format!("{VERSION} (0123456789ab)")
        );
    }
}
