//! `nacre collateral serve`: serves the directory to other machines.

use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use clap::Args;
use collateral_cache::{Server, ServerConfig, Transport};
use dcap_quote::UnixTime;

use crate::flags::collateral_dir::CollateralCacheFlags;
use crate::{clock, input};

/// Much more than any chain of certificates.
const MAX_PEM_SIZE: u64 = 1 << 20;

/// Serve the directory to other machines, with the protocol of Intel's service (PCS, version 4)
///
/// Intel's and Azure's libraries, and `nacre collateral fetch --from`, can use it. Expired collateral is not served.
#[derive(Args, Debug)]
pub struct Serve {
    /// The address to listen on
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8081")]
    listen: SocketAddr,

    /// The TLS certificate with its chain (PEM)
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    tls_cert: Option<PathBuf>,

    /// The key of the TLS certificate (PEM)
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    tls_key: Option<PathBuf>,

    /// Serve other machines without TLS: an attacker on the network can withhold collateral, or replay older collateral that
    /// has not expired
    #[arg(long, conflicts_with = "tls_cert")]
    dangerous_plain_http: bool,

    #[command(flatten)]
    directory: CollateralCacheFlags,
}

impl Serve {
    pub fn run(self) -> Result<()> {
        let cache = self.directory.open()?;
        let (transport, scheme) = match (&self.tls_cert, &self.tls_key) {
            (Some(certificate), Some(key)) => {
                let chain = input::read(certificate, MAX_PEM_SIZE)?;
                let transport = Transport::tls(&chain, &input::read(key, MAX_PEM_SIZE)?)
                    .with_context(|| format!("cannot serve with {}", certificate.display()))?;
                (transport, "https")
            }
            _ if self.listen.ip().is_loopback() || self.dangerous_plain_http => (Transport::Plain, "http"),
            _ => bail!(
                "other machines can reach {}, and are served with TLS only; give --tls-cert and --tls-key, or listen on \
                 127.0.0.1",
                self.listen
            ),
        };
        let config = ServerConfig {
            listen: self.listen,
            transport,
            limits: Server::limits(),
            // With a wrong clock, nothing is valid.
            clock: Box::new(|| clock::now().unwrap_or(UnixTime(0))),
            log: Box::new(say),
        };
        let listening = |address| say(&format!("serving {scheme}://{address}/sgx/certification/v4/"));
        Ok(Server::serve_until_signalled(cache, config, listening)?)
    }
}

/// Writes a line to standard error. Requests are served even if nobody reads it.
fn say(line: &str) {
    let _ = writeln!(io::stderr(), "nacre: {line}");
}
