//! `hookctl events`, `attempts`, and `retry`: what became of what was sent.

use std::collections::BTreeMap;
use std::time::Duration;

use clap::Args;
use hookctl::remote::{ApiError, Attempt, DeliveryApi as _, Event, EventQuery, read_events};
use hookctl::render::{deliveries, sanitize};
use hookctl::webhook::{Key, RemoteId};
use serde_json::json;

use crate::args::{Form, GlobalArgs, duration};
use crate::environment::Environment;
use crate::error::{CommandError, error_json};
use crate::exit_status::ExitStatus;
use crate::mask;
use crate::presenter::{Output, Presenter};
use crate::run::ago;
use crate::session::{Session, record_error};
use crate::signals::{begin_writing, cancel_on_signal, unless_cancelled};
use crate::trust::{self, Asks};
use crate::ui::Ui;

/// How many events are looked through for one id.
const LOOKED_THROUGH: usize = 3_000;

/// The arguments of `hookctl events`.
#[derive(Debug, Args)]
#[command(after_help = "Payloads are never read.

Examples:
  hookctl events                              the latest of all webhooks
  hookctl events billing --status failed      what a webhook could not deliver
  hookctl events --since 24h --output json")]
pub(crate) struct EventsArgs {
    /// A key, or the id of a webhook
    #[arg(value_name = "KEY|ID")]
    webhook: Option<String>,
    /// Only those in this status
    #[arg(long, value_name = "STATUS", value_parser = ["pending", "retrying", "delivered", "failed"])]
    status: Option<String>,
    /// Only those of this action
    #[arg(long, value_name = "ACTION")]
    action: Option<String>,
    /// Only those with this text
    #[arg(long, value_name = "TEXT")]
    search: Option<String>,
    /// Only those of the last such time, such as 24h
    #[arg(long, value_name = "TIME", value_parser = duration)]
    since: Option<Duration>,
    /// How many, at most
    #[arg(long, value_name = "COUNT", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    limit: u32,
    #[command(flatten)]
    common: Common,
}

/// The arguments of `hookctl attempts`.
#[derive(Debug, Args)]
pub(crate) struct AttemptsArgs {
    /// The event's id, as `hookctl events` shows it
    #[arg(value_name = "EVENT")]
    event: String,
    #[command(flatten)]
    common: Common,
}

/// The arguments of `hookctl retry`.
#[derive(Debug, Args)]
#[command(after_help = "Each call sends a delivery; it is never repeated by itself.")]
pub(crate) struct RetryArgs {
    /// The event's id, as `hookctl events` shows it
    #[arg(value_name = "EVENT")]
    event: String,
    #[command(flatten)]
    common: Common,
}

#[derive(Debug, Args)]
struct Common {
    /// The form of the result
    #[arg(long, value_name = "FORM", value_enum, default_value_t = Form::Human)]
    output: Form,
    /// Use the built-in emulator of the API, kept under the local record's folder
    #[arg(long)]
    sandbox: bool,
}

