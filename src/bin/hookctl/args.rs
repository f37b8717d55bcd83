//! Arguments shared by several commands, and the types of their values.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};
use hookctl::apply::Settle;
use hookctl::plan::KeyFilter;
use hookctl::record::RecordUrl;
use hookctl::render::Detail;

/// Arguments of every command.
#[expect(clippy::struct_excessive_bools, reason = "each is a command-line flag")]
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Global options")]
pub(crate) struct GlobalArgs {
    /// Configuration file [default: hookctl.yaml in this folder or a parent]
    #[arg(long, value_name = "FILE", global = true, env = "HOOKCTL_CONFIG")]
    pub(crate) config: Option<PathBuf>,
    /// Target of hookctl.yaml [default: its default_target]
    #[arg(long, value_name = "NAME", global = true, env = "HOOKCTL_TARGET")]
    pub(crate) target: Option<String>,
    /// Folder of declarations [default: webhooks.d]
    #[arg(long, value_name = "FOLDER", global = true, env = "HOOKCTL_DIR")]
    pub(crate) dir: Option<PathBuf>,
    /// Folder of the local record [default: .hookctl]
    #[arg(long, value_name = "FOLDER", global = true, env = "HOOKCTL_CACHE_DIR")]
    pub(crate) cache_dir: Option<PathBuf>,
    /// Where the record is: local, or the address of a shared one, such as s3://BUCKET/PREFIX
    #[arg(long, value_name = "WHERE", global = true, env = "HOOKCTL_RECORD", value_parser = RecordArg::parse)]
    pub(crate) record: Option<RecordArg>,
    /// Base URL of the API
    #[arg(long, value_name = "URL", global = true, env = "HOOKCTL_API_URL")]
    pub(crate) api_url: Option<String>,
    /// Allow plain HTTP to an API on another host
    #[arg(long, global = true)]
    pub(crate) insecure_http: bool,
    /// Timeout of a request, such as 30s
    #[arg(long, value_name = "TIME", global = true, env = "HOOKCTL_REQUEST_TIMEOUT", value_parser = duration, hide = true)]
    pub(crate) request_timeout: Option<Duration>,
    /// How long a request without a response may still take effect, such as 45s
    #[arg(long, value_name = "TIME", global = true, env = "HOOKCTL_SETTLE_HORIZON", value_parser = duration, hide = true)]
    pub(crate) settle_horizon: Option<Duration>,
    /// Treat warnings about the files as errors
    #[arg(long, global = true)]
    pub(crate) deny_warnings: bool,
    /// How long to wait for another process that writes the record [default: 10s, shared: 2m]
    #[arg(long, value_name = "TIME", global = true, env = "HOOKCTL_LOCK_TIMEOUT", value_parser = duration)]
    pub(crate) lock_timeout: Option<Duration>,
    /// When to use colors
    #[arg(long, value_name = "WHEN", global = true, value_enum, default_value_t = ColorWhen::Auto, env = "HOOKCTL_COLOR")]
    pub(crate) color: ColorWhen,
    /// Format of log lines on standard error
    #[arg(long, value_name = "FORMAT", global = true, value_enum, default_value_t = LogFormat::Text, env = "HOOKCTL_LOG_FORMAT")]
    pub(crate) log_format: LogFormat,
    /// Log more: -v logs each action, -vv each request (never headers or bodies)
    #[arg(short, long, global = true, action = clap::ArgAction::Count, conflicts_with = "quiet")]
    pub(crate) verbose: u8,
    /// Show all problems in the files, instead of the first 100
    #[arg(long, global = true)]
    pub(crate) all: bool,
    /// Print only summaries and errors
    #[arg(short, long, global = true)]
    pub(crate) quiet: bool,
}

/// Where the record is, as named by a flag or a variable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum RecordArg {
    /// In the folder of the local record.
    Local,
    /// On an object store.
    Shared(RecordUrl),
}

impl RecordArg {
    /// Parses `local` or an address.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        if text == "local" {
            return Ok(Self::Local);
        }
        let parsed = RecordUrl::parse(text).map_err(|error| error.to_string());
        parsed.map(Self::Shared)
    }
}

/// When to use colors.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ColorWhen {
    /// On a terminal; `NO_COLOR`, `FORCE_COLOR`, and `TERM=dumb` are honored
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

