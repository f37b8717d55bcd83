//! A run that was killed, and the next one after a boot: uptimes of two boots cannot be compared, so that a horizon counts
//! from the first time that a run of this boot saw the intent.

use std::time::Duration;

use hookctl::sandbox::{Dialect, Fault, Hears, When};

use crate::scene::Scene;

const HOOK: &str =
    "webhooks:\n  hook: { name: Hook, url: 'https://hook.example.com', actions: all }\n";
const FIRST_POST: When = When::Nth {
    method: "POST",
    number: 1,
};

/// Starts a pass, and ends it when the account has got that many requests; what is under way then is let go.
async fn killed_after(scene: &mut Scene, requests: usize) {
    let sandbox = scene.sandbox.take().unwrap();
    let reached = async {
        while sandbox.received() < requests {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    tokio::select! {
        outcome = scene.pass() => panic!("it ended before {requests} requests: {outcome:?}"),
        () = reached => {}
    }
    scene.sandbox = Some(sandbox);
}

/// A run was killed with its create under way, which never happened, and its horizon has passed.
async fn killed_long_ago() -> Scene {
    let mut scene = Scene::new(Dialect::default()).await;
    scene.declare(HOOK);
    scene.sandbox().fault(FIRST_POST, Fault::Hang);
    killed_after(&mut scene, 2).await;
    assert_eq!(scene.requests(), ["L", "POST \"Hook\""]);
    tokio::time::sleep(scene.horizon.whole()).await;
    scene
}

#[tokio::test]
async fn on_the_same_boot_what_is_long_over_is_sent_at_once() {
    let mut scene = killed_long_ago().await;
    scene.pass().await.unwrap();
    assert_eq!(scene.requests(), ["L", "POST \"Hook\"", "L"]);
}

#[tokio::test]
async fn after_a_boot_the_horizon_counts_from_the_first_sight() {
    let mut scene = killed_long_ago().await;
    scene.boot = Some("the next boot".to_owned());
    scene.pass().await.unwrap();
    assert_eq!(
        scene.requests(),
        ["L", "L", "POST \"Hook\"", "L"],
        "a list at the first sight, one after the horizon, and only then the request"
    );
}

#[tokio::test]
async fn the_first_sight_is_written_down() {
    let mut scene = killed_long_ago().await;
    scene.boot = Some("the next boot".to_owned());
    scene.horizon.0 = Duration::from_mins(1);
    killed_after(&mut scene, 4).await;
    assert_eq!(scene.requests(), ["L", "L"], "it waits");

    scene.horizon.0 = Duration::from_millis(100);
    tokio::time::sleep(scene.horizon.whole()).await;
    scene.pass().await.unwrap();
    assert_eq!(
        scene.requests(),
        ["L", "POST \"Hook\"", "L"],
        "the rest of it"
    );
}

#[tokio::test]
async fn after_a_boot_what_took_effect_meanwhile_is_found() {
    let mut scene = Scene::new(Dialect::default()).await;
    scene.declare(HOOK);
    let (after, hears) = (Duration::from_millis(200), Hears::Nothing);
    scene.horizon.0 = Duration::from_mins(1);
    scene
        .sandbox()
        .fault(FIRST_POST, Fault::Late { after, hears });
    killed_after(&mut scene, 2).await;
    scene.boot = Some("the next boot".to_owned());
    let report = scene.pass().await.unwrap();
    assert!(report.is_complete(), "{report:?}");
    let requests = scene.requests();
    assert_eq!(
        requests.iter().filter(|line| *line != "L").count(),
        1,
        "the create of the killed run is the only write: {requests:?}"
    );
    assert_eq!(scene.sandbox().webhooks().len(), 1);
}
