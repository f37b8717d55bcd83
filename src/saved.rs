//! A plan that is reviewed now and applied later: what it was bound to, and whether that still holds.
//!
//! # Expected flow
//! [`SavedPlan::of`] is written to a file by a dry run. To apply it, the plan is made again from the files,
//! the record, and the API as they are then, and [`SavedPlan::stale`] compares the two, action by action.
//!
//! # Guarantees
//! - No secret is in the file. A token is bound by its fingerprint, an address with a password by a seal.
//! - An action is the same only if everything that it depends on is: the webhook as observed, what is
//!   sent, the fingerprint of the token, and what will be remembered.
//!
//! # Assumptions
//! Whoever applies has the key that seals were made with: the same API key, or the same `fingerprint_key`.
//!
//! # Caveats
//! Seals are made from this version's own forms, so a plan is good for the version that made it.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::plan::{Action, Creation, Patch, Plan, PlannedAction, TokenPatch};
use crate::secret::{Fingerprint, FingerprintKey, Salt, Seal};
use crate::state::{ObservedWebhook, TokenEvidence};
use crate::webhook::{FieldValue, Key, WebhookSpec};

/// The version of the file's form.
pub const FORMAT_VERSION: &str = "1";

/// The content of a plan file (`schemas/saved-plan-v1.schema.json`).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SavedPlan {
    /// The form's version.
    pub format_version: String,
    /// The version of hookctl that made it.
    pub tool_version: String,
    /// When, in RFC 3339.
    pub made_at: String,
    /// What it was made for and how.
    pub terms: Terms,
    /// What each action was bound to.
    pub items: BTreeMap<Key, Item>,
    /// The plan as `--output json` shows it.
    pub plan: Value,
}

/// What a plan was made for and how.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Terms {
    /// The target's name.
    pub target: String,
    /// The API's base URL, or `sandbox`.
    pub api: String,
    /// The key patterns; none means all.
    pub only: Vec<String>,
    /// Whether orphans are deleted.
    pub prune: bool,
    /// Whether a token that cannot be compared is left, rather than written once more.
    pub keep_unverified_secrets: bool,
}

/// What one action was bound to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Item {
    /// Everything that the action depends on.
    pub seal: Seal,
    /// The salt of its token's fingerprint, so that the token can be compared later.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub salt: Option<Salt>,
}

/// An action that is not what it was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stale {
    /// The key.
    pub key: Key,
    /// What differs, in words.
    pub difference: String,
}

/// Everything that an action depends on, in one form.
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
    remember: Option<(&'a WebhookSpec, Option<Fingerprint>, bool)>,
    protect: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "snake_case")]
enum Token {
    Keep,
    Set(Option<Fingerprint>),
    Clear,
}

impl SavedPlan {
    /// A plan with what its actions are bound to. `document` is the plan as `--output json` shows it.
    pub fn of(
        plan: &Plan,
        document: Value,
        terms: Terms,
        key: &FingerprintKey,
        made_at: String,
    ) -> Self {
        Self {
            format_version: FORMAT_VERSION.to_owned(),
            tool_version: env!("CARGO_PKG_VERSION").to_owned(),
            made_at,
            terms,
            items: plan
                .actions
                .iter()
                .filter_map(|planned| Some((planned.key.clone(), item(planned, key)?)))
                .collect(),
            plan: document,
        }
    }

    /// The salts that tokens have to be compared with.
    pub fn salts(&self) -> BTreeMap<Key, Salt> {
        self.items
            .iter()
            .filter_map(|(key, item)| Some((key.clone(), item.salt?)))
            .collect()
    }

