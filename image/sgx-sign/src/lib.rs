//! Makes a signed enclave from the LibOS's ELF file and a configuration.
//!
//! [`Libos`] is the checked ELF file, [`Layout`] the pages of the enclave in ascending order, [`Layout::write`]
//! the SGXS file that holds them. Every byte that we let a loader place is measured and the rest is zero, so the
//! file is exactly the sequence of records that the processor hashes: **its SHA-256 is MRENCLAVE**
//! (`sha256sum enclave.sgxs` computes it). [`Sgxs`] reads such a file back.
//!
//! [`Unsigned`] holds what a SIGSTRUCT says before it is signed, [`SigningKey`] signs it, or somebody else signs
//! its bytes elsewhere and [`Unsigned::with_signature`] completes it. [`verify`] checks a SIGSTRUCT as EINIT does.
//!
//! Neighbours: `enclave-layout` (where things lie), `enclave-config` (what is configured), `sgx-arch` (records
//! and structures byte by byte). Trust: this code runs on the machine that converts, which the enclave trusts; the
//! files that it reads may come from anyone, so every reader here refuses what the writer would not have written.
#![forbid(unsafe_code)]

mod date;
mod elf;
mod key;
mod layout;
mod sgxs;
mod sigstruct;

use std::fmt;

pub use date::{Date, DateError};
pub use elf::{Libos, LibosError};
pub use key::{KeyError, PublicKey, SigningKey};
pub use layout::{Content, Layout, Page};
pub use sgxs::{PageCounts, Sgxs, SgxsError};
pub use sigstruct::{SignOptions, SignatureError, Signer, Unsigned, verify};

/// Measurement of an enclave: the SHA-256 of the records that build it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MrEnclave(pub [u8; 32]);

/// Identity of a signer: the SHA-256 of the modulus, little endian.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MrSigner(pub [u8; 32]);

impl fmt::Display for MrEnclave {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&base16ct::lower::encode_string(&self.0))
    }
}

impl fmt::Display for MrSigner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&base16ct::lower::encode_string(&self.0))
    }
}
