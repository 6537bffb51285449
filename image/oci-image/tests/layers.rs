//! What a tree is after layers were applied, by the rules of the OCI image-spec.

mod support;

use oci_image::{Inode, Kind, Timestamp, Tree};
use proptest::prelude::*;
use support::*;
use tar::EntryType;

fn inode<'a>(tree: &'a Tree, path: &str) -> &'a Inode {
    tree.inode(
        tree.lookup(path.as_bytes())
            .unwrap_or_else(|| panic!("no {path}: {:?}", listing(tree))),
    )
}

fn lower() -> Vec<u8> {
    Layer::new()
        .dir("d/")
        .file("d/a", b"1")
        .file("d/b", b"2")
        .dir("d/sub/")
        .file("d/sub/c", b"3")
        .file("f", b"4")
        .build()
}

/// The listing after `upper` was applied to `lower()`.
fn over(upper: Layer) -> Vec<String> {
    listing(&tree(&[lower(), upper.build()]))
}

#[test]
fn whiteouts_hide_names_of_lower_layers() {
    assert_eq!(
        over(Layer::new().file("d/.wh.a", b"").file(".wh.f", b"")),
        ["d/", "d/b=2", "d/sub/", "d/sub/c=3"]
    );
    assert_eq!(over(Layer::new().file(".wh.d", b"")), ["f=4"]);
    // What does not exist is hidden already, and nothing is made for it.
    assert_eq!(
        over(Layer::new().file("x/y/.wh.z", b"").file(".wh.nothing", b"")).len(),
        6
    );
}

#[test]
fn whiteouts_spare_their_own_layer() {
    let expected = ["d/", "d/a=new", "f=4"];
    assert_eq!(
        over(Layer::new().file(".wh.d", b"").dir("d/").file("d/a", b"new")),
        expected
    );
    assert_eq!(
        over(Layer::new().dir("d/").file("d/a", b"new").file(".wh.d", b"")),
        expected
    );
    assert_eq!(
        over(Layer::new().file("d/a", b"new").file(".wh.d", b"")),
        expected
    );
    assert_eq!(
        over(Layer::new().file("f", b"4").file(".wh.f", b"").file(".wh.d", b"")),
        ["f=4"]
    );
}

#[test]
fn opaque_directories_hide_all_of_lower_layers() {
    let expected = ["d/", "d/new=5", "f=4"];
    assert_eq!(
        over(
            Layer::new()
                .dir("d/")
                .file("d/.wh..wh..opq", b"")
                .file("d/new", b"5")
        ),
        expected
    );
    assert_eq!(
        over(
            Layer::new()
                .dir("d/")
                .file("d/new", b"5")
                .file("d/.wh..wh..opq", b"")
        ),
        expected
    );
    assert_eq!(over(Layer::new().file(".wh..wh..opq", b"")), [""; 0]);
    // A directory that the layer only adds to keeps what the layer adds.
    let sub = Layer::new().file("d/sub/new", b"6").file("d/.wh..wh..opq", b"");
    assert_eq!(over(sub), ["d/", "d/sub/", "d/sub/new=6", "f=4"]);
}

#[test]
fn a_directory_hidden_and_made_again_has_new_metadata() {
    let lower = Layer::new().dir_mode("d/", 0o700).file("d/a", b"").build();
    for upper in [
        Layer::new().file(".wh.d", b"").file("d/b", b""),
        Layer::new().file("d/b", b"").file(".wh.d", b""),
    ] {
        let tree = tree(&[lower.clone(), upper.build()]);
        assert_eq!(
            (inode(&tree, "d").mode, inode(&tree, "d").mtime.seconds),
            (0o755, 0)
        );
        assert_eq!(listing(&tree), ["d/", "d/b="]);
    }
}

