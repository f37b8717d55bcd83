//! `hookctl init`: adopts an existing account.

mod given;

use std::fs;
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use hookctl::config::ApiBaseUrl;
use hookctl::outside::Outside;
use hookctl::remote::WebhookApi as _;
use hookctl::secret::SecretSource;
use hookctl::template::is_variable_name;

use self::given::{Folders, Given, RECORD, is_read_back};
use super::import::{self, ImportArgs};
use crate::args::GlobalArgs;
use crate::environment::Environment;
use crate::error::CommandError;
use crate::exit_status::ExitStatus;
use crate::place::stays_within;
use crate::presenter::{Output, Presenter};
use crate::session::Session;
use crate::settings::{self, Settings};
use crate::signals::{begin_writing, cancel_on_signal, unless_cancelled};
use crate::trust::{self, Asks, Request, clear};
use crate::ui::Ui;

/// The script that installs hookctl in a job.
const INSTALLER: &str = include_str!("../../../../../dist/install.sh");

/// The action of this repository, so that a workflow depends on no other repository for its steps.
const ACTION: [(&str, &str); 5] = [
    ("action.yml", include_str!("../../../../../action.yml")),
    ("dist/install.sh", INSTALLER),
    (
        "dist/action/install.sh",
        include_str!("../../../../../dist/action/install.sh"),
    ),
    (
        "dist/action/resolve.sh",
        include_str!("../../../../../dist/action/resolve.sh"),
    ),
    (
        "dist/action/run.sh",
        include_str!("../../../../../dist/action/run.sh"),
    ),
];

/// The jobs for GitLab, their installer, and the value that includes them in a pipeline.
const JOBS: &str = ".gitlab/ci/hookctl.yml";
const JOBS_INSTALLER: &str = ".gitlab/ci/hookctl-install.sh";
const INCLUDED: &str = "[{ local: .gitlab/ci/hookctl.yml }]";

/// The arguments of `hookctl init`.
#[derive(Debug, Args)]
#[command(
    after_help = "On a terminal, hookctl asks for what is not given. It changes nothing at the API, and \
    overwrites no file.

Examples:
  hookctl init
  hookctl --api-url https://api-prod.interactly.ai init --ci github"
)]
pub(crate) struct InitArgs {
    /// Environment variable of the API key [default: INTERACTLY_API_KEY]
    #[arg(long, value_name = "NAME", value_parser = variable)]
    api_key_env: Option<String>,
    /// Do not import the existing webhooks
    #[arg(long)]
    no_import: bool,
    /// Write a CI workflow for review, apply, and drift detection
    #[arg(long, value_name = "WHAT", value_enum)]
    ci: Option<Ci>,
    /// Use the built-in API emulator, stored below the local record's folder
    #[arg(long)]
    sandbox: bool,
}

/// The declaration that an account without webhooks begins with.
const SAMPLE_FILE: &str = "example.yaml";
const SAMPLE: &str = "\
# yaml-language-server: $schema=.schema.json
# A sample. It is disabled, so it receives nothing. Edit it, or replace it.
webhooks:
  example:                              # the key: the identifier in Git; never sent
    name: \"Example\"
    url: https://hooks.example.com/interactly
    actions: [workflow_run_completed]
    enabled: false
";

/// The CI workflow to write.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Ci {
    /// GitHub Actions
    Github,
    /// GitLab CI
    Gitlab,
    /// No workflow
    None,
}

