//! What is written is what is read: the same tree, the same bytes each time.

mod common;

use std::collections::BTreeMap;

use common::{Inode, Kind, Tree, contents, names, noise, open, params, sample, walk};
use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use rootfs_image::{Error, Layout, Options};

/// The tree as the image's reader must show it: with the image's inode numbers.
fn expected(tree: &Tree) -> BTreeMap<Vec<u8>, common::Seen> {
    let layout = tree.layout();
    let mut seen = tree.walk();
    for seen in seen.values_mut() {
        seen.inode = layout.nid(seen.inode as usize).unwrap().0;
    }
    seen
}

fn assert_reads_back(tree: &Tree, options: &Options<'_>, cache: usize) {
    let (image, written) = tree.write(options);
    assert_eq!(image.len() as u64, written.image_len);
    assert_eq!(
        written.image_len,
        tree.layout().image_len(options.extra.len() as u64)
    );
    let erofs = open(&image, &params(&written, options.salt), cache).unwrap();
    let (found, expected) = (walk(&erofs).unwrap(), expected(tree));
    assert!(found.keys().eq(expected.keys()));
    for (path, seen) in &found {
        assert_eq!(seen, &expected[path], "{}", path.escape_ascii());
    }
    let mut extra = std::vec![0; options.extra.len()];
    assert_eq!(written.extra.len, options.extra.len() as u64);
    erofs.read_image(written.extra.offset, &mut extra).unwrap();
    assert_eq!(extra, options.extra);
}

#[test]
fn one_of_everything() {
    let extra = noise(10_001, 5);
    for cache in [0, 3, 1000] {
        assert_reads_back(
            &sample(),
            &Options {
                salt: b"",
                extra: &extra,
                ..Options::default()
            },
            cache,
        );
        assert_reads_back(
            &sample(),
            &Options {
                salt: &[7; 32],
                extra: b"",
                ..Options::default()
            },
            cache,
        );
    }
    assert_reads_back(&Tree::empty(), &Options::default(), 8);
}

#[test]
fn the_same_tree_gives_the_same_bytes_whatever_its_ids() {
    let tree = sample();
    let (image, written) = tree.write(&Options::default());
    assert_eq!(tree.write(&Options::default()), (image.clone(), written.clone()));
    // The ids backwards, and one that nobody uses.
    let mut other = tree.clone();
    let count = tree.inodes.len();
    let new_id = |id: usize| if id == 0 { 0 } else { count + 1 - id };
    other.inodes = vec![tree.inodes[0].clone(), Inode::new(Kind::Fifo)];
    other.inodes.extend(tree.inodes[1..].iter().rev().cloned());
    for inode in &mut other.inodes {
        if let Kind::Directory(names) = &mut inode.kind {
            names.values_mut().for_each(|id| *id = new_id(*id));
        }
    }
    assert_eq!(other.write(&Options::default()), (image, written));
    assert_eq!(other.layout().nid(1), None);
}

#[test]
fn a_change_of_metadata_changes_the_identity() {
    let mut tree = sample();
    let (before, _) = tree.write(&Options::default());
    tree.inodes[5].permissions ^= 0o001;
    let (after, _) = tree.write(&Options::default());
    let uuid = 1024 + 48..1024 + 64;
    assert_ne!(before[uuid.clone()], after[uuid]);
}

