//! `confirm`: before which plans a person is asked.

use super::reader::Reader;
use super::{Config, Target};
use crate::yaml::Mapping;

/// Before which plans a person is asked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Confirm {
    /// Before each plan. Without a terminal, `--yes` must answer.
    Always,
    /// Before a plan that deletes a webhook or clears a token, on a terminal.
    #[default]
    Losses,
    /// Before none.
    Never,
}

impl Confirm {
    /// All values, the most careful first.
    pub const ALL: [Self; 3] = [Self::Always, Self::Losses, Self::Never];

    /// Returns the word of hookctl.yaml.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Always => "always",
            Self::Losses => "losses",
            Self::Never => "never",
        }
    }

    /// Returns how careless the value is.
    pub(super) const fn slack(self) -> i128 {
        match self {
            Self::Always => 0,
            Self::Losses => 1,
            Self::Never => 2,
        }
    }
}

impl Config {
    /// Returns the value for a target.
    pub fn confirm_in(&self, target: &str) -> Confirm {
        let of_target = self.targets.get(target).and_then(|target| target.confirm);
        of_target.or(self.confirm).unwrap_or_default()
    }
}

impl Target {
    /// Returns whether the target has a value of its own.
    pub(super) const fn has_confirm(&self) -> bool {
        self.confirm.is_some()
    }
}

impl Reader<'_> {
    pub(super) fn confirm(&mut self, mapping: &Mapping) -> Option<Confirm> {
        let known = Confirm::ALL.map(Confirm::as_str);
        let word = self.word("confirm", mapping.get("confirm")?, &known)?;
        Confirm::ALL
            .into_iter()
            .find(|confirm| confirm.as_str() == word)
    }
}
