//! Consent of a run: what the files ask for, what grants it, and what is refused.
//!
//! A [`Session`](crate::session::Session) and tokens require a [`Cleared`], which only [`clear`] returns.

mod context;
mod shown;
mod store;

use hookctl::declaration::Declarations;
use hookctl::secret::Permits;
use hookctl::trust::{Authority, Choice, Consent, Grant};

use self::shown::places;
use crate::environment::Environment;
use crate::error::CommandError;
use crate::exit_status::ExitStatus;
use crate::settings::Settings;
use crate::ui::Ui;

pub(crate) use self::context::{Context, no_api_url};
pub(crate) use self::shown::{is_open, shown};
pub(crate) use self::store::{Store, Stored};

/// The most grants that a refusal lists.
const NAMED: usize = 10;
/// How many characters of a program's arguments are shown. `hookctl trust` shows all of them.
const ARGUMENTS: usize = 200;

/// Whether to ask for missing consent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Asks {
    /// Ask the user, on a terminal.
    Person,
    /// Do not ask.
    Never,
}

impl Asks {
    /// Asks the user unless the output is JSON.
    pub(crate) const fn a_person_unless(json: bool) -> Self {
        if json { Self::Never } else { Self::Person }
    }
}

/// What a command needs consent for.
#[derive(Clone, Copy)]
pub(crate) struct Request<'a> {
    /// Whether it uses the emulator instead of the API.
    pub(crate) sandbox: bool,
    /// Whether it uses the API.
    pub(crate) api: bool,
    /// The declarations whose tokens it resolves.
    pub(crate) tokens: Option<&'a Declarations>,
    /// Whether to ask.
    pub(crate) asks: Asks,
}

impl Request<'_> {
    /// Creates a request to use the API without resolving tokens.
    pub(crate) const fn of_api(sandbox: bool, asks: Asks) -> Self {
        Self {
            sandbox,
            api: true,
            tokens: None,
            asks,
        }
    }
}

/// What this run may do.
pub(crate) enum Cleared {
    /// Use the emulator, and run these programs.
    Sandbox(Permits),
    /// Use the API, with this consent.
    Api(Consent),
}

impl Cleared {
    /// Returns the programs that may be run.
    pub(crate) const fn permits(&self) -> &Permits {
        match self {
            Self::Sandbox(permits) => permits,
            Self::Api(consent) => consent.permits(),
        }
    }

    /// Returns whether the emulator is used instead of the API.
    pub(crate) const fn is_sandbox(&self) -> bool {
        matches!(self, Self::Sandbox(_))
    }
}

/// Determines what the files ask for, and obtains consent. For the emulator nothing is asked or refused: programs
/// without consent are left out.
pub(crate) async fn clear(
    ui: &Ui,
    settings: &Settings,
    environment: &Environment,
    request: Request<'_>,
) -> Result<Cleared, CommandError> {
    let context = Context::of(settings, environment)?;
    if request.sandbox {
        let authority = context.authority(false, false, request.tokens)?;
        return Ok(Cleared::Sandbox(permits(&context, &authority, request)));
    }
    let authority = context.authority(request.api, true, request.tokens)?;
    // Without grants there is no need to look for stored consent.
    let authority = match authority.consent(|_| false) {
        Ok(consent) => return Ok(Cleared::Api(consent)),
        Err(_) => authority,
    };
    let store = match context.choice() {
        Choice::Everything => return Ok(Cleared::Api(authority.trusted_by_caller())),
        Choice::Only(_) if context.covers(&authority, request.tokens) => {
            return Ok(Cleared::Api(authority.trusted_by_caller()));
        }
        Choice::Only(_) => {
            let all: Vec<&Grant> = authority.grants().iter().collect();
            let refusal = refused(&context, "HOOKCTL_TRUST does not cover", &all, request);
            return Err(refusal);
        }
        Choice::Unsaid => context.store(),
    };
    let lacking = match authority.consent(|digest| store.has(digest)) {
        Ok(consent) => return Ok(Cleared::Api(consent)),
        Err(lacking) => lacking,
    };
    if request.asks == Asks::Never || !ui.can_ask() || ui.logs_json() {
        return Err(refused(&context, "no consent to", &lacking, request));
    }
    ask(ui, &context, &store, &lacking).await?;
    // The files may have changed during the prompt; only what was shown may run.
    let now = context.authority(request.api, true, request.tokens)?;
    if now.digest() != authority.digest() {
        return Err(CommandError::new(
            "untrusted",
            "what the files ask for changed during the prompt",
        )
        .hint("review it again"));
    }
    Ok(Cleared::Api(now.trusted_by_caller()))
}

