//! `hookctl trust`: see what the files ask for, and consent to it.

use clap::Args;
use hookctl::outside::Outside;
use hookctl::outside::json::text;
use hookctl::trust::{Authority, Grant};
use serde_json::{Value, json};

use crate::args::{Form, GlobalArgs};
use crate::environment::Environment;
use crate::error::{CommandError, error_json};
use crate::exit_status::ExitStatus;
use crate::presenter::{Output, Presenter};
use crate::settings::Settings;
use crate::trust::{Context, Store, Stored, is_open, shown};
use crate::ui::Ui;

/// The arguments of `hookctl trust`.
#[derive(Debug, Args)]
#[command(
    after_help = "The files of a repository may name programs to run for secrets, a host that the API key goes to, \
and places that it comes from. Nothing of this happens without consent, which is stored outside the repository and \
ends as soon as a program, its arguments, or a file of the repository that it uses is another one.

In a job, HOOKCTL_TRUST=DIGEST consents to exactly what this command shows with that digest, and HOOKCTL_TRUST=1 to \
whatever the files ask for.

Examples:
  hookctl trust                show what the files ask for, and ask
  hookctl trust --yes          consent without being asked
  hookctl trust --list         show what consent is stored
  hookctl trust --revoke       delete what is stored for this repository"
)]
pub(crate) struct TrustArgs {
    /// Consent without being asked
    #[arg(long, short = 'y')]
    yes: bool,
    /// Show the consent that is stored: for this repository, then for others
    #[arg(long, conflicts_with_all = ["yes", "revoke"])]
    list: bool,
    /// Delete the consent that is stored for this repository
    #[arg(long, conflicts_with = "yes")]
    revoke: bool,
    /// The form of the result
    #[arg(long, value_name = "FORM", value_enum, default_value_t = Form::Human)]
    output: Form,
}

/// Runs the command.
pub(crate) async fn run(
    ui: &Ui,
    global: &GlobalArgs,
    args: &TrustArgs,
    environment: &Environment,
) -> ExitStatus {
    // What is said of the files goes to standard error in either form.
    let mut presenter = Presenter::new(ui, Output::Human, true, false);
    let result = match presenter.settings(global) {
        Ok(settings) => trust(ui, args, &settings, environment, &mut presenter).await,
        Err(error) => Err(error),
    };
    match result {
        Ok(status) => status,
        Err(error) => {
            if args.output == Form::Json {
                ui.result(&error_json(&error));
            }
            ui.failure(&error);
            error.status
        }
    }
}

async fn trust(
    ui: &Ui,
    args: &TrustArgs,
    settings: &Settings,
    environment: &Environment,
    presenter: &mut Presenter<'_>,
) -> Result<ExitStatus, CommandError> {
    let context = Context::of(settings, environment)?;
    let store = context.store();
    if args.list {
        list(ui, args, &context, &store)?;
        return Ok(ExitStatus::Success);
    }
    if args.revoke {
        let revoked = store
            .revoke(context.checkout())
            .map_err(|error| failed(&error))?;
        ui.result(&match args.output {
            Form::Human => format!("Revoked {revoked} of this repository.\n"),
            Form::Json => text(&json!({ "format_version": "1", "revoked": revoked })),
        });
        return Ok(ExitStatus::Success);
    }
    let declarations = presenter.declarations(settings, environment)?;
    let authority = context.authority(settings.target.api_url.is_some(), Some(&declarations))?;
    let lacking: Vec<&Grant> = authority
        .grants()
        .iter()
        .filter(|grant| !store.has(grant.digest()))
        .collect();
    if args.output == Form::Human {
        ui.result(&overview(settings, &authority, &store));
    }
    let is_given = lacking.is_empty() || args.yes || {
        let asks = args.output == Form::Human && ui.can_ask() && !ui.logs_json();
        asks && ui.ask("Consent to this, until it changes?").await
    };
    if is_given && !lacking.is_empty() {
        store
            .put(&lacking, context.checkout())
            .map_err(|error| failed(&error))?;
        if args.output == Form::Human {
            ui.result("Stored.\n");
        }
    }
    if args.output == Form::Json {
        ui.result(&document(settings, &context, &authority, &store));
    }
    if is_given {
        return Ok(ExitStatus::Success);
    }
    let declined = args.output == Form::Human && ui.can_ask() && !ui.logs_json();
    let error = CommandError::new("untrusted", "nothing was stored");
    let error = if declined {
        error.status(ExitStatus::Refused)
    } else {
        error.help("add --yes to consent to it")
    };
    ui.failure(&error);
    Ok(error.status)
}

