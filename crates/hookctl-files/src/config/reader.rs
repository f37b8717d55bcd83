//! Parses the tree of a configuration file.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::path::Path;
use std::time::Duration;

use super::literal::literal;
use super::ranges::{HISTORY_KEEP, REQUEST_TIMEOUT};
use super::{Config, HistoryConfig, Places, Target, TargetSpans};
use crate::diagnostic::{Code, Diagnostic, Diagnostics, excerpt, excerpt_key, nearest};
use crate::secret_source::PlaintextSecrets;
use crate::yaml::{Document, Kind, Mapping, Name, Node};
use hookctl_core::plan::safety::SafetyLimits;
use hookctl_core::template::is_variable_name;

/// The keys of the configuration.
pub(crate) const KEYS: [&str; 15] = [
    "webhooks_dir",
    "cache_dir",
    "default_target",
    "targets",
    "prune",
    "safety",
    "concurrency",
    "requests_per_second",
    "request_timeout",
    "settle_horizon",
    "record",
    "history",
    "confirm",
    "plaintext_secrets",
    "lints",
];
pub(super) const TARGET_KEYS: [&str; 9] = [
    "api_url",
    "api_key",
    "team_id",
    "user_id",
    "vars",
    "fingerprint_key",
    "settle_horizon",
    "record",
    "confirm",
];
pub(super) const SAFETY_KEYS: [&str; 4] = [
    "max_delete_percent",
    "max_delete_count",
    "max_update_percent",
    "max_update_count",
];
const HISTORY_KEYS: [&str; 2] = ["keep", "max_entries"];
pub(super) const HISTORY_ENTRIES: RangeInclusive<i64> = 100..=1_000_000;
pub(super) const CONCURRENCY: RangeInclusive<i64> = 1..=256;
/// The slowest rate, in requests per second. With fewer than one request in 20 seconds, a run makes no useful progress.
pub(super) const SLOWEST_RATE: f64 = 0.05;
const PERCENT: RangeInclusive<i64> = 0..=100;
const COUNT: RangeInclusive<i64> = 0..=u32::MAX as i64;
/// The longest name of a target, in characters.
const TARGET_NAME_LENGTH: usize = 63;

/// Reads the configuration from its only document. Invalid values are reported and keep their defaults.
pub(super) fn read(
    documents: &[Document],
    folder: &Path,
    repository: &Path,
    diagnostics: &mut Diagnostics,
) -> Config {
    let mut reader = Reader {
        folder,
        repository,
        plaintext_secrets: PlaintextSecrets::default(),
        diagnostics,
    };
    let mut written = documents
        .iter()
        .map(|document| &document.root)
        .filter(|root| !root.is_null());
    let root = written.next();
    for extra in written {
        reader.diagnostics.push(
            extra
                .problem(
                    Code::TooManyDocuments,
                    "the configuration must be a single document",
                    "a second one",
                )
                .help("move everything into the first document"),
        );
    }
    let mut config = Config {
        webhooks_dir: folder.join(super::DEFAULT_WEBHOOKS_DIR),
        cache_dir: folder.join(super::DEFAULT_CACHE_DIR),
        ..Config::default()
    };
    if let Some(root) = root.and_then(|root| root.mapping("the configuration", reader.diagnostics))
    {
        reader.config(root, &mut config);
    }
    config
}

pub(super) struct Reader<'a> {
    pub(super) folder: &'a Path,
    /// The root of the repository that contains the folder.
    pub(super) repository: &'a Path,
    plaintext_secrets: PlaintextSecrets,
    pub(super) diagnostics: &'a mut Diagnostics,
}

