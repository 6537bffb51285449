//! Directories that the configuration names: volumes and the working directory.

mod support;

use oci_image::{Digest, ImageSource, Tree};
use serde_json::{Value, json};
use support::*;

/// The tree of an image of one layer with this `config`, or why there is none.
fn tree_of(layer: Vec<u8>, config: Value) -> Result<Tree, String> {
    let document = json!({
        "config": config, "rootfs": { "type": "layers", "diff_ids": [Digest::of(&layer).to_string()] },
    });
    let list = json!([{ "Config": "config.json", "RepoTags": null, "Layers": ["layer.tar"] }]);
    let files = [
        ("config.json".to_owned(), document.to_string().into_bytes()),
        ("layer.tar".to_owned(), layer),
        ("manifest.json".to_owned(), list.to_string().into_bytes()),
    ];
    let scratch = Scratch::new();
    scratch.write("i.tar", &archive(&files));
    let image = ImageSource::open(&scratch.place("docker-archive", "i.tar"));
    build(&image.map_err(|error| error.to_string())?).map_err(|error| error.to_string())
}

#[test]
fn volumes_and_the_working_directory_are_made() {
    let layer = Layer::new()
        .entry("there/", tar::EntryType::Directory, b"", |header| {
            header.set_mode(0o700);
            header.set_uid(7);
        })
        .symlink("var", "/real/var");
    // Neither architecture nor operating system is said: they are the engine's own.
    let config = json!({
        "Volumes": { "/there": {}, "/data": {}, "relative/one": null, "/var/lib/../log": {} },
        "WorkingDir": "/srv/app",
    });
    let tree = tree_of(layer.build(), config).unwrap();
    assert_eq!(
        listing(&tree),
        [
            "data/",
            "real/",
            "real/var/",
            "real/var/lib/",
            "real/var/log/",
            "relative/",
            "relative/one/",
            "srv/",
            "srv/app/",
            "there/",
            "var->/real/var"
        ]
    );
    let inode = |path: &str| tree.inode(tree.follow(path.as_bytes()).unwrap().unwrap());
    assert_eq!((inode("data").mode, inode("data").uid), (0o755, 0));
    assert_eq!(
        (inode("there").mode, inode("there").uid),
        (0o700, 7),
        "as the image has it"
    );
}

#[test]
fn a_file_in_place_of_a_volume_is_refused() {
    let layer = || Layer::new().file("data", b"").build();
    for config in [
        json!({ "Volumes": { "/data": {} } }),
        json!({ "WorkingDir": "/data/x" }),
    ] {
        let error = tree_of(layer(), config).unwrap_err();
        assert!(
            error.contains("\"/data") && error.contains("directory"),
            "{error}"
        );
    }
}
