//! Opening images: each transport, choosing among several, and what is wrong with those that are refused.

mod support;

use oci_image::{Compression, ImageSource, Kind};
use serde_json::json;
use support::*;

fn sample() -> Vec<u8> {
    Layer::new().dir("bin/").file("bin/app", b"program").build()
}

#[test]
fn every_transport_gives_the_same_tree() {
    let scratch = Scratch::new();
    let layers = [sample(), Layer::new().file("etc/conf", b"x").build()];
    let layout = Layout::of_layers(&layers);
    layout.write_dir(&scratch.path("dir"));
    scratch.write("oci.tar", &layout.archive());
    scratch.write("docker.tar", &archive(&docker_archive(&["app:1"], &layers)));
    scratch.write(
        "docker.tar.gz",
        &gzip(&archive(&docker_archive(&["app:1"], &layers))),
    );
    scratch.write("oci.tar.zst", &zstd(&layout.archive()));
    for (transport, name) in [
        ("oci", "dir"),
        ("oci-archive", "oci.tar"),
        ("oci-archive", "oci.tar.zst"),
        ("docker-archive", "docker.tar"),
        ("docker-archive", "docker.tar.gz"),
    ] {
        let image = ImageSource::open(&scratch.place(transport, name)).unwrap();
        assert_eq!(image.layers().len(), 2);
        let tree = build(&image).unwrap();
        assert_eq!(
            listing(&tree),
            ["bin/", "bin/app=program", "etc/", "etc/conf=x"],
            "{transport}:{name}"
        );
    }
}

/// A layer that is damaged, cut off, wants too much memory, or grows beyond all measure.
#[test]
fn bad_layers_of_bzip2_and_xz_are_refused() {
    let archive = sample();
    let refused = |blob: Vec<u8>| {
        let scratch = Scratch::new();
        let mut layout = Layout::new();
        let manifest = layout.image("amd64", &[(TAR, archive.clone(), blob)]);
        layout.manifests.push(manifest);
        layout.write_dir(&scratch.path("dir"));
        let image = ImageSource::open(&scratch.place("oci", "dir")).unwrap();
        build(&image).map(|tree| listing(&tree)).unwrap_err().to_string()
    };
    for tool in ["bzip2", "xz"] {
        let whole = packed(tool, &archive);
        for at in [whole.len() / 2, whole.len() - 12] {
            let mut damaged = whole.clone();
            damaged[at] ^= 0x55;
            refused(damaged);
        }
        refused(whole[..whole.len() / 2].to_vec());
        refused(whole[..8].to_vec());
        refused([&whole[..], b"more"].concat());
        // Another archive than the image says.
        refused(packed(tool, &[&archive[..], &[0; 512]].concat()));
    }
    // The block's header ("The .xz File Format", section 3.1) asks for a dictionary of 2 GiB.
    let mut greedy = packed("xz", &archive);
    assert_eq!(
        greedy[12..16],
        [2, 0, 0x21, 1],
        "a header of 12 bytes, with LZMA2 alone"
    );
    greedy[16] = 38;
    let mut checksum = flate2::Crc::new();
    checksum.update(&greedy[12..20]);
    greedy[20..24].copy_from_slice(&checksum.sum().to_le_bytes());
    let error = refused(greedy);
    assert!(error.contains("memory"), "{error}");
}

#[test]
fn compressed_layers() {
    let archive = sample();
    let (first, second) = archive.split_at(700);
    let many_members = [gzip(first), gzip(second)].concat();
    let many_frames = [zstd(first), zstd(second)].concat();
    for (media_type, blob, compression) in [
        (TAR, archive.clone(), Compression::None),
        (TAR_GZIP, gzip(&archive), Compression::Gzip),
        (TAR_GZIP, many_members, Compression::Gzip),
        (TAR_ZSTD, zstd(&archive), Compression::Zstd),
        (TAR_ZSTD, many_frames, Compression::Zstd),
        (TAR, packed("bzip2", &archive), Compression::Bzip2),
        (
            TAR,
            [packed("bzip2", first), packed("bzip2", second)].concat(),
            Compression::Bzip2,
        ),
        (TAR, packed("xz", &archive), Compression::Xz),
        (
            TAR,
            [packed("xz", first), packed("xz", second)].concat(),
            Compression::Xz,
        ),
        (
            "application/vnd.docker.image.rootfs.diff.tar.gzip",
            gzip(&archive),
            Compression::Gzip,
        ),
    ] {
        let scratch = Scratch::new();
        let mut layout = Layout::new();
        let manifest = layout.image("amd64", &[(media_type, archive.clone(), blob)]);
        layout.manifests.push(manifest);
        layout.write_dir(&scratch.path("dir"));
        let image = ImageSource::open(&scratch.place("oci", "dir")).unwrap();
        assert_eq!(image.layers()[0].compression(), compression);
        assert_eq!(listing(&build(&image).unwrap()), ["bin/", "bin/app=program"]);
    }
}

