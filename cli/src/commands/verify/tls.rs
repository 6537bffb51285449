//! `nacre verify tls`: verifies the quotes in the certificate of a TLS server (RA-TLS).

use std::fmt::Write as _;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use base16ct::lower;
use clap::Args;
use dcap_quote::{CheckedCollateral, Quote, Trust};
use judgement::Judgement;
use printable_text::printable;
use ra_tls::{Evidence, Identity, RaTlsCertificate, Refusal, SourceError, Verifier};
use serde_json::{Value, json};

use super::tls_peer::peer_certificate;
use super::{names, with_not_checked};
use crate::flags::report_data::{HexBytes, nonce};
use crate::flags::verification::{NotChecked, QuoteVerifier, VerificationFlags};

/// Verify the enclave or trust domain behind a TLS server (RA-TLS)
///
/// Ends with status 0 if the server's certificate carries an authentic and acceptable quote for the certificate's key, 1
/// if it does not, and 125 if the server did not answer. Nothing but the handshake is sent.
#[derive(Args, Debug)]
pub struct VerifyTls {
    /// The server, for example `enclave.example:8443`
    #[arg(value_name = "HOST:PORT")]
    peer: String,

    /// Require this nonce in the certificate's claims, 8 to 64 bytes: then the quote is not older than the nonce. Certificates
    /// in the legacy format have none
    #[arg(long, value_name = "HEX", value_parser = nonce)]
    nonce: Option<HexBytes>,

    #[command(flatten)]
    verification: VerificationFlags,

    /// How many seconds to wait for the connection and the handshake
    #[arg(long, value_name = "SECONDS", default_value_t = 10)]
    timeout: u64,

    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// What is known about the server.
struct Findings {
    /// Why the server is refused; none if it is accepted.
    refusal: Option<String>,
    /// None if it could not be read.
    certificate: Option<RaTlsCertificate>,
    /// One for each quote.
    judgements: Vec<Judgement>,
}

/// What is proven about a server, for people.
#[cfg(feature = "key-broker")]
pub struct Proven {
    /// Whether its certificate carries an acceptable quote for its key.
    pub is_proven: bool,
    /// What it proves, or why it proves nothing.
    pub text: String,
}

/// Judges a server's certificate (DER).
///
/// # Errors
/// When there is nothing to judge it by.
#[cfg(feature = "key-broker")]
pub fn prove_peer(certificate: &[u8], peer: &str, flags: &VerificationFlags) -> Result<Proven> {
    let findings = match RaTlsCertificate::parse(certificate) {
        Ok(parsed) => Findings::of(certificate, parsed, flags)?,
        Err(error) => Findings::refused(&Refusal::from(error).to_string()),
    };
    let mut not_checked = flags.not_checked();
    not_checked.retain(|&what| what != NotChecked::ReportData);
    Ok(Proven {
        is_proven: findings.refusal.is_none(),
        text: findings.text(peer, &not_checked),
    })
}

impl VerifyTls {
    pub fn run(self) -> Result<ExitCode> {
        let certificate = match peer_certificate(&self.peer, &[], Duration::from_secs(self.timeout))? {
            Ok(certificate) => certificate,
            Err(error) => return self.report(&Findings::refused(&error.to_string())),
        };
        let findings = match RaTlsCertificate::parse(&certificate) {
            Ok(parsed) => {
                let findings = Findings::of(&certificate, parsed, &self.verification)?;
                match &self.nonce {
                    Some(HexBytes(nonce)) => findings.with_nonce(nonce),
                    None => findings,
                }
            }
            Err(error) => Findings::refused(&Refusal::from(error).to_string()),
        };
        self.report(&findings)
    }

    fn report(&self, findings: &Findings) -> Result<ExitCode> {
        // The key is what the report data stands for.
        let mut not_checked = self.verification.not_checked();
        not_checked.retain(|&what| what != NotChecked::ReportData);
        if self.json {
            let mut json = findings.json(&self.peer);
            if let Some(members) = json.as_object_mut() {
                members.insert("not_checked".to_owned(), names(&not_checked));
            }
            println!("{}", serde_json::to_string_pretty(&json)?);
        } else {
            print!("{}", findings.text(&self.peer, &not_checked));
        }
        Ok(match findings.refusal {
            None => ExitCode::SUCCESS,
            Some(_) => ExitCode::FAILURE,
        })
    }
}

impl Findings {
    fn refused(reason: &str) -> Self {
        Self {
            refusal: Some(reason.to_owned()),
            certificate: None,
            judgements: Vec::new(),
        }
    }

    /// `ra_tls` decides; the judgements tell the reader more.
    fn of(der: &[u8], certificate: RaTlsCertificate, flags: &VerificationFlags) -> Result<Self> {
        let quotes = certificate.evidence().iter().map(Evidence::quote);
        let verifier = match flags.open(quotes.clone().next().unwrap_or_default(), None)? {
            Ok(verifier) => verifier,
            Err(reason) => {
                return Ok(Self {
                    refusal: Some(reason.to_string()),
                    judgements: vec![Judgement::Refused(reason)],
                    certificate: Some(certificate),
                });
            }
        };
        let judgements = quotes.map(|quote| verifier.judge(quote)).collect();
        let refusal = certificate_verifier(&verifier).verify(der, verifier.at).err();
        Ok(Self {
            refusal: refusal.map(|refusal| refusal.to_string()),
            certificate: Some(certificate),
            judgements,
        })
    }

