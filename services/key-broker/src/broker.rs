//! The broker without its wire: a store, an identity, and work on them.

use std::sync::Arc;

use broker_store::{Backend, RootKey, SharedStore, Store, StoreError, Witness};
use dcap_quote::UnixTime;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use x509_cert::der::Decode as _;

use crate::audit::{Actor, AuditHead, AuditKey, Outcome};
use crate::identity::{Identity, IdentityError};
use crate::policies::Policies;
use crate::problem::Problem;
use crate::work::{About, Work};

/// A broker that works on its store.
#[derive(Clone)]
pub struct Broker {
    store: SharedStore,
    shared: Arc<Shared>,
}

struct Shared {
    identity: Identity,
    audit: AuditKey,
    policies: Policies,
}

/// Where store and audit log end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Heads {
    /// The last commit.
    pub store: Witness,
    /// The last entry of the audit log.
    pub audit: AuditHead,
}

impl Broker {
    /// Makes a broker where nothing is. Administrators are named by the SHA-256 of their client certificates.
    ///
    /// # Errors
    /// When there is one, or nobody is named.
    pub fn init(
        backend: Box<dyn Backend>,
        root: &RootKey,
        administrators: &[[u8; 32]],
        now: UnixTime,
    ) -> Result<Store, IdentityError> {
        let identity = Identity::make(administrators, now)?;
        let audit = identity.audit_key()?;
        let mut store = Store::init(backend, root)?;
        let policies = Policies::default();
        let made: Result<(), Problem> = store.update(|transaction| {
            identity.write(transaction)?;
            let mut work = Work {
                transaction,
                identity: &identity,
                audit: &audit,
                policies: &policies,
                now,
            };
            let about = own("broker.init", &identity);
            work.record(
                &about,
                Outcome::Granted,
                format!("{} administrators", administrators.len()),
            )
        });
        // The store is new, so nothing of it can be wrong but the disk.
        made.map_err(|_| IdentityError::Missing)?;
        Ok(store)
    }

    /// By which an administrator is named: the SHA-256 of a certificate in PEM.
    #[must_use]
    pub fn certificate_hash(pem: &[u8]) -> Option<[u8; 32]> {
        let certificate = CertificateDer::from_pem_slice(pem).ok()?;
        x509_cert::Certificate::from_der(&certificate).ok()?;
        let hash = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &certificate);
        hash.as_ref().try_into().ok()
    }

    /// The time of the last entry in the audit log. A clock that is behind it was set back, or was wrong then.
    ///
    /// # Errors
    /// When the entry cannot be read.
    pub fn last_seen(store: &mut Store) -> Result<Option<UnixTime>, StoreError> {
        store.update(|transaction| {
            let last = transaction.journal(transaction.journal_size())?;
            Ok(last.first().and_then(|entry| crate::audit::time_of(&entry.bytes)))
        })
    }

    /// Begins to work on an open store. `reason` says in the audit log how it was opened.
    ///
    /// # Errors
    /// When there is no broker in it, or the start cannot be written to the audit log.
    pub fn start(mut store: Store, reason: &str, now: UnixTime) -> Result<Self, IdentityError> {
        let identity: Result<Identity, IdentityError> = store.update(Identity::read);
        let identity = identity?;
        let shared = Shared {
            audit: identity.audit_key()?,
            policies: Policies::default(),
            identity,
        };
        let recorded: Result<(), Problem> = store.update(|transaction| {
            let about = own("broker.start", &shared.identity);
            shared
                .work(transaction, now)
                .record(&about, Outcome::Granted, reason)
        });
        recorded.map_err(|problem| IdentityError::Start(problem.to_string()))?;
        let store = SharedStore::start(store);
        let store = store.map_err(|error| IdentityError::Start(error.to_string()))?;
        Ok(Self {
            store,
            shared: Arc::new(shared),
        })
    }

    /// Its name: 32 hexadecimal digits.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.shared.identity.id
    }

    /// Its authority's certificate, DER.
    #[must_use]
    pub fn authority(&self) -> &[u8] {
        &self.shared.identity.authority.own.0
    }

    /// The public key that verifies its audit log, SubjectPublicKeyInfo in DER.
    ///
    /// # Errors
    /// When the cryptographic library fails.
    pub fn audit_public_key(&self) -> Result<Vec<u8>, IdentityError> {
        Ok(self.shared.audit.public_key()?)
    }

    /// Where store and audit log end now.
    ///
    /// # Errors
    /// When the store does not work any more.
    pub async fn heads(&self) -> Result<Heads, StoreError> {
        let audit = self.store.update(|transaction| {
            Ok::<_, StoreError>(AuditHead {
                sequence: transaction.journal_size(),
                hash: base16ct::lower::encode_string(&transaction.journal_hash()),
            })
        });
        let audit = audit.await?;
        let store = self.store.with(|store| store.witness()).await?;
        Ok(Heads { store, audit })
    }

    /// Works on the store itself, for backups and checks.
    ///
    /// # Errors
    /// When the store does not work any more.
    pub async fn with_store<T: Send + 'static>(
        &self,
        work: impl FnMut(&mut Store) -> T + Send + 'static,
    ) -> Result<T, StoreError> {
        self.store.with(work).await
    }

    pub(crate) fn identity(&self) -> &Identity {
        &self.shared.identity
    }

    /// Does a piece of work. What it has written is on the disk when this returns.
    pub(crate) async fn work<T: Send + 'static>(
        &self,
        now: UnixTime,
        mut work: impl FnMut(&mut Work<'_, '_>) -> Result<T, Problem> + Send + 'static,
    ) -> Result<T, Problem> {
        let shared = Arc::clone(&self.shared);
        let change =
            move |transaction: &mut broker_store::Transaction<'_>| work(&mut shared.work(transaction, now));
        self.store.update(change).await
    }
}

impl Shared {
    fn work<'w, 't>(
        &'w self,
        transaction: &'w mut broker_store::Transaction<'t>,
        now: UnixTime,
    ) -> Work<'w, 't> {
        Work {
            transaction,
            identity: &self.identity,
            audit: &self.audit,
            policies: &self.policies,
            now,
        }
    }
}

fn own(action: &'static str, identity: &Identity) -> About<'static> {
    About {
        actor: Actor::Broker,
        action,
        deployment: None,
        subject: Some(identity.id.clone()),
    }
}
