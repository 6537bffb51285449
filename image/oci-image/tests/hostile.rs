//! Archives that are cut off, damaged or made to do harm: one clear error or the right tree, never a panic, and
//! nothing left behind.

mod support;

use oci_image::{ImageSource, Limits, Tree};
use proptest::prelude::*;
use support::*;

fn sample_layers() -> Vec<Vec<u8>> {
    let lower = Layer::new()
        .dir("d/")
        .file("d/a", &[b'a'; 1000])
        .hard_link("d/b", "d/a")
        .pax(&[("SCHILY.xattr.user.a", b"1"), ("mtime", b"1.5")])
        .file("d/c", b"c")
        .symlink("s", "d")
        .build();
    vec![lower, Layer::new().file("d/.wh.a", b"").file("s/e", b"e").build()]
}

const EXPECTED: [&str; 5] = ["d/", "d/b=", "d/c=c", "d/e=e", "s->d"];

fn expected() -> Vec<String> {
    EXPECTED
        .iter()
        .map(|line| line.replace("d/b=", &format!("d/b={}", "a".repeat(1000))))
        .collect()
}

/// Opens and applies an image; the files of the temporary directory must be gone whatever happens.
fn read(transport: &str, archive: &[u8]) -> Result<Vec<String>, String> {
    let scratch = Scratch::new();
    scratch.write("image.tar", archive);
    std::fs::create_dir(scratch.path("spool")).unwrap();
    let image =
        ImageSource::open(&scratch.place(transport, "image.tar")).map_err(|error| error.to_string())?;
    let tree = Tree::build(&image, &scratch.path("spool"), &Limits::default(), &mut |_| {});
    assert_eq!(std::fs::read_dir(scratch.path("spool")).unwrap().count(), 0);
    tree.map(|tree| listing(&tree)).map_err(|error| error.to_string())
}

fn archives() -> Vec<(&'static str, Vec<u8>)> {
    let layers = sample_layers();
    let mut compressed = Layout::new();
    let manifest = compressed.image(
        "amd64",
        &[
            (TAR_GZIP, layers[0].clone(), gzip(&layers[0])),
            (TAR_ZSTD, layers[1].clone(), zstd(&layers[1])),
        ],
    );
    compressed.manifests.push(manifest);
    vec![
        ("oci-archive", Layout::of_layers(&layers).archive()),
        ("oci-archive", compressed.archive()),
        ("docker-archive", archive(&docker_archive(&["app:1"], &layers))),
    ]
}

#[test]
fn truncated_archives() {
    for (transport, archive) in archives() {
        assert_eq!(read(transport, &archive).unwrap(), expected());
        for len in (0..archive.len())
            .step_by(512)
            .chain([1, 511, 513, 700, archive.len() - 1])
        {
            match read(transport, &archive[..len]) {
                // Only what no image needs is missing: the end of the archive, the marker of a layout.
                Ok(listing) => assert_eq!(listing, expected()),
                Err(error) => assert!(error.starts_with("cannot open ") && error.len() < 400, "{error}"),
            }
        }
    }
}

#[test]
fn damaged_archives() {
    for (transport, archive) in archives() {
        for position in (0..archive.len()).step_by(37) {
            let mut damaged = archive.clone();
            damaged[position] ^= 1 << (position % 8);
            match read(transport, &damaged) {
                // Headers, padding and names hold bits that mean nothing to an image.
                Ok(listing) => assert_eq!(listing, expected(), "byte {position}"),
                Err(error) => assert!(!error.is_empty()),
            }
        }
    }
}

#[test]
fn a_truncated_layer_with_the_right_digest() {
    for layer in sample_layers() {
        for len in (0..layer.len()).step_by(512).chain([1, 100, 513]) {
            let _ = try_tree(&[layer[..len].to_vec()])
                .inspect_err(|error| assert!(error.contains("cut off"), "{error}"));
        }
    }
}