#[test]
fn every_range_of_a_file_by_every_way_to_read() {
    let mut tree = Tree::empty();
    let bytes = noise(3 * 4096 + 700, 1);
    for (name, len) in [("small", 700), ("blocks", 8192), ("tail", bytes.len())] {
        tree.file(0, name.as_bytes(), &bytes[..len]);
    }
    let (image, written) = tree.write(&Options::default());
    let erofs = open(&image, &params(&written, b""), 16).unwrap();
    let root = erofs.inode(erofs.root()).unwrap();
    for (name, entry) in names(&erofs, &root, 100).unwrap() {
        let file = erofs.inode(entry.nid).unwrap();
        let bytes = &bytes[..file.size as usize];
        let points = [
            0,
            1,
            699,
            700,
            4095,
            4096,
            4097,
            8191,
            8192,
            8193,
            12287,
            12288,
            12988,
            12989,
            1 << 40,
        ];
        for offset in points {
            for len in [0, 1, 700, 4095, 4096, 4097, 8192, 20_000] {
                let expected = bytes
                    .get(offset..)
                    .map_or(&[][..], |rest| &rest[..len.min(rest.len())]);
                let mut out = vec![0xaa; len];
                assert_eq!(erofs.read(&file, offset as u64, &mut out), Ok(expected.len()));
                assert_eq!(&out[..expected.len()], expected, "{name:?} {offset} {len}");
                assert!(out[expected.len()..].iter().all(|byte| *byte == 0xaa));
                let mut out = vec![0xaa; len];
                assert_eq!(
                    erofs.read_past_cache(&file, offset as u64, &mut out),
                    Ok(expected.len())
                );
                assert_eq!(&out[..expected.len()], expected, "{name:?} {offset} {len}");
            }
            let chunk = erofs.chunk(&file, offset as u64).unwrap();
            let to_block_end = 4096 - offset % 4096;
            let expected = bytes
                .get(offset..)
                .map_or(&[][..], |rest| &rest[..to_block_end.min(rest.len())]);
            assert_eq!(chunk.as_deref().unwrap_or_default(), expected);
        }
        assert_eq!(erofs.read(&file, u64::MAX, &mut [0; 10]), Ok(0));
    }
}

#[test]
fn a_file_of_a_block_or_more_begins_at_a_block() {
    let tree = sample();
    let (image, _) = tree.write(&Options::default());
    for inode in &tree.inodes {
        if let Kind::File(contents) = &inode.kind
            && contents.len() >= 4096
        {
            assert!(image.chunks(4096).any(|block| block == &contents[..4096]));
        }
    }
}

#[test]
fn names_that_are_not_there() {
    let (image, written) = sample().write(&Options::default());
    let erofs = open(&image, &params(&written, b""), 100).unwrap();
    let root = erofs.inode(erofs.root()).unwrap();
    let many = erofs
        .inode(erofs.lookup(&root, b"many").unwrap().unwrap().nid)
        .unwrap();
    for name in [
        &b""[..],
        b"a",
        b"\xff\xff",
        b"\x00",
        b"bi",
        b"bigg",
        b"file with a longish name, number 0990",
    ] {
        assert_eq!(erofs.lookup(&root, name), Ok(None));
        assert_eq!(erofs.lookup(&many, name), Ok(None));
    }
    assert_eq!(erofs.lookup(&many, b"..").unwrap().unwrap().nid, erofs.root());
    assert_eq!(erofs.lookup(&many, b".").unwrap().unwrap().nid, many.nid);
    assert_eq!(erofs.xattr(&many, b"user.absent"), Ok(None));
    assert_eq!(erofs.xattr(&many, b"user.large").unwrap().unwrap().len(), 65_535);
}

#[test]
fn a_kind_does_not_do_what_it_cannot() {
    let (image, written) = sample().write(&Options::default());
    let erofs = open(&image, &params(&written, b""), 100).unwrap();
    let root = erofs.inode(erofs.root()).unwrap();
    let find = |name: &[u8]| {
        erofs
            .inode(erofs.lookup(&root, name).unwrap().unwrap().nid)
            .unwrap()
    };
    let wrong =
        |result: Result<(), rootfs::Error>| assert!(matches!(result, Err(rootfs::Error::WrongKind(_))));
    wrong(erofs.read(&root, 0, &mut [0; 1]).map(drop));
    wrong(erofs.read_past_cache(&find(b"pipe"), 0, &mut [0; 1]).map(drop));
    wrong(erofs.chunk(&find(b"short link"), 0).map(drop));
    wrong(erofs.lookup(&find(b"big"), b"x").map(drop));
    wrong(names(&erofs, &find(b"null"), 1).map(drop));
    wrong(erofs.readlink(&root).map(drop));
}