#[test]
fn progress_ends_at_the_size_of_all_layers() {
    let scratch = Scratch::new();
    scratch.write("oci.tar", &Layout::of_layers(&[sample(), sample()]).archive());
    let image = ImageSource::open(&scratch.place("oci-archive", "oci.tar")).unwrap();
    let mut last = 0;
    let mut progress = |position| {
        assert!(position >= last);
        last = position;
    };
    oci_image::Tree::build(
        &image,
        scratch.0.path(),
        &oci_image::Limits::default(),
        &mut progress,
    )
    .unwrap();
    assert_eq!(last, image.layers_len());
}

#[test]
fn a_changed_layer_is_refused() {
    let archive = sample();
    for (media_type, blob) in [
        (TAR, archive.clone()),
        (TAR_GZIP, gzip(&archive)),
        (TAR_ZSTD, zstd(&archive)),
    ] {
        // Promise another archive's diff_id, or flip a bit of the blob.
        let scratch = Scratch::new();
        let mut layout = Layout::new();
        let manifest = layout.image("amd64", &[(media_type, b"other".to_vec(), blob.clone())]);
        layout.manifests.push(manifest);
        layout.write_dir(&scratch.path("other"));
        let image = ImageSource::open(&scratch.place("oci", "other")).unwrap();
        assert!(
            build(&image)
                .unwrap_err()
                .to_string()
                .contains("damaged, or was changed")
        );

        let mut layout = Layout::new();
        let manifest = layout.image("amd64", &[(media_type, archive.clone(), blob.clone())]);
        layout.manifests.push(manifest);
        for (_, bytes) in layout.files.iter_mut().filter(|(_, bytes)| *bytes == blob) {
            let middle = bytes.len() / 2;
            bytes[middle] ^= 1;
        }
        layout.write_dir(&scratch.path("flipped"));
        let image = ImageSource::open(&scratch.place("oci", "flipped")).unwrap();
        assert!(build(&image).unwrap_err().to_string().starts_with("layer 1: "));
    }
}

#[test]
fn a_changed_document_is_refused() {
    for what in ["config", "manifest"] {
        let scratch = Scratch::new();
        let mut layout = Layout::of_layers(&[sample()]);
        let is_it = |bytes: &[u8]| {
            let text = String::from_utf8_lossy(bytes);
            if what == "config" {
                text.contains("Entrypoint")
            } else {
                text.contains("schemaVersion")
            }
        };
        for (_, bytes) in layout.files.iter_mut().filter(|(_, bytes)| is_it(bytes)) {
            let text = String::from_utf8(bytes.clone())
                .unwrap()
                .replace("amd64", "amd46")
                .replace("2", "3");
            *bytes = text.into_bytes();
        }
        layout.write_dir(&scratch.path("dir"));
        assert!(open_error(&scratch.place("oci", "dir")).contains("damaged, or was changed"));
    }
}

