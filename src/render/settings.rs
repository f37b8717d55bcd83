//! Settings that make a plan less careful, as a plan shows them.

use super::sanitize::sanitize;
use super::style::{Styles, paint};
use crate::outside::Outside;

/// A setting of hookctl.yaml that makes a plan less careful than its default, or than before this change of files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LooseSetting {
    /// Its name, such as `safety.max_delete_count`.
    pub name: String,
    /// What holds.
    pub value: String,
    /// What holds where nothing is set.
    pub default: String,
    /// Where it is set; `None` if it is not, and was before.
    pub place: Option<(std::path::PathBuf, usize)>,
    /// What this change of files did to it; `None` if that cannot be told.
    pub change: Option<SettingChange>,
}

/// The settings of hookctl.yaml that make a plan less careful.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LooseSettings {
    /// Each of them.
    pub settings: Vec<LooseSetting>,
    /// Why it cannot be told what this change of files did to them, though Git has the files that were before.
    pub unread: Option<String>,
}

impl LooseSettings {
    /// None, and nothing that was before.
    pub const NONE: Self = Self {
        settings: Vec::new(),
        unread: None,
    };

    /// Whether there is nothing to tell.
    pub const fn is_empty(&self) -> bool {
        self.settings.is_empty() && self.unread.is_none()
    }

    /// Why a change of them cannot be told, in words.
    pub(super) fn doubt(&self) -> Option<String> {
        let why = self.unread.as_ref()?;
        Some(format!(
            "what this change of files did to them cannot be told: before it, {}",
            sanitize(why)
        ))
    }
}

/// What a change of files did to a setting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SettingChange {
    /// Nothing.
    Same,
    /// It was this before.
    From(String),
}

impl LooseSetting {
    /// Where it is set, as `path:line`.
    pub(super) fn source(&self) -> Option<String> {
        let (path, line) = self.place.as_ref()?;
        Some(format!("{}:{line}", Outside::path(path)))
    }

    /// What it was before this change of files, if it was something else.
    pub(super) fn before(&self) -> Option<&str> {
        match &self.change {
            Some(SettingChange::From(before)) => Some(before),
            Some(SettingChange::Same) | None => None,
        }
    }

    /// The setting in words, without its place.
    pub(super) fn sentence(&self) -> String {
        let set = format!("{}: {}", sanitize(&self.name), sanitize(&self.value));
        let default = if self.value == self.default {
            "the default".to_owned()
        } else {
            format!("default {}", sanitize(&self.default))
        };
        match &self.change {
            None => format!("{set} ({default})"),
            Some(SettingChange::Same) => format!("{set} ({default}; as before)"),
            Some(SettingChange::From(before)) => {
                format!(
                    "{set} ({default}; this change of files made it so, from {})",
                    sanitize(before)
                )
            }
        }
    }
}

/// The settings for people; nothing where there is none.
pub(super) fn for_people(settings: &LooseSettings, styles: &Styles) -> String {
    if settings.is_empty() {
        return String::new();
    }
    let mut text = paint(styles.warning, HEADLINE);
    text += ":\n";
    if let Some(doubt) = settings.doubt() {
        text += &format!("  ! {doubt}\n");
    }
    for setting in &settings.settings {
        let place = setting.source().map_or_else(String::new, |source| {
            paint(styles.aside, &format!("   {source}"))
        });
        text += &format!("  ! {}{place}\n", setting.sentence());
    }
    text.push('\n');
    text
}

/// What the settings are introduced with.
pub(super) const HEADLINE: &str = "Settings of hookctl.yaml that make this plan less careful";
