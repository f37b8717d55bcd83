//! The terms of a watch. Of several watches of one shared record, one leads and makes the passes; the others stand by.
//!
//! A watch of a local record always leads: it is the only one that can write that record at the same time.

use std::sync::Arc;
use std::time::Duration;

use hookctl::record::shared::{Holder, Leader, SharedError, SharedRecord};
use hookctl::watch::Host as _;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::context::WatchContext;
use super::host::CliHost;
use crate::args::KeyGlob;
use crate::error::CommandError;
use crate::mask;
use crate::session::{Session, record_error};
use crate::settings::Settings;

/// The pause after the first failure to find the leader; it doubles with each failure.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
/// The longest pause after such a failure.
const LONGEST_PAUSE: Duration = Duration::from_mins(1);

/// How often the credentials of the object store are checked beside the passes.
const RENEWAL: Duration = Duration::from_mins(1);

/// How long the end of a term waits for the release of the lead.
const RELEASE: Duration = Duration::from_secs(5);

/// The signals of a watch.
#[derive(Clone, Copy)]
pub(super) struct Signals<'a> {
    /// Requests a pass, and that the configuration is read again.
    pub(super) wake: &'a Notify,
    /// Ends the watch.
    pub(super) cancellation: &'a CancellationToken,
}

/// How a wait for the lead ended.
enum Standby {
    Leads(Leader),
    /// The configuration was read again, and may name another record.
    Reloaded,
    Cancelled,
    Failed(SharedError),
}

/// Makes passes while this watch leads, and stands by while another one does, until the watch is cancelled.
pub(super) async fn run(host: &mut CliHost<'_>, signals: Signals<'_>) {
    let mut pause = FIRST_PAUSE;
    while !signals.cancellation.is_cancelled() {
        let session = Arc::clone(host.session());
        let Some(shared) = session.shared() else {
            host.leads();
            let term = host.begin_term(signals.cancellation);
            hookctl::watch::watch(host, signals.wake, &term).await;
            continue;
        };
        match stand_by(host, shared, &session, signals).await {
            Standby::Leads(leader) => {
                pause = FIRST_PAUSE;
                lead(host, &session, leader, signals).await;
            }
            Standby::Reloaded => pause = FIRST_PAUSE,
            Standby::Cancelled => return,
            Standby::Failed(error) => {
                cannot_lead(host, &record_error(&error.into()), pause);
                wait(host, pause, signals).await;
                pause = (pause * 2).min(LONGEST_PAUSE);
            }
        }
    }
}

/// Waits until no other watch of the shared record leads.
async fn stand_by(
    host: &mut CliHost<'_>,
    shared: &SharedRecord,
    session: &Session,
    signals: Signals<'_>,
) -> Standby {
    let (context, settings) = (host.context(), Arc::clone(host.settings()));
    let (tells, mut reported) = tokio::sync::watch::channel(None::<Holder>);
    let tell = move |holder: &Holder| drop(tells.send(Some(holder.clone())));
    let only = context.args.only.iter().map(KeyGlob::as_str);
    let scope = only.collect::<Vec<_>>().join("\n");
    let mut leading = std::pin::pin!(shared.lead(&scope, &tell));
    let mut renewing = std::pin::pin!(renewals(context, &settings, session));
    loop {
        let heartbeat = host.heartbeat().unwrap_or(RENEWAL);
        tokio::select! {
            biased;
            () = signals.cancellation.cancelled() => return Standby::Cancelled,
            ended = &mut leading => {
                return match ended {
                    Ok(leader) => Standby::Leads(leader),
                    Err(SharedError::Interrupted) => Standby::Cancelled,
                    Err(error) => Standby::Failed(error),
                };
            }
            Ok(()) = reported.changed() => {
                let holder = reported.borrow_and_update().clone();
                if let Some(holder) = holder {
                    let leader = mask::masked(&holder.run);
                    tracing::info!(
                        target = host.target(),
                        leader,
                        since = %holder.since,
                        "stands by: another watch makes the passes, and this one takes over when that one ends"
                    );
                    host.stands_by(&format!("stands by: {leader} makes the passes"));
                }
            }
            () = signals.wake.notified() => {
                host.on_wake().await;
                return Standby::Reloaded;
            }
            () = &mut renewing => {}
            () = tokio::time::sleep(heartbeat) => {}
        }
    }
}

/// Makes passes until the lead is lost, the configuration names another record, or the watch is cancelled.
async fn lead(host: &mut CliHost<'_>, session: &Session, leader: Leader, signals: Signals<'_>) {
    tracing::info!(target = host.target(), "leads: this watch makes the passes");
    host.leads();
    let (context, settings) = (host.context(), Arc::clone(host.settings()));
    let term = host.begin_term(signals.cancellation);
    let is_lost = {
        let mut passes = std::pin::pin!(hookctl::watch::watch(host, signals.wake, &term));
        tokio::select! {
            biased;
            () = &mut passes => false,
            () = leader.lost() => {
                // A pass that is under way ends as after a signal.
                term.cancel();
                passes.await;
                true
            }
            () = renewals(context, &settings, session) => false,
        }
    };
    if is_lost {
        let why = "lost the lead: another watch took it, or the object store was not reached";
        tracing::warn!(target = host.target(), "{why}");
        host.stands_by(why);
        return;
    }
    // If that fails, another watch waits for the end of the lease.
    let released = tokio::time::timeout(RELEASE, leader.release()).await;
    tracing::debug!(target = host.target(), ?released, "released the lead");
}

/// Renews the credentials of the object store from time to time. Never ends.
async fn renewals(context: WatchContext<'_>, settings: &Settings, session: &Session) {
    loop {
        tokio::time::sleep(RENEWAL).await;
        if let Err(error) = context.renew(settings, session).await {
            tracing::warn!(
                target = settings.target.name,
                code = error.code,
                help = error.help(),
                "could not renew the credentials of the record: {}",
                mask::masked(&error.message)
            );
        }
    }
}

/// Logs why it is unknown whether another watch leads.
fn cannot_lead(host: &CliHost<'_>, error: &CommandError, pause: Duration) {
    let message = mask::masked(&error.message);
    let (code, seconds) = (error.code, pause.as_secs());
    tracing::error!(
        target = host.target(),
        code,
        help = error.help(),
        "no pass runs, because the record cannot be reached; tried again in {seconds} s: {message}"
    );
    host.stands_by(&format!("the record cannot be reached: {message} ({code})"));
}

/// Waits before the next attempt. The configuration may be read again meanwhile.
async fn wait(host: &mut CliHost<'_>, pause: Duration, signals: Signals<'_>) {
    let paused = tokio::time::sleep(pause);
    tokio::pin!(paused);
    loop {
        let heartbeat = host.heartbeat().unwrap_or(RENEWAL);
        tokio::select! {
            () = signals.cancellation.cancelled() => return,
            () = &mut paused => return,
            () = signals.wake.notified() => {
                host.on_wake().await;
                return;
            }
            () = tokio::time::sleep(heartbeat) => {}
        }
    }
}
