//! Styles by meaning.

use anstyle::{AnsiColor, Style};
use jiff::Timestamp;
use jiff::tz::TimeZone;

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

/// How a text is shown: in a pipe, or on a terminal.
#[derive(Clone, Debug)]
pub struct Screen {
    /// The styles.
    pub styles: Styles,
    /// The width. `None` in a pipe, where nothing is cut.
    pub columns: Option<usize>,
    /// The time zone of times.
    pub zone: TimeZone,
}

impl Screen {
    /// Returns a pipe, with or without color, and with times in UTC.
    pub const fn pipe(styles: Styles) -> Self {
        Self {
            styles,
            columns: None,
            zone: TimeZone::UTC,
        }
    }

    /// Renders a time to the second, with its zone.
    pub(super) fn time(&self, time: Timestamp) -> String {
        if self.zone == TimeZone::UTC {
            return time.strftime("%Y-%m-%d %H:%M:%SZ").to_string();
        }
        let local = time.to_zoned(self.zone.clone());
        local.strftime("%Y-%m-%d %H:%M:%S %:z").to_string()
    }

    /// Returns the head of a column of times, with their zone, at the first of them.
    pub(super) fn head_of_times(&self, name: &str, first: Option<&str>) -> String {
        let first = first.and_then(|time| time.parse().ok());
        let first = first.unwrap_or(Timestamp::UNIX_EPOCH);
        format!("{name} ({})", self.offset(first))
    }

    fn offset(&self, time: Timestamp) -> String {
        if self.zone == TimeZone::UTC {
            return "UTC".to_owned();
        }
        let local = time.to_zoned(self.zone.clone());
        local.strftime("%:z").to_string()
    }

    /// Renders a time of the API in a column of times, whose head names the zone. A time at another offset carries its
    /// own. What is not a time is shown as it is.
    pub(super) fn cell_of_time(&self, head: &str, time: Option<&str>) -> String {
        let time = time.unwrap_or_default();
        let Ok(parsed) = time.parse::<Timestamp>() else {
            return time.to_owned();
        };
        let local = parsed.to_zoned(self.zone.clone());
        // The year takes room that a screen does not have.
        let form = match self.columns {
            Some(_) => "%m-%d %H:%M:%S",
            None => "%Y-%m-%d %H:%M:%S",
        };
        let shown = local.strftime(form).to_string();
        let offset = self.offset(parsed);
        if head.ends_with(&format!("({offset})")) {
            shown
        } else {
            format!("{shown} {offset}")
        }
    }
}

/// Returns a text in a style.
pub(super) fn paint(style: Style, text: &str) -> String {
    if text.is_empty() {
        return String::new();
    }
    format!("{style}{text}{style:#}")
}
