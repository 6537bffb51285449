//! An image around its layers: archives, manifests, configurations.
//!
//! The first byte says which kind of archive the rest is.

use harness::archive::{self, Config};
use oci_image::{
    Compression, ContainerConfig, ImageConfig, ImageRef, ImageSource, Layer, LayerFile, NewImage,
};
use tempfile::TempDir;

pub(crate) fn run(input: &[u8]) {
    let Some((kind, archive)) = input.split_first() else {
        return;
    };
    let transport = if kind % 2 == 0 {
        "oci-archive"
    } else {
        "docker-archive"
    };
    let dir = scratch();
    let path = dir.path().join("image.tar");
    std::fs::write(&path, archive).expect("room for an image");
    let place: ImageRef = format!("{transport}:{}", path.display())
        .parse()
        .expect("a place");
    match ImageSource::open(&place) {
        Ok(image) => {
            // A compressed layer would be unpacked as far as there is room; `layer::build` has a bound.
            let is_plain = |layer: &Layer| layer.compression() == Compression::None;
            if image.layers().iter().all(is_plain)
                && let Ok(located) = image.locate(&["a", "nacre/rootfs.img"], None, &mut |_| ())
            {
                for file in located.files.into_iter().flatten() {
                    let len = file.open.metadata().expect("a file").len();
                    assert!(file.offset.checked_add(file.len).is_some_and(|end| end <= len));
                }
            }
            crate::layer::build(&image, dir.path());
        }
        Err(error) => assert!(!error.to_string().contains('\n'), "{error}"),
    }
}

/// In memory where there is such a place: a fuzzer writes many.
pub(crate) fn scratch() -> TempDir {
    let memory = tempfile::tempdir_in("/dev/shm");
    memory
        .or_else(|_| tempfile::tempdir())
        .expect("a temporary directory")
}

/// A docker-archive of one layer.
pub(crate) fn image_of(layer: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    archive::write(&mut out, "fuzz:latest", &Config::default(), layer).expect("memory");
    out
}

pub(crate) fn seeds() -> Vec<Vec<u8>> {
    let docker = image_of(&crate::layer::sample());
    let dir = scratch();
    let path = dir.path().join("image.tar");
    let place: ImageRef = format!("oci-archive:{}", path.display())
        .parse()
        .expect("a place");
    let image = NewImage {
        config: ImageConfig {
            config: ContainerConfig {
                entrypoint: vec!["/a".into()],
                ..ContainerConfig::default()
            },
            ..ImageConfig::default()
        },
        annotations: Default::default(),
        files: vec![LayerFile::from_bytes("a", 0o755, b"contents")],
    };
    oci_image::write(&place, image, &mut |_| {}).expect("an image");
    let oci = std::fs::read(path).expect("the image");
    [(0, oci), (1, docker)]
        .map(|(kind, archive)| [&[kind], &archive[..]].concat())
        .to_vec()
}
