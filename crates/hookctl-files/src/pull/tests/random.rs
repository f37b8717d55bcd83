//! Random files in several styles, with random drift: after a pull, the plan is empty, and the rest is unchanged.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use proptest::prelude::*;

use crate::declaration::{LoadOptions, Loaded, load_texts};
use crate::pull::{Baseline, Reason, Scope, pull, select};
use hookctl_core::plan::{Policy, plan};
use hookctl_core::state::{
    AppliedRecord, DesiredState, LastApplied, ObservedState, ObservedWebhook,
};
use hookctl_core::webhook::{
    EndpointUrl, Field, Key, RemoteId, WebhookSpec, WorkflowAction, WorkflowActions, names_match,
};

/// How many files are tried.
const CASES: u32 = 400;

/// How a webhook is written.
#[derive(Clone, Debug)]
struct Written {
    in_braces: bool,
    /// Plain, single quotes, double quotes, or a block.
    notation: u8,
    /// In brackets, over several lines with comments, or a block; `all`, an alias, or from `defaults`.
    list: u8,
    actions: u8,
    fields: [Option<u8>; 4],
    name: Option<String>,
    comments: bool,
    /// Whether it merges the anchor.
    merges: bool,
    /// What differs in the selected target and in another one, if `targets` is a mapping.
    targets: Option<[Differs; 2]>,
}

/// What differs in a target.
#[derive(Clone, Debug)]
struct Differs {
    /// In braces, as a block, or as a null if there is nothing.
    form: u8,
    enabled: Option<bool>,
    /// Nothing, a null, or a number.
    timeout_seconds: Option<u8>,
    url: bool,
    actions: Option<u8>,
}

impl Differs {
    fn pairs(&self) -> Vec<String> {
        let enabled = self.enabled.map(|enabled| format!("enabled: {enabled}"));
        let timeout = self.timeout_seconds.map(|number| match number {
            0 => "timeout_seconds: null".to_owned(),
            number => format!("timeout_seconds: {number}"),
        });
        let url = self.url.then(|| "url: 'https://t.example.com/'".to_owned());
        let actions = self.actions.map(|bits| {
            let actions = actions(bits);
            let names: Vec<&str> = actions.iter().map(WorkflowAction::as_str).collect();
            format!("actions: [{}]", names.join(", "))
        });
        [url, actions, enabled, timeout]
            .into_iter()
            .flatten()
            .collect()
    }

    fn text(&self, indent: &str, may_be_block: bool) -> String {
        let pairs = self.pairs();
        match self.form {
            0 if pairs.is_empty() && may_be_block => String::new(),
            0 if pairs.is_empty() => " ".to_owned(),
            1 if pairs.is_empty() => " {}".to_owned(),
            2 if pairs.is_empty() => " ~".to_owned(),
            0 | 1 if may_be_block && !pairs.is_empty() => {
                let lines = pairs.iter().map(|pair| format!("\n{indent}{pair}"));
                lines.collect()
            }
            _ => format!(" {{ {} }}", pairs.join(", ")),
        }
    }
}

/// What happens to a webhook at the API.
#[derive(Clone, Debug)]
struct Drift {
    name: Option<String>,
    url: Option<String>,
    actions: Option<u8>,
    enabled: bool,
    numbers: [Option<u8>; 3],
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-zA-Z][a-z ]{0,10}[a-z]",
        "[ -~]{1,12}",
        "\\PC{1,8}",
        Just("${HOME}: #'\"\\$$".to_owned()),
        Just("true".to_owned()),
    ]
    .prop_filter("a name", |name| {
        let name = name.trim();
        !name.is_empty() && !name.contains(char::is_control)
    })
}

fn in_target() -> impl Strategy<Value = Differs> {
    (
        0..3_u8,
        prop::option::of(any::<bool>()),
        prop::option::of(0..9_u8),
        any::<bool>(),
        prop::option::of(1..32_u8),
    )
        .prop_map(|(form, enabled, timeout_seconds, url, actions)| Differs {
            form,
            enabled,
            timeout_seconds,
            url,
            actions,
        })
}

