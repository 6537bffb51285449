//! Values of options that describe an enclave. They are checked when they are read, so that an error names its place.

use std::str::FromStr;

use enclave_config::{MAX_HOSTNAME, MAX_MEMORY, MAX_THREADS, Port, Transport, is_variable_name};
use image_convert::signal_number;
use serde::{Deserialize, Deserializer};
use thiserror::Error;

use super::byte_size::{ByteSize, ByteSizeError};

/// Bytes of memory for programs: a multiple of 4096, from 1 page to what an enclave has room for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EnclaveSize(pub u64);

/// Threads that all programs may have together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "u32")]
pub struct Threads(pub u32);

/// The name of an environment variable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VariableName(pub String);

/// A signal, by its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SignalName(pub u8);

/// A port of the loopback addresses: `8080`, or `53/udp`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LoopbackPort(pub Port);

/// The host name that programs see.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostName(pub String);

/// Why a value is refused.
#[derive(Debug, Error)]
pub enum ValueError {
    /// Not a size.
    #[error(transparent)]
    Size(#[from] ByteSizeError),
    /// A size that no enclave can have.
    #[error("{0} is out of range: an enclave has between 4096 bytes and {most} of memory", most = ByteSize(MAX_MEMORY))]
    Memory(ByteSize),
    /// Not a number, or one that is too large or 0.
    #[error("{0:?} is out of range: an enclave has between 1 and {MAX_THREADS} threads")]
    Threads(String),
    /// Not a name.
    #[error("'{0}' is not the name of an environment variable (names only, without '=')")]
    Variable(String),
    /// Several names, as other tools take them.
    #[error("'{0}' is not the name of one environment variable: name each by itself, {split}", split = each(.0))]
    Variables(String),
    /// A pattern.
    #[error(
        "'{0}' is a pattern, and the host may set only variables that are named: name each by itself, --allow-env NAME"
    )]
    Pattern(String),
    /// A size that was probably meant in another unit.
    #[error("'{0}' is a number of bytes, in which no program has room: did you mean {0}M?")]
    Unit(String),
    /// Not a signal.
    #[error("'{0}' is not a signal (a name such as SIGHUP or HUP, or a number from 1 to 64)")]
    Signal(String),
    /// Not a port.
    #[error("'{0}' is not a port (a number from 1 to 65535, with /udp behind it for UDP)")]
    Port(String),
    /// Not a host name.
    #[error("'{0}' is not a host name (letters, digits, '-' and '.', at most {MAX_HOSTNAME} bytes)")]
    HostName(String),
}

/// The least number of bytes that is taken for one without a unit.
const LEAST_IN_BYTES: u64 = 1 << 20;

/// The options that name the variables of a list.
fn each(list: &str) -> String {
    let names = list.split([',', ' ']).filter(|name| !name.is_empty());
    let options: Vec<String> = names.map(|name| format!("--allow-env {name}")).collect();
    options.join(" ")
}

impl FromStr for EnclaveSize {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        let size: ByteSize = text.parse()?;
        // Nobody counts memory in bytes, but who forgets the unit.
        if size.0 < LEAST_IN_BYTES && text.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(ValueError::Unit(text.into()));
        }
        let pages = size.0.checked_next_multiple_of(4096);
        pages
            .filter(|size| (1..=MAX_MEMORY).contains(size))
            .map(Self)
            .ok_or(ValueError::Memory(size))
    }
}

impl FromStr for SignalName {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        signal_number(text)
            .map(Self)
            .ok_or_else(|| ValueError::Signal(text.into()))
    }
}

impl TryFrom<u32> for Threads {
    type Error = ValueError;

    fn try_from(count: u32) -> Result<Self, ValueError> {
        if (1..=MAX_THREADS).contains(&count) {
            Ok(Self(count))
        } else {
            Err(ValueError::Threads(count.to_string()))
        }
    }
}

impl FromStr for Threads {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        let count: u32 = text.parse().map_err(|_| ValueError::Threads(text.into()))?;
        count.try_into()
    }
}

impl FromStr for VariableName {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        // Linux allows these characters, but whoever writes them means something else.
        if text.contains('*') {
            Err(ValueError::Pattern(text.into()))
        } else if text.contains([',', ' ']) {
            Err(ValueError::Variables(text.into()))
        } else if is_variable_name(text.as_bytes()) {
            Ok(Self(text.into()))
        } else {
            Err(ValueError::Variable(text.into()))
        }
    }
}

impl FromStr for LoopbackPort {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        let (number, protocol) = match text.split_once('/') {
            None | Some((_, "tcp")) => (text.trim_end_matches("/tcp"), Transport::Tcp),
            Some((number, "udp")) => (number, Transport::Udp),
            Some(_) => return Err(ValueError::Port(text.into())),
        };
        match number.parse() {
            Ok(number @ 1..) => Ok(Self(Port { protocol, number })),
            _ => Err(ValueError::Port(text.into())),
        }
    }
}

impl FromStr for HostName {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        let is_fit = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.');
        if (1..=MAX_HOSTNAME).contains(&text.len()) && text.chars().all(is_fit) {
            Ok(Self(text.into()))
        } else {
            Err(ValueError::HostName(text.into()))
        }
    }
}

/// A value that a file gives as a string.
#[derive(Clone, Copy, Debug)]
pub struct Parsed<T>(pub T);

impl<'de, T: FromStr<Err: std::fmt::Display>> Deserialize<'de> for Parsed<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map(Self).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_an_enclave_can_have() {
        let size = |text: &str| text.parse::<EnclaveSize>().map(|size| size.0).ok();
        assert_eq!(size("5000000"), Some(5_001_216));
        assert_eq!(size("5K"), Some(8192));
        let error = "512".parse::<EnclaveSize>().unwrap_err().to_string();
        assert!(error.ends_with("did you mean 512M?"), "{error}");
        assert_eq!(size("55G"), Some(MAX_MEMORY));
        for wrong in ["0", "5000", "56G", "16777215T", "lots"] {
            assert_eq!(size(wrong), None, "{wrong}");
        }
        let threads = |text: &str| text.parse::<Threads>().map(|threads| threads.0).ok();
        assert_eq!(threads("2047"), Some(2047));
        for wrong in ["0", "2048", "-1", "many"] {
            assert_eq!(threads(wrong), None, "{wrong}");
        }
        assert!("TZ".parse::<VariableName>().is_ok() && "redis-1.local".parse::<HostName>().is_ok());
        for (wrong, words) in [
            ("", "names only"),
            ("A=B", "names only"),
            ("A,B", "--allow-env A --allow-env B"),
            ("A, B", "--allow-env A --allow-env B"),
            ("*", "is a pattern"),
            ("LC_*", "is a pattern"),
        ] {
            let error = wrong.parse::<VariableName>().err().unwrap().to_string();
            assert!(error.contains(words), "{error}");
        }
        let port = |text: &str| text.parse::<LoopbackPort>().map(|port| port.0.to_string()).ok();
        assert_eq!(port("80/tcp").as_deref(), Some("80"));
        assert_eq!(port("65535/udp").as_deref(), Some("65535/udp"));
        for wrong in ["0", "65536", "", "80/sctp", "/udp", "http", "80/tcp/tcp"] {
            assert_eq!(port(wrong), None, "{wrong}");
        }
        for wrong in ["", "a b", "a\nb", &"x".repeat(65)] {
            assert!(wrong.parse::<HostName>().is_err());
        }
    }
}
