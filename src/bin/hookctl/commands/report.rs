//! `hookctl report`: writes the status of the account as one HTML file.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use clap::Args;
use hookctl::outside::Outside;
use hookctl::render::{FilesState, Page, PageForm};
use jiff::Timestamp;

use super::status::{Found, Query, read};
use crate::args::{GlobalArgs, KeyGlob};
use crate::environment::Environment;
use crate::error::CommandError;
use crate::exit_status::ExitStatus;
use crate::nonce::nonce;
use crate::output_file;
use crate::place::stays_within;
use crate::presenter::{Output, Presenter};
use crate::progress;
use crate::session::record_error;
use crate::trust::Asks;
use crate::ui::Ui;

/// The most changes of the history in a report.
const MOST_CHANGES: usize = 100;

/// The arguments of `hookctl report`.
#[derive(Debug, Args)]
#[command(after_help = "The file needs nothing else: it can be an artefact of a CI job.")]
pub(crate) struct ReportArgs {
    /// Write an HTML page to this file; - is standard output
    #[arg(long, value_name = "FILE", required = true)]
    html: PathBuf,
    /// Report only keys that match this pattern; may be repeated
    #[arg(long, value_name = "KEY-GLOB", value_parser = KeyGlob::parse)]
    only: Vec<KeyGlob>,
    /// Do not request deliveries
    #[arg(long)]
    no_deliveries: bool,
    /// Use the built-in API emulator, stored below the local record's folder
    #[arg(long)]
    sandbox: bool,
}

/// Runs the command.
pub(crate) async fn run(
    ui: &Ui,
    global: &GlobalArgs,
    args: &ReportArgs,
    environment: &Environment,
) -> ExitStatus {
    let mut presenter = Presenter::new(ui, Output::Human, true, args.sandbox);
    match report(ui, global, args, environment, &mut presenter).await {
        Ok(()) => ExitStatus::Success,
        Err(error) => presenter.fail(&error),
    }
}

async fn report(
    ui: &Ui,
    global: &GlobalArgs,
    args: &ReportArgs,
    environment: &Environment,
    presenter: &mut Presenter<'_>,
) -> Result<(), CommandError> {
    let query = Query {
        only: &args.only,
        deliveries: !args.no_deliveries,
        sandbox: args.sandbox,
        asks: Asks::a_person_unless(false),
    };
    let Found {
        document,
        target,
        record,
    } = read(ui, global, &query, environment, presenter).await?;
    progress::end();
    let mut history = record
        .history(MOST_CHANGES)
        .await
        .map_err(|error| record_error(&error))?;
    if !args.only.is_empty() {
        let keys = document.keys();
        history.retain(|entry| keys.contains(entry.key.as_str()));
    }
    let page = Page {
        target,
        at: Timestamp::now(),
        status: Some(document),
        problems: BTreeMap::new(),
        unknown_deliveries: None,
        // Warnings are on standard error.
        files: FilesState::Valid { warnings: 0 },
        passes: None,
        history,
    };
    let nonce = nonce().map_err(|error| CommandError::caused("randomness", &error))?;
    let html = page.to_html(PageForm::File, &nonce);
    if args.html == Path::new("-") {
        ui.result(&html);
        return Ok(());
    }
    write(&args.html, &html)?;
    ui.remark(&format!("wrote {}\n", Outside::path(&args.html)));
    Ok(())
}

fn write(path: &Path, html: &str) -> Result<(), CommandError> {
    let here = std::env::current_dir();
    let folder = path.parent().unwrap_or(Path::new(""));
    let stays = here.and_then(|here| stays_within(&here, &here.join(folder)));
    let put = stays.and_then(|()| output_file::put(path, html.as_bytes()));
    put.map_err(|error| {
        let message = format!("could not write {}: {error}", Outside::path(path));
        CommandError::new("report-file", message).hint("name a file in an existing folder")
    })
}
