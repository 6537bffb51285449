//! The policy of a relying party: which claims a token must have.

use aws_lc_rs::digest::{SHA256, digest};
use serde_json::Value;

use crate::claims::{ClaimError, Claims};

/// What is demanded of a token.
///
/// The default demands a known kind of environment that nobody debugs on a platform that is not simulated, and nothing of what
/// runs there: name an identity ([`require_mrenclave`](Self::require_mrenclave) or
/// [`require_mrsigner`](Self::require_mrsigner) with a product and a version), and something fresh
/// ([`require_nonce`](Self::require_nonce), [`require_runtime_data`](Self::require_runtime_data)).
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ClaimPolicy {
    mr_enclaves: Vec<[u8; 32]>,
    mr_signers: Vec<[u8; 32]>,
    product_id: Option<u16>,
    min_svn: Option<u16>,
    nonce: Option<String>,
    runtime_data: Option<[u8; 32]>,
    policy_hash: Option<String>,
    claims: Vec<(String, Value)>,
    allows_debug: bool,
    allows_simulated: bool,
}

/// Why a valid token is not acceptable.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Objection {
    /// A claim that is needed is missing or malformed.
    #[error("{0}")]
    Claim(#[from] ClaimError),
    /// The platform protects nothing.
    #[error(
        "the platform is simulated and protects nothing; run the enclave on SGX, or accept simulated platforms in development"
    )]
    Simulated,
    /// The host can look into it.
    #[error("its host can debug it; run it without the attribute DEBUG")]
    Debug,
    /// Another enclave.
    #[error("MRENCLAVE is {}, which is not among those that are accepted; run the expected image or accept this one", base16ct::lower::encode_string(.0))]
    MrEnclave([u8; 32]),
    /// Another signer.
    #[error("MRSIGNER is {}, which is not among those that are accepted; use an image signed with the expected key", base16ct::lower::encode_string(.0))]
    MrSigner([u8; 32]),
    /// Another product of the signer.
    #[error("ISVPRODID is {found}, and {expected} is required; run the expected product")]
    ProductId {
        /// By the policy.
        expected: u16,
        /// In the token.
        found: u16,
    },
    /// An old version.
    #[error("ISVSVN is {found}, and at least {least} is required; update the enclave")]
    Svn {
        /// By the policy.
        least: u16,
        /// In the token.
        found: u16,
    },
    /// Not the answer to this question.
    #[error("the token is not for the nonce that was sent; it may be an old one: attest again")]
    Nonce,
    /// The enclave vouches for other data.
    #[error(
        "the report data is not the hash of the expected runtime data; the enclave vouches for something else"
    )]
    RuntimeData,
    /// The service applied another policy.
    #[error(
        "the service's policy has the hash {0:?}, not the expected one; ask its operator what was changed"
    )]
    PolicyHash(String),
    /// A claim has another value.
    #[error("the claim {0:?} does not have the required value")]
    Value(String),
}

impl ClaimPolicy {
    /// Demands an SGX enclave with this measurement; given several times, one of them.
    #[must_use]
    pub fn require_mrenclave(mut self, mr_enclave: [u8; 32]) -> Self {
        self.mr_enclaves.push(mr_enclave);
        self
    }

    /// Demands an SGX enclave by this signer; given several times, one of them. A signer has many enclaves, so name a
    /// product and a version, too.
    #[must_use]
    pub fn require_mrsigner(mut self, mr_signer: [u8; 32]) -> Self {
        self.mr_signers.push(mr_signer);
        self
    }

    /// Demands this product (ISVPRODID) of the signer.
    #[must_use]
    pub const fn require_product_id(mut self, product_id: u16) -> Self {
        self.product_id = Some(product_id);
        self
    }

    /// Demands this security version (ISVSVN) or a higher one.
    #[must_use]
    pub const fn min_svn(mut self, svn: u16) -> Self {
        self.min_svn = Some(svn);
        self
    }

    /// Demands that the token answers the request with this nonce.
    #[must_use]
    pub fn require_nonce(mut self, nonce: impl Into<String>) -> Self {
        self.nonce = Some(nonce.into());
        self
    }

    /// Demands that the attested code vouches for this data: its SHA-256 is the first half of the report data.
    #[must_use]
    pub fn require_runtime_data(self, data: &[u8]) -> Self {
        let mut hash = [0; 32];
        for (to, from) in hash.iter_mut().zip(digest(&SHA256, data).as_ref()) {
            *to = *from;
        }
        self.require_runtime_data_hash(hash)
    }