#[test]
fn incomplete_images_say_what_is_missing() {
    let scratch = Scratch::new();
    let layout = Layout::of_layers(&[sample()]);
    layout.write_dir(&scratch.path("dir"));
    let (blob, bytes) = layout.files.iter().max_by_key(|(_, bytes)| bytes.len()).unwrap();
    let path = scratch.path("dir").join(blob);
    std::fs::write(&path, &bytes[1..]).unwrap();
    assert!(open_error(&scratch.place("oci", "dir")).contains("bytes instead of"));
    std::fs::remove_file(&path).unwrap();
    assert!(open_error(&scratch.place("oci", "dir")).contains("is missing"));
    std::fs::remove_file(scratch.path("dir/index.json")).unwrap();
    assert!(open_error(&scratch.place("oci", "dir")).contains("no index.json"));

    let mut files = docker_archive(&[], &[sample()]);
    files.remove(1);
    scratch.write("docker.tar", &archive(&files));
    assert!(open_error(&scratch.place("docker-archive", "docker.tar")).contains("layer0/layer.tar"));
}

#[test]
fn the_wrong_transport_is_told() {
    let scratch = Scratch::new();
    scratch.write("oci.tar", &Layout::of_layers(&[]).archive());
    scratch.write("docker.tar", &archive(&docker_archive(&[], &[])));
    scratch.write("text", b"hello");
    scratch.write("empty", b"");
    scratch.write("lz4", b"\x04\x22\x4d\x18...");
    assert!(open_error(&scratch.place("docker-archive", "oci.tar")).contains("use oci-archive:"));
    assert!(open_error(&scratch.place("oci-archive", "docker.tar")).contains("use docker-archive:"));
    assert!(open_error(&scratch.place("oci-archive", "text")).contains("cut off at byte 0"));
    assert!(open_error(&scratch.place("oci-archive", "empty")).contains("no index.json"));
    assert!(open_error(&scratch.place("oci-archive", "lz4")).contains("compressed with lz4"));
    assert!(open_error(&scratch.place("oci-archive", "nothing")).contains("No such file"));
    assert!(open_error(&scratch.place("oci", "nothing")).contains("No such file"));
    assert!(open_error(&scratch.place("oci", "text")).contains("Not a directory"));
    std::fs::create_dir(scratch.path("dir")).unwrap();
    assert!(open_error(&scratch.place("oci-archive", "dir")).contains("is a directory"));
    // In a layout, a pipe in place of a file is not waited for.
    std::fs::create_dir(scratch.path("layout")).unwrap();
    let pipe = scratch.path("layout/index.json");
    rustix::fs::mknodat(
        rustix::fs::CWD,
        pipe,
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::RWXU,
        0,
    )
    .unwrap();
    assert!(open_error(&scratch.place("oci", "layout")).contains("not a regular file"));
    let device = "oci-archive:/dev/null".parse().unwrap();
    assert!(open_error(&device).contains("not a regular file"));
    scratch.write("a:b", b"");
    assert!(open_error(&scratch.place("oci-archive", "a:b")).contains("ends at its first colon"));
}

#[test]
fn one_of_several_images_must_be_named() {
    let scratch = Scratch::new();
    let mut layout = Layout::new();
    for (name, content) in [("v1", b"1"), ("v2", b"2")] {
        let archive = Layer::new().file("version", content).build();
        let mut manifest = layout.image("amd64", &[(TAR, archive.clone(), archive)]);
        manifest["annotations"] = json!({ "org.opencontainers.image.ref.name": name,
            "io.containerd.image.name": format!("docker.io/library/app:{name}") });
        layout.manifests.push(manifest);
    }
    layout.write_dir(&scratch.path("dir"));
    let error = open_error(&scratch.place("oci", "dir"));
    assert!(error.contains("app:v1, docker.io/library/app:v2"), "{error}");
    let error = open_error(&scratch.place("oci", "dir:v3"));
    assert!(
        error.contains("no image \"v3\"") && error.contains("app:v1"),
        "{error}"
    );
    let by_digest = format!("dir:@{}", layout.manifests[1]["digest"].as_str().unwrap());
    for name in ["dir:v2", "dir:app:v2", "dir:docker.io/library/app:v2", &by_digest] {
        let image = ImageSource::open(&scratch.place("oci", name)).unwrap();
        assert_eq!(listing(&build(&image).unwrap()), ["version=2"]);
    }

    let mut files = docker_archive(&["app:1", "app:latest"], &[sample()]);
    let second = docker_archive(
        &["docker.io/library/other:2"],
        &[Layer::new().file("f", b"2").build()],
    );
    let mut list: serde_json::Value = serde_json::from_slice(&files.pop().unwrap().1).unwrap();
    let mut other: serde_json::Value = serde_json::from_slice(&second[2].1).unwrap();
    other[0]["Layers"] = json!(["other.tar"]);
    list.as_array_mut().unwrap().push(other[0].clone());
    files.push(second[0].clone());
    files.push(("other.tar".into(), second[1].1.clone()));
    files.push(("manifest.json".into(), list.to_string().into_bytes()));
    scratch.write("docker.tar", &archive(&files));
    let error = open_error(&scratch.place("docker-archive", "docker.tar"));
    assert!(
        error.contains("app:1, app:latest, docker.io/library/other:2"),
        "{error}"
    );
    let image = ImageSource::open(&scratch.place("docker-archive", "docker.tar:other:2")).unwrap();
    assert_eq!(listing(&build(&image).unwrap()), ["f=2"]);
    let image = ImageSource::open(&scratch.place("docker-archive", "docker.tar:app")).unwrap();
    assert_eq!(image.config().config.cmd, ["/app"]);
}

