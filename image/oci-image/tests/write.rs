//! Writing images: what is written, that other tools read it, and that failures leave nothing.

mod support;

use std::io::{self, Read};
use std::path::Path;
use std::process::Command;

use oci_image::{
    Compression, ContainerConfig, ImageConfig, ImageRef, ImageSource, LayerFile, NewImage, WriteError,
    WrittenImage,
};
use support::*;

const SMALL: &[u8] = b"small";

fn big() -> Vec<u8> {
    (0..500_001u32)
        .map(|i| (i.wrapping_mul(7919) >> 5) as u8)
        .collect()
}

fn write(place: &ImageRef, files: Vec<LayerFile<'_>>) -> Result<WrittenImage, WriteError> {
    let config = ContainerConfig {
        entrypoint: vec!["/nacre/nacre-host".into()],
        labels: [("a".to_owned(), "b".to_owned())].into(),
        stop_signal: "SIGQUIT".into(),
        ..ContainerConfig::default()
    };
    let config = ImageConfig {
        config,
        ..ImageConfig::default()
    };
    let annotations = [("dev.nacre.mrenclave".to_owned(), "00".to_owned())].into();
    oci_image::write(
        place,
        NewImage {
            config,
            annotations,
            files,
        },
        &mut |_| {},
    )
}

fn write_sample(place: &ImageRef) -> WrittenImage {
    let big = big();
    let files = vec![
        LayerFile::from_bytes("nacre/rootfs.img", 0o644, &big),
        LayerFile::from_bytes("nacre/empty", 0o644, b""),
        LayerFile::from_bytes("nacre/nacre-host", 0o755, SMALL),
        LayerFile::from_bytes("top", 0o600, SMALL),
    ];
    write(place, files).unwrap()
}

fn places(scratch: &Scratch) -> [ImageRef; 3] {
    [
        scratch.place("docker-archive", "docker.tar:app:1"),
        scratch.place("oci-archive", "oci.tar:1"),
        scratch.place("oci", "dir:1"),
    ]
}

const PATHS: [&str; 4] = ["nacre/empty", "nacre/nacre-host", "nacre/rootfs.img", "top"];

#[test]
fn what_is_written_is_read_again_and_located_at_pages() {
    let scratch = Scratch::new();
    let mut digests = Vec::new();
    for place in places(&scratch) {
        let written = write_sample(&place);
        digests.push(written);
        let image = ImageSource::open(&place).unwrap();
        assert_eq!(image.manifest_digest(), Some(written.manifest_digest));
        assert_eq!(image.config_digest(), written.config_digest);
        assert_eq!(image.layers()[0].diff_id(), written.layer_digest);
        assert_eq!(image.annotations()["dev.nacre.mrenclave"], "00");
        assert_eq!(image.config().config.stop_signal, "SIGQUIT");
        assert_eq!(image.config().architecture, "amd64");

        let tree = build(&image).unwrap();
        let id = |path: &[u8]| tree.lookup(path).unwrap();
        assert_eq!(content(&tree, id(b"nacre/rootfs.img")), big());
        assert_eq!(tree.inode(id(b"nacre/nacre-host")).mode, 0o755);
        assert_eq!(tree.inode(id(b"nacre")).mode, 0o755);
        assert_eq!(tree.inode(id(b"top")).mode, 0o600);

        let located = locate(&image, &PATHS);
        assert!(
            located.iter().all(|file| file.offset.is_multiple_of(4096)),
            "{place}: {located:?}"
        );
        let contents: Vec<_> = located.iter().map(read_located).collect();
        assert_eq!(contents, [b"".to_vec(), SMALL.to_vec(), big(), SMALL.to_vec()]);
    }
    // The same image in each transport.
    assert!(digests.windows(2).all(|pair| pair[0] == pair[1]));
}

#[test]
fn the_same_input_gives_the_same_bytes() {
    let (first, second) = (Scratch::new(), Scratch::new());
    for scratch in [&first, &second] {
        for place in places(scratch) {
            write_sample(&place);
        }
    }
    for scratch in [&first, &second] {
        assert_eq!(scratch.names(), ["dir", "docker.tar", "oci.tar"]);
    }
    let diff = Command::new("diff")
        .arg("-r")
        .args([first.0.path(), second.0.path()])
        .output()
        .unwrap();
    assert!(diff.status.success(), "{}", String::from_utf8_lossy(&diff.stdout));
}