#[test]
fn kinds_replace_each_other() {
    assert_eq!(over(Layer::new().file("d", b"file")), ["d=file", "f=4"]);
    assert_eq!(
        over(Layer::new().dir("f/").file("f/x", b"")).last().unwrap(),
        "f/x="
    );
    assert_eq!(over(Layer::new().symlink("d", "f").fifo("f")), ["d->f", "f Fifo"]);
    assert_eq!(over(Layer::new().dir("d/")).len(), 6);
    // A directory entry replaces a symlink to a directory; it does not follow it.
    let merged = Layer::new()
        .dir("usr/lib/")
        .file("usr/lib/a", b"")
        .symlink("lib", "usr/lib")
        .build();
    let tree = tree(&[merged, Layer::new().dir("lib/").file("lib/b", b"").build()]);
    assert_eq!(
        listing(&tree),
        ["lib/", "lib/b=", "usr/", "usr/lib/", "usr/lib/a="]
    );
}

#[test]
fn metadata_of_a_directory_is_replaced_and_its_entries_stay() {
    let upper = Layer::new()
        .pax(&[("SCHILY.xattr.user.b", b"2")])
        .entry("d/", EntryType::Directory, b"", |header| {
            header.set_mode(0o1777);
            header.set_uid(7);
        })
        .build();
    let below = Layer::new()
        .pax(&[("SCHILY.xattr.user.a", b"1")])
        .dir("d/")
        .file("d/f", b"")
        .build();
    let tree = tree(&[below, upper]);
    let d = inode(&tree, "d");
    assert_eq!((d.mode, d.uid), (0o1777, 7));
    assert_eq!(d.xattrs.keys().collect::<Vec<_>>(), [b"user.b"]);
    inode(&tree, "d/f");
}

#[test]
fn parents_that_are_links_are_followed_inside_the_tree() {
    let lower = Layer::new()
        .dir("usr/bin/")
        .symlink("bin", "usr/bin")
        .symlink("abs", "/usr/bin")
        .symlink("up", "../../../../usr")
        .symlink("usr/back", "..")
        .symlink("twice", "bin")
        .symlink("dangling", "made/here")
        .build();
    let upper = Layer::new()
        .file("bin/a", b"")
        .file("abs/b", b"")
        .file("up/bin/c", b"")
        .file("usr/back/usr/bin/d", b"")
        .file("twice/e", b"")
        .file("dangling/f", b"")
        .build();
    let tree = tree(&[lower, upper]);
    for name in ["a", "b", "c", "d", "e"] {
        inode(&tree, &format!("usr/bin/{name}"));
    }
    inode(&tree, "made/here/f");
    assert!(matches!(inode(&tree, "bin").kind, Kind::Symlink(_)));
}