#[test]
fn the_platform_is_linux_amd64() {
    let platform = |architecture: &str| json!({ "architecture": architecture, "os": "linux" });
    let scratch = Scratch::new();
    let mut layout = Layout::new();
    let mut manifests = Vec::new();
    for architecture in ["arm64", "amd64", "riscv64"] {
        let archive = Layer::new().file(architecture, b"").build();
        let mut manifest = layout.image(architecture, &[(TAR, archive.clone(), archive)]);
        manifest["platform"] = platform(architecture);
        manifests.push(manifest);
    }
    // BuildKit's attestation.
    let mut attestation = layout.image("unknown", &[]);
    attestation["platform"] = json!({ "architecture": "unknown", "os": "unknown" });
    attestation["annotations"] = json!({ "vnd.docker.reference.type": "attestation-manifest" });
    manifests.push(attestation);

    let only_arm = manifests[0].clone();
    layout.manifests = manifests.clone();
    layout.write_dir(&scratch.path("flat"));
    let inner = layout.index(manifests);
    let outer = layout.index(vec![inner]);
    layout.manifests = vec![outer];
    layout.write_dir(&scratch.path("nested"));
    for name in ["flat", "nested"] {
        let image = ImageSource::open(&scratch.place("oci", name)).unwrap();
        assert_eq!(listing(&build(&image).unwrap()), ["amd64="]);
    }
    layout.manifests = vec![only_arm.clone()];
    layout.write_dir(&scratch.path("arm"));
    assert!(open_error(&scratch.place("oci", "arm")).contains("the image is for linux/arm64"));
    // The descriptor need not say it.
    let mut silent = only_arm;
    silent.as_object_mut().unwrap().remove("platform");
    layout.manifests = vec![silent];
    layout.write_dir(&scratch.path("silent"));
    assert!(open_error(&scratch.place("oci", "silent")).contains("the image is for linux/arm64"));
}

#[test]
fn the_baseline_variant_is_chosen() {
    let scratch = Scratch::new();
    let mut layout = Layout::new();
    let mut manifests = Vec::new();
    for variant in [Some("v3"), None, Some("v2")] {
        let archive = Layer::new().file(variant.unwrap_or("v1"), b"").build();
        let mut manifest = layout.image("amd64", &[(TAR, archive.clone(), archive)]);
        manifest["platform"] = json!({ "architecture": "amd64", "os": "linux" });
        if let Some(variant) = variant {
            manifest["platform"]["variant"] = json!(variant);
        }
        manifests.push(manifest);
    }
    let index = layout.index(manifests);
    layout.manifests = vec![index];
    layout.write_dir(&scratch.path("dir"));
    let image = ImageSource::open(&scratch.place("oci", "dir")).unwrap();
    assert_eq!(listing(&build(&image).unwrap()), ["v1="]);
}

