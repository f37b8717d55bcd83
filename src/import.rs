//! Declarations for webhooks that are there already. Pure: texts in, texts out.
//!
//! # Expected flow
//! [`declare`] gives each webhook a key and a text. Whoever writes the texts to files reads them back as
//! declarations and plans: each has to come out as an adoption that sends nothing.
//!
//! # Guarantees
//! - A field that has the API's documented default is left out; the id is pinned.
//! - A token, which nobody can read back, is left alone, and the text says how to take it over.
//!
//! # Caveats
//! A webhook that no declaration can describe (an action that this version does not know, a value outside
//! the documented limits) still gets a text, which does not validate.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use crate::state::ObservedWebhook;
use crate::webhook::{Key, RemoteId, limits};

/// The schema beside the files, for editors. Hidden, so that it is not taken for declarations.
pub const SCHEMA_FILE: &str = ".schema.json";

/// A webhook and what declares it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Imported {
    /// The key.
    pub key: Key,
    /// The webhook.
    pub id: RemoteId,
    /// Its name at the API.
    pub name: String,
    /// The declaration, indented to stand below `webhooks:`.
    pub text: String,
}

/// One declaration, in the order in which people write it.
#[derive(Serialize)]
struct Written {
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    url: String,
    actions: Actions,
    #[serde(skip_serializing_if = "Option::is_none")]
    enabled: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    timeout_seconds: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_retries: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    retry_backoff_seconds: Option<i64>,
    id: String,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Actions {
    All(&'static str),
    Some(Vec<String>),
}

/// Why a webhook got no declaration.
#[derive(Debug, thiserror::Error)]
#[error("the declaration of {id} could not be written")]
pub struct WriteError {
    id: RemoteId,
    #[source]
    source: serde_yaml::Error,
}

/// Declares webhooks, each under the key that is wished for, or else one made from its name that is not
/// taken.
///
/// # Errors
/// [`WriteError`] if a value cannot be written as YAML.
pub fn declare<'a>(
    webhooks: impl IntoIterator<Item = &'a ObservedWebhook>,
    wishes: &BTreeMap<RemoteId, Key>,
    mut taken: BTreeSet<Key>,
) -> Result<Vec<Imported>, WriteError> {
    taken.extend(wishes.values().cloned());
    let mut imported = Vec::new();
    for webhook in webhooks {
        let key = match wishes.get(&webhook.id) {
            Some(key) => key.clone(),
            None => free_key(&webhook.spec.name, &taken),
        };
        taken.insert(key.clone());
        let text = text(&key, webhook).map_err(|source| WriteError {
            id: webhook.id.clone(),
            source,
        })?;
        imported.push(Imported {
            key,
            id: webhook.id.clone(),
            name: webhook.spec.name.clone(),
            text,
        });
    }
    Ok(imported)
}

/// A whole file of declarations.
pub fn file<'a>(imported: impl IntoIterator<Item = &'a Imported>) -> String {
    let texts: String = imported
        .into_iter()
        .map(|imported| imported.text.as_str())
        .collect();
    format!("# yaml-language-server: $schema={SCHEMA_FILE}\nwebhooks:\n{texts}")
}

/// A key made from a name, that nobody has yet.
fn free_key(name: &str, taken: &BTreeSet<Key>) -> Key {
    let mut slug = String::new();
    for character in name.chars() {
        if character.is_ascii_alphanumeric() {
            slug.push(character.to_ascii_lowercase());
        } else if !slug.is_empty() && !slug.ends_with('-') {
            slug.push('-');
        }
    }
    // Room for a number behind it: a key has 63 characters at most.
    let slug: String = slug.chars().take(56).collect();
    let slug = match slug.trim_end_matches('-') {
        "" => "webhook",
        slug => slug,
    };
    let mut text = slug.to_owned();
    let mut number = 1_u64;
    loop {
        if let Ok(key) = Key::parse(&text)
            && !taken.contains(&key)
        {
            return key;
        }
        number += 1;
        text = format!("{slug}-{number}");
    }
}

