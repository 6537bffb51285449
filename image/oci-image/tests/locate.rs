//! Locating files of an image: in plain and compressed layers, and below what other tools put on top.

mod support;

use std::fs;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use oci_image::{Compression, Digest, ImageSource};
use support::*;

const PATHS: [&str; 2] = ["nacre/a", "nacre/b"];

fn ours() -> Vec<u8> {
    let layer = Layer::new().dir("nacre/").file("nacre/a", b"first");
    layer.file("nacre/b", &b"second".repeat(1000)).build()
}

/// Opens an image of these layers, stored as this compression has it.
fn image(scratch: &Scratch, layers: &[Vec<u8>], compression: Compression) -> ImageSource {
    let stored: Vec<_> = layers
        .iter()
        .map(|layer| match compression {
            Compression::None => (TAR, layer.clone(), layer.clone()),
            Compression::Gzip => (TAR_GZIP, layer.clone(), gzip(layer)),
            Compression::Zstd => (TAR_ZSTD, layer.clone(), zstd(layer)),
            Compression::Bzip2 => (TAR, layer.clone(), packed("bzip2", layer)),
            Compression::Xz => (TAR, layer.clone(), packed("xz", layer)),
        })
        .collect();
    let mut layout = Layout::new();
    let manifest = layout.image("amd64", &stored);
    layout.manifests.push(manifest);
    scratch.write("i.tar", &layout.archive());
    ImageSource::open(&scratch.place("oci-archive", "i.tar")).unwrap()
}

#[test]
fn a_compressed_layer_is_unpacked_once_and_verified() {
    for compression in [
        Compression::Gzip,
        Compression::Zstd,
        Compression::Bzip2,
        Compression::Xz,
    ] {
        let (scratch, kept) = (Scratch::new(), Scratch::new());
        let image = image(&scratch, &[ours()], compression);
        let locate = || {
            image
                .locate(&PATHS, Some(kept.0.path()), &mut |_| ())
                .unwrap()
                .files
        };
        let name = format!("{}.tar", Digest::of(&ours()).hex());
        for _ in 0..2 {
            let files = locate();
            let [Some(a), Some(b)] = &files[..] else {
                panic!("{files:?}")
            };
            assert_eq!(read_located(a), b"first");
            assert_eq!(read_located(b), b"second".repeat(1000));
            assert_eq!((a.compression, &a.file), (compression, &kept.path(&name)));
            assert_eq!(kept.names(), std::slice::from_ref(&name));
        }
        // Found again: not written a second time, but its time says that it is used.
        let file = fs::File::open(kept.path(&name)).unwrap();
        let long_ago = SystemTime::UNIX_EPOCH + Duration::from_secs(1);
        file.set_modified(long_ago).unwrap();
        let inode = |path: PathBuf| std::os::unix::fs::MetadataExt::ino(&fs::metadata(path).unwrap());
        let before = inode(kept.path(&name));
        locate();
        assert_eq!(inode(kept.path(&name)), before);
        assert!(file.metadata().unwrap().modified().unwrap() > long_ago);
        // Without a place to keep it, nothing is left behind.
        assert_eq!(read_located(&support::locate(&image, &PATHS)[0]), b"first");
        assert_eq!(scratch.names(), ["i.tar"]);
    }
}

#[test]
fn a_compressed_layer_that_was_changed_is_not_kept() {
    let (scratch, kept) = (Scratch::new(), Scratch::new());
    let other = Layer::new().dir("nacre/").file("nacre/a", b"evil").build();
    let mut layout = Layout::new();
    // The configuration promises one archive, the blob holds another.
    let manifest = layout.image("amd64", &[(TAR_GZIP, ours(), gzip(&other))]);
    layout.manifests.push(manifest);
    scratch.write("i.tar", &layout.archive());
    let image = ImageSource::open(&scratch.place("oci-archive", "i.tar")).unwrap();
    let error = image
        .locate(&PATHS, Some(kept.0.path()), &mut |_| ())
        .unwrap_err()
        .to_string();
    assert!(
        error.starts_with("layer 1: ") && error.contains("digest"),
        "{error}"
    );
    assert_eq!(kept.names(), [""; 0]);
}

#[test]
fn an_archive_that_is_compressed_as_a_whole_is_located_too() {
    let scratch = Scratch::new();
    scratch.write("i.tar.gz", &gzip(&Layout::of_layers(&[ours()]).archive()));
    let image = ImageSource::open(&scratch.place("oci-archive", "i.tar.gz")).unwrap();
    assert_eq!(read_located(&locate(&image, &PATHS)[0]), b"first");
}

#[test]
fn what_a_container_sees_is_found() {
    let located = |layers: &[Vec<u8>], compression| {
        let scratch = Scratch::new();
        let image = image(&scratch, layers, compression);
        let located = image.locate(&PATHS, None, &mut |_| ()).unwrap();
        let files: Vec<_> = located.files.iter().flatten().map(read_located).collect();
        (files, located.others)
    };
    let both = vec![b"first".to_vec(), b"second".repeat(1000)];
    for compression in [Compression::None, Compression::Gzip] {
        let located = |layers: &[Vec<u8>]| located(layers, compression);
        assert_eq!(located(&[ours()]), (both.clone(), vec![]));
        // Files beside them.
        let added = Layer::new()
            .dir("etc/")
            .file("etc/motd", b"hi")
            .symlink("nacre/link", "a");
        assert_eq!(
            located(&[ours(), added.build()]),
            (
                both.clone(),
                ["etc/motd", "nacre/link"].map(PathBuf::from).to_vec()
            )
        );
        // A layer of metadata alone, and an empty one.
        let touched = Layer::new().dir("nacre/").build();
        assert_eq!(
            located(&[ours(), touched, Layer::new().build()]),
            (both.clone(), vec![])
        );
        // Another file in place of one.
        let replaced = Layer::new().file("nacre/a", b"evil").build();
        assert_eq!(located(&[ours(), replaced]).0[0], b"evil");
        // Files that were removed are not there, however.
        let removed = Layer::new().file(".wh.nacre", b"").build();
        assert_eq!(located(&[ours(), removed]), (vec![], vec![]));
        // They may have been moved, and be reached by a link.
        let moved = Layer::new()
            .dir("opt/")
            .file("opt/a", b"moved")
            .file(".wh.nacre", b"")
            .symlink("nacre", "/opt");
        assert_eq!(
            located(&[ours(), moved.build()]),
            (vec![b"moved".to_vec()], vec![PathBuf::from("nacre")])
        );
    }
    assert_eq!(located(&[], Compression::None), (vec![], vec![]));
}

#[test]
fn hostile_layers_are_refused() {
    let scratch = Scratch::new();
    let looped = Layer::new().symlink("nacre", "nacre").build();
    let error = image(&scratch, &[looped], Compression::None)
        .locate(&PATHS, None, &mut |_| ())
        .unwrap_err();
    assert!(error.to_string().contains("symbolic links"), "{error}");
    let sparse = Layer::new()
        .pax(&[
            ("GNU.sparse.major", b"0"),
            ("GNU.sparse.minor", b"1"),
            ("GNU.sparse.realsize", b"100"),
            ("GNU.sparse.map", b"95,5"),
        ])
        .file("nacre/a", b"first");
    let error = image(&scratch, &[sparse.build()], Compression::None)
        .locate(&PATHS, None, &mut |_| ())
        .unwrap_err();
    assert!(error.to_string().contains("sparse"), "{error}");
}
