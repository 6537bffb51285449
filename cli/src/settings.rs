//! Choices of a conversion: flags, over `nacre.toml`, over defaults.
//!
//! ```toml
//! key = "signer.pem"            # relative to this file
//!
//! [enclave]
//! size = "4GiB"                 # memory for programs
//! threads = 128
//! hostname = "redis"
//! debug = false
//!
//! [host]                        # what the host may change
//! allow-args = true
//! allow-env = ["TZ", "LOG_LEVEL"]
//!
//! [signature]
//! product = 1
//! security-version = 3
//! date = "2026-11-01"
//! ```

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow, ensure};
use clap::Args;
use convert::Options;
use enclave_config::HostEnv;
use serde::{Deserialize, Deserializer};
use sign::{Date, SignOptions};

use crate::byte_size::ByteSize;

/// Flags of `nacre convert` that choose what the enclave is and what its host may change.
#[derive(Args, Debug, Default)]
pub struct EnclaveFlags {
    /// Memory for the programs in the enclave, such as 512M or 4GiB [default: 4GiB]
    #[arg(long, value_name = "SIZE")]
    enclave_size: Option<ByteSize>,

    /// Threads that all programs in the enclave may have together [default: 128]
    #[arg(long, value_name = "NUMBER")]
    threads: Option<u32>,

    /// The host may replace the image's command (Cmd) when it runs it
    #[arg(long)]
    allow_args: bool,

    /// The host may set this environment variable; can be given several times
    #[arg(long, value_name = "NAME")]
    allow_env: Vec<String>,

    /// The host name that the programs see
    #[arg(long, value_name = "NAME")]
    hostname: Option<String>,

    /// Sign as a debug enclave: its host can look into it (--trace, --stats, crash reports)
    #[arg(long)]
    debug: bool,

    /// Read choices from a nacre.toml; flags go before it
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

/// Flags that choose what a signature says.
#[derive(Args, Debug, Default)]
pub struct SignatureFlags {
    /// Sign with this RSA-3072 key (PEM), see `nacre keygen`
    #[arg(long, value_name = "FILE")]
    pub key: Option<PathBuf>,

    /// Number of the product (ISVPRODID) [default: 0]
    #[arg(long, value_name = "NUMBER")]
    product: Option<u16>,

    /// Security version of the product (ISVSVN) [default: 0]
    #[arg(long, value_name = "NUMBER")]
    security_version: Option<u16>,