#[test]
fn hostile_paths_are_refused() {
    let refused = |layer: Layer, reason: &str| {
        let error = try_tree(&[layer.build()]).unwrap_err();
        assert!(
            error.starts_with("layer 1: ") && error.contains(reason),
            "{error}"
        );
    };
    refused(Layer::new().file("../etc/passwd", b""), "leaves the root");
    refused(Layer::new().file("a/../../b", b""), "leaves the root");
    refused(
        Layer::new().file("a", b"").hard_link("b", "../../a"),
        "leaves the root",
    );
    refused(Layer::new().hard_link("a", "nothing"), "does not exist");
    refused(Layer::new().hard_link("a", "a"), "does not exist");
    refused(
        Layer::new().hard_link("a", "b").hard_link("b", "a"),
        "does not exist",
    );
    refused(Layer::new().file("a", b"").hard_link("a", "a"), "does not exist");
    refused(Layer::new().dir("d/").hard_link("a", "d"), "is a directory");
    refused(Layer::new().hard_link("a", "/"), "is a directory");
    refused(Layer::new().symlink("a", ""), "without a valid target");
    refused(
        Layer::new().symlink("a", "b").symlink("b", "a").file("a/x", b""),
        "symbolic links",
    );
    refused(Layer::new().symlink("a", "a").file("a/x", b""), "symbolic links");
    refused(Layer::new().file("f", b"").file("f/x", b""), "not a directory");
    refused(Layer::new().file("/", b""), "root must be a directory");
    refused(Layer::new().file(".wh.", b""), "malformed whiteout");
    refused(Layer::new().file(".wh.d/x", b""), "malformed whiteout");
    refused(
        Layer::new().pax(&[("path", &[b'n'; 256])]).file("x", b""),
        "longer than 255 bytes",
    );
    refused(
        Layer::new().pax(&[("path", &b"a/".repeat(2500))]).file("x", b""),
        "longer than 4095 bytes",
    );
    refused(
        Layer::new().pax(&[("linkpath", &[b'n'; 4096])]).symlink("x", ""),
        "longer than 4095 bytes",
    );
    refused(
        Layer::new()
            .pax(&[("SCHILY.xattr.user.x", &[0; 65537])])
            .file("x", b""),
        "extended attributes",
    );
    refused(
        Layer::new().pax(&[("path", &b"a/".repeat(1500))]).file("x", b""),
        "too many nested",
    );
    refused(
        Layer::new().pax(&[("size", b"99999999999999999")]).file("x", b""),
        "too large",
    );
    refused(
        Layer::new()
            .pax(&[("size", b"18446744073709551615")])
            .file("x", b""),
        "too large",
    );
    refused(
        Layer::new().entry("x", EntryType::new(b'M'), b"", |_| {}),
        "multi-volume",
    );
    refused(
        Layer::new().entry("x", EntryType::new(b'?'), b"", |_| {}),
        "unknown type",
    );
}

#[test]
fn symlinks_lead_nowhere_outside() {
    let layer = Layer::new()
        .symlink("out", "/../../../tmp")
        .file("out/x", b"")
        .hard_link("y", "out/x")
        .build();
    let tree = tree(&[layer]);
    assert_eq!(listing(&tree), ["out->/../../../tmp", "tmp/", "tmp/x=", "y="]);
}

#[test]
fn limits_hold() {
    let image = |layers: &[Vec<u8>]| {
        let scratch = Scratch::new();
        Layout::of_layers(layers).write_dir(&scratch.path("image"));
        let image = oci_image::ImageSource::open(&scratch.place("oci", "image")).unwrap();
        // The files stay open by path only while the image is opened, so keep the directory.
        (scratch, image)
    };
    let (_scratch, image) = image(&[lower()]);
    let refused = |limits: oci_image::Limits| {
        Tree::build(&image, &std::env::temp_dir(), &limits, &mut |_| {})
            .unwrap_err()
            .to_string()
    };
    let default = oci_image::Limits::default;
    assert!(
        refused(oci_image::Limits {
            entries: 5,
            ..default()
        })
        .contains("too many entries")
    );
    assert!(
        refused(oci_image::Limits {
            metadata_len: 5,
            ..default()
        })
        .contains("too large")
    );
    assert!(
        refused(oci_image::Limits {
            depth: 2,
            ..default()
        })
        .contains("nested")
    );
    assert!(
        refused(oci_image::Limits {
            content_len: 3,
            ..default()
        })
        .contains("more than an image may hold")
    );
    let nowhere = std::path::Path::new("/no/such/dir");
    let error = Tree::build(&image, nowhere, &default(), &mut |_| {})
        .unwrap_err()
        .to_string();
    assert!(error.contains("/no/such/dir"), "{error}");
}

#[test]
fn a_small_blob_cannot_become_a_huge_layer() {
    let scratch = Scratch::new();
    let mut layout = Layout::new();
    let bomb = gzip(&vec![0; 1 << 20]);
    let manifest = layout.image("amd64", &[(TAR_GZIP, lower(), bomb)]);
    layout.manifests.push(manifest);
    layout.write_dir(&scratch.path("image"));
    let image = oci_image::ImageSource::open(&scratch.place("oci", "image")).unwrap();
    let limits = oci_image::Limits {
        content_len: 512 << 10,
        ..oci_image::Limits::default()
    };
    let error = Tree::build(&image, scratch.0.path(), &limits, &mut |_| {})
        .unwrap_err()
        .to_string();
    assert!(error.contains("more than an image may hold"), "{error}");
}

