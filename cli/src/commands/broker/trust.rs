//! `nacre broker trust`: verifies what a broker is, and writes down whom to trust then.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use clap::Args;
use https_client::Hello;
use key_broker::ATTESTED_ALPN;
use serde_json::Value;

use crate::commands::verify::{peer_certificate, prove_peer};
use crate::flags::broker::{BrokerClient, text, unless_refused};
use crate::flags::verification::VerificationFlags;
use crate::output;

/// For the connection and the handshake.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Verify what a broker is by its quote, and write the certificate of its authority
///
/// Name what the broker must be (--mrenclave, --mrsigner): without it, anybody's enclave passes, and it is shown. Ends with
/// status 1 if the broker does not prove what is asked for.
#[derive(Args, Debug)]
pub struct Trust {
    /// The address of the broker, for example `https://broker.example:8444`
    #[arg(value_name = "URL")]
    url: String,

    /// The file to write the authority's certificate (PEM) to
    #[arg(long, value_name = "FILE", default_value = "broker-ca.pem")]
    out: PathBuf,

    /// The file to write the public key of the audit log (PEM) to
    #[arg(long, value_name = "FILE")]
    audit_key: Option<PathBuf>,

    /// Believe whoever answers, without a quote: for a broker that does not run in an enclave, over a network that you trust
    #[arg(long)]
    dangerous_without_quote: bool,

    #[command(flatten)]
    verification: VerificationFlags,
}

impl Trust {
    pub fn run(self) -> Result<ExitCode> {
        let peer = self
            .url
            .strip_prefix("https://")
            .context("the address must begin with https://")?;
        let peer = peer.trim_end_matches('/');
        let protocol = match self.dangerous_without_quote {
            true => b"http/1.1".as_slice(),
            false => ATTESTED_ALPN,
        };
        let certificate = peer_certificate(peer, &[protocol], TIMEOUT);
        let certificate = certificate.with_context(|| {
            format!("{peer} shows no quote; if it runs outside of an enclave, see --dangerous-without-quote")
        })??;
        if self.dangerous_without_quote {
            eprintln!("nacre: warning: nothing proves who answers at {peer}");
        } else {
            let proven = prove_peer(&certificate, peer, &self.verification)?;
            output::bytes(proven.text.as_bytes())?;
            if !proven.is_proven {
                return Ok(ExitCode::FAILURE);
            }
        }
        // This very certificate, whose key the quote speaks for.
        let hello = Hello {
            protocols: vec![protocol.to_vec()],
            ..Hello::default()
        };
        let client = BrokerClient::new(&self.url, pem(&certificate).as_bytes(), &hello)?;
        let status: Result<Value, String> = client.get("/v1/status")?;
        unless_refused(status, |status| {
            self.save(&self.out, &status["authority"])?;
            if let Some(path) = &self.audit_key {
                self.save(path, &status["audit_key"])?;
            }
            output::line(format_args!("{:<16} {}", "broker", text(&status["id"])))?;
            output::line(format_args!("{:<16} {}", "authority", self.out.display()))
        })
    }

    fn save(&self, path: &PathBuf, value: &Value) -> Result<()> {
        let text = value.as_str().context("the broker's answer has no certificate")?;
        if let Ok(other) = std::fs::read_to_string(path) {
            ensure!(
                other == text,
                "{} is another broker's, and was left as it is; write to another file, or remove it",
                path.display()
            );
            return Ok(());
        }
        std::fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
    }
}

/// In PEM.
fn pem(der: &[u8]) -> String {
    use base64::Engine as _;
    let body = base64::engine::general_purpose::STANDARD.encode(der);
    format!("-----BEGIN CERTIFICATE-----\n{body}\n-----END CERTIFICATE-----\n")
}
