//! What `--attest` attaches to an image: SPDX's own validator judges the SBOM, skopeo and a registry the way it is attached.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use harness::archive::{self, Config, Entry};
use harness::{Guest, Outcome};
use serde_json::Value;

use super::place::{Registry, Workplace};

const DPKG: &str = "Package: libstdc++6\nStatus: install ok installed\nMaintainer: Debian GCC <gcc@example.org>\n\
    Architecture: amd64\nSource: gcc-12 (12.2.0-14)\nVersion: 12.2.0-14+b1\nHomepage: http://gcc.gnu.org/\n\n\
    Package: removed\nStatus: deinstall ok config-files\nArchitecture: amd64\nVersion: 1\n";
const DISTROLESS: &str =
    "Package: tzdata\nArchitecture: all\nVersion: 2024a-0+deb12u1\nHomepage: not a URL\n";
const APK: &str = "P:secret-package\nV:1.0-r0\nA:x86_64\nL:MIT and some text\nU:https://example.org/\n";

/// An image with three databases of packages, in `sbom.tar`.
fn image(place: &Workplace) {
    let guests = Guest::all().unwrap();
    let guest = guests.iter().find(|guest| guest.name == "traced_calls").unwrap();
    let program = guest.build(Path::new(env!("CARGO_TARGET_TMPDIR"))).unwrap();
    let entries = [
        Entry::directory("etc", 0o755),
        Entry::symlink("etc/os-release", "../usr/lib/os-release"),
        Entry::file(
            "usr/lib/os-release",
            0o644,
            &b"ID=debian\nVERSION_ID=\"12\"\n"[..],
        ),
        Entry::file("var/lib/dpkg/status", 0o644, DPKG.as_bytes()),
        Entry::file("var/lib/dpkg/status.d/tzdata", 0o644, DISTROLESS.as_bytes()),
        Entry::file("var/lib/dpkg/status.d/tzdata.md5sums", 0o644, &b"0  file\n"[..]),
        Entry::file("lib/apk/db/installed", 0o644, APK.as_bytes()),
        Entry::file("guest", 0o755, fs::read(program).unwrap()),
    ];
    let config = Config {
        entrypoint: vec!["/guest".into()],
        ..Config::default()
    };
    let layer = archive::layer(entries).unwrap();
    let out = fs::File::create(place.path("sbom.tar")).unwrap();
    archive::write(out, "app:1", &config, &layer).unwrap();
}

