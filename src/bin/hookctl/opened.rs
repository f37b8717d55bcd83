//! How a command that resolves no token begins: consent, the API client, and what the record contains.

use std::sync::Arc;

use hookctl::record::Remembered;
use hookctl::sandbox::DeliveryOptions;
use tokio_util::sync::CancellationToken;

use crate::environment::Environment;
use crate::error::CommandError;
use crate::progress::{self, Phase};
use crate::session::Session;
use crate::settings::Settings;
use crate::signals::unless_cancelled;
use crate::trust::{Asks, Request, clear};
use crate::ui::Ui;

/// What an account is opened with.
pub(crate) struct Opening<'a> {
    pub(crate) ui: &'a Ui,
    pub(crate) settings: &'a Settings,
    pub(crate) environment: &'a Environment,
    pub(crate) cancellation: &'a CancellationToken,
    /// Whether the account is the emulator's.
    pub(crate) sandbox: bool,
    pub(crate) asks: Asks,
}

/// An account with its record.
pub(crate) struct Opened {
    pub(crate) session: Session,
    pub(crate) remembered: Arc<Remembered>,
}

impl Opening<'_> {
    /// Opens the account, with consent. Sends nothing.
    pub(crate) async fn open(&self) -> Result<Opened, CommandError> {
        self.delivering(None).await
    }

    /// Opens the account like [`Self::open`]. An emulator delivers events if `delivery` says how.
    pub(crate) async fn delivering(
        &self,
        delivery: Option<DeliveryOptions>,
    ) -> Result<Opened, CommandError> {
        let (settings, environment) = (self.settings, self.environment);
        let request = Request::of_api(self.sandbox, self.asks);
        let opening = async {
            let cleared = clear(self.ui, settings, environment, request).await?;
            match delivery {
                Some(delivery) => {
                    Session::delivering(settings, environment, &cleared, delivery).await
                }
                None => Session::open(settings, environment, &cleared).await,
            }
        };
        let session = unless_cancelled(self.cancellation, opening).await??;
        progress::begin(Phase::Record);
        let remembered = session.remembered().await?;
        Ok(Opened {
            session,
            remembered,
        })
    }
}