#[test]
fn hard_links_share_an_inode() {
    let layers = [
        Layer::new()
            .file("a", b"x")
            .hard_link("b", "a")
            .dir("d/")
            .hard_link("d/c", "./b")
            .symlink("s", "a")
            .build(),
        Layer::new()
            .hard_link("t", "s")
            .hard_link("e", "a")
            .file("a", b"y")
            .file("d/.wh.c", b"")
            .build(),
    ];
    let tree = tree(&layers);
    let id = |path: &str| tree.lookup(path.as_bytes()).unwrap();
    assert_eq!(id("b"), id("e"));
    assert_ne!(id("a"), id("b"));
    assert_eq!((inode(&tree, "b").nlink, inode(&tree, "a").nlink), (2, 1));
    assert_eq!(
        (content(&tree, id("b")), content(&tree, id("a"))),
        (b"x".to_vec(), b"y".to_vec())
    );
    // A link to a symbolic link is the symbolic link.
    assert_eq!(id("t"), id("s"));
    assert_eq!(inode(&tree, "d").nlink, 2);
    assert_eq!(tree.inodes()[0].nlink, 3);
}

#[test]
fn all_metadata_is_kept() {
    let long_link = [b'l'; 300];
    let long_path = [&b"long/"[..], &[b'p'; 200]].concat();
    let odd = b"odd/\xff\xfe \n\x01";
    let layer = Layer::new()
        .entry("suid", EntryType::Regular, b"", |header| {
            header.set_mode(0o106755);
            header.set_uid(1000);
            header.set_gid(1001);
            header.set_mtime(1 << 33);
        })
        .pax(&[
            ("mtime", b"-1.25"),
            ("uid", b"4000000000"),
            ("gid", b"3000000000"),
            (
                "SCHILY.xattr.security.capability",
                b"\x01\x00\x00\x02\x00\x20\x00\x00=\n\x00",
            ),
            ("SCHILY.xattr.user.empty", b""),
        ])
        .file("pax", b"")
        .pax(&[("path", &long_path)])
        .file("x", b"long")
        .pax(&[("linkpath", &long_link)])
        .symlink("link", "")
        .pax(&[("path", odd)])
        .file("x", b"odd")
        .entry("null", EntryType::Char, b"", |header| {
            header.set_device_major(1).unwrap();
            header.set_device_minor(3).unwrap();
        })
        .entry("disk", EntryType::Block, b"", |header| {
            header.set_device_major(0xfff).unwrap();
            header.set_device_minor(0xfffff).unwrap();
        })
        .entry("contiguous", EntryType::Continuous, b"c", |_| {})
        .entry("old-dir/", EntryType::Regular, b"", |header| {
            header.as_old_mut().linkflag = [0]
        })
        .build();
    let tree = tree(&[layer]);
    let suid = inode(&tree, "suid");
    assert_eq!(
        (suid.mode, suid.uid, suid.gid, suid.mtime.seconds),
        (0o6755, 1000, 1001, 1 << 33)
    );
    let pax = inode(&tree, "pax");
    assert_eq!((pax.uid, pax.gid), (4_000_000_000, 3_000_000_000));
    assert_eq!(
        pax.mtime,
        Timestamp {
            seconds: -2,
            nanoseconds: 750_000_000
        }
    );
    assert_eq!(
        pax.xattrs[&b"security.capability"[..]],
        b"\x01\x00\x00\x02\x00\x20\x00\x00=\n\x00"
    );
    assert_eq!(pax.xattrs[&b"user.empty"[..]], b"");
    assert_eq!(content(&tree, tree.lookup(&long_path).unwrap()), b"long");
    assert_eq!(inode(&tree, "link").kind, Kind::Symlink(long_link.to_vec()));
    assert_eq!(content(&tree, tree.lookup(odd).unwrap()), b"odd");
    assert_eq!(inode(&tree, "null").kind, Kind::CharDevice { major: 1, minor: 3 });
    assert_eq!(
        inode(&tree, "disk").kind,
        Kind::BlockDevice {
            major: 0xfff,
            minor: 0xfffff
        }
    );
    assert!(matches!(inode(&tree, "contiguous").kind, Kind::File(_)));
    assert!(matches!(inode(&tree, "old-dir").kind, Kind::Directory(_)));
    // Parents that no layer describes.
    let long = inode(&tree, "long");
    assert_eq!(
        (long.mode, long.uid, long.mtime),
        (0o755, 0, Timestamp::default())
    );
}