fn written() -> impl Strategy<Value = Written> {
    (
        any::<bool>(),
        0..4_u8,
        0..6_u8,
        1..32_u8,
        prop::array::uniform4(prop::option::of(1..9_u8)),
        prop::option::of("[a-z][a-z ]{0,9}[a-z]"),
        any::<bool>(),
        any::<bool>(),
        prop::option::of([in_target(), in_target()]),
    )
        .prop_map(
            |(in_braces, notation, list, actions, fields, name, comments, merges, targets)| {
                Written {
                    in_braces,
                    notation,
                    list,
                    actions,
                    fields,
                    name,
                    comments,
                    merges,
                    targets,
                }
            },
        )
}

fn drift() -> impl Strategy<Value = Drift> {
    (
        prop::option::of(text()),
        prop::option::of("[a-z0-9/$#:?=&%-]{0,12}"),
        prop::option::of(1..32_u8),
        any::<bool>(),
        prop::array::uniform3(prop::option::of(1..10_u8)),
    )
        .prop_map(|(name, url, actions, enabled, numbers)| Drift {
            name,
            url: url.map(|path| format!("https://x.example.com/{path}")),
            actions,
            enabled,
            numbers,
        })
}

fn actions(bits: u8) -> WorkflowActions {
    let known = WorkflowAction::KNOWN.into_iter().enumerate();
    known
        .filter(|(bit, _)| bits & (1 << bit) != 0)
        .map(|(_, action)| action)
        .collect()
}

impl Written {
    fn scalar(&self, text: &str, indent: &str) -> String {
        match self.notation {
            0 => text.to_owned(),
            1 => format!("'{text}'"),
            2 => format!("\"{text}\""),
            _ if self.in_braces => format!("'{text}'"),
            _ => format!(">-\n{indent}  {text}"),
        }
    }

    /// Returns the lines of the pairs, without those that `defaults` or the anchor have.
    fn pairs(&self, index: usize, indent: &str) -> Vec<String> {
        let mut pairs = Vec::new();
        if self.merges {
            pairs.push("<<: *base".to_owned());
        }
        if let Some(name) = &self.name {
            let name = self.scalar(&format!("{name} {index}"), indent);
            pairs.push(format!("name: {name}"));
        }
        let url = self.scalar(&format!("https://a{index}.example.com/x"), indent);
        pairs.push(format!("url: {url}"));
        let actions = actions(self.actions);
        let names: Vec<&str> = actions.iter().map(WorkflowAction::as_str).collect();
        match self.list {
            0 => pairs.push(format!("actions: [{}]", names.join(", "))),
            1 if !self.in_braces => {
                let items = names
                    .iter()
                    .map(|name| format!("{indent}  {name}, # {name}\n"));
                pairs.push(format!(
                    "actions: [\n{}{indent}]",
                    items.collect::<String>()
                ));
            }
            2 if !self.in_braces => {
                let items = names.iter().map(|name| format!("\n{indent}  - {name}"));
                pairs.push(format!("actions:{}", items.collect::<String>()));
            }
            3 => pairs.push("actions: *list".to_owned()),
            4 => {}
            _ => pairs.push("actions: all".to_owned()),
        }
        let names = [
            "enabled",
            "timeout_seconds",
            "max_retries",
            "retry_backoff_seconds",
        ];
        for (name, value) in names.into_iter().zip(self.fields) {
            match (name, value) {
                (_, None) => {}
                ("enabled", Some(value)) => pairs.push(format!("enabled: {}", value % 2 == 0)),
                (_, Some(8)) => pairs.push(format!("{name}: *number")),
                (_, Some(value)) => pairs.push(format!("{name}: {value}")),
            }
        }
        if let Some([here, there]) = &self.targets {
            let entries = [("default", here), ("other", there)];
            let entries = entries.map(|(target, differs)| {
                let text = differs.text(&format!("{indent}    "), !self.in_braces);
                format!("{target}:{text}")
            });
            pairs.push(if self.in_braces {
                format!("targets: {{ {} }}", entries.join(", "))
            } else {
                format!(
                    "targets:\n{indent}  {}",
                    entries.join(&format!("\n{indent}  "))
                )
            });
        }
        pairs
    }

