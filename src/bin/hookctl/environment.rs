//! The process environment, read once, here, and handed on as a lookup.

use std::collections::HashMap;

/// The variables of the process.
pub(crate) struct Environment(HashMap<String, String>);

impl Environment {
    /// Reads them. One that is not Unicode counts as not set.
    pub(crate) fn of_process() -> Self {
        Self(
            std::env::vars_os()
                .filter_map(|(name, value)| {
                    Some((name.into_string().ok()?, value.into_string().ok()?))
                })
                .collect(),
        )
    }

    /// The value of one that is a setting: empty is not set.
    pub(crate) fn setting(&self, name: &str) -> Option<String> {
        self.get(name).filter(|value| !value.is_empty())
    }

    /// The value of one, or text that is no value of anything if it is not Unicode: for what must not be ignored.
    pub(crate) fn get_lossy(&self, name: &str) -> Option<String> {
        let lossy = || std::env::var_os(name).map(|value| value.to_string_lossy().into_owned());
        self.get(name).or_else(lossy)
    }

    /// Where programs are looked for, as the process has it.
    #[expect(
        clippy::unused_self,
        reason = "whoever reads the environment must hold it"
    )]
    pub(crate) fn path(&self) -> Option<std::ffi::OsString> {
        std::env::var_os("PATH")
    }

    /// The names of all.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// The value of one.
    pub(crate) fn get(&self, name: &str) -> Option<String> {
        self.0.get(name).cloned()
    }
}
