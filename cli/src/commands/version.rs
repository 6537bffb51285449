//! `nacre version`: shows what this command is made of, and whether this machine can run enclaves.

use std::fmt::Display;

use anyhow::Result;
use clap::Args;

#[cfg(feature = "convert")]
use crate::flags::byte_size::ByteSize;
use crate::output;

/// Show the version
#[derive(Args, Debug)]
pub struct Version {
    /// Also show the commit, the enclave that is built in, and whether this machine can run it
    #[arg(short, long)]
    verbose: bool,
}

/// The commands of each feature that can be left out of a build.
const FEATURES: [(&str, bool); 4] = [
    ("convert", cfg!(feature = "convert")),
    ("run", cfg!(feature = "run")),
    ("verify", cfg!(feature = "verify")),
    ("attestation-service", cfg!(feature = "attestation-service")),
];

impl Version {
    pub fn run(self) -> Result<()> {
        output::line(concat!("nacre ", env!("CARGO_PKG_VERSION")))?;
        if !self.verbose {
            return Ok(());
        }
        // Whoever builds a release sets it.
        row("commit", option_env!("NACRE_COMMIT").unwrap_or("unknown"))?;
        let features: Vec<_> = FEATURES.iter().filter(|(_, built)| *built).collect();
        let names: Vec<_> = features.iter().map(|(name, _)| *name).collect();
        row("features", names.join(", "))?;
        #[cfg(feature = "convert")]
        payload()?;
        #[cfg(feature = "run")]
        machine()?;
        Ok(())
    }
}

fn row(name: &str, value: impl Display) -> Result<()> {
    output::line(format_args!("{name:<16}{value}"))
}

/// The two programs that go into every confidential image.
#[cfg(feature = "convert")]
fn payload() -> Result<()> {
    row("enclave", ByteSize(enclave_payload::ENCLAVE.len() as u64))?;
    row(
        "host runtime",
        ByteSize(enclave_payload::HOST_RUNTIME.len() as u64),
    )?;
    row("payload SHA-256", enclave_payload::DIGEST)
}

/// What this machine has for running enclaves.
#[cfg(feature = "run")]
fn machine() -> Result<()> {
    row(
        "platform",
        "emulator, which protects nothing; the SGX driver is not supported yet",
    )?;
    match sgx_platform::requirements::emulator() {
        Ok(()) => row("processor", "has what the emulator needs"),
        Err(missing) => row("processor", format_args!("CANNOT RUN ENCLAVES: {missing}")),
    }
}
