//! `nacre attestation`: runs an attestation service, or asks one for a token.

mod attest;
#[cfg(feature = "attestation-service")]
mod cached_collateral;
#[cfg(feature = "attestation-service")]
mod serve;

use std::process::ExitCode;

use anyhow::Result;
use clap::{Args, Subcommand};

pub use self::attest::unless_refused;
#[cfg(feature = "key-broker")]
pub use self::cached_collateral::CachedCollateral;
#[cfg(feature = "key-broker")]
pub use self::serve::start_log;

/// Run an attestation service, or ask one for a token
#[derive(Args, Debug)]
pub struct Attestation {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand, Debug)]
enum What {
    #[cfg(feature = "attestation-service")]
    Serve(serve::Serve),
    Attest(attest::Attest),
}

impl Attestation {
    pub fn run(self) -> Result<ExitCode> {
        match self.what {
            #[cfg(feature = "attestation-service")]
            What::Serve(serve) => serve.run(),
            What::Attest(attest) => attest.run(),
        }
    }
}
