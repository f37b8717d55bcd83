//! Consent for this run: what the files ask for, who gives it, and what is refused.
//!
//! The one way to a [`Session`](crate::session::Session) and to tokens is a [`Cleared`], and the one way to that is
//! [`clear`].

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

/// How many grants a refusal names.
const NAMED: usize = 10;
/// How many characters of a program's arguments it shows: `hookctl trust` shows all of them.
const ARGUMENTS: usize = 200;

/// Who is asked for consent that is not there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Asks {
    /// The person at the terminal, if there is one.
    Person,
    /// Nobody.
    Nobody,
}

impl Asks {
    /// A person is asked unless a machine reads the result.
    pub(crate) const fn a_person_unless(json: bool) -> Self {
        if json { Self::Nobody } else { Self::Person }
    }
}

/// What a command wants to do.
#[derive(Clone, Copy)]
pub(crate) struct Request<'a> {
    /// Whether it talks to the emulator in the place of the API.
    pub(crate) sandbox: bool,
    /// Whether it talks to the API.
    pub(crate) api: bool,
    /// The declarations whose tokens it resolves.
    pub(crate) tokens: Option<&'a Declarations>,
    /// Who is asked.
    pub(crate) asks: Asks,
}

impl Request<'_> {
    /// To talk to the API, and resolve no token.
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
    /// Talk to the emulator in the place of the API, and run these programs.
    Sandbox(Permits),
    /// What there is consent to.
    Api(Consent),
}

impl Cleared {
    /// The programs that may be run.
    pub(crate) const fn permits(&self) -> &Permits {
        match self {
            Self::Sandbox(permits) => permits,
            Self::Api(consent) => consent.permits(),
        }
    }

    /// Whether the emulator is in the place of the API.
    pub(crate) const fn is_sandbox(&self) -> bool {
        matches!(self, Self::Sandbox(_))
    }
}

/// Finds out what the files ask for, and whether there is consent. For the emulator nobody is asked and nothing is
/// refused: what has no consent is left out.
pub(crate) async fn clear(
    ui: &Ui,
    settings: &Settings,
    environment: &Environment,
    request: Request<'_>,
) -> Result<Cleared, CommandError> {
    let context = Context::of(settings, environment)?;
    if request.sandbox {
        let authority = context.authority(false, request.tokens)?;
        return Ok(Cleared::Sandbox(permits(&context, &authority, request)));
    }
    let authority = context.authority(request.api, request.tokens)?;
    // Nothing is looked for where nothing is asked for.
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
    if request.asks == Asks::Nobody || !ui.can_ask() || ui.logs_json() {
        return Err(refused(
            &context,
            "there is no consent to",
            &lacking,
            request,
        ));
    }
    ask(ui, &context, &store, &lacking).await?;
    // What a person saw is what runs: while the question was open, anything may have changed.
    let now = context.authority(request.api, request.tokens)?;
    if now.digest() != authority.digest() {
        return Err(CommandError::new(
            "untrusted",
            "what the files ask for changed while the question was open",
        )
        .help("look at it again"));
    }
    Ok(Cleared::Api(now.trusted_by_caller()))
}

/// Stores consent to the API of a target whose address and key a person gave just now, and hookctl.yaml repeats.
/// Where that cannot be, the next command asks.
pub(crate) fn store_given(ui: &Ui, settings: &Settings, environment: &Environment) {
    let Ok(context) = Context::of(settings, environment) else {
        return;
    };
    let Ok(authority) = context.authority(true, None) else {
        return;
    };
    let store = context.store();
    if let Err(lacking) = authority.consent(|digest| store.has(digest))
        && let Err(error) = store.put(&lacking, context.checkout())
    {
        ui.remark(&format!(
            "The next command asks for consent to this API and its key: {error}\n"
        ));
    }
}

/// The programs that may be run beside the emulator.
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

/// Asks the person at the terminal, and stores the answer if it is to hold for always.
async fn ask(
    ui: &Ui,
    context: &Context<'_>,
    store: &Store,
    lacking: &[&Grant],
) -> Result<(), CommandError> {
    let mut text = "The files ask for what needs your consent:\n".to_owned();
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
                    "warning: it is allowed this once, and could not be stored: {error}\n"
                ));
            }
            Ok(())
        }
        _ => Err(
            CommandError::new("untrusted", "nothing was run or sent: consent was declined")
                .status(ExitStatus::Refused),
        ),
    }
}

/// The error of a run that wants what nobody consented to.
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
    .help(format!(
        "`hookctl trust` shows it and stores your consent; a job says HOOKCTL_TRUST={digest} (exactly this) or \
         HOOKCTL_TRUST=1 (whatever the files ask for)"
    ))
}
