//! Images as people give them: through pipes, without a transport, in layers that end early.

mod support;

use std::fs;
use std::process::{Command, Stdio};

use oci_image::{ImageRef, ImageSource};
use support::*;

fn sample() -> Vec<u8> {
    Layer::new().file("f", b"content").build()
}

fn read(place: &ImageRef) -> Result<Vec<String>, String> {
    let image = ImageSource::open(place).map_err(|error| error.to_string())?;
    build(&image)
        .map(|tree| listing(&tree))
        .map_err(|error| error.to_string())
}

/// A path without a transport.
fn bare(scratch: &Scratch, name: &str) -> ImageRef {
    ImageRef::of_source(&scratch.path(name).display().to_string()).unwrap()
}

#[test]
fn an_archive_may_come_through_a_pipe() {
    let scratch = Scratch::new();
    rustix::fs::mknodat(
        rustix::fs::CWD,
        scratch.path("pipe"),
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::RWXU,
        0,
    )
    .unwrap();
    let plain = archive(&docker_archive(&["app:1"], &[sample()]));
    for (transport, bytes) in [
        ("docker-archive", plain.clone()),
        ("docker-archive", gzip(&plain)),
    ] {
        let path = scratch.path("pipe");
        let writer = std::thread::spawn(move || fs::write(path, bytes).unwrap());
        let place = scratch.place(transport, "pipe:app:1");
        assert_eq!(read(&place), Ok(vec!["f=content".to_owned()]));
        writer.join().unwrap();
    }
    assert_eq!(scratch.names(), ["pipe"]);
}

#[test]
fn standard_input_is_an_archive() {
    // A program's standard input is its own: the example is such a program.
    let scratch = Scratch::new();
    scratch.write("a.tar", &archive(&docker_archive(&["app:1"], &[sample()])));
    let example = std::env::current_exe()
        .unwrap()
        .ancestors()
        .nth(2)
        .unwrap()
        .join("examples/apply");
    for place in [
        "docker-archive:-",
        "docker-archive:/dev/stdin",
        "docker-archive:-:app:1",
    ] {
        for input in ["cat a.tar | \"$0\" \"$1\"", "\"$0\" \"$1\" < a.tar"] {
            let output = Command::new("sh")
                .args(["-c", input])
                .arg(&example)
                .arg(place)
                .current_dir(scratch.0.path())
                .stdin(Stdio::null())
                .output()
                .unwrap();
            let text = String::from_utf8_lossy(&output.stdout);
            assert!(
                text.contains("1 layers, 2 inodes"),
                "{place}: {input}: {output:?}"
            );
        }
    }
}

#[test]
fn a_bare_path_is_told_by_its_content() {
    let scratch = Scratch::new();
    let content = Ok(vec!["f=content".to_owned()]);
    let layout = Layout::of_layers(&[sample()]);
    let docker = archive(&docker_archive(&["app:1"], &[sample()]));
    scratch.write("docker.tar", &docker);
    scratch.write("docker.tar.gz", &gzip(&docker));
    scratch.write("oci.tar", &layout.archive());
    layout.write_dir(&scratch.path("dir"));
    // What Docker has written since version 25 is both.
    let mut both = docker_archive(&["app:1"], &[sample()]);
    both.extend(layout.all_files());
    scratch.write("both.tar", &archive(&both));
    for name in ["docker.tar", "docker.tar.gz", "oci.tar", "dir", "both.tar"] {
        assert_eq!(read(&bare(&scratch, name)), content, "{name}");
    }
    assert_eq!(read(&bare(&scratch, "docker.tar:app:1")), content);
    assert!(
        read(&bare(&scratch, "docker.tar:other"))
            .unwrap_err()
            .contains("app:1")
    );

    // Others are told what they are.
    fs::create_dir(scratch.path("skopeo")).unwrap();
    scratch.write("skopeo/version", b"Directory Transport Version: 1.1\n");
    scratch.write("skopeo/manifest.json", b"{}");
    let error = read(&bare(&scratch, "skopeo")).unwrap_err();
    assert!(error.contains("skopeo copy dir:"), "{error}");
    let error = read(&scratch.place("oci", "skopeo")).unwrap_err();
    assert!(error.contains("skopeo copy dir:"), "{error}");
    scratch.write("root.tar", &Layer::new().file("bin/sh", b"").build());
    let error = read(&bare(&scratch, "root.tar")).unwrap_err();
    assert!(error.contains("a root file system"), "{error}");
    fs::create_dir(scratch.path("empty")).unwrap();
    let error = read(&bare(&scratch, "empty")).unwrap_err();
    assert!(error.contains("not an OCI image layout"), "{error}");
}

#[test]
fn the_padding_at_the_end_of_a_layer_may_be_missing() {
    let layer = sample();
    let end = 512 + b"content".len();
    for len in [end, end + 1, 1023, 1024, 1024 + 512, layer.len()] {
        assert_eq!(
            try_tree(&[layer[..len].to_vec()])
                .map(|tree| listing(&tree))
                .unwrap(),
            ["f=content"],
            "{len}"
        );
    }
    for len in [1, 511, 512, end - 1, 1025] {
        let error = try_tree(&[layer[..len].to_vec()]).unwrap_err();
        assert!(error.contains("cut off"), "{len}: {error}");
    }
}

#[test]
fn layers_of_umoci_insert_are_read() {
    let scratch = Scratch::new();
    scratch.write("file", b"inserted");
    let umoci = |line: &str| {
        let mut command = Command::new("umoci");
        tool_ok(command.args(line.split(' ')).current_dir(scratch.0.path()))
    };
    if umoci("init --layout dir").is_none() {
        return;
    }
    umoci("new --image dir:1");
    umoci("insert --image dir:1 file /etc/file");
    assert!(
        read(&scratch.place("oci", "dir:1"))
            .unwrap()
            .contains(&"etc/file=inserted".to_owned())
    );
}
