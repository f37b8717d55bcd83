//! `hookctl sandbox`: runs the API emulator as a server.

use std::net::SocketAddr;
use std::time::Duration;

use clap::Args;
use hookctl::sandbox::{DeliveryOptions, Dialect, Sandbox, SandboxOptions, Storage};

use crate::args::GlobalArgs;
use crate::emulator::{DeliveryArgs, SANDBOX_KEY, file_below};
use crate::environment::Environment;
use crate::error::{CommandError, chain};
use crate::exit_status::ExitStatus;
use crate::problems::show_settings_error;
use crate::settings::Settings;
use crate::signals::cancel_on_signal;
use crate::ui::Ui;

/// The arguments of `hookctl sandbox`.
#[derive(Debug, Args)]
#[command(
    after_help = "The API key is INTERACTLY_API_KEY, or 'sandbox-api-key' if the variable is unset.
Tokens are kept in memory only, so a restart forgets them. `hookctl trigger` makes events."
)]
pub(crate) struct SandboxArgs {
    /// Address to listen on
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8787")]
    listen: SocketAddr,
    /// Delay of each response, in milliseconds
    #[arg(long, value_name = "MS", default_value_t = 0)]
    latency: u64,
    /// Keep webhooks in memory only
    #[arg(long)]
    memory: bool,
    #[command(flatten)]
    delivery: DeliveryArgs,
}

/// Runs the command until it is interrupted.
pub(crate) async fn run(
    ui: &Ui,
    global: &GlobalArgs,
    args: &SandboxArgs,
    environment: &Environment,
) -> ExitStatus {
    match serve(ui, global, args, environment).await {
        Ok(()) => ExitStatus::Success,
        Err(error) => {
            ui.failure(&error);
            error.status
        }
    }
}

async fn serve(
    ui: &Ui,
    global: &GlobalArgs,
    args: &SandboxArgs,
    environment: &Environment,
) -> Result<(), CommandError> {
    let storage = if args.memory {
        Storage::Memory { seed: 1 }
    } else {
        let settings = Settings::resolve(global).map_err(|error| show_settings_error(ui, error))?;
        Storage::File(file_below(&crate::place::of_record(&settings)?, &settings))
    };
    let options = SandboxOptions {
        api_key: environment
            .get("INTERACTLY_API_KEY")
            .filter(|key| !key.is_empty())
            .unwrap_or_else(|| SANDBOX_KEY.to_owned()),
        storage,
        dialect: Dialect::default(),
        latency: Duration::from_millis(args.latency),
        delivery: Some(DeliveryOptions {
            resumes: true,
            ..args.delivery.options()
        }),
    };
    let cancellation = cancel_on_signal()?;
    let sandbox = Sandbox::start(options, args.listen)
        .await
        .map_err(|error| CommandError::new("sandbox", chain(&error)))?;
    ui.result(&format!("{}\n", sandbox.base_url()));
    if ui.lost_a_result() {
        // Without the printed address the server cannot be found.
        return Ok(());
    }
    ui.remark("The sandbox runs until it is interrupted (Ctrl-C).\n");
    cancellation.cancelled().await;
    Ok(())
}
