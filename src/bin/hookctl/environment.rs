//! The process environment, read once and passed on as a lookup.

use std::collections::HashMap;
use std::sync::Arc;

/// The environment variables of the process. Clones share them.
#[derive(Clone)]
pub(crate) struct Environment(Arc<HashMap<String, String>>);

impl Environment {
    /// Reads the environment. A variable that is not Unicode counts as unset.
    pub(crate) fn of_process() -> Self {
        let variables = std::env::vars_os().filter_map(|(name, value)| {
            Some((name.into_string().ok()?, value.into_string().ok()?))
        });
        Self(Arc::new(variables.collect()))
    }

    /// Returns the value of a setting. An empty value counts as unset.
    pub(crate) fn setting(&self, name: &str) -> Option<String> {
        self.get(name).filter(|value| !value.is_empty())
    }

    /// Returns a value even if it is not Unicode, lossily: for variables that must not be ignored.
    pub(crate) fn get_lossy(&self, name: &str) -> Option<String> {
        let lossy = || std::env::var_os(name).map(|value| value.to_string_lossy().into_owned());
        self.get(name).or_else(lossy)
    }

    /// Returns `PATH`.
    #[expect(
        clippy::unused_self,
        reason = "callers must hold the environment to read it"
    )]
    pub(crate) fn path(&self) -> Option<std::ffi::OsString> {
        std::env::var_os("PATH")
    }

    /// Returns the names of all variables.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// Returns the value of a variable.
    pub(crate) fn get(&self, name: &str) -> Option<String> {
        self.0.get(name).cloned()
    }
}
