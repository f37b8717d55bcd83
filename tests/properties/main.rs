//! Properties of plan and apply, over random desired, observed, and remembered states.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod generate;
mod keys;
mod model;
mod verify;

use std::collections::BTreeSet;

use generate::{World, odd, with_unreadable, world};
use hookctl::apply::{ApplyOptions, Silent};
use hookctl::clock::SystemClock;
use hookctl::plan::safety::Overrides;
use hookctl::plan::{Action, Plan, Policy, plan};
use hookctl::reconcile::{PlanInputs, Verdict, reconcile};
use hookctl::record::{Account, MemoryRecord, Pending, Record, Remembered};
use hookctl::state::{DeclaredToken, DesiredState, LastApplied, ObservedState};
use hookctl::webhook::{Field, RemoteId, TokenChange, normal_name};
use model::MemoryApi;
use proptest::prelude::*;

/// A record that remembers bindings.
fn remembering(last_applied: &LastApplied) -> MemoryRecord {
    MemoryRecord::of(Remembered {
        last_applied: last_applied.clone(),
        pending: Pending::default(),
    })
}

/// Runs one pass over a world and returns the first plan.
fn run(world: &World, api: &MemoryApi, memory: &MemoryRecord) -> Result<Plan, String> {
    let clock = SystemClock::shared();
    let inputs = PlanInputs {
        policy: world.policy.clone(),
        overrides: Overrides::ALL,
        ..PlanInputs::new(api, &world.desired, &clock)
    };
    let options = ApplyOptions {
        secrets: &world.secrets,
        ..ApplyOptions::default()
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .unwrap();
    let record = Record::new(memory.clone(), Account::new("model", "https://api.example"));
    let report = runtime.block_on(async {
        let open = record.open().await.unwrap();
        let mut apply = |_: &Plan| Verdict::Apply;
        let report = reconcile(&inputs, &options, &open, &Silent, &mut apply).await;
        open.close().await.unwrap();
        report
    });
    let report = report.map_err(|error| format!("{error:?}"))?;
    for result in report.results() {
        assert!(
            matches!(result.outcome, hookctl::report::Outcome::Applied { .. }),
            "{result:?}"
        );
    }
    assert_eq!(report.rounds, 1);
    Ok(report.plan)
}

fn planned(world: &World) -> Option<Plan> {
    plan(
        &world.desired,
        &world.observed,
        &world.records,
        &world.policy,
    )
    .ok()
}

/// The ids that an action is about.
fn targets(plan: &Plan) -> Vec<&RemoteId> {
    plan.actions
        .iter()
        .filter(|planned| {
            !matches!(
                planned.action,
                Action::Forget { .. } | Action::Recreate { .. }
            )
        })
        .filter_map(|planned| planned.id())
        .collect()
}

fn replan(
    desired: &DesiredState,
    observed: &ObservedState,
    records: &LastApplied,
    policy: &Policy,
) -> Plan {
    plan(desired, observed, records, policy).expect("what was applied can be planned again")
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, ..ProptestConfig::default() })]

    #[test]
    fn after_an_apply_a_second_plan_is_empty(world in world()) {
        if planned(&world).is_none() { return Ok(()) }
        let api = MemoryApi::new(&world.observed);
        let records = remembering(&world.records);
        let _first = run(&world, &api, &records).unwrap();
        let second = replan(&world.desired, &api.observed(), &records.remembered().last_applied, &world.policy);
        prop_assert!(second.is_empty(), "{second:#?}");
    }

    #[test]
    fn a_patch_holds_exactly_the_fields_that_differ(world in world()) {
        let Some(plan) = planned(&world) else { return Ok(()) };
        for planned in &plan.actions {
            let Some(patch) = planned.action.patch() else { continue };
            let desired = &world.desired.webhooks[&planned.key];
            let observed = world.observed.get(planned.id().unwrap()).unwrap();
            let record = world.records.values().find(|record| record.id == observed.id);
            for field in Field::ALL {
                let differs = !desired.spec.field_equals(&observed.spec, field);
                let ignored = desired.ignore_changes.fields.contains(&field);
                let other_form = record.is_some_and(|record| {
                    record.sent.field_equals(&desired.spec, field)
                        && record.stored.field_equals(&observed.spec, field)
                });
                prop_assert_eq!(patch.sends(field), differs && !ignored && !other_form, "{} of {:?}", field, planned);
            }
            for (field, value) in patch.fields() {
                prop_assert_eq!(value, &desired.spec.get(*field));
            }
        }
    }

    #[test]
    fn nothing_unmanaged_is_touched_and_nothing_is_doubled(world in world()) {
        let Some(plan) = planned(&world) else { return Ok(()) };
        let targets = targets(&plan);
        let distinct: BTreeSet<_> = targets.iter().copied().collect();
        prop_assert_eq!(distinct.len(), targets.len(), "one webhook, two actions");
        let api = MemoryApi::new(&world.observed);
        let records = remembering(&world.records);
        let plan = run(&world, &api, &records).unwrap();
        let after = api.observed();
        for unmanaged in plan.unmanaged.iter().map(|one| &one.id).chain(plan.orphans.iter().map(|one| &one.id)) {
            prop_assert_eq!(after.get(unmanaged), world.observed.get(unmanaged));
        }
        let bound: Vec<_> = records.remembered().last_applied.into_values().map(|record| record.id).collect();
        let distinct: BTreeSet<_> = bound.iter().cloned().collect();
        prop_assert_eq!(distinct.len(), bound.len(), "two keys are bound to one id");
    }

    #[test]
    fn a_released_webhook_is_left_as_it_is_and_no_longer_ours(world in world()) {
        let released: BTreeSet<_> = world.desired.released.keys()
            .filter(|key| world.policy.only.selects(key))
            .filter_map(|key| world.records.get(key))
            .map(|record| &record.id)
            .collect();
        let Some(plan) = planned(&world) else { return Ok(()) };
        for planned in plan.actions.iter().filter(|planned| planned.action.has_request()) {
            let pinned = world.desired.pin(&planned.key) == planned.id();
            prop_assert!(pinned || planned.id().is_none_or(|id| !released.contains(id)), "{planned:?}");
        }
        let api = MemoryApi::new(&world.observed);
        let records = remembering(&world.records);
        let _ = run(&world, &api, &records).unwrap();
        let bound = records.remembered().last_applied;
        for key in world.desired.released.keys().filter(|key| world.policy.only.selects(key)) {
            prop_assert!(!bound.contains_key(key), "{key}");
        }
    }

    #[test]
    fn a_webhook_that_cannot_be_read_is_left_alone_and_reserves_its_name(world in world(), odd in odd()) {
        let (whole, world) = (planned(&world), with_unreadable(world, &odd));
        let unreadable = &world.observed.unreadable;
        let bound: BTreeSet<_> = world.records.values().map(|record| &record.id).collect();
        let names: BTreeSet<_> = unreadable.values()
            .filter(|webhook| !bound.contains(&webhook.id))
            .map(|webhook| webhook.name.as_deref().map(normal_name))
            .collect();
        if let Some(plan) = planned(&world) {
            for planned in &plan.actions {
                let drops_binding = !planned.action.has_request()
                    && matches!(planned.action.reason(), Some("moved" | "released"));
                prop_assert!(drops_binding || planned.id().is_none_or(|id| !unreadable.contains_key(id)), "{planned:?}");
                if matches!(planned.action, Action::Create(_) | Action::Recreate { .. }) {
                    let name = Some(normal_name(&planned.name));
                    prop_assert!(!names.contains(&name) && !names.contains(&None), "{planned:?}");
                }
            }
        }
        // What has nothing to do with them is planned as if they could be read.
        let declared: BTreeSet<_> = world.desired.webhooks.values()
            .flat_map(|webhook| std::iter::once(&webhook.spec.name).chain(&webhook.previously))
            .chain(world.desired.absent.values().map(|webhook| &webhook.name))
            .map(|name| Some(normal_name(name)))
            .collect();
        let Some(whole) = whole else { return Ok(()) };
        let strangers = unreadable.keys().all(|id| whole.unmanaged.iter().any(|one| one.id == *id));
        if strangers && !names.contains(&None) && names.is_disjoint(&declared) {
            prop_assert_eq!(planned(&world).map(|plan| plan.actions), Some(whole.actions));
        }
    }

    #[test]
    fn no_token_is_cleared_that_we_did_not_set_unless_the_file_says_null(world in world()) {
        let Some(plan) = planned(&world) else { return Ok(()) };
        for planned in &plan.actions {
            let cleared = planned.action.patch().is_some_and(|patch| patch.token() == TokenChange::Clear);
            if cleared {
                let ours = world.records.values().any(|record| Some(&record.id) == planned.id() && record.token.is_some());
                let null = world.desired.webhooks[&planned.key].token == DeclaredToken::None;
                prop_assert!(ours || null, "{planned:?}");
            }
        }
    }

    #[test]
    fn a_webhook_is_deleted_only_if_absent_is_declared_or_it_is_ours_and_pruned(world in world()) {
        let Some(plan) = planned(&world) else { return Ok(()) };
        for planned in &plan.actions {
            if let Action::Delete(deletion) = &planned.action {
                let pruned = world.policy.prune == hookctl::plan::Prune::Yes
                    && world.records.get(&planned.key).is_some_and(|record| record.id == deletion.before.id)
                    && !world.desired.declares(&planned.key);
                prop_assert!(world.desired.absent.contains_key(&planned.key) || pruned);
                let protected = world.records.get(&planned.key).is_some_and(|record| record.prevent_destroy && record.id == deletion.before.id);
                prop_assert!(!protected);
            }
        }
    }
}
