//! What stands before each send of a write.
//!
//! A write waits in queues and pauses, and may be sent several times. Whether it may leave is asked right before each
//! send, because what held a moment ago may no longer hold: the run was interrupted, the API key was refused, or the
//! moment that the journal names is too long ago.

use std::future::Future;

/// The answer to a send that may not happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Withheld;

/// Stands before each send of one write, retries included, and hears which of them got no answer.
pub trait SendGate: Send + Sync {
    /// Asked right before each send.
    ///
    /// # Errors
    /// [`Withheld`] if the request must not leave.
    fn permit(&self) -> impl Future<Output = Result<(), Withheld>> + Send;

    /// Takes note of a send without an answer of the API's own: it may still take effect.
    fn unanswered(&self);

    /// Resolves once nothing more may be sent, which ends every wait before a send.
    fn stopped(&self) -> impl Future<Output = ()> + Send;

    /// Resolves once a request in flight is no longer waited for.
    fn abandoned(&self) -> impl Future<Output = ()> + Send;
}

/// A gate that is always open, for requests that change no webhook: dropping their future ends them.
#[derive(Clone, Copy, Debug, Default)]
pub struct Ungated;

impl SendGate for Ungated {
    async fn permit(&self) -> Result<(), Withheld> {
        Ok(())
    }

    fn unanswered(&self) {}

    async fn stopped(&self) {
        std::future::pending::<()>().await;
    }

    async fn abandoned(&self) {
        std::future::pending::<()>().await;
    }
}
