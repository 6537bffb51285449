//! The options of a conversion: flags override `nacre.toml`, which overrides the defaults.

use std::net::IpAddr;
use std::path::PathBuf;

use anyhow::{Result, anyhow, bail};
use clap::Args;
use enclave_config::{
    HostEnv, HostPorts, HostSignals, Loopback, MAX_NAME_SERVERS, Port, Resolver, Transport,
};
use image_convert::Options;
use sgx_arch::SigStruct;
use sgx_sign::{Date, SignOptions};

use super::authority;
use super::enclave_values::{EnclaveSize, HostName, LoopbackPort, Parsed, SignalName, Threads, VariableName};
use super::nacre_toml::{self, File, Signature};
use super::notices::Notices;

/// The flags of `nacre convert` that say what the enclave is and what its host may change.
#[derive(Args, Debug, Default)]
pub struct EnclaveFlags {
    /// Memory for the programs in the enclave, for example 512M or 4GiB [default: 4GiB]
    #[arg(long, value_name = "SIZE")]
    enclave_size: Option<EnclaveSize>,

    /// Number of threads that all programs in the enclave may have together [default: 128]
    #[arg(long, value_name = "NUMBER")]
    threads: Option<Threads>,

    /// Allow the host to replace the image's command (Cmd)
    #[arg(long)]
    allow_args: bool,

    /// Allow the host to set this environment variable; can be given several times
    #[arg(long, value_name = "NAME")]
    allow_env: Vec<VariableName>,

    /// Allow the host to send these signals to the first process, and no others but the image's StopSignal; can be given several
    /// times [default: HUP, INT, QUIT, USR1, USR2, TERM, WINCH]
    #[arg(long, value_name = "SIGNAL", value_delimiter = ',')]
    allow_signals: Vec<SignalName>,

    /// The host name that the programs see
    #[arg(long, value_name = "NAME")]
    hostname: Option<HostName>,

    /// A name server for programs, if the image has no /etc/resolv.conf; can be given up to three times
    #[arg(long, value_name = "ADDRESS")]
    name_server: Vec<IpAddr>,

    /// Allow the host to say which name servers programs ask, if the image has no /etc/resolv.conf
    #[arg(long, conflicts_with = "name_server")]
    allow_resolver: bool,

    /// Let the host's programs reach servers of the container on this port of 127.0.0.1 and ::1; can be given several times
    #[arg(long, value_name = "PORT[/udp]")]
    publish_loopback: Vec<LoopbackPort>,

    /// Let programs of the container reach servers of the host on this port of 127.0.0.1 and ::1; can be given several times
    #[arg(long, value_name = "PORT[/udp]")]
    host_loopback: Vec<LoopbackPort>,

    /// Allow the host to carry, see and change all traffic over 127.0.0.1 and ::1, also between programs of the container
    #[arg(long, conflicts_with_all = ["publish_loopback", "host_loopback"])]
    allow_loopback: bool,

    /// Have a key broker provision the container before its program begins: this file (PEM) has the certificate of who vouches for it
    #[arg(long, value_name = "FILE")]
    broker_ca: Option<PathBuf>,

    /// Make a debug enclave, which its host can read (for --trace, --stats and crash reports)
    #[arg(long)]
    debug: bool,

    /// Read options from this file instead of ./nacre.toml. Options on the command line override the file
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

/// The flags that say what a signature holds.
#[derive(Args, Debug, Default)]
pub struct SignatureFlags {
    /// Sign with this RSA-3072 key: a PEM file, as `nacre keygen` makes one, or a PKCS #11 URI
    /// (pkcs11:token=NAME;object=NAME?module-path=FILE&pin-source=FILE) for a key that stays in its token
    #[arg(long, value_name = "FILE")]
    pub key: Option<PathBuf>,

    /// Product number (ISVPRODID) [default: 0; of an image that is signed again, what it was]
    #[arg(long, value_name = "NUMBER")]
    product: Option<u16>,

