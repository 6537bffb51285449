//! The service without HTTP: typed requests in, tokens out. The time and each token's identifier
//! are arguments.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use dcap_quote::{Policy as Acceptable, Trust, UnixTime};
use serde_json::Value;

use crate::claims::Claims;
use crate::collateral::CollateralSource;
use crate::error::{ApiError, ErrorCode};
use crate::keys::{KeyError, KeyRing};
use crate::platforms::Platforms;
use crate::policies::Policies;
use crate::signers::{PolicySigners, SignerCertificate};
use crate::store::{Store, StoreError};

/// What a service is told when it starts.
pub(crate) struct Settings {
    /// Where clients reach it, without a slash at the end.
    pub issuer: String,
    /// Whom it trusts.
    pub trust: Trust,
    /// TCB statuses that policies are asked about, beyond `UpToDate`.
    pub acceptable: Acceptable,
    /// Certificates whose owners may change policies, on top of those in the store.
    pub policy_signers: Vec<SignerCertificate>,
}

/// An attestation service.
///
/// What calls read is an unchanging snapshot; a change is written to the store, and then replaces the snapshot. The lock of the
/// store is taken before that of the snapshot, and that of management before both.
pub(crate) struct Service {
    pub(crate) settings: Settings,
    pub(crate) source: Arc<dyn CollateralSource>,
    pub(crate) platforms: Platforms,
    /// Held while policies or their signers change, so that nobody is removed from the signers between
    /// the check that he is one and the change that he signed.
    management: Mutex<()>,
    store: Mutex<Store>,
    state: RwLock<Arc<State>>,
}

/// Everything that changes while the service runs.
pub(crate) struct State {
    pub keys: KeyRing,
    pub policies: Policies,
    pub signers: PolicySigners,
}

/// A token's unique name (`jti`), 32 random bytes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TokenId(pub [u8; 32]);

/// Why a service does not start.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ServiceError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Key(#[from] KeyError),
}

impl Service {
    pub fn new(
        settings: Settings,
        source: Arc<dyn CollateralSource>,
        store: Store,
        now: UnixTime,
    ) -> Result<Self, ServiceError> {
        for signer in &settings.policy_signers {
            store.add_policy_signer(signer.der(), now)?;
        }
        let state = State::load(&store, &settings.issuer, now)?;
        Ok(Self {
            settings,
            source,
            platforms: Platforms::default(),
            management: Mutex::new(()),
            store: Mutex::new(store),
            state: RwLock::new(Arc::new(state)),
        })
    }

    /// The state now.
    pub fn state(&self) -> Arc<State> {
        Arc::clone(&self.state.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Locks policies and their signers against other changes.
    pub fn lock_management(&self) -> MutexGuard<'_, ()> {
        self.management.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes the store, then reads it anew.
    ///
    /// Nothing of it is done halfway: `change` makes one statement, and the state is read whole or stays.
    pub fn change(
        &self,
        now: UnixTime,
        change: impl FnOnce(&Store) -> Result<(), StoreError>,
    ) -> Result<(), ServiceError> {
        let store = self.store.lock().unwrap_or_else(PoisonError::into_inner);
        change(&store)?;
        let state = State::load(&store, &self.settings.issuer, now)?;
        *self.state.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(state);
        Ok(())
    }

    /// Makes and forgets signing keys, if that is due.
    pub fn maintain(&self, now: UnixTime) -> Result<(), ServiceError> {
        self.change(now, |_| Ok(()))
    }

    /// Where the keys are published.
    pub fn key_set_url(&self) -> String {
        format!("{}/certs", self.settings.issuer)
    }

    /// A token by the service with these claims.
    pub fn sign(&self, state: &State, claims: Claims, now: UnixTime) -> Result<String, ApiError> {
        let signed = state.keys.sign(&self.key_set_url(), &Value::Object(claims), now);
        signed.map_err(|error| ErrorCode::InternalError.because(format!("cannot sign: {error}")))
    }

    /// Claims about the token itself.
    pub fn add_own(&self, claims: &mut Claims, lifetime: u64, now: UnixTime, TokenId(id): TokenId) {
        let mut put = |name: &str, value: Value| {
            claims.insert(name.to_owned(), value);
        };
        put("iss", self.settings.issuer.as_str().into());
        put("jti", base16ct::lower::encode_string(&id).into());
        put("iat", now.0.into());
        put("nbf", now.0.into());
        put("exp", now.0.saturating_add(lifetime).into());
    }
}

impl State {
    fn load(store: &Store, issuer: &str, now: UnixTime) -> Result<Self, ServiceError> {
        let signers = store
            .policy_signers()?
            .into_iter()
            .map(|der| SignerCertificate::parse(der).map_err(|error| store.damaged(error.to_string())));
        Ok(Self {
            keys: KeyRing::maintain(store, issuer, now)?,
            policies: Policies::load(store)?,
            signers: PolicySigners::new(signers.collect::<Result<_, _>>()?),
        })
    }
}
