//! The two binaries that every confidential image carries, built and embedded here.
//!
//! So the `nacre` command is one file that needs no installation of its parts, and what it puts into an image is
//! what its own commit says. The build script compiles both; see there for how the bytes are kept reproducible.
//!
//! Trust: the enclave is in the trusted base (it is measured); the host runtime is not.
#![forbid(unsafe_code)]

/// The LibOS: a static ELF executable at a fixed address, with symbols, from which the enclave is laid out.
pub static ENCLAVE: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/enclave"));

/// The host runtime: a static Linux program, the entry point of a confidential image.
pub static HOST_RUNTIME: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/host"));

/// SHA-256 over both, in hexadecimal: what a cache of converted images depends on.
pub const DIGEST: &str = env!("NACRE_PAYLOAD_DIGEST");
