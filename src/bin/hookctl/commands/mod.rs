//! One file per command.

pub(crate) mod apply;
pub(crate) mod deliveries;
pub(crate) mod doctor;
pub(crate) mod explain;
pub(crate) mod import;
pub(crate) mod init;
pub(crate) mod pull;
pub(crate) mod record;
pub(crate) mod report;
pub(crate) mod sandbox;
pub(crate) mod schema;
pub(crate) mod shell;
pub(crate) mod show;
pub(crate) mod status;
pub(crate) mod sync;
pub(crate) mod trigger;
pub(crate) mod trust;
pub(crate) mod validate;
pub(crate) mod verify;
pub(crate) mod watch;
