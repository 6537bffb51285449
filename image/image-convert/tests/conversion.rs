//! A whole conversion, with a tiny LibOS, and what can be read back from its result.

#[path = "../../sgx-sign/tests/sample/mod.rs"]
#[expect(dead_code, reason = "a conversion makes its own configuration")]
mod sample;

use std::fs;
use std::io::Read;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::Path;

use callsite_map::Container;
use enclave_config::{Config, Extent, HostEnv};
use image_convert::{
    Conversion, ConvertError, Options, Outside, Package, PackageError, Part, Progress, Silent, Stage,
    Summary, label,
};
use oci_image::{ContainerConfig, ImageConfig, ImageRef, ImageSource, LayerFile, Limits, NewImage, Tree};
use sgx_arch::SigStruct;
use sgx_sign::{Sgxs, SignOptions, SigningKey, Unsigned, verify};
use tempfile::TempDir;

const PASSWD: &[u8] = b"root:x:0:0::/root:\nredis:x:999:1000::/data:\n";

fn place(dir: &TempDir, transport: &str, name: &str) -> ImageRef {
    format!("{transport}:{}/{name}", dir.path().display())
        .parse()
        .unwrap()
}

fn key() -> SigningKey {
    SigningKey::load(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../sgx-sign/tests/keys/test-only.pem"))
        .unwrap()
}

/// A plain image with a program, a large file and accounts.
fn plain(dir: &TempDir) -> ImageRef {
    let place = place(dir, "docker-archive", "plain.tar");
    let large = vec![0x5a; 300_000];
    let config = ContainerConfig {
        user: "redis".into(),
        entrypoint: vec!["/bin/redis".into()],
        cmd: vec!["--save".into()],
        env: vec!["TZ=UTC".into()],
        labels: [("maintainer".to_owned(), "somebody".to_owned())].into(),
        stop_signal: "SIGINT".into(),
        ..ContainerConfig::default()
    };
    let image = NewImage {
        config: ImageConfig {
            created: Some("2026-01-01T00:00:00Z".into()),
            config,
            ..ImageConfig::default()
        },
        annotations: Default::default(),
        files: vec![
            LayerFile::from_bytes("bin/redis", 0o755, b"#!/bin/sh\n"),
            LayerFile::from_bytes("etc/passwd", 0o644, PASSWD),
            LayerFile::from_bytes("usr/share/large", 0o644, &large),
        ],
    };
    oci_image::write(&place, image, &mut |_| ()).unwrap();
    place
}

fn convert(source: &ImageRef, target: &ImageRef, options: &Options) -> Result<Summary, ConvertError> {
    let (libos, key) = (sample::libos(), key());
    Conversion {
        source: &ImageSource::open(source).unwrap(),
        target,
        options,
        key: &key,
        image_key: None,
        attest: None,
        max_size: None,
        cache: None,
        libos: &libos,
        host_runtime: b"\x7fELF host",
        init: b"\x7fELF init",
    }
    .run(&mut Silent)
}

#[test]
fn a_confidential_image_says_what_it_is() {
    let dir = TempDir::new().unwrap();
    let (source, target) = (plain(&dir), place(&dir, "oci-archive", "out.tar"));
    let options = Options {
        host_env: HostEnv::Names(vec![b"TZ".to_vec()]),
        sign: SignOptions {
            product: 5,
            ..SignOptions::default()
        },
        ..Options::default()
    };
    let summary = convert(&source, &target, &options).unwrap();

    let package = Package::open(&target).unwrap();
    assert_eq!(package.read(Part::HostRuntime).unwrap(), b"\x7fELF host");
    let sgxs = Sgxs::read(&package.read(Part::Enclave).unwrap()).unwrap();
    let sig = SigStruct::from_bytes(&package.read(Part::Signature).unwrap()).unwrap();
    assert_eq!(sgxs.mr_enclave, summary.mr_enclave);
    assert_eq!(sig.enclave_hash, summary.mr_enclave.0);
    assert_eq!(verify(&sig).unwrap().mr_signer(), summary.mr_signer);
    assert_eq!(sig.isv_prod_id, 5);

    let bytes = package.read(Part::Config).unwrap();
    assert_eq!(bytes, sgxs.config, "the copy is what is measured");
    let config = Config::decode(&bytes).unwrap();
    assert_eq!(config.args, [&b"/bin/redis"[..], b"--save"]);
    assert_eq!(
        (config.user.uid, config.user.gid, config.stop_signal),
        (999, 1000, 2)
    );
    assert!(config.env.contains(&b"HOME=/data".to_vec()));
    let image_id = *ImageSource::open(&source).unwrap().config_digest().as_bytes();
    assert_eq!(config.source_digest, Some(image_id));

    let rootfs = package.rootfs();
    assert_eq!(rootfs.len, config.rootfs.total_len);
    assert!(rootfs.offset.is_multiple_of(4096));

    let written = &package.image().config;
    assert_eq!(written.labels["maintainer"], "somebody");
    assert_eq!(written.labels[label::MR_ENCLAVE], summary.mr_enclave.to_string());
    assert_eq!(
        (&written.stop_signal[..], written.env.len(), written.cmd.len()),
        ("SIGINT", 0, 0)
    );
    assert_eq!(written.entrypoint, ["/nacre/nacre-host", "--"]);
}

#[test]
fn the_same_input_gives_the_same_bytes_in_each_transport() {
    let dir = TempDir::new().unwrap();
    let source = plain(&dir);
    let options = Options::default();
    let archive = |name: &str| place(&dir, "oci-archive", name);
    let first = convert(&source, &archive("a.tar"), &options).unwrap();
    let second = convert(&source, &archive("b.tar"), &options).unwrap();
    assert_eq!(first.mr_enclave, second.mr_enclave);
    assert_eq!(
        fs::read(dir.path().join("a.tar")).unwrap(),
        fs::read(dir.path().join("b.tar")).unwrap()
    );

    for other in [
        place(&dir, "docker-archive", "c.tar"),
        place(&dir, "oci", "layout"),
    ] {
        let summary = convert(&source, &other, &options).unwrap();
        assert_eq!(
            (summary.mr_enclave, summary.image.layer_digest),
            (first.mr_enclave, first.image.layer_digest)
        );
        assert!(Package::open(&other).is_ok());
    }
    let other = Options {
        threads: 9,
        ..options
    };
    assert_ne!(
        convert(&source, &archive("d.tar"), &other).unwrap().mr_enclave,
        first.mr_enclave
    );
}

#[test]
fn an_image_can_be_signed_again() {
    let dir = TempDir::new().unwrap();
    let source = plain(&dir);
    let (target, original) = (
        place(&dir, "docker-archive", "out.tar"),
        place(&dir, "docker-archive", "same.tar"),
    );
    let summary = convert(&source, &target, &Options::default()).unwrap();
    convert(&source, &original, &Options::default()).unwrap();

    let options = SignOptions {
        product: 77,
        ..SignOptions::default()
    };
    let sig = Unsigned::new(summary.mr_enclave, false, &options)
        .sign(&key())
        .unwrap();
    // In place: what is read and what is written are different files until the end.
    Package::open(&target)
        .unwrap()
        .write_resigned(&target, &sig, &mut |_| ())
        .unwrap();

    let (again, original) = (Package::open(&target).unwrap(), Package::open(&original).unwrap());
    assert_eq!(again.read(Part::Signature).unwrap(), sig.to_bytes());
    for part in [Part::HostRuntime, Part::Enclave, Part::Config] {
        assert_eq!(again.read(part).unwrap(), original.read(part).unwrap());
    }
    assert_eq!(read_rootfs(&again), read_rootfs(&original));
}

fn read_rootfs(package: &Package) -> Vec<u8> {
    let located = package.rootfs();
    let mut bytes = vec![0; located.len as usize];
    located.open.read_exact_at(&mut bytes, located.offset).unwrap();
    bytes
}

#[test]
fn what_is_empty_takes_no_room() {
    const LEN: u64 = 128 << 20;
    let dir = TempDir::new().unwrap();
    let plain = place(&dir, "oci-archive", "plain.tar");
    let zeros = LayerFile {
        path: "var/log/lastlog".into(),
        mode: 0o644,
        len: LEN,
        content: Box::new(std::io::repeat(0).take(LEN)),
    };
    let image = NewImage {
        config: ImageConfig {
            config: ContainerConfig {
                cmd: vec!["/end".into()],
                ..ContainerConfig::default()
            },
            ..ImageConfig::default()
        },
        annotations: Default::default(),
        files: vec![zeros, LayerFile::from_bytes("end", 0o644, b"end")],
    };
    oci_image::write(&plain, image, &mut |_| ()).unwrap();
    let allocated = |place: &ImageRef| {
        let metadata = fs::metadata(&place.path).unwrap();
        assert!(metadata.len() > LEN, "{place}");
        metadata.blocks() * 512
    };
    assert!(allocated(&plain) < LEN / 16, "{}", allocated(&plain));
    for (transport, name) in [("oci-archive", "out.tar"), ("oci", "layout")] {
        let target = place(&dir, transport, name);
        convert(&plain, &target, &Options::default()).unwrap();
        // The layer has the digest that was computed over all of its bytes.
        let image = ImageSource::open(&target).unwrap();
        Tree::build(&image, dir.path(), &Limits::default(), &mut |_| ()).unwrap();
        let package = Package::open(&target).unwrap();
        let rootfs = package.rootfs();
        let file = ImageRef {
            path: rootfs.file.clone(),
            ..target
        };
        assert!(allocated(&file) < LEN / 16, "{}", allocated(&file));
    }
}

#[test]
fn failures_leave_nothing_behind() {
    let dir = TempDir::new().unwrap();
    let (source, target) = (plain(&dir), place(&dir, "oci-archive", "out.tar"));
    let before = names(dir.path());

    let none = Options {
        threads: 0,
        ..Options::default()
    };
    assert!(matches!(
        convert(&source, &target, &none),
        Err(ConvertError::Config(_))
    ));

    let archive = fs::read(dir.path().join("plain.tar")).unwrap();
    fs::write(dir.path().join("plain.tar"), &archive[..archive.len() / 2]).unwrap();
    assert!(ImageSource::open(&source).is_err());
    assert_eq!(names(dir.path()), before);

    fs::write(dir.path().join("plain.tar"), archive).unwrap();
    let nowhere = place(&dir, "oci-archive", "missing/out.tar");
    assert!(convert(&source, &nowhere, &Options::default()).is_err());
    assert_eq!(names(dir.path()), before);
}

#[test]
fn a_confidential_image_is_known_without_its_label() {
    let dir = TempDir::new().unwrap();
    let target = place(&dir, "oci-archive", "out.tar");
    convert(&plain(&dir), &target, &Options::default()).unwrap();
    let package = Package::open(&target).unwrap();
    let changed = place(&dir, "oci-archive", "changed.tar");
    let write = |change: fn(&mut ContainerConfig)| {
        let mut config = package.image().clone();
        change(&mut config.config);
        let contents = Part::ALWAYS.map(|part| {
            let located = package.locate(part).unwrap();
            let mut bytes = vec![0; located.len as usize];
            located.open.read_exact_at(&mut bytes, located.offset).unwrap();
            (part.path(), bytes)
        });
        let files = contents
            .iter()
            .map(|(path, bytes)| LayerFile::from_bytes(path, 0o644, bytes));
        let image = NewImage {
            config,
            annotations: Default::default(),
            files: files.collect(),
        };
        oci_image::write(&changed, image, &mut |_| ()).unwrap();
        Package::open(&changed)
    };
    let unlabelled = write(|config| config.labels.clear()).unwrap();
    assert_eq!(*unlabelled.outside(), Outside::default());
    // Others run something else, which is told.
    let replaced = write(|config| {
        config.entrypoint = vec!["/bin/sh".into()];
        config.env = vec!["A=B".into()];
    });
    assert_eq!(
        *replaced.unwrap().outside(),
        Outside {
            settings: vec!["Env"],
            entry_point: Some(vec!["/bin/sh".into()]),
            ..Outside::default()
        }
    );
    let neither = write(|config| {
        config.labels.clear();
        config.entrypoint.clear();
    });
    assert!(matches!(neither, Err(PackageError::Plain(_))));
}

#[test]
fn a_plain_image_is_no_package() {
    let dir = TempDir::new().unwrap();
    assert!(matches!(Package::open(&plain(&dir)), Err(PackageError::Plain(_))));
}

#[test]
fn progress_reaches_the_end_of_each_stage() {
    #[derive(Default)]
    struct Record(Vec<(Stage, u64, u64)>);
    impl Progress for Record {
        fn begin(&mut self, stage: Stage, total: u64) {
            self.0.push((stage, total, 0));
        }
        fn at(&mut self, position: u64) {
            let last = self.0.last_mut().unwrap();
            assert!(position >= last.2);
            last.2 = position;
        }
    }
    let dir = TempDir::new().unwrap();
    let (source, target) = (plain(&dir), place(&dir, "oci-archive", "out.tar"));
    let (libos, key, options) = (sample::libos(), key(), Options::default());
    let mut record = Record::default();
    Conversion {
        source: &ImageSource::open(&source).unwrap(),
        target: &target,
        options: &options,
        key: &key,
        image_key: None,
        attest: None,
        max_size: None,
        cache: None,
        libos: &libos,
        host_runtime: b"",
        init: b"\x7fELF init",
    }
    .run(&mut record)
    .unwrap();
    let stages: Vec<_> = record.0.iter().map(|(stage, ..)| *stage).collect();
    assert_eq!(
        stages,
        [Stage::Layers, Stage::CallSites, Stage::RootFs, Stage::Image]
    );
    for (stage, total, reached) in record.0 {
        assert!(reached >= total, "{stage:?}: {reached} of {total}");
    }
}

fn names(dir: &Path) -> Vec<std::ffi::OsString> {
    let mut names: Vec<_> = fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    names.sort();
    names
}

#[test]
fn system_calls_of_real_programs_are_found_and_mapped() {
    let dir = TempDir::new().unwrap();
    let plain = place(&dir, "oci", "plain");
    let libc = fs::read("/lib/x86_64-linux-gnu/libc.so.6").unwrap();
    let image = NewImage {
        config: ImageConfig {
            config: ContainerConfig {
                cmd: vec!["/bin/true".into()],
                ..ContainerConfig::default()
            },
            ..ImageConfig::default()
        },
        annotations: Default::default(),
        files: vec![
            LayerFile::from_bytes("lib/libc.so.6", 0o644, &libc),
            LayerFile::from_bytes("bin/true", 0o755, b"\x7fELF and then nothing of the kind"),
        ],
    };
    oci_image::write(&plain, image, &mut |_| ()).unwrap();
    let target = place(&dir, "oci", "confidential");
    let summary = convert(&plain, &target, &Options::default()).unwrap();
    assert_eq!(summary.coverage.files, 1);
    assert!(summary.coverage.counts.patched() > 100, "{}", summary.coverage);

    let package = Package::open(&target).unwrap();
    let config = Config::decode(&package.read(Part::Config).unwrap()).unwrap();
    let rootfs = read_rootfs(&package);
    let Extent { offset, len } = config.rootfs.callsites;
    let maps = &rootfs[offset as usize..][..len as usize];
    let container = Container::open(maps, len).unwrap();
    assert_eq!(container.files(), 1);
    assert!(container.check(maps).is_ok());
}