/// Which of the three.
pub(crate) enum Request<'a> {
    /// Lists events.
    Events(&'a EventsArgs),
    /// Lists the attempts at one.
    Attempts(&'a AttemptsArgs),
    /// Asks for one again.
    Retry(&'a RetryArgs),
}

/// Runs one of the three.
pub(crate) async fn run(
    ui: &Ui,
    global: &GlobalArgs,
    request: Request<'_>,
    environment: &Environment,
) -> ExitStatus {
    let common = match &request {
        Request::Events(args) => &args.common,
        Request::Attempts(args) => &args.common,
        Request::Retry(args) => &args.common,
    };
    let mut presenter = Presenter::new(ui, Output::Human, true, common.sandbox);
    match answer(ui, global, &request, common, environment, &mut presenter).await {
        Ok(text) => {
            ui.result(&text);
            ExitStatus::Success
        }
        Err(error) => {
            if common.output == Form::Json {
                ui.result(&error_json(&error));
            }
            presenter.fail(&error)
        }
    }
}

async fn answer(
    ui: &Ui,
    global: &GlobalArgs,
    request: &Request<'_>,
    common: &Common,
    environment: &Environment,
    presenter: &mut Presenter<'_>,
) -> Result<String, CommandError> {
    let cancellation = cancel_on_signal()?;
    let settings = presenter.settings(global)?;
    let asks = Asks::a_person_unless(common.output == Form::Json);
    let wanted = trust::Request::of_api(common.sandbox, asks);
    let clearing = trust::clear(ui, &settings, environment, wanted);
    let cleared = unless_cancelled(&cancellation, clearing).await??;
    let opening = Session::open(&settings, environment, &cleared);
    let session = unless_cancelled(&cancellation, opening).await??;
    let remembered = session
        .store()
        .remembered()
        .map_err(|error| record_error(&error))?;
    let keys: BTreeMap<&str, &Key> = remembered
        .last_applied
        .iter()
        .map(|(key, record)| (record.id.as_str(), key))
        .collect();
    let api = session.api();
    let json = common.output == Form::Json;
    match request {
        Request::Events(args) => {
            let webhook = args
                .webhook
                .as_deref()
                .map(|written| webhook(written, &remembered.last_applied))
                .transpose()?;
            let query = EventQuery {
                webhook,
                status: args.status.clone(),
                action: args.action.clone(),
                search: args.search.clone(),
                start: args.since.map(ago),
                end: None,
            };
            let limit = usize::try_from(args.limit).unwrap_or(usize::MAX);
            let read = unless_cancelled(&cancellation, read_events(api, &query, limit))
                .await?
                .map_err(|error| failed(&error))?;
            let read = mask::events(read);
            Ok(if json {
                deliveries::events_json(&read, &keys)
            } else {
                deliveries::events(&read, &keys)
            })
        }
        Request::Attempts(args) => {
            let reading = attempts_of(api, &args.event);
            let mut rows = unless_cancelled(&cancellation, reading).await??;
            rows.iter_mut().for_each(mask::attempt);
            Ok(if json {
                deliveries::attempts_json(&rows)
            } else {
                deliveries::attempts(&rows)
            })
        }
        Request::Retry(args) => {
            let mut event = unless_cancelled(&cancellation, find(api, &args.event))
                .await??
                .ok_or_else(|| no_such_event(&args.event))?;
            let document_id = event.document_id.clone();
            mask::event(&mut event);
            let Some(document_id) = document_id else {
                return Err(CommandError::new(
                    "no-such-event",
                    "the API does not say by which id this event is asked for again",
                ));
            };
            begin_writing();
            let sent = tokio::select! {
                sent = api.retry(&document_id) => sent,
                () = cancellation.cancelled() => return Err(unknown("interrupted")
                    .status(ExitStatus::Interrupted)),
            };
            sent.map_err(|error| match error {
                ApiError::Rejected {
                    status: 404 | 405, ..
                } => CommandError::new("not-offered", "the API does not offer to deliver it again"),
                ApiError::UnknownOutcome { reason } => unknown(&reason),
                error => failed(&error),
            })?;
            Ok(if json {
                let document = json!({ "format_version": "1", "retried": event });
                hookctl::outside::json::text(&document)
            } else {
                format!(
                    "Asked for {} to be delivered again.\n",
                    sanitize(&event.event_id)
                )
            })
        }
    }
}

fn unknown(reason: &str) -> CommandError {
    let message = format!("whether it is delivered again is not known: {reason}");
    CommandError::new("unknown-outcome", message)
        .help("look at `hookctl attempts` before you ask once more")
}

fn no_such_event(written: &str) -> CommandError {
    let message = format!("there is no event '{}'", sanitize(written));
    CommandError::new("no-such-event", message).help("`hookctl events` lists them")
}

fn failed(error: &ApiError) -> CommandError {
    CommandError::caused("api", error)
}

/// The webhook that is meant: by its key, or by its id.
fn webhook(written: &str, known: &hookctl::state::LastApplied) -> Result<RemoteId, CommandError> {
    if let Ok(key) = Key::parse(written)
        && let Some(record) = known.get(&key)
    {
        return Ok(record.id.clone());
    }
    match RemoteId::parse(written) {
        Ok(id) if id.is_documented_form() => Ok(id),
        _ => Err(CommandError::new(
            "no-such-webhook",
            format!(
                "no webhook is bound to '{}', and it is no id",
                sanitize(written)
            ),
        )
        .help("`hookctl status` lists keys and ids")),
    }
}

/// The attempts at an event, by either of its ids.
async fn attempts_of(
    api: &hookctl::remote::http::HttpApi,
    written: &str,
) -> Result<Vec<Attempt>, CommandError> {
    let rows = attempts(api, written).await?;
    if !rows.is_empty() {
        return Ok(rows);
    }
    let found = find(api, written).await?;
    let found = found.ok_or_else(|| no_such_event(written))?;
    if found.event_id == written {
        return Ok(rows);
    }
    attempts(api, &found.event_id).await
}

async fn attempts(
    api: &hookctl::remote::http::HttpApi,
    event_id: &str,
) -> Result<Vec<Attempt>, CommandError> {
    let mut rows = Vec::new();
    for page in 1.. {
        let read = match api
            .attempts(event_id, page, hookctl::remote::PAGE_SIZE)
            .await
        {
            Err(ApiError::Rejected { status: 404, .. }) => break,
            read => read.map_err(|error| failed(&error))?,
        };
        let count = read.rows.len();
        rows.extend(read.rows);
        if count < hookctl::remote::PAGE_SIZE as usize || rows.len() >= LOOKED_THROUGH {
            break;
        }
    }
    Ok(rows)
}

/// The event of an id, of whichever of its two kinds.
async fn find(
    api: &hookctl::remote::http::HttpApi,
    written: &str,
) -> Result<Option<Event>, CommandError> {
    let of = |search: Option<String>| EventQuery {
        search,
        ..EventQuery::default()
    };
    for query in [of(Some(written.to_owned())), of(None)] {
        let read = read_events(api, &query, LOOKED_THROUGH)
            .await
            .map_err(|error| failed(&error))?;
        let found = read.rows.into_iter().find(|event| {
            event.event_id == written || event.document_id.as_deref() == Some(written)
        });
        if found.is_some() {
            return Ok(found);
        }
    }
    Ok(None)
}
