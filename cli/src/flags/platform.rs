//! The flags that name a platform, to choose its collateral.

use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use clap::{Args, ValueEnum};
use collateral_cache::Wanted;
use dcap_quote::{Bytes, PckCa, Tee};

use super::quote;

#[derive(Args, Debug)]
pub struct PlatformFlags {
    /// The platform that this quote comes from
    #[arg(long, value_name = "FILE", conflicts_with_all = ["fmspc", "tee", "ca"])]
    quote: Option<PathBuf>,

    /// The FMSPC of the platform, from its PCK certificate: 12 hexadecimal digits
    #[arg(long, value_name = "HEX", value_parser = fmspc)]
    fmspc: Option<Bytes<6>>,

    /// For SGX enclaves or TDX trust domains [default: sgx]
    #[arg(long)]
    tee: Option<TeeName>,

    /// The CA that certified the platform: processor (one socket) or platform (several) [default: both]
    #[arg(long)]
    ca: Option<CaName>,
}

#[derive(ValueEnum, Clone, Copy, Debug)]
enum TeeName {
    Sgx,
    Tdx,
}

#[derive(ValueEnum, Clone, Copy, Debug)]
enum CaName {
    Processor,
    Platform,
}

impl PlatformFlags {
    /// Whether no platform is named.
    pub const fn is_empty(&self) -> bool {
        self.quote.is_none() && self.fmspc.is_none()
    }

    /// One for each authority that may have certified the platform.
    pub fn all(&self) -> Result<Vec<Wanted>> {
        if let Some(path) = &self.quote {
            return Ok(vec![quote::wanted_by(path)?]);
        }
        let Some(fmspc) = self.fmspc else {
            bail!(
                "name a platform with --quote FILE or --fmspc HEX, or give --all for all platforms in the directory"
            );
        };
        let tee = match self.tee {
            None | Some(TeeName::Sgx) => Tee::Sgx,
            Some(TeeName::Tdx) => Tee::Tdx,
        };
        let cas = match self.ca {
            None => PckCa::ALL.to_vec(),
            Some(CaName::Processor) => vec![PckCa::Processor],
            Some(CaName::Platform) => vec![PckCa::Platform],
        };
        Ok(cas.into_iter().map(|ca| Wanted { tee, fmspc, ca }).collect())
    }
}

fn fmspc(text: &str) -> Result<Bytes<6>> {
    Bytes::from_hex(&text.to_ascii_lowercase()).context("not 12 hexadecimal digits")
}