    fn text(&self, index: usize) -> String {
        let mut text = String::new();
        if self.comments {
            text += "  # A comment: with { signs.\n";
        }
        if self.in_braces {
            return format!(
                "{text}  k{index}: {{ {} }}\n",
                self.pairs(index, "").join(", ")
            );
        }
        text += &format!("  k{index}:   # the key\n");
        for pair in self.pairs(index, "    ") {
            let comment = self.comments && !pair.contains('\n');
            let comment = if comment { "   # said 'so'" } else { "" };
            text += &format!("    {pair}{comment}\n");
        }
        if self.comments {
            text.push('\n');
        }
        text
    }
}

fn file(webhooks: &[Written], crlf: bool, ends: bool) -> String {
    let mut text = "x-anchors: # shared
  - &base { max_retries: 2, timeout_seconds: 7 }
  - &list [workflow_created, workflow_run_completed]
  - &number 4
defaults: { actions: [workflow_updated], retry_backoff_seconds: 9 }
webhooks:
"
    .to_owned();
    for (index, webhook) in webhooks.iter().enumerate() {
        text += &webhook.text(index);
    }
    if !ends {
        text.truncate(text.trim_end().len());
    }
    if crlf {
        text = format!("\u{feff}{}", text.replace('\n', "\r\n"));
    }
    text
}

fn load(texts: &[(PathBuf, String)]) -> Loaded {
    load_texts(texts, &LoadOptions::below(Path::new("/nowhere")))
}

/// Returns what the webhooks with a mapping of targets are in the other target.
fn elsewhere(texts: &[(PathBuf, String)], webhooks: &[Written]) -> Vec<WebhookSpec> {
    let options = LoadOptions {
        target: "other",
        ..LoadOptions::below(Path::new("/nowhere"))
    };
    let declarations = load_texts(texts, &options).declarations.unwrap();
    let desired = declarations.into_desired(&BTreeMap::new());
    let pairs = desired.webhooks.into_values().zip(webhooks);
    pairs
        .filter(|(_, written)| written.targets.is_some())
        .map(|(webhook, _)| webhook.spec)
        .collect()
}

fn desired(texts: &[(PathBuf, String)]) -> DesiredState {
    let loaded = load(texts);
    let problems: Vec<_> = loaded.diagnostics.iter().map(|one| &one.message).collect();
    let declarations = loaded.declarations;
    let declarations = declarations.unwrap_or_else(|| panic!("{problems:?} in {texts:#?}"));
    declarations.into_desired(&BTreeMap::new())
}

fn drifted(spec: &WebhookSpec, drift: &Drift) -> WebhookSpec {
    let mut spec = spec.clone();
    if let Some(name) = &drift.name {
        spec.name.clone_from(name);
    }
    if let Some(url) = &drift.url {
        spec.url = EndpointUrl::from_remote(url.clone());
    }
    if let Some(bits) = drift.actions {
        spec.actions = actions(bits);
    }
    spec.enabled ^= drift.enabled;
    let [timeout, retries, backoff] = drift.numbers.map(|number| number.map(i64::from));
    spec.timeout_seconds = timeout.unwrap_or(spec.timeout_seconds);
    spec.max_retries = retries.unwrap_or(spec.max_retries);
    spec.retry_backoff_seconds = backoff.unwrap_or(spec.retry_backoff_seconds);
    spec
}

fn states(desired: &DesiredState, drifts: &[Drift]) -> (ObservedState, LastApplied) {
    let mut observed = ObservedState::default();
    let mut records = LastApplied::new();
    for (index, (key, webhook)) in desired.webhooks.iter().enumerate() {
        let id = RemoteId::parse(&format!("{index:024}")).unwrap();
        let spec = drifts.get(index).map_or_else(
            || webhook.spec.clone(),
            |drift| drifted(&webhook.spec, drift),
        );
        let found = ObservedWebhook {
            id: id.clone(),
            spec,
            has_bearer_token: false,
        };
        observed.webhooks.insert(id.clone(), found);
        let record = AppliedRecord {
            id,
            sent: webhook.spec.clone(),
            stored: webhook.spec.clone(),
            token: None,
            held: None,
            prevent_destroy: false,
        };
        records.insert(key.clone(), record);
    }
    (observed, records)
}