fn variable(text: &str) -> Result<String, String> {
    is_variable_name(text)
        .then(|| text.to_owned())
        .ok_or_else(|| "a variable name consists of letters, digits, and '_'".to_owned())
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
    let cancellation = cancel_on_signal()?;
    let here = std::env::current_dir()
        .map_err(|error| CommandError::new("working-directory", error.to_string()))?;
    let name = global.config.as_deref();
    let config = here.join(name.unwrap_or(Path::new("hookctl.yaml")));
    let root = config.parent().unwrap_or(&here).to_owned();
    if is_taken(&config)? {
        let shown = config.strip_prefix(&here).unwrap_or(&config);
        return Err(CommandError::new(
            "file-exists",
            format!(
                "{} already exists; nothing was written",
                Outside::path(shown)
            ),
        )
        .hint("`hookctl import` declares the other webhooks of the account"));
    }
    let given = Given {
        folders: Folders::of(global, &here, &root)?,
        request_timeout: global.request_timeout,
        settle_horizon: global.settle_horizon,
        target: global.target.clone().unwrap_or_else(|| "default".into()),
        url: unless_cancelled(&cancellation, url(ui, global, args)).await??,
        key: unless_cancelled(&cancellation, key(ui, args)).await??,
    };
    let settings = first_settings(global, &given, &here, &root, presenter)?;
    let reaching = reaches_api(ui, &settings, environment, args.sandbox);
    let total = unless_cancelled(&cancellation, reaching).await??;
    let (import, ci) = unless_cancelled(&cancellation, wishes(ui, args)).await?;
    let text = given.configuration();
    is_read_back(&config, &root, &text)?;
    let mut files = vec![(config, text)];
    let samples = import && total == Some(0) && !has_files(&settings.webhooks_dir);
    if samples {
        files.push((settings.webhooks_dir.join(SAMPLE_FILE), SAMPLE.to_owned()));
    }
    let mut is_included = true;
    if ci != Ci::None {
        files.extend(workflow(ci, global, &given, &here)?);
        let pipeline = here.join(".gitlab-ci.yml");
        if ci == Ci::Gitlab && is_taken(&pipeline)? {
            is_included = false;
        } else if ci == Ci::Gitlab {
            files.push((pipeline, format!("include: {INCLUDED}\n")));
        }
    }
    begin_writing();
    let folder = &settings.webhooks_dir;
    if global.dir.is_none() {
        stays_within(&here, folder).map_err(|error| failed(folder, &error))?;
    }
    write(&files, &here)?;
    for (path, _) in &files {
        let path = path.strip_prefix(&here).unwrap_or(path);
        ui.human(&format!("wrote {}\n", Outside::path(path)));
    }
    if given.folders.record.is_none()
        && let Some(folder) = &global.cache_dir
    {
        ui.remark(&format!(
            "{} is not below the folder of hookctl.yaml: pass --cache-dir or HOOKCTL_CACHE_DIR each time.\n",
            Outside::path(folder)
        ));
    }
    fs::create_dir_all(folder)
        .and_then(|()| import::write_schema(folder))
        .and_then(|()| import::write_config_schema(folder))
        .map_err(|error| failed(folder, &error))?;
    if !args.sandbox {
        store_consent(ui, global, &settings, environment);
    }
    let status = if import && !samples {
        let args = ImportArgs::everything(args.sandbox);
        let given = settings.target.given;
        import::import(ui, global, &args, environment, presenter, given).await?
    } else {
        ExitStatus::Success
    };
    if !is_included {
        ui.remark(&format!("Add to .gitlab-ci.yml: include: {INCLUDED}\n"));
    }
    if ci != Ci::None {
        let needed = if Given::needs_repository() {
            "HOOKCTL_REPOSITORY (OWNER/NAME of the releases of hookctl) and "
        } else {
            ""
        };
        ui.remark(&format!("Set in the CI system: {needed}{}.\n", given.key));
    }
    ui.remark("Next: commit these files, edit one, and run `hookctl sync --dry-run`.\n");
    Ok(status)
}

/// Returns whether to import, and which workflow to write: from the flags, or else from the user.
async fn wishes(ui: &Ui, args: &InitArgs) -> (bool, Ci) {
    let question = "Write declarations for the existing webhooks?";
    let import = !args.no_import && (!ui.can_ask() || ui.ask(question).await);
    let ci = match args.ci {
        Some(ci) => ci,
        None if ui.can_ask() && ui.ask("Write a GitHub workflow?").await => Ci::Github,
        None if ui.can_ask() && ui.ask("Write jobs for GitLab?").await => Ci::Gitlab,
        None => Ci::None,
    };
    (import, ci)
}

/// Stores the consent of the user, who just named the API and its key, so that the next command does not ask. Does
/// nothing if the written files do not read back as the same settings.
fn store_consent(ui: &Ui, global: &GlobalArgs, given: &Settings, environment: &Environment) {
    let Ok(mut written) = Settings::resolve(global) else {
        return;
    };
    written.target.given = settings::Given::default();
    let (written_target, given) = (&written.target, &given.target);
    if written_target.api_url == given.api_url && written_target.api_key == given.api_key {
        trust::store_given(ui, &written, environment);
    }
}

/// Returns the API's base URL, from the flag or from the user, as written and parsed. A sandbox needs none.
async fn url(
    ui: &Ui,
    global: &GlobalArgs,
    args: &InitArgs,
) -> Result<Option<(String, ApiBaseUrl)>, CommandError> {
    let text = match &global.api_url {
        Some(url) => url.clone(),
        None if args.sandbox => return Ok(None),
        None => {
            ask(
                ui,
                "The API's base URL",
                "https://api-prod.interactly.ai",
                "--api-url",
            )
            .await?
        }
    };
    let url = ApiBaseUrl::parse(&text).map_err(|error| {
        CommandError::new("usage", format!("the API's base URL {error}")).status(ExitStatus::Usage)
    })?;
    Ok(Some((text, url)))
}

