//! `hookctl events`, `attempts`, and `retry`: what happened to events.

use std::collections::BTreeMap;
use std::time::Duration;

use clap::Args;
use hookctl::remote::{
    ApiError, Attempt, DeliveryApi as _, Event, EventQuery, observe, read_events,
};
use hookctl::render::{deliveries, sanitize};
use hookctl::webhook::Key;
use serde_json::json;
use tokio_util::sync::CancellationToken;

use crate::args::{Form, GlobalArgs, duration};
use crate::bound::{names, webhook};
use crate::commands::trigger::{Deliveries, Watcher, give_tokens};
use crate::emulator::DeliveryArgs;
use crate::environment::Environment;
use crate::error::CommandError;
use crate::exit_status::ExitStatus;
use crate::mask;
use crate::opened::{Opened, Opening};
use crate::presenter::{Output, Presenter};
use crate::progress::{self, Phase};
use crate::run::ago;
use crate::session::Session;
use crate::settings::Settings;
use crate::signals::{begin_writing, cancel_on_signal, unless_cancelled};
use crate::trust::Asks;
use crate::ui::Ui;

/// The most events that are searched for an id.
const LOOKED_THROUGH: usize = 3_000;

/// The arguments of `hookctl events`.
#[derive(Debug, Args)]
#[command(after_help = "Payloads are never requested.

Examples:
  hookctl events                              the latest of all webhooks
  hookctl events billing --status failed      what a webhook could not deliver
  hookctl events --since 24h --output json")]
pub(crate) struct EventsArgs {
    /// Key or id of a webhook [default: all webhooks]
    #[arg(value_name = "KEY|ID")]
    webhook: Option<String>,
    /// Show only events in this status
    #[arg(long, value_name = "STATUS", value_parser = ["pending", "retrying", "delivered", "failed"])]
    status: Option<String>,
    /// Show only events of this action
    #[arg(long, value_name = "ACTION")]
    action: Option<String>,
    /// Show only events that contain this text
    #[arg(long, value_name = "TEXT")]
    search: Option<String>,
    /// Show only events since this long ago, such as 24h
    #[arg(long, value_name = "TIME", value_parser = duration)]
    since: Option<Duration>,
    /// Show at most this many events
    #[arg(long, value_name = "COUNT", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    limit: u32,
    #[command(flatten)]
    common: Common,
}

/// The arguments of `hookctl attempts`.
#[derive(Debug, Args)]
pub(crate) struct AttemptsArgs {
    /// Id of the event, as shown by `hookctl events`
    #[arg(value_name = "EVENT")]
    event: String,
    #[command(flatten)]
    common: Common,
}

/// The arguments of `hookctl retry`.
#[derive(Debug, Args)]
#[command(
    after_help = "Each call requests one delivery. It is never repeated automatically. With --sandbox, it is also made and \
followed to its end."
)]
pub(crate) struct RetryArgs {
    /// Id of the event, as shown by `hookctl events`
    #[arg(value_name = "EVENT")]
    event: String,
    #[command(flatten)]
    delivery: DeliveryArgs,
    #[command(flatten)]
    common: Common,
}

#[derive(Debug, Args)]
struct Common {
    /// Output format
    #[arg(long, value_name = "FORMAT", value_enum, default_value_t = Form::Human)]
    output: Form,
    /// Use the built-in API emulator, stored below the local record's folder
    #[arg(long)]
    sandbox: bool,
}

/// One of the three commands.
pub(crate) enum Request<'a> {
    /// `hookctl events`
    Events(&'a EventsArgs),
    /// `hookctl attempts`
    Attempts(&'a AttemptsArgs),
    /// `hookctl retry`
    Retry(&'a RetryArgs),
}

/// Runs one of the three commands.
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
        Ok((text, status)) => {
            progress::end();
            match common.output {
                Form::Human => ui.human(&text),
                Form::Json => ui.result(&text),
            }
            status
        }
        Err(error) => ui.fail(&error, common.output == Form::Json),
    }
}

