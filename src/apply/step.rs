//! One action: call, check the answer, settle.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::{Semaphore, SemaphorePermit};

use super::brake::Brake;
use super::confirm::{Asked, Confirmation, TokenAsked, confirm};
use super::error::StepError;
use super::executor::ApplyOptions;
use super::looks::Looks;
use super::unknown::{Trace, trace};
use crate::plan::{
    Action, Adoption, Change, Creation, Patch, PlannedAction, RecordAfter, TokenPatch,
};
use crate::record::{
    After, HistoryChange, HistoryEntry, IntendedToken, IntendedWrite, Intent, Journal, Outcome,
    Provenance, Remark, Settlement,
};
use crate::remote::{ApiError, TokenWrite, WebhookApi};
use crate::secret::{Secret, Secrets};
use crate::state::{ObservedState, ObservedWebhook, TokenEvidence};
use crate::webhook::{Field, Key, RemoteId};

/// How often a create is sent if each time the list shows that it did not happen.
const CREATE_ATTEMPTS: u32 = 3;

/// How long to wait before a create is sent again: time for a request that was thought lost to arrive.
const PAUSE_BEFORE_CREATING_AGAIN: Duration = Duration::from_millis(500);

/// Takes actions, one at a time or side by side.
pub(super) struct Steps<'a, A, J> {
    pub(super) api: &'a A,
    pub(super) journal: &'a J,
    pub(super) secrets: &'a Secrets,
    pub(super) options: &'a ApplyOptions<'a>,
    pub(super) provenance: Option<Provenance>,
    /// The ids that were observed before, or that are ours by now.
    pub(super) known: Mutex<BTreeSet<RemoteId>>,
    /// Fresh lists.
    pub(super) looks: Looks,
    /// What keeps actions from going on.
    pub(super) brake: Brake,
    /// The places of those that send.
    pub(super) sending: Semaphore,
}

