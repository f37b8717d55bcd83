//! The checks of the API: consent, the key, the connection, and the clocks.

use hookctl::declaration::Declarations;
use hookctl::remote::{ApiError, WebhookApi as _};
use hookctl::render::{Check, Health};
use jiff::SignedDuration;

use super::verdict::{count, problem};
use crate::environment::Environment;
use crate::error::CommandError;
use crate::session::Session;
use crate::settings::Settings;
use crate::trust::{Asks, Request, clear};
use crate::ui::Ui;

/// The difference of the clocks that is no reason to worry. A `Date` has whole seconds, and travels for a while.
const TOLERANCE: SignedDuration = SignedDuration::from_secs(30);

const KEY: &str = "API key";
const API: &str = "API";
const CLOCK: &str = "clock";

/// Checks whether everything that the files ask for has consent.
pub(super) async fn consent(
    ui: &Ui,
    settings: &Settings,
    environment: &Environment,
    declarations: Option<&Declarations>,
) -> Check {
    let request = Request {
        sandbox: false,
        api: settings.target.api_url.is_some(),
        tokens: declarations,
        asks: Asks::Never,
    };
    match clear(ui, settings, environment, request).await {
        Ok(_) => Check::ok("consent", "given, or not needed"),
        Err(error) => problem("consent", &error),
    }
}

/// What a request to the API found.
pub(super) struct Access {
    key: Check,
    api: Check,
    clock: Check,
}

impl Access {
    /// Reads one webhook of the list.
    pub(super) async fn check(ui: &Ui, settings: &Settings, environment: &Environment) -> Self {
        let session = match session(ui, settings, environment).await {
            Ok(session) => session,
            Err(error) => return Self::without_session(&error),
        };
        let key = Check::ok(KEY, format!("from {}", settings.target.api_key));
        let read = session.api().page(1, 1).await;
        let url = settings.target.api_url.as_ref();
        let url = url.map(ToString::to_string).unwrap_or_default();
        let clock = match session.api().clock_difference() {
            Some(difference) => clock(difference),
            None => Check::skipped(CLOCK, "a response with a date"),
        };
        let api = match read {
            Ok(page) => {
                let webhooks = page
                    .total
                    .and_then(|total| usize::try_from(total).ok())
                    .map(|total| format!("; the account has {}", count(total, "webhook")));
                Check::ok(
                    API,
                    format!("{url} accepts the key{}", webhooks.unwrap_or_default()),
                )
            }
            Err(error) => problem(API, &failure(&error)),
        };
        Self { key, api, clock }
    }

    fn without_session(error: &CommandError) -> Self {
        let clock = Check::skipped(CLOCK, "a response of the API");
        match error.code {
            "api-key" | "fingerprint-key" => Self {
                key: problem(KEY, error),
                api: Check::skipped(API, "the API key"),
                clock,
            },
            "untrusted" => Self {
                key: Check::skipped(KEY, "consent"),
                api: Check::skipped(API, "consent"),
                clock,
            },
            _ => Self {
                key: Check::skipped(KEY, "an API to send it to"),
                api: problem(API, error),
                clock,
            },
        }
    }

    /// Returns the checks in their order.
    pub(super) fn into_checks(self) -> [Check; 3] {
        [self.key, self.api, self.clock]
    }
}

/// Returns a session without the record, whose problems have a line of their own.
async fn session(
    ui: &Ui,
    settings: &Settings,
    environment: &Environment,
) -> Result<Session, CommandError> {
    let request = Request::of_api(false, Asks::Never);
    let cleared = clear(ui, settings, environment, request).await?;
    Session::without_record(settings, environment, &cleared).await
}

fn failure(error: &ApiError) -> CommandError {
    CommandError::caused("api", error)
}

/// Judges how far the API's clock is ahead.
fn clock(difference: SignedDuration) -> Check {
    if difference.abs() <= TOLERANCE {
        return Check::ok(CLOCK, "agrees with the API's");
    }
    let seconds = count(
        usize::try_from(difference.abs().as_secs()).unwrap_or(usize::MAX),
        "second",
    );
    let direction = if difference.is_positive() {
        "behind"
    } else {
        "ahead of"
    };
    Check::new(
        CLOCK,
        Health::Warning,
        format!("the clock of this machine is {seconds} {direction} the API's"),
    )
    .hint("set it, for example with NTP: times in the history and `--since` are wrong by as much")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_is_off_is_a_warning() {
        let judged = |seconds| {
            let check = clock(SignedDuration::from_secs(seconds));
            (check.health, check.message)
        };
        for close in [-30, -1, 0, 30] {
            assert_eq!(judged(close).0, Health::Ok);
        }
        let message = "the clock of this machine is 31 seconds behind the API's".to_owned();
        assert_eq!(judged(31), (Health::Warning, message));
        let message = "the clock of this machine is 3600 seconds ahead of the API's".to_owned();
        assert_eq!(judged(-3600), (Health::Warning, message));
    }
}
