//! `nacre.toml`: the options of a conversion in a file.
//!
//! ```toml
//! key = "signer.pem"            # relative to this file
//!
//! [enclave]
//! size = "4GiB"                 # memory for programs
//! threads = 128
//! hostname = "redis"
//! name-servers = ["192.0.2.53"] # for /etc/resolv.conf, if the image has none
//! broker-ca = "broker.pem"      # who vouches for the key broker; relative to this file
//! debug = false
//!
//! [host]                        # what the host may change
//! allow-args = true
//! allow-env = ["TZ", "LOG_LEVEL"]
//! allow-signals = ["HUP"]       # besides the image's StopSignal
//! allow-resolver = true         # /etc/resolv.conf, if the image has none
//! publish-loopback = ["8080"]   # of the container's servers on 127.0.0.1
//! host-loopback = ["53/udp"]    # of the host's servers on 127.0.0.1
//! allow-loopback = false        # all traffic of 127.0.0.1
//!
//! [signature]
//! product = 1
//! security-version = 3
//! date = "2026-11-01"
//! ```

use std::io;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow};
use serde::Deserialize;
use sgx_sign::Date;

use super::enclave_values::{EnclaveSize, HostName, LoopbackPort, Parsed, SignalName, Threads, VariableName};
use super::notices::Notices;
use crate::signer;

/// The name of the file in the current directory that is read by default.
const NAME: &str = "nacre.toml";

/// The whole file.
#[derive(Deserialize, Default)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct File {
    pub key: Option<PathBuf>,
    pub enclave: Enclave,
    pub host: Host,
    pub signature: Signature,
}

/// The section `[enclave]`: what the enclave is.
#[derive(Deserialize, Default)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Enclave {
    pub size: Option<Parsed<EnclaveSize>>,
    pub threads: Option<Threads>,
    pub hostname: Option<Parsed<HostName>>,
    pub name_servers: Vec<IpAddr>,
    pub broker_ca: Option<PathBuf>,
    pub debug: bool,
}

/// The section `[host]`: what the host may change.
#[derive(Deserialize, Default)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Host {
    pub allow_args: bool,
    pub allow_env: Vec<Parsed<VariableName>>,
    pub allow_signals: Option<Vec<Parsed<SignalName>>>,
    pub allow_resolver: bool,
    pub publish_loopback: Vec<Parsed<LoopbackPort>>,
    pub host_loopback: Vec<Parsed<LoopbackPort>>,
    pub allow_loopback: bool,
}

/// The section `[signature]`: what the signature holds.
#[derive(Deserialize, Default)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Signature {
    pub product: Option<u16>,
    pub security_version: Option<u16>,
    pub date: Option<Parsed<Date>>,
}

impl File {
    /// Reads the file that was named, or else the `nacre.toml` in the current directory if there is one. The latter is
    /// reported on standard error, because it changes what is measured.
    pub fn find(named: Option<&Path>, notices: Notices) -> Result<Self> {
        let (path, text) = match named {
            Some(path) => (path, std::fs::read_to_string(path)),
            None => match std::fs::read_to_string(NAME) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Self::default()),
                read => (Path::new(NAME), read),
            },
        };
        let text = text.with_context(|| format!("cannot read {}", path.display()))?;
        let file = Self::parse(path, &text)?;
        if named.is_none() {
            notices.say(format_args!(
                "reading options from {NAME} in this directory (to read another file: --config FILE)"
            ));
        }
        Ok(file)
    }

    /// An error names file, line, column and key.
    fn parse(path: &Path, text: &str) -> Result<Self> {
        let failed = |error: &toml::de::Error, key: &str| {
            let at = error.span().map_or(0, |span| span.start);
            let before = text.get(..at).unwrap_or_default();
            let line = before.matches('\n').count() + 1;
            let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
            let words = error.message().lines().collect::<Vec<_>>().join("; ");
            let hint = hint(&words).unwrap_or_default();
            anyhow!("{}:{line}:{column}: {key}{words}{hint}", path.display())
        };
        let document = toml::Deserializer::parse(text).map_err(|error| failed(&error, ""))?;
        let mut file: Self = serde_path_to_error::deserialize(document)
            .map_err(|error| failed(error.inner(), &format!("{}: ", error.path())))?;
        let directory = path.parent().unwrap_or(Path::new(""));
        file.key = file.key.map(|key| match signer::is_uri(&key) {
            true => key,
            false => directory.join(key),
        });
        file.enclave.broker_ca = file.enclave.broker_ca.map(|path| directory.join(path));
        Ok(file)
    }
}

