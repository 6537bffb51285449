//! The options of a conversion.

use enclave_config::{HostEnv, HostSignals, Loopback, Resolver};
use sgx_sign::SignOptions;

/// The options of a conversion. All but those of the signature are measured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// Most bytes of memory that programs may have, a multiple of 4096.
    pub memory: u64,
    /// Threads that all programs may have together.
    pub threads: u32,
    /// Whether the host may give arguments in place of the image's Cmd.
    pub allow_args: bool,
    /// Which variables of the environment the host may set.
    pub host_env: HostEnv,
    /// Which signals the host may send besides the image's StopSignal.
    pub host_signals: HostSignals,
    /// Whether the host may read the enclave: traces, statistics, crash reports; a debugger on silicon.
    pub debug: bool,
    /// The host name that programs see.
    pub hostname: String,
    /// Who resolves names, where the image does not say so.
    pub resolver: Resolver,
    /// Where traffic to and from loopback addresses goes.
    pub loopback: Loopback,
    /// Who vouches for the key broker that provisions the container, by its certificate (X.509, DER); `None` if nobody provisions it.
    pub broker: Option<Vec<u8>>,
    /// What the signature holds besides.
    pub sign: SignOptions,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            memory: 4 << 30,
            threads: 128,
            allow_args: false,
            host_env: HostEnv::Names(Vec::new()),
            host_signals: HostSignals::USUAL,
            debug: false,
            hostname: "nacre".into(),
            resolver: Resolver::Servers(Vec::new()),
            loopback: Loopback::INSIDE,
            broker: None,
            sign: SignOptions::default(),
        }
    }
}

impl Options {
    /// For an image that is run as it is, on a developer's machine: the host may change everything.
    pub fn development() -> Self {
        Self {
            allow_args: true,
            host_env: HostEnv::Any,
            resolver: Resolver::OfHost,
            loopback: Loopback::OfHost,
            debug: true,
            ..Self::default()
        }
    }
}
