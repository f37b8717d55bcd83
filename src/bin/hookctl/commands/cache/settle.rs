//! Changes to the record outside of a pass.

use hookctl::cache::Cache;
use hookctl::record::Settlement;

use crate::error::CommandError;

/// Records settlements in one transaction.
pub(super) async fn settle(
    cache: &Cache,
    settlements: Vec<Settlement>,
) -> Result<(), CommandError> {
    cache
        .settle_together(settlements)
        .await
        .map_err(|error| CommandError::caused("record", &error))
}
