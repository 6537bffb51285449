//! Records: a value under a name in a table.

use zeroize::Zeroizing;

use crate::error::StoreError;

/// Bytes of the longest name.
const MAX_NAME: usize = 1024;
/// Bytes of the largest value.
const MAX_VALUE: usize = 4 << 20;

/// What a record is about. The numbers are part of the format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Table {
    /// The broker's own: its keys and settings.
    Broker,
    /// Policies of deployments, each version by itself.
    Policies,
    /// Which policy is in force for a deployment.
    Deployments,
    /// Changes that wait for approval.
    Approvals,
    /// Values of secrets.
    Secrets,
    /// Enclaves that were given something.
    Instances,
}

impl Table {
    const ALL: [Self; 6] = [
        Self::Broker,
        Self::Policies,
        Self::Deployments,
        Self::Approvals,
        Self::Secrets,
        Self::Instances,
    ];

    pub(crate) const fn number(self) -> u8 {
        match self {
            Self::Broker => 1,
            Self::Policies => 2,
            Self::Deployments => 3,
            Self::Approvals => 4,
            Self::Secrets => 5,
            Self::Instances => 6,
        }
    }

    pub(crate) fn of_number(number: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|table| table.number() == number)
    }
}

/// A record as the caller sees it.
#[derive(Clone, PartialEq, Eq)]
pub struct Record {
    /// Its table.
    pub table: Table,
    /// Its name, unique in the table.
    pub name: String,
    /// Sequence of the commit that wrote it.
    pub version: u64,
    /// Its value.
    pub value: Zeroizing<Vec<u8>>,
}

/// Without the value.
impl std::fmt::Debug for Record {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Record")
            .field("table", &self.table)
            .field("name", &self.name)
            .field("version", &self.version)
            .finish_non_exhaustive()
    }
}

/// Table, size of the name (2 bytes, big-endian), name, value.
pub(crate) fn encode(table: Table, name: &str, value: &[u8]) -> Result<Zeroizing<Vec<u8>>, StoreError> {
    let too_large = |what, max| StoreError::TooLarge { what, max };
    if name.len() > MAX_NAME {
        return Err(too_large("name", MAX_NAME));
    }
    if value.len() > MAX_VALUE {
        return Err(too_large("value", MAX_VALUE));
    }
    let size = u16::try_from(name.len()).map_err(|_| too_large("name", MAX_NAME))?;
    // The buffer never grows, which would leave copies behind.
    let capacity = name.len().saturating_add(value.len()).saturating_add(3);
    let mut plain = Zeroizing::new(Vec::with_capacity(capacity));
    plain.push(table.number());
    plain.extend_from_slice(&size.to_be_bytes());
    plain.extend_from_slice(name.as_bytes());
    plain.extend_from_slice(value);
    Ok(plain)
}

pub(crate) fn decode(plain: &[u8]) -> Option<(Table, &str, &[u8])> {
    let (table, rest) = plain.split_first()?;
    let (size, rest) = rest.split_first_chunk()?;
    let (name, value) = rest.split_at_checked(usize::from(u16::from_be_bytes(*size)))?;
    Some((Table::of_number(*table)?, std::str::from_utf8(name).ok()?, value))
}
