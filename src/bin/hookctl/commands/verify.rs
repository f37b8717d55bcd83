//! `hookctl verify`: proves by deliveries that the last change of each webhook works.

use std::time::Duration;

use clap::{Args, ValueEnum};
use hookctl::record::HistoryLimits;
use hookctl::render::Message;
use hookctl::verify::{Change, Since, last_changes};
use hookctl::webhook::Key;

use crate::args::{GlobalArgs, KeyGlob, duration};
use crate::environment::Environment;
use crate::error::CommandError;
use crate::exit_status::ExitStatus;
use crate::opened::{Opened, Opening};
use crate::presenter::{Output, Presenter};
use crate::run::{matches_some, selected};
use crate::session::record_error;
use crate::signals::cancel_on_signal;
use crate::trust::Asks;
use crate::ui::Ui;
use crate::verification::{self, EvidenceArgs};

/// The arguments of `hookctl verify`.
#[derive(Debug, Args)]
#[command(after_help = "The files are not read. Exit code 6: deliveries fail.

Examples:
  hookctl verify                              the last change of every managed webhook
  hookctl verify 'billing-*' --timeout 30m    wait for up to 30 minutes
  hookctl verify billing --retry-failed       send the newest failed event again
  hookctl verify --since 24h --output json    whatever changed, the events of a day")]
pub(crate) struct VerifyArgs {
    /// Keys of webhooks, as patterns [default: every managed webhook with a recorded change]
    #[arg(value_name = "KEY-GLOB", value_parser = KeyGlob::parse)]
    keys: Vec<KeyGlob>,
    /// Judge by the events since this long ago, such as 24h, instead of those since the last change
    #[arg(long, value_name = "TIME", value_parser = duration)]
    since: Option<Duration>,
    /// How long to wait for verdicts
    #[arg(long, value_name = "TIME", default_value = "10m", value_parser = duration)]
    timeout: Duration,
    #[command(flatten)]
    evidence: EvidenceArgs,
    /// Output format
    #[arg(long, value_name = "FORMAT", value_enum, default_value_t = Form::Human)]
    output: Form,
    /// Use the built-in API emulator, stored below the local record's folder
    #[arg(long)]
    sandbox: bool,
}

/// The output format of verdicts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Form {
    /// Human-readable text
    Human,
    /// One JSON document (schemas/verify-v1.schema.json)
    Json,
    /// A comment for a pull request
    Markdown,
}

/// Runs the command.
pub(crate) async fn run(
    ui: &Ui,
    global: &GlobalArgs,
    args: &VerifyArgs,
    environment: &Environment,
) -> ExitStatus {
    let mut presenter = Presenter::new(ui, Output::Human, true, args.sandbox);
    match verify(ui, global, args, environment, &mut presenter).await {
        Ok(status) => status,
        Err(error) => ui.fail(&error, args.output == Form::Json),
    }
}

async fn verify(
    ui: &Ui,
    global: &GlobalArgs,
    args: &VerifyArgs,
    environment: &Environment,
    presenter: &mut Presenter<'_>,
) -> Result<ExitStatus, CommandError> {
    let cancellation = cancel_on_signal()?;
    let settings = presenter.settings(global)?;
    let only = selected(&args.keys)?;
    let opening = Opening {
        ui,
        settings: &settings,
        environment,
        cancellation: &cancellation,
        sandbox: args.sandbox,
        asks: Asks::a_person_unless(args.output == Form::Json),
    };
    let Opened {
        session,
        remembered,
    } = opening.open().await?;
    let last_applied = &remembered.last_applied;
    matches_some("KEY-GLOB", &only, last_applied.keys())?;
    let history = if args.since.is_some() {
        Vec::new()
    } else {
        let most = HistoryLimits::default().max_entries;
        let most = usize::try_from(most).unwrap_or(usize::MAX);
        let read = session.record().history(most).await;
        read.map_err(|error| record_error(&error))?
    };
    let latest = last_changes(&history);
    let since = args.since.map(|since| {
        let now = session.clock().now().at;
        Since::Machine(
            now.checked_sub(since)
                .unwrap_or(jiff::Timestamp::UNIX_EPOCH),
        )
    });
    let mut changes = Vec::new();
    let mut unchanged: Vec<&Key> = Vec::new();
    for (key, record) in last_applied.iter().filter(|(key, _)| only.selects(key)) {
        match since.or_else(|| latest.get(&record.id).copied()) {
            Some(since) => changes.push(Change::of(key, record, since)),
            None => unchanged.push(key),
        }
    }
    let verified = verification::verify(
        &session,
        changes,
        args.timeout,
        args.evidence,
        &cancellation,
    );
    let verified = verified.await;
    let report = verification::report(&verified, args.evidence);
    let mut messages: Vec<Message> = without_change(&unchanged).into_iter().collect();
    messages.extend(verification::problems(&verified, &report));
    if report.webhooks.is_empty() && args.evidence.require_traffic {
        let error = CommandError::new("no-traffic", "no webhook of the record was verified");
        let hint = "sync first, with this target and this address of the API";
        messages.push(error.hint(hint).into_message());
    }
    match args.output {
        Form::Human | Form::Markdown if report.webhooks.is_empty() => {
            ui.result(&format!("{}\n", report.summary()));
        }
        Form::Human => ui.human(&report.to_human(&ui.screen())),
        Form::Json => ui.result(&report.to_text(&settings.target.name, &messages)),
        Form::Markdown => ui.result(&report.to_markdown()),
    }
    for message in &messages {
        ui.report(message);
    }
    if report.webhooks.is_empty() && args.evidence.require_traffic && !verified.interrupted {
        return Ok(ExitStatus::DeliveriesFail);
    }
    Ok(verification::status(
        &verified,
        args.evidence,
        ExitStatus::Error,
    ))
}

/// Returns a notice about the webhooks that have no recorded change.
fn without_change(keys: &[&Key]) -> Option<Message> {
    let first = keys.first()?;
    let more = match keys.len() - 1 {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let message = format!("not verified: the record has no change of '{first}'{more}");
    let mut notice = Message::notice("no-change", message);
    notice.help = Some("add --since to judge by recent events".to_owned());
    Some(notice)
}
