//! The checks of the files: the configuration, the declarations, and the sources of their tokens.

use hookctl::declaration::Declarations;
use hookctl::diagnostic::{Diagnostic, Diagnostics, Severity, SourceMap};
use hookctl::outside::Outside;
use hookctl::render::{Check, Health, Message};

use super::verdict::{count, problem};
use crate::environment::Environment;
use crate::files::load;
use crate::secrets::{Missing, resolve_tokens};
use crate::settings::{Settings, SettingsError};
use crate::trust::{Asks, Request, clear};
use crate::ui::Ui;

const TOKENS: &str = "tokens";

const CONSENT: &str = "review it and consent with `hookctl trust`";

/// What shows every problem of the files.
const VALIDATE: &str = "`hookctl validate` shows all of them";

/// Checks that the configuration was found and is valid.
pub(super) fn configuration(resolved: &Result<Settings, SettingsError>) -> Check {
    let name = "configuration";
    let settings = match resolved {
        Ok(settings) => settings,
        Err(SettingsError::Command(error)) => return problem(name, error),
        Err(SettingsError::Diagnostics(sources, diagnostics)) => {
            return of_diagnostics(name, "invalid", diagnostics, sources);
        }
    };
    let target = &settings.target.name;
    let message = if settings.has_file {
        let root = Outside::path(&settings.root);
        format!("hookctl.yaml in {root}, target '{target}'")
    } else {
        format!("no hookctl.yaml; target '{target}', from flags and the environment")
    };
    match &settings.remarks {
        Some((sources, diagnostics)) if !diagnostics.is_empty() => {
            of_diagnostics(name, &message, diagnostics, sources)
        }
        _ => Check::ok(name, message),
    }
}

/// Checks the declarations. Returns them with their texts, if they are valid.
pub(super) fn declarations(
    settings: &Settings,
    environment: &Environment,
) -> (Check, Option<(Declarations, SourceMap)>) {
    let loaded = load(settings, environment);
    let webhooks = loaded.declarations.as_ref().map_or(0, Declarations::len);
    let message = format!(
        "{} in {}",
        count(webhooks, "webhook"),
        count(loaded.files, "file")
    );
    let check = of_diagnostics(
        "declarations",
        &message,
        &loaded.diagnostics,
        &loaded.sources,
    );
    let sources = loaded.sources;
    (check, loaded.declarations.map(|found| (found, sources)))
}

/// Checks that the source of each token can be resolved. Programs without consent do not run.
pub(super) async fn tokens(
    ui: &Ui,
    settings: &Settings,
    environment: &Environment,
    (declarations, sources): &(Declarations, SourceMap),
) -> Check {
    let all = declarations.secret_sources().count();
    if all == 0 {
        return Check::ok(TOKENS, "no webhook has one");
    }
    let request = Request {
        sandbox: false,
        api: false,
        tokens: Some(declarations),
        asks: Asks::Never,
    };
    // As for the emulator, which leaves out what lacks consent.
    let without_consent = Request {
        sandbox: true,
        ..request
    };
    let cleared = match clear(ui, settings, environment, request).await {
        Ok(cleared) => Ok(cleared),
        Err(_) => clear(ui, settings, environment, without_consent).await,
    };
    let cleared = match cleared {
        Ok(cleared) => cleared,
        Err(error) => return problem(TOKENS, &error),
    };
    let not_run = declarations
        .secret_sources()
        .filter(|(_, source)| cleared.is_sandbox() && !cleared.permits().cover(source))
        .count();
    let missing = Missing::Error;
    let resolved = resolve_tokens(declarations, settings, environment, missing, &cleared).await;
    let found = resolved.secrets.len().saturating_sub(not_run);
    let mut message = format!("{found} of {} resolved", count(all, "token"));
    if not_run > 0 {
        message += &format!(", {not_run} not tried: a program lacks consent");
    }
    let check = of_diagnostics(TOKENS, &message, &resolved.diagnostics, sources);
    match check.health {
        _ if not_run == 0 => check,
        Health::Ok => Check {
            health: Health::Warning,
            ..check
        }
        .hint(CONSENT),
        _ => check.hint(CONSENT),
    }
}

/// Returns the check of a part of the files: the first error, or else the first warning, beside the message.
fn of_diagnostics(
    name: &'static str,
    message: &str,
    diagnostics: &Diagnostics,
    sources: &SourceMap,
) -> Check {
    let of = |severity: Severity| {
        let mut found = diagnostics.iter().filter(|one| one.severity == severity);
        found.next().map(|first| (first, 1 + found.count()))
    };
    let (found, health, noun) = match (of(Severity::Error), of(Severity::Warning)) {
        (Some(found), _) => (found, Health::Problem, "error"),
        (None, Some(found)) => (found, Health::Warning, "warning"),
        (None, None) => return Check::ok(name, message),
    };
    let (first, number) = found;
    let said = Message::of_diagnostic(first, sources);
    let place = said
        .place()
        .map_or_else(String::new, |place| format!("{place}: "));
    let number_said = count(number, noun);
    let text = format!("{message}; {number_said}: {place}{}", said.message);
    let check = help(first).fold(Check::new(name, health, text), Check::hint);
    if number == 1 || name == TOKENS {
        check
    } else {
        check.hint(VALIDATE)
    }
}

fn help(diagnostic: &Diagnostic) -> impl Iterator<Item = &str> {
    diagnostic.help.iter().flat_map(|help| help.lines())
}