async fn answer(
    ui: &Ui,
    global: &GlobalArgs,
    request: &Request<'_>,
    common: &Common,
    environment: &Environment,
    presenter: &mut Presenter<'_>,
) -> Result<(String, ExitStatus), CommandError> {
    let cancellation = cancel_on_signal()?;
    if let Request::Retry(args) = request
        && !common.sandbox
        && let Some(given) = args.delivery.given()
    {
        let message = format!("{given} needs --sandbox: only the sandbox delivers by itself");
        return Err(CommandError::new("usage", message).status(ExitStatus::Usage));
    }
    let settings = presenter.settings(global)?;
    let opening = Opening {
        ui,
        settings: &settings,
        environment,
        cancellation: &cancellation,
        sandbox: common.sandbox,
        asks: Asks::a_person_unless(common.output == Form::Json),
    };
    let delivery = match request {
        Request::Retry(args) => Some(args.delivery.options()),
        Request::Events(_) | Request::Attempts(_) => None,
    };
    let Opened {
        session,
        remembered,
    } = opening.delivering(delivery).await?;
    let keys: BTreeMap<&str, &Key> = remembered
        .last_applied
        .iter()
        .map(|(key, record)| (record.id.as_str(), key))
        .collect();
    let api = session.api();
    progress::begin(Phase::Events);
    let json = common.output == Form::Json;
    let text = match request {
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
            if json {
                deliveries::events_json(&read, &keys)
            } else {
                deliveries::events(&read, &keys, &ui.screen())
            }
        }
        Request::Attempts(args) => {
            let reading = attempts_of(api, &args.event);
            let mut rows = unless_cancelled(&cancellation, reading).await??;
            rows.iter_mut().for_each(mask::attempt);
            if json {
                deliveries::attempts_json(&rows)
            } else {
                deliveries::attempts(&rows, &ui.screen())
            }
        }
        Request::Retry(args) => {
            let context = Retrying {
                ui,
                settings: &settings,
                environment,
                session: &session,
                names: names(&remembered),
                cancellation: &cancellation,
            };
            return retry(&context, args, presenter).await;
        }
    };
    Ok((text, ExitStatus::Success))
}

/// What a redelivery needs.
struct Retrying<'a> {
    ui: &'a Ui,
    settings: &'a Settings,
    environment: &'a Environment,
    session: &'a Session,
    /// The keys of webhooks, by id.
    names: BTreeMap<String, String>,
    cancellation: &'a CancellationToken,
}

/// Requests a redelivery. The emulator in this process also makes it, so its end is waited for.
async fn retry(
    context: &Retrying<'_>,
    args: &RetryArgs,
    presenter: &mut Presenter<'_>,
) -> Result<(String, ExitStatus), CommandError> {
    let (api, cancellation) = (context.session.api(), context.cancellation);
    let mut event = unless_cancelled(cancellation, find(api, &args.event))
        .await??
        .ok_or_else(|| no_such_event(&args.event))?;
    let document_id = event.document_id.clone();
    if context.session.sandbox().is_some() {
        let giving = give_token_of(context, &event.webhook, presenter);
        unless_cancelled(cancellation, giving).await??;
    }
    mask::event(&mut event);
    let Some(document_id) = document_id else {
        return Err(CommandError::new(
            "no-such-event",
            "the API lists this event without the id that a redelivery needs",
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
        } => CommandError::new(
            "not-offered",
            "the API does not offer to redeliver the event",
        ),
        ApiError::UnknownOutcome { reason } => unknown(&reason),
        error => failed(&error),
    })?;
    let json = args.common.output == Form::Json;
    let mut ended = None;
    if context.session.sandbox().is_some() {
        let shows = !json && !context.ui.is_quiet();
        let mut show = |line: &str| {
            if shows {
                context.ui.human(line);
            }
        };
        let query = EventQuery {
            search: Some(event.event_id.clone()),
            ..EventQuery::default()
        };
        let names = context.names.clone();
        let mut watcher = Watcher::new(api, query, vec![event.clone()], names);
        let deliveries = watcher.follow(cancellation, &mut show).await?;
        ended = Some(deliveries);
    }
    let status = ended
        .as_ref()
        .map_or(ExitStatus::Success, Deliveries::status);
    let text = match &ended {
        _ if json => {
            let document = json!({ "format_version": "1", "retried": event });
            hookctl::outside::json::text(&document)
        }
        Some(ended) => ended.summary(),
        None => format!("Requested redelivery of {}.\n", sanitize(&event.event_id)),
    };
    Ok((text, status))
}

/// Gives the token of a webhook to the emulator, which stores none.
async fn give_token_of(
    context: &Retrying<'_>,
    webhook: &str,
    presenter: &mut Presenter<'_>,
) -> Result<(), CommandError> {
    let listed = observe(context.session.api()).await;
    let listed = listed.map_err(|error| CommandError::caused("api", &error))?;
    let webhooks = listed.observed.webhooks.values();
    let webhooks: Vec<_> = webhooks.filter(|one| one.id.as_str() == webhook).collect();
    give_tokens(
        context.ui,
        context.settings,
        context.environment,
        context.session,
        &webhooks,
        presenter,
    )
    .await
}

fn unknown(reason: &str) -> CommandError {
    let message = format!("the outcome of the redelivery is unknown: {reason}");
    CommandError::new("unknown-outcome", message).hint("check `hookctl attempts` before retrying")
}

fn no_such_event(written: &str) -> CommandError {
    let message = format!("no event has the id '{}'", sanitize(written));
    CommandError::new("no-such-event", message).hint("`hookctl events` lists them")
}

fn failed(error: &ApiError) -> CommandError {
    CommandError::caused("api", error)
}

/// Returns the attempts of an event, by either of its ids.
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

/// Finds an event by either of its ids.
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