    /// Security version of the product (ISVSVN) [default: 0; of an image that is signed again, what it was]
    #[arg(long, value_name = "NUMBER")]
    security_version: Option<u16>,

    /// Date in the signature, YYYY-MM-DD [default: SOURCE_DATE_EPOCH if it is set, otherwise a fixed date]
    #[arg(long, value_name = "DATE")]
    date: Option<Date>,
}

/// Flags and file together.
#[derive(Debug, Default)]
pub struct ConversionSettings {
    /// The options of the conversion.
    pub options: Options,
    /// The key to sign with, if one was named.
    pub key: Option<PathBuf>,
}

impl ConversionSettings {
    /// Lets the flags override `nacre.toml`, if one was named or is in the current directory.
    pub fn new(enclave: &EnclaveFlags, signature: &SignatureFlags, notices: Notices) -> Result<Self> {
        let file = File::find(enclave.config.as_deref(), notices)?;
        let defaults = Options::default();
        let resolver = resolver(enclave, &file.enclave.name_servers, file.host.allow_resolver)?;
        let loopback = loopback(enclave, &file.host, &resolver)?;
        let size = enclave.enclave_size.or(file.enclave.size.map(|size| size.0));
        let threads = enclave.threads.or(file.enclave.threads);
        let from_file = file.host.allow_env.into_iter().map(|name| name.0);
        let names = from_file.chain(enclave.allow_env.iter().cloned());
        let hostname = enclave
            .hostname
            .clone()
            .or(file.enclave.hostname.map(|name| name.0));
        let broker_ca = enclave.broker_ca.as_deref().or(file.enclave.broker_ca.as_deref());
        let options = Options {
            resolver,
            loopback,
            broker: broker_ca.map(authority::read).transpose()?,
            memory: size.map_or(defaults.memory, |size| size.0),
            threads: threads.map_or(defaults.threads, |threads| threads.0),
            allow_args: enclave.allow_args || file.host.allow_args,
            host_env: HostEnv::Names(names.map(|name| name.0.into_bytes()).collect()),
            host_signals: host_signals(
                &enclave.allow_signals,
                file.host.allow_signals,
                defaults.host_signals,
            ),
            debug: enclave.debug || file.enclave.debug,
            hostname: hostname.map_or(defaults.hostname, |name| name.0),
            sign: sign_options(signature, &file.signature)?,
        };
        Ok(Self {
            options,
            key: signature.key.clone().or(file.key),
        })
    }
}

/// The signals that the host may send: flags go before the file, and either goes before the default.
fn host_signals(
    flags: &[SignalName],
    file: Option<Vec<Parsed<SignalName>>>,
    default: HostSignals,
) -> HostSignals {
    let set = |names: &mut dyn Iterator<Item = SignalName>| {
        names.fold(HostSignals::NONE, |set, SignalName(number)| set.with(number))
    };
    match (flags, file) {
        ([], None) => default,
        ([], Some(names)) => set(&mut names.into_iter().map(|name| name.0)),
        (flags, _) => set(&mut flags.iter().copied()),
    }
}

/// Who resolves names: flags go before the file, and only one of the two ways can be meant.
fn resolver(flags: &EnclaveFlags, servers: &[IpAddr], is_allowed: bool) -> Result<Resolver> {
    let (servers, is_allowed) = match (flags.name_server.as_slice(), flags.allow_resolver) {
        ([], false) => (servers, is_allowed),
        (servers, is_allowed) => (servers, is_allowed),
    };
    if is_allowed && !servers.is_empty() {
        bail!("name-servers and allow-resolver exclude each other: remove one of them from the file");
    }
    if servers.len() > MAX_NAME_SERVERS {
        bail!(
            "there are {} name servers, but programs ask {MAX_NAME_SERVERS} at most",
            servers.len()
        );
    }
    let text = |server: &IpAddr| server.to_string().into_bytes();
    Ok(match is_allowed {
        true => Resolver::OfHost,
        false => Resolver::Servers(servers.iter().map(text).collect()),
    })
}

/// Where traffic of loopback addresses goes: flags add to the file, but its ports and all of them cannot both be meant. A name server
/// that is, or may be, at a loopback address is the host's.
fn loopback(flags: &EnclaveFlags, file: &nacre_toml::Host, resolver: &Resolver) -> Result<Loopback> {
    let ports = |flags: &[LoopbackPort], file: &[Parsed<LoopbackPort>]| {
        let mut ports: Vec<Port> = flags.iter().map(|port| port.0).collect();
        ports.extend(file.iter().map(|port| port.0.0));
        ports.sort_unstable();
        ports.dedup();
        ports
    };
    if flags.allow_loopback {
        return Ok(Loopback::OfHost);
    }
    let mut ports = HostPorts {
        published: ports(&flags.publish_loopback, &file.publish_loopback),
        reached: ports(&flags.host_loopback, &file.host_loopback),
    };
    if file.allow_loopback {
        if ports != HostPorts::default() {
            bail!(
                "allow-loopback leads all ports to the host: remove it, or publish-loopback and host-loopback"
            );
        }
        return Ok(Loopback::OfHost);
    }
    if may_be_at_loopback(resolver) {
        for protocol in [Transport::Tcp, Transport::Udp] {
            let number = DNS;
            ports.reached.push(Port { protocol, number });
        }
        ports.reached.sort_unstable();
        ports.reached.dedup();
    }
    Ok(Loopback::OfContainer(ports))
}

/// The port of name servers.
const DNS: u16 = 53;

/// Whether programs may be told of a name server at a loopback address, as systemd-resolved and Docker have one.
fn may_be_at_loopback(resolver: &Resolver) -> bool {
    let is_loopback = |server: &Vec<u8>| {
        let address = std::str::from_utf8(server)
            .ok()
            .and_then(|text| text.parse::<IpAddr>().ok());
        address.is_some_and(|address| address.to_canonical().is_loopback())
    };
    match resolver {
        Resolver::Servers(servers) => servers.iter().any(is_loopback),
        Resolver::OfHost => true,
    }
}

impl SignatureFlags {
    /// What the signature holds, without a `nacre.toml`. What is not told is kept from the signature before, if that can
    /// be trusted to be one.
    ///
    /// # Errors
    /// When there is nothing to keep it from.
    pub fn options_after(&self, before: Option<&SigStruct>) -> Result<SignOptions> {
        if before.is_none() && (self.product.is_none() || self.security_version.is_none()) {
            bail!(
                "the image's signature is not valid, so what it says is not kept: give --product and --security-version"
            );
        }
        let kept = Signature {
            product: before.map(|before| before.isv_prod_id),
            security_version: before.map(|before| before.isv_svn),
            ..Signature::default()
        };
        sign_options(self, &kept)
    }
}

fn sign_options(flags: &SignatureFlags, file: &Signature) -> Result<SignOptions> {
    let date = match flags.date.or(file.date.map(|date| date.0)) {
        Some(date) => date,
        None => default_date()?,
    };
    Ok(SignOptions {
        date,
        product: flags.product.or(file.product).unwrap_or(0),
        security_version: flags.security_version.or(file.security_version).unwrap_or(0),
    })
}

/// SOURCE_DATE_EPOCH (<https://reproducible-builds.org/specs/source-date-epoch/>), or else a constant: the same input
/// signed tomorrow gives the same bytes.
fn default_date() -> Result<Date> {
    let Some(epoch) = std::env::var_os("SOURCE_DATE_EPOCH") else {
        return Ok(Date::DEFAULT);
    };
    epoch
        .to_str()
        .and_then(|text| Date::from_unix(text.parse().ok()?))
        .ok_or_else(|| anyhow!("SOURCE_DATE_EPOCH is not a number of seconds since 1970: {epoch:?}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(toml: &str, flags: EnclaveFlags) -> Result<ConversionSettings> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("nacre.toml");
        std::fs::write(&path, toml).unwrap();
        ConversionSettings::new(
            &EnclaveFlags {
                config: Some(path),
                ..flags
            },
            &SignatureFlags::default(),
            Notices::default(),
        )
    }

    const FULL: &str = r#"
        key = "signer.pem"
        [enclave]
        size = "1GiB"
        threads = 7
        hostname = "redis"
        name-servers = ["192.0.2.53"]
        [host]
        allow-args = true
        allow-env = ["TZ"]
        allow-signals = ["SIGHUP", "40"]
        publish-loopback = ["8080"]
        [signature]
        product = 1
        security-version = 3
        date = "2026-11-01"
    "#;

    fn leading_to_the_host(published: &[u16], reached: &[u16]) -> Loopback {
        let ports = |numbers: &[u16]| -> Vec<Port> {
            let port = |&number| Port {
                protocol: Transport::Tcp,
                number,
            };
            numbers.iter().map(port).collect()
        };
        Loopback::OfContainer(HostPorts {
            published: ports(published),
            reached: ports(reached),
        })
    }

    #[test]
    fn all_of_the_loopback_interface_or_some_ports_lead_to_the_host() {
        let allowed = "[host]\nallow-loopback = true\n";
        let options = |flags| settings(allowed, flags).map(|settings| settings.options.loopback);
        assert_eq!(options(EnclaveFlags::default()).unwrap(), Loopback::OfHost);
        let flags = EnclaveFlags {
            publish_loopback: vec!["80".parse().unwrap()],
            ..EnclaveFlags::default()
        };
        let refused = options(flags).unwrap_err().to_string();
        assert!(refused.contains("publish-loopback"), "{refused}");
        let nothing = settings("", EnclaveFlags::default()).unwrap().options;
        assert_eq!(nothing.loopback, Loopback::INSIDE);
    }

    #[test]
    fn flags_override_the_file() {
        let from_file = settings(FULL, EnclaveFlags::default()).unwrap();
        let options = &from_file.options;
        assert_eq!(
            (options.memory, options.threads, options.allow_args),
            (1 << 30, 7, true)
        );
        assert_eq!(options.host_env, HostEnv::Names(vec![b"TZ".to_vec()]));
        assert_eq!(options.host_signals, HostSignals::NONE.with(1).with(40));
        assert_eq!(options.resolver, Resolver::Servers(vec![b"192.0.2.53".to_vec()]));
        assert_eq!(options.loopback, leading_to_the_host(&[8080], &[]));
        assert_eq!((options.sign.product, options.sign.security_version), (1, 3));
        assert_eq!(options.sign.date.to_string(), "2026-11-01");
        assert!(from_file.key.unwrap().ends_with("signer.pem"));

        let flags = EnclaveFlags {
            threads: Some(Threads(9)),
            enclave_size: Some(EnclaveSize(8192)),
            allow_env: vec![VariableName("LANG".into())],
            allow_signals: vec![SignalName(15)],
            allow_resolver: true,
            publish_loopback: ["8080", "80"].map(|port| port.parse().unwrap()).to_vec(),
            host_loopback: vec!["5432".parse().unwrap()],
            ..EnclaveFlags::default()
        };
        let both = settings(FULL, flags).unwrap().options;
        assert_eq!(both.resolver, Resolver::OfHost);
        let Loopback::OfContainer(mut ports) = both.loopback else {
            panic!("not all of it");
        };
        // The host's name server may be at a loopback address.
        let dns = ports.reached.pop().unwrap();
        assert_eq!(dns.to_string(), "53/udp");
        assert_eq!(
            Loopback::OfContainer(ports),
            leading_to_the_host(&[80, 8080], &[53, 5432])
        );
        assert_eq!(both.host_signals, HostSignals::NONE.with(15));
        assert_eq!((both.threads, both.memory), (9, 8192));
        assert_eq!(
            both.host_env,
            HostEnv::Names(vec![b"TZ".to_vec(), b"LANG".to_vec()])
        );
    }
}
