//! The package databases of an image: whatever they say, the SBOM is a JSON document that lists what was found.

use image_provenance::{Distribution, Inventory, parse, sbom};
use oci_image::Digest;

pub(crate) fn run(input: &[u8]) {
    let text = String::from_utf8_lossy(input);
    let packages = parse(&text);
    let count = packages.len();
    let inventory = Inventory {
        distribution: Distribution::parse(&text),
        packages,
        unread: Vec::new(),
    };
    let document = sbom(&inventory, &text, Digest::of(input), Some(&text));
    let document: serde_json::Value = serde_json::from_slice(&document).unwrap();
    // One is the image itself.
    let listed = document.pointer("/packages").and_then(|list| list.as_array());
    assert_eq!(listed.map(Vec::len), Some(count + 1));
}

pub(crate) fn seeds() -> Vec<Vec<u8>> {
    [
        "Package: libc6\nStatus: install ok installed\nSource: glibc (2.36-9)\nArchitecture: amd64\nVersion: 2.36-9+b1\n\n",
        "P:musl\nV:1.2.5-r0\nA:x86_64\nL:MIT\no:musl\nU:https://musl.libc.org/\n\nP:busybox\nV:1.36.1-r29\n",
        "ID=alpine\nVERSION_ID=\"3.20.1\"\n",
        "2024-05-01T10:00:00.5Z",
    ]
    .map(|text| text.as_bytes().to_vec())
    .to_vec()
}
