//! What the files of a schedule say, as the engine takes it, and what no request may do.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;

use hookctl::diagnostic::Location;
use hookctl::plan::{Policy, Prune};
use hookctl::reconcile::evidence;
use hookctl::record::Remembered;
use hookctl::secret::{FingerprintKey, Salt, Secret, Secrets};
use hookctl::state::{
    AbsentWebhook, DeclaredToken, DesiredState, DesiredWebhook, IgnoreChanges, Origin,
    TokenEvidence,
};
use hookctl::webhook::{EndpointUrl, Key, WebhookSpec, WorkflowActions};

use crate::machine::Witness;
use crate::schedule::{Declaration, Declared, KEYS, Token};

pub(crate) fn name(index: usize) -> String {
    format!("Hook {}", KEYS[index])
}

pub(crate) fn url(index: usize) -> String {
    format!("https://hooks.example/{}/", KEYS[index])
}

pub(crate) fn token_text(number: u8) -> String {
    format!("token-{number}")
}

pub(crate) fn key(index: usize) -> Key {
    Key::parse(KEYS[index]).unwrap()
}

pub(crate) fn secret(text: &str) -> Secret {
    Secret::new(text.to_owned()).unwrap()
}

pub(crate) fn desired_state(
    declared: &Declared,
    remembered: &Remembered,
) -> (DesiredState, Secrets) {
    let mut secrets = Secrets::new();
    for (index, declaration) in declared.webhooks.iter().enumerate() {
        if let Some(Declaration::Present {
            token: Token::Secret(number),
            ..
        }) = declaration
        {
            secrets.insert(key(index), secret(&token_text(*number)));
        }
    }
    let fingerprints = FingerprintKey::derive(&secret("key"));
    // The same in every run, so that two plans can be compared.
    let mut salts = 0_u128;
    let evidence = evidence(&secrets, remembered, &fingerprints, &mut |_| {
        salts += 1;
        Salt::new(salts.to_be_bytes())
    });
    (desired(declared, &evidence), secrets)
}

pub(crate) fn policy(declared: &Declared) -> Policy {
    Policy {
        prune: if declared.prune {
            Prune::Yes
        } else {
            Prune::No
        },
        ..Policy::default()
    }
}

fn desired(declared: &Declared, evidence: &BTreeMap<Key, TokenEvidence>) -> DesiredState {
    let mut state = DesiredState::default();
    let origin = || Origin {
        key: Location {
            path: PathBuf::from("a.yaml").into(),
            line: 1,
            column: 1,
        },
        fields: Vec::new(),
        in_target: Vec::new(),
    };
    for (index, declaration) in declared.webhooks.iter().enumerate() {
        match declaration {
            None => {}
            Some(Declaration::Absent) => {
                let absent = AbsentWebhook {
                    name: name(index),
                    id: None,
                    previously: Vec::new(),
                    origin: origin(),
                };
                state.absent.insert(key(index), absent);
            }
            Some(Declaration::Present {
                timeout_seconds,
                token,
            }) => {
                let webhook = DesiredWebhook {
                    spec: WebhookSpec {
                        name: name(index),
                        url: EndpointUrl::parse(&url(index)).unwrap(),
                        actions: WorkflowActions::all(),
                        enabled: true,
                        timeout_seconds: *timeout_seconds,
                        max_retries: 3,
                        retry_backoff_seconds: 10,
                    },
                    token: match token {
                        Token::LeftOut => DeclaredToken::LeftOut,
                        Token::Null => DeclaredToken::None,
                        Token::Secret(_) => DeclaredToken::Managed(evidence[&key(index)]),
                    },
                    id: None,
                    previously: Vec::new(),
                    ignore_changes: IgnoreChanges::default(),
                    prevent_destroy: false,
                    origin: origin(),
                };
                state.webhooks.insert(key(index), webhook);
            }
        }
    }
    state
}

/// Checks every request: which webhook it changes, and what it clears.
pub(crate) fn witness(declared: &Declared, adoptable: BTreeSet<String>) -> Arc<Witness> {
    let nulls: BTreeSet<String> = declared
        .webhooks
        .iter()
        .enumerate()
        .filter(|(_, declaration)| {
            matches!(
                declaration,
                Some(Declaration::Present {
                    token: Token::Null,
                    ..
                })
            )
        })
        .map(|(index, _)| name(index))
        .collect();
    Arc::new(move |request, emulator| {
        let Some(body) = &request.body else { return };
        let fields = body.as_object().unwrap();
        assert!(!fields.is_empty(), "an empty body");
        assert!(
            fields.values().all(|value| !value.is_null()),
            "a null: {body}"
        );
        if fields.get("clear_bearer_token").is_none() {
            return;
        }
        assert_eq!(body["clear_bearer_token"], true);
        assert!(!fields.contains_key("bearer_token"));
        let id = request.path.rsplit('/').next().unwrap();
        let webhooks = emulator.webhooks();
        let Some(webhook) = webhooks.iter().find(|webhook| webhook.id == id) else {
            return;
        };
        // The emulator knows the tokens that were set through the API; any other is foreign.
        let foreign = webhook.has_bearer_token && emulator.token(id).is_none();
        assert!(
            !foreign || nulls.contains(&webhook.name) || !adoptable.contains(id),
            "a foreign token is cleared on {}",
            webhook.name
        );
    })
}
