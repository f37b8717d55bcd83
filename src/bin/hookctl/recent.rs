//! The deliveries of the last 24 hours, as `status`, `report`, and the page of a watch count them.

use std::time::Duration;

use hookctl::remote::{ApiError, DeliveryApi, EventQuery, read_events};
use hookctl::render::DeliveryCounts;

use crate::mask;
use crate::run::ago;

/// The period for which deliveries are counted.
const PERIOD: Duration = Duration::from_hours(24);

/// Reads and counts the deliveries of the account, `most` at most.
pub(crate) async fn recent_deliveries(
    api: &impl DeliveryApi,
    most: usize,
) -> Result<DeliveryCounts, ApiError> {
    let since = ago(PERIOD);
    let query = EventQuery {
        start: Some(since.clone()),
        ..EventQuery::default()
    };
    let events = mask::events(read_events(api, &query, most).await?);
    Ok(DeliveryCounts::new(&since, &events))
}
