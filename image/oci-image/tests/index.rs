//! Which image of an index is taken: what others run has to be what is measured.

mod support;

use std::process::Command;

use oci_image::ImageSource;
use serde_json::{Value, json};
use support::*;

const CONFIG: &str = "application/vnd.oci.image.config.v1+json";

/// An image with a file of this name; its configuration is for this architecture.
fn image(layout: &mut Layout, name: &str, architecture: &str) -> Value {
    let archive = Layer::new().file(name, b"").build();
    layout.image(architecture, &[(TAR, archive.clone(), archive)])
}

/// The same, with a platform in its descriptor.
fn with_platform(layout: &mut Layout, name: &str, platform: Value) -> Value {
    let architecture = platform["architecture"].as_str().unwrap().to_owned();
    let mut descriptor = image(layout, name, &architecture);
    descriptor["platform"] = platform;
    descriptor
}

fn amd64() -> Value {
    json!({ "architecture": "amd64", "os": "linux" })
}

fn with(mut platform: Value, member: &str, value: Value) -> Value {
    platform[member] = value;
    platform
}

/// An artifact: a manifest whose configuration is none of an image.
fn artifact(layout: &mut Layout, layer: &str, config: &str) -> Value {
    let config = layout.blob(config, b"{}");
    let layer = layout.blob(layer, b"signed");
    let manifest = json!({ "schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": [layer] });
    layout.blob(MANIFEST, manifest.to_string().as_bytes())
}

/// The file of the image that is chosen from an index of these entries, or the error.
fn chosen(make: impl Fn(&mut Layout) -> Vec<Value>) -> Result<String, String> {
    let mut results = Vec::new();
    // At the top each entry is an image of its own, so the index is one below, or two.
    for depth in 1..3 {
        let scratch = Scratch::new();
        let mut layout = Layout::new();
        let mut entries = make(&mut layout);
        for _ in 0..depth {
            entries = vec![layout.index(entries)];
        }
        layout.manifests = entries;
        layout.write_dir(&scratch.path("dir"));
        let place = scratch.place("oci", "dir").to_string();
        results.push(open(&scratch, "dir").map_err(|error| error.replace(&place, "IMAGE")));
    }
    assert_eq!(results[0], results[1]);
    results.remove(0)
}

fn open(scratch: &Scratch, name: &str) -> Result<String, String> {
    let image = ImageSource::open(&scratch.place("oci", name)).map_err(|error| error.to_string())?;
    Ok(listing(&build(&image).unwrap()).concat())
}

#[test]
fn of_several_images_for_the_platform_the_first_is_taken() {
    let first = chosen(|layout| {
        ["a", "b", "c"]
            .map(|name| with_platform(layout, name, amd64()))
            .to_vec()
    });
    assert_eq!(first.as_deref(), Ok("a="));
    let v1 = chosen(|layout| {
        vec![
            with_platform(layout, "v3", with(amd64(), "variant", json!("v3"))),
            with_platform(layout, "v1", with(amd64(), "variant", json!("v1"))),
            with_platform(layout, "none", amd64()),
        ]
    });
    assert_eq!(v1.as_deref(), Ok("v1="));
    let newer = chosen(|layout| {
        vec![
            with_platform(layout, "v3", with(amd64(), "variant", json!("v3"))),
            with_platform(layout, "v2", with(amd64(), "variant", json!("v2"))),
            with_platform(layout, "second", with(amd64(), "variant", json!("v2"))),
        ]
    });
    assert_eq!(newer.as_deref(), Ok("v2="));
}

#[test]
fn what_the_operating_system_must_be_able_to_do_counts() {
    let erofs = || with(amd64(), "os.features", json!(["erofs"]));
    let tar = chosen(|layout| {
        vec![
            with_platform(layout, "erofs", erofs()),
            with_platform(layout, "tar", with(amd64(), "os.features", json!([]))),
        ]
    });
    assert_eq!(tar.as_deref(), Ok("tar="));
    let none = chosen(|layout| vec![with_platform(layout, "erofs", erofs())]).unwrap_err();
    assert!(none.contains("linux/amd64 with erofs"), "{none}");
}

#[test]
fn without_a_platform_the_configuration_says_it() {
    let found = chosen(|layout| vec![image(layout, "arm", "arm64"), image(layout, "amd", "amd64")]);
    assert_eq!(found.as_deref(), Ok("amd="));
    let said = chosen(|layout| {
        vec![
            image(layout, "silent", "amd64"),
            with_platform(layout, "said", amd64()),
        ]
    });
    assert_eq!(said.as_deref(), Ok("said="));
    let none = chosen(|layout| vec![image(layout, "arm", "arm64")]).unwrap_err();
    assert!(none.contains("linux/arm64"), "{none}");
}

