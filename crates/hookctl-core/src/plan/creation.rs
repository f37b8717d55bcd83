//! A webhook that is made, or made again.

use super::{Cause, Change, TokenShown};
use crate::state::{DeclaredToken, DesiredWebhook, TokenEvidence, Written};
use crate::webhook::Field;

/// Returns what is written.
pub(super) fn of(webhook: &DesiredWebhook) -> Written<TokenEvidence> {
    Written {
        spec: webhook.spec.clone(),
        token: match webhook.token {
            DeclaredToken::Managed(evidence) => Some(evidence),
            DeclaredToken::None | DeclaredToken::LeftOut => None,
        },
        prevent_destroy: webhook.prevent_destroy,
        held: None,
    }
}

/// Returns its fields as changes.
pub(super) fn changes(webhook: &DesiredWebhook, cause: Cause) -> Vec<Change> {
    let fields = Field::ALL.into_iter().map(|field| Change::Field {
        field,
        from: None,
        to: webhook.spec.get(field),
        cause,
    });
    let token = matches!(webhook.token, DeclaredToken::Managed(_)).then_some(Change::Token {
        from: TokenShown::None,
        to: TokenShown::Secret,
        cause,
    });
    fields.chain(token).collect()
}
