//! A run that was killed, and the next one after a boot: uptimes of two boots cannot be compared, so that a horizon counts
//! from the first time that a run of this boot saw the intent.

use std::time::Duration;

use hookctl::sandbox::{Dialect, Fault, Hears, When};

use crate::fixture::Fixture;

const HOOK: &str =
    "webhooks:\n  hook: { name: Hook, url: 'https://hook.example.com', actions: all }\n";
const FIRST_POST: When = When::Nth {
    method: "POST",
    number: 1,
};

/// Starts a pass, and ends it when the account has got that many requests; what is under way then is let go.
async fn killed_after(fixture: &mut Fixture, requests: usize) {
    let sandbox = fixture.sandbox.take().unwrap();
    let reached = async {
        while sandbox.received() < requests {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    tokio::select! {
        outcome = fixture.pass() => panic!("it ended before {requests} requests: {outcome:?}"),
        () = reached => {}
    }
    fixture.sandbox = Some(sandbox);
}

/// A run was killed with its create under way, which never happened, and its horizon has passed.
async fn killed_long_ago() -> Fixture {
    let mut fixture = Fixture::new(Dialect::default()).await;
    fixture.declare(HOOK);
    fixture.sandbox().fault(FIRST_POST, Fault::Hang);
    killed_after(&mut fixture, 2).await;
    assert_eq!(fixture.requests(), ["L", "POST \"Hook\""]);
    tokio::time::sleep(fixture.horizon.whole()).await;
    fixture
}

#[tokio::test]
async fn on_the_same_boot_what_is_long_over_is_sent_at_once() {
    let mut fixture = killed_long_ago().await;
    fixture.pass().await.unwrap();
    assert_eq!(fixture.requests(), ["L", "POST \"Hook\"", "L"]);
}

#[tokio::test]
async fn after_a_boot_the_horizon_counts_from_the_first_sight() {
    let mut fixture = killed_long_ago().await;
    fixture.boot = Some("the next boot".to_owned());
    fixture.pass().await.unwrap();
    assert_eq!(
        fixture.requests(),
        ["L", "L", "POST \"Hook\"", "L"],
        "a list at the first sight, one after the horizon, and only then the request"
    );
}

#[tokio::test]
async fn the_first_sight_is_written_down() {
    let mut fixture = killed_long_ago().await;
    fixture.boot = Some("the next boot".to_owned());
    fixture.horizon.0 = Duration::from_mins(1);
    killed_after(&mut fixture, 4).await;
    assert_eq!(fixture.requests(), ["L", "L"], "it waits");

    fixture.horizon.0 = Duration::from_millis(100);
    tokio::time::sleep(fixture.horizon.whole()).await;
    fixture.pass().await.unwrap();
    assert_eq!(
        fixture.requests(),
        ["L", "POST \"Hook\"", "L"],
        "the rest of it"
    );
}

#[tokio::test]
async fn after_a_boot_what_took_effect_meanwhile_is_found() {
    let mut fixture = Fixture::new(Dialect::default()).await;
    fixture.declare(HOOK);
    let (after, hears) = (Duration::from_millis(200), Hears::Nothing);
    fixture.horizon.0 = Duration::from_mins(1);
    fixture
        .sandbox()
        .fault(FIRST_POST, Fault::Late { after, hears });
    killed_after(&mut fixture, 2).await;
    fixture.boot = Some("the next boot".to_owned());
    let report = fixture.pass().await.unwrap();
    assert!(report.is_complete(), "{report:?}");
    let requests = fixture.requests();
    assert_eq!(
        requests.iter().filter(|line| *line != "L").count(),
        1,
        "the create of the killed run is the only write: {requests:?}"
    );
    assert_eq!(fixture.sandbox().webhooks().len(), 1);
}
