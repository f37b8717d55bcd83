//! Decides on an action for each key with a known identity.

use std::collections::HashSet;
use std::sync::Arc;

use super::action::Bindings;
use super::creation;
use super::duplicates::duplicates;
use super::identity::{Identities, Identity};
use super::token::{TokenDecision, TokenRecord, TokenRemark, TokenSituation};
use super::{
    Action, Adoption, Cause, Change, Deletion, DeletionReason, ForgetReason, Notice, Orphan, Patch,
    Plan, PlanError, PlanProblem, PlannedAction, Policy, Prune, Refresh, Unmanaged, Update, diff,
    held, token,
};
use crate::state::{
    AbsentWebhook, AppliedRecord, DesiredState, DesiredWebhook, LastApplied, ObservedState,
    ObservedWebhook, Origin, UnreadableWebhook, Written,
};
use crate::webhook::{Field, Key, WorkflowAction};

/// Decides on an action for every key, declared or recorded, and counts the rest.
///
/// # Errors
/// Returns [`PlanError`] with every deletion that `prevent_destroy` forbids.
pub(super) fn decide(
    desired: &DesiredState,
    observed: &ObservedState,
    last_applied: &LastApplied,
    policy: &Policy,
    identities: &Identities<'_>,
) -> Result<Plan, PlanError> {
    let mut decisions = Decisions {
        policy,
        observed,
        last_applied,
        plan: Plan::default(),
        problems: Vec::new(),
    };
    for (key, webhook) in &desired.webhooks {
        if decisions.selects(key) {
            decisions.present(key, webhook, identities.of(key));
        }
    }
    for (key, webhook) in &desired.absent {
        if decisions.selects(key) {
            decisions.absent(key, webhook, identities.of(key));
        }
    }
    for (key, webhook) in &desired.released {
        if decisions.selects(key) {
            decisions.released(key, webhook, observed);
        }
    }
    for (key, record) in last_applied {
        let heir = identities
            .claimed_by(&record.id)
            .filter(|heir| *heir != key);
        // The record of a declared key is replaced when the key is planned.
        let stays = desired.declares(key) && (heir.is_none() || decisions.selects(key));
        // A record that another key takes over is dropped when that key is planned.
        if !stays && decisions.selects(heir.unwrap_or(key)) {
            if heir.is_none()
                && let Some(releasing) = desired.releasing(
                    &record.id,
                    observed
                        .get(&record.id)
                        .map_or(&record.stored.name, |found| &found.spec.name),
                )
            {
                if decisions.selects(releasing) {
                    decisions.forget(key, record, ForgetReason::Released, None);
                }
                continue;
            }
            if heir.is_some() {
                decisions.forget(key, record, ForgetReason::Moved, None);
                continue;
            }
            match observed.unreadable.get(&record.id) {
                Some(webhook) => decisions.unreadable_orphan(key, webhook),
                None => decisions.undeclared(key, record, observed.get(&record.id)),
            }
        }
    }
    let bound: HashSet<_> = last_applied.values().map(|record| &record.id).collect();
    for webhook in observed.webhooks.values() {
        if identities.is_claimed(&webhook.id) || bound.contains(&webhook.id) {
            decisions.plan.ours += 1;
        } else {
            decisions.plan.unmanaged.push(Unmanaged {
                id: webhook.id.clone(),
                name: Some(webhook.spec.name.clone()),
            });
        }
    }
    for webhook in observed.unreadable.values() {
        if bound.contains(&webhook.id) {
            decisions.plan.ours += 1;
        } else {
            decisions.plan.unmanaged.push(Unmanaged {
                id: webhook.id.clone(),
                name: webhook.name.clone(),
            });
            decisions.plan.notices.push(Notice::Unreadable {
                webhook: webhook.clone(),
            });
        }
    }
    decisions.plan.notices.extend(duplicates(
        desired,
        observed,
        &decisions.plan.unmanaged,
        &policy.only,
        identities,
    ));
    decisions.plan.bindings = Bindings {
        known: last_applied.len(),
        present: last_applied
            .values()
            .filter(|record| identities.is_claimed(&record.id) || observed.exists(&record.id))
            .count(),
    };
    if decisions.problems.is_empty() {
        Ok(decisions.plan)
    } else {
        Err(PlanError {
            problems: decisions.problems,
        })
    }
}

struct Decisions<'a> {
    policy: &'a Policy,
    observed: &'a ObservedState,
    last_applied: &'a LastApplied,
    plan: Plan,
    problems: Vec<PlanProblem>,
}

