//! Settings that make a plan less careful, as a plan shows them.

use super::sanitize::sanitize;
use super::style::{Styles, paint};
use crate::outside::Outside;

/// A setting of hookctl.yaml that makes a plan less careful than its default, or than before this change of the files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LooseSetting {
    /// The name, such as `safety.max_delete_count`.
    pub name: String,
    /// The current value.
    pub value: String,
    /// The default.
    pub default: String,
    /// The file and line. `None` if the setting was removed.
    pub place: Option<(std::path::PathBuf, usize)>,
    /// What this change of the files did to it. `None` if unknown.
    pub change: Option<SettingChange>,
}

/// The settings of hookctl.yaml that make a plan less careful.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LooseSettings {
    /// In the order of display.
    pub settings: Vec<LooseSetting>,
    /// Why the comparison with earlier files is missing or incomplete, if it is.
    pub unread: Option<String>,
}

impl LooseSettings {
    /// No settings.
    pub const NONE: Self = Self {
        settings: Vec::new(),
        unread: None,
    };

    /// Returns whether there is nothing to show.
    pub const fn is_empty(&self) -> bool {
        self.settings.is_empty() && self.unread.is_none()
    }

    /// Returns a sentence about a missing comparison.
    pub(super) fn doubt(&self) -> Option<String> {
        let why = self.unread.as_ref()?;
        Some(format!(
            "could not compare them with the files before this change: {}",
            sanitize(why)
        ))
    }
}

/// What a change of the files did to a setting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SettingChange {
    /// Left it unchanged.
    Same,
    /// Changed it from this value.
    From(String),
}

impl LooseSetting {
    /// Returns the location as `path:line`.
    pub(super) fn source(&self) -> Option<String> {
        let (path, line) = self.place.as_ref()?;
        Some(format!("{}:{line}", Outside::path(path)))
    }

    /// Returns the value before this change of the files, if it was different.
    pub(super) fn before(&self) -> Option<&str> {
        match &self.change {
            Some(SettingChange::From(before)) => Some(before),
            Some(SettingChange::Same) | None => None,
        }
    }

    /// Returns a sentence about the setting, without its location.
    pub(super) fn sentence(&self) -> String {
        let set = format!("{}: {}", sanitize(&self.name), sanitize(&self.value));
        let default = if self.value == self.default {
            "the default".to_owned()
        } else {
            format!("default {}", sanitize(&self.default))
        };
        match &self.change {
            None => format!("{set} ({default})"),
            Some(SettingChange::Same) => format!("{set} ({default}; unchanged)"),
            Some(SettingChange::From(before)) => {
                format!("{set} ({default}; changed from {})", sanitize(before))
            }
        }
    }
}

/// Renders the settings as text. Returns an empty text if there are none.
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

/// The headline above the settings.
pub(super) const HEADLINE: &str = "Settings of hookctl.yaml that make this plan less careful";
