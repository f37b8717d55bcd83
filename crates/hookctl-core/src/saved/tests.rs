//! Saved plans: what is bound, and what a seal refuses.

use super::*;
use crate::plan::{Action, Patch, PlannedAction, Update};
use crate::secret::{Secret, SecretSource};
use crate::state::{ObservedWebhook, TokenEvidence, Written};
use crate::webhook::{
    EndpointUrl, Field, FieldValue, RemoteId, TokenChange, WebhookSpec, WorkflowActions,
};

fn key() -> FingerprintKey {
    FingerprintKey::derive(&Secret::new("an-api-key".to_owned()).unwrap())
}

fn other_key() -> FingerprintKey {
    FingerprintKey::derive(&Secret::new("another-key".to_owned()).unwrap())
}

fn name(name: &str) -> Key {
    Key::parse(name).unwrap()
}

fn spec(timeout_seconds: i64) -> WebhookSpec {
    WebhookSpec {
        name: "Billing".into(),
        url: EndpointUrl::from_remote("https://user:canary@a.example/".into()),
        actions: WorkflowActions::all(),
        enabled: true,
        timeout_seconds,
        max_retries: 3,
        retry_backoff_seconds: 10,
    }
}

fn known(token: &str) -> TokenEvidence {
    let secret = Secret::new(token.to_owned()).unwrap();
    TokenEvidence::Known(key().fingerprint(Salt::new([7; 16]), &secret))
}

fn planned(key: &str, action: Action) -> PlannedAction {
    PlannedAction {
        key: name(key),
        name: key.to_owned(),
        action,
        changes: Vec::new(),
        origin: None,
    }
}

fn create(key: &str, token: Option<TokenEvidence>, timeout_seconds: i64) -> PlannedAction {
    let creation = Written {
        spec: spec(timeout_seconds),
        token,
        prevent_destroy: false,
        held: None,
    };
    planned(key, Action::Create(creation))
}

fn update(
    key: &str,
    fields: Vec<(Field, FieldValue)>,
    token: TokenChange<TokenEvidence>,
) -> PlannedAction {
    let fingerprints = match token {
        TokenChange::Set(evidence) => evidence.fingerprint().map(Into::into),
        TokenChange::Keep | TokenChange::Clear => None,
    };
    let update = Update {
        before: ObservedWebhook {
            id: RemoteId::parse("id-1").unwrap(),
            spec: spec(10),
            has_bearer_token: true,
        },
        patch: Patch::new(fields, token).unwrap(),
        record: Written {
            spec: spec(10),
            token: fingerprints,
            prevent_destroy: false,
            held: None,
        },
    };
    planned(key, Action::Update(update))
}

fn forget(key: &str) -> PlannedAction {
    let forget = Action::Forget {
        id: RemoteId::parse("id-1").unwrap(),
        reason: crate::plan::ForgetReason::Gone,
    };
    planned(key, forget)
}

fn plan(actions: Vec<PlannedAction>) -> Plan {
    let actions = actions.into_iter().map(std::sync::Arc::new).collect();
    Plan {
        actions,
        ..Plan::default()
    }
}

fn sources(keys: &[&str], variable: &str) -> UnseenTokens {
    let source = SecretSource::Env {
        name: variable.to_owned(),
    };
    let seal = token_source(&source, &key());
    keys.iter().map(|key| (name(key), seal)).collect()
}

fn made(plan: &Plan, unseen: UnseenTokens) -> SavedPlan {
    let terms = Terms {
        target: "qa".into(),
        api: "https://api.example".into(),
        only: Vec::new(),
        prune: false,
        keep_unverified_secrets: false,
    };
    SavedPlan::of(
        plan,
        Rendering::default(),
        terms,
        unseen,
        &key(),
        "now".into(),
    )
}

/// A plan that went through its file.
fn saved(plan: &Plan, unseen: &[&str]) -> SavedPlan {
    let made = made(plan, sources(unseen, "A_TOKEN"));
    let text = made.to_file(&key()).unwrap();
    assert!(!text.contains("canary"), "{text}");
    let value: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(value["format_version"], FORMAT_VERSION);
    let read = opened(text.into_bytes()).unwrap();
    assert_eq!(read, made);
    read
}

fn opened(bytes: Vec<u8>) -> Result<SavedPlan, String> {
    let sealed = SealedPlan::read(bytes).map_err(|error| error.to_string())?;
    sealed.open(&key()).map_err(|error| error.to_string())
}

fn stale_with(saved: &SavedPlan, plan: &Plan, variable: &str) -> Vec<String> {
    let keys = ["seen", "a", "b"];
    let now = Now {
        plan,
        document: &Value::Null,
        sources: &sources(&keys, variable),
    };
    let stale = saved.stale(now, &key());
    stale.iter().map(|stale| stale.key.to_string()).collect()
}