/// What the files ask for, for a person to decide.
fn overview(settings: &Settings, authority: &Authority, store: &Store) -> String {
    let name = &settings.target.name;
    let mut text = String::new();
    if authority.grants().is_empty() {
        text += &format!("The files ask for nothing that needs consent (target '{name}').\n");
    } else {
        text += &format!("The files ask for this (target '{name}'):\n");
    }
    for grant in authority.grants() {
        text += &shown(grant);
        if store.has(grant.digest()) {
            text += "      consent is stored\n";
        }
    }
    for source in authority.missing() {
        text += &format!(
            "  {} was not found, so nothing runs for it\n",
            Outside::text(&source.to_string())
        );
    }
    if !authority.grants().is_empty() {
        text += &format!("For a job: HOOKCTL_TRUST={}\n", authority.digest());
    }
    text
}

fn document(
    settings: &Settings,
    context: &Context<'_>,
    authority: &Authority,
    store: &Store,
) -> String {
    let grants: Vec<Value> = authority
        .grants()
        .iter()
        .map(|grant| {
            let places: Vec<Value> = grant
                .places()
                .iter()
                .map(|place| {
                    json!({
                        "file": place.path.to_string_lossy(),
                        "line": place.line,
                        "column": place.column,
                    })
                })
                .collect();
            json!({
                "kind": grant.what().kind(),
                "what": grant.what().to_string(),
                "digest": grant.digest().to_string(),
                "places": places,
                "reads_more": is_open(grant),
                "stored": store.has(grant.digest()),
            })
        })
        .collect();
    text(&json!({
        "format_version": "1",
        "target": settings.target.name,
        "checkout": context.checkout().root().to_string_lossy(),
        "digest": authority.digest().to_string(),
        "grants": grants,
    }))
}

/// Shows what is stored: for this repository first.
fn list(
    ui: &Ui,
    args: &TrustArgs,
    context: &Context<'_>,
    store: &Store,
) -> Result<(), CommandError> {
    let own = context.checkout().root().to_string_lossy().into_owned();
    let (here, elsewhere): (Vec<Stored>, Vec<Stored>) = store
        .list()
        .map_err(|error| failed(&error))?
        .into_iter()
        .partition(|stored| stored.checkout == own);
    if args.output == Form::Json {
        let document = json!({ "format_version": "1", "here": here, "elsewhere": elsewhere });
        ui.result(&text(&document));
        return Ok(());
    }
    if here.is_empty() && elsewhere.is_empty() {
        ui.result("No consent is stored.\n");
    }
    let mut checkout = None;
    for stored in here.iter().chain(&elsewhere) {
        if checkout.replace(&stored.checkout) != Some(&stored.checkout) {
            ui.result(&format!("{}\n", Outside::text(&stored.checkout)));
        }
        ui.result(&format!(
            "  {}\n      at {}, since {}\n",
            Outside::text(&stored.what),
            Outside::text(&stored.place),
            Outside::text(&stored.when)
        ));
    }
    Ok(())
}

fn failed(error: &std::io::Error) -> CommandError {
    CommandError::new(
        "consent-store",
        format!("consent cannot be stored: {error}"),
    )
    .help(
        "set XDG_STATE_HOME to a folder of yours outside the repository; a job says HOOKCTL_TRUST",
    )
}