impl<A: WebhookApi, J: Journal> Steps<'_, A, J> {
    /// Takes one action. What may have happened and is not recorded stays intended.
    pub(super) async fn take(&self, planned: &PlannedAction) -> Result<Outcome, StepError> {
        let taken = match &planned.action {
            Action::Create(creation) | Action::Recreate { creation, .. } => {
                self.create(planned, creation).await
            }
            Action::Update(update) => {
                self.patch(planned, &update.before, &update.patch, &update.record)
                    .await
            }
            Action::Adopt(Adoption {
                before,
                patch: Some(patch),
                record,
            }) => self.patch(planned, before, patch, record).await,
            Action::Adopt(Adoption {
                before,
                patch: None,
                record,
            }) => {
                let after = After::Record(Box::new(record.confirmed(before)));
                self.settle(planned, &before.id, after).await?;
                Ok(applied(&before.id, Vec::new()))
            }
            Action::Delete(deletion) => self.delete(planned, &deletion.before.id).await,
            Action::Forget { id } => {
                self.settle(planned, id, After::Dropped).await?;
                Ok(applied(id, Vec::new()))
            }
        };
        if let Err(error) = &taken {
            if matches!(error, StepError::HeldBack) {
                // Where even that cannot be written, the next list shows that nothing happened.
                let over = Settlement::nothing(planned.key.clone());
                let _ = self.journal.settle(over).await;
                return taken;
            }
            let phase = planned.action.phase();
            self.brake.failed(phase, error.stops_everything());
        }
        // An earlier try may have set the token, and nothing could tell: the intent stays.
        let sets_token = planned
            .action
            .patch()
            .is_some_and(|patch| matches!(patch.token(), TokenPatch::Set(_)));
        match taken {
            Err(refusal) if !sets_token && refusal.had_no_effect() => {
                Err(self.end(planned, refusal).await)
            }
            taken => taken,
        }
    }

    /// Ends the intent of a write that was refused. Where that is lost, nothing new may start.
    async fn end(&self, planned: &PlannedAction, refusal: StepError) -> StepError {
        let over = Settlement::nothing(planned.key.clone());
        let Err(error) = self.journal.settle(over).await else {
            return refusal;
        };
        let error = StepError::NotEnded {
            refusal: Box::new(refusal),
            error,
        };
        let phase = planned.action.phase();
        self.brake.failed(phase, error.stops_everything());
        error
    }

    /// Writes down what is about to be sent.
    async fn intend(&self, planned: &PlannedAction, write: IntendedWrite) -> Result<(), StepError> {
        let intent = Intent {
            key: planned.key.clone(),
            at: (self.options.now)(),
            write,
        };
        self.journal
            .intend(intent)
            .await
            .map_err(StepError::NotIntended)
    }

    async fn create(
        &self,
        planned: &PlannedAction,
        creation: &Creation,
    ) -> Result<Outcome, StepError> {
        let token = creation
            .token
            .map(|_| self.secret(&planned.key))
            .transpose()?;
        let write = IntendedWrite::Create {
            spec: creation.spec.clone(),
            token: creation.token.and_then(TokenEvidence::fingerprint),
            prevent_destroy: creation.prevent_destroy,
        };
        self.intend(planned, write).await?;
        let (answer, found_by_listing) = {
            let _place = self.place(planned).await?;
            self.create_once(creation, token).await?
        };
        self.know(&answer.id);
        let record = RecordAfter {
            sent: creation.spec.clone(),
            token: creation.token.and_then(TokenEvidence::fingerprint),
            prevent_destroy: creation.prevent_destroy,
        };
        let mut confirmation = confirm(
            Asked {
                before: None,
                sent: &Field::ALL,
                token: match creation.token {
                    Some(_) => TokenAsked::Present,
                    None => TokenAsked::Absent,
                },
                record: &record,
            },
            &answer,
        );
        if found_by_listing {
            confirmation.remarks.push(Remark::FoundAfterNoAnswer);
        }
        self.conclude(planned, confirmation).await
    }

    /// Makes the webhook exactly once, and says whether only the list showed that it was made.
    async fn create_once(
        &self,
        creation: &Creation,
        token: Option<&Secret>,
    ) -> Result<(ObservedWebhook, bool), StepError> {
        let mut attempt = 1;
        loop {
            let answer = {
                let _making = self.looks.making().await;
                self.api.create(&creation.spec, token).await
            };
            let error = match answer {
                Ok(Some(answer)) => return Ok((answer, false)),
                Ok(None) => StepError::NotListed,
                Err(error @ ApiError::UnknownOutcome { .. }) => StepError::Api(error),
                Err(error) => return Err(error.into()),
            };
            let confirmed = matches!(error, StepError::NotListed);
            let fresh = self.fresh_list().await?;
            match trace(&creation.spec, &self.known_ids(), &fresh) {
                Trace::One(found) => return Ok((found, !confirmed)),
                Trace::Several(ids) => return Err(StepError::SeveralTraces(ids)),
                Trace::None if confirmed || attempt == CREATE_ATTEMPTS => return Err(error),
                Trace::None => {
                    attempt += 1;
                    tokio::time::sleep(PAUSE_BEFORE_CREATING_AGAIN).await;
                }
            }
        }
    }

    async fn patch(
        &self,
        planned: &PlannedAction,
        before: &ObservedWebhook,
        patch: &Patch,
        record: &RecordAfter,
    ) -> Result<Outcome, StepError> {
        let (token, token_asked) = match patch.token() {
            TokenPatch::Keep => (TokenWrite::Keep, TokenAsked::Untouched),
            TokenPatch::Clear => (TokenWrite::Clear, TokenAsked::Absent),
            TokenPatch::Set(_) => (
                TokenWrite::Set(self.secret(&planned.key)?),
                TokenAsked::Present,
            ),
        };
        let write = IntendedWrite::Patch {
            id: before.id.clone(),
            token: match patch.token() {
                TokenPatch::Keep => IntendedToken::Keep,
                TokenPatch::Clear => IntendedToken::Clear,
                TokenPatch::Set(_) => IntendedToken::Set,
            },
        };
        self.intend(planned, write).await?;
        let answer = {
            let _place = self.place(planned).await?;
            match self.api.patch(&before.id, patch.fields(), token).await? {
                Some(answer) => answer,
                None => self.listed(&before.id).await?,
            }
        };
        let sent: Vec<Field> = patch.fields().iter().map(|(field, _)| *field).collect();
        let confirmation = confirm(
            Asked {
                before: Some(before),
                sent: &sent,
                token: token_asked,
                record,
            },
            &answer,
        );
        self.conclude(planned, confirmation).await
    }

    async fn delete(&self, planned: &PlannedAction, id: &RemoteId) -> Result<Outcome, StepError> {
        self.intend(planned, IntendedWrite::Delete { id: id.clone() })
            .await?;
        let place = self.place(planned).await?;
        match self.api.delete(id).await {
            // Gone is what was wanted.
            Ok(()) | Err(ApiError::Gone { .. }) => {}
            Err(error) => return Err(error.into()),
        }
        drop(place);
        self.settle(planned, id, After::Dropped).await?;
        Ok(applied(id, Vec::new()))
    }

    /// Waits for a place among those that send. What happened meanwhile may hold the action back.
    async fn place(&self, planned: &PlannedAction) -> Result<SemaphorePermit<'_>, StepError> {
        let place = self.sending.acquire().await;
        match place {
            Ok(place) if self.brake.lets_pass(planned.action.phase()) => Ok(place),
            // Nobody closes the semaphore.
            Ok(_) | Err(_) => Err(StepError::HeldBack),
        }
    }

    /// Records what the API confirmed, also where it did not take all of it: the webhook is there.
    async fn conclude(
        &self,
        planned: &PlannedAction,
        confirmation: Confirmation,
    ) -> Result<Outcome, StepError> {
        let id = confirmation.record.id.clone();
        let after = After::Record(Box::new(confirmation.record));
        self.settle(planned, &id, after).await?;
        if confirmation.not_taken.is_empty() {
            return Ok(applied(&id, confirmation.remarks));
        }
        Err(StepError::NotTaken {
            field: confirmation.not_taken.first().map(|first| first.field),
            message: confirmation
                .not_taken
                .iter()
                .map(ToString::to_string)
                .collect::<Vec<_>>()
                .join("; "),
        })
    }

    async fn settle(
        &self,
        planned: &PlannedAction,
        id: &RemoteId,
        after: After,
    ) -> Result<(), StepError> {
        let history = HistoryEntry {
            at: (self.options.now)(),
            key: planned.key.clone(),
            id: id.clone(),
            action: planned.action.as_str().into(),
            changes: planned.changes.iter().map(history_change).collect(),
            provenance: self.provenance.clone(),
        };
        let settlement = Settlement {
            key: planned.key.clone(),
            after,
            history: Some(history),
        };
        Ok(self.journal.settle(settlement).await?)
    }

    async fn listed(&self, id: &RemoteId) -> Result<ObservedWebhook, StepError> {
        let fresh = self.fresh_list().await?;
        fresh.get(id).cloned().ok_or(StepError::NotListed)
    }

    /// A list by which to tell what is there and what is not.
    async fn fresh_list(&self) -> Result<Arc<ObservedState>, StepError> {
        let looked = self.looks.look(self.api).await;
        looked.map_err(StepError::Undecided)
    }

    fn secret(&self, key: &Key) -> Result<&Secret, StepError> {
        self.secrets.get(key).ok_or(StepError::NoSecret)
    }

    fn know(&self, id: &RemoteId) {
        self.lock_known().insert(id.clone());
    }

    pub(super) fn known_ids(&self) -> BTreeSet<RemoteId> {
        self.lock_known().clone()
    }

    fn lock_known(&self) -> std::sync::MutexGuard<'_, BTreeSet<RemoteId>> {
        self.known
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

fn applied(id: &RemoteId, remarks: Vec<Remark>) -> Outcome {
    Outcome::Applied {
        id: id.clone(),
        remarks,
    }
}

fn history_change(change: &Change) -> HistoryChange {
    let (from, to) = match change {
        Change::Field { from, to, .. } => (from.as_ref().map(ToString::to_string), to.to_string()),
        Change::Token { from, to, .. } => (Some(from.as_str().to_owned()), to.as_str().to_owned()),
    };
    HistoryChange {
        field: change.field_name().into(),
        from,
        to,
        cause: change.cause().as_str().into(),
    }
}
