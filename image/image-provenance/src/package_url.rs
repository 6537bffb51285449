//! Package URLs: names of packages over all ecosystems (ECMA-427).

use crate::{Distribution, Ecosystem, Package};

/// The URL of a package, as in `pkg:deb/debian/libc6@2.36-9?arch=amd64&distro=debian-12`.
pub(crate) fn package_url(package: &Package, distribution: &Distribution) -> String {
    let (kind, usual) = match package.ecosystem {
        Ecosystem::Apk => ("apk", "alpine"),
        Ecosystem::Deb => ("deb", "debian"),
    };
    let vendor = match distribution.id.as_str() {
        "" => usual,
        id => id,
    };
    let mut qualifiers = Vec::new();
    if !package.architecture.is_empty() {
        qualifiers.push(format!("arch={}", escaped(&package.architecture)));
    }
    if !distribution.version.is_empty() {
        let name = format!("{vendor}-{}", distribution.version);
        qualifiers.push(format!("distro={}", escaped(&name)));
    }
    let (name, version) = (escaped(&package.name), escaped(&package.version));
    let mut url = format!("pkg:{kind}/{}/{name}@{version}", escaped(&vendor.to_lowercase()));
    if !qualifiers.is_empty() {
        url += "?";
        url += &qualifiers.join("&");
    }
    url
}

/// Percent-encodes what is no unreserved character, but for colons.
fn escaped(text: &str) -> String {
    let mut out = String::new();
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'.' | b'-' | b'_' | b'~' | b':' => {
                out.push(byte.into())
            }
            _ => out += &format!("%{byte:02X}"),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_as_the_standard_has_them() {
        let package = Package {
            ecosystem: Ecosystem::Deb,
            name: "libstdc++6".into(),
            version: "1:12.2.0-14+deb12u1~x".into(),
            architecture: "amd64".into(),
            source: Default::default(),
            maintainer: String::new(),
            license: String::new(),
            homepage: String::new(),
        };
        let debian = Distribution {
            id: "debian".into(),
            version: "12".into(),
        };
        assert_eq!(
            package_url(&package, &debian),
            "pkg:deb/debian/libstdc%2B%2B6@1:12.2.0-14%2Bdeb12u1~x?arch=amd64&distro=debian-12"
        );
    }
}