    /// What is not as it was when the plan was made, by key: nothing if the whole plan still holds.
    /// `document` is the plan of now as `--output json` shows it.
    pub fn stale(&self, now: &Plan, document: &Value, key: &FingerprintKey) -> Vec<Stale> {
        let actions: BTreeMap<&Key, &PlannedAction> = now
            .actions
            .iter()
            .map(|planned| (&planned.key, &**planned))
            .collect();
        let keys: BTreeSet<&Key> = self.items.keys().chain(actions.keys().copied()).collect();
        keys.into_iter()
            .filter_map(|name| {
                let difference = match (self.items.get(name), actions.get(name)) {
                    (Some(saved), Some(planned)) if Some(*saved) == item(planned, key) => {
                        return None;
                    }
                    (Some(_), None) => {
                        let word = shown(&self.plan, name).map_or("act", |entry| action(entry));
                        format!("the plan says to {word} it, and there is nothing to do any more")
                    }
                    (None, Some(planned)) => format!(
                        "there is something to do ({}) that the plan does not have",
                        planned.action.as_str()
                    ),
                    _ => difference(shown(&self.plan, name), shown(document, name)),
                };
                Some(Stale {
                    key: name.clone(),
                    difference,
                })
            })
            .collect()
    }
}

/// Returns what an action is bound to; `None` if it cannot be written down, so that it is equal to nothing.
fn item(planned: &PlannedAction, key: &FingerprintKey) -> Option<Item> {
    let bytes = serde_json::to_vec(&basis(planned)).ok()?;
    Some(Item {
        seal: key.seal(&bytes),
        salt: evidence(&planned.action)
            .and_then(TokenEvidence::fingerprint)
            .map(|fingerprint| fingerprint.salt()),
    })
}

fn evidence(action: &Action) -> Option<TokenEvidence> {
    match action {
        Action::Create(creation) | Action::Recreate { creation, .. } => creation.token,
        other => match other.patch()?.token() {
            TokenPatch::Set(evidence) => Some(evidence),
            TokenPatch::Keep | TokenPatch::Clear => None,
        },
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
            basis.remember = Some((&after.sent, after.token, after.prevent_destroy));
        }
        Action::Adopt(adoption) => {
            basis.before = Some(&adoption.before);
            if let Some(patch) = &adoption.patch {
                send(&mut basis, patch);
            }
            let after = &adoption.record;
            basis.remember = Some((&after.sent, after.token, after.prevent_destroy));
        }
        Action::Delete(deletion) => basis.before = Some(&deletion.before),
        Action::Forget { .. } => {}
    }
    basis
}

fn make<'a>(basis: &mut Basis<'a>, creation: &'a Creation) {
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
        TokenPatch::Keep => Token::Keep,
        TokenPatch::Set(evidence) => Token::Set(evidence.fingerprint()),
        TokenPatch::Clear => Token::Clear,
    });
}

/// The entry of a key in a plan document.
fn shown<'a>(document: &'a Value, key: &Key) -> Option<&'a Value> {
    document
        .get("actions")?
        .as_array()?
        .iter()
        .find(|entry| entry.get("key").and_then(Value::as_str) == Some(key.as_str()))
}

fn action(entry: &Value) -> &str {
    entry
        .get("action")
        .and_then(Value::as_str)
        .unwrap_or("act on")
}

fn difference(then: Option<&Value>, now: Option<&Value>) -> String {
    let (Some(then), Some(now)) = (then, now) else {
        return "it was planned otherwise".to_owned();
    };
    if action(then) != action(now) {
        return format!("the plan says to {} it, now {}", action(then), action(now));
    }
    let (then, now) = (changes(then), changes(now));
    let fields: BTreeSet<&str> = then.keys().chain(now.keys()).copied().collect();
    let differing: Vec<String> = fields
        .into_iter()
        .filter(|field| then.get(field) != now.get(field))
        .map(|field| {
            let say = |side: &BTreeMap<&str, String>| {
                side.get(field)
                    .cloned()
                    .unwrap_or_else(|| "unchanged".to_owned())
            };
            format!("{field}: the plan says {}, now {}", say(&then), say(&now))
        })
        .collect();
    if differing.is_empty() {
        "something that is not part of the change differs: another field at the API, the token's \
         value, or what is remembered"
            .to_owned()
    } else {
        differing.join("; ")
    }
}

