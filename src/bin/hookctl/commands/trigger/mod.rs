//! `hookctl trigger`: makes an event in the sandbox, and delivers it to the receivers.

mod data;
mod follow;
mod tokens;

use std::collections::BTreeMap;

use clap::Args;
use hookctl::config::ApiBaseUrl;
use hookctl::remote::{ApiError, Event, EventQuery, observe};
use hookctl::webhook::RemoteId;
use serde_json::{Map, Value, json};

use crate::args::{Form, GlobalArgs};
use crate::bound::{names, webhook};
use crate::emulator::DeliveryArgs;
use crate::environment::Environment;
use crate::error::CommandError;
use crate::exit_status::ExitStatus;
use crate::opened::{Opened, Opening};
use crate::presenter::{Output, Presenter};
use crate::progress::{self, Phase};
use crate::settings::Settings;
use crate::signals::{begin_writing, cancel_on_signal, unless_cancelled};
use crate::trust::Asks;
use crate::ui::Ui;

pub(crate) use self::follow::{Deliveries, Watcher};
pub(crate) use self::tokens::give_tokens;

/// The documented actions.
const ACTIONS: [&str; 5] = [
    "workflow_created",
    "workflow_updated",
    "workflow_deleted",
    "workflow_run_started",
    "workflow_run_completed",
];

/// What to do about a delivery to a host elsewhere.
const HINT: &str =
    "  hint: --forward-to http://127.0.0.1:9000 sends all of them to a receiver on this machine\n";

/// The arguments of `hookctl trigger`.
#[derive(Debug, Args)]
#[command(
    after_help = "Each enabled webhook that subscribes to the action receives the documented payload, with its token. A \
failure is retried as the webhook declares. Without --sandbox, the event is made by the `hookctl sandbox` at --api-url, \
which delivers it by its own options.

Deliveries go to addresses of this machine only, unless --deliver-to names the host.

Examples:
  hookctl trigger workflow_run_completed --sandbox
  hookctl trigger workflow_run_completed --sandbox --forward-to http://127.0.0.1:9000
  hookctl trigger workflow_run_completed --sandbox --webhook billing \\
      --data '{\"run\": {\"status\": \"failed\"}}'"
)]
pub(crate) struct TriggerArgs {
    /// What happens to a workflow
    #[arg(value_name = "ACTION", value_parser = ACTIONS)]
    action: String,
    /// Send the event to this webhook only, by its key or id; may be repeated
    #[arg(long, value_name = "KEY|ID")]
    webhook: Vec<String>,
    /// Merge this JSON object, or the one in this file, into the payload; `null` removes a field
    #[arg(long, value_name = "JSON|FILE")]
    data: Option<String>,
    #[command(flatten)]
    delivery: DeliveryArgs,
    /// Output format
    #[arg(long, value_name = "FORMAT", value_enum, default_value_t = Form::Human)]
    output: Form,
    /// Use the built-in API emulator, stored below the local record's folder
    #[arg(long)]
    sandbox: bool,
}

/// Runs the command.
pub(crate) async fn run(
    ui: &Ui,
    global: &GlobalArgs,
    args: &TriggerArgs,
    environment: &Environment,
) -> ExitStatus {
    let mut presenter = Presenter::new(ui, Output::Human, true, args.sandbox);
    match trigger(ui, global, args, environment, &mut presenter).await {
        Ok((deliveries, skipped)) => {
            progress::end();
            match args.output {
                Form::Human => {
                    ui.human(&deliveries.summary());
                    if deliveries.were_held_back()
                        && args.sandbox
                        && args.delivery.given().is_none()
                    {
                        ui.remark(HINT);
                    }
                }
                Form::Json => {
                    let document = json!({
                        "format_version": "1",
                        "action": args.action,
                        "deliveries": deliveries.to_json(),
                        "skipped": skipped,
                    });
                    ui.result(&hookctl::outside::json::text(&document));
                }
            }
            deliveries.status()
        }
        Err(error) => ui.fail(&error, args.output == Form::Json),
    }
}

async fn trigger(
    ui: &Ui,
    global: &GlobalArgs,
    args: &TriggerArgs,
    environment: &Environment,
    presenter: &mut Presenter<'_>,
) -> Result<(Deliveries, Value), CommandError> {
    let cancellation = cancel_on_signal()?;
    let data = args.data.as_deref().map(data::read).transpose()?;
    let settings = presenter.settings(global)?;
    check(args, &settings)?;
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
    } = opening.delivering(Some(args.delivery.options())).await?;
    let named = args.webhook.iter();
    let named = named.map(|written| webhook(written, &remembered.last_applied));
    let named = named.collect::<Result<Vec<RemoteId>, _>>()?;
    if session.sandbox().is_some() {
        progress::begin(Phase::List);
        let listed = unless_cancelled(&cancellation, observe(session.api())).await?;
        let listed = listed.map_err(|error| CommandError::caused("api", &error))?;
        let receives = |id: &RemoteId| named.is_empty() || named.contains(id);
        let listed: Vec<_> = listed
            .observed
            .webhooks
            .values()
            .filter(|one| {
                let mut actions = one.spec.actions.iter();
                let subscribes = actions.any(|action| action.as_str() == args.action);
                subscribes && one.spec.enabled && receives(&one.id)
            })
            .collect();
        let giving = give_tokens(ui, &settings, environment, &session, &listed, presenter);
        unless_cancelled(&cancellation, giving).await??;
    }
    progress::begin(Phase::Events);
    begin_writing();
    let request = request(&args.action, &named, data.as_ref());
    let made = tokio::select! {
        made = session.api().trigger(&request) => made,
        () = cancellation.cancelled() => {
            let message = "interrupted; the event may have been made";
            let error = CommandError::new("interrupted", message);
            return Err(error.status(ExitStatus::Interrupted));
        }
    };
    let made = made.map_err(|error| refused(&error))?;
    let keys = names(&remembered);
    let events = events(&made);
    let skipped = skipped(&made, &keys);
    if events.is_empty() {
        return Err(no_receiver(&args.action, &skipped));
    }
    let shows = args.output == Form::Human && !ui.is_quiet();
    if shows {
        for one in &skipped {
            ui.result(&format!("{}\n", one.line(&args.action)));
        }
    }
    let query = EventQuery {
        action: Some(args.action.clone()),
        start: events.first().and_then(|event| event.created_at.clone()),
        ..EventQuery::default()
    };
    let mut watcher = Watcher::new(session.api(), query, events, keys);
    let mut show = |line: &str| {
        if shows {
            ui.human(line);
        }
    };
    let deliveries = watcher.follow(&cancellation, &mut show).await?;
    let skipped = skipped.iter().map(Skipped::to_json).collect();
    Ok((deliveries, skipped))
}

