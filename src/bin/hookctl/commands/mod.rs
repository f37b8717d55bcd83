//! One file per command, and what several of them share.

pub(crate) mod apply;
pub(crate) mod cache;
mod presenter;
pub(crate) mod sandbox;
mod secrets;
mod session;
pub(crate) mod sync;
pub(crate) mod validate;
pub(crate) mod watch;

pub(crate) use presenter::early_json;