#[test]
fn absurd_sizes() {
    for size in [
        b"77777777777\0",
        b"\x80\0\0\0\x7f\xff\xff\xff\xff\xff\xff\xff",
        &[0xff; 12],
        b"\x80\0\0\x01\0\0\0\0\0\0\0\0",
    ] {
        for kind in [b'0', b'x', b'g', b'L', b'K', b'S', b'V'] {
            let layer = Layer::new().entry("x", tar::EntryType::new(kind), b"", |header| {
                header.as_old_mut().size = *size;
            });
            let error = try_tree(&[layer.build()]).unwrap_err();
            let is_clear = [
                "cut off",
                "bad size",
                "bad PAX header size",
                "bad long name",
                "bad magic",
                "too large",
            ]
            .iter()
            .any(|reason| error.contains(reason));
            assert!(is_clear, "{}: {error}", kind.escape_ascii());
        }
    }
}

#[test]
fn an_archive_of_too_many_files_is_no_image() {
    let mut bytes = Vec::new();
    for number in 0..70_000u32 {
        let mut header = tar::Header::new_ustar();
        header.set_path(number.to_string()).unwrap();
        header.set_size(0);
        header.set_cksum();
        bytes.extend(header.as_bytes());
    }
    assert!(
        read("oci-archive", &bytes)
            .unwrap_err()
            .contains("too many files")
    );
}

#[test]
fn links_in_an_archive_that_form_a_loop() {
    let archive = Layer::new()
        .symlink("index.json", "a")
        .symlink("a", "index.json")
        .build();
    assert!(
        read("oci-archive", &archive)
            .unwrap_err()
            .contains("no index.json")
    );
    let archive = Layer::new().symlink("manifest.json", "/etc/passwd").build();
    assert!(
        read("docker-archive", &archive)
            .unwrap_err()
            .contains("no manifest.json")
    );
}

#[test]
fn many_opaque_markers_take_no_time() {
    // Without a memory of what is hidden already, this would be 10^7 steps.
    let mut layer = Layer::new();
    for number in 0..4_000 {
        layer = layer.file(&format!("d/{number}"), b"");
    }
    for _ in 0..4_000 {
        layer = layer.file("d/.wh..wh..opq", b"").file(".wh.d", b"");
    }
    let lower = Layer::new().dir("d/").file("d/old", b"").build();
    let start = std::time::Instant::now();
    assert_eq!(listing(&tree(&[lower, layer.build()])).len(), 4_001);
    assert!(start.elapsed().as_secs() < 20);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, ..ProptestConfig::default() })]

    /// Layers with any bytes in their headers, with checksums and digests that agree.
    #[test]
    fn mutated_layers(changes in prop::collection::vec((0usize..8192, any::<u8>()), 1..6)) {
        let mut layer = sample_layers()[0].clone();
        for (position, byte) in changes {
            let len = layer.len();
            layer[position % len] = byte;
        }
        for block in layer.chunks_exact_mut(512).filter(|block| block[257..262] == *b"ustar") {
            block[148..156].fill(b' ');
            let sum: u32 = block.iter().map(|&byte| u32::from(byte)).sum();
            block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        }
        if let Err(error) = try_tree(&[layer]) {
            prop_assert!(error.starts_with("layer 1: "), "{}", error);
        }
    }

    #[test]
    fn random_bytes_are_no_image(bytes in prop::collection::vec(any::<u8>(), 0..3000)) {
        prop_assert!(read("oci-archive", &bytes).is_err());
        prop_assert!(read("docker-archive", &bytes).is_err());
    }

    #[test]
    fn random_documents_are_no_image(json in "[\\[\\]{}\",:a-z0-9 ]{0,60}") {
        let files = |name: &str| vec![(name.to_owned(), json.clone().into_bytes())];
        prop_assert!(read("oci-archive", &archive(&files("index.json"))).is_err());
        prop_assert!(read("docker-archive", &archive(&files("manifest.json"))).is_err());
    }
}