impl<'a> Decisions<'a> {
    fn selects(&mut self, key: &Key) -> bool {
        let selected = self.policy.only.selects(key);
        if !selected {
            self.plan.not_selected += 1;
        }
        selected
    }

    fn present(&mut self, key: &Key, webhook: &DesiredWebhook, identity: Identity<'_>) {
        let action = match identity {
            Identity::Found(found) => return self.found(key, webhook, found),
            Identity::Missing => Action::Create(creation::of(webhook)),
            Identity::Gone(_)
                if held::stays_gone(self.policy, self.last_applied.get(key), webhook) =>
            {
                return held::leave(&mut self.plan, key, webhook);
            }
            Identity::Gone(id) => Action::Recreate {
                gone: id.clone(),
                creation: creation::of(webhook),
            },
        };
        let cause = match action {
            Action::Recreate { .. } => Cause::Drift,
            _ => Cause::Edited,
        };
        self.plan.actions.push(Arc::new(PlannedAction {
            key: key.clone(),
            name: webhook.spec.name.clone(),
            changes: creation::changes(webhook, cause),
            action,
            origin: Some(webhook.origin.clone()),
        }));
    }

    fn found(&mut self, key: &Key, webhook: &DesiredWebhook, found: &ObservedWebhook) {
        let own = self
            .last_applied
            .get(key)
            .filter(|record| record.id == found.id);
        let known = own.or_else(|| self.record_of(found));
        let revealed = known.map(|record| record.revealed(&found.spec));
        let (own, record) = (own.and(revealed.as_deref()), revealed.as_deref());
        let token = token::decide(
            TokenSituation {
                declared: webhook.token,
                ignored: webhook.ignore_changes.bearer_token,
                remote_has_one: found.has_bearer_token,
                record: match record {
                    None => TokenRecord::NoRecord,
                    Some(record) => record
                        .token
                        .as_ref()
                        .map_or(TokenRecord::WithoutToken, TokenRecord::Set),
                },
            },
            self.policy.unverified_secrets,
        );
        if !self.policy.retry_held
            && own.is_some_and(|own| held::is_held(own, webhook, &found.spec, &token))
        {
            return held::leave(&mut self.plan, key, webhook);
        }
        let diff = diff::compare(webhook, &found.spec, record);
        self.remark(key, webhook, &token);
        self.notice_dropped_actions(key, webhook, found, &diff.changes);
        let after = Written {
            spec: diff.sent,
            token: token.recorded,
            prevent_destroy: webhook.prevent_destroy,
            held: None,
        };
        let mut changes = diff.changes;
        changes.extend(token.change);
        let action = match (own, Patch::new(diff.fields, token.patch)) {
            (None, patch) => Action::Adopt(Adoption {
                before: found.clone(),
                patch,
                record: after,
            }),
            (Some(_), Some(patch)) => Action::Update(Update {
                before: found.clone(),
                patch,
                record: after,
            }),
            (Some(record), None) => {
                self.plan.unchanged.push(key.clone());
                let confirmed = after.confirmed(found);
                if confirmed != *record {
                    self.plan.refresh.push(Refresh {
                        key: key.clone(),
                        record: confirmed,
                    });
                }
                return;
            }
        };
        self.plan.actions.push(Arc::new(PlannedAction {
            key: key.clone(),
            name: webhook.spec.name.clone(),
            action,
            changes,
            origin: Some(webhook.origin.clone()),
        }));
    }

    fn absent(&mut self, key: &Key, webhook: &AbsentWebhook, identity: Identity<'_>) {
        let action = match identity {
            Identity::Found(found) => {
                let record = self.record_of(found);
                if record.is_some_and(|record| record.prevent_destroy) {
                    self.problems.push(PlanProblem::PreventDestroy {
                        key: key.clone(),
                        location: Some(webhook.origin.key.clone()),
                        id: found.id.clone(),
                    });
                    return;
                }
                Action::Delete(Deletion {
                    before: found.clone(),
                    reason: DeletionReason::Absent,
                })
            }
            Identity::Gone(id) => Action::Forget {
                id: id.clone(),
                reason: ForgetReason::of_absent(self.observed.exists(id)),
            },
            Identity::Missing => {
                self.plan.unchanged.push(key.clone());
                return;
            }
        };
        self.plan.actions.push(Arc::new(PlannedAction {
            key: key.clone(),
            name: webhook.name.clone(),
            action,
            changes: Vec::new(),
            origin: Some(webhook.origin.clone()),
        }));
    }

