//! Decides on a bearer token.
//!
//! The API never returns a token, only whether a webhook has one. The decision uses the file, that flag, and the
//! fingerprints of the token that hookctl last wrote, of which it compares the one of its own key.
//!
//! | file | remote | record | request | cause |
//! | --- | --- | --- | --- | --- |
//! | source | has none | same fingerprint, or one that cannot be compared | set | drift |
//! | source | has none | other fingerprint | set | conflict |
//! | source | has none | a record without a token | set | edited |
//! | source | has none | no record | set | unrecorded |
//! | source | has one | same fingerprint | nothing | |
//! | source | has one | other fingerprint | set | edited |
//! | source | has one | none, or one that cannot be compared | set once, or kept with `keep` | unverified |
//! | unresolved source | has one | any | nothing, with a notice | |
//! | omitted | has one | set by hookctl | clear | edited |
//! | omitted | has one | without a token | nothing, with a notice: a foreign token | |
//! | `null` | has one | set by hookctl | clear | edited |
//! | `null` | has one | a record without a token | clear | drift |
//! | `null` | has one | no record | clear | unrecorded |
//! | omitted or `null` | has none | any | nothing; the fingerprints are dropped | |
//! | any, changes ignored | any | any | nothing; the fingerprints are kept | |
//!
//! A request that sets a token keeps the fingerprints of other keys, unless the own one is another
//! ([`Fingerprints::with`]). So machines with different keys do not write the token in turn.

use super::{Cause, Change, TokenShown, UnverifiedSecrets};
use crate::secret::{Comparison, Fingerprints};
use crate::state::{DeclaredToken, TokenEvidence};
use crate::webhook::TokenChange;

/// What is known of a token before the plan.
#[derive(Clone, Copy, Debug)]
pub struct TokenSituation<'a> {
    /// The declared token.
    pub declared: DeclaredToken,
    /// Whether changes of the token are ignored.
    pub ignored: bool,
    /// Whether the remote webhook has a token.
    pub remote_has_one: bool,
    /// The recorded token.
    pub record: TokenRecord<'a>,
}

/// The record of a token.
#[derive(Clone, Copy, Debug)]
pub enum TokenRecord<'a> {
    /// The webhook has no record.
    NoRecord,
    /// hookctl set no token.
    WithoutToken,
    /// hookctl set this token.
    Set(&'a Fingerprints),
}

/// The decision on a token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenDecision {
    /// The change to send.
    pub patch: TokenChange<TokenEvidence>,
    /// The change for display. `None` if nothing is sent.
    pub change: Option<Change>,
    /// The fingerprints to record.
    pub recorded: Option<Fingerprints>,
    /// A remark for the user.
    pub remark: Option<TokenRemark>,
}

/// A remark about a token that is left alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenRemark {
    /// hookctl did not set the token.
    Foreign,
    /// The token could not be compared, and is kept as requested.
    UnverifiedKept,
    /// The source could not be resolved, so the token was not compared.
    Unresolved,
}

impl TokenDecision {
    fn nothing(recorded: Option<&Fingerprints>) -> Self {
        Self {
            patch: TokenChange::Keep,
            change: None,
            recorded: recorded.cloned(),
            remark: None,
        }
    }

    fn left(recorded: Option<&Fingerprints>, remark: TokenRemark) -> Self {
        Self {
            remark: Some(remark),
            ..Self::nothing(recorded)
        }
    }

    fn set(
        evidence: TokenEvidence,
        remembered: Option<&Fingerprints>,
        from: TokenShown,
        cause: Cause,
    ) -> Self {
        let recorded = evidence
            .fingerprint()
            .map(|own| remembered.map_or_else(|| own.into(), |remembered| remembered.with(own)));
        Self {
            patch: TokenChange::Set(evidence),
            change: Some(Change::Token {
                from,
                to: TokenShown::Secret,
                cause,
            }),
            recorded,
            remark: None,
        }
    }

    fn clear(from: TokenShown, cause: Cause) -> Self {
        Self {
            patch: TokenChange::Clear,
            change: Some(Change::Token {
                from,
                to: TokenShown::None,
                cause,
            }),
            recorded: None,
            remark: None,
        }
    }
}

