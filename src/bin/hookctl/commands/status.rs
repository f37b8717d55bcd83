//! `hookctl status`: shows the state and recent deliveries of each webhook.

use std::collections::BTreeMap;
use std::sync::Arc;

use clap::Args;
use hookctl::plan::Policy;
use hookctl::plan::safety::Overrides;
use hookctl::reconcile::{PassError, PlanInputs, prepare};
use hookctl::record::{Access, Record};
use hookctl::remote::ApiError;
use hookctl::render::StatusDocument;

use crate::args::{Form, GlobalArgs, KeyGlob};
use crate::early::{self, first};
use crate::environment::Environment;
use crate::error::CommandError;
use crate::exit_status::ExitStatus;
use crate::presenter::{Output, Presenter};
use crate::progress::{self, Phase};
use crate::recent::recent_deliveries;
use crate::record_ahead;
use crate::run::{selected, selects_something};
use crate::secrets::{Missing, clear_and_resolve};
use crate::session::Session;
use crate::signals::{cancel_on_signal, unless_cancelled};
use crate::trust::{Asks, Request};
use crate::ui::Ui;

/// The most events that are counted.
const MOST_EVENTS: usize = 30_000;

/// The arguments of `hookctl status`.
#[derive(Debug, Args)]
pub(crate) struct StatusArgs {
    /// Show only keys that match this pattern; may be repeated
    #[arg(long, value_name = "KEY-GLOB", value_parser = KeyGlob::parse)]
    only: Vec<KeyGlob>,
    /// Do not request deliveries
    #[arg(long)]
    no_deliveries: bool,
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
    args: &StatusArgs,
    environment: &Environment,
) -> ExitStatus {
    let mut presenter = Presenter::new(ui, Output::Human, true, args.sandbox);
    let query = Query {
        only: &args.only,
        deliveries: !args.no_deliveries,
        sandbox: args.sandbox,
        asks: Asks::a_person_unless(args.output == Form::Json),
    };
    match read(ui, global, &query, environment, &mut presenter).await {
        Ok(Found { document, .. }) => {
            progress::end();
            match args.output {
                Form::Human => ui.human(&document.to_human(&ui.screen())),
                Form::Json => ui.result(&document.to_text()),
            }
            ExitStatus::Success
        }
        Err(error) => ui.fail(&error, args.output == Form::Json),
    }
}

/// What to read.
pub(crate) struct Query<'a> {
    pub(crate) only: &'a [KeyGlob],
    /// Whether deliveries are requested.
    pub(crate) deliveries: bool,
    pub(crate) sandbox: bool,
    pub(crate) asks: Asks,
}

/// The status of an account.
pub(crate) struct Found {
    pub(crate) document: StatusDocument,
    pub(crate) target: String,
    pub(crate) record: Record,
}

/// Reads the files, the list, the record, and the deliveries. Writes nothing.
pub(crate) async fn read(
    ui: &Ui,
    global: &GlobalArgs,
    query: &Query<'_>,
    environment: &Environment,
    presenter: &mut Presenter<'_>,
) -> Result<Found, CommandError> {
    let cancellation = cancel_on_signal()?;
    let settings = Arc::new(presenter.settings(global)?);
    let only = selected(query.only)?;
    // Before any program runs, since consent does not cover the record's folder.
    let record = record_ahead::record(&settings, query.sandbox)?;
    let early = early::request(&settings, environment, &record, query.sandbox).await;
    let (client, mut early) = early.unzip();
    let gathering = async {
        tokio::join!(
            early::prefetch(&record, Access::Read, early.as_mut()),
            crate::files::read_beside(&settings, environment),
        )
    };
    let ((), declarations) = unless_cancelled(&cancellation, gathering).await?;
    let declarations = presenter.declarations(declarations)?;
    let request = Request {
        sandbox: query.sandbox,
        api: true,
        tokens: Some(&declarations),
        asks: query.asks,
    };
    let resolving = clear_and_resolve(
        ui,
        &settings,
        environment,
        &declarations,
        request,
        Missing::Allowed,
    );
    let (cleared, resolved) = unless_cancelled(&cancellation, resolving).await??;
    presenter.secrets(resolved.diagnostics)?;
    let session = unless_cancelled(
        &cancellation,
        Session::over(record, client, &settings, environment, &cleared),
    )
    .await??;
    progress::begin(Phase::Record);
    let remembered = session.remembered().await?;
    let secrets = resolved.secrets;
    let desired = session.desired(declarations, &secrets, &remembered, &BTreeMap::new())?;
    let last_applied = &remembered.last_applied;
    selects_something(&only, desired.keys().chain(last_applied.keys()))?;
    let first_list = first(early, &session, &remembered, resolved.known).await;
    let policy = Policy {
        only,
        ..Policy::default()
    };
    let inputs = PlanInputs {
        first_list,
        // A status writes nothing, so there is nothing to refuse.
        overrides: Overrides::ALL,
        ..session.plan_inputs(&settings, &desired, policy, &cancellation)
    };
    let look = async {
        progress::begin(Phase::List);
        // After a failure, nothing else is requested: a rejected key counts against the account each time.
        let planned = prepare(&inputs, &remembered).await?;
        progress::begin(Phase::Events);
        let deliveries = if query.deliveries {
            Some(recent_deliveries(session.api(), MOST_EVENTS).await)
        } else {
            None
        };
        Ok::<_, PassError>((planned, deliveries))
    };
    let looked = unless_cancelled(&cancellation, look).await?;
    let (planned, deliveries) = looked.map_err(|error| presenter.failed(&error))?;
    let mut document = StatusDocument::new(&settings.target.name, &planned.plan, last_applied);
    match deliveries {
        None => {}
        Some(Ok(counts)) => document.add_deliveries(&counts),
        // The files and the list are worth showing without deliveries.
        Some(Err(error @ (ApiError::Rejected { .. } | ApiError::Unexpected { .. }))) => {
            let error = crate::mask::masked(&error.to_string());
            ui.remark(&format!("warning: could not read deliveries: {error}\n"));
        }
        Some(Err(error)) => return Err(CommandError::caused("api", &error)),
    }
    document.filter_texts(crate::mask::masked);
    Ok(Found {
        document,
        target: settings.target.name.clone(),
        record: session.record().clone(),
    })
}