    /// Refuses a certificate without this nonce; its claims are bound by the quote that was verified.
    fn with_nonce(mut self, nonce: &[u8]) -> Self {
        let evidence = self.certificate.iter().flat_map(RaTlsCertificate::evidence);
        let found = evidence
            .filter_map(|evidence| evidence.claims()?.nonce.as_deref())
            .next();
        if self.refusal.is_none() && found != Some(nonce) {
            self.refusal = Some(match found {
                Some(found) => format!(
                    "the certificate's nonce is {}, so that its quote was made at another time or for somebody else",
                    lower::encode_string(found)
                ),
                None => "the certificate has no nonce, so that its quote may be old".to_owned(),
            });
        }
        self
    }

    /// Each quote, whether it is bound to the key, and its judgement.
    fn quotes(&self) -> impl Iterator<Item = (&Evidence, Result<(), String>, &Judgement)> {
        let certificate = self.certificate.as_ref();
        let evidence = certificate.map(RaTlsCertificate::evidence).unwrap_or_default();
        evidence
            .iter()
            .zip(&self.judgements)
            .map(move |(evidence, judgement)| {
                let info = certificate.map(RaTlsCertificate::info).unwrap_or_default();
                let bound = Quote::parse_zero_padded(evidence.quote())
                    .map_err(|error| error.to_string())
                    .and_then(|quote| {
                        let bound = evidence.check_binding(info, quote.report.report_data());
                        bound.map_err(|error| error.to_string())
                    });
                (evidence, bound, judgement)
            })
    }

    fn is_simulated(&self) -> bool {
        let mut judgements = self.judgements.iter();
        judgements.any(|judgement| {
            matches!(judgement, Judgement::Authentic { verdict, .. } if verdict.trust == Trust::Simulated)
        })
    }

    fn text(&self, peer: &str, not_checked: &[NotChecked]) -> String {
        let mut out = match &self.refusal {
            None if self.is_simulated() => format!(
                "PROVEN BY A SIMULATED PLATFORM, which protects nothing: {peer} has the key that the quote below speaks for\n"
            ),
            None => format!("PROVEN: {peer} has the key that the quote below speaks for\n"),
            Some(refusal) => format!("NOT PROVEN: {}\n", printable(refusal)),
        };
        // Writing to a string cannot fail.
        let mut row = |name: &str, value: &str| {
            let _ = writeln!(out, "{name:<16} {}", printable(value));
        };
        if let Some(certificate) = &self.certificate {
            row("certificate", certificate.subject());
            row("SHA-256", certificate.fingerprint());
            let validity = certificate.validity();
            row("valid", &format!("{} to {}", validity.from, validity.until));
            row("key", certificate.key_kind());
        }
        for (evidence, bound, _) in self.quotes() {
            let bound = match bound {
                Ok(()) => "speaks for this key".to_owned(),
                Err(error) => format!("DOES NOT SPEAK FOR THIS KEY: {error}"),
            };
            row("quote", &format!("{}: {bound}", evidence.format()));
            if let Some(nonce) = evidence.claims().and_then(|claims| claims.nonce.as_ref()) {
                row("nonce", &lower::encode_string(nonce));
            }
        }
        // Two quotes that hold are about the same enclave.
        let shown = if self.refusal.is_none() { 1 } else { usize::MAX };
        for (evidence, _, judgement) in self.quotes().take(shown) {
            let summary = judgement::summary(judgement);
            let summary = with_not_checked(&summary, judgement, not_checked);
            let _ = write!(out, "\n{}:\n{summary}", evidence.format());
        }
        out
    }

    fn json(&self, peer: &str) -> Value {
        let quotes = self.quotes().map(|(evidence, bound, judgement)| {
            json!({
                "format": evidence.format().to_string(),
                "binding_error": bound.err(),
                "nonce": evidence.claims().and_then(|claims| claims.nonce.as_deref()).map(lower::encode_string),
                "judgement": judgement,
            })
        });
        let certificate = self.certificate.as_ref().map(|certificate| {
            json!({
                "subject": certificate.subject(),
                "serial_number": certificate.serial_number(),
                "sha256": certificate.fingerprint(),
                "validity": certificate.validity(),
                "key": certificate.key_kind(),
            })
        });
        json!({
            "acceptable": self.refusal.is_none(),
            "objections": self.refusal.iter().map(|refusal| printable(refusal)).collect::<Vec<_>>(),
            "peer": peer,
            "certificate": certificate,
            "quotes": quotes.collect::<Vec<_>>(),
        })
    }
}

/// A simulated platform is trusted only if its root was named: the collateral must lead to it.
fn certificate_verifier(verifier: &QuoteVerifier) -> Verifier {
    let collateral = Arc::clone(&verifier.collateral);
    let source =
        move |_: &Quote<'_>| -> Result<Arc<CheckedCollateral>, SourceError> { Ok(Arc::clone(&collateral)) };
    // The policy names the expected enclave.
    Verifier::new(source, Identity::dangerous_any())
        .policy(verifier.policy.clone())
        .dangerous_accept_simulated()
}
