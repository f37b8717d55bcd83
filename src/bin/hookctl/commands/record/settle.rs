//! Changes to the record outside of a pass.

use hookctl::record::{OpenRecord, Settlement};

use crate::error::CommandError;

/// Records settlements in one transaction.
pub(super) async fn settle(
    open: &OpenRecord,
    settlements: Vec<Settlement>,
) -> Result<(), CommandError> {
    open.settle_together(settlements)
        .await
        .map_err(|error| CommandError::caused("record", &error))
}
