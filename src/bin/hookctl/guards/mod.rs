//! Settings of hookctl.yaml that make plans less careful, and how this change of the files affected them.
//!
//! Flags and variables override them and are not covered, since they do not come with the files.

mod commits;
mod earlier;
mod history;

use std::collections::BTreeMap;
use std::path::PathBuf;

use hookctl::config::{Config, Guard};
use hookctl::diagnostic::{Lints, SourceMap};
use hookctl::render::{LooseSetting, LooseSettings, SettingChange};

pub(crate) use self::earlier::Sought;
use crate::environment::Environment;

/// The guards of hookctl.yaml.
pub(crate) struct Guards {
    sought: Sought,
    /// The file and line of each setting.
    places: BTreeMap<String, (PathBuf, usize)>,
    config: Config,
    target: String,
    /// Settings that a flag or a variable overrides.
    overridden: Vec<&'static str>,
}

impl Guards {
    /// Reads the guards of a configuration.
    pub(crate) fn new(
        config: Config,
        sought: Sought,
        file: Option<&SourceMap>,
        target: &str,
        overridden: Vec<&'static str>,
    ) -> Self {
        let guards = config.guards(target, &config);
        let places = guards.into_iter().filter_map(|guard| {
            let location = file?.location(guard.span?);
            Some((guard.name, (location.path.to_path_buf(), location.line)))
        });
        Self {
            places: places.collect(),
            sought,
            config,
            target: target.to_owned(),
            overridden,
        }
    }

    /// Returns the settings that are looser than their defaults, or than before this change of the files. Runs Git.
    pub(crate) fn loose(&self, environment: &Environment) -> LooseSettings {
        let earlier = earlier::find(&self.sought, environment);
        let all = Config {
            lints: merged([&self.config].into_iter().chain(&earlier.configs)),
            ..Config::default()
        };
        let guards = |config: &Config| config.guards(&self.target, &all);
        let usual = guards(&Config::default());
        let before: Vec<_> = earlier.configs.iter().map(guards).collect();
        let strictest = |number: usize| {
            let before = before.iter().filter_map(|guards| guards.get(number));
            before.min_by_key(|guard| guard.slack)
        };
        let now = guards(&self.config);
        let settings = now
            .iter()
            .zip(&usual)
            .enumerate()
            .map(|(number, (now, usual))| (now, usual, strictest(number)))
            .filter(|(now, ..)| !self.overridden.contains(&now.name.as_str()))
            .filter(|(now, usual, before)| {
                now.is_looser_than(usual) || before.is_some_and(|before| now.is_looser_than(before))
            })
            .map(|(now, usual, before)| LooseSetting {
                name: now.name.clone(),
                value: now.value.clone(),
                default: usual.value.clone(),
                place: self.places.get(&now.name).cloned(),
                change: before.map(|before| change(now, before)),
            });
        LooseSettings {
            settings: settings.collect(),
            unread: earlier.unread,
        }
    }
}

/// Merges the lints of several configurations, so that each is compared with its default.
fn merged<'a>(configs: impl Iterator<Item = &'a Config>) -> Lints {
    let mut lints = Lints::default();
    for (code, level) in configs.flat_map(|config| config.lints.levels()) {
        lints.set(code, level);
    }
    lints
}

fn change(now: &Guard, before: &Guard) -> SettingChange {
    if now.slack == before.slack {
        SettingChange::Same
    } else {
        SettingChange::From(before.value.clone())
    }
}
