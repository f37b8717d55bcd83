//! Loads the declarations of a target.

use std::sync::Arc;

use hookctl::declaration::{LoadOptions, Loaded};
use tokio::sync::oneshot;

use crate::environment::Environment;
use crate::git::Repository;
use crate::progress::{self, Phase};
use crate::settings::{NamedBy, Settings};

/// Loads the declarations of a target.
pub(crate) fn load(settings: &Settings, environment: &Environment) -> Loaded {
    with_load_options(settings, environment, |options| {
        hookctl::declaration::load(&settings.webhooks_dir, options)
    })
}

/// Loads the declarations of a target while progress shows it.
pub(crate) fn read(settings: &Settings, environment: &Environment) -> Loaded {
    progress::begin(Phase::Files);
    let loaded = load(settings, environment);
    progress::end();
    loaded
}

/// Loads the declarations like [`read`] in a thread of its own, while this one drives requests.
pub(crate) async fn read_beside(settings: &Arc<Settings>, environment: &Environment) -> Loaded {
    let inputs = (Arc::clone(settings), environment.clone());
    let loaded = match beside(move || read(&inputs.0, &inputs.1)) {
        Some(loading) => loading.await.ok(),
        None => None,
    };
    loaded.unwrap_or_else(|| read(settings, environment))
}

/// Calls a function in a thread of its own. Returns `None` if no thread can be started.
pub(crate) fn beside<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Option<oneshot::Receiver<T>> {
    let (done, result) = oneshot::channel();
    let work = move || {
        // The receiver is gone if the run ended meanwhile.
        let _ = done.send(work());
    };
    std::thread::Builder::new().spawn(work).ok()?;
    Some(result)
}

/// Calls `use_options` with the load options of the settings and the environment.
pub(crate) fn with_load_options<T>(
    settings: &Settings,
    environment: &Environment,
    use_options: impl FnOnce(&LoadOptions<'_>) -> T,
) -> T {
    let repository = Repository::around(&settings.root).map(|found| found.root().to_owned());
    use_options(&LoadOptions {
        display_root: &settings.root,
        repository_root: repository.as_deref().unwrap_or(&settings.root),
        link_roots: repository.as_slice(),
        folder_is_named: settings.webhooks_dir_by == NamedBy::Person,
        target: &settings.target.name,
        known_targets: &settings.known_targets,
        vars: &settings.target.vars,
        environment: &|name| environment.get(name),
        keys: &settings.keys,
        providers: &[],
        lints: Some(&settings.lints),
        plaintext_secrets: settings.plaintext_secrets,
    })
}
