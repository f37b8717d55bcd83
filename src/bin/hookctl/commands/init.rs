//! `hookctl init`: a first repository, from an account that there is.

use std::fs;
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use hookctl::config::ApiBaseUrl;
use hookctl::outside::Outside;
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
    let config = here.join("hookctl.yaml");
    if config.exists() {
        return Err(CommandError::new(
            "file-exists",
            "there is a hookctl.yaml here already; nothing was written",
        )
        .help("`hookctl import` declares what the account has besides"));
    }
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
    // The target is not configured yet: it is what this command writes.
    let mut settings = presenter.settings(&GlobalArgs {
        target: None,
        ..global.clone()
    })?;
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
    let mut files = vec![(config, configuration(&name, url.as_deref(), &key))];
    if ci == Ci::Github {
        let workflow = WORKFLOW.replace("INTERACTLY_API_KEY", &key);
        files.push((here.join(".github/workflows/hookctl.yml"), workflow));
        files.push((
            here.join(".github/actions/hookctl/action.yml"),
            ACTION.to_owned(),
        ));
    }
    write(&files)?;
    for (path, _) in &files {
        let path = path.strip_prefix(&here).unwrap_or(path);
        ui.result(&format!("wrote {}\n", Outside::path(path)));
    }
    let folder = here.join("webhooks.d");
    fs::create_dir_all(&folder)
        .and_then(|()| import::write_schema(&folder))
        .map_err(|error| failed(&folder, &error))?;
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

fn configuration(name: &str, url: Option<&str>, key: &str) -> String {
    let quoted = hookctl::yaml::quoted;
    let url = url.map_or_else(String::new, |url| format!("    api_url: {}\n", quoted(url)));
    format!(
        "# Where the declarations go. `hookctl --help` and the docs say what else can stand here.
webhooks_dir: webhooks.d
default_target: {}
targets:
  {}:
{url}    api_key: {{ env: {} }}
",
        quoted(name),
        quoted(name),
        hookctl::yaml::scalar(key)
    )
}

fn write(files: &[(PathBuf, String)]) -> Result<(), CommandError> {
    if let Some((taken, _)) = files.iter().find(|(path, _)| path.exists()) {
        return Err(CommandError::new(
            "file-exists",
            format!(
                "{} is there already; nothing was written",
                Outside::path(taken)
            ),
        ));
    }
    for (path, text) in files {
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder).map_err(|error| failed(folder, &error))?;
        }
        fs::write(path, text).map_err(|error| failed(path, &error))?;
    }
    Ok(())
}

fn failed(path: &Path, error: &std::io::Error) -> CommandError {
    CommandError::new(
        "init",
        format!("could not write {}: {error}", Outside::path(path)),
    )
}
