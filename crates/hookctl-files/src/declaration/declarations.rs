//! Valid declarations, before their secrets are resolved.

use std::collections::BTreeMap;

use crate::diagnostic::{Span, Spanned};
use hookctl_core::location::Location;
use hookctl_core::secret::SecretSource;
use hookctl_core::state::{
    AbsentWebhook, DeclaredToken, DesiredState, DesiredWebhook, IgnoreChanges, Origin,
    TokenEvidence,
};
use hookctl_core::webhook::{Key, RemoteId, WebhookSpec};

/// All declarations of one target, valid individually and together.
#[derive(Clone, Debug, Default)]
pub struct Declarations {
    pub(super) present: BTreeMap<Key, Present>,
    pub(super) absent: BTreeMap<Key, AbsentWebhook>,
    pub(super) released: BTreeMap<Key, AbsentWebhook>,
    pub(super) elsewhere: usize,
}

/// A webhook to create or keep.
#[derive(Clone, Debug)]
pub(super) struct Present {
    pub(super) spec: WebhookSpec,
    pub(super) token: Token,
    pub(super) id: Option<RemoteId>,
    pub(super) previously: Vec<String>,
    pub(super) ignore_changes: IgnoreChanges,
    pub(super) prevent_destroy: bool,
    pub(super) origin: Origin,
}

/// The token of a declaration, with the secret unresolved.
#[derive(Clone, Debug)]
pub(super) enum Token {
    Managed(Spanned<SecretSource>),
    None,
    LeftOut,
}

impl Declarations {
    /// Returns how many webhooks are declared for the target, in any `state`.
    pub fn len(&self) -> usize {
        self.present.len() + self.absent.len() + self.released.len()
    }

    /// Returns whether no webhook is declared for the target.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Iterates over the keys declared for the target, in any `state`.
    pub fn keys(&self) -> impl Iterator<Item = &Key> + Clone {
        let named = self.absent.keys().chain(self.released.keys());
        self.present.keys().chain(named)
    }

    /// Returns how many webhooks are declared for other targets only.
    pub fn for_other_targets(&self) -> usize {
        self.elsewhere
    }

    /// Iterates over the sources of the tokens to resolve, by key.
    pub fn secret_sources(&self) -> impl Iterator<Item = (&Key, &SecretSource)> {
        self.present
            .iter()
            .filter_map(|(key, webhook)| match &webhook.token {
                Token::Managed(source) => Some((key, &source.value)),
                Token::None | Token::LeftOut => None,
            })
    }

    /// Iterates over the sources of the tokens to resolve, with their locations.
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

    /// Returns the range of a token's source, for diagnostics.
    pub fn span_of_secret(&self, key: &Key) -> Option<Span> {
        match &self.present.get(key)?.token {
            Token::Managed(source) => Some(source.span),
            Token::None | Token::LeftOut => None,
        }
    }

    /// Converts the declarations to desired state, with evidence about the tokens. A managed token without evidence
    /// counts as unresolved.
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
