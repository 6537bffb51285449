//! The binaries that confidential images carry, built and embedded here.
//!
//! So the `nacre` command is one file that needs no installation of its parts, and what it puts into an image is
//! what its own commit says. The build script compiles them; see there for how the bytes are kept reproducible.
//!
//! Trust: the enclave and `nacre-init` are in the trusted base (they are measured); the host runtime is not.
#![forbid(unsafe_code)]

/// The LibOS: a static ELF executable at a fixed address, with symbols, from which the enclave is laid out.
pub static ENCLAVE: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/enclave"));

/// The host runtime: a static Linux program, the entry point of a confidential image.
pub static HOST_RUNTIME: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/host"));

/// The program that asks a key broker, a static Linux program: in images that one provisions.
pub static INIT: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/init"));

/// SHA-256 over all, in hexadecimal: what a cache of converted images depends on.
pub const DIGEST: &str = env!("NACRE_PAYLOAD_DIGEST");
