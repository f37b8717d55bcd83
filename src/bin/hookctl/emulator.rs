//! The emulator of the API in this process: where it keeps its account, and how it delivers events.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use hookctl::sandbox::{DeliveryOptions, Destinations, Dialect, Sandbox, SandboxOptions, Storage};

use crate::args::duration;
use crate::error::CommandError;
use crate::settings::Settings;

/// Placeholder API key for the in-process sandbox. Not secret.
pub(crate) const SANDBOX_KEY: &str = "sandbox-api-key";

/// Where the emulator delivers events, and how soon it retries.
#[derive(Clone, Debug, Args)]
pub(crate) struct DeliveryArgs {
    /// Deliver to this host, too; may be repeated [default: only addresses of this machine]
    #[arg(long, value_name = "HOST", value_parser = host)]
    deliver_to: Vec<String>,
    /// Deliver everything to this origin, such as http://127.0.0.1:9000, with the path of each url
    #[arg(long, value_name = "ORIGIN", value_parser = origin)]
    forward_to: Option<String>,
    /// Pause before the first retry, which doubles [default: retry_backoff_seconds of each webhook]
    #[arg(long, value_name = "TIME", value_parser = duration)]
    retry_delay: Option<Duration>,
}

impl DeliveryArgs {
    /// Returns the first of these arguments that was given.
    pub(crate) fn given(&self) -> Option<&'static str> {
        if !self.deliver_to.is_empty() {
            Some("--deliver-to")
        } else if self.forward_to.is_some() {
            Some("--forward-to")
        } else {
            self.retry_delay.map(|_| "--retry-delay")
        }
    }

    /// Returns the options of the emulator.
    pub(crate) fn options(&self) -> DeliveryOptions {
        let mut destinations = Destinations::default();
        for host in &self.deliver_to {
            // It was checked when it was parsed.
            let _ = destinations.permit(host);
        }
        if let Some(origin) = &self.forward_to {
            let _ = destinations.forward(origin);
        }
        DeliveryOptions {
            retry_delay: self.retry_delay,
            ..DeliveryOptions::over_http(destinations)
        }
    }
}

fn host(text: &str) -> Result<String, String> {
    let checked = Destinations::default().permit(text);
    checked.map_err(|error| error.to_string())?;
    Ok(text.to_owned())
}

fn origin(text: &str) -> Result<String, String> {
    let checked = Destinations::default().forward(text);
    checked.map_err(|error| error.to_string())?;
    Ok(text.to_owned())
}

/// Starts the emulator of a target on a free port of this machine.
pub(crate) async fn start(
    settings: &Settings,
    delivery: Option<DeliveryOptions>,
) -> Result<Sandbox, CommandError> {
    let options = SandboxOptions {
        api_key: SANDBOX_KEY.to_owned(),
        storage: Storage::File(file_below(&settings.cache_dir, settings)),
        dialect: Dialect::default(),
        latency: Duration::ZERO,
        delivery,
    };
    let address = SocketAddr::from(([127, 0, 0, 1], 0));
    Sandbox::start(options, address)
        .await
        .map_err(|error| CommandError::caused("sandbox", &error))
}

/// Returns the file of a target's account below the folder of the local record.
pub(crate) fn file_below(folder: &Path, settings: &Settings) -> PathBuf {
    let file = format!("{}.json", settings.target.name);
    folder.join("sandbox").join(file)
}