/// The names of the options on the command line, and where the file has them. What stands in a section has its name first.
const PLACES: &[(&str, &str)] = &[
    ("key", "key, before all sections"),
    ("enclave-size", "size in [enclave]"),
    ("memory", "size in [enclave]"),
    ("size", "size in [enclave]"),
    ("threads", "threads in [enclave]"),
    ("hostname", "hostname in [enclave]"),
    ("name-server", "name-servers in [enclave]"),
    ("name-servers", "name-servers in [enclave]"),
    ("broker-ca", "broker-ca in [enclave]"),
    ("debug", "debug in [enclave]"),
    ("allow-args", "allow-args in [host]"),
    ("allow-env", "allow-env in [host]"),
    ("allow-signals", "allow-signals in [host]"),
    ("allow-resolver", "allow-resolver in [host]"),
    ("product", "product in [signature]"),
    ("security-version", "security-version in [signature]"),
    ("date", "date in [signature]"),
    ("enclave", "the section [enclave]"),
    ("host", "the section [host]"),
    ("signature", "the section [signature]"),
];

/// What was probably meant by a key that the file does not have there.
fn hint(words: &str) -> Option<String> {
    /// Letters that may be wrong, missing or too many.
    const MISTAKES: usize = 2;
    let name = words.strip_prefix("unknown field `")?.split_once('`')?.0;
    let name = name.replace('_', "-");
    let distances = PLACES
        .iter()
        .map(|(known, place)| (strsim::levenshtein(&name, known), place));
    let (distance, place) = distances.min_by_key(|(distance, _)| *distance)?;
    (distance <= MISTAKES).then(|| format!("; did you mean {place}?"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mistakes_are_named_with_their_place() {
        for (toml, begins, words) in [
            (
                "[enclave]\nmemory = 1\n",
                "x/n.toml:2:1: enclave.memory: ",
                "unknown field `memory`",
            ),
            ("kei = \"k\"\n", "x/n.toml:1:1: kei: ", "unknown field `kei`"),
            (
                "kei = \"k\"\n",
                "x/n.toml:1:1: kei: ",
                "; did you mean key, before all sections?",
            ),
            (
                "enclave-size = \"1G\"\n",
                "x/n.toml:1:1: enclave-size: ",
                "; did you mean size in [enclave]?",
            ),
            (
                "[enclave]\nallow_env = []\n",
                "x/n.toml:2:1: enclave.allow_env: ",
                "; did you mean allow-env in [host]?",
            ),
            (
                "[enclave]\nsize = \"512\"\n",
                "x/n.toml:2:8: enclave.size: ",
                "did you mean 512M?",
            ),
            (
                "[host]\nallow-env = [\"*\"]\n",
                "x/n.toml:2:13: host.allow-env[0]: ",
                "is a pattern",
            ),
            (
                "[enclave]\nthreads = \"x\"\n",
                "x/n.toml:2:11: enclave.threads: ",
                "invalid type",
            ),
            (
                "[enclave]\nthreads = 0\n",
                "x/n.toml:2:11: enclave.threads: ",
                "between 1 and 2047",
            ),
            (
                "[enclave]\n  size = \"4X\"\n",
                "x/n.toml:2:10: enclave.size: ",
                "is not a size",
            ),
            (
                "[enclave]\nsize = 4096\n",
                "x/n.toml:2:8: enclave.size: ",
                "expected a string",
            ),
            (
                "[enclave]\nsize = \"1T\"\n",
                "x/n.toml:2:8: enclave.size: ",
                "55 GiB",
            ),
            (
                "[host]\nallow-env = [\"A\", \"A=B\"]\n",
                "x/n.toml:2:13: host.allow-env[1]: ",
                "A=B",
            ),
            (
                "[signature]\ndate = \"today\"\n",
                "x/n.toml:2:8: signature.date: ",
                "YYYY-MM-DD",
            ),
            ("[host\n", "x/n.toml:1:6: ", ""),
            ("key = 1\nkey = 2\n", "x/n.toml:2:1: ", "duplicate"),
        ] {
            let error = File::parse(Path::new("x/n.toml"), toml)
                .err()
                .unwrap()
                .to_string();
            assert!(error.starts_with(begins) && error.contains(words), "{error}");
            assert!(!error.contains('\n'), "{error}");
        }
    }

    #[test]
    fn a_key_in_a_token_is_nowhere_beside_the_file() {
        let uri = "pkcs11:object=a?module-path=/m.so";
        let file = File::parse(Path::new("x/n.toml"), &format!("key = {uri:?}")).unwrap();
        assert_eq!(file.key.unwrap(), Path::new(uri));
    }

    #[test]
    fn keys_are_beside_the_file() {
        let file = File::parse(Path::new("x/n.toml"), "key = \"k.pem\"").unwrap();
        assert_eq!(file.key.unwrap(), Path::new("x/k.pem"));
    }
}
