//! The arguments of an import.

use std::path::PathBuf;

use clap::Args;
use hookctl::webhook::{Key, RemoteId};

/// The arguments of `hookctl import`.
#[derive(Debug, Args)]
#[command(
    after_help = "Changes nothing at the API. Tokens are left alone, since the API never returns them; the files \
    describe how to take them over.

Examples:
  hookctl import                          every unmanaged webhook, one file per webhook
  hookctl import --file all.yaml          all webhooks in one file
  hookctl import billing=5eb7cf5a86d9755df3a6c593
  hookctl import --dry-run                print the files; write nothing"
)]
pub(crate) struct ImportArgs {
    /// Import only these webhooks, each under the given key
    #[arg(value_name = "KEY=ID", value_parser = wish)]
    pub(super) wishes: Vec<(Key, RemoteId)>,
    /// Write all webhooks to one file of this name in the folder of declarations
    #[arg(long, value_name = "NAME")]
    pub(super) file: Option<PathBuf>,
    /// Print the files; write nothing
    #[arg(long)]
    pub(super) dry_run: bool,
    /// Use the built-in API emulator, stored below the local record's folder
    #[arg(long)]
    pub(super) sandbox: bool,
}

fn wish(text: &str) -> Result<(Key, RemoteId), String> {
    let (key, id) = text
        .split_once('=')
        .ok_or("expected KEY=ID, such as billing=5eb7cf5a86d9755df3a6c593")?;
    let key = Key::parse(key).map_err(|error| error.to_string())?;
    let id = RemoteId::parse(id).map_err(|error| error.to_string())?;
    Ok((key, id))
}

impl ImportArgs {
    /// Selects every unmanaged webhook, one file per webhook.
    pub(crate) const fn everything(sandbox: bool) -> Self {
        Self {
            wishes: Vec::new(),
            file: None,
            dry_run: false,
            sandbox,
        }
    }
}
