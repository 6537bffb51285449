//! Verification that a certificate's key belongs to the expected enclave.

use std::sync::Arc;

use dcap_quote::{
    CheckedCollateral, Identity, Mismatch, Objection, Policy, Quote, QuoteError, Report, Trust, UnixTime,
    Validity, Verdict,
};

use crate::certificate::{CertificateError, RaTlsCertificate};
use crate::evidence::{BindingError, Evidence};

/// Where collateral comes from. The root that it was checked against is the one that is trusted.
///
/// Any function with this signature is one; it is called in the handshake, so it should keep what it has fetched.
pub trait CollateralSource: Send + Sync {
    /// Collateral for the platform that the quote says it comes from, which is a claim
    /// ([`Quote::claimed_platform`]).
    ///
    /// # Errors
    /// When there is none.
    fn collateral(&self, quote: &Quote<'_>) -> Result<Arc<CheckedCollateral>, SourceError>;
}

/// Why there is no collateral.
pub type SourceError = Box<dyn std::error::Error + Send + Sync>;

impl<F> CollateralSource for F
where
    F: Fn(&Quote<'_>) -> Result<Arc<CheckedCollateral>, SourceError> + Send + Sync,
{
    fn collateral(&self, quote: &Quote<'_>) -> Result<Arc<CheckedCollateral>, SourceError> {
        self(quote)
    }
}

/// The same collateral for everybody: peers of one kind of platform.
#[derive(Debug)]
pub struct FixedCollateral(pub Arc<CheckedCollateral>);

impl CollateralSource for FixedCollateral {
    fn collateral(&self, _: &Quote<'_>) -> Result<Arc<CheckedCollateral>, SourceError> {
        Ok(Arc::clone(&self.0))
    }
}

/// Verifies certificates.
pub struct Verifier {
    source: Box<dyn CollateralSource>,
    identity: Identity,
    policy: Policy,
    allows_simulated: bool,
}

/// What a certificate proves: its key belongs to what is described by the verdict.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proof {
    /// The certificate.
    pub certificate: RaTlsCertificate,
    /// On its quote; with two, on the interoperable one, and the other is about the same enclave.
    pub verdict: Verdict,
}

/// Why a certificate is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// The certificate itself.
    #[error("the certificate cannot be used: {0}")]
    Certificate(#[from] CertificateError),
    /// Too old or too new.
    #[error("the certificate is valid from {} to {}, and it is {now}; make a new one, or check the clocks", validity.from, validity.until)]
    NotValid {
        /// Of the certificate.
        validity: Validity,
        /// By the caller.
        now: UnixTime,
    },
    /// What it carries is no quote.
    #[error("the certificate's quote cannot be verified: {0}")]
    Quote(#[from] QuoteError),
    /// The quote is for something else.
    #[error("{0}")]
    Binding(#[from] BindingError),
    /// There is nothing to verify the quote with.
    #[error("there is no collateral to verify the quote with: {0}")]
    NoCollateral(String),
    /// A link between quote and root is broken.
    #[error("the certificate's quote proves nothing: {0}")]
    Untrusted(#[from] dcap_quote::Refusal),
    /// The platform protects nothing.
    #[error(
        "the quote comes from a simulated platform, which protects nothing; accept it in development only"
    )]
    Simulated,
    /// Authentic, and not good enough.
    #[error("the quote is authentic, but not acceptable: {}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
    Objections(Vec<Objection>),
    /// Authentic, and somebody else.
    #[error("the peer is not the expected one: {0}")]
    Identity(#[from] Mismatch),
    /// Two quotes that do not say the same.
    #[error("the certificate's two quotes are about different enclaves")]
    Disagreement,
}

impl Verifier {
    /// Accepts peers with this identity whose quotes are acceptable by [`Policy::default`].
    #[must_use]
    pub fn new(source: impl CollateralSource + 'static, identity: Identity) -> Self {
        Self {
            source: Box::new(source),
            identity,
            policy: Policy::default(),
            allows_simulated: false,
        }
    }

    /// Judges quotes by this policy.
    #[must_use]
    pub fn policy(mut self, policy: Policy) -> Self {
        self.policy = policy;
        self
    }

    /// Accepts simulated platforms, which protect nothing, where the collateral is theirs. For development only.
    #[must_use]
    pub const fn dangerous_accept_simulated(mut self) -> Self {
        self.allows_simulated = true;
        self
    }

    /// Verifies a certificate for the time `now`. That the peer has the private key is for the handshake to show.
    ///
    /// # Errors
    /// With the first thing that is wrong. Every quote in the certificate must hold, and two must be about the same enclave.
    pub fn verify(&self, der: &[u8], now: UnixTime) -> Result<Proof, Refusal> {
        verify_each(der, self.source.as_ref(), now, |verdict| self.judge(verdict))
    }

    fn judge(&self, verdict: &Verdict) -> Result<(), Refusal> {
        if verdict.trust == Trust::Simulated && !self.allows_simulated {
            return Err(Refusal::Simulated);
        }
        let objections = self.policy.objections(verdict);
        if !objections.is_empty() {
            return Err(Refusal::Objections(objections));
        }
        Ok(self.identity.check(&verdict.report)?)
    }
}

/// What a certificate proves, good or bad, for somebody who judges it: whatever enclave on whatever platform, which may be
/// revoked or simulated. That the peer has the private key is for the handshake to show.
///
/// # Errors
/// With the first thing that is wrong with the certificate or its quotes: then it proves nothing.
pub fn dangerous_prove(der: &[u8], source: &dyn CollateralSource, now: UnixTime) -> Result<Proof, Refusal> {
    verify_each(der, source, now, |_| Ok(()))
}

/// Every quote must hold and be judged well, and two must be about the same enclave.
fn verify_each(
    der: &[u8],
    source: &dyn CollateralSource,
    now: UnixTime,
    judge: impl Fn(&Verdict) -> Result<(), Refusal>,
) -> Result<Proof, Refusal> {
    let certificate = RaTlsCertificate::parse(der)?;
    let validity = certificate.validity();
    if !validity.contains(now) {
        return Err(Refusal::NotValid { validity, now });
    }
    let verdicts = certificate.evidence().iter();
    let verdicts = verdicts.map(|evidence| {
        let verdict = verify_evidence(&certificate, evidence, source, now)?;
        judge(&verdict)?;
        Ok(verdict)
    });
    let mut verdicts = verdicts.collect::<Result<Vec<_>, Refusal>>()?.into_iter();
    let verdict = verdicts.next().ok_or(CertificateError::NoEvidence)?;
    if verdicts.any(|other| !is_same(&verdict.report, &other.report)) {
        return Err(Refusal::Disagreement);
    }
    Ok(Proof { certificate, verdict })
}

fn verify_evidence(
    certificate: &RaTlsCertificate,
    evidence: &Evidence,
    source: &dyn CollateralSource,
    now: UnixTime,
) -> Result<Verdict, Refusal> {
    let quote = Quote::parse_zero_padded(evidence.quote())?;
    evidence.check_binding(certificate.info(), quote.report.report_data())?;
    let collateral = source.collateral(&quote);
    let collateral = collateral.map_err(|error| Refusal::NoCollateral(error.to_string()))?;
    Ok(dcap_quote::verify(&quote, &collateral, now)?)
}

/// Whether two reports are about the same, whatever their report data.
fn is_same(one: &Report, other: &Report) -> bool {
    let mut other = other.clone();
    match (one, &mut other) {
        (Report::Sgx(one), Report::Sgx(other)) => other.report_data = one.report_data,
        (Report::Td(one), Report::Td(other)) => other.report_data = one.report_data,
        _ => return false,
    }
    *one == other
}

impl std::fmt::Debug for Verifier {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Verifier")
            .field("identity", &self.identity)
            .field("policy", &self.policy)
            .field("allows_simulated", &self.allows_simulated)
            .finish_non_exhaustive()
    }
}