/// Checks that the arguments can be combined.
fn check(args: &TriggerArgs, settings: &Settings) -> Result<(), CommandError> {
    if args.sandbox {
        return Ok(());
    }
    if let Some(given) = args.delivery.given() {
        let message =
            format!("{given} needs --sandbox: a sandbox that runs elsewhere has its own options");
        return Err(CommandError::new("usage", message)
            .status(ExitStatus::Usage)
            .hint(format!(
                "add --sandbox, or start it with `hookctl sandbox {given} ...`"
            )));
    }
    let url = settings.target.api_url.as_ref();
    if url.is_some_and(ApiBaseUrl::is_https) {
        return Err(no_sandbox());
    }
    Ok(())
}

fn no_sandbox() -> CommandError {
    CommandError::new(
        "not-a-sandbox",
        "only a sandbox makes events on request; this API does not",
    )
    .hint("add --sandbox, or name a running `hookctl sandbox` with --api-url")
}

fn request(action: &str, named: &[RemoteId], data: Option<&Map<String, Value>>) -> Value {
    let mut request = json!({ "action": action });
    if let Some(fields) = request.as_object_mut() {
        if !named.is_empty() {
            let ids: Vec<&str> = named.iter().map(RemoteId::as_str).collect();
            fields.insert("webhooks".to_owned(), json!(ids));
        }
        if let Some(data) = data {
            fields.insert("data".to_owned(), json!(data));
        }
    }
    request
}

fn refused(error: &ApiError) -> CommandError {
    match error {
        ApiError::NotServed { .. }
        | ApiError::Rejected {
            status: 404 | 405, ..
        }
        | ApiError::Unexpected {
            status: 404 | 405, ..
        } => no_sandbox(),
        ApiError::Rejected {
            status: 409,
            message,
            ..
        } => CommandError::new("no-token", message.clone())
            .hint("`hookctl record forget KEY` makes the next sync write the token again"),
        error => CommandError::caused("api", error),
    }
}

fn events(made: &Value) -> Vec<Event> {
    let rows = made.get("events").and_then(Value::as_array);
    let rows = rows.into_iter().flatten().cloned();
    rows.filter_map(|row| serde_json::from_value(row).ok())
        .collect()
}

/// A webhook that receives nothing.
struct Skipped {
    webhook: String,
    key: Option<String>,
    reason: String,
}

impl Skipped {
    fn name(&self) -> &str {
        self.key.as_deref().unwrap_or(&self.webhook)
    }

    fn line(&self, action: &str) -> String {
        let why = match self.reason.as_str() {
            "disabled" => "it is disabled".to_owned(),
            _ => format!("it does not subscribe to {action}"),
        };
        format!("{}: nothing sent, {why}", self.name())
    }

    fn to_json(&self) -> Value {
        json!({ "webhook": self.webhook, "key": self.key, "reason": self.reason })
    }
}

fn skipped(made: &Value, names: &BTreeMap<String, String>) -> Vec<Skipped> {
    let rows = made.get("skipped").and_then(Value::as_array);
    let read = |row: &Value| {
        let text = |name: &str| Some(row.get(name)?.as_str()?.to_owned());
        let webhook = text("webhook")?;
        Some(Skipped {
            key: names.get(&webhook).cloned(),
            webhook,
            reason: text("reason")?,
        })
    };
    rows.into_iter().flatten().filter_map(read).collect()
}

fn no_receiver(action: &str, skipped: &[Skipped]) -> CommandError {
    let message = match skipped {
        [one] => one.line(action),
        _ => format!("no enabled webhook subscribes to {action}"),
    };
    let error = CommandError::new("no-receiver", message);
    if skipped.is_empty() {
        error.hint("the sandbox has no webhooks yet: run `hookctl sync --sandbox` first")
    } else {
        error.hint("`hookctl status --sandbox` lists the webhooks")
    }
}

#[cfg(test)]
mod tests {
    use hookctl::webhook::WorkflowActions;

    use super::*;

    #[test]
    fn every_documented_action_can_be_triggered() {
        let mut actions = ACTIONS;
        actions.sort_unstable();
        let all = WorkflowActions::all();
        let mut known: Vec<_> = all.iter().map(ToString::to_string).collect();
        known.sort_unstable();
        assert_eq!(known, actions);
    }
}
