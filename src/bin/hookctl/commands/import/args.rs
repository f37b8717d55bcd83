//! The arguments of an import.

use std::path::PathBuf;

use clap::Args;
use hookctl::webhook::{Key, RemoteId};

/// The arguments of `hookctl import`.
#[derive(Debug, Args)]
#[command(
    after_help = "Nothing is changed at the API. Tokens, which the API never returns, are left alone; the \
files say how to take them over.

Examples:
  hookctl import                          every webhook that no file declares, one file for each
  hookctl import --file all.yaml          all in one file
  hookctl import billing=5eb7cf5a86d9755df3a6c593
  hookctl import --dry-run                show the files, write nothing"
)]
pub(crate) struct ImportArgs {
    /// Only these webhooks, each under this key
    #[arg(value_name = "KEY=ID", value_parser = wish)]
    pub(super) wishes: Vec<(Key, RemoteId)>,
    /// Write all of them to one file of this name in the folder of declarations
    #[arg(long, value_name = "NAME")]
    pub(super) file: Option<PathBuf>,
    /// Show what would be written, and write nothing
    #[arg(long)]
    pub(super) dry_run: bool,
    /// Use the built-in emulator of the API, kept under the local record's folder
    #[arg(long)]
    pub(super) sandbox: bool,
}

fn wish(text: &str) -> Result<(Key, RemoteId), String> {
    let (key, id) = text
        .split_once('=')
        .ok_or("write it as KEY=ID, such as billing=5eb7cf5a86d9755df3a6c593")?;
    let key = Key::parse(key).map_err(|error| error.to_string())?;
    let id = RemoteId::parse(id).map_err(|error| error.to_string())?;
    Ok((key, id))
}

impl ImportArgs {
    /// Everything that there is, one file for each.
    pub(crate) const fn everything(sandbox: bool) -> Self {
        Self {
            wishes: Vec::new(),
            file: None,
            dry_run: false,
            sandbox,
        }
    }
}