    /// As [`require_runtime_data`](Self::require_runtime_data), by the data's SHA-256.
    #[must_use]
    pub const fn require_runtime_data_hash(mut self, hash: [u8; 32]) -> Self {
        self.runtime_data = Some(hash);
        self
    }

    /// Demands that the service applied the policy with this hash (base64url, as in `x-ms-policy-hash`).
    #[must_use]
    pub fn require_policy_hash(mut self, hash: impl Into<String>) -> Self {
        self.policy_hash = Some(hash.into());
        self
    }

    /// Demands that a claim has exactly this value.
    #[must_use]
    pub fn require_claim(mut self, name: impl Into<String>, value: impl Into<Value>) -> Self {
        self.claims.push((name.into(), value.into()));
        self
    }

    /// Accepts what its host can look into. For development only.
    #[must_use]
    pub const fn dangerous_accept_debug(mut self) -> Self {
        self.allows_debug = true;
        self
    }

    /// Accepts simulated platforms, which protect nothing. For development only.
    #[must_use]
    pub const fn dangerous_accept_simulated(mut self) -> Self {
        self.allows_simulated = true;
        self
    }

    /// Everything that speaks against accepting; nothing when the token is acceptable.
    #[must_use]
    pub fn objections(&self, claims: &Claims) -> Vec<Objection> {
        let checks = [
            self.check_platform(claims),
            self.check_debug(claims),
            self.check_nonce(claims),
            self.check_runtime_data(claims),
            self.check_policy_hash(claims),
        ];
        let mut objections: Vec<Objection> = checks.into_iter().filter_map(Result::err).collect();
        objections.extend(self.identity_objections(claims));
        let others = self
            .claims
            .iter()
            .filter(|(name, value)| claims.claim(name).as_ref() != Some(value));
        objections.extend(others.map(|(name, _)| Objection::Value(name.clone())));
        objections
    }

    fn check_platform(&self, claims: &Claims) -> Result<(), Objection> {
        if claims.is_simulated() && !self.allows_simulated {
            return Err(Objection::Simulated);
        }
        Ok(())
    }

    fn check_debug(&self, claims: &Claims) -> Result<(), Objection> {
        if claims.is_debuggable()? && !self.allows_debug {
            return Err(Objection::Debug);
        }
        Ok(())
    }

    fn check_nonce(&self, claims: &Claims) -> Result<(), Objection> {
        match &self.nonce {
            Some(nonce) if claims.text("nonce")? != **nonce => Err(Objection::Nonce),
            _ => Ok(()),
        }
    }

    fn check_runtime_data(&self, claims: &Claims) -> Result<(), Objection> {
        match &self.runtime_data {
            Some(hash) if !claims.report_data()?.starts_with(hash) => Err(Objection::RuntimeData),
            _ => Ok(()),
        }
    }

    fn check_policy_hash(&self, claims: &Claims) -> Result<(), Objection> {
        if let Some(expected) = &self.policy_hash {
            let found = claims.policy_hash()?;
            if found != **expected {
                return Err(Objection::PolicyHash(found.into_owned()));
            }
        }
        Ok(())
    }

    fn demands_identity(&self) -> bool {
        !self.mr_enclaves.is_empty()
            || !self.mr_signers.is_empty()
            || self.product_id.is_some()
            || self.min_svn.is_some()
    }

    fn identity_objections(&self, claims: &Claims) -> Vec<Objection> {
        if !self.demands_identity() {
            return Vec::new();
        }
        let sgx = match claims.sgx() {
            Ok(sgx) => sgx,
            Err(error) => return vec![error.into()],
        };
        let is_among = |accepted: &[[u8; 32]], found| accepted.is_empty() || accepted.contains(found);
        let mut objections = Vec::new();
        if !is_among(&self.mr_enclaves, &sgx.mr_enclave) {
            objections.push(Objection::MrEnclave(sgx.mr_enclave));
        }
        if !is_among(&self.mr_signers, &sgx.mr_signer) {
            objections.push(Objection::MrSigner(sgx.mr_signer));
        }
        if let Some(expected) = self.product_id.filter(|expected| *expected != sgx.product_id) {
            objections.push(Objection::ProductId {
                expected,
                found: sgx.product_id,
            });
        }
        if let Some(least) = self.min_svn.filter(|least| *least > sgx.svn) {
            objections.push(Objection::Svn {
                least,
                found: sgx.svn,
            });
        }
        objections
    }
}
