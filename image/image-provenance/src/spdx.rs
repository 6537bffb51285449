//! The bill of materials (SBOM) as an SPDX 2.3 document in JSON.
//!
//! Source: SPDX specification 2.3, clauses 6 (creation), 7 (packages) and 11 (relationships), and its JSON schema.

use oci_image::Digest;
use serde_json::{Value, json};

use crate::package_url::package_url;
use crate::{Inventory, Package};

/// The media type of the document.
pub const SPDX: &str = "application/spdx+json";

/// What SPDX says where nobody has looked.
const UNKNOWN: &str = "NOASSERTION";
const DOCUMENT: &str = "SPDXRef-DOCUMENT";
const IMAGE: &str = "SPDXRef-Image";
/// When the image does not say when it was made.
const EPOCH: &str = "1970-01-01T00:00:00Z";

/// The document about the image `name`, whose configuration has this digest, and which says of itself when it was made
/// (RFC 3339).
pub fn sbom(inventory: &Inventory, name: &str, image: Digest, made: Option<&str>) -> Vec<u8> {
    let mut packages = vec![json!({
        "SPDXID": IMAGE,
        "name": name,
        "versionInfo": image.to_string(),
        "downloadLocation": UNKNOWN,
        "filesAnalyzed": false,
        "primaryPackagePurpose": "CONTAINER",
        "comment": "The checksum is that of the image's configuration: its ID in Docker.",
        "checksums": [{ "algorithm": "SHA256", "checksumValue": image.hex() }],
    })];
    let mut relationships = vec![relationship(DOCUMENT, "DESCRIBES", IMAGE)];
    for (number, package) in inventory.packages.iter().enumerate() {
        let id = format!("SPDXRef-Package-{}", number + 1);
        relationships.push(relationship(IMAGE, "CONTAINS", &id));
        packages.push(described(package, &id, inventory));
    }
    let mut document = json!({
        "spdxVersion": "SPDX-2.3",
        "dataLicense": "CC0-1.0",
        "SPDXID": DOCUMENT,
        "name": name,
        // What differs between two documents of one image is nacre's version and the name.
        "documentNamespace": format!(
            "https://spdx.org/spdxdocs/nacre-{}-{}-{}",
            env!("CARGO_PKG_VERSION"),
            image.hex(),
            Digest::of(name.as_bytes()).hex(),
        ),
        "creationInfo": {
            "created": made.and_then(whole_seconds).unwrap_or_else(|| EPOCH.into()),
            "creators": [concat!("Tool: nacre-", env!("CARGO_PKG_VERSION"))],
            "comment": "The time is that at which the image says it was made.",
        },
        "packages": packages,
        "relationships": relationships,
    });
    if !inventory.unread.is_empty() {
        let places: Vec<String> = inventory.unread.iter().map(|path| format!("/{path}")).collect();
        let comment = format!(
            "Incomplete: the image has an RPM database, which nacre does not read ({}).",
            places.join(", ")
        );
        if let Some(document) = document.as_object_mut() {
            document.insert("comment".into(), comment.into());
        }
    }
    document.to_string().into_bytes()
}

fn relationship(from: &str, kind: &str, to: &str) -> Value {
    json!({ "spdxElementId": from, "relationshipType": kind, "relatedSpdxElement": to })
}

fn described(package: &Package, id: &str, inventory: &Inventory) -> Value {
    let mut value = json!({
        "SPDXID": id,
        "name": package.name,
        "versionInfo": package.version,
        "supplier": UNKNOWN,
        "downloadLocation": UNKNOWN,
        "filesAnalyzed": false,
        "licenseConcluded": UNKNOWN,
        "licenseDeclared": UNKNOWN,
        "copyrightText": UNKNOWN,
        "sourceInfo": format!("built from {} {}", package.source.0, package.source.1),
        "externalRefs": [{
            "referenceCategory": "PACKAGE-MANAGER",
            "referenceType": "purl",
            "referenceLocator": package_url(package, &inventory.distribution),
        }],
    });
    // What is written there is often no SPDX expression, and an SPDX reader would refuse the document.
    let texts = [
        ("licenseComments", "the package says: ", &package.license),
        ("comment", "maintained by ", &package.maintainer),
    ];
    if let Some(value) = value.as_object_mut() {
        for (key, says, text) in texts {
            if !text.is_empty() {
                value.insert(key.into(), format!("{says}{text}").into());
            }
        }
        if is_url(&package.homepage) {
            value.insert("homepage".into(), package.homepage.clone().into());
        }
    }
    value
}

/// SPDX wants an absolute URL.
fn is_url(text: &str) -> bool {
    let rest = text
        .strip_prefix("https://")
        .or_else(|| text.strip_prefix("http://"));
    rest.is_some_and(|rest| {
        rest.starts_with(|sign: char| sign.is_ascii_alphanumeric())
            && rest
                .chars()
                .all(|sign| sign.is_ascii_graphic() && !"<>\"{}|\\^`[]".contains(sign))
    })
}

/// `YYYY-MM-DDThh:mm:ssZ`, which is all that SPDX takes, of a time in UTC as RFC 3339 has it.
fn whole_seconds(time: &str) -> Option<String> {
    const FORM: &str = "0000-00-00T00:00:00";
    let seconds = time.get(..FORM.len())?;
    let is_like = |(sign, form): (char, char)| match form {
        '0' => sign.is_ascii_digit(),
        _ => sign == form,
    };
    let is_utc = time.ends_with('Z') || time.ends_with("+00:00");
    (is_utc && seconds.chars().zip(FORM.chars()).all(is_like)).then(|| format!("{seconds}Z"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_lose_their_fractions() {
        let time = |text| whole_seconds(text);
        assert_eq!(
            time("2024-05-01T10:00:00.123456789Z").as_deref(),
            Some("2024-05-01T10:00:00Z")
        );
        assert_eq!(time("2024-05-01T10:00:00+02:00"), None);
        assert_eq!(time("yesterday"), None);
        assert!(is_url("https://musl.libc.org/") && !is_url("musl.libc.org") && !is_url("https://a b"));
    }
}
