//! Execution of single actions: request, check, settlement.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex};

use tokio::sync::{Semaphore, SemaphorePermit};

use super::confirm::{Asked, Confirmation, confirm};
use super::create_outcome::{CreateOutcome, create_outcome};
use super::earlier::Earlier;
use super::error::StepError;
use super::list_refresher::ListRefresher;
use super::options::{ApplyOptions, RunContext};
use super::stop_gate::StopGate;
use super::write_gate::WriteGate;
use crate::report::{ActionError, Outcome, Remark, UnclearDelete};
use hookctl_api::{ApiError, DeleteAnswer, WebhookApi};
use hookctl_core::plan::{Action, Adoption, Cause, Change, Patch, PlannedAction};
use hookctl_core::record::{
    After, HistoryAction, HistoryCause, HistoryChange, HistoryEntry, IntendedWrite, Intent,
    Journal, JournalError, Provenance, Settlement,
};
use hookctl_core::secret::{Fingerprints, Secret};
use hookctl_core::state::{ObservedState, ObservedWebhook, TokenEvidence, Written};
use hookctl_core::webhook::{Field, Key, RemoteId, TokenChange, WebhookSpec, normal_name};

/// Executes actions, also concurrently.
pub(super) struct Steps<'a, A, J> {
    pub(super) api: &'a A,
    pub(super) journal: &'a J,
    pub(super) context: &'a RunContext<'a>,
    pub(super) options: &'a ApplyOptions<'a>,
    pub(super) provenance: Option<Provenance>,
    /// The ids that were observed before the apply, or are bound by now.
    pub(super) known: Mutex<BTreeSet<RemoteId>>,
    /// The ids that were observed before the apply, by normal name.
    pub(super) named: HashMap<String, Vec<RemoteId>>,
    /// Earlier writes that may still take effect.
    pub(super) earlier: Earlier,
    /// The keys whose actions an earlier write may undo.
    pub(super) contested: &'a BTreeSet<Key>,
    pub(super) refresher: ListRefresher,
    pub(super) stop_gate: StopGate,
    /// Permits to send.
    pub(super) sending: Semaphore,
}

