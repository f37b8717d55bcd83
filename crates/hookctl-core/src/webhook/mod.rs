//! Webhooks and their parts, as values.
//!
//! This module does not depend on files, the API, or plans. Values from files are parsed once and are valid from then
//! on. Values from the API are kept unchanged, valid or not, so that they can be shown and compared.

mod attribute;
mod field;
mod key;
pub mod limits;
mod remote_id;
mod spec;
mod token_change;
mod url;
mod workflow_action;

pub use attribute::Attribute;
pub use field::{Field, FieldValue};
pub use key::{InvalidKey, Key};
pub use remote_id::{InvalidRemoteId, RemoteId};
pub use spec::{WebhookSpec, names_match, normal_name};
pub use token_change::TokenChange;
pub use url::{EndpointUrl, InvalidEndpointUrl};
pub use workflow_action::{WorkflowAction, WorkflowActions};
