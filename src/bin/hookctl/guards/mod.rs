//! Which settings of hookctl.yaml make a plan less careful, and what this change of files did to them.
//!
//! What a flag or a variable says instead is not among them: it does not come with the files.

mod earlier;

use std::collections::BTreeMap;
use std::path::PathBuf;

use hookctl::config::{Config, Guard};
use hookctl::diagnostic::SourceMap;
use hookctl::render::{LooseSetting, LooseSettings, SettingChange};

use self::earlier::Earlier;
pub(crate) use self::earlier::Sought;

/// What hookctl.yaml says, as far as a plan shows it.
pub(crate) struct Guards {
    sought: Sought,
    /// Where each setting stands: the file as it is shown, and the line.
    places: BTreeMap<String, (PathBuf, usize)>,
    config: Config,
    target: String,
    /// Settings that a flag or a variable says.
    overridden: Vec<&'static str>,
}

impl Guards {
    /// Of a configuration, how its file was looked for, and the file if there is one.
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

    /// The settings that let more pass than their defaults do, or than they did before this change of files. Asks Git.
    pub(crate) fn loose(&self) -> LooseSettings {
        let (before, unread) = match earlier::find(&self.sought) {
            Earlier::Untold => (None, None),
            Earlier::Unread(why) => (None, Some(why)),
            Earlier::Config(config) => (Some(*config), None),
        };
        let usual = Config::default();
        let other = before.as_ref().unwrap_or(&usual);
        let now = self.config.guards(&self.target, other);
        let usual = usual.guards(
            &self.target,
            &Config {
                lints: merged(&self.config, other),
                ..usual.clone()
            },
        );
        let earlier = other.guards(&self.target, &self.config);
        let known = before.is_some();
        let settings = now
            .iter()
            .zip(&usual)
            .zip(&earlier)
            .filter(|((now, _), _)| !self.overridden.contains(&now.name.as_str()))
            .filter(|((now, usual), earlier)| {
                now.is_looser_than(usual) || (known && now.is_looser_than(earlier))
            })
            .map(|((now, usual), earlier)| LooseSetting {
                name: now.name.clone(),
                value: now.value.clone(),
                default: usual.value.clone(),
                place: self.places.get(&now.name).cloned(),
                change: known.then(|| change(now, earlier)),
            });
        LooseSettings {
            settings: settings.collect(),
            unread,
        }
    }
}

/// The lints of both, so that each is compared with its default.
fn merged(one: &Config, other: &Config) -> hookctl::diagnostic::Lints {
    let mut lints = one.lints.clone();
    for (code, level) in other.lints.levels() {
        lints.set(code, level);
    }
    lints
}

fn change(now: &Guard, earlier: &Guard) -> SettingChange {
    if now.slack == earlier.slack {
        SettingChange::Same
    } else {
        SettingChange::From(earlier.value.clone())
    }
}
