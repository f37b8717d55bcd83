//! Permission for each send of a write.
//!
//! A write waits in queues and pauses, and may be sent several times. Its permission is checked right before each send,
//! because it may have expired: the run was interrupted, the API key was refused, or the journaled time of the intent is
//! too old.

use std::future::Future;

use hookctl_core::record::SendPermit;

/// The error of a send that is not permitted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Withheld;

/// Permits each send of a write, including retries, and records which of them got no response.
pub trait SendGate: Send + Sync {
    /// Requests permission. Called right before each send. The transport looks at the permit once more, right before the
    /// request leaves the process.
    ///
    /// # Errors
    /// Returns [`Withheld`] if the request must not be sent.
    fn permit(&self) -> impl Future<Output = Result<SendPermit, Withheld>> + Send;

    /// Records a send without a response of the API itself, which may still take effect.
    fn unanswered(&self);

    /// Resolves once nothing may be sent any more. Ends every wait before a send.
    fn stopped(&self) -> impl Future<Output = ()> + Send;

    /// Resolves once requests in flight are abandoned.
    fn abandoned(&self) -> impl Future<Output = ()> + Send;
}

/// A gate that is always open, for requests that change no webhook. Dropping their future cancels them.
#[derive(Clone, Copy, Debug, Default)]
pub struct Ungated;

impl SendGate for Ungated {
    async fn permit(&self) -> Result<SendPermit, Withheld> {
        Ok(SendPermit::lasting())
    }

    fn unanswered(&self) {}

    async fn stopped(&self) {
        std::future::pending::<()>().await;
    }

    async fn abandoned(&self) {
        std::future::pending::<()>().await;
    }
}
