//! Paths as a process sees them whose root directory is the image's.

mod support;

use oci_image::{InodeId, Limit};
use support::*;

#[test]
fn links_are_followed_inside_the_root() {
    let layer = Layer::new()
        .file("nix/store/x/passwd", b"found")
        .symlink("etc", "nix/store/x")
        .symlink("absolute", "/nix/store/x/passwd")
        .symlink("usr/relative", "../nix/./store//x/passwd")
        .symlink("outside", "../../../../nix/store/x/passwd")
        .symlink("one", "two")
        .symlink("two", "/etc/passwd")
        .symlink("dangling", "/nowhere")
        .symlink("loop", "pool")
        .symlink("pool", "/loop")
        .symlink("through-file", "nix/store/x/passwd/y")
        .symlink("root", "/..");
    let tree = tree(&[layer.build()]);
    for path in [
        "nix/store/x/passwd",
        "/etc/passwd",
        "etc/./passwd",
        "etc/../x/passwd",
        "absolute",
        "usr/relative",
        "outside",
        "../../outside",
        "one",
        "root/one",
    ] {
        let id = tree.follow(path.as_bytes()).unwrap();
        assert_eq!(id.map(|id| content(&tree, id)), Some(b"found".to_vec()), "{path}");
    }
    for path in ["dangling", "nowhere", "nix/nowhere/x", "through-file", "one/"] {
        assert_eq!(tree.follow(path.as_bytes()), Ok(None), "{path}");
    }
    for path in ["", "/", "..", "root", "etc/../../.."] {
        assert_eq!(tree.follow(path.as_bytes()), Ok(Some(InodeId::ROOT)), "{path}");
    }
    assert_eq!(tree.follow(b"loop"), Err(Limit::Symlinks));
    assert_eq!(tree.follow(b"loop/x"), Err(Limit::Symlinks));
}
