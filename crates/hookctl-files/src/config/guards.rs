//! Guards: the settings that decide how careful a plan is, in comparable form.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::{Config, DEFAULT_SETTLE_MARGIN, Target};
use crate::diagnostic::{Level, Span};
use crate::secret_source::PlaintextSecrets;
use crate::yaml::Mapping;
use hookctl_core::plan::safety::SafetyLimits;

/// A setting that decides how careful a plan is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Guard {
    /// The name, such as `safety.max_delete_count`.
    pub name: String,
    /// The value, as written in hookctl.yaml.
    pub value: String,
    /// How careless the value is: a greater one allows more.
    pub slack: i128,
    /// Where it is set. `None` if it is not.
    pub span: Option<Span>,
}

impl Guard {
    /// Returns whether it allows more than another value of the same setting.
    pub const fn is_looser_than(&self, other: &Self) -> bool {
        self.slack > other.slack
    }
}

/// The locations of settings. They do not affect the equality of configurations.
#[derive(Clone, Debug, Default)]
pub struct Places(BTreeMap<String, Span>);

impl PartialEq for Places {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

/// The keys whose locations are recorded, with their depth.
const PLACED: [(&str, usize); 8] = [
    ("prune", 1),
    ("safety", 2),
    ("settle_horizon", 1),
    ("request_timeout", 1),
    ("confirm", 1),
    ("plaintext_secrets", 1),
    ("lints", 2),
    ("targets", 3),
];

impl Places {
    /// Returns the locations of the settings in a file.
    pub(super) fn of(root: &Mapping) -> Self {
        let mut places = Self::default();
        for (key, depth) in PLACED {
            let mut entries = root.iter();
            if let Some(entry) = entries.find(|entry| entry.key.value == key) {
                places.0.insert(key.to_owned(), entry.key.span);
                if let Some(below) = entry.value.as_mapping() {
                    places.below(below, key, depth - 1);
                }
            }
        }
        places
    }

    fn below(&mut self, mapping: &Mapping, before: &str, depth: usize) {
        if depth == 0 {
            return;
        }
        for entry in mapping.iter() {
            let name = format!("{before}.{}", entry.key.value);
            if let Some(below) = entry.value.as_mapping() {
                self.below(below, &name, depth - 1);
            }
            self.0.insert(name, entry.key.span);
        }
    }
}

impl Config {
    /// Returns the guards of a target, in a fixed order. `lints` contribute those set here or in `other`, so that the
    /// guards of two configurations correspond.
    pub fn guards(&self, target: &str, other: &Self) -> Vec<Guard> {
        let mut guards = vec![self.guard("prune", self.prune.to_string(), i128::from(self.prune))];
        let SafetyLimits {
            max_delete_percent,
            max_delete_count,
            max_update_percent,
            max_update_count,
        } = self.safety;
        for (name, limit) in [
            ("safety.max_delete_percent", max_delete_percent),
            ("safety.max_delete_count", max_delete_count),
            ("safety.max_update_percent", max_update_percent),
            ("safety.max_update_count", max_update_count),
        ] {
            guards.push(self.guard(name, limit.to_string(), i128::from(limit)));
        }
        guards.push(self.horizon(target));
        guards.push(self.confirmation(target));
        let (word, slack) = match self.plaintext_secrets {
            PlaintextSecrets::Deny => ("deny", 0),
            PlaintextSecrets::Warn => ("warn", 1),
        };
        guards.push(self.guard("plaintext_secrets", word.to_owned(), slack));
        let set = |config: &Self| config.lints.levels().collect::<Vec<_>>();
        let own: BTreeMap<_, _> = set(self).into_iter().collect();
        let codes: BTreeSet<_> = set(other).into_iter().map(|(code, _)| code).collect();
        for code in own.keys().copied().chain(codes).collect::<BTreeSet<_>>() {
            let level = own.get(&code).copied().unwrap_or(Level::Warn);
            let (word, slack) = match level {
                Level::Deny => ("deny", 0),
                Level::Warn => ("warn", 1),
                Level::Allow => ("allow", 2),
            };
            guards.push(self.guard(&format!("lints.{code}"), word.to_owned(), slack));
        }
        guards
    }

    fn guard(&self, name: &str, value: String, slack: i128) -> Guard {
        Guard {
            name: name.to_owned(),
            value,
            slack,
            span: self.places.0.get(name).copied(),
        }
    }

    fn confirmation(&self, target: &str) -> Guard {
        let confirm = self.confirm_in(target);
        let of_target = self.targets.get(target);
        let placed = if of_target.is_some_and(Target::has_confirm) {
            format!("targets.{target}.confirm")
        } else {
            "confirm".to_owned()
        };
        Guard {
            span: self.places.0.get(&placed).copied(),
            ..self.guard("confirm", confirm.as_str().to_owned(), confirm.slack())
        }
    }

