//! The arguments that several commands share, and the types of their values.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};
use hookctl::apply::Settle;
use hookctl::plan::KeyFilter;

/// What holds for every command.
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a switch of the command line"
)]
#[derive(Clone, Debug, Args)]
pub(crate) struct GlobalArgs {
    /// The configuration file [default: hookctl.yaml, searched for upwards]
    #[arg(long, value_name = "FILE", global = true, env = "HOOKCTL_CONFIG")]
    pub(crate) config: Option<PathBuf>,
    /// The target of hookctl.yaml to work on [default: its default_target]
    #[arg(long, value_name = "NAME", global = true, env = "HOOKCTL_TARGET")]
    pub(crate) target: Option<String>,
    /// The folder of declarations [default: webhooks.d]
    #[arg(long, value_name = "FOLDER", global = true, env = "HOOKCTL_DIR")]
    pub(crate) dir: Option<PathBuf>,
    /// The folder of the local record [default: .hookctl]
    #[arg(long, value_name = "FOLDER", global = true, env = "HOOKCTL_CACHE_DIR")]
    pub(crate) cache_dir: Option<PathBuf>,
    /// The base URL of the API
    #[arg(long, value_name = "URL", global = true, env = "HOOKCTL_API_URL")]
    pub(crate) api_url: Option<String>,
    /// Allow an http:// API that is not on this machine
    #[arg(long, global = true)]
    pub(crate) insecure_http: bool,
    /// How long a request may take, such as 30s
    #[arg(long, value_name = "TIME", global = true, env = "HOOKCTL_REQUEST_TIMEOUT", value_parser = duration, hide = true)]
    pub(crate) request_timeout: Option<Duration>,
    /// How long a request without an answer may still take effect, such as 45s
    #[arg(long, value_name = "TIME", global = true, env = "HOOKCTL_SETTLE_HORIZON", value_parser = duration, hide = true)]
    pub(crate) settle_horizon: Option<Duration>,
    /// Treat warnings about the files as errors
    #[arg(long, global = true)]
    pub(crate) deny_warnings: bool,
    /// How long to wait for another run that uses the local record, such as 10s or 500ms
    #[arg(long, value_name = "TIME", global = true, env = "HOOKCTL_LOCK_TIMEOUT", default_value = "10s", value_parser = duration)]
    pub(crate) lock_timeout: Duration,
    /// When to colour
    #[arg(long, value_name = "WHEN", global = true, value_enum, default_value_t = ColorWhen::Auto)]
    pub(crate) color: ColorWhen,
    /// The form of log lines on standard error
    #[arg(long, value_name = "FORM", global = true, value_enum, default_value_t = LogFormat::Text, env = "HOOKCTL_LOG_FORMAT")]
    pub(crate) log_format: LogFormat,
    /// Log more: -v each action, -vv each request (never headers or bodies)
    #[arg(short, long, global = true, action = clap::ArgAction::Count, conflicts_with = "quiet")]
    pub(crate) verbose: u8,
    /// Show every problem of the files, not only the first 100
    #[arg(long, global = true)]
    pub(crate) all: bool,
    /// Say only what is a result or an error
    #[arg(short, long, global = true)]
    pub(crate) quiet: bool,
}

/// When to colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ColorWhen {
    /// On a terminal, unless `NO_COLOR` is set.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// The form of log lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogFormat {
    /// For people.
    Text,
    /// One JSON object per line.
    Json,
}

/// The form of a result that is a list or a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Form {
    /// For people.
    Human,
    /// One JSON document (see schemas/).
    Json,
}

/// A shell-like pattern of keys, checked when it is parsed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct KeyGlob(String);

impl KeyGlob {
    /// Parses a pattern such as `billing-*`.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        KeyFilter::matching([text])
            .map(|_| Self(text.to_owned()))
            .map_err(|error| error.to_string())
    }

    /// The pattern as it was written.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

/// Reads `10s`, `500ms`, `2m`, `1h`, or a number of seconds.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    hookctl::config::parse_time(text).map_err(|error| format!("'{text}' is {error}"))
}

/// What is done about requests that may still take effect.
#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct SettlingArgs {
    /// Whether to wait for requests without an answer that may still take effect
    #[arg(long, value_name = "WHEN", value_enum, default_value_t = When::Wait)]
    settle: When,
    /// How long requests in flight are waited for after Ctrl-C or SIGTERM
    #[arg(long, value_name = "TIME", default_value = "25s", value_parser = duration)]
    pub(crate) grace: Duration,
}

impl SettlingArgs {
    /// What the pass does about them.
    pub(crate) const fn settle(self) -> Settle {
        match self.settle {
            When::Wait => Settle::Wait,
            When::Now => Settle::Now,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum When {
    /// Wait until they are certain, for one settle horizon at most.
    Wait,
    /// Go on as if they could no longer take effect.
    Now,
}