#[test]
fn the_root_has_metadata_too() {
    let tree_of = |layers: &[Vec<u8>]| tree(layers).inodes()[0].clone();
    let root = tree_of(&[]);
    assert_eq!(
        (root.mode, root.mtime, root.nlink),
        (0o755, Timestamp::default(), 2)
    );
    let root = tree_of(&[Layer::new().dir_mode("./", 0o711).build()]);
    assert_eq!((root.mode, root.mtime.seconds), (0o711, 1_000_000_000));
}

#[test]
fn aufs_bookkeeping_is_passed_over() {
    let upper = Layer::new()
        .dir(".wh..wh.plnk/")
        .file(".wh..wh.plnk/12.34", b"x")
        .file("d/.wh..wh.aufs", b"");
    assert_eq!(over(upper).len(), 6);
}

/// What a layer may do, over few names so that entries meet.
#[derive(Clone, Debug)]
enum Action {
    Dir(String),
    File(String, u8),
    Link(String, String),
    Symlink(String, String),
    Whiteout(String),
    Opaque(String),
}

fn paths() -> impl Strategy<Value = String> {
    prop::collection::vec(prop::sample::select(vec!["a", "b", "c"]), 1..4).prop_map(|names| names.join("/"))
}

fn actions(len: usize) -> impl Strategy<Value = Vec<Action>> {
    let action = prop_oneof![
        3 => paths().prop_map(Action::Dir),
        4 => (paths(), any::<u8>()).prop_map(|(path, byte)| Action::File(path, byte)),
        1 => (paths(), paths()).prop_map(|(path, target)| Action::Link(path, target)),
        1 => (paths(), paths()).prop_map(|(path, target)| Action::Symlink(path, target)),
        2 => paths().prop_map(Action::Whiteout),
        1 => paths().prop_map(Action::Opaque),
    ];
    prop::collection::vec(action, 0..len)
}

fn layer_of(actions: &[Action]) -> Vec<u8> {
    let whiteout = |path: &str| match path.rsplit_once('/') {
        Some((parent, name)) => format!("{parent}/.wh.{name}"),
        None => format!(".wh.{path}"),
    };
    let apply = |layer: Layer, action: &Action| match action {
        Action::Dir(path) => layer.dir(&format!("{path}/")),
        Action::File(path, byte) => layer.file(path, &[b'0' + byte % 10]),
        Action::Link(path, target) => layer.hard_link(path, target),
        Action::Symlink(path, target) => layer.symlink(path, &format!("/{target}")),
        Action::Whiteout(path) => layer.file(&whiteout(path), b""),
        Action::Opaque(path) => layer.file(&format!("{path}/.wh..wh..opq"), b""),
    };
    actions.iter().fold(Layer::new(), apply).build()
}