    /// Returns the guard of the settle horizon. A shorter horizon is less careful, since it sooner treats a request
    /// without a response as one without effect.
    fn horizon(&self, target: &str) -> Guard {
        let of_target = self
            .targets
            .get(target)
            .and_then(|target| target.settle_horizon);
        let time = of_target
            .or(self.settle_horizon)
            .unwrap_or(self.request_timeout + DEFAULT_SETTLE_MARGIN);
        let usual = Self::default().request_timeout + DEFAULT_SETTLE_MARGIN;
        // Both are long enough, so a longer one is not stricter than the default.
        let millis = |time: Duration| i128::try_from(time.as_millis()).unwrap_or(i128::MAX);
        let name = "settle_horizon";
        let placed = match (of_target, self.settle_horizon) {
            (Some(_), _) => format!("targets.{target}.{name}"),
            (None, Some(_)) => name.to_owned(),
            // Without a horizon, it follows from the request time-out.
            (None, None) => "request_timeout".to_owned(),
        };
        Guard {
            span: self.places.0.get(&placed).copied(),
            ..self.guard(name, shown(time), (millis(usual) - millis(time)).max(0))
        }
    }
}

/// Returns a duration as written in hookctl.yaml.
fn shown(time: Duration) -> String {
    if time.subsec_millis() == 0 {
        format!("{}s", time.as_secs())
    } else {
        format!("{}ms", time.as_millis())
    }
}

#[cfg(test)]
mod tests {
    use super::super::load_text;
    use super::*;

    fn config(text: &str) -> Config {
        let folder = std::path::Path::new("/repo");
        load_text(&folder.join("hookctl.yaml"), folder, text.to_owned())
            .2
            .unwrap()
    }

    /// Returns the guards of a configuration that are looser than another's, with their lines.
    fn looser(text: &str, than: &str) -> Vec<String> {
        let folder = std::path::Path::new("/repo");
        let (sources, _, now) = load_text(&folder.join("hookctl.yaml"), folder, text.to_owned());
        let (now, than) = (now.unwrap(), config(than));
        let pairs = now
            .guards("qa", &than)
            .into_iter()
            .zip(than.guards("qa", &now));
        pairs
            .inspect(|(one, other)| assert_eq!(one.name, other.name))
            .filter(|(one, other)| one.is_looser_than(other))
            .map(|(one, other)| {
                let line = one.span.map(|span| sources.location(span).line);
                format!("{} {} ({}) {line:?}", one.name, one.value, other.value)
            })
            .collect()
    }

    const ALL: &str = "prune: true
safety: { max_delete_percent: 100, max_update_count: 5 }
settle_horizon: 40s
plaintext_secrets: deny
lints:
  plain-http: allow
  private-host: deny
targets:
  qa:
    settle_horizon: 500ms
    vars: { prune: yes }
";

    #[test]
    fn what_is_looser_than_the_defaults_is_reported_with_its_line() {
        assert_eq!(looser("", ""), [""; 0]);
        let found = looser(&ALL.replace("yes", "'yes'"), "");
        assert_eq!(
            found,
            [
                "prune true (false) Some(1)",
                "safety.max_delete_percent 100 (30) Some(2)",
                "settle_horizon 500ms (45s) Some(10)",
                "lints.plain-http allow (warn) Some(6)",
            ]
        );
        let hasty = looser("concurrency: 1\nrequest_timeout: 5s\n", "");
        assert_eq!(hasty, ["settle_horizon 20s (45s) Some(2)"]);
        let patient = "settle_horizon: 10m\n";
        assert_eq!(looser(patient, ""), [""; 0]);
        assert_eq!(looser("", patient), [""; 0]);
    }

    #[test]
    fn fewer_questions_are_looser() {
        let qa = "confirm: always\ntargets:\n  qa: { confirm: never }\n";
        assert_eq!(looser(qa, ""), ["confirm never (losses) Some(3)"]);
        assert_eq!(looser("confirm: always", ""), [""; 0]);
        assert_eq!(
            looser("", "confirm: always"),
            ["confirm losses (always) None"]
        );
        let other = "targets:\n  prod: { confirm: never }\n";
        assert_eq!(looser(other, ""), [""; 0]);
    }

    #[test]
    fn what_a_change_takes_back_is_reported_without_a_line() {
        let found = looser("", &ALL.replace("yes", "'yes'"));
        assert_eq!(
            found,
            [
                "safety.max_update_count 10 (5) None",
                "plaintext_secrets warn (deny) None",
                "lints.private-host warn (deny) None",
            ]
        );
    }
}