/// Returns the values of a file by an independent reader, with merges.
fn read(text: &str) -> serde_yaml::Value {
    let text = text.trim_start_matches('\u{feff}');
    let mut value: serde_yaml::Value = serde_yaml::from_str(text).unwrap();
    value.apply_merge().unwrap();
    value
}

fn differs(one: &WebhookSpec, other: &WebhookSpec, field: Field) -> bool {
    !one.field_equals(other, field)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: CASES, ..ProptestConfig::default() })]

    #[test]
    fn after_a_pull_the_plan_is_empty_and_the_rest_is_unchanged(
        webhooks in prop::collection::vec(written(), 1..5),
        drifts in prop::collection::vec(drift(), 0..5),
        crlf in any::<bool>(),
        ends in any::<bool>(),
    ) {
        let path = PathBuf::from("a.yaml");
        let before = file(&webhooks, crlf, ends);
        let texts = [(path.clone(), before.clone())];
        let desired = desired(&texts);
        let (observed, last_applied) = states(&desired, &drifts);
        // Two webhooks with one name need a pin; that is refused, and tested elsewhere.
        let names: Vec<&String> = observed.webhooks.values().map(|one| &one.spec.name).collect();
        prop_assume!(names.iter().enumerate().all(|(index, name)| {
            names[..index].iter().all(|other| !names_match(name, other))
        }));
        let policy = Policy::default();
        let old = plan(&desired, &observed, &last_applied, &policy).unwrap();
        let selection = select(&old, &Scope::default(), &|_| false);
        prop_assert!(selection.left.is_empty());
        let baseline = Baseline {
            texts: &texts,
            target: "default",
            load: &load,
            desired: &desired,
            observed: &observed,
            last_applied: &last_applied,
            policy: &policy,
            plan: &old,
        };
        let values: Vec<_> = selection.changed.iter().map(|change| change.new.clone()).collect();
        let pulled = pull(&baseline, values.clone()).unwrap();
        // A block shows no character that needs an escape.
        for left in &pulled.left {
            let index: usize = left.key.as_str()[1..].parse().unwrap();
            let is_block = webhooks[index].notation == 3 && !webhooks[index].in_braces;
            let is_form = matches!(left.reason, Reason::Form { .. });
            prop_assert!(is_block && is_form, "{:?} in\n{}", left, before);
        }
        let after = pulled.files.first().map_or(before.as_str(), |file| file.after.as_str());
        let there = elsewhere(&texts, &webhooks);
        let texts = [(path, after.to_owned())];
        prop_assert_eq!(there, elsewhere(&texts, &webhooks), "{}\n{}", before, after);
        let new = self::desired(&texts);
        let again = plan(&new, &observed, &last_applied, &policy).unwrap();
        let expected = if pulled.left.is_empty() { 0 } else { again.actions.len() };
        prop_assert_eq!(again.actions.len(), expected, "{}", after);

        // Everything but the pulled fields is as it was, by an independent reader too.
        let (mut old, mut new) = (read(&before), read(after));
        for (key, webhook) in &desired.webhooks {
            let found = &observed.webhooks[&last_applied[key].id].spec;
            for field in Field::ALL {
                if differs(&webhook.spec, found, field) {
                    remove(&mut old, key, field);
                    remove(&mut new, key, field);
                }
            }
        }
        prop_assert_eq!(old, new);
        // Every comment stays, except on the lines of removed items.
        let comments = |text: &str| {
            let lines = text.lines().filter(|line| !line.contains("# workflow_"));
            lines.filter(|line| line.contains("  # ")).count()
        };
        prop_assert_eq!(comments(&before), comments(after), "{}\n{}", before, after);
        let breaks = |text: &str| text.matches('\n').count() == text.matches("\r\n").count();
        prop_assert!(!crlf || breaks(after));
    }
}

fn remove(file: &mut serde_yaml::Value, key: &Key, field: Field) {
    let webhook = &mut file["webhooks"][key.as_str()];
    if let Some(mapping) = webhook.as_mapping_mut() {
        mapping.remove(field.as_str());
        if let Some(target) = mapping
            .get_mut("targets")
            .and_then(|targets| targets.get_mut("default"))
        {
            if target.is_null() {
                *target = serde_yaml::Mapping::new().into();
            }
            target.as_mapping_mut().unwrap().remove(field.as_str());
        }
    }
}