#[test]
fn what_is_not_an_image_is_no_candidate() {
    const EMPTY: &str = "application/vnd.oci.empty.v1+json";
    const SIGNATURE: &str = "application/vnd.dev.cosign.simplesigning.v1+json";
    let found = chosen(|layout| {
        // A signature with a configuration of its own, one of old, one that says what it is, and an SBOM.
        let new = artifact(layout, SIGNATURE, EMPTY);
        let old = artifact(layout, SIGNATURE, CONFIG);
        let mut referrer = artifact(layout, TAR, CONFIG);
        referrer["artifactType"] = json!("application/spdx+json");
        referrer["platform"] = amd64();
        let sbom = layout.blob("application/spdx+json", b"{}");
        // What an image may say as its artifact type.
        let mut real = with_platform(layout, "real", amd64());
        real["artifactType"] = json!(CONFIG);
        vec![new, old, referrer, sbom, real]
    });
    assert_eq!(found.as_deref(), Ok("real="));
    for config in [EMPTY, CONFIG] {
        let none = chosen(|layout| vec![artifact(layout, SIGNATURE, config)]).unwrap_err();
        assert!(none.contains("not a container image"), "{none}");
    }

    // Beside an image at the top, as cosign and oras save it.
    let scratch = Scratch::new();
    let mut layout = Layout::new();
    let signature = artifact(&mut layout, SIGNATURE, EMPTY);
    let real = image(&mut layout, "real", "amd64");
    let digest = signature["digest"].as_str().unwrap().to_owned();
    layout.manifests = vec![signature, real];
    layout.write_dir(&scratch.path("dir"));
    assert_eq!(open(&scratch, "dir").as_deref(), Ok("real="));
    let error = open(&scratch, &format!("dir:@{digest}")).unwrap_err();
    assert!(error.contains("not a container image"), "{error}");
}

#[test]
fn a_digest_finds_inner_manifests() {
    let scratch = Scratch::new();
    let mut layout = Layout::new();
    let entries: Vec<_> = ["a", "b"]
        .map(|name| with_platform(&mut layout, name, amd64()))
        .to_vec();
    let arm = with_platform(
        &mut layout,
        "arm",
        json!({ "architecture": "arm64", "os": "linux" }),
    );
    let digest = |descriptor: &Value| format!("dir:@{}", descriptor["digest"].as_str().unwrap());
    let (second, foreign) = (digest(&entries[1]), digest(&arm));
    let inner = layout.index([entries, vec![arm]].concat());
    let inner_digest = digest(&inner);
    layout.manifests = vec![layout.clone().index(vec![inner.clone()])];
    layout.index(vec![inner]);
    layout.write_dir(&scratch.path("dir"));
    assert_eq!(open(&scratch, &second).as_deref(), Ok("b="));
    assert_eq!(open(&scratch, &inner_digest).as_deref(), Ok("a="));
    assert!(open(&scratch, &foreign).unwrap_err().contains("linux/arm64"));
    let missing = format!("dir:@sha256:{}", "0".repeat(64));
    assert!(open(&scratch, &missing).unwrap_err().contains("no image"));
}

#[test]
fn of_two_images_of_one_name_the_first_is_meant() {
    let scratch = Scratch::new();
    let mut layout = Layout::new();
    for name in ["a", "b"] {
        let mut entry = image(&mut layout, name, "amd64");
        entry["annotations"] = json!({ "org.opencontainers.image.ref.name": "1" });
        layout.manifests.push(entry);
    }
    layout.write_dir(&scratch.path("dir"));
    assert_eq!(open(&scratch, "dir:1").as_deref(), Ok("a="));
}

#[test]
fn another_image_with_another_digest_algorithm_does_no_harm() {
    let scratch = Scratch::new();
    let mut layout = Layout::new();
    let real = image(&mut layout, "real", "amd64");
    let mut other = real.clone();
    other["digest"] = json!(format!("sha512:{}", "ab".repeat(64)));
    other["annotations"] = json!({ "org.opencontainers.image.ref.name": "other" });
    let mut named = real;
    named["annotations"] = json!({ "org.opencontainers.image.ref.name": "real" });
    layout.manifests = vec![other, named];
    layout.write_dir(&scratch.path("dir"));
    assert_eq!(open(&scratch, "dir:real").as_deref(), Ok("real="));
    let error = open(&scratch, "dir:other").unwrap_err();
    assert!(error.contains("sha512:") && error.contains("SHA-256"), "{error}");
}

#[test]
fn skopeo_takes_the_same() {
    type Entries = fn(&mut Layout) -> Vec<Value>;
    let cases: [Entries; 4] = [
        |layout| {
            ["a", "b"]
                .map(|name| with_platform(layout, name, amd64()))
                .to_vec()
        },
        |layout| {
            vec![
                with_platform(layout, "arm", json!({ "architecture": "arm64", "os": "linux" })),
                with_platform(layout, "v3", with(amd64(), "variant", json!("v3"))),
                with_platform(layout, "base", amd64()),
                with_platform(layout, "last", amd64()),
            ]
        },
        |layout| {
            let old = artifact(layout, "application/vnd.dev.cosign.simplesigning.v1+json", CONFIG);
            vec![old, with_platform(layout, "real", amd64())]
        },
        |layout| {
            vec![
                image(layout, "silent", "amd64"),
                with_platform(layout, "said", amd64()),
            ]
        },
    ];
    for (number, entries) in cases.iter().enumerate() {
        let scratch = Scratch::new();
        let mut layout = Layout::new();
        let entries = entries(&mut layout);
        let index = layout.index(entries);
        layout.manifests = vec![index];
        layout.write_dir(&scratch.path("dir"));
        let place = scratch.place("oci", "dir");
        let mut skopeo = Command::new("skopeo");
        skopeo.args(["inspect", "--override-arch", "amd64", "--override-os", "linux"]);
        let Some(text) = tool_ok(skopeo.args(["--config", "--raw"]).arg(place.to_string())) else {
            return;
        };
        let ours = ImageSource::open(&place).unwrap().config_digest();
        assert_eq!(ours, oci_image::Digest::of(text.as_bytes()), "case {number}");
    }
}
