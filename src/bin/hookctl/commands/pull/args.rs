//! The arguments of a pull.

use clap::Args;
use clap::builder::{PossibleValuesParser, TypedValueParser as _};
use hookctl::webhook::Field;

use crate::args::{Form, KeyGlob};

/// The arguments of `hookctl pull`.
#[expect(clippy::struct_excessive_bools, reason = "each is a command-line flag")]
#[derive(Debug, Args)]
#[command(
    after_help = "Edits the files in place: comments, order, and quotes stay. Sends nothing but the request for the list. \
    A value from a variable, and a value that other webhooks share, is reported and not replaced. Tokens are never pulled.

Examples:
  hookctl pull --dry-run                show what would change in the files
  hookctl pull billing                  pull the changes of one webhook
  hookctl pull --field enabled          pull which webhooks were enabled or disabled"
)]
pub(crate) struct PullArgs {
    /// Pull only keys that match these patterns [default: all]
    #[arg(value_name = "KEY-GLOB", value_parser = KeyGlob::parse)]
    pub(super) keys: Vec<KeyGlob>,
    /// Pull only this field; may be repeated
    #[arg(long, value_name = "FIELD", value_parser = field_parser())]
    pub(super) field: Vec<Field>,
    /// Also replace values that were edited in the files and not synced yet
    #[arg(long)]
    pub(super) overwrite_edits: bool,
    /// Show the changes of the files; write nothing
    #[arg(long)]
    pub(super) dry_run: bool,
    /// With --dry-run, exit with 3 if the files would change
    #[arg(long, requires = "dry_run")]
    pub(super) detailed_exitcode: bool,
    /// Output format
    #[arg(long, value_name = "FORMAT", value_enum, default_value_t = Form::Human)]
    pub(super) output: Form,
    /// Use the built-in API emulator, stored below the local record's folder
    #[arg(long)]
    pub(super) sandbox: bool,
}

fn field_parser() -> impl clap::builder::TypedValueParser<Value = Field> {
    PossibleValuesParser::new(Field::ALL.map(Field::as_str))
        .try_map(|name| Field::named(&name).ok_or("not a field"))
}