#[test]
fn cookies_from_anywhere_lead_somewhere() {
    let (image, written) = sample().write(&Options::default());
    let erofs = open(&image, &params(&written, b""), 100).unwrap();
    let root = erofs.inode(erofs.root()).unwrap();
    for cookie in (0..20_000).chain([u64::MAX, u64::MAX - 4096, 1 << 63]) {
        let mut count = 0;
        erofs
            .readdir(&root, cookie, |_| {
                count += 1;
                std::ops::ControlFlow::Continue(())
            })
            .unwrap();
        assert!(count < 400);
    }
}

#[test]
fn trees_that_no_file_system_can_hold_are_refused() {
    let refused = |change: &dyn Fn(&mut Tree)| {
        let mut tree = sample();
        change(&mut tree);
        Layout::new(&tree).err().unwrap()
    };
    let name = |name: &'static [u8]| refused(&|tree| _ = tree.file(0, name, b""));
    for bad in [&b""[..], b".", b"..", b"a/b", b"a\0b", &[b'x'; 256]] {
        assert!(matches!(name(bad), Error::Name { directory: 0, .. }));
    }
    let symlink = |target: Vec<u8>| {
        refused(&|tree| _ = tree.add(0, b"link", Inode::new(Kind::Symlink(target.clone()))))
    };
    for bad in [vec![], vec![b'x'; 4096], b"a\0b".to_vec()] {
        assert!(matches!(symlink(bad), Error::Symlink(_)));
    }
    assert!(matches!(
        refused(&|tree| tree.link(0, b"loop", 0)),
        Error::DirectoryTwice(0)
    ));
    assert!(matches!(
        refused(&|tree| tree.link(0, b"nobody", 100_000)),
        Error::WrongKind(100_000)
    ));
    assert!(matches!(
        refused(&|tree| tree.inodes[0].kind = Kind::Fifo),
        Error::WrongKind(0)
    ));
    assert!(matches!(
        refused(&|tree| tree.inodes[1].mtime.1 = 1_000_000_000),
        Error::Time(1)
    ));
    let device = |major, minor| {
        refused(&|tree| _ = tree.add(0, b"device", Inode::new(Kind::CharDevice(major, minor))))
    };
    assert!(matches!(device(4096, 0), Error::Device(_)));
    assert!(matches!(device(0, 1 << 20), Error::Device(_)));
    let xattr = |name: &'static [u8], len| {
        refused(&|tree| drop(tree.inodes[1].xattrs.insert(name.to_vec(), vec![0; len])))
    };
    assert!(matches!(xattr(b"user.long", 65_536), Error::Xattr(1)));
    let salt = tree_error(&Options {
        salt: &[0; 257],
        extra: b"",
        ..Options::default()
    });
    assert!(matches!(salt, Error::Salt));
}

fn tree_error(options: &Options<'_>) -> Error {
    let tree = sample();
    tree.layout().write(&tree, options, std::io::sink()).unwrap_err()
}

#[test]
fn attributes_of_other_systems_are_left_out_and_told() {
    let mut tree = Tree::empty();
    let id = tree.file(0, b"from a mac", b"");
    tree.inodes[id]
        .xattrs
        .insert(b"com.apple.provenance".to_vec(), vec![1]);
    tree.inodes[id].xattrs.insert(b"user.".to_vec(), vec![2]);
    tree.inodes[id].xattrs.insert(b"user.kept".to_vec(), vec![3]);
    let layout = tree.layout();
    assert_eq!(
        layout.skipped_xattrs(),
        [(id, b"com.apple.provenance".to_vec()), (id, b"user.".to_vec())]
    );
    let (image, written) = tree.write(&Options::default());
    let erofs = open(&image, &params(&written, b""), 8).unwrap();
    let file = erofs.inode(layout.nid(id).unwrap()).unwrap();
    assert_eq!(erofs.xattrs(&file).unwrap().len(), 1);
    assert_eq!(contents(&erofs, &file), Ok(vec![]));
}

