//! The architectural structures of Intel SGX, byte by byte as the SDM draws them.
//!
//! Section numbers are those of the *Intel 64 and IA-32 Architectures Software Developer's Manual*, volume 3D,
//! chapter 37 ("Enclave Access Control and Data Structures") and 40 ("SGX Instruction References").
//!
//! Each structure is a plain Rust type with an explicit little-endian form (`to_bytes`, `from_bytes`), so that
//! nothing depends on a compiler's layout and unknown or reserved bits are refused in one place. Who uses it:
//! the signing tool (what is measured and signed), the platform (what is loaded and saved) and the enclave's
//! runtime (what it accepts, and what interrupted it).
//!
//! Key types: [`Secs`], [`SecInfo`], [`Tcs`], [`SigStruct`], [`Measured`] (the records that MRENCLAVE hashes),
//! [`GprSgx`] and [`ExInfo`] (an SSA frame's end), [`Report`], [`TargetInfo`] and [`KeyRequest`] (attestation and
//! keys), [`Enclu`] (leaf numbers). Nothing here does I/O or trusts a side.
#![cfg_attr(not(test), no_std)]
#![forbid(unsafe_code)]
#![cfg_attr(
    not(test),
    deny(
        clippy::arithmetic_side_effects,
        clippy::expect_used,
        clippy::indexing_slicing,
        clippy::panic,
        clippy::unwrap_used
    )
)]

mod attributes;
mod field;
mod key_request;
mod leaf;
mod measured;
mod report;
mod secinfo;
mod secs;
mod sigstruct;
mod ssa;
mod tcs;

pub use attributes::{Attributes, MiscSelect, Xfrm};
pub use key_request::{KeyName, KeyPolicy, KeyRequest};
pub use leaf::{Enclu, ErrorCode};
pub use measured::{CHUNK_SIZE, Measured, RECORD_SIZE};
pub use report::{Report, ReportBody, TargetInfo};
pub use secinfo::{PageType, SecInfo};
pub use secs::Secs;
pub use sigstruct::{KEY_SIZE, SigStruct, SigStructError};
pub use ssa::{ExInfo, ExitInfo, ExitKind, GprSgx};
pub use tcs::Tcs;

/// Bytes of a page of the EPC.
pub const PAGE_SIZE: u64 = 4096;

/// A structure whose reserved bits are not zero, or whose values the architecture does not define.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed(
    /// What is wrong, in the SDM's names.
    pub &'static str,
);

impl core::fmt::Display for Malformed {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(self.0)
    }
}

impl core::error::Error for Malformed {}
