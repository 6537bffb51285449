//! The environment variables that `nacre-host` passes on to the container.
//!
//! `docker run -e NAME=VALUE IMAGE` puts NAME there among much else, and nothing tells what the user gave from what the
//! engine added. So the measured configuration decides, and what it does not let the host set is not passed on. Which of that
//! a user has probably given is said. The LibOS decides again.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;

use enclave_config::{Config, HostEnv};
use printable_text::printable;
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

/// What Kubernetes sets for the services of a namespace, in every container of it.
fn is_of_a_service(name: &[u8]) -> bool {
    let has = |part: &[u8]| name.windows(part.len()).any(|window| window == part);
    name.starts_with(b"KUBERNETES_") || has(b"_SERVICE_") || has(b"_PORT_") || name.ends_with(b"_PORT")
}

/// A line about variables that a user has given and that are not passed on: those with another value than the image's, and those
/// that no engine sets by itself.
pub fn ignored(
    allowed: &HostEnv,
    of_image: &[Vec<u8>],
    own: impl Iterator<Item = (OsString, OsString)>,
) -> Option<String> {
    /// Names in a line.
    const MOST: usize = 8;
    let HostEnv::Names(_) = allowed else {
        return None;
    };
    let own: Vec<_> = own
        .map(|(name, value)| (name.into_vec(), value.into_vec()))
        .collect();
    let in_cluster = own.iter().any(|(name, _)| name == b"KUBERNETES_SERVICE_HOST");
    let in_image = |name: &[u8]| {
        let entries = of_image.iter();
        entries
            .filter_map(|entry| entry.strip_prefix(name)?.strip_prefix(b"="))
            .next_back()
    };
    let is_the_user_s = |name: &[u8], value: &[u8]| match in_image(name) {
        Some(own) => own != value,
        None => !(ENGINE_S_OWN.contains(&name) || in_cluster && is_of_a_service(name)),
    };
    let mut names: Vec<String> = own
        .iter()
        .filter(|(name, value)| !allowed.allows(name) && is_the_user_s(name, value))
        .map(|(name, _)| printable(&String::from_utf8_lossy(name)))
        .collect();
    names.sort();
    let options: Vec<_> = names
        .iter()
        .take(MOST)
        .map(|name| format!("--allow-env {name}"))
        .collect();
    let more = match names.len().checked_sub(MOST) {
        None | Some(0) => String::new(),
        Some(more) => format!(" and {more} more"),
    };
    let shown = names.get(..MOST).unwrap_or(&names).join(", ");
    (!names.is_empty()).then(|| {
        format!(
            "ignored: {shown}{more}, because the image does not let its host set variables that it does not name \
             (convert with {})",
            options.join(" ")
        )
    })
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

    #[test]
    fn what_a_user_gave_in_vain_is_said() {
        let allowed = HostEnv::Names(vec![b"TZ".to_vec()]);
        let of_image = ["PATH=/bin", "PORT=80", "EMPTY="].map(Vec::from);
        let said = |own: &[(&str, &str)]| {
            let own = own.iter().map(|(name, value)| (name.into(), value.into()));
            ignored(&allowed, &of_image, own)
        };
        let as_it_is = [
            ("PATH", "/bin"),
            ("PORT", "80"),
            ("EMPTY", ""),
            ("HOSTNAME", "x"),
            ("HOME", "/"),
            ("TZ", "UTC"),
        ];
        assert_eq!(said(&as_it_is), None);
        let line = said(&[("PORT", "81"), ("DEBUG", "1"), ("TZ", "UTC")]).unwrap();
        assert!(line.starts_with("ignored: DEBUG, PORT, because "), "{line}");
        assert!(
            line.ends_with("(convert with --allow-env DEBUG --allow-env PORT)"),
            "{line}"
        );
        // Services of a cluster are nobody's choice.
        let service = ("REDIS_SERVICE_HOST", "10.0.0.1");
        assert!(said(&[service]).is_some());
        assert_eq!(said(&[service, ("KUBERNETES_SERVICE_HOST", "10.0.0.2")]), None);
        let many: Vec<_> = (0..12).map(|number| format!("V{number}")).collect();
        let many: Vec<_> = many.iter().map(|name| (name.as_str(), "")).collect();
        assert!(said(&many).unwrap().contains(" and 4 more, "));
        let given = [("X".into(), "1".into())];
        assert_eq!(ignored(&HostEnv::Any, &[], given.into_iter()), None);
    }
}
