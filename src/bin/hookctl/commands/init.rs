//! `hookctl init`: a first repository, from an account that there is.

use std::fs;
use std::path::{Component, Path, PathBuf};
use std::time::Duration;

use clap::{Args, ValueEnum};
use hookctl::config::ApiBaseUrl;
use hookctl::diagnostic::Severity;
use hookctl::remote::WebhookApi as _;
use hookctl::secret::SecretSource;

use super::import::{self, ImportArgs};
use crate::args::GlobalArgs;
use crate::environment::Environment;
use crate::error::CommandError;
use crate::exit_status::ExitStatus;
use crate::presenter::{Output, Presenter};
use crate::session::Session;
use crate::ui::Ui;

const WORKFLOW: &str = include_str!("../../../../examples/ci/workflows/hookctl.yml");
const ACTION: &str = include_str!("../../../../examples/ci/hookctl-action/action.yml");

/// The default folders, as the workflow names them.
const WEBHOOKS: &str = "webhooks.d";
const RECORD: &str = ".hookctl";

/// The arguments of `hookctl init`.
#[derive(Debug, Args)]
#[command(
    after_help = "On a terminal, what is left out is asked for. Nothing is changed at the API, and no file \
is written over.

Examples:
  hookctl init
  hookctl --api-url https://api-prod.interactly.ai init --ci github"
)]
pub(crate) struct InitArgs {
    /// The variable that holds the API key [default: INTERACTLY_API_KEY]
    #[arg(long, value_name = "NAME", value_parser = variable)]
    api_key_env: Option<String>,
    /// Do not write declarations for the webhooks that are there
    #[arg(long)]
    no_import: bool,
    /// Write a workflow for reviews, applies, and drift
    #[arg(long, value_name = "WHAT", value_enum)]
    ci: Option<Ci>,
    /// Use the built-in emulator of the API, kept under the local record's folder
    #[arg(long)]
    sandbox: bool,
}

/// A workflow to write.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Ci {
    /// For GitHub Actions.
    Github,
    /// None.
    None,
}

fn variable(text: &str) -> Result<String, String> {
    let valid = !text.is_empty()
        && !text.starts_with(|first: char| first.is_ascii_digit())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    valid
        .then(|| text.to_owned())
        .ok_or_else(|| "a name has letters, digits, and _".to_owned())
}

/// Runs the command.
pub(crate) async fn run(
    ui: &Ui,
    global: &GlobalArgs,
    args: &InitArgs,
    environment: &Environment,
) -> ExitStatus {
    let mut presenter = Presenter::new(ui, Output::Human, false, args.sandbox);
    match init(ui, global, args, environment, &mut presenter).await {
        Ok(status) => status,
        Err(error) => presenter.fail(&error),
    }
}