fn stale(saved: &SavedPlan, plan: &Plan) -> Vec<String> {
    stale_with(saved, plan, "A_TOKEN")
}

#[test]
fn the_same_plan_holds_after_a_round_through_its_file() {
    let plan = plan(vec![create("a", Some(known("canary")), 10), forget("b")]);
    let saved = saved(&plan, &[]);
    assert_eq!(stale(&saved, &plan), [""; 0]);
    assert_eq!(saved.salts().len(), 1);
    assert_eq!(saved.unseen_writes(&plan), []);
}

#[test]
fn every_difference_is_reported_by_its_key() {
    let then = saved(
        &plan(vec![
            create("field", Some(known("t")), 10),
            create("token", Some(known("t")), 10),
            forget("gone"),
            create("same", Some(known("t")), 10),
        ]),
        &[],
    );
    let now = plan(vec![
        create("field", Some(known("t")), 11),
        create("token", Some(known("u")), 10),
        create("new", Some(known("t")), 10),
        create("same", Some(known("t")), 10),
    ]);
    assert_eq!(stale(&then, &now), ["field", "gone", "new", "token"]);
    let sources = UnseenTokens::new();
    let now = Now {
        plan: &now,
        document: &Value::Null,
        sources: &sources,
    };
    assert_eq!(then.stale(now, &other_key()).len(), 5);
}

#[test]
fn a_token_that_was_not_seen_binds_everything_but_its_value() {
    let fields = || vec![(Field::TimeoutSeconds, FieldValue::Number(20))];
    let unresolved = Some(TokenEvidence::Unresolved);
    let then = plan(vec![
        create("a", unresolved, 10),
        update("b", fields(), TokenChange::Keep),
    ]);
    let then = saved(&then, &["a", "b", "c"]);
    assert_eq!(then.salts().len(), 0);
    let now = |token: &str| {
        plan(vec![
            create("a", Some(known(token)), 10),
            update("b", fields(), TokenChange::Set(known(token))),
        ])
    };
    // "c" is no longer declared, so the source of its token changed.
    assert_eq!(stale(&then, &now("one")), ["c"]);
    assert_eq!(stale(&then, &now("two")), ["c"]);
    let written = then.unseen_writes(&now("one"));
    assert_eq!(written, [name("a"), name("b")]);
    assert_eq!(stale_with(&then, &now("one"), "OTHER"), ["a", "b", "c"]);

    let then = saved(
        &plan(vec![update("b", fields(), TokenChange::Keep)]),
        &["a", "b"],
    );
    let only_a_token = plan(vec![
        update("a", Vec::new(), TokenChange::Set(known("t"))),
        update("b", fields(), TokenChange::Keep),
    ]);
    assert_eq!(stale(&then, &only_a_token), [""; 0]);
    assert_eq!(then.unseen_writes(&only_a_token), [name("a")]);
    for changed in [
        vec![update("b", fields(), TokenChange::Clear)],
        vec![update("b", Vec::new(), TokenChange::Set(known("t")))],
        vec![create("b", Some(known("t")), 20)],
    ] {
        assert_eq!(stale(&then, &plan(changed)), ["b"]);
    }
    let cleared = plan(vec![
        update("a", Vec::new(), TokenChange::Clear),
        update("b", fields(), TokenChange::Keep),
    ]);
    assert_eq!(stale(&then, &cleared), ["a"]);
    let without = saved(&plan(vec![create("a", unresolved, 10)]), &["a"]);
    assert_eq!(stale(&without, &plan(vec![create("a", None, 10)])), ["a"]);
}

#[test]
fn a_source_is_distinguished_from_every_other() {
    let env = |name: &str| SecretSource::Env { name: name.into() };
    let command = |arguments: &[&str]| SecretSource::Command {
        program: "op".into(),
        arguments: arguments.iter().map(ToString::to_string).collect(),
        directory: "/somewhere".into(),
    };
    let all = [
        env("A"),
        env("B"),
        command(&["a", "bc"]),
        command(&["ab", "c"]),
        command(&[]),
        SecretSource::File {
            path: "/x/A".into(),
            written: "A".into(),
            confined_to: None,
        },
    ];
    let seals: Vec<Seal> = all.iter().map(|one| token_source(one, &key())).collect();
    for (index, seal) in seals.iter().enumerate() {
        let same = seals.iter().position(|other| other == seal);
        assert_eq!(same, Some(index));
    }
}

