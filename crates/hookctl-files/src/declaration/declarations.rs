//! Valid declarations, waiting for what came of their secrets.

use std::collections::BTreeMap;

use crate::diagnostic::{Span, Spanned};
use hookctl_core::location::Location;
use hookctl_core::secret::SecretSource;
use hookctl_core::state::{
    AbsentWebhook, DeclaredToken, DesiredState, DesiredWebhook, IgnoreChanges, Origin,
    TokenEvidence,
};
use hookctl_core::webhook::{Key, RemoteId, WebhookSpec};

/// All declarations for one target, valid by themselves and side by side.
#[derive(Clone, Default)]
pub struct Declarations {
    pub(super) present: BTreeMap<Key, Present>,
    pub(super) absent: BTreeMap<Key, AbsentWebhook>,
    pub(super) released: BTreeMap<Key, AbsentWebhook>,
    pub(super) elsewhere: usize,
}

/// A webhook that shall be there.
#[derive(Clone)]
pub(super) struct Present {
    pub(super) spec: WebhookSpec,
    pub(super) token: Token,
    pub(super) id: Option<RemoteId>,
    pub(super) previously: Vec<String>,
    pub(super) ignore_changes: IgnoreChanges,
    pub(super) prevent_destroy: bool,
    pub(super) origin: Origin,
}

/// What a declaration says of the token, the secret not resolved.
#[derive(Clone)]
pub(super) enum Token {
    Managed(Spanned<SecretSource>),
    None,
    LeftOut,
}

impl Declarations {
    /// How many webhooks are declared for the target, whatever their `state`.
    pub fn len(&self) -> usize {
        self.present.len() + self.absent.len() + self.released.len()
    }

    /// Whether none is.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The keys that are declared for the target, whatever their `state`.
    pub fn keys(&self) -> impl Iterator<Item = &Key> + Clone {
        let named = self.absent.keys().chain(self.released.keys());
        self.present.keys().chain(named)
    }

    /// How many webhooks the files declare for other targets only.
    pub fn for_other_targets(&self) -> usize {
        self.elsewhere
    }

    /// Where the tokens come from that have to be resolved, by key.
    pub fn secret_sources(&self) -> impl Iterator<Item = (&Key, &SecretSource)> {
        self.present
            .iter()
            .filter_map(|(key, webhook)| match &webhook.token {
                Token::Managed(source) => Some((key, &source.value)),
                Token::None | Token::LeftOut => None,
            })
    }

    /// The same, each with its place as people name it.
    pub fn placed_secret_sources(&self) -> impl Iterator<Item = (&SecretSource, &Location)> {
        self.present
            .values()
            .filter_map(|webhook| match &webhook.token {
                Token::Managed(source) => {
                    Some((&source.value, webhook.origin.of_field("bearer_token")))
                }
                Token::None | Token::LeftOut => None,
            })
    }

    /// Where a webhook's token source stands, for what is said of it when it cannot be resolved.
    pub fn span_of_secret(&self, key: &Key) -> Option<Span> {
        match &self.present.get(key)?.token {
            Token::Managed(source) => Some(source.span),
            Token::None | Token::LeftOut => None,
        }
    }

    /// Desired state, with what came of the secrets. A managed token without evidence counts as one
    /// that could not be resolved.
    pub fn into_desired(self, evidence: &BTreeMap<Key, TokenEvidence>) -> DesiredState {
        let webhooks = self
            .present
            .into_iter()
            .map(|(key, webhook)| {
                let token = match webhook.token {
                    Token::Managed(_) => DeclaredToken::Managed(
                        evidence
                            .get(&key)
                            .copied()
                            .unwrap_or(TokenEvidence::Unresolved),
                    ),
                    Token::None => DeclaredToken::None,
                    Token::LeftOut => DeclaredToken::LeftOut,
                };
                let webhook = DesiredWebhook {
                    spec: webhook.spec,
                    token,
                    id: webhook.id,
                    previously: webhook.previously,
                    ignore_changes: webhook.ignore_changes,
                    prevent_destroy: webhook.prevent_destroy,
                    origin: webhook.origin,
                };
                (key, webhook)
            })
            .collect();
        DesiredState {
            webhooks,
            absent: self.absent,
            released: self.released,
        }
    }
}
