//! `nacre collateral serve`: the directory for other machines.

use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use clap::Args;
use collateral_cache::{Server, ServerConfig, Transport};
use dcap_quote::UnixTime;

use super::place::Place;
use crate::{clock, input};

/// Much more than any chain of certificates.
const MAX_PEM_SIZE: u64 = 1 << 20;

/// Serve the directory to other machines, as Intel's service (PCS, version 4) does
///
/// Intel's and Azure's libraries, and `nacre collateral fetch --from`, can be pointed at it. What has expired is not served.
#[derive(Args, Debug)]
pub struct Serve {
    /// Where to listen
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8081")]
    listen: SocketAddr,

    /// The TLS certificate with its chain (PEM)
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    tls_cert: Option<PathBuf>,

    /// The key of the TLS certificate (PEM)
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    tls_key: Option<PathBuf>,

    /// Serve other machines without TLS: whoever is on the way can withhold, and play back what is old but has not expired
    #[arg(long, conflicts_with = "tls_cert")]
    dangerous_plain_http: bool,

    #[command(flatten)]
    place: Place,
}

impl Serve {
    pub fn run(self) -> Result<()> {
        let cache = self.place.open()?;
        let (transport, scheme) = match (&self.tls_cert, &self.tls_key) {
            (Some(certificate), Some(key)) => {
                let chain = input::read(certificate, MAX_PEM_SIZE)?;
                let transport = Transport::tls(&chain, &input::read(key, MAX_PEM_SIZE)?)
                    .with_context(|| format!("cannot serve with {}", certificate.display()))?;
                (transport, "https")
            }
            _ if self.listen.ip().is_loopback() || self.dangerous_plain_http => (Transport::Plain, "http"),
            _ => bail!(
                "{} can be reached by other machines, which are served with TLS only; give --tls-cert and --tls-key, or \
                 listen at 127.0.0.1",
                self.listen
            ),
        };
        let config = ServerConfig {
            listen: self.listen,
            transport,
            limits: Server::limits(),
            // Where the clock is wrong, nothing is valid.
            clock: Box::new(|| clock::now().unwrap_or(UnixTime(0))),
            log: Box::new(say),
        };
        let listening = |address| say(&format!("serving {scheme}://{address}/sgx/certification/v4/"));
        Ok(Server::serve_until_signalled(cache, config, listening)?)
    }
}

/// Tells whoever reads standard error. Where nobody does any more, requests are served all the same.
fn say(line: &str) {
    let _ = writeln!(io::stderr(), "nacre: {line}");
}