/// Decides according to the table above.
pub fn decide(situation: TokenSituation<'_>, unverified: UnverifiedSecrets) -> TokenDecision {
    let remembered = match situation.record {
        TokenRecord::Set(fingerprints) => Some(fingerprints),
        TokenRecord::NoRecord | TokenRecord::WithoutToken => None,
    };
    if situation.ignored {
        return TokenDecision::nothing(remembered);
    }
    match (situation.declared, situation.remote_has_one) {
        (DeclaredToken::Managed(evidence), false) => TokenDecision::set(
            evidence,
            remembered,
            TokenShown::None,
            missing_token_cause(evidence, situation.record),
        ),
        (DeclaredToken::Managed(TokenEvidence::Unresolved), true) => {
            TokenDecision::left(remembered, TokenRemark::Unresolved)
        }
        (DeclaredToken::Managed(evidence @ TokenEvidence::Known(declared)), true) => {
            match remembered.map(|ours| ours.compare(&declared)) {
                Some(Comparison::Same) => TokenDecision::nothing(remembered),
                Some(Comparison::Different) => {
                    TokenDecision::set(evidence, remembered, TokenShown::Secret, Cause::Edited)
                }
                Some(Comparison::Incomparable) | None => match unverified {
                    UnverifiedSecrets::Assert => TokenDecision::set(
                        evidence,
                        remembered,
                        TokenShown::Unknown,
                        Cause::Unverified,
                    ),
                    UnverifiedSecrets::Keep => {
                        TokenDecision::left(remembered, TokenRemark::UnverifiedKept)
                    }
                },
            }
        }
        (DeclaredToken::LeftOut, true) => match situation.record {
            TokenRecord::Set(_) => TokenDecision::clear(TokenShown::Secret, Cause::Edited),
            TokenRecord::WithoutToken | TokenRecord::NoRecord => {
                TokenDecision::left(None, TokenRemark::Foreign)
            }
        },
        (DeclaredToken::None, true) => match situation.record {
            TokenRecord::Set(_) => TokenDecision::clear(TokenShown::Secret, Cause::Edited),
            TokenRecord::WithoutToken => TokenDecision::clear(TokenShown::Unknown, Cause::Drift),
            TokenRecord::NoRecord => TokenDecision::clear(TokenShown::Unknown, Cause::Unrecorded),
        },
        (DeclaredToken::LeftOut | DeclaredToken::None, false) => TokenDecision::nothing(None),
    }
}