#[test]
fn an_oci_archive_is_what_docker_load_takes_as_well() {
    let scratch = Scratch::new();
    for (reference, docker, containerd) in [
        (":app:1", Some("app:1"), Some("docker.io/library/app:1")),
        (
            ":r.example/app",
            Some("r.example/app:latest"),
            Some("r.example/app:latest"),
        ),
        // A name of an index, and of no engine's images.
        (":Odd@", None, None),
        ("", None, None),
    ] {
        write_sample(&scratch.place("oci-archive", &format!("a.tar{reference}")));
        let digest = ImageSource::open(&scratch.place("oci-archive", "a.tar"))
            .unwrap()
            .config_digest();
        let member = |name: &str| -> serde_json::Value {
            let mut archive = tar::Archive::new(std::fs::File::open(scratch.path("a.tar")).unwrap());
            let mut entries = archive.entries().unwrap().map(Result::unwrap);
            let entry = entries.find(|entry| entry.path().unwrap() == Path::new(name));
            serde_json::from_reader(entry.unwrap()).unwrap()
        };
        let tags: Vec<_> = docker.into_iter().collect();
        assert_eq!(member("manifest.json")[0]["RepoTags"], serde_json::json!(tags));
        let annotations = &member("index.json")["manifests"][0]["annotations"];
        assert_eq!(annotations["io.containerd.image.name"].as_str(), containerd);
        assert_eq!(
            annotations["org.opencontainers.image.ref.name"].as_str(),
            reference.strip_prefix(':')
        );
        let place = scratch.place("docker-archive", "a.tar");
        assert_eq!(ImageSource::open(&place).unwrap().config_digest(), digest);
        let mut skopeo = Command::new("skopeo");
        if let Some(text) = tool_ok(
            skopeo
                .args(["inspect", "--raw", "--config"])
                .arg(place.to_string()),
        ) {
            assert_eq!(oci_image::Digest::of(text.as_bytes()), digest);
        }
    }
}

#[test]
fn skopeo_copies_what_is_written() {
    let scratch = Scratch::new();
    for (number, place) in places(&scratch).iter().enumerate() {
        write_sample(place);
        let copy = scratch.place("oci", &format!("copy{number}:x"));
        let mut skopeo = Command::new("skopeo");
        skopeo.args([
            "--insecure-policy",
            "copy",
            "--quiet",
            &place.to_string(),
            &copy.to_string(),
        ]);
        if tool_ok(&mut skopeo).is_none() {
            return;
        }
        // skopeo compresses the layers that go into a layout.
        let image = ImageSource::open(&copy).unwrap();
        assert_eq!(image.config().config.entrypoint, ["/nacre/nacre-host"]);
        let tree = build(&image).unwrap();
        assert_eq!(content(&tree, tree.lookup(b"nacre/rootfs.img").unwrap()), big());

        let located = locate(&image, &PATHS);
        assert_eq!(located[2].compression, Compression::Gzip);
        assert_eq!(read_located(&located[2]), big());
        // A copy into a docker-archive decompresses it.
        let back = scratch.place("docker-archive", &format!("back{number}.tar:app:2"));
        let mut skopeo = Command::new("skopeo");
        skopeo.args([
            "--insecure-policy",
            "copy",
            "--quiet",
            &copy.to_string(),
            &back.to_string(),
        ]);
        tool_ok(&mut skopeo);
        let located = locate(&ImageSource::open(&back).unwrap(), &PATHS);
        assert_eq!(located[2].compression, Compression::None);
        assert_eq!(read_located(&located[2]), big());
    }
}

#[test]
fn skopeo_inspects_the_configuration() {
    let scratch = Scratch::new();
    for place in places(&scratch) {
        let written = write_sample(&place);
        let mut skopeo = Command::new("skopeo");
        let Some(text) = tool_ok(skopeo.args(["inspect", "--raw", &place.to_string()])) else {
            return;
        };
        // For a docker-archive skopeo makes up a manifest of its own.
        if !place.to_string().starts_with("docker") {
            assert_eq!(oci_image::Digest::of(text.as_bytes()), written.manifest_digest);
        }
        let config =
            tool_ok(Command::new("skopeo").args(["inspect", "--config", &place.to_string()])).unwrap();
        assert!(
            config.contains("/nacre/nacre-host") && config.contains("SIGQUIT"),
            "{config}"
        );
    }
}

