//! Styles by meaning.

use anstyle::{AnsiColor, Style};

/// A style for each meaning. The default is no color.
#[derive(Clone, Copy, Debug, Default)]
pub struct Styles {
    /// A creation.
    pub create: Style,
    /// A change.
    pub change: Style,
    /// A deletion or an error.
    pub destroy: Style,
    /// The part of a text that differs.
    pub emphasis: Style,
    /// Secondary text: causes, locations.
    pub aside: Style,
    /// A summary.
    pub headline: Style,
    /// A warning.
    pub warning: Style,
    /// A hint.
    pub hint: Style,
    /// Whether colors are used.
    pub colored: bool,
}

impl Styles {
    /// Returns the colored styles if `colored`, and the plain ones otherwise.
    pub const fn new(colored: bool) -> Self {
        if colored {
            Self::colored()
        } else {
            Self::plain()
        }
    }

    /// Returns styles without color.
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

    /// Returns styles with color.
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

/// Returns a text in a style.
pub(super) fn paint(style: Style, text: &str) -> String {
    format!("{style}{text}{style:#}")
}