fn said(outcome: Outcome) -> String {
    assert_eq!(outcome.status, 0, "{outcome}");
    outcome.stdout
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

/// The environment that `cargo xtask test` makes.
fn validator() -> PathBuf {
    let mut target = std::env::current_exe().unwrap();
    loop {
        let candidate = target.join("spdx-tools/bin/pyspdxtools");
        if candidate.is_file() {
            break candidate;
        }
        assert!(
            target.pop(),
            "there is no spdx-tools/bin/pyspdxtools in the target directory: run `cargo xtask spdx-tools`, or `cargo \
             xtask test`, which does it first"
        );
    }
}

#[test]
fn an_sbom_and_a_provenance_are_attached() {
    let place = Workplace::new();
    image(&place);
    let source = "docker-archive:sbom.tar";
    for target in [
        "oci-archive:a.tar:app:1",
        "docker-archive:d.tar:app:1",
        "oci:layout:app:1",
    ] {
        said(place.nacre(&["convert", "--attest", source, target]));
    }
    let sbom = said(place.nacre(&["inspect", "--sbom", "oci-archive:a.tar"]));
    for image in ["docker-archive:d.tar", "oci:layout:app:1", "a.tar"] {
        assert_eq!(said(place.nacre(&["inspect", "--sbom", image])), sbom, "{image}");
        assert_eq!(place.inspect(image)["problems"], Value::Array(vec![]), "{image}");
    }

    fs::write(place.path("sbom.spdx.json"), &sbom).unwrap();
    let mut command = Command::new(validator());
    command.arg("-i").arg(place.path("sbom.spdx.json"));
    let outcome = Outcome::of(command, b"").unwrap();
    assert_eq!(outcome.status, 0, "{outcome}");
    let sbom = json(&sbom);
    let packages: Vec<&str> = sbom["packages"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|package| package["externalRefs"][0]["referenceLocator"].as_str())
        .collect();
    assert_eq!(
        packages,
        [
            "pkg:apk/debian/secret-package@1.0-r0?arch=x86_64&distro=debian-12",
            "pkg:deb/debian/libstdc%2B%2B6@12.2.0-14%2Bb1?arch=amd64&distro=debian-12",
            "pkg:deb/debian/tzdata@2024a-0%2Bdeb12u1?arch=all&distro=debian-12",
        ]
    );

    let provenance = json(&said(place.nacre(&[
        "inspect",
        "--provenance",
        "oci:layout:app:1",
    ])));
    let report = place.inspect("oci:layout:app:1");
    let index = json(&fs::read_to_string(place.path("layout/index.json")).unwrap());
    let digest = |value: &Value| value.as_str().unwrap().trim_start_matches("sha256:").to_owned();
    assert_eq!(
        digest(&provenance["subject"][0]["digest"]["sha256"]),
        digest(&index["manifests"][0]["digest"])
    );
    let details = &provenance["predicate"]["runDetails"]["byproducts"];
    assert_eq!(details[0]["digest"]["sgxMrEnclave"], report["mr_enclave"]);
    assert_eq!(details[1]["digest"]["sgxMrSigner"], report["mr_signer"]);
    let built = &provenance["predicate"]["buildDefinition"];
    assert_eq!(
        built["externalParameters"]["source"],
        report["configuration"]["source_image_id"]
    );
    assert_eq!(built["externalParameters"]["options"]["enclave"]["threads"], 128);

    // What was attached to an image that is replaced goes with it, and nothing is there twice.
    said(place.nacre(&["convert", "--attest", source, "oci:layout:app:2"]));
    let entries = || {
        let index = json(&fs::read_to_string(place.path("layout/index.json")).unwrap());
        index["manifests"].as_array().unwrap().len()
    };
    assert_eq!(
        entries(),
        4,
        "two names of one image, with what is attached to it"
    );
    said(place.nacre(&["convert", "--attest", "--debug", source, "oci:layout:app:2"]));
    assert_eq!(entries(), 6);
    said(place.nacre(&["convert", "--debug", source, "oci:layout:app:1"]));
    assert_eq!(entries(), 4);
    let without = place.nacre(&["inspect", "--sbom", "oci-archive:image.tar"]);
    assert_eq!(without.status, 125);
    assert!(without.stderr.contains("nacre convert --attest"), "{without}");
}

#[test]
fn an_encrypted_image_gets_no_sbom() {
    let place = Workplace::new();
    image(&place);
    let encrypt = ["--encrypt", "--image-key", "key", "--attest"];
    let line = [
        &["convert"],
        &encrypt[..],
        &["docker-archive:sbom.tar", "oci-archive:e.tar:app:1"],
    ]
    .concat();
    let outcome = said(place.nacre(&line));
    assert!(outcome.contains("attached     provenance"), "{outcome}");
    let bytes = fs::read(place.path("e.tar")).unwrap();
    let name = b"secret-package";
    assert!(!bytes.windows(name.len()).any(|window| window == name));
    assert_eq!(place.nacre(&["inspect", "--sbom", "e.tar"]).status, 125);
    let provenance = json(&said(place.nacre(&["inspect", "--provenance", "e.tar"])));
    let options = &provenance["predicate"]["buildDefinition"]["externalParameters"]["options"];
    assert_eq!(
        options["imageKey"],
        place.inspect("e.tar")["configuration"]["image_key"]
    );
}

/// Debian's docker-registry has no API for referrers: they stand in an index, whose tag is made of the digest.
#[test]
fn a_registry_lists_what_is_attached() {
    let place = Workplace::new();
    image(&place);
    let Some(registry) = Registry::start(&place) else {
        return;
    };
    let source = "docker-archive:sbom.tar";
    said(place.nacre(&["convert", "--attest", source, "oci-archive:a.tar:app:1"]));
    let local = said(place.nacre(&["inspect", "--sbom", "a.tar"]));
    let remote = format!("docker://{}/team/app:1", registry.address);
    // Twice: what is there stays, and is not listed again.
    for _ in 0..2 {
        said(place.nacre(&["convert", "--attest", source, &remote]));
        assert_eq!(said(place.nacre(&["inspect", "--sbom", &remote])), local);
    }
    let provenance = json(&said(place.nacre(&["inspect", "--provenance", &remote])));
    let digest = provenance["subject"][0]["digest"]["sha256"].as_str().unwrap();
    let skopeo = |line: &str| {
        let mut command = place.command(Path::new("skopeo"));
        command.args(line.split_whitespace());
        said(Outcome::of(command, b"").unwrap())
    };
    if !place.tool("skopeo --version") {
        return;
    }
    let tag = format!("sha256-{digest}");
    let repository = format!("docker://{}/team/app", registry.address);
    let tags = json(&skopeo(&format!("list-tags --tls-verify=false {repository}")));
    assert!(
        tags["Tags"]
            .as_array()
            .unwrap()
            .contains(&Value::from(tag.as_str())),
        "{tags}"
    );
    let index = json(&skopeo(&format!(
        "inspect --raw --tls-verify=false {repository}:{tag}"
    )));
    let types: Vec<&str> = index["manifests"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|entry| entry["artifactType"].as_str())
        .collect();
    assert_eq!(types, ["application/spdx+json", "application/vnd.in-toto+json"]);
    let referrer = index["manifests"][0]["digest"].as_str().unwrap();
    let manifest = json(&skopeo(&format!(
        "inspect --raw --tls-verify=false {repository}@{referrer}"
    )));
    assert_eq!(manifest["subject"]["digest"], format!("sha256:{digest}"));
    assert_eq!(
        manifest["config"]["mediaType"],
        "application/vnd.oci.empty.v1+json"
    );
    place.inspect(&remote);
}
