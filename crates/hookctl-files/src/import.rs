//! Declarations for existing webhooks. Pure: texts in, texts out.
//!
//! # Expected flow
//! [`declare`] gives each webhook a key and a text. The caller reads the texts back as declarations and plans: each must
//! be adopted without a request.
//!
//! # Guarantees
//! - A field with the API's documented default is omitted; the id is pinned.
//! - A token, which the API never returns, is left alone. The text describes how to take it over.
//!
//! # Caveats
//! A webhook that no declaration can describe (an unknown action, a value outside the documented limits) still gets a
//! text, which is invalid.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use deunicode::deunicode;

use crate::yaml::{quoted, scalar};
use hookctl_core::state::ObservedWebhook;
use hookctl_core::webhook::{Key, RemoteId, limits};

/// The schema next to the files, for editors. Hidden, so that it is not read as a declaration.
pub const SCHEMA_FILE: &str = ".schema.json";

/// A webhook with its declaration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Imported {
    /// The new key.
    pub key: Key,
    /// The id of the webhook.
    pub id: RemoteId,
    /// The name at the API.
    pub name: String,
    /// The declaration, indented for `webhooks:`.
    pub text: String,
}

/// Declares webhooks, each under its key in `wishes`, or else under a free key derived from its name.
pub fn declare<'a>(
    webhooks: impl IntoIterator<Item = &'a ObservedWebhook>,
    wishes: &BTreeMap<RemoteId, Key>,
    mut taken: BTreeSet<Key>,
) -> Vec<Imported> {
    taken.extend(wishes.values().cloned());
    let mut numbers = HashMap::new();
    let mut imported = Vec::new();
    for webhook in webhooks {
        let key = match wishes.get(&webhook.id) {
            Some(key) => key.clone(),
            None => free_key(&webhook.spec.name, &taken, &mut numbers),
        };
        taken.insert(key.clone());
        let text = text(&key, webhook);
        imported.push(Imported {
            key,
            id: webhook.id.clone(),
            name: webhook.spec.name.clone(),
            text,
        });
    }
    imported
}

/// Returns the text of a file with the declarations. The file is so many folders below that of the schema.
pub fn file<'a>(imported: impl IntoIterator<Item = &'a Imported>, depth: usize) -> String {
    let texts: String = imported
        .into_iter()
        .map(|imported| imported.text.as_str())
        .collect();
    let above = "../".repeat(depth);
    format!("# yaml-language-server: $schema={above}{SCHEMA_FILE}\nwebhooks:\n{texts}")
}

/// Derives an unused key from a name: its letters and digits, in the Latin alphabet. `numbers` has the number of the latest key
/// of each text: an account may have very many webhooks of one name.
fn free_key(name: &str, taken: &BTreeSet<Key>, numbers: &mut HashMap<String, u64>) -> Key {
    let mut slug = String::new();
    for character in deunicode(name).chars() {
        if character.is_ascii_alphanumeric() {
            slug.push(character.to_ascii_lowercase());
        } else if !slug.is_empty() && !slug.ends_with('-') {
            slug.push('-');
        }
    }
    // Leaves room for a number: a key has at most 63 characters.
    let slug: String = slug.chars().take(56).collect();
    let slug = match slug.trim_end_matches('-') {
        "" => "webhook",
        slug => slug,
    };
    let number = numbers.entry(slug.to_owned()).or_insert(0);
    loop {
        *number += 1;
        let text = match *number {
            1 => slug.to_owned(),
            number => format!("{slug}-{number}"),
        };
        if let Ok(key) = Key::parse(&text)
            && !taken.contains(&key)
        {
            return key;
        }
    }
}

fn text(key: &Key, webhook: &ObservedWebhook) -> String {
    let spec = &webhook.spec;
    let mut lines = Vec::new();
    if spec.name != key.as_str() {
        lines.push(format!("name: {}", scalar(&literal(&spec.name))));
    }
    lines.push(format!("url: {}", scalar(&literal(spec.url.as_str()))));
    lines.push(if spec.actions.is_all() {
        "actions: all".to_owned()
    } else {
        let names = spec.actions.iter();
        let names: Vec<_> = names
            .map(|action| scalar(&literal(action.as_str())).into_owned())
            .collect();
        format!("actions: [{}]", names.join(", "))
    });
    if spec.enabled != limits::DEFAULT_ENABLED {
        lines.push(format!("enabled: {}", spec.enabled));
    }
    for (field, value, default) in [
        (
            "timeout_seconds",
            spec.timeout_seconds,
            limits::DEFAULT_TIMEOUT_SECONDS,
        ),
        ("max_retries", spec.max_retries, limits::DEFAULT_MAX_RETRIES),
        (
            "retry_backoff_seconds",
            spec.retry_backoff_seconds,
            limits::DEFAULT_RETRY_BACKOFF_SECONDS,
        ),
    ] {
        if value != default {
            lines.push(format!("{field}: {value}"));
        }
    }
    // Always quoted: an id of digits, or of digits around an 'e', is a number elsewhere.
    lines.push(format!("id: {}", quoted(webhook.id.as_str())));
    if webhook.has_bearer_token {
        lines.push(
            "# The bearer token is kept, and the API never returns it. To manage it, replace the next line by its"
                .to_owned(),
        );
        lines.push(format!(
            "# source, such as: bearer_token: {{ env: {} }}",
            variable(key)
        ));
        lines.push("ignore_changes: [bearer_token]".to_owned());
    }
    let mut text = format!("  {}:\n", scalar(key.as_str()));
    for line in lines {
        text += &format!("    {line}\n");
    }
    text
}

/// Escapes a text for interpolation.
fn literal(text: &str) -> String {
    text.replace('$', "$$")
}

/// Suggests a variable for a token.
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
    use hookctl_core::webhook::{EndpointUrl, WebhookSpec, WorkflowActions};

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
        );
        assert_eq!(
            file(&imported, 0),
            r#"# yaml-language-server: $schema=.schema.json
webhooks:
  billing-run-v2:
    name: "Billing: run (v2)"
    url: "https://a.example.com/?a=$${b}"
    actions: all
    enabled: false
    max_retries: 5
    id: "id-1"
    # The bearer token is kept, and the API never returns it. To manage it, replace the next line by its
    # source, such as: bearer_token: { env: BILLING_RUN_V2_TOKEN }
    ignore_changes: [bearer_token]
"#
        );
    }

    #[test]
    fn a_key_spells_a_name_in_latin_letters() {
        for (name, key) in [
            ("Ärzte Büro – Straße", "arzte-buro-strasse"),
            ("Über 9000", "uber-9000"),
            ("Łódź", "lodz"),
            ("Москва", "moskva"),
            ("日本", "ri-ben"),
            ("---", "webhook"),
        ] {
            assert_eq!(
                free_key(name, &BTreeSet::new(), &mut HashMap::new()).as_str(),
                key
            );
        }
    }

    #[test]
    fn each_webhook_of_one_name_begins_with_the_number_after_the_one_before() {
        let taken = BTreeSet::from([Key::parse("one-3").unwrap()]);
        let mut numbers = HashMap::new();
        for expected in ["one", "one-2", "one-4"] {
            // Without the keys that were returned before, a search from the start would return them again.
            assert_eq!(free_key("one", &taken, &mut numbers).as_str(), expected);
        }
    }

    #[test]
    fn a_file_in_a_folder_refers_to_the_schema_above_it() {
        let text = file([], 2);
        assert!(text.starts_with("# yaml-language-server: $schema=../../.schema.json\n"));
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
        let imported = declare(&webhooks, &wishes, taken);
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
