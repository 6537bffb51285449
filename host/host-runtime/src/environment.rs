//! The environment variables that `nacre-host` passes on to the container.
//!
//! `docker run -e NAME=VALUE IMAGE` puts NAME there among much else, and nothing tells what the user gave from what the
//! engine added. So the measured configuration decides, and what it does not let the host set is not passed on, without
//! a word. The LibOS decides again.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;

use enclave_config::{Config, HostEnv};
use sgx_platform::sgxs::Stream;

/// What container engines set in every container. An image that lets its host set anything does not mean these: they
/// would replace its own, and nobody asked for that.
const ENGINE_S_OWN: [&[u8]; 5] = [b"PATH", b"HOME", b"HOSTNAME", b"TERM", b"container"];

/// The enclave's configuration; `None` if it has none. A `copy` lies beside the enclave for those who do not want to read
/// that; both are the host's own files, and a difference means that the image is damaged.
pub fn configuration(sgxs: &[u8], copy: &[u8]) -> Result<Option<Config>, String> {
    let measured = Stream::new(sgxs)
        .and_then(|stream| stream.configuration())
        .map_err(|error| format!("the enclave file is damaged: {error}"))?;
    if measured != copy {
        return Err(
            "it differs from the configuration in the enclave: the image was changed, or is damaged".into(),
        );
    }
    if measured.is_empty() {
        return Ok(None);
    }
    Config::decode(&measured)
        .map(Some)
        .map_err(|error| error.to_string())
}

/// Those that the host may set, as `NAME=VALUE`.
pub fn passed_on(allowed: &HostEnv, own: impl Iterator<Item = (OsString, OsString)>) -> Vec<Vec<u8>> {
    let is_passed = |name: &[u8]| match allowed {
        HostEnv::Names(_) => allowed.allows(name),
        HostEnv::Any => !ENGINE_S_OWN.contains(&name),
    };
    own.map(|(name, value)| (name.into_vec(), value.into_vec()))
        .filter(|(name, _)| is_passed(name))
        .map(|(name, value)| [name, value].join(&b'='))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_engines_set_themselves_needs_to_be_named() {
        let own = ["PATH", "HOSTNAME", "TZ"].map(|name| (OsString::from(name), OsString::from("x")));
        let passed = |allowed: &HostEnv| passed_on(allowed, own.clone().into_iter());
        assert_eq!(passed(&HostEnv::Any), [b"TZ=x"]);
        let names = HostEnv::Names(vec![b"HOSTNAME".to_vec()]);
        assert_eq!(passed(&names), [b"HOSTNAME=x"]);
        assert!(passed(&HostEnv::Names(Vec::new())).is_empty());
    }
}
