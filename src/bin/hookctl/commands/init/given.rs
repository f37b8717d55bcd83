//! What `init` was given, and the files that say so.

use std::path::{Component, Path};
use std::time::Duration;

use hookctl::config::ApiBaseUrl;
use hookctl::diagnostic::Severity;
use hookctl::outside::Outside;

use crate::args::GlobalArgs;
use crate::commands::import::CONFIG_SCHEMA_FILE;
use crate::error::CommandError;
use crate::exit_status::ExitStatus;

/// The address and its host, as the workflow template names them.
const ADDRESS: &str = "https://api-prod.interactly.ai";
const HOST: &str = "api-prod.interactly.ai";

const GITHUB: &str = include_str!("../../../../../examples/ci/workflows/hookctl.yml");
const GITLAB: &str = include_str!("../../../../../examples/ci/gitlab/hookctl.yml");

/// The release that the templates install.
const TEMPLATE_VERSION: &str = "HOOKCTL_VERSION: v0.1.0";

/// Where hookctl is released, as OWNER/NAME. A release sets it; a build from a checkout has none.
const REPOSITORY: Option<&str> = option_env!("HOOKCTL_REPOSITORY");

/// The default folders, as the workflow template names them.
const WEBHOOKS: &str = "webhooks.d";
pub(super) const RECORD: &str = ".hookctl";

/// The folders named in hookctl.yaml, relative to it.
pub(super) struct Folders {
    pub(super) webhooks: String,
    /// `None` for the default, and for a folder that only a flag can name.
    pub(super) record: Option<String>,
}

impl Folders {
    /// Reads the folders from the flags.
    pub(super) fn of(global: &GlobalArgs, here: &Path, root: &Path) -> Result<Self, CommandError> {
        let webhooks = match &global.dir {
            None => WEBHOOKS.to_owned(),
            Some(folder) => below(root, &here.join(folder)).ok_or_else(|| {
                CommandError::new(
                    "usage",
                    format!(
                        "--dir {} is not below the folder of hookctl.yaml",
                        Outside::path(folder)
                    ),
                )
                .status(ExitStatus::Usage)
            })?,
        };
        let record = global.cache_dir.as_ref();
        Ok(Self {
            webhooks,
            record: record.and_then(|folder| below(root, &here.join(folder))),
        })
    }
}

/// Returns a path relative to a folder that contains it. Returns `None` if it is elsewhere or not UTF-8.
fn below(root: &Path, path: &Path) -> Option<String> {
    let inner = path.strip_prefix(root).ok()?;
    let mut names = Vec::new();
    for component in inner.components() {
        match component {
            Component::CurDir => {}
            Component::Normal(name) => names.push(name.to_str()?),
            _ => return None,
        }
    }
    (!names.is_empty()).then(|| names.join("/"))
}

/// The flags and answers.
pub(super) struct Given {
    pub(super) folders: Folders,
    pub(super) request_timeout: Option<Duration>,
    pub(super) settle_horizon: Option<Duration>,
    pub(super) target: String,
    /// The API's base URL as it was written, and parsed.
    pub(super) url: Option<(String, ApiBaseUrl)>,
    pub(super) key: String,
}

impl Given {
    /// Returns the line that names the schema for editors, unless the folder's name would not stay on it.
    fn modeline(&self) -> String {
        let folder = &self.folders.webhooks;
        if folder.contains(|character: char| character.is_whitespace() || character.is_control()) {
            return String::new();
        }
        format!("# yaml-language-server: $schema={folder}/{CONFIG_SCHEMA_FILE}\n")
    }

    pub(super) fn configuration(&self) -> String {
        let quoted = hookctl::yaml::quoted;
        let mut text = self.modeline();
        text += &format!(
            "# The folder of declarations. See `hookctl --help` and the docs for other settings.
webhooks_dir: {}
",
            hookctl::yaml::scalar(&self.folders.webhooks)
        );
        if let Some(folder) = &self.folders.record {
            text += &format!("cache_dir: {}\n", quoted(folder));
        }
        for (name, time) in [
            ("request_timeout", self.request_timeout),
            ("settle_horizon", self.settle_horizon),
        ] {
            if let Some(time) = time {
                let time = match time.subsec_millis() {
                    0 => format!("{}s", time.as_secs()),
                    _ => format!("{}ms", time.as_millis()),
                };
                text += &format!("{name}: {time}\n");
            }
        }
        let target = quoted(&self.target);
        text += &format!("default_target: {target}\ntargets:\n  {target}:\n");
        if let Some((url, _)) = &self.url {
            text += &format!("    api_url: {}\n", quoted(url));
        }
        text + &format!(
            "    api_key: {{ env: {} }}\n",
            hookctl::yaml::scalar(&self.key)
        )
    }

    /// Returns the workflow for GitHub.
    pub(super) fn github(&self) -> String {
        let text = self.filled(GITHUB, &format!("path: {RECORD}"), |folder| {
            format!("path: {folder}")
        });
        match REPOSITORY {
            Some(repository) => text.replace(
                "${{ vars.HOOKCTL_REPOSITORY }}",
                &hookctl::yaml::quoted(repository),
            ),
            None => text,
        }
    }

    /// Returns the jobs for GitLab.
    pub(super) fn gitlab(&self) -> String {
        let text = self.filled(GITLAB, &format!("paths: [{RECORD}/]"), |folder| {
            format!("paths: [{folder}]")
        });
        match REPOSITORY {
            Some(repository) => text.replace(
                "  HOOKCTL_VERSION: ",
                &format!(
                    "  HOOKCTL_REPOSITORY: {}\n  HOOKCTL_VERSION: ",
                    hookctl::yaml::quoted(repository)
                ),
            ),
            None => text,
        }
    }

    /// Returns whether the job needs the variable `HOOKCTL_REPOSITORY`.
    pub(super) const fn needs_repository() -> bool {
        REPOSITORY.is_none()
    }

    /// Fills a template with what was given.
    fn filled(&self, template: &str, record: &str, path: impl Fn(&str) -> String) -> String {
        let quoted = hookctl::yaml::quoted;
        let version = format!("HOOKCTL_VERSION: v{}", env!("CARGO_PKG_VERSION"));
        let mut text = template
            .replace(TEMPLATE_VERSION, &version)
            .replace("INTERACTLY_API_KEY", &self.key);
        if let Some((_, address)) = &self.url {
            let host = address.host().map(|host| host.to_string());
            let allowed = format!("ALLOWED_HOSTS: {}", quoted(&host.unwrap_or_default()));
            text = text
                .replace(&format!("ALLOWED_HOSTS: {HOST}"), &allowed)
                .replace(ADDRESS, &quoted(address.as_str()));
        }
        if self.folders.webhooks != WEBHOOKS {
            let files = quoted(&format!("{}/**", self.folders.webhooks));
            text = text.replace(&format!("{WEBHOOKS}/**"), &files);
        }
        if let Some(folder) = &self.folders.record {
            text = text.replace(record, &path(&quoted(folder)));
        }
        text
    }
}

/// Checks, before anything is written, that the configuration reads back without errors.
pub(super) fn is_read_back(config: &Path, root: &Path, text: &str) -> Result<(), CommandError> {
    let (_, diagnostics, _) = hookctl::config::load_text(config, root, text.to_owned());
    let mut diagnostics = diagnostics.iter();
    match diagnostics.find(|diagnostic| diagnostic.severity == Severity::Error) {
        None => Ok(()),
        Some(error) => Err(CommandError::new(
            "usage",
            format!("hookctl.yaml cannot express this: {}", error.message),
        )
        .status(ExitStatus::Usage)),
    }
}
