//! Whether a plan is applied, asked about, or refused. Decides only; `run` asks.

use hookctl::config::Confirm;
use hookctl::plan::{Action, Plan};
use hookctl::webhook::TokenChange;

use crate::error::CommandError;
use crate::exit_status::ExitStatus;
use crate::run::Approval;

/// What decides about the question of a plan.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Question {
    /// Before which plans a person is asked.
    pub(crate) confirm: Confirm,
    /// Whether the answer was given in advance (`--yes`).
    pub(crate) is_answered: bool,
    /// Whether a person can be asked.
    pub(crate) can_ask: bool,
}

impl Question {
    /// Decides about a plan.
    pub(crate) fn about(self, plan: &Plan) -> Approval {
        let concerns = match self.confirm {
            Confirm::Always => plan.has_requests(),
            Confirm::Losses => loses(plan),
            Confirm::Never => false,
        };
        if self.is_answered || !concerns {
            Approval::Given
        } else if self.can_ask {
            Approval::Asked
        } else {
            Approval::given_if(self.confirm != Confirm::Always)
        }
    }

    /// Returns the error of a plan that was not approved.
    pub(crate) fn refusal(self) -> CommandError {
        let error = if self.can_ask {
            CommandError::new(
                "not-confirmed",
                "the plan was declined; nothing was applied",
            )
        } else {
            let why = "`confirm: always` needs an answer, and there is no terminal to ask on; nothing was applied";
            CommandError::new("not-confirmed", why).hint("add --yes to apply the plan")
        };
        error.status(ExitStatus::Refused)
    }
}

/// Returns whether a plan loses something that cannot be undone: a webhook, or a token.
fn loses(plan: &Plan) -> bool {
    plan.actions.iter().any(|planned| {
        matches!(planned.action, Action::Delete(_))
            || planned
                .action
                .patch()
                .is_some_and(|patch| patch.token() == TokenChange::Clear)
    })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use hookctl::plan::{Deletion, DeletionReason, ForgetReason, PlannedAction};
    use hookctl::state::ObservedWebhook;
    use hookctl::webhook::{EndpointUrl, Key, RemoteId, WebhookSpec, WorkflowActions};

    use super::*;
    use Approval::{Asked, Denied, Given};

    fn plan(action: Action) -> Plan {
        let planned = PlannedAction {
            key: Key::parse("a").unwrap(),
            name: "a".to_owned(),
            action,
            changes: Vec::new(),
            origin: None,
        };
        Plan {
            actions: vec![Arc::new(planned)],
            ..Plan::default()
        }
    }

    #[test]
    fn the_setting_the_flag_and_the_terminal_decide() {
        let id = RemoteId::parse("5eb7cf5a86d9755df3a6c593").unwrap();
        let spec = WebhookSpec {
            name: "a".to_owned(),
            url: EndpointUrl::from_remote("https://a.example.com".to_owned()),
            actions: WorkflowActions::all(),
            enabled: true,
            timeout_seconds: 10,
            max_retries: 3,
            retry_backoff_seconds: 10,
        };
        let deletes = plan(Action::Delete(Deletion {
            before: ObservedWebhook {
                id: id.clone(),
                spec: spec.clone(),
                has_bearer_token: false,
            },
            reason: DeletionReason::Absent,
        }));
        let creates = plan(Action::Create(hookctl::state::Written {
            spec,
            token: None,
            prevent_destroy: false,
            held: None,
        }));
        let forgets = plan(Action::Forget {
            id,
            reason: ForgetReason::Gone,
        });
        for (confirm, on_a_terminal, elsewhere) in [
            (
                Confirm::Always,
                [Asked, Asked, Given],
                [Denied, Denied, Given],
            ),
            (Confirm::Losses, [Asked, Given, Given], [Given; 3]),
            (Confirm::Never, [Given; 3], [Given; 3]),
        ] {
            for (can_ask, expected) in [(true, on_a_terminal), (false, elsewhere)] {
                let question = Question {
                    confirm,
                    is_answered: false,
                    can_ask,
                };
                let plans = [&deletes, &creates, &forgets];
                assert_eq!(
                    plans.map(|plan| question.about(plan)),
                    expected,
                    "{question:?}"
                );
                let answered = Question {
                    is_answered: true,
                    ..question
                };
                assert_eq!(plans.map(|plan| answered.about(plan)), [Given; 3]);
            }
        }
    }
}