impl ColorWhen {
    /// Returns whether a stream is colored. `setting` returns a variable that is set and not empty.
    ///
    /// `NO_COLOR` comes first, since the user set it, and the others are often set by a program.
    pub(crate) fn colors(
        self,
        setting: impl Fn(&str) -> Option<String>,
        is_terminal: bool,
    ) -> bool {
        let is = |name: &str, value: &str| setting(name).is_some_and(|set| set == value);
        let forces = |name| setting(name).is_some() && !is(name, "0");
        match self {
            Self::Always => true,
            Self::Never => false,
            Self::Auto if setting("NO_COLOR").is_some() || is("FORCE_COLOR", "0") => false,
            Self::Auto if forces("FORCE_COLOR") || forces("CLICOLOR_FORCE") => true,
            Self::Auto => is_terminal && !is("TERM", "dumb") && !is("CLICOLOR", "0"),
        }
    }
}

/// The format of log lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogFormat {
    /// Human-readable text
    Text,
    /// One JSON object per line
    Json,
}

/// The output format of a list or a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Form {
    /// Human-readable text
    Human,
    /// One JSON document (see schemas/)
    Json,
}

/// A glob pattern over keys, validated when it is parsed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct KeyGlob(String);

impl KeyGlob {
    /// Parses a pattern such as `billing-*`.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        KeyFilter::matching([text])
            .map(|_| Self(text.to_owned()))
            .map_err(|error| error.to_string())
    }

    /// Returns the pattern as it was written.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

/// Parses `10s`, `500ms`, `2m`, `1h`, or a number of seconds.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    hookctl::config::parse_time(text).map_err(|error| format!("'{text}' is {error}"))
}

/// Arguments about requests whose outcome is unknown.
#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct SettlingArgs {
    /// Whether to wait for requests that may still take effect; `now` risks a duplicate webhook
    #[arg(long, value_name = "WHEN", value_enum, default_value_t = When::Wait)]
    settle: When,
    /// How long to wait for requests in flight after Ctrl-C or SIGTERM
    #[arg(long, value_name = "TIME", default_value = "25s", value_parser = duration)]
    pub(crate) grace: Duration,
}

impl SettlingArgs {
    /// Returns the choice as the library names it.
    pub(crate) const fn settle(self) -> Settle {
        match self.settle {
            When::Wait => Settle::Wait,
            When::Now => Settle::Now,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum When {
    /// Wait until their outcome is known, at most for one settle horizon
    Wait,
    /// Proceed as if they could no longer take effect
    Now,
}

/// Arguments about how much of a plan is shown.
#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct DetailArgs {
    /// Show a line for each kind of change [default on a terminal: above 50 actions]
    #[arg(long, conflicts_with = "full")]
    compact: bool,
    /// Show every change of every webhook
    #[arg(long)]
    full: bool,
}

impl DetailArgs {
    /// Returns the choice. `None` leaves it to the size of the plan.
    pub(crate) const fn choice(self) -> Option<Detail> {
        match (self.compact, self.full) {
            (true, _) => Some(Detail::Compact),
            (_, true) => Some(Detail::Full),
            (false, false) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_decide_about_colors_and_a_flag_over_them() {
        for (variables, on_terminal, in_pipe) in [
            (&[][..], true, false),
            (&[("TERM", "dumb")], false, false),
            (&[("TERM", "xterm-256color")], true, false),
            (&[("NO_COLOR", "1")], false, false),
            (&[("NO_COLOR", "1"), ("FORCE_COLOR", "1")], false, false),
            (&[("FORCE_COLOR", "1")], true, true),
            (&[("FORCE_COLOR", "0")], false, false),
            (&[("CLICOLOR_FORCE", "1"), ("TERM", "dumb")], true, true),
            (&[("CLICOLOR_FORCE", "0")], true, false),
            (&[("CLICOLOR", "0")], false, false),
        ] {
            let setting = |name: &str| {
                let found = variables.iter().find(|(known, _)| *known == name);
                found.map(|(_, value)| (*value).to_owned())
            };
            let auto = |is_terminal| ColorWhen::Auto.colors(setting, is_terminal);
            assert_eq!(
                (auto(true), auto(false)),
                (on_terminal, in_pipe),
                "{variables:?}"
            );
            assert!(ColorWhen::Always.colors(setting, false));
            assert!(!ColorWhen::Never.colors(setting, true));
        }
    }
}