fn text(key: &Key, webhook: &ObservedWebhook) -> Result<String, serde_yaml::Error> {
    let spec = &webhook.spec;
    let number = |value: i64, default: i64| (value != default).then_some(value);
    let written = Written {
        name: (spec.name != key.as_str()).then(|| literal(&spec.name)),
        url: literal(spec.url.as_str()),
        actions: if spec.actions.is_all() {
            Actions::All("all")
        } else {
            let names = spec.actions.iter().map(|action| action.as_str().to_owned());
            Actions::Some(names.collect())
        },
        enabled: (spec.enabled != limits::DEFAULT_ENABLED).then_some(spec.enabled),
        timeout_seconds: number(spec.timeout_seconds, limits::DEFAULT_TIMEOUT_SECONDS),
        max_retries: number(spec.max_retries, limits::DEFAULT_MAX_RETRIES),
        retry_backoff_seconds: number(
            spec.retry_backoff_seconds,
            limits::DEFAULT_RETRY_BACKOFF_SECONDS,
        ),
        id: webhook.id.as_str().to_owned(),
    };
    let mut lines = serde_yaml::to_string(&BTreeMap::from([(key.as_str(), written)]))?;
    if webhook.has_bearer_token {
        lines += &format!(
            "  # It has a bearer token, which nobody can read back. To manage it here, put its source in place\n\
             \x20 # of the next line, such as: bearer_token: {{ env: {} }}\n\
             \x20 ignore_changes: [bearer_token]\n",
            variable(key)
        );
    }
    Ok(lines
        .lines()
        .map(|line| {
            if line.is_empty() {
                "\n".to_owned()
            } else {
                format!("  {line}\n")
            }
        })
        .collect())
}

/// A text that interpolation leaves as it is.
fn literal(text: &str) -> String {
    text.replace('$', "$$")
}

/// A likely name for the variable of a token.
fn variable(key: &Key) -> String {
    let mut name: String = key
        .as_str()
        .chars()
        .map(|character| match character {
            'a'..='z' | '0'..='9' => character.to_ascii_uppercase(),
            _ => '_',
        })
        .collect();
    if name.starts_with(|first: char| first.is_ascii_digit()) {
        name.insert(0, '_');
    }
    name + "_TOKEN"
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::webhook::{EndpointUrl, WebhookSpec, WorkflowActions};

    fn webhook(id: &str, name: &str) -> ObservedWebhook {
        ObservedWebhook {
            id: RemoteId::parse(id).unwrap(),
            spec: WebhookSpec {
                name: name.to_owned(),
                url: EndpointUrl::from_remote("https://a.example.com/?a=${b}".into()),
                actions: WorkflowActions::all(),
                enabled: false,
                timeout_seconds: 10,
                max_retries: 5,
                retry_backoff_seconds: 10,
            },
            has_bearer_token: true,
        }
    }

    #[test]
    fn defaults_are_left_out_and_the_token_is_left_alone() {
        let imported = declare(
            [&webhook("id-1", "Billing: run (v2)")],
            &BTreeMap::new(),
            BTreeSet::new(),
        )
        .unwrap();
        assert_eq!(
            file(&imported),
            "# yaml-language-server: $schema=.schema.json
webhooks:
  billing-run-v2:
    name: 'Billing: run (v2)'
    url: https://a.example.com/?a=$${b}
    actions: all
    enabled: false
    max_retries: 5
    id: id-1
    # It has a bearer token, which nobody can read back. To manage it here, put its source in place
    # of the next line, such as: bearer_token: { env: BILLING_RUN_V2_TOKEN }
    ignore_changes: [bearer_token]
"
        );
    }

    #[test]
    fn keys_are_made_from_names_and_never_twice() {
        let long = "x".repeat(150);
        let names = ["A b", "a-B", "日本", "", "--a b--", &long, &long, "9 lives"];
        let webhooks: Vec<_> = names
            .iter()
            .enumerate()
            .map(|(number, name)| webhook(&format!("id-{number}"), name))
            .collect();
        let taken = BTreeSet::from([Key::parse("a-b").unwrap()]);
        let wishes = BTreeMap::from([(
            RemoteId::parse("id-2").unwrap(),
            Key::parse("webhook").unwrap(),
        )]);
        let imported = declare(&webhooks, &wishes, taken).unwrap();
        let keys: Vec<&str> = imported.iter().map(|one| one.key.as_str()).collect();
        let x = "x".repeat(56);
        assert_eq!(
            keys,
            [
                "a-b-2",
                "a-b-3",
                "webhook",
                "webhook-2",
                "a-b-4",
                &x,
                &format!("{x}-2"),
                "9-lives"
            ]
        );
    }
}
