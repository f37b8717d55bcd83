//! Gives the tokens of webhooks to the emulator in this process, which stores none.

use std::collections::BTreeMap;

use hookctl::reconcile::fresh_evidence;
use hookctl::secret::Comparison;
use hookctl::state::{ObservedWebhook, TokenEvidence};
use hookctl::webhook::Key;

use crate::environment::Environment;
use crate::error::CommandError;
use crate::files::load;
use crate::presenter::Presenter;
use crate::secrets::{Missing, clear_and_resolve};
use crate::session::Session;
use crate::settings::Settings;
use crate::trust::{Asks, Request};
use crate::ui::Ui;

/// Resolves the declared tokens of these webhooks, and gives them to the emulator. A token counts only if it is the one
/// that the last sync sent, which its fingerprint tells.
pub(crate) async fn give_tokens(
    ui: &Ui,
    settings: &Settings,
    environment: &Environment,
    session: &Session,
    webhooks: &[&ObservedWebhook],
    presenter: &mut Presenter<'_>,
) -> Result<(), CommandError> {
    let Some(sandbox) = session.sandbox() else {
        return Ok(());
    };
    let needed: Vec<_> = webhooks.iter().filter(|one| one.has_bearer_token).collect();
    if needed.is_empty() {
        return Ok(());
    }
    // Warnings about the files are for a sync.
    let declarations = match load(settings, environment).declarations {
        Some(declarations) => declarations,
        None => presenter.declarations(crate::files::read(settings, environment))?,
    };
    let request = Request {
        sandbox: true,
        api: true,
        tokens: Some(&declarations),
        asks: Asks::Never,
    };
    let resolving = clear_and_resolve(
        ui,
        settings,
        environment,
        &declarations,
        request,
        Missing::Allowed,
    );
    let (_, resolved) = resolving.await?;
    presenter.secrets(resolved.diagnostics)?;
    session.spares_keys(&resolved.secrets)?;
    let remembered = session.remembered().await?;
    let key = session.fingerprint_key();
    let evidence = fresh_evidence(&resolved.secrets, &remembered, key, &BTreeMap::new())
        .map_err(|error| CommandError::caused("randomness", &error))?;
    let mut lacking = Vec::new();
    for webhook in needed {
        let mut bound = remembered.last_applied.iter();
        let bound = bound.find(|(_, record)| record.id == webhook.id);
        let token = bound.and_then(|(key, record)| {
            let sent = record.token.as_ref()?;
            let declared = evidence.get(key).copied();
            let declared = declared.and_then(TokenEvidence::fingerprint)?;
            let is_sent = sent.compare(&declared) == Comparison::Same;
            is_sent.then(|| resolved.secrets.get(key)).flatten()
        });
        match token {
            Some(token) => sandbox.give_token(webhook.id.as_str(), token.expose()),
            None => lacking.push(name(bound.map(|(key, _)| key), webhook)),
        }
    }
    if lacking.is_empty() {
        return Ok(());
    }
    let message = format!(
        "the token that the sandbox has of {} is not the declared one, or cannot be resolved",
        lacking.join(", ")
    );
    Err(CommandError::new("no-token", message)
        .hint("run `hookctl sync --sandbox` first: the sandbox keeps no token on disk, so it is resolved again"))
}

fn name(key: Option<&Key>, webhook: &ObservedWebhook) -> String {
    match key {
        Some(key) => format!("'{key}'"),
        None => webhook.id.as_str().to_owned(),
    }
}
