//! Declarative sync for Interactly workflow webhooks.

pub mod declaration;
pub mod diagnostic;
pub mod secret;
pub mod state;
pub mod template;
pub mod webhook;
pub mod yaml;
