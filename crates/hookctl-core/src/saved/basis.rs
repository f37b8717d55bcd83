//! The basis of an action: everything that it depends on.

use serde::{Deserialize, Serialize};

use super::UnseenTokens;
use crate::plan::{Action, Patch, PlannedAction};
use crate::secret::{Fingerprint, FingerprintKey, Fingerprints, Salt, Seal, SecretSource};
use crate::state::{ObservedWebhook, TokenEvidence, Written};
use crate::webhook::{FieldValue, Key, TokenChange, WebhookSpec};

/// The sealed basis of an action.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Item {
    /// The seal of everything that the action depends on.
    seal: Seal,
    /// The salt of its token's fingerprint, so that the token can be compared later.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    salt: Option<Salt>,
}

impl Item {
    /// Returns the salt of its token's fingerprint.
    pub(super) const fn salt(&self) -> Option<Salt> {
        self.salt
    }
}

/// The part of a token that belongs to the basis.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TokenView {
    /// Its fingerprint, and whether it is written.
    Whole,
    /// Only that it is not cleared. The token was not resolved, so whether it is written was unknown.
    Unseen,
}

impl TokenView {
    pub(super) fn of(key: &Key, unseen: &UnseenTokens) -> Self {
        if unseen.contains_key(key) {
            Self::Unseen
        } else {
            Self::Whole
        }
    }
}

/// Returns the seal of a token's source. Absolute folders are not included, so that it is the same on every machine.
pub fn token_source(source: &SecretSource, key: &FingerprintKey) -> Seal {
    let parts: Vec<&str> = match source {
        SecretSource::Env { name } => vec!["env", name],
        SecretSource::File { written, .. } => vec!["file", written],
        SecretSource::Command {
            program, arguments, ..
        } => {
            let arguments = arguments.iter().map(String::as_str);
            ["command", program].into_iter().chain(arguments).collect()
        }
        SecretSource::Text { template } => {
            ["text"].into_iter().chain(template.variables()).collect()
        }
        SecretSource::Provider { name, reference } => {
            vec!["provider", name.as_str(), reference.as_str()]
        }
    };
    // Lengths keep ["a", "bc"] apart from ["ab", "c"].
    let mut bytes = b"token source".to_vec();
    for part in parts {
        bytes.extend_from_slice(&(part.len() as u64).to_le_bytes());
        bytes.extend_from_slice(part.as_bytes());
    }
    key.seal(&bytes)
}

/// Everything that an action depends on, in the form to seal.
#[derive(Serialize)]
struct Basis<'a> {
    key: &'a Key,
    action: &'static str,
    reason: Option<&'static str>,
    id: Option<&'a str>,
    before: Option<&'a ObservedWebhook>,
    make: Option<&'a WebhookSpec>,
    send: Vec<(&'static str, &'a FieldValue)>,
    token: Option<Token>,
    remember: Option<(&'a WebhookSpec, Option<&'a Fingerprints>, bool)>,
    protect: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "snake_case")]
enum Token {
    Keep,
    Set(Option<Fingerprint>),
    Clear,
    Unseen,
}

impl Basis<'_> {
    /// Removes everything that depends only on a token's value.
    fn leave_token_out(&mut self) {
        let is_made = self.make.is_some();
        self.token = match self.token.take() {
            Some(Token::Clear) => Some(Token::Clear),
            // Creating a webhook without a token differs from creating it with one.
            None if is_made => None,
            _ => Some(Token::Unseen),
        };
        if let Some((_, fingerprints, _)) = &mut self.remember {
            *fingerprints = None;
        }
    }
}

/// Returns the sealed basis of an action. Returns `None` if the action only writes an unresolved token, or if the basis
/// cannot be serialized and thus never equals another.
pub(super) fn item(planned: &PlannedAction, view: TokenView, key: &FingerprintKey) -> Option<Item> {
    let mut basis = basis(planned);
    if view == TokenView::Unseen {
        if matches!(planned.action, Action::Update(_))
            && basis.send.is_empty()
            && !matches!(basis.token, Some(Token::Clear))
        {
            return None;
        }
        basis.leave_token_out();
    }
    let bytes = serde_json::to_vec(&basis).ok()?;
    Some(Item {
        seal: key.seal(&bytes),
        salt: evidence(&planned.action)
            .filter(|_| view == TokenView::Whole)
            .and_then(TokenEvidence::fingerprint)
            .map(|fingerprint| fingerprint.salt()),
    })
}

/// Returns whether an action writes a token.
pub(super) fn sets_token(action: &Action) -> bool {
    evidence(action).is_some()
}

/// Returns the evidence of the token that an action writes.
fn evidence(action: &Action) -> Option<TokenEvidence> {
    match action {
        Action::Create(creation) | Action::Recreate { creation, .. } => creation.token,
        other => other.patch()?.token().set(),
    }
}

fn basis(planned: &PlannedAction) -> Basis<'_> {
    let mut basis = Basis {
        key: &planned.key,
        action: planned.action.as_str(),
        reason: planned.action.reason(),
        id: planned.id().map(crate::webhook::RemoteId::as_str),
        before: None,
        make: None,
        send: Vec::new(),
        token: None,
        remember: None,
        protect: false,
    };
    match &planned.action {
        Action::Create(creation) | Action::Recreate { creation, .. } => {
            make(&mut basis, creation);
        }
        Action::Update(update) => {
            basis.before = Some(&update.before);
            send(&mut basis, &update.patch);
            let after = &update.record;
            basis.remember = Some((&after.spec, after.token.as_ref(), after.prevent_destroy));
        }
        Action::Adopt(adoption) => {
            basis.before = Some(&adoption.before);
            if let Some(patch) = &adoption.patch {
                send(&mut basis, patch);
            }
            let after = &adoption.record;
            basis.remember = Some((&after.spec, after.token.as_ref(), after.prevent_destroy));
        }
        Action::Delete(deletion) => basis.before = Some(&deletion.before),
        Action::Forget { .. } => {}
    }
    basis
}

fn make<'a>(basis: &mut Basis<'a>, creation: &'a Written<TokenEvidence>) {
    basis.make = Some(&creation.spec);
    basis.token = creation
        .token
        .map(|evidence| Token::Set(evidence.fingerprint()));
    basis.protect = creation.prevent_destroy;
}

fn send<'a>(basis: &mut Basis<'a>, patch: &'a Patch) {
    basis.send = patch
        .fields()
        .iter()
        .map(|(field, value)| (field.as_str(), value))
        .collect();
    basis.token = Some(match patch.token() {
        TokenChange::Keep => Token::Keep,
        TokenChange::Set(evidence) => Token::Set(evidence.fingerprint()),
        TokenChange::Clear => Token::Clear,
    });
}
