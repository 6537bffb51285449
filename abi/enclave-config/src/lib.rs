//! The measured configuration: what an enclave will run, and what its host may change about that.
//!
//! `nacre convert` writes it, the signer measures its bytes as pages of the enclave, and the LibOS reads it from
//! there at its start. So its bytes are a part of MRENCLAVE, and the same configuration must always be the same
//! bytes: it is deterministic CBOR (RFC 8949, section 4.2.1), a map from small integers to values in which every
//! key is present. [`Config::decode`] accepts exactly what [`Config::encode`] writes, and nothing else.
//!
//! Key types: [`Config`], [`Rootfs`], [`HostEnv`], [`HostSignals`], [`HostChoices`], [`Loopback`], [`Broker`], [`ConfigError`]. Neighbours: `enclave-layout` says where the
//! bytes lie in the enclave.
//!
//! Trust: the LibOS reads measured bytes, yet the tools read files that anyone may have made. Decoding therefore
//! bounds everything, allocates in proportion to its input, and never panics.
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

extern crate alloc;

mod codec;
mod error;
mod host_choices;
mod host_signals;
mod image_key;
mod loopback;
mod rules;

use alloc::vec::Vec;

pub use codec::VERSION;
pub use error::ConfigError;
pub use host_choices::{HostChoices, HostEnv, NotAllowed, is_variable_name};
pub use host_signals::HostSignals;
pub use image_key::WrongKey;
pub use loopback::{HostPorts, Loopback, Port, Transport};
pub use rules::{MAX_AUTHORITY, MAX_HOSTNAME, MAX_INIT, MAX_MEMORY, MAX_NAME_SERVERS, MAX_THREADS};
pub use sector_cipher::KeyId;

/// Most bytes of an encoded configuration: what the enclave's layout has room for, without the length word.
pub const MAX_ENCODED: usize = enclave_layout::MAX_CONFIG as usize - 8;

/// What an enclave runs and what its host may change.
///
/// Strings are bytes without NUL, as Linux has them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// The program and its arguments (the image's Entrypoint and Cmd); at least one.
    pub args: Vec<Vec<u8>>,
    /// The environment, `NAME=VALUE` each, names distinct, in the order that the program sees.
    pub env: Vec<Vec<u8>>,
    /// The working directory, an absolute path.
    pub cwd: Vec<u8>,
    /// The user and groups that the program runs as.
    pub user: User,
    /// The host name that the program sees.
    pub hostname: Vec<u8>,
    /// The number of the signal that asks the program to end, 1 to 64.
    pub stop_signal: u8,
    /// Which signals the host may send, the stop signal among them.
    pub host_signals: HostSignals,
    /// Whether the host may give arguments in place of the image's Cmd.
    pub allow_args: bool,
    /// How many of [`Config::args`] stay when the host gives arguments of its own (the image's Entrypoint).
    pub entrypoint_len: u32,
    /// Which variables of the environment the host may set.
    pub host_env: HostEnv,
    /// Whether the host may ask for traces, statistics and crash reports. The enclave is then signed with
    /// ATTRIBUTES.DEBUG, so a verifier sees it.
    pub debug: bool,
    /// Most bytes of memory that programs may have, a multiple of a page.
    pub memory: u64,
    /// Thread slots (TCSs) of the enclave.
    pub threads: u32,
    /// Mount points of volumes, absolute paths, sorted and distinct.
    pub volumes: Vec<Vec<u8>>,
    /// The root file system.
    pub rootfs: Rootfs,
    /// The source image's ID (the SHA-256 of its configuration document, which names all its layers), for
    /// information.
    pub source_digest: Option<[u8; 32]>,
    /// Who resolves names, where the image's /etc/resolv.conf does not say so.
    pub resolver: Resolver,
    /// Where traffic to and from loopback addresses goes.
    pub loopback: Loopback,
    /// Who provisions the container before its program begins; `None` for nobody.
    pub broker: Option<Broker>,
}

/// A key broker that provisions the container: `nacre-init` asks it for keys, arguments and files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Broker {
    /// The certificate of the authority that vouches for it (X.509, DER), [`MAX_AUTHORITY`] bytes at most. Which address it has, the
    /// host says.
    pub authority: Vec<u8>,
    /// The program that asks it.
    pub init: Init,
}

/// A program that the host supplies beside the image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Init {
    /// Its SHA-256.
    pub digest: [u8; 32],
    /// Its length in bytes, at most [`MAX_INIT`].
    pub len: u64,
}

/// User and groups, as numbers: names were resolved with the image's own passwd and group at conversion.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct User {
    /// The user ID.
    pub uid: u32,
    /// The group ID.
    pub gid: u32,
    /// Supplementary groups, sorted and distinct.
    pub groups: Vec<u32>,
}

/// Whom programs ask for addresses (resolv.conf(5)).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Resolver {
    /// These name servers, by their addresses as text; [`MAX_NAME_SERVERS`] at most, maybe none.
    Servers(Vec<Vec<u8>>),
    /// Whom the host names.
    OfHost,
}

/// How to verify the root file system's image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rootfs {
    /// Root of the dm-verity hash tree (SHA-256).
    pub root_hash: [u8; 32],
    /// Data blocks of 4,096 bytes, from the image's beginning.
    pub data_blocks: u64,
    /// Byte offset in the image of the verity superblock; the tree follows it in the next block.
    pub hash_offset: u64,
    /// Salt of the hash tree, at most 256 bytes.
    pub salt: Vec<u8>,
    /// Length of the image in bytes, hash tree included.
    pub total_len: u64,
    /// Where the call-site maps lie within the data blocks.
    pub callsites: Extent,
    /// The name of the key that the data blocks are encrypted with (AES-256-XTS); `None` if they are not.
    pub key_id: Option<KeyId>,
}

/// A range of bytes of the root file system's image.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Extent {
    /// First byte.
    pub offset: u64,
    /// Bytes; 0 if there is nothing.
    pub len: u64,
}

impl Config {
    /// The canonical bytes, or what is wrong with the configuration.
    pub fn encode(&self) -> Result<Vec<u8>, ConfigError> {
        rules::check(self)?;
        let bytes = codec::encode(self)?;
        if bytes.len() > MAX_ENCODED {
            Err(ConfigError::TooLong)
        } else {
            Ok(bytes)
        }
    }

    /// Reads canonical bytes; anything that [`Config::encode`] would not have written is refused.
    pub fn decode(bytes: &[u8]) -> Result<Self, ConfigError> {
        if bytes.len() > MAX_ENCODED {
            return Err(ConfigError::TooLong);
        }
        let config = codec::decode(bytes)?;
        rules::check(&config)?;
        // One comparison settles all of section 4.2.1: shortest integers, definite lengths, order of keys.
        if codec::encode(&config)? == bytes {
            Ok(config)
        } else {
            Err(ConfigError::NotCanonical)
        }
    }

    /// The program and its arguments when the host gives `args` in place of the image's Cmd; an empty list means
    /// that it gives none. `None` if it may not.
    pub fn args_with<'a>(&'a self, args: &'a [Vec<u8>]) -> Option<Vec<&'a [u8]>> {
        let entrypoint = usize::try_from(self.entrypoint_len).ok()?;
        if args.is_empty() {
            return Some(self.args.iter().map(Vec::as_slice).collect());
        }
        self.allow_args.then(|| {
            let kept = self.args.iter().take(entrypoint);
            kept.chain(args).map(Vec::as_slice).collect()
        })
    }
}
