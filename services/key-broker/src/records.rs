//! Records: what is stored as JSON, and read again.

use broker_store::{StoreError, Table, Transaction};
use serde::Serialize;
use serde::de::DeserializeOwned;
use zeroize::Zeroizing;

/// A record, unless there is none of this name.
pub(crate) fn read<T: DeserializeOwned>(
    transaction: &mut Transaction<'_>,
    table: Table,
    name: &str,
) -> Result<Option<T>, StoreError> {
    let Some(record) = transaction.get(table, name)? else {
        return Ok(None);
    };
    let value = serde_json::from_slice(&record.value);
    // It was sealed by a broker, so it is another version's.
    value
        .map(Some)
        .map_err(|_| StoreError::Damaged("a record is of another version of the broker; use that version"))
}

pub(crate) fn write(
    transaction: &mut Transaction<'_>,
    table: Table,
    name: &str,
    value: &impl Serialize,
) -> Result<(), StoreError> {
    let json = serde_json::to_vec(value).map(Zeroizing::new);
    let json = json.map_err(|_| StoreError::Damaged("a record cannot be written as JSON"))?;
    transaction.put(table, name, &json)
}
