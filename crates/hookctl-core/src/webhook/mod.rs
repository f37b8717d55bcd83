//! What a webhook is: the nouns that every other module speaks in.
//!
//! Values only. This module knows nothing of files, of the API's spelling, or of what is done with a
//! webhook. Values that come from a person are parsed once and are valid from then on; values that
//! come from the API are kept as they are, valid or not, so that they can be shown and compared.

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