#[test]
fn gnu_tar_extracts_archive_and_layer() {
    let scratch = Scratch::new();
    let [docker, ..] = places(&scratch);
    let written = write_sample(&docker);
    let extract = |archive: &Path, to: &str| {
        std::fs::create_dir(scratch.path(to)).unwrap();
        let mut tar = Command::new("tar");
        let output = tool(tar.arg("-xf").arg(archive).arg("-C").arg(scratch.path(to)))?;
        // Not even a warning about the padding.
        assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
        Some(())
    };
    if extract(&docker.path, "outer").is_none() {
        return;
    }
    let layer = scratch
        .path("outer")
        .join(format!("blobs/sha256/{}", written.layer_digest.hex()));
    extract(&layer, "inner").unwrap();
    assert_eq!(
        std::fs::read(scratch.path("inner/nacre/rootfs.img")).unwrap(),
        big()
    );
    let mut listing = Command::new("tar");
    let listing = tool_ok(listing.args(["--numeric-owner", "-tvf"]).arg(layer)).unwrap();
    assert!(listing.lines().all(|line| line.contains(" 0/0 ")), "{listing}");
    assert!(listing.starts_with("drwxr-xr-x"), "{listing}");
}

#[test]
fn a_layout_keeps_its_other_images() {
    let scratch = Scratch::new();
    let file = |content| vec![LayerFile::from_bytes("f", 0o644, content)];
    write(&scratch.place("oci", "dir:a"), file(b"1")).unwrap();
    write(&scratch.place("oci", "dir:b"), file(b"2")).unwrap();
    write(&scratch.place("oci", "dir:a"), file(b"3")).unwrap();
    write(&scratch.place("oci", "dir"), file(b"4")).unwrap();
    write(&scratch.place("oci", "dir"), file(b"4")).unwrap();
    let read = |name: &str| {
        let tree = build(&ImageSource::open(&scratch.place("oci", name)).unwrap()).unwrap();
        content(&tree, tree.lookup(b"f").unwrap())
    };
    assert_eq!((read("dir:a"), read("dir:b")), (b"3".to_vec(), b"2".to_vec()));
    let index = std::fs::read_to_string(scratch.path("dir/index.json")).unwrap();
    assert_eq!(index.matches("\"digest\"").count(), 3, "{index}");
    assert!(open_error(&scratch.place("oci", "dir")).contains("several images"));
}

#[test]
fn what_others_put_into_an_index_stays() {
    let scratch = Scratch::new();
    let mut layout = Layout::of_layers(&[Layer::new().file("f", b"other").build()]);
    layout.manifests[0]["annotations"] = serde_json::json!({ "org.opencontainers.image.ref.name": "other" });
    layout.manifests[0]["data"] = serde_json::json!("kept");
    layout.write_dir(&scratch.path("dir"));
    write_sample(&scratch.place("oci", "dir:mine"));
    let index = std::fs::read_to_string(scratch.path("dir/index.json")).unwrap();
    assert!(index.contains("kept"), "{index}");
    ImageSource::open(&scratch.place("oci", "dir:other")).unwrap();
}

#[test]
fn writers_of_one_layout_do_not_lose_each_other() {
    let scratch = Scratch::new();
    std::thread::scope(|scope| {
        for number in 0..8 {
            let place = scratch.place("oci", &format!("new/dir:n{number}"));
            scope.spawn(move || write(&place, vec![LayerFile::from_bytes("f", 0o644, &[number])]).unwrap());
        }
    });
    for number in 0..8 {
        ImageSource::open(&scratch.place("oci", &format!("new/dir:n{number}"))).unwrap();
    }
}

/// Gives some bytes and then fails.
struct Failing(u64);

impl Read for Failing {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.0 == 0 {
            return Err(io::Error::other("the disk is on fire"));
        }
        let count = (self.0 as usize).min(buffer.len());
        self.0 -= count as u64;
        Ok(count)
    }
}

