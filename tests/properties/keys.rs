//! Machines with keys of their own that share a record, and sync one token in any order.

use std::collections::BTreeMap;

use hookctl::plan::{Action, Policy, plan};
use hookctl::reconcile::evidence;
use hookctl::record::{Pending, Remembered};
use hookctl::secret::{FingerprintKey, Fingerprints, Salt, Secret, Secrets};
use hookctl::state::{
    AppliedRecord, DeclaredToken, DesiredState, DesiredWebhook, IgnoreChanges, LastApplied,
    ObservedWebhook,
};
use hookctl::webhook::{Key, RemoteId, TokenChange, WebhookSpec};
use proptest::prelude::*;

use crate::generate::{origin, spec};

/// What happens to a team.
#[derive(Clone, Copy, Debug)]
enum Step {
    /// A machine syncs.
    Sync(u8),
    /// The repository declares a new token.
    Rotate,
    /// The repository goes back to the token before.
    Undo,
    /// The repository declares no token.
    Remove,
    /// Another writer clears the token at the API.
    Drift,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        12 => (0..6u8).prop_map(Step::Sync),
        3 => Just(Step::Rotate),
        2 => Just(Step::Undo),
        1 => Just(Step::Remove),
        1 => Just(Step::Drift),
    ]
}

/// A webhook, its record, and the tokens that the repository declared. One that was undone is not declared again.
struct Team {
    spec: WebhookSpec,
    declared: Option<u32>,
    before: Vec<u32>,
    rotations: u32,
    at_api: Option<u32>,
    record: AppliedRecord,
}

impl Team {
    fn of(spec: WebhookSpec) -> Self {
        let spec = crate::model::stored(spec);
        let record = AppliedRecord {
            id: RemoteId::parse("an-id").unwrap(),
            sent: spec.clone(),
            stored: spec.clone(),
            token: None,
            prevent_destroy: false,
            held: None,
        };
        Self {
            spec,
            declared: Some(0),
            before: Vec::new(),
            rotations: 0,
            at_api: None,
            record,
        }
    }

    /// Takes a step. Returns whether a machine wrote the token.
    fn take(&mut self, step: Step) -> bool {
        match step {
            Step::Sync(machine) => return self.sync(machine),
            Step::Undo => {
                if let Some(before) = self.before.pop() {
                    self.declared = Some(before);
                }
            }
            Step::Rotate => {
                self.rotations += 1;
                self.before.extend(self.declared);
                self.declared = Some(self.rotations);
            }
            Step::Remove => self.declared = None,
            Step::Drift => self.at_api = None,
        }
        false
    }

    fn sync(&mut self, machine: u8) -> bool {
        let key = Key::parse("a").unwrap();
        let secret = |text: String| Secret::new(text).unwrap();
        let own = FingerprintKey::derive(&secret(format!("api-key-{machine}")));
        let remembered = Remembered {
            last_applied: LastApplied::from([(key.clone(), self.record.clone())]),
            pending: Pending::default(),
        };
        let token = self.declared.map(|token| secret(format!("token-{token}")));
        let secrets: Secrets = token
            .map(|token| (key.clone(), token))
            .into_iter()
            .collect();
        let evidence = evidence(&secrets, &remembered, &own, &mut |_| {
            Salt::new([machine; 16])
        });
        let evidence = evidence.get(&key).copied();
        let webhook = DesiredWebhook {
            spec: self.spec.clone(),
            token: evidence.map_or(DeclaredToken::LeftOut, DeclaredToken::Managed),
            id: None,
            previously: Vec::new(),
            ignore_changes: IgnoreChanges::default(),
            prevent_destroy: false,
            origin: origin(),
        };
        let desired = DesiredState {
            webhooks: BTreeMap::from([(key, webhook)]),
            ..DesiredState::default()
        };
        let mut found = ObservedWebhook {
            id: self.record.id.clone(),
            spec: self.spec.clone(),
            has_bearer_token: self.at_api.is_some(),
        };
        let observed = std::iter::once(found.clone()).collect();
        let policy = Policy::default();
        let plan = plan(&desired, &observed, &remembered.last_applied, &policy).unwrap();
        for refresh in plan.refresh {
            self.record = refresh.record;
        }
        let Some(planned) = plan.actions.first() else {
            return false;
        };
        let Action::Update(update) = &planned.action else {
            panic!("{planned:?}");
        };
        self.at_api = match update.patch.token() {
            TokenChange::Set(_) => self.declared,
            TokenChange::Clear => None,
            TokenChange::Keep => panic!("{planned:?}"),
        };
        found.has_bearer_token = self.at_api.is_some();
        self.record = update.record.confirmed(&found);
        true
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, ..ProptestConfig::default() })]

    #[test]
    fn after_each_sync_the_api_has_the_declared_token(
        spec in spec(),
        steps in prop::collection::vec(step(), 1..40),
    ) {
        let mut team = Team::of(spec);
        for step in steps {
            team.take(step);
            if matches!(step, Step::Sync(_)) {
                prop_assert_eq!(team.at_api, team.declared);
            }
        }
    }

    #[test]
    fn up_to_four_keys_write_a_token_a_bounded_number_of_times_and_then_never_again(
        spec in spec(),
        steps in prop::collection::vec(step(), 1..40),
        order in Just((0..4u8).collect::<Vec<_>>()).prop_shuffle(),
        keys in 1..=Fingerprints::MOST,
    ) {
        let most = [1, 2, 4, 6][keys - 1];
        let of_team = |machine: &u8| usize::from(*machine) < keys;
        let mut team = Team::of(spec);
        let mut writes: BTreeMap<u8, u32> = BTreeMap::new();
        for step in steps {
            match step {
                Step::Sync(machine) if !of_team(&machine) => {}
                Step::Sync(machine) => {
                    let made = writes.entry(machine).or_default();
                    *made += u32::from(team.take(step));
                    prop_assert!(*made <= most, "{machine}");
                }
                Step::Rotate | Step::Undo | Step::Remove | Step::Drift => {
                    team.take(step);
                    writes.clear();
                }
            }
        }
        let turns = || order.iter().copied().filter(of_team);
        for machine in turns().chain(turns()).chain(turns()) {
            team.sync(machine);
        }
        for machine in turns() {
            prop_assert!(!team.sync(machine), "{machine}");
        }
    }
}