fn changes(entry: &Value) -> BTreeMap<&str, String> {
    let changes = entry.get("changes").and_then(Value::as_array);
    changes
        .into_iter()
        .flatten()
        .filter_map(|change| {
            let field = change.get("field")?.as_str()?;
            Some((
                field,
                format!("{} -> {}", change.get("from")?, change.get("to")?),
            ))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secret::Secret;
    use crate::webhook::{EndpointUrl, RemoteId, WorkflowActions};

    fn key() -> FingerprintKey {
        FingerprintKey::derive(&Secret::new("an-api-key".to_owned()).unwrap())
    }

    fn spec(timeout_seconds: i64) -> WebhookSpec {
        WebhookSpec {
            name: "Billing".into(),
            url: EndpointUrl::from_remote("https://user:canary@a.example/".into()),
            actions: WorkflowActions::all(),
            enabled: true,
            timeout_seconds,
            max_retries: 3,
            retry_backoff_seconds: 10,
        }
    }

    fn create(name: &str, token: &str, timeout_seconds: i64) -> PlannedAction {
        let secret = Secret::new(token.to_owned()).unwrap();
        let fingerprint = key().fingerprint(Salt::new([7; 16]), &secret);
        PlannedAction {
            key: Key::parse(name).unwrap(),
            name: name.to_owned(),
            action: Action::Create(Creation {
                spec: spec(timeout_seconds),
                token: Some(TokenEvidence::Known(fingerprint)),
                prevent_destroy: false,
            }),
            changes: Vec::new(),
            origin: None,
        }
    }

    fn forget(name: &str) -> PlannedAction {
        PlannedAction {
            action: Action::Forget {
                id: RemoteId::parse("id-1").unwrap(),
                reason: crate::plan::ForgetReason::Gone,
            },
            ..create(name, "t", 10)
        }
    }

    fn plan(actions: Vec<PlannedAction>) -> Plan {
        let actions = actions.into_iter().map(std::sync::Arc::new).collect();
        Plan {
            actions,
            ..Plan::default()
        }
    }

    fn saved(plan: &Plan) -> SavedPlan {
        let terms = Terms {
            target: "qa".into(),
            api: "https://api.example".into(),
            only: Vec::new(),
            prune: false,
            keep_unverified_secrets: false,
        };
        let saved = SavedPlan::of(plan, Value::Null, terms, &key(), "now".into());
        let text = serde_json::to_string(&saved).unwrap();
        assert!(!text.contains("canary"), "{text}");
        serde_json::from_str(&text).unwrap()
    }

    #[test]
    fn the_same_plan_holds_after_a_round_through_its_file() {
        let plan = plan(vec![create("a", "canary-token", 10), forget("b")]);
        assert_eq!(saved(&plan).stale(&plan, &Value::Null, &key()), []);
        assert_eq!(saved(&plan).salts().len(), 1);
    }

    #[test]
    fn every_difference_is_told_by_its_key() {
        let then = saved(&plan(vec![
            create("field", "t", 10),
            create("token", "t", 10),
            forget("gone"),
            create("same", "t", 10),
        ]));
        let now = plan(vec![
            create("field", "t", 11),
            create("token", "u", 10),
            create("new", "t", 10),
            create("same", "t", 10),
        ]);
        let stale = then.stale(&now, &Value::Null, &key());
        let keys: Vec<&str> = stale.iter().map(|stale| stale.key.as_str()).collect();
        assert_eq!(keys, ["field", "gone", "new", "token"]);
        let other = FingerprintKey::derive(&Secret::new("another-key".to_owned()).unwrap());
        assert_eq!(then.stale(&now, &Value::Null, &other).len(), 5);
    }
}