fn missing_token_cause(evidence: TokenEvidence, record: TokenRecord<'_>) -> Cause {
    match (record, evidence) {
        (TokenRecord::NoRecord, _) => Cause::Unrecorded,
        (TokenRecord::WithoutToken, _) => Cause::Edited,
        (TokenRecord::Set(ours), TokenEvidence::Known(declared)) => match ours.compare(&declared) {
            Comparison::Different => Cause::Conflict,
            Comparison::Same | Comparison::Incomparable => Cause::Drift,
        },
        (TokenRecord::Set(_), TokenEvidence::Unresolved) => Cause::Drift,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secret::{Fingerprint, FingerprintKey, Salt, Secret};

    fn fingerprint(token: &str, api_key: &str) -> Fingerprint {
        let secret = |text: &str| Secret::new(text.to_owned()).unwrap();
        FingerprintKey::derive(&secret(api_key)).fingerprint(Salt::new([1; 16]), &secret(token))
    }

    /// The fingerprints of these writes, each of a token and an API key.
    fn recorded(writes: &[(&str, &str)]) -> Fingerprints {
        let mut writes = writes
            .iter()
            .map(|(token, api_key)| fingerprint(token, api_key));
        let first = writes.next().unwrap().into();
        writes.fold(first, |all: Fingerprints, one| all.with(one))
    }

    /// Which fingerprints hold, by their keys.
    fn trace(fingerprints: &Fingerprints) -> String {
        let mut found = Vec::new();
        for (api_key, shown) in [("k", ""), ("other api key", " of another key")] {
            for token in ["mine", "old"] {
                let one = fingerprint(token, api_key);
                if fingerprints.compare(&one) == Comparison::Same {
                    found.push(format!("{token}{shown}"));
                }
            }
        }
        if found.is_empty() {
            "empty trace".to_owned()
        } else {
            format!("trace {}", found.join(" and "))
        }
    }

    /// One line for a decision: request, cause, which fingerprints are kept, remark.
    fn row(
        declared: DeclaredToken,
        remote_has_one: bool,
        record: TokenRecord<'_>,
        unverified: UnverifiedSecrets,
    ) -> String {
        let decision = decide(
            TokenSituation {
                declared,
                ignored: false,
                remote_has_one,
                record,
            },
            unverified,
        );
        let request = match decision.patch {
            TokenChange::Keep => "nothing",
            TokenChange::Set(_) => "set",
            TokenChange::Clear => "clear",
        };
        let cause = decision
            .change
            .map_or("-", |change| change.cause().as_str());
        let trace = decision
            .recorded
            .map_or_else(|| "no trace".to_owned(), |kept| trace(&kept));
        let remark = decision
            .remark
            .map(|remark| format!(", {remark:?}"))
            .unwrap_or_default();
        format!("{request} {cause} {trace}{remark}")
    }

    #[test]
    fn the_whole_table() {
        let own = fingerprint("mine", "k");
        let foreign = ("mine", "other api key");
        let mine = recorded(&[("mine", "k")]);
        let old = recorded(&[("old", "k")]);
        let foreign_key = recorded(&[foreign]);
        let mine_of_both = recorded(&[("mine", "k"), foreign]);
        let old_of_both = recorded(&[("old", "k"), foreign]);
        let confirmed = recorded(&[("mine", "k"), foreign, ("mine", "k")]);
        let unverifiable = mine_of_both.unverifiable();
        let records = [
            ("no record", TokenRecord::NoRecord),
            ("without", TokenRecord::WithoutToken),
            ("same", TokenRecord::Set(&mine)),
            ("other", TokenRecord::Set(&old)),
            ("other key", TokenRecord::Set(&foreign_key)),
            ("same, and other key since", TokenRecord::Set(&mine_of_both)),
            (
                "same, and other key confirmed",
                TokenRecord::Set(&confirmed),
            ),
            ("other, and other key since", TokenRecord::Set(&old_of_both)),
            ("unverifiable", TokenRecord::Set(&unverifiable)),
        ];
        let declared = [
            ("source", DeclaredToken::Managed(TokenEvidence::Known(own))),
            (
                "unresolved",
                DeclaredToken::Managed(TokenEvidence::Unresolved),
            ),
            ("null", DeclaredToken::None),
            ("left out", DeclaredToken::LeftOut),
        ];
        let mut table = String::new();
        for (declared_name, declared) in declared {
            for remote_has_one in [false, true] {
                for (record_name, record) in records {
                    let has = if remote_has_one {
                        "has one"
                    } else {
                        "has none"
                    };
                    let decision = row(declared, remote_has_one, record, UnverifiedSecrets::Assert);
                    table.extend([
                        declared_name,
                        ", ",
                        has,
                        ", ",
                        record_name,
                        ": ",
                        &decision,
                        "\n",
                    ]);
                }
            }
        }
        insta::assert_snapshot!(table);
    }

    #[test]
    fn keep_leaves_what_cannot_be_compared() {
        let mine = DeclaredToken::Managed(TokenEvidence::Known(fingerprint("mine", "k")));
        let keep = UnverifiedSecrets::Keep;
        assert_eq!(
            row(mine, true, TokenRecord::NoRecord, keep),
            "nothing - no trace, UnverifiedKept"
        );
        assert_eq!(
            row(mine, false, TokenRecord::NoRecord, keep),
            "set unrecorded trace mine"
        );
        let old = recorded(&[("old", "k")]);
        assert_eq!(
            row(mine, true, TokenRecord::Set(&old), keep),
            "set edited trace mine"
        );
        let other_key = recorded(&[("mine", "other api key")]);
        assert_eq!(
            row(mine, true, TokenRecord::Set(&other_key), keep),
            "nothing - trace mine of another key, UnverifiedKept"
        );
    }

    #[test]
    fn ignored_tokens_are_never_touched_and_their_trace_is_kept() {
        let mine = recorded(&[("mine", "k"), ("mine", "other api key")]);
        for declared in [
            DeclaredToken::None,
            DeclaredToken::LeftOut,
            DeclaredToken::Managed(TokenEvidence::Unresolved),
        ] {
            for remote_has_one in [false, true] {
                let decision = decide(
                    TokenSituation {
                        declared,
                        ignored: true,
                        remote_has_one,
                        record: TokenRecord::Set(&mine),
                    },
                    UnverifiedSecrets::Assert,
                );
                assert_eq!(decision, TokenDecision::nothing(Some(&mine)));
            }
        }
    }
}