async fn init(
    ui: &Ui,
    global: &GlobalArgs,
    args: &InitArgs,
    environment: &Environment,
    presenter: &mut Presenter<'_>,
) -> Result<ExitStatus, CommandError> {
    let here = std::env::current_dir()
        .map_err(|error| CommandError::new("working-directory", error.to_string()))?;
    let config = here.join(
        global
            .config
            .as_deref()
            .unwrap_or(Path::new("hookctl.yaml")),
    );
    let root = config.parent().unwrap_or(&here).to_owned();
    if is_taken(&config)? {
        let shown = config.strip_prefix(&here).unwrap_or(&config);
        return Err(CommandError::new(
            "file-exists",
            format!("{} already exists; nothing was written", shown.display()),
        )
        .help("`hookctl import` declares what the account has besides"));
    }
    let folders = Folders::of(global, &here, &root)?;
    let name = global
        .target
        .clone()
        .unwrap_or_else(|| "default".to_owned());
    let url = match &global.api_url {
        Some(url) => Some(url.clone()),
        None if args.sandbox => None,
        None => Some(ask(
            ui,
            "The API's base URL",
            "https://api-prod.interactly.ai",
            "--api-url",
        )?),
    };
    let address = url
        .as_deref()
        .map(ApiBaseUrl::parse)
        .transpose()
        .map_err(|error| {
            CommandError::new("usage", format!("the API's base URL {error}"))
                .status(ExitStatus::Usage)
        })?;
    let key = match &args.api_key_env {
        Some(name) => name.clone(),
        None if ui.can_ask() && !args.sandbox => {
            let written = ui.prompt("The variable that holds the API key", "INTERACTLY_API_KEY");
            variable(&written)
                .map_err(|error| CommandError::new("usage", error).status(ExitStatus::Usage))?
        }
        None => "INTERACTLY_API_KEY".to_owned(),
    };
    // The target is not configured yet: it is what this command writes. A configuration further up is not the one that
    // holds here afterwards.
    let mut settings = presenter.settings(&GlobalArgs {
        target: None,
        config: None,
        ..global.clone()
    })?;
    settings.webhooks_dir = root.join(&folders.webhooks);
    settings.cache_dir = match (&folders.record, &global.cache_dir) {
        (Some(folder), _) => root.join(folder),
        (None, Some(folder)) => here.join(folder),
        (None, None) => root.join(RECORD),
    };
    settings.root.clone_from(&root);
    settings.target.name.clone_from(&name);
    settings.target.api_url = address;
    settings.target.api_key = SecretSource::Env { name: key.clone() };
    let session = Session::open(&settings, environment, args.sandbox).await?;
    // One row is enough to know that the address and the key are right.
    let page = session
        .api()
        .page(1, 1)
        .await
        .map_err(|error| CommandError::caused("api", &error))?;
    let count = match page.total {
        None => String::new(),
        Some(1) => ", with 1 webhook".to_owned(),
        Some(total) => format!(", with {total} webhooks"),
    };
    ui.remark(&format!("The API answers{count}.\n"));
    drop(session);

    let import = !args.no_import
        && (!ui.can_ask()
            || ui
                .ask("Write declarations for the webhooks that are there?")
                .await);
    let ci = match args.ci {
        Some(ci) => ci,
        None if ui.can_ask() && ui.ask("Write a GitHub workflow?").await => Ci::Github,
        None => Ci::None,
    };
    let written = Written {
        folders: &folders,
        request_timeout: global.request_timeout,
        settle_horizon: global.settle_horizon,
        target: &name,
        url: url.as_deref(),
        key: &key,
    };
    let text = written.configuration();
    is_read_back(&config, &root, &text)?;
    let mut files = vec![(config, text)];
    if ci == Ci::Github {
        if global.config.is_some() {
            return Err(CommandError::new(
                "usage",
                "the workflow expects hookctl.yaml in this folder; leave out --config or --ci",
            )
            .status(ExitStatus::Usage));
        }
        let workflow = written.workflow();
        files.push((here.join(".github/workflows/hookctl.yml"), workflow));
        files.push((
            here.join(".github/actions/hookctl/action.yml"),
            ACTION.to_owned(),
        ));
    }
    write(&files)?;
    for (path, _) in &files {
        let path = path.strip_prefix(&here).unwrap_or(path);
        ui.result(&format!("wrote {}\n", path.display()));
    }
    if folders.record.is_none()
        && let Some(folder) = &global.cache_dir
    {
        ui.remark(&format!(
            "{} is not below hookctl.yaml, so give --cache-dir (or HOOKCTL_CACHE_DIR) each time.\n",
            folder.display()
        ));
    }
    let folder = &settings.webhooks_dir;
    fs::create_dir_all(folder)
        .and_then(|()| import::write_schema(folder))
        .map_err(|error| failed(folder, &error))?;
    let status = if import {
        let args = ImportArgs::everything(args.sandbox);
        import::import(ui, global, &args, environment, presenter).await?
    } else {
        ExitStatus::Success
    };
    ui.remark("Next: commit these files, edit one, and look at `hookctl sync --dry-run`.\n");
    Ok(status)
}

