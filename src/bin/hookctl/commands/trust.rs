//! `hookctl trust`: shows what the files need consent for, and grants it.

use clap::Args;
use hookctl::outside::Outside;
use hookctl::outside::json::text;
use hookctl::trust::{Authority, Grant};
use serde_json::{Value, json};

use crate::args::{Form, GlobalArgs};
use crate::environment::Environment;
use crate::error::CommandError;
use crate::exit_status::ExitStatus;
use crate::presenter::{Output, Presenter};
use crate::settings::Settings;
use crate::trust::{Context, Store, Stored, is_open, shown};
use crate::ui::Ui;

/// The arguments of `hookctl trust`.
#[derive(Debug, Args)]
#[command(
    after_help = "Files of a repository may name programs to run for secrets, the host that receives the API key, \
    and the source of the key. hookctl follows none of these without consent. Consent is stored outside the repository, \
    and ends when a program, its arguments, or a file of the repository that it uses changes.

In CI, HOOKCTL_TRUST=DIGEST consents to exactly what this command shows with that digest, and HOOKCTL_TRUST=1 to \
everything that the files ask for.

Examples:
  hookctl trust                show what the files need consent for, and ask
  hookctl trust --yes          consent without asking
  hookctl trust --list         show stored consent
  hookctl trust --revoke       delete the stored consent of this repository"
)]
pub(crate) struct TrustArgs {
    /// Consent without asking
    #[arg(long, short = 'y')]
    yes: bool,
    /// Show stored consent, of this repository first
    #[arg(long, conflicts_with_all = ["yes", "revoke"])]
    list: bool,
    /// Delete the stored consent of this repository
    #[arg(long, conflicts_with = "yes")]
    revoke: bool,
    /// Output format
    #[arg(long, value_name = "FORMAT", value_enum, default_value_t = Form::Human)]
    output: Form,
}

/// Runs the command.
pub(crate) async fn run(
    ui: &Ui,
    global: &GlobalArgs,
    args: &TrustArgs,
    environment: &Environment,
) -> ExitStatus {
    // Diagnostics of the files go to standard error in either format.
    let mut presenter = Presenter::new(ui, Output::Human, true, false);
    let result = match presenter.settings(global) {
        Ok(settings) => trust(ui, args, &settings, environment, &mut presenter).await,
        Err(error) => Err(error),
    };
    match result {
        Ok(status) => status,
        Err(error) => ui.fail(&error, args.output == Form::Json),
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
            Form::Human => format!("Revoked {revoked} grants of this repository.\n"),
            Form::Json => text(&json!({ "format_version": "1", "revoked": revoked })),
        });
        return Ok(ExitStatus::Success);
    }
    let declarations = presenter.declarations(crate::files::read(settings, environment))?;
    let authority =
        context.authority(settings.target.api_url.is_some(), true, Some(&declarations))?;
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
        asks && ui.ask("Consent until any of it changes?").await
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
    let error = CommandError::new("untrusted", "no consent was stored");
    let error = if declined {
        error.status(ExitStatus::Refused)
    } else {
        error.hint("add --yes to consent")
    };
    ui.failure(&error);
    Ok(error.status)
}

/// Renders what the files need consent for.
fn overview(settings: &Settings, authority: &Authority, store: &Store) -> String {
    let name = &settings.target.name;
    let mut text = String::new();
    if authority.grants().is_empty() {
        text += &format!("The files ask for nothing that needs consent (target '{name}').\n");
    } else {
        text += &format!("The files need consent for (target '{name}'):\n");
    }
    for grant in authority.grants() {
        text += &shown(grant);
        if store.has(grant.digest()) {
            text += "      consent is stored\n";
        }
    }
    for source in authority.missing() {
        text += &format!(
            "  {} was not found, so it is not run\n",
            Outside::text(&source.to_string())
        );
    }
    if !authority.grants().is_empty() {
        text += &format!("For CI: HOOKCTL_TRUST={}\n", authority.digest());
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

/// Shows stored consent, of this repository first.
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
        format!("could not access stored consent: {error}"),
    )
    .hint("set XDG_STATE_HOME to a folder of your own outside the repository")
    .hint("in CI, set HOOKCTL_TRUST")
}