    /// Returns the record of a webhook, under any key.
    fn record_of(&self, found: &ObservedWebhook) -> Option<&'a AppliedRecord> {
        self.last_applied
            .values()
            .find(|record| record.id == found.id)
    }

    /// Keeps an unreadable orphan: it exists, so it is not forgotten, and it cannot be compared, so it is not deleted.
    fn unreadable_orphan(&mut self, key: &Key, webhook: &UnreadableWebhook) {
        match self.policy.prune {
            Prune::No => self.plan.orphans.push(Orphan {
                key: key.clone(),
                id: webhook.id.clone(),
                name: self.name_of(key, webhook),
            }),
            Prune::Yes => self.problems.push(PlanProblem::Unreadable {
                key: key.clone(),
                location: None,
                webhook: Box::new(webhook.clone()),
            }),
        }
    }

    /// Returns the name at the API, or the last one that the API confirmed.
    fn name_of(&self, key: &Key, webhook: &UnreadableWebhook) -> String {
        let recorded = || {
            let record = self.last_applied.get(key);
            record.map(|record| record.stored.name.clone())
        };
        webhook
            .name
            .clone()
            .or_else(recorded)
            .unwrap_or_else(|| key.to_string())
    }

    fn undeclared(&mut self, key: &Key, record: &AppliedRecord, found: Option<&ObservedWebhook>) {
        let action = match (found, self.policy.prune) {
            (None, _) => return self.forget(key, record, ForgetReason::Gone, None),
            (Some(found), Prune::No) => {
                self.plan.orphans.push(Orphan {
                    key: key.clone(),
                    id: found.id.clone(),
                    name: found.spec.name.clone(),
                });
                return;
            }
            (Some(found), Prune::Yes) if record.prevent_destroy => {
                self.problems.push(PlanProblem::PreventDestroy {
                    key: key.clone(),
                    location: None,
                    id: found.id.clone(),
                });
                return;
            }
            (Some(found), Prune::Yes) => Action::Delete(Deletion {
                before: found.clone(),
                reason: DeletionReason::Orphan,
            }),
        };
        self.plan.actions.push(Arc::new(PlannedAction {
            key: key.clone(),
            name: found
                .map_or(&record.stored.name, |found| &found.spec.name)
                .clone(),
            action,
            changes: Vec::new(),
            origin: None,
        }));
    }

    fn released(&mut self, key: &Key, webhook: &AbsentWebhook, observed: &ObservedState) {
        match self.last_applied.get(key) {
            Some(record) => {
                let reason = if observed.exists(&record.id) {
                    ForgetReason::Released
                } else {
                    ForgetReason::Gone
                };
                self.forget(key, record, reason, Some(&webhook.origin));
            }
            None => self.plan.released.push(key.clone()),
        }
    }

    fn forget(
        &mut self,
        key: &Key,
        record: &AppliedRecord,
        reason: ForgetReason,
        origin: Option<&Origin>,
    ) {
        self.plan.actions.push(Arc::new(PlannedAction {
            key: key.clone(),
            name: record.stored.name.clone(),
            action: Action::Forget {
                id: record.id.clone(),
                reason,
            },
            changes: Vec::new(),
            origin: origin.cloned(),
        }));
    }

    fn remark(&mut self, key: &Key, webhook: &DesiredWebhook, token: &TokenDecision) {
        let location = webhook.origin.of_field("bearer_token").clone();
        let key = key.clone();
        self.plan
            .notices
            .extend(token.remark.map(|remark| match remark {
                TokenRemark::Foreign => Notice::ForeignToken { key, location },
                TokenRemark::UnverifiedKept => Notice::UnverifiedTokenKept {
                    key,
                    location,
                    unresolved: false,
                },
                TokenRemark::Unresolved => Notice::UnverifiedTokenKept {
                    key,
                    location,
                    unresolved: true,
                },
            }));
    }

    fn notice_dropped_actions(
        &mut self,
        key: &Key,
        webhook: &DesiredWebhook,
        found: &ObservedWebhook,
        changes: &[Change],
    ) {
        let actions = Field::Actions.as_str();
        let drops = changes.iter().any(|change| change.field_name() == actions);
        let unknown: Vec<_> = found
            .spec
            .actions
            .iter()
            .filter(|action| matches!(action, WorkflowAction::Unknown(_)))
            .map(ToString::to_string)
            .collect();
        if drops && !unknown.is_empty() {
            self.plan.notices.push(Notice::UnknownActionDropped {
                key: key.clone(),
                location: webhook.origin.of_field("actions").clone(),
                actions: unknown,
            });
        }
    }
}