fn ask(ui: &Ui, question: &str, default: &str, flag: &str) -> Result<String, CommandError> {
    if ui.can_ask() {
        Ok(ui.prompt(question, default))
    } else {
        Err(CommandError::new(
            "usage",
            format!("{question} is not given, and there is nobody to ask"),
        )
        .help(format!("add {flag}"))
        .status(ExitStatus::Usage))
    }
}

/// The folders that hookctl.yaml names, relative to it.
struct Folders {
    webhooks: String,
    /// `None` for the default, or for one that only a flag can name.
    record: Option<String>,
}

impl Folders {
    /// Reads the folders of the flags.
    fn of(global: &GlobalArgs, here: &Path, root: &Path) -> Result<Self, CommandError> {
        let webhooks = match &global.dir {
            None => WEBHOOKS.to_owned(),
            Some(folder) => below(root, &here.join(folder)).ok_or_else(|| {
                CommandError::new(
                    "usage",
                    format!(
                        "--dir {} is not below hookctl.yaml, which can name no other folder",
                        folder.display()
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

/// A path relative to a folder that it is in; `None` if it is elsewhere, or not text.
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

/// What the files are made from: what was given, and nothing in its place.
struct Written<'a> {
    folders: &'a Folders,
    request_timeout: Option<Duration>,
    settle_horizon: Option<Duration>,
    target: &'a str,
    url: Option<&'a str>,
    key: &'a str,
}

impl Written<'_> {
    fn configuration(&self) -> String {
        let quoted = hookctl::yaml::quoted;
        let mut text = format!(
            "# Where the declarations go. `hookctl --help` and the docs say what else can stand here.
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
        let target = quoted(self.target);
        text += &format!("default_target: {target}\ntargets:\n  {target}:\n");
        if let Some(url) = self.url {
            text += &format!("    api_url: {}\n", quoted(url));
        }
        text + &format!(
            "    api_key: {{ env: {} }}\n",
            hookctl::yaml::scalar(self.key)
        )
    }

    fn workflow(&self) -> String {
        let mut text = WORKFLOW.replace("INTERACTLY_API_KEY", self.key);
        if self.folders.webhooks != WEBHOOKS {
            let files = hookctl::yaml::quoted(&format!("{}/**", self.folders.webhooks));
            text = text.replace(&format!("{WEBHOOKS}/**"), &files);
        }
        if let Some(folder) = &self.folders.record {
            let path = format!("path: {}", hookctl::yaml::quoted(folder));
            text = text.replace(&format!("path: {RECORD}"), &path);
        }
        text
    }
}

/// Checks that a configuration says what was meant before anything is written.
fn is_read_back(config: &Path, root: &Path, text: &str) -> Result<(), CommandError> {
    let (_, diagnostics, _) = hookctl::config::load_text(config, root, text.to_owned());
    let mut diagnostics = diagnostics.iter();
    match diagnostics.find(|diagnostic| diagnostic.severity == Severity::Error) {
        None => Ok(()),
        Some(error) => Err(CommandError::new(
            "usage",
            format!("hookctl.yaml cannot say that: {}", error.message),
        )
        .status(ExitStatus::Usage)),
    }
}

fn is_taken(path: &Path) -> Result<bool, CommandError> {
    match fs::symlink_metadata(path) {
        Ok(_) => Ok(true),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(CommandError::new(
            "init",
            format!("could not look at {}: {error}", path.display()),
        )),
    }
}

fn write(files: &[(PathBuf, String)]) -> Result<(), CommandError> {
    for (path, _) in files {
        if is_taken(path)? {
            return Err(CommandError::new(
                "file-exists",
                format!("{} already exists; nothing was written", path.display()),
            ));
        }
    }
    for (path, text) in files {
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder).map_err(|error| failed(folder, &error))?;
        }
        import::write_new(path, text).map_err(|error| failed(path, &error))?;
    }
    Ok(())
}

fn failed(path: &Path, error: &std::io::Error) -> CommandError {
    CommandError::new(
        "init",
        format!("could not write {}: {error}", path.display()),
    )
}