    /// Date in the signature, YYYY-MM-DD [default: that of SOURCE_DATE_EPOCH, or a fixed one]
    #[arg(long, value_name = "DATE")]
    date: Option<Date>,
}

/// What has been chosen.
#[derive(Debug, Default)]
pub struct Settings {
    /// Choices of the conversion.
    pub options: Options,
    /// The key to sign with, if one was named.
    pub key: Option<PathBuf>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
struct File {
    key: Option<PathBuf>,
    enclave: Enclave,
    host: Host,
    signature: Signature,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
struct Enclave {
    #[serde(deserialize_with = "parsed")]
    size: Option<ByteSize>,
    threads: Option<u32>,
    hostname: Option<String>,
    debug: bool,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
struct Host {
    allow_args: bool,
    allow_env: Vec<String>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
struct Signature {
    product: Option<u16>,
    security_version: Option<u16>,
    #[serde(deserialize_with = "parsed")]
    date: Option<Date>,
}

fn parsed<'de, D, T>(deserializer: D) -> Result<Option<T>, D::Error>
where
    D: Deserializer<'de>,
    T: std::str::FromStr<Err: std::fmt::Display>,
{
    let text = String::deserialize(deserializer)?;
    text.parse().map(Some).map_err(serde::de::Error::custom)
}

impl Settings {
    /// Reads `nacre.toml` if one was named, and puts the flags over it.
    pub fn new(enclave: &EnclaveFlags, signature: &SignatureFlags) -> Result<Self> {
        let file = match &enclave.config {
            Some(path) => read(path)?,
            None => File::default(),
        };
        let defaults = Options::default();
        let names: Vec<_> = file.host.allow_env.iter().chain(&enclave.allow_env).collect();
        for name in &names {
            ensure!(
                !name.is_empty() && !name.contains(['=', '\0']),
                "'{name}' is not the name of an environment variable (--allow-env takes names only)"
            );
        }
        let memory = enclave
            .enclave_size
            .or(file.enclave.size)
            .map_or(defaults.memory, |size| size.0);
        let options = Options {
            memory: memory
                .checked_next_multiple_of(4096)
                .ok_or_else(|| anyhow!("the enclave is too large"))?,
            threads: enclave
                .threads
                .or(file.enclave.threads)
                .unwrap_or(defaults.threads),
            allow_args: enclave.allow_args || file.host.allow_args,
            host_env: HostEnv::Names(names.into_iter().map(|name| name.clone().into_bytes()).collect()),
            debug: enclave.debug || file.enclave.debug,
            hostname: enclave
                .hostname
                .clone()
                .or(file.enclave.hostname)
                .unwrap_or(defaults.hostname),
            sign: sign_options(signature, &file.signature)?,
        };
        Ok(Self {
            options,
            key: signature.key.clone().or(file.key),
        })
    }
}

impl SignatureFlags {
    /// What the signature says, without a `nacre.toml`.
    pub fn options(&self) -> Result<SignOptions> {
        sign_options(self, &Signature::default())
    }
}

fn sign_options(flags: &SignatureFlags, file: &Signature) -> Result<SignOptions> {
    let date = match flags.date.or(file.date) {
        Some(date) => date,
        None => default_date()?,
    };
    Ok(SignOptions {
        date,
        product: flags.product.or(file.product).unwrap_or(0),
        security_version: flags.security_version.or(file.security_version).unwrap_or(0),
    })
}

/// That of SOURCE_DATE_EPOCH (<https://reproducible-builds.org/specs/source-date-epoch/>), else a constant: the same
/// input signed tomorrow gives the same bytes.
fn default_date() -> Result<Date> {
    let Some(epoch) = std::env::var_os("SOURCE_DATE_EPOCH") else {
        return Ok(Date::DEFAULT);
    };
    epoch
        .to_str()
        .and_then(|text| Date::from_unix(text.parse().ok()?))
        .ok_or_else(|| anyhow!("SOURCE_DATE_EPOCH is not a number of seconds since 1970: {epoch:?}"))
}

fn read(path: &Path) -> Result<File> {
    let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    let mut file: File = toml::from_str(&text).map_err(|error| {
        let at = error.span().map_or(0, |span| span.start);
        let before = text.get(..at).unwrap_or_default();
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
        let words = error.message().lines().collect::<Vec<_>>().join("; ");
        anyhow!("{}:{line}:{column}: {words}", path.display())
    })?;
    file.key = file
        .key
        .map(|key| path.parent().unwrap_or(Path::new("")).join(key));
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(toml: &str, flags: EnclaveFlags) -> Result<Settings> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("nacre.toml");
        std::fs::write(&path, toml).unwrap();
        Settings::new(
            &EnclaveFlags {
                config: Some(path),
                ..flags
            },
            &SignatureFlags::default(),
        )
    }

    const FULL: &str = r#"
        key = "signer.pem"
        [enclave]
        size = "1GiB"
        threads = 7
        hostname = "redis"
        [host]
        allow-args = true
        allow-env = ["TZ"]
        [signature]
        product = 1
        security-version = 3
        date = "2026-11-01"
    "#;

    #[test]
    fn a_file_says_everything_and_flags_go_before_it() {
        let from_file = settings(FULL, EnclaveFlags::default()).unwrap();
        let options = &from_file.options;
        assert_eq!(
            (options.memory, options.threads, options.allow_args),
            (1 << 30, 7, true)
        );
        assert_eq!(options.host_env, HostEnv::Names(vec![b"TZ".to_vec()]));
        assert_eq!((options.sign.product, options.sign.security_version), (1, 3));
        assert_eq!(options.sign.date.to_string(), "2026-11-01");
        assert!(from_file.key.unwrap().ends_with("signer.pem"));

        let flags = EnclaveFlags {
            threads: Some(9),
            enclave_size: Some(ByteSize(5000)),
            allow_env: vec!["LANG".into()],
            ..EnclaveFlags::default()
        };
        let both = settings(FULL, flags).unwrap().options;
        assert_eq!((both.threads, both.memory), (9, 8192));
        assert_eq!(
            both.host_env,
            HostEnv::Names(vec![b"TZ".to_vec(), b"LANG".to_vec()])
        );
    }

    #[test]
    fn mistakes_are_named_with_their_place() {
        for (toml, place, words) in [
            ("[enclave]\nmemory = 1\n", ":2:1: ", "unknown field `memory`"),
            ("[enclave]\nthreads = \"x\"\n", ":2:11: ", "invalid type"),
            ("[enclave]\nsize = \"4X\"\n", ":2:8: ", "is not a size"),
            ("[host\n", ":1:6: ", ""),
        ] {
            let error = settings(toml, EnclaveFlags::default()).unwrap_err().to_string();
            assert!(error.contains(place) && error.contains(words), "{error}");
            assert!(!error.contains('\n'), "{error}");
        }
        let names = settings("[host]\nallow-env = [\"A=B\"]\n", EnclaveFlags::default());
        assert!(names.unwrap_err().to_string().contains("A=B"));
    }
}
