//! One file per command, and what several of them share.

pub(crate) mod apply;
pub(crate) mod cache;
pub(crate) mod deliveries;
pub(crate) mod explain;
pub(crate) mod import;
pub(crate) mod init;
mod presenter;
pub(crate) mod sandbox;
pub(crate) mod schema;
mod secrets;
mod session;
pub(crate) mod shell;
pub(crate) mod status;
pub(crate) mod sync;
pub(crate) mod validate;
pub(crate) mod watch;

pub(crate) use presenter::early_json;
