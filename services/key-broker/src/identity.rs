//! What a broker is: its name, its authority, the key of its audit log, its administrators. Made once.

use aws_lc_rs::rand;
use broker_store::{StoreError, Table, Transaction};
use dcap_quote::{Bytes, UnixTime};
use deployment_policy::Principal;
use deployment_policy::document::KeyAlgorithm;
use serde::{Deserialize, Serialize};

use crate::audit::{AuditKey, AuditKeyError};
use crate::authority::{Authority, AuthorityError};
use crate::encoding::Base64Secret;
use crate::records;

const RECORD: &str = "identity";
/// Seconds for which the broker's authority is valid: twenty years.
const LIFETIME: u64 = 20 * 365 * 24 * 60 * 60;

/// A broker's identity.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Identity {
    /// 16 random bytes in hexadecimal.
    pub id: String,
    pub authority: Authority,
    /// PKCS #8.
    audit_key: Base64Secret,
    /// Who may do everything but bypass approvals: SHA-256 of their certificates.
    administrators: Vec<String>,
    pub made: u64,
}

/// Why a broker could not be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum IdentityError {
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Its authority.
    #[error(transparent)]
    Authority(#[from] AuthorityError),
    /// Its audit log.
    #[error(transparent)]
    Audit(#[from] AuditKeyError),
    /// The store has no broker in it, though it is one's store.
    #[error(
        "the store has no broker in it: its making was interrupted; remove the store, and run nacre broker init again"
    )]
    Missing,
    /// It cannot begin to work.
    #[error("the broker cannot start: {0}")]
    Start(String),
    /// Nobody could do anything.
    #[error("a broker needs an administrator: name a client certificate")]
    NoAdministrator,
}

impl Identity {
    pub fn make(administrators: &[[u8; 32]], now: UnixTime) -> Result<Self, IdentityError> {
        if administrators.is_empty() {
            return Err(IdentityError::NoAdministrator);
        }
        let mut id = [0; 16];
        rand::fill(&mut id).map_err(|_| AuthorityError::Random)?;
        let id = base16ct::lower::encode_string(&id);
        let common_name = format!("Nacre broker {id}");
        Ok(Self {
            authority: Authority::make(KeyAlgorithm::P256, &common_name, None, None, now, LIFETIME)?,
            audit_key: Base64Secret(AuditKey::generate()?),
            administrators: administrators
                .iter()
                .map(|hash| Bytes(*hash).to_string())
                .collect(),
            made: now.0,
            id,
        })
    }

    pub fn audit_key(&self) -> Result<AuditKey, AuditKeyError> {
        AuditKey::from_pkcs8(&self.audit_key.0)
    }

    pub fn is_administrator(&self, principal: &Principal) -> bool {
        self.administrators.contains(&principal.certificate.to_string())
    }

    pub fn write(&self, transaction: &mut Transaction<'_>) -> Result<(), StoreError> {
        records::write(transaction, Table::Broker, RECORD, self)
    }

    pub fn read(transaction: &mut Transaction<'_>) -> Result<Self, IdentityError> {
        records::read(transaction, Table::Broker, RECORD)?.ok_or(IdentityError::Missing)
    }
}