impl Reader<'_> {
    fn config(&mut self, root: &Mapping, config: &mut Config) {
        self.known_keys(root, &KEYS);
        config.places = Places::of(root);
        // Read first, since it applies to all secrets in the file.
        if let Some(node) = root.get("plaintext_secrets") {
            self.plaintext_secrets = self.policy(node).unwrap_or_default();
            config.plaintext_secrets = self.plaintext_secrets;
        }
        if let Some(path) = self.folder(root, "webhooks_dir", "--dir") {
            config.webhooks_dir = path;
        }
        if let Some(path) = self.folder(root, "cache_dir", "--cache-dir") {
            config.cache_dir = path;
        }
        if let Some(node) = root.get("lints") {
            config.lints = self.lints(node);
        }
        if let Some(node) = root.get("prune") {
            config.prune = node.boolean("prune", self.diagnostics).unwrap_or_default();
        }
        if let Some(node) = root.get("safety") {
            config.safety = self.safety(node);
        }
        if let Some(count) = self.number(root, "concurrency", &CONCURRENCY) {
            config.concurrency = usize::try_from(count).unwrap_or(super::DEFAULT_CONCURRENCY);
        }
        if let Some(node) = root.get("requests_per_second") {
            config.requests_per_second = self.rate(node);
        }
        if let Some(timeout) = self.time(root, "request_timeout", &REQUEST_TIMEOUT) {
            config.request_timeout = timeout;
        }
        config.settle_horizon = self.horizon(root, config.request_timeout);
        config.record = self.record(root);
        config.confirm = self.confirm(root);
        if let Some(node) = root.get("history") {
            config.history = self.history(node);
        }
        if let Some(targets) = root
            .get("targets")
            .and_then(|node| node.mapping("targets", self.diagnostics))
        {
            for entry in targets.iter() {
                self.target_name(&entry.key);
                let target = self.target(&entry.key.value, &entry.value, config.request_timeout);
                config.targets.insert(entry.key.value.clone(), target);
            }
        }
        if let Some(node) = root.get("default_target") {
            config.default_target = self.default_target(node, config);
        }
    }

    pub(super) fn known_keys(&mut self, mapping: &Mapping, known: &[&str]) {
        for entry in mapping.iter() {
            let key = entry.key.value.as_str();
            if known.contains(&key) {
                continue;
            }
            let help = match nearest(key, known.iter().copied()) {
                Some(near) => format!("did you mean '{near}'?"),
                None => format!("the keys are {}", known.join(", ")),
            };
            self.diagnostics.push(
                Diagnostic::new(
                    Code::UnknownField,
                    format!("unknown key '{}'", excerpt_key(key)),
                )
                .at(entry.key.span, "not a key of the configuration")
                .help(help),
            );
        }
    }

    pub(super) fn text<'n>(
        &mut self,
        mapping: &'n Mapping,
        key: &str,
    ) -> Option<(&'n str, &'n Node)> {
        let node = mapping.get(key)?;
        let text = literal(
            key,
            node,
            node.text(key, self.diagnostics)?,
            self.diagnostics,
        )?;
        if text.trim().is_empty() {
            self.diagnostics.push(
                node.problem(Code::InvalidLength, format!("'{key}' is empty"), "empty")
                    .help("set a value, or remove the line"),
            );
            return None;
        }
        Some((text, node))
    }

    /// Reads one of the words that a key accepts.
    pub(super) fn word<'n>(
        &mut self,
        key: &str,
        node: &'n Node,
        known: &[&str],
    ) -> Option<&'n str> {
        let word = node.text(key, self.diagnostics)?;
        if known.contains(&word) {
            return Some(word);
        }
        let help = match nearest(word, known.iter().copied()) {
            Some(near) => format!("did you mean '{near}'?"),
            None => format!("use one of {}", known.join(", ")),
        };
        self.diagnostics.push(
            node.problem(
                Code::UnknownValue,
                format!("'{key}' cannot be '{}'", excerpt(word)),
                "unknown value",
            )
            .help(help),
        );
        None
    }

    fn number(&mut self, mapping: &Mapping, key: &str, range: &RangeInclusive<i64>) -> Option<i64> {
        mapping.get(key)?.whole_number(key, range, self.diagnostics)
    }

    fn policy(&mut self, node: &Node) -> Option<PlaintextSecrets> {
        match self.word("plaintext_secrets", node, &["warn", "deny"])? {
            "deny" => Some(PlaintextSecrets::Deny),
            _ => Some(PlaintextSecrets::Warn),
        }
    }

    fn safety(&mut self, node: &Node) -> SafetyLimits {
        let mut limits = SafetyLimits::default();
        let Some(mapping) = node.mapping("safety", self.diagnostics) else {
            return limits;
        };
        self.known_keys(mapping, &SAFETY_KEYS);
        for (key, range, limit) in [
            (
                "max_delete_percent",
                PERCENT,
                &mut limits.max_delete_percent,
            ),
            ("max_delete_count", COUNT, &mut limits.max_delete_count),
            (
                "max_update_percent",
                PERCENT,
                &mut limits.max_update_percent,
            ),
            ("max_update_count", COUNT, &mut limits.max_update_count),
        ] {
            let number = self.number(mapping, key, &range);
            if let Some(number) = number.and_then(|number| u32::try_from(number).ok()) {
                *limit = number;
            }
        }
        limits
    }

    fn history(&mut self, node: &Node) -> HistoryConfig {
        let Some(mapping) = node.mapping("history", self.diagnostics) else {
            return HistoryConfig::default();
        };
        self.known_keys(mapping, &HISTORY_KEYS);
        let entries = self.number(mapping, "max_entries", &HISTORY_ENTRIES);
        HistoryConfig {
            keep: self.time(mapping, "keep", &HISTORY_KEEP),
            max_entries: entries.and_then(|entries| u64::try_from(entries).ok()),
        }
    }

    fn rate(&mut self, node: &Node) -> Option<f64> {
        let is_number = matches!(node.kind()?, Kind::Integer | Kind::Float);
        let number = node
            .as_scalar()
            .filter(|_| is_number)
            .and_then(|scalar| scalar.text().parse::<f64>().ok())
            .filter(|number| number.is_finite());
        let Some(number) = number else {
            self.diagnostics.push(
                node.problem(
                    Code::WrongType,
                    "'requests_per_second' must be a number",
                    "not a number",
                )
                .help("use a number such as 50 or 0.5, without quotes"),
            );
            return None;
        };
        if number >= SLOWEST_RATE {
            return Some(number);
        }
        self.diagnostics.push(
            node.problem(
                Code::OutOfRange,
                "'requests_per_second' is out of range",
                "must be at least 0.05",
            )
            .help("remove the line to have no limit"),
        );
        None
    }

    fn target_name(&mut self, key: &Name) {
        let name = key.value.as_str();
        let is_start = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
        let is_valid = name.len() <= TARGET_NAME_LENGTH
            && name.bytes().next().is_some_and(is_start)
            && name
                .bytes()
                .all(|byte| is_start(byte) || matches!(byte, b'_' | b'-'));
        if !is_valid {
            self.diagnostics.push(
                Diagnostic::new(
                    Code::InvalidTarget,
                    "the name of a target is 1 to 63 characters of a-z, 0-9, '_', '-', and begins \
                     with a letter or digit",
                )
                .at(key.span, "not a name of a target")
                .help("use a short name, such as 'qa' or 'prod'"),
            );
        }
    }

    fn target(&mut self, name: &str, node: &Node, request_timeout: Duration) -> Target {
        let mut target = Target {
            api_url: None,
            api_key: None,
            team_id: None,
            user_id: None,
            vars: BTreeMap::new(),
            fingerprint_key: None,
            settle_horizon: None,
            record: None,
            confirm: None,
            spans: TargetSpans::default(),
        };
        let Some(mapping) = node.mapping(&excerpt(name), self.diagnostics) else {
            return target;
        };
        self.known_keys(mapping, &TARGET_KEYS);
        target.api_url = self.api_url(mapping);
        target.settle_horizon = self.horizon(mapping, request_timeout);
        target.record = self.record(mapping);
        target.confirm = self.confirm(mapping);
        let api_key = self.secret(mapping, "api_key");
        let fingerprint_key = self.secret(mapping, "fingerprint_key");
        let owned = |found: Option<(&str, &Node)>| found.map(|(text, _)| text.to_owned());
        target.team_id = owned(self.text(mapping, "team_id"));
        target.user_id = owned(self.text(mapping, "user_id"));
        if let Some(vars) = mapping
            .get("vars")
            .and_then(|node| node.mapping("vars", self.diagnostics))
        {
            for entry in vars.iter() {
                if let Some(value) = self.variable(&entry.key, &entry.value) {
                    target.vars.insert(entry.key.value.clone(), value);
                }
            }
        }
        for (key, secret) in [("api_key", &api_key), ("fingerprint_key", &fingerprint_key)] {
            if let Some((source, span)) = secret {
                if key == "fingerprint_key" && !self.is_outside(source, *span) {
                    continue;
                }
                let policy = self.plaintext_secrets;
                policy.check(source, key, *span, &target.vars, self.diagnostics);
            }
        }
        target.spans = TargetSpans {
            api_url: mapping.get("api_url").map(Node::span),
            api_key: api_key.as_ref().map(|(_, span)| *span),
            fingerprint_key: fingerprint_key.as_ref().map(|(_, span)| *span),
        };
        target.api_key = api_key.map(|(source, _)| source);
        target.fingerprint_key = fingerprint_key.map(|(source, _)| source);
        target
    }

    /// Reads the value of a variable: a text, or the text of a number or boolean.
    fn variable(&mut self, key: &Name, node: &Node) -> Option<String> {
        let name = key.value.as_str();
        if !is_variable_name(name) {
            self.diagnostics.push(
                Diagnostic::new(
                    Code::InvalidTemplate,
                    "this is not a valid name of a variable",
                )
                .at(key.span, "not a valid name for '${...}'")
                .help("use letters, digits, and '_', and do not begin with a digit"),
            );
        }
        match node.kind()? {
            Kind::Integer | Kind::Float | Kind::Boolean => {
                node.as_scalar().map(|scalar| scalar.text().to_owned())
            }
            _ => {
                let what = excerpt(name);
                let text = node.text(&what, self.diagnostics)?;
                literal(&what, node, text, self.diagnostics).map(str::to_owned)
            }
        }
    }

    fn default_target(&mut self, node: &Node, config: &Config) -> Option<String> {
        let name = node.text("default_target", self.diagnostics)?;
        let name = literal("default_target", node, name, self.diagnostics)?;
        if config.targets.contains_key(name) {
            return Some(name.to_owned());
        }
        let known: Vec<_> = config.targets.keys().map(String::as_str).collect();
        let help = match nearest(name, known.iter().copied()) {
            Some(near) => format!("did you mean '{near}'?"),
            None if known.is_empty() => "add it under 'targets'".to_owned(),
            None => format!("the targets are {}", known.join(", ")),
        };
        self.diagnostics.push(
            node.problem(
                Code::UnknownTarget,
                format!("unknown target '{}'", excerpt(name)),
                "not a configured target",
            )
            .help(help),
        );
        None
    }
}