fn name() -> impl Strategy<Value = Vec<u8>> {
    let byte = prop_oneof![any::<u8>(), Just(b'.'), Just(b'-'), b'a'..b'e'];
    let len = prop_oneof![8 => 1..12_usize, 1 => 1..256_usize];
    len.prop_flat_map(move |len| vec(byte.clone(), len))
        .prop_filter("Linux does not allow it", |name| {
            !name.iter().any(|byte| matches!(byte, 0 | b'/')) && name != b"." && name != b".."
        })
}

fn leaf() -> impl Strategy<Value = Kind> {
    let len = prop_oneof![0..100_usize, 2000..2100_usize, 4090..4103_usize, 0..20_000_usize];
    prop_oneof![
        6 => (len, any::<u64>()).prop_map(|(len, seed)| Kind::File(noise(len, seed))),
        2 => vec(1..=255_u8, 1..4096).prop_map(Kind::Symlink),
        1 => (0..4096_u32, 0..1_u32 << 20).prop_map(|(major, minor)| Kind::CharDevice(major, minor)),
        1 => (0..4096_u32, 0..1_u32 << 20).prop_map(|(major, minor)| Kind::BlockDevice(major, minor)),
        1 => Just(Kind::Fifo),
        1 => Just(Kind::Socket),
    ]
}

fn xattrs() -> impl Strategy<Value = BTreeMap<Vec<u8>, Vec<u8>>> {
    let name = prop_oneof![
        "(user|trusted|security)\\.[a-z.]{1,20}".prop_map(String::into_bytes),
        Just(b"system.posix_acl_access".to_vec()),
        Just(b"system.posix_acl_default".to_vec()),
    ];
    prop_oneof![3 => Just(BTreeMap::new()), 1 => btree_map(name, vec(any::<u8>(), 0..5000), 0..5)]
}

prop_compose! {
    fn inode(kind: impl Strategy<Value = Kind>)(
        permissions in 0..=0o7777_u16,
        uid in any::<u32>(),
        gid in any::<u32>(),
        mtime in (any::<i64>(), 0..1_000_000_000_u32),
        xattrs in xattrs(),
        kind in kind,
    ) -> Inode {
        Inode { permissions, uid, gid, mtime, xattrs, kind }
    }
}

/// Inodes that are hung up one after the other: the number chooses the directory, or the inode for a hard link.
fn tree() -> impl Strategy<Value = Tree> {
    let kind = prop_oneof![3 => leaf(), 1 => Just(Kind::Directory(BTreeMap::new()))];
    let entry = (
        any::<prop::sample::Index>(),
        name(),
        inode(kind),
        prop::bool::weighted(0.1),
    );
    (inode(Just(Kind::Directory(BTreeMap::new()))), vec(entry, 0..60)).prop_map(|(root, entries)| {
        let mut tree = Tree { inodes: vec![root] };
        for (place, name, inode, hard_link) in entries {
            let is_directory = |id: &usize| matches!(tree.inodes[*id].kind, Kind::Directory(_));
            let (directories, leaves): (Vec<_>, Vec<_>) = (0..tree.inodes.len()).partition(is_directory);
            let directory = directories[place.index(directories.len())];
            let Kind::Directory(names) = &tree.inodes[directory].kind else {
                unreachable!()
            };
            if names.contains_key(&name) {
                continue;
            }
            if hard_link && !leaves.is_empty() {
                tree.link(directory, &name, leaves[place.index(leaves.len())]);
            } else {
                tree.add(directory, &name, inode);
            }
        }
        tree
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn any_tree(tree in tree(), salt in vec(any::<u8>(), 0..=256), extra in vec(any::<u8>(), 0..5000)) {
        assert_reads_back(&tree, &Options { salt: &salt, extra: &extra, ..Options::default() }, 16);
    }
}
