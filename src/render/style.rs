//! Colours by meaning, in one place.

use anstyle::{AnsiColor, Style};

/// A style for each meaning. By default nothing is coloured.
#[derive(Clone, Copy, Debug, Default)]
pub struct Styles {
    /// Something is made.
    pub create: Style,
    /// Something is changed.
    pub change: Style,
    /// Something is destroyed, or went wrong.
    pub destroy: Style,
    /// The part of a text that differs.
    pub emphasis: Style,
    /// What is said beside the point: causes, places.
    pub aside: Style,
    /// What sums up.
    pub headline: Style,
    /// A warning.
    pub warning: Style,
    /// What to do.
    pub hint: Style,
    /// Whether anything is coloured.
    pub colored: bool,
}

impl Styles {
    /// Coloured for a terminal if `colored`.
    pub const fn new(colored: bool) -> Self {
        if colored {
            Self::colored()
        } else {
            Self::plain()
        }
    }

    /// Without colour.
    pub const fn plain() -> Self {
        let plain = Style::new();
        Self {
            create: plain,
            change: plain,
            destroy: plain,
            emphasis: plain,
            aside: plain,
            headline: plain,
            warning: plain,
            hint: plain,
            colored: false,
        }
    }

    /// With colour.
    pub const fn colored() -> Self {
        Self {
            create: AnsiColor::Green.on_default(),
            change: AnsiColor::Yellow.on_default(),
            destroy: AnsiColor::Red.on_default(),
            emphasis: Style::new().bold().underline(),
            aside: Style::new().dimmed(),
            headline: Style::new().bold(),
            warning: AnsiColor::Yellow.on_default().bold(),
            hint: AnsiColor::Cyan.on_default(),
            colored: true,
        }
    }
}

/// A text in a style.
pub(super) fn paint(style: Style, text: &str) -> String {
    format!("{style}{text}{style:#}")
}
