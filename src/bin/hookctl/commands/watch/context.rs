//! The arguments and the environment of a watch, and what follows from them: its options, and its session.

use std::sync::Arc;

use hookctl::plan::KeyFilter;
use hookctl::record::Horizon;
use hookctl::watch::WatchOptions;

use super::args::WatchArgs;
use crate::args::GlobalArgs;
use crate::environment::Environment;
use crate::error::CommandError;
use crate::problems::show_settings_error;
use crate::session::Session;
use crate::settings::Settings;
use crate::trust::{Asks, Request, clear};
use crate::ui::Ui;

/// The arguments and the environment of the command.
#[derive(Clone, Copy)]
pub(super) struct WatchContext<'a> {
    pub(super) ui: &'a Ui,
    pub(super) global: &'a GlobalArgs,
    pub(super) args: &'a WatchArgs,
    pub(super) environment: &'a Environment,
}

impl WatchContext<'_> {
    /// Reads hookctl.yaml again, and sets up the session that it describes. Asks for no consent.
    pub(super) async fn reload(&self) -> Result<(Settings, Arc<Session>), CommandError> {
        let ui = self.ui;
        let settings =
            Settings::resolve(self.global).map_err(|error| show_settings_error(ui, error))?;
        let request = Request::of_api(self.args.sandbox, Asks::Never);
        let cleared = clear(ui, &settings, self.environment, request).await?;
        let session = Session::open(&settings, self.environment, &cleared).await?;
        Ok((settings, Arc::new(session)))
    }

    /// Renews the credentials of a shared record, if they expire soon.
    pub(super) async fn renew(
        &self,
        settings: &Settings,
        session: &Session,
    ) -> Result<(), CommandError> {
        let request = Request {
            api: false,
            ..Request::of_api(self.args.sandbox, Asks::Never)
        };
        let cleared = clear(self.ui, settings, self.environment, request).await?;
        session.renew(self.environment, cleared.permits()).await
    }

    /// Returns the options of the watch.
    pub(super) fn options(
        &self,
        only: &KeyFilter,
        settings: &Settings,
        horizon: Horizon,
    ) -> WatchOptions {
        let args = self.args;
        WatchOptions {
            interval: args.interval,
            grace: args.prune_grace,
            poll: args.poll,
            drift: args.drift.into(),
            prune: args.prune || settings.prune,
            only: only.clone(),
            limits: settings.limits,
            concurrency: settings.concurrency,
            horizon,
            request_grace: args.grace,
            ..WatchOptions::default()
        }
    }
}