impl<A: WebhookApi, J: Journal> Steps<'_, A, J> {
    /// Executes an action. If its outcome is unknown or not recorded, its intent stays in the journal.
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
                let replaced = self.replaced(planned);
                self.settle(planned, &before.id, after, Intent::superseded(replaced))
                    .await?;
                Ok(applied(&before.id, Vec::new()))
            }
            Action::Delete(deletion) => self.delete(planned, &deletion.before.id).await,
            Action::Forget { id, .. } => {
                self.settle(planned, id, After::Dropped, None).await?;
                Ok(applied(id, Vec::new()))
            }
        };
        if let Err(error) = &taken {
            let phase = planned.action.phase();
            if let StepError::Action(error) = error {
                self.stop_gate.failed(phase, error.stops_everything());
            }
        }
        match taken {
            Err(StepError::Action(ActionError::LeaseLost)) => {
                // The writer that takes over settles it otherwise.
                let _ = self.end(planned).await;
                Err(ActionError::LeaseLost.into())
            }
            Err(StepError::HeldBack) => {
                // If this is not recorded, the next list still shows that nothing happened.
                let _ = self.end(planned).await;
                Err(StepError::HeldBack)
            }
            Err(StepError::Action(ActionError::Api(refusal))) => {
                let Err(error) = self.end(planned).await else {
                    return Err(ActionError::Api(refusal).into());
                };
                let error = ActionError::NotEnded {
                    refusal,
                    error: Arc::new(error),
                };
                let phase = planned.action.phase();
                self.stop_gate.failed(phase, error.stops_everything());
                Err(error.into())
            }
            taken => taken,
        }
    }

    /// Ends the intent of a write that had no effect.
    async fn end(&self, planned: &PlannedAction) -> Result<(), JournalError> {
        let over = Settlement {
            lingering: self.earlier.of_key(&planned.key).map(Box::new),
            ..Settlement::nothing(planned.key.clone())
        };
        self.journal.settle(over).await
    }

    /// Journals the intent of a write, and returns the gate for its sends.
    async fn intend(
        &self,
        planned: &PlannedAction,
        write: IntendedWrite,
    ) -> Result<WriteGate<'_, J>, StepError> {
        let clock = self.context.clock;
        let intent = Intent {
            earlier: self.replaced(planned),
            ..Intent::new(planned.key.clone(), clock.now(), write)
        };
        self.journal
            .intend(intent.clone())
            .await
            .map_err(|error| ActionError::NotIntended(Arc::new(error)))?;
        Ok(WriteGate::new(
            self.journal,
            clock,
            &self.stop_gate,
            self.context.horizon,
            intent,
        ))
    }

    /// Returns the earlier writes that an action replaces and that could still undo it, the latest first.
    fn replaced(&self, planned: &PlannedAction) -> Vec<Intent> {
        // The list shows the fields of a late PATCH, and the next plan corrects them.
        let matters = |one: &Intent| one.write.touches_token() || self.is_contested(planned);
        self.earlier.replaced(planned, matters)
    }

    /// Classifies an error of the API by whether the write may still take effect.
    fn failed(gate: &WriteGate<'_, J>, error: ApiError) -> StepError {
        if let Some(error) = gate.take_failure() {
            return ActionError::NotIntended(Arc::new(error)).into();
        }
        match error {
            ApiError::Gone { .. } => ActionError::Api(error).into(),
            _ if gate.is_unanswered() => ActionError::Unanswered(error).into(),
            ApiError::Withheld if gate.is_lease_lost() => ActionError::LeaseLost.into(),
            ApiError::Withheld => StepError::HeldBack,
            _ => ActionError::Api(error).into(),
        }
    }

    async fn create(
        &self,
        planned: &PlannedAction,
        creation: &Written<TokenEvidence>,
    ) -> Result<Outcome, StepError> {
        let token = creation
            .token
            .map(|_| self.secret(&planned.key))
            .transpose()?;
        let same_name = self.named.get(&normal_name(&creation.spec.name));
        let webhook = creation.with_token(TokenEvidence::fingerprint);
        let record = webhook.with_token(|own| Some(Fingerprints::from(own)));
        let write = IntendedWrite::Create {
            webhook,
            seen: same_name.cloned().unwrap_or_default(),
        };
        let gate = self.intend(planned, write).await?;
        let answer = {
            let _permit = self.acquire(planned).await?;
            let _creating = self.refresher.creating().await;
            self.api.create(&creation.spec, token, &gate).await
        };
        let answer = match answer.map_err(|error| Self::failed(&gate, error))? {
            Some(answer) => answer,
            None => self.find_created(&creation.spec).await?,
        };
        self.know(&answer.id);
        let confirmation = confirm(
            Asked {
                before: None,
                sent: &Field::ALL,
                token: creation
                    .token
                    .map_or(TokenChange::Clear, |_| TokenChange::Set(())),
                record: &record,
            },
            &answer,
        );
        let lingering = gate.lingering(self.is_contested(planned));
        self.conclude(planned, confirmation, lingering).await
    }

    /// Finds a webhook whose create was confirmed without returning it.
    async fn find_created(&self, spec: &WebhookSpec) -> Result<ObservedWebhook, StepError> {
        let fresh = self.fresh_list().await?;
        match create_outcome(spec, &self.known_ids(), &fresh) {
            CreateOutcome::Created(found) => Ok(found),
            CreateOutcome::Several(ids) | CreateOutcome::Unreadable(ids) => {
                Err(ActionError::Ambiguous(ids).into())
            }
            CreateOutcome::NotCreated => Err(ActionError::NotListed.into()),
        }
    }

    async fn patch(
        &self,
        planned: &PlannedAction,
        before: &ObservedWebhook,
        patch: &Patch,
        record: &Written<Fingerprints>,
    ) -> Result<Outcome, StepError> {
        let token = patch.token().try_map(|_| self.secret(&planned.key))?;
        let intended = patch.token().map(TokenEvidence::fingerprint);
        let write = IntendedWrite::patch(before.id.clone(), patch.fields(), intended);
        let gate = self.intend(planned, write).await?;
        let answer = {
            let _permit = self.acquire(planned).await?;
            self.api
                .patch(&before.id, patch.fields(), token, &gate)
                .await
        };
        let answer = match answer.map_err(|error| Self::failed(&gate, error))? {
            Some(answer) => answer,
            None => self.listed(&before.id).await?,
        };
        let sent: Vec<Field> = patch.fields().iter().map(|(field, _)| *field).collect();
        let mut confirmation = confirm(
            Asked {
                before: Some(before),
                sent: &sent,
                token: token.map(drop),
                record,
            },
            &answer,
        );
        let own_matters = intended != TokenChange::Keep || self.is_contested(planned);
        let lingering = gate.lingering(own_matters);
        if self.is_contested(planned)
            && let Some(lingering) = &lingering
        {
            // Also without a token: one that an earlier write sets later must not count as another writer's.
            let token = &mut confirmation.record.token;
            let late = || lingering.sets_token().copied().map(Fingerprints::from);
            *token = token.take().or_else(late).map(|one| one.unverifiable());
        }
        self.conclude(planned, confirmation, lingering).await
    }

    async fn delete(&self, planned: &PlannedAction, id: &RemoteId) -> Result<Outcome, StepError> {
        let write = IntendedWrite::Delete { id: id.clone() };
        let gate = self.intend(planned, write).await?;
        let answer = {
            let _permit = self.acquire(planned).await?;
            self.api.delete(id, &gate).await
        };
        let unclear = match answer {
            Ok(DeleteAnswer::Done) => None,
            Ok(DeleteAnswer::Unclear) => Some(UnclearDelete::Unconfirmed),
            // A missing webhook is the intended result, unless a gateway responded instead of the API.
            Err(ApiError::Gone { .. }) => Some(UnclearDelete::NotFound),
            Err(error) => return Err(Self::failed(&gate, error)),
        };
        if let Some(unclear) = unclear
            && self.fresh_list().await?.get(id).is_some()
        {
            return Err(ActionError::StillListed(unclear).into());
        }
        self.settle(planned, id, After::Dropped, None).await?;
        Ok(applied(id, Vec::new()))
    }

    /// Returns whether an earlier write may undo an action that did not wait for it.
    fn is_contested(&self, planned: &PlannedAction) -> bool {
        self.contested.contains(&planned.key)
    }

    /// Waits for a permit to send, unless the stop gate holds the action back.
    async fn acquire(&self, planned: &PlannedAction) -> Result<SemaphorePermit<'_>, StepError> {
        let permit = tokio::select! {
            biased;
            () = self.stop_gate.stopped() => return Err(StepError::HeldBack),
            permit = self.sending.acquire() => permit,
        };
        match permit {
            Ok(permit) if self.stop_gate.lets_pass(planned.action.phase()) => Ok(permit),
            // The semaphore is never closed.
            Ok(_) | Err(_) => Err(StepError::HeldBack),
        }
    }

    /// Records the confirmed state, even with mismatches, since the webhook exists.
    async fn conclude(
        &self,
        planned: &PlannedAction,
        confirmation: Confirmation,
        lingering: Option<Intent>,
    ) -> Result<Outcome, StepError> {
        let id = confirmation.record.id.clone();
        let after = After::Record(Box::new(confirmation.record));
        self.settle(planned, &id, after, lingering).await?;
        if confirmation.mismatches.is_empty() {
            return Ok(applied(&id, confirmation.remarks));
        }
        Err(ActionError::NotStored(confirmation.mismatches).into())
    }

    async fn settle(
        &self,
        planned: &PlannedAction,
        id: &RemoteId,
        after: After,
        lingering: Option<Intent>,
    ) -> Result<(), StepError> {
        let at = self.context.clock.now().at;
        let ahead = self.api.clock_difference();
        let history = HistoryEntry {
            at,
            api_at: ahead
                .filter(|_| planned.action.has_request())
                .and_then(|ahead| at.checked_add(ahead).ok()),
            key: planned.key.clone(),
            id: id.clone(),
            action: history_action(&planned.action),
            changes: planned.changes.iter().map(history_change).collect(),
            provenance: self.provenance.clone().map(Box::new),
            run: self.options.run.map(str::to_owned),
        };
        let settlement = Settlement {
            key: planned.key.clone(),
            after,
            history: Some(history),
            lingering: lingering.map(Box::new),
        };
        Ok(self.journal.settle(settlement).await?)
    }

    async fn listed(&self, id: &RemoteId) -> Result<ObservedWebhook, StepError> {
        let fresh = self.fresh_list().await?;
        Ok(fresh.get(id).cloned().ok_or(ActionError::NotListed)?)
    }

    /// Reads the list again.
    async fn fresh_list(&self) -> Result<Arc<ObservedState>, StepError> {
        let refreshed = self.refresher.refresh(self.api).await;
        Ok(refreshed.map_err(ActionError::Unread)?)
    }

    fn secret(&self, key: &Key) -> Result<&Secret, StepError> {
        Ok(self.options.secrets.get(key).ok_or(ActionError::NoSecret)?)
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

const fn history_action(action: &Action) -> HistoryAction {
    match action {
        Action::Create(_) => HistoryAction::Create,
        Action::Update(_) => HistoryAction::Update,
        Action::Delete(_) => HistoryAction::Delete,
        Action::Adopt(_) => HistoryAction::Adopt,
        Action::Recreate { .. } => HistoryAction::Recreate,
        Action::Forget { .. } => HistoryAction::Forget,
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
        cause: match change.cause() {
            Cause::Edited => HistoryCause::Edited,
            Cause::Drift => HistoryCause::Drift,
            Cause::Conflict => HistoryCause::Conflict,
            Cause::Unrecorded => HistoryCause::Unrecorded,
            Cause::Unverified => HistoryCause::Unverified,
        },
    }
}