/// Returns the consent to use the API if it needs nothing but what is given or stored, so without a
/// question and without the declarations.
pub(crate) fn consent_ahead(settings: &Settings, environment: &Environment) -> Option<Consent> {
    let context = Context::of(settings, environment).ok()?;
    let authority = context.authority(true, true, None).ok()?;
    let authority = match authority.consent(|_| false) {
        Ok(consent) => return Some(consent),
        Err(_) => authority,
    };
    match context.choice() {
        Choice::Everything => Some(authority.trusted_by_caller()),
        // The digest may cover the declarations too.
        Choice::Only(_) => None,
        Choice::Unsaid => {
            let store = context.store();
            authority.consent(|digest| store.has(digest)).ok()
        }
    }
}

/// Stores consent to the API and key that the user just named and hookctl.yaml repeats. If that fails, the next command
/// asks.
pub(crate) fn store_given(ui: &Ui, settings: &Settings, environment: &Environment) {
    let Ok(context) = Context::of(settings, environment) else {
        return;
    };
    let Ok(authority) = context.authority(true, true, None) else {
        return;
    };
    let store = context.store();
    if let Err(lacking) = authority.consent(|digest| store.has(digest))
        && let Err(error) = store.put(&lacking, context.checkout())
    {
        ui.remark(&format!(
            "warning: the next command asks for consent to this API and its key: {error}\n"
        ));
    }
}

/// Returns the programs that may run with the emulator.
fn permits(context: &Context<'_>, authority: &Authority, request: Request<'_>) -> Permits {
    match context.choice() {
        Choice::Everything => authority.permits(|_| true),
        Choice::Only(_) => {
            let covered = context.covers(authority, request.tokens);
            authority.permits(|_| covered)
        }
        Choice::Unsaid => {
            let store = context.store();
            authority.permits(|digest| store.has(digest))
        }
    }
}

/// Asks the user, and stores the answer if it is meant to last.
async fn ask(
    ui: &Ui,
    context: &Context<'_>,
    store: &Store,
    lacking: &[&Grant],
) -> Result<(), CommandError> {
    let mut text = "The files ask for something that needs your consent:\n".to_owned();
    for grant in lacking {
        text += &shown(grant);
    }
    ui.message(&text);
    match ui
        .answer("Allow this? [o]nce, [a]lways, [N]o: ")
        .await
        .as_str()
    {
        "o" | "once" => Ok(()),
        "a" | "always" => {
            if let Err(error) = store.put(lacking, context.checkout()) {
                ui.message(&format!(
                    "warning: allowed once, since consent could not be stored: {error}\n"
                ));
            }
            Ok(())
        }
        _ => Err(CommandError::new(
            "untrusted",
            "consent was declined; nothing was run or changed",
        )
        .status(ExitStatus::Refused)),
    }
}

/// Returns the error for missing consent.
fn refused(
    context: &Context<'_>,
    head: &str,
    lacking: &[&Grant],
    request: Request<'_>,
) -> CommandError {
    let mut named: Vec<String> = lacking
        .iter()
        .take(NAMED)
        .map(|grant| format!("{:.ARGUMENTS$} ({})", grant.what(), places(grant)))
        .collect();
    if lacking.len() > NAMED {
        named.push(format!("and {} more", lacking.len() - NAMED));
    }
    let digest = context.whole(request.tokens).digest();
    CommandError::new(
        "untrusted",
        format!("{head} what the files ask for: {}", named.join("; ")),
    )
    .hint("review it and consent with `hookctl trust`")
    .hint(format!(
        "in CI, set HOOKCTL_TRUST={digest} (exactly this), or HOOKCTL_TRUST=1 (everything that the files ask for)"
    ))
}