#[test]
fn what_is_no_image_is_told() {
    let scratch = Scratch::new();
    let refused = |media_type: &str, reason: &str| {
        let mut layout = Layout::new();
        let manifest = layout.image("amd64", &[(media_type, sample(), sample())]);
        layout.manifests.push(manifest);
        scratch.write("image.tar", &layout.archive());
        let error = open_error(&scratch.place("oci-archive", "image.tar"));
        assert!(error.contains(reason), "{error}");
    };
    refused(
        "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip",
        "foreign layer",
    );
    refused(
        "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip",
        "foreign layer",
    );
    refused(
        "application/vnd.cncf.helm.chart.content.v1.tar+gzip",
        "not a container image",
    );

    let mut layout = Layout::new();
    layout.write_dir(&scratch.path("empty"));
    assert!(open_error(&scratch.place("oci", "empty")).contains("holds no image"));
    let other = layout.blob("application/x-something", b"{}");
    layout.manifests.push(other);
    layout.write_dir(&scratch.path("other"));
    assert!(open_error(&scratch.place("oci", "other")).contains("not a container image"));
    let mut layout = Layout::new();
    let broken = layout.blob(MANIFEST, b"{");
    layout.manifests = vec![broken];
    layout.write_dir(&scratch.path("broken"));
    assert!(open_error(&scratch.place("oci", "broken")).contains("image manifest is malformed"));
}

#[test]
fn an_index_that_holds_itself_ends() {
    // Digests make a real loop impossible; a long chain is not.
    let scratch = Scratch::new();
    let mut layout = Layout::new();
    let mut inner = layout.image("amd64", &[]);
    for _ in 0..10 {
        inner = layout.index(vec![inner]);
    }
    layout.manifests = vec![inner];
    layout.write_dir(&scratch.path("dir"));
    assert!(open_error(&scratch.place("oci", "dir")).contains("nested too deeply"));
}

#[test]
fn old_docker_archives_link_shared_layers() {
    let scratch = Scratch::new();
    let layer = sample();
    let files = docker_archive(&["app:1"], &[layer.clone(), layer]);
    let mut archive = Layer::new();
    for (name, bytes) in &files {
        archive = match name.as_str() {
            "layer1/layer.tar" => archive
                .dir("layer1/")
                .symlink("layer1/layer.tar", "../layer0/layer.tar"),
            name => archive.file(name, bytes),
        };
    }
    scratch.write("docker.tar", &archive.build());
    let image = ImageSource::open(&scratch.place("docker-archive", "docker.tar")).unwrap();
    assert_eq!(listing(&build(&image).unwrap()), ["bin/", "bin/app=program"]);
}

#[test]
fn new_docker_archives_are_layouts_too() {
    let scratch = Scratch::new();
    let layer = sample();
    let mut layout = Layout::of_layers(std::slice::from_ref(&layer));
    let config = layout
        .files
        .iter()
        .find(|(_, bytes)| bytes.starts_with(b"{\"architecture"))
        .unwrap()
        .0
        .clone();
    let blob = format!("blobs/sha256/{}", oci_image::Digest::of(&layer).hex());
    let list = json!([{ "Config": config, "RepoTags": ["app:1"], "Layers": [blob],
        "LayerSources": {} }]);
    let manifest_digest = layout.manifests[0]["digest"].as_str().unwrap().to_owned();
    layout
        .files
        .push(("manifest.json".into(), list.to_string().into_bytes()));
    scratch.write("docker.tar", &layout.archive());
    let image = ImageSource::open(&scratch.place("docker-archive", "docker.tar:app:1")).unwrap();
    assert_eq!(image.manifest_digest().unwrap().to_string(), manifest_digest);
    let config_digest = image.config_digest().to_string();
    for digest in [manifest_digest, config_digest] {
        let place = scratch.place("docker-archive", &format!("docker.tar:@{digest}"));
        assert_eq!(
            ImageSource::open(&place).unwrap().config_digest(),
            image.config_digest()
        );
    }
    let missing = format!("docker.tar:@sha256:{}", "0".repeat(64));
    assert!(open_error(&scratch.place("docker-archive", &missing)).contains("no image"));
    assert_eq!(image.config().config.entrypoint, ["/app"]);
    let tree = build(&image).unwrap();
    assert!(matches!(
        tree.inode(tree.lookup(b"/bin/app").unwrap()).kind,
        Kind::File(_)
    ));
}