#[test]
fn failures_leave_nothing() {
    let scratch = Scratch::new();
    let bad_files: [fn() -> Vec<LayerFile<'static>>; 7] = [
        || {
            vec![LayerFile {
                path: "f".into(),
                mode: 0o644,
                len: 3 << 20,
                content: Box::new(Failing(2 << 20)),
            }]
        },
        || {
            vec![LayerFile {
                path: "f".into(),
                mode: 0o644,
                len: 4,
                content: Box::new(SMALL),
            }]
        },
        || {
            vec![LayerFile {
                path: "f".into(),
                mode: 0o644,
                len: 6,
                content: Box::new(SMALL),
            }]
        },
        || vec![LayerFile::from_bytes("../f", 0o644, SMALL)],
        || {
            vec![
                LayerFile::from_bytes("f", 0o644, SMALL),
                LayerFile::from_bytes("f/g", 0o644, SMALL),
            ]
        },
        || {
            vec![
                LayerFile::from_bytes("f", 0o644, SMALL),
                LayerFile::from_bytes("f", 0o644, SMALL),
            ]
        },
        || vec![LayerFile::from_bytes(&"f".repeat(101), 0o644, SMALL)],
    ];
    for files in bad_files {
        for place in places(&scratch) {
            write(&place, files()).unwrap_err();
            assert_eq!(scratch.names(), [""; 0], "{place}");
        }
    }
    // What was there stays as it was.
    for place in places(&scratch) {
        write_sample(&place);
    }
    let before = scratch.names();
    for files in bad_files {
        for place in places(&scratch) {
            write(&place, files()).unwrap_err();
            assert_eq!(scratch.names(), before);
            assert_eq!(locate(&ImageSource::open(&place).unwrap(), &PATHS).len(), 4);
        }
    }
}

/// Gives some bytes, says so, and waits for ever.
struct Stuck(u64);

impl Read for Stuck {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.0 == 0 {
            println!("STUCK");
            loop {
                std::thread::park();
            }
        }
        Failing(self.0)
            .read(buffer)
            .inspect(|&count| self.0 -= count as u64)
    }
}

#[test]
fn a_killed_writer_leaves_nothing() {
    const TARGET: &str = "NACRE_TEST_KILLED_WRITER";
    if let Ok(place) = std::env::var(TARGET) {
        let content = Box::new(Stuck(1 << 20));
        let files = vec![LayerFile {
            path: "f".into(),
            mode: 0o644,
            len: 2 << 20,
            content,
        }];
        drop(write(&place.parse().unwrap(), files));
        unreachable!("the content never ends");
    }
    let scratch = Scratch::new();
    for place in places(&scratch) {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "a_killed_writer_leaves_nothing", "--nocapture"])
            .env(TARGET, place.to_string())
            .stdout(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        let lines = io::BufRead::lines(io::BufReader::new(child.stdout.take().unwrap()));
        assert!(lines.map_while(Result::ok).any(|line| line.contains("STUCK")));
        child.kill().unwrap();
        child.wait().unwrap();
        assert_eq!(scratch.names(), [""; 0], "{place}");
    }
}

#[test]
fn errors_say_what_is_wrong() {
    let scratch = Scratch::new();
    let error = |place: &ImageRef| write(place, vec![]).unwrap_err().to_string();
    assert!(error(&scratch.place("oci-archive", "no/such/dir.tar")).contains("there is no directory "));
    assert!(error(&scratch.place("docker-archive", "x.tar:Upper")).contains("lower-case"));
    assert!(error(&scratch.place("oci", "x:@sha256:00")).contains("cannot name an image"));
    std::fs::create_dir(scratch.path("full")).unwrap();
    assert!(error(&scratch.place("oci-archive", "full")).contains("directory"));
    scratch.write("full/other", b"");
    assert!(error(&scratch.place("oci", "full")).contains("not an OCI image layout"));
    scratch.write("file", b"");
    assert!(error(&scratch.place("oci", "file")).contains("Not a directory"));
}

#[test]
fn an_existing_archive_is_replaced() {
    let scratch = Scratch::new();
    let place = scratch.place("oci-archive", "a.tar");
    scratch.write("a.tar", b"old");
    write_sample(&place);
    ImageSource::open(&place).unwrap();
    assert_eq!(scratch.names(), ["a.tar"]);
}