/// Link counts are those of the names, all inodes are reachable, and the order is that of the first names.
fn check_consistency(tree: &Tree) {
    let mut names = vec![0; tree.inodes().len()];
    let mut subdirectories = vec![0; tree.inodes().len()];
    let mut order = Vec::new();
    let mut pending = vec![oci_image::InodeId::ROOT];
    while let Some(id) = pending.pop() {
        if !order.contains(&id) {
            order.push(id);
        }
        names[id.index()] += 1;
        if let Kind::Directory(entries) = &tree.inode(id).kind {
            pending.extend(entries.values().rev());
            subdirectories[id.index()] = entries
                .values()
                .filter(|&&child| matches!(tree.inode(child).kind, Kind::Directory(_)))
                .count() as u32;
        }
    }
    assert!(order.iter().enumerate().all(|(index, id)| id.index() == index));
    assert_eq!(order.len(), tree.inodes().len());
    for (index, inode) in tree.inodes().iter().enumerate() {
        let expected = match inode.kind {
            Kind::Directory(_) => 2 + subdirectories[index],
            _ => names[index],
        };
        assert_eq!(inode.nlink, expected);
    }
}

/// The paths below the root at which `lower` has something and that `upper` hides: the model of a whiteout.
fn removed(path: &str, hidden: &str) -> bool {
    path == hidden || path.starts_with(&format!("{hidden}/"))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    /// Whatever layers do, the tree is sound or there is an error.
    #[test]
    fn any_layers_give_a_sound_tree(layers in prop::collection::vec(actions(12), 0..4)) {
        let layers: Vec<_> = layers.iter().map(|actions| layer_of(actions)).collect();
        if let Ok(tree) = try_tree(&layers) {
            check_consistency(&tree);
        }
    }

    /// Plain files and directories over lower ones, with whiteouts in any place of the layer, agree with a model
    /// that removes what is hidden first and adds then.
    #[test]
    fn whiteouts_agree_with_a_model(
        below in prop::collection::btree_map(paths(), any::<u8>(), 0..8),
        above in prop::collection::btree_map(paths(), any::<u8>(), 0..5),
        hidden in prop::collection::vec(paths(), 0..4),
        first in any::<bool>(),
    ) {
        // Names are either files or directories: drop files below files.
        let files = |map: &std::collections::BTreeMap<String, u8>| -> Vec<(String, u8)> {
            let is_parent = |path: &str| map.keys().any(|other| other.starts_with(&format!("{path}/")));
            map.iter().filter(|(path, _)| !is_parent(path)).map(|(path, byte)| (path.clone(), byte % 10)).collect()
        };
        let (below, above) = (files(&below), files(&above));
        let mut model: Vec<(String, u8)> = below.iter().filter(|(path, _)| {
            let is_hidden = hidden.iter().any(|hidden| removed(path, hidden));
            let is_replaced = above.iter().any(|(new, _)| removed(path, new));
            !is_hidden && !is_replaced
        }).cloned().collect();
        // A file of the lower layer where the upper one needs a directory is an error, unless it is hidden before.
        prop_assume!(!above.iter().any(|(new, _)| below.iter().any(|(old, _)| new.starts_with(&format!("{old}/")))));
        model.extend(above.iter().cloned());
        model.sort();

        let add = |files: &[(String, u8)]| files.iter().map(|(path, byte)| Action::File(path.clone(), *byte)).collect::<Vec<_>>();
        let hide: Vec<_> = hidden.into_iter().map(Action::Whiteout).collect();
        let upper = if first { [hide, add(&above)].concat() } else { [add(&above), hide].concat() };
        let tree = tree(&[layer_of(&add(&below)), layer_of(&upper)]);
        let found: Vec<String> = listing(&tree).into_iter().filter(|line| !line.ends_with('/')).collect();
        let expected: Vec<String> = model.iter().map(|(path, byte)| format!("{path}={byte}")).collect();
        let mut found = found; found.sort();
        let mut expected = expected; expected.sort();
        prop_assert_eq!(found, expected);
    }
}