#[test]
fn nothing_comes_out_of_a_file_that_is_not_as_it_was_written() {
    let plan = plan(vec![create("a", Some(known("t")), 10)]);
    let file = made(&plan, UnseenTokens::new()).to_file(&key()).unwrap();
    let sealed = SealedPlan::read(file.clone().into_bytes()).unwrap();
    assert!(!sealed.is_for_sandbox());
    let error = sealed.open(&other_key()).unwrap_err();
    assert!(matches!(error, OpenError::OtherKey));

    // A plan that says that another key sealed it.
    let claimed = file.replace(&key().id().to_string(), &other_key().id().to_string());
    let sealed = SealedPlan::read(claimed.into_bytes()).unwrap();
    let error = sealed.open(&other_key()).unwrap_err();
    assert!(matches!(error, OpenError::Changed));

    let upper = |file: &str| {
        let seal = file.split("\"seal\": \"").nth(1).unwrap();
        let seal = &seal[..Seal::TEXT_LENGTH];
        file.replace(seal, &seal.to_uppercase())
    };
    let windows = file.replace('\n', "\r\n");
    let old = file.replace("\"format_version\": \"2\"", "\"format_version\": \"1\"");
    let later = file.replace("\"format_version\": \"2\"", "\"format_version\": \"21\"");
    let twice = format!("{file}{file}");
    let spaced = format!("{file} ");
    for (text, error) in [
        ("", NoPlan::Form),
        ("{}", NoPlan::Form),
        (&windows, NoPlan::Form),
        (&old, NoPlan::Version),
        (&later, NoPlan::Version),
        (&upper(&file), NoPlan::Form),
    ] {
        let read = SealedPlan::read(text.as_bytes().to_vec());
        assert_eq!(read.err(), Some(error), "{text}");
    }
    for text in [&twice, &spaced, &file.replace("\"now\"", "\"then\"")] {
        assert!(opened(text.clone().into_bytes()).is_err(), "{text}");
    }
}

#[test]
fn a_plan_of_another_version_is_reported_behind_its_seal() {
    let mut saved = made(&plan(Vec::new()), UnseenTokens::new());
    saved.content.tool_version = "9.9.9".to_owned();
    let file = saved.to_file(&key()).unwrap();
    let error = opened(file.clone().into_bytes()).unwrap_err();
    assert!(
        error.starts_with("it was saved by hookctl 9.9.9"),
        "{error}"
    );
    let forged = file.replace("9.9.9", "9.9.8");
    let error = opened(forged.into_bytes()).unwrap_err();
    assert!(error.contains("seal does not match"), "{error}");
}

mod edits {
    use proptest::prelude::*;

    use super::*;

    fn files() -> (Vec<u8>, Vec<u8>) {
        let one = plan(vec![create("a", Some(known("t")), 10), forget("b")]);
        let two = plan(vec![create("a", Some(known("u")), 20)]);
        let file = |plan: &Plan, unseen| made(plan, unseen).to_file(&key()).unwrap().into_bytes();
        (
            file(&one, UnseenTokens::new()),
            file(&two, sources(&["a"], "A")),
        )
    }

    #[test]
    fn no_flipped_bit_and_no_cut_is_accepted() {
        let (file, _) = files();
        assert!(opened(file.clone()).is_ok());
        for at in 0..file.len() {
            for bit in 0..8 {
                let mut flipped = file.clone();
                flipped[at] ^= 1 << bit;
                assert!(opened(flipped).is_err(), "byte {at}, bit {bit}");
            }
            assert!(opened(file[..at].to_vec()).is_err(), "cut at {at}");
        }
    }

    proptest! {
        #[test]
        fn no_edit_and_no_mixture_is_accepted(
            from in 0_usize..2_000,
            length in 0_usize..200,
            other_from in 0_usize..2_000,
            other_length in 0_usize..200,
            inserted in proptest::option::of("[ \\n,\"a-z0-9{}:]{1,20}"),
        ) {
            let (file, other) = files();
            let range = |bytes: &[u8], from: usize, length: usize| {
                let from = from.min(bytes.len());
                from..(from + length).min(bytes.len())
            };
            let with = match inserted {
                Some(text) => text.into_bytes(),
                None => other[range(&other, other_from, other_length)].to_vec(),
            };
            let mut edited = file.clone();
            edited.splice(range(&file, from, length), with);
            if edited != file {
                prop_assert!(opened(edited).is_err());
            }
            // The head of one with the rest of another, whatever the cut.
            let cut = from.min(file.len()).min(other.len());
            let mixed = [&file[..cut], &other[cut..]].concat();
            if mixed != file && mixed != other {
                prop_assert!(opened(mixed).is_err());
            }
        }
    }
}