/// Returns the environment variable of the API key.
async fn key(ui: &Ui, args: &InitArgs) -> Result<String, CommandError> {
    match &args.api_key_env {
        Some(name) => Ok(name.clone()),
        None if ui.can_ask() && !args.sandbox => {
            let question = "The environment variable of the API key";
            let written = ui.prompt(question, "INTERACTLY_API_KEY").await;
            variable(&written)
                .map_err(|error| CommandError::new("usage", error).status(ExitStatus::Usage))
        }
        None => Ok("INTERACTLY_API_KEY".to_owned()),
    }
}

/// Returns the settings that the new files will have. A hookctl.yaml in a parent folder is ignored, since the new one
/// replaces it here.
fn first_settings(
    global: &GlobalArgs,
    given: &Given,
    here: &Path,
    root: &Path,
    presenter: &mut Presenter<'_>,
) -> Result<Settings, CommandError> {
    let mut settings = presenter.settings(&GlobalArgs {
        target: None,
        config: None,
        ..global.clone()
    })?;
    settings.webhooks_dir = root.join(&given.folders.webhooks);
    settings.cache_dir = match (&given.folders.record, &global.cache_dir) {
        (Some(folder), _) => root.join(folder),
        (None, Some(folder)) => here.join(folder),
        (None, None) => root.join(RECORD),
    };
    root.clone_into(&mut settings.root);
    settings.target.name.clone_from(&given.target);
    settings.target.api_url = given.url.as_ref().map(|(_, url)| url.clone());
    settings.target.api_key = SecretSource::Env {
        name: given.key.clone(),
    };
    settings.target.fingerprint_key = None;
    settings.target.given = settings::Given {
        url: true,
        key: true,
    };
    Ok(settings)
}

/// Checks the address and the key by requesting a single row. Returns how many webhooks the account has, if the API says so.
async fn reaches_api(
    ui: &Ui,
    settings: &Settings,
    environment: &Environment,
    sandbox: bool,
) -> Result<Option<u64>, CommandError> {
    let request = Request::of_api(sandbox, Asks::Person);
    let cleared = clear(ui, settings, environment, request).await?;
    let session = Session::open(settings, environment, &cleared).await?;
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
    ui.remark(&format!("The API responds{count}.\n"));
    Ok(page.total)
}

/// Returns whether a folder contains a file that may be a declaration.
fn has_files(folder: &Path) -> bool {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut names = entries.map(|entry| entry.file_name());
    names.any(|name| !name.to_string_lossy().starts_with('.'))
}

/// Returns the files of the workflow.
fn workflow(
    ci: Ci,
    global: &GlobalArgs,
    given: &Given,
    here: &Path,
) -> Result<Vec<(PathBuf, String)>, CommandError> {
    if global.config.is_some() {
        return Err(CommandError::new(
            "usage",
            "the workflow needs hookctl.yaml in this folder; remove --config or --ci",
        )
        .status(ExitStatus::Usage));
    }
    if ci == Ci::Gitlab {
        return Ok(vec![
            (here.join(JOBS), given.gitlab()),
            (here.join(JOBS_INSTALLER), INSTALLER.to_owned()),
        ]);
    }
    let folder = here.join(".github/actions/hookctl");
    let action = ACTION.map(|(name, text)| (folder.join(name), text.to_owned()));
    let mut files = vec![(here.join(".github/workflows/hookctl.yml"), given.github())];
    files.extend(action);
    Ok(files)
}

async fn ask(ui: &Ui, question: &str, default: &str, flag: &str) -> Result<String, CommandError> {
    if ui.can_ask() {
        Ok(ui.prompt(question, default).await)
    } else {
        Err(CommandError::new(
            "usage",
            format!("{question} is missing, and standard input is not a terminal"),
        )
        .hint(format!("add {flag}"))
        .status(ExitStatus::Usage))
    }
}

fn is_taken(path: &Path) -> Result<bool, CommandError> {
    match fs::symlink_metadata(path) {
        Ok(_) => Ok(true),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(CommandError::new(
            "init",
            format!("could not read {}: {error}", Outside::path(path)),
        )),
    }
}

fn write(files: &[(PathBuf, String)], here: &Path) -> Result<(), CommandError> {
    for (path, _) in files {
        let folder = path.parent().unwrap_or(here);
        stays_within(here, folder).map_err(|error| failed(path, &error))?;
        if is_taken(path)? {
            return Err(CommandError::new(
                "file-exists",
                format!(
                    "{} already exists; nothing was written",
                    Outside::path(path)
                ),
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
        format!("could not write {}: {error}", Outside::path(path)),
    )
}
