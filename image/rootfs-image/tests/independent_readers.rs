//! Linux's own tools accept what we write, and we read what they write. Debian: erofs-utils, cryptsetup-bin.

mod common;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::path::Path;
use std::process::Command;

use common::{CacheLock, Image, Kind, Seen, Tree, Unverified, sample, walk};
use rootfs::BLOCK_SIZE;
use rootfs_image::{Options, Written};
use tempfile::NamedTempFile;

/// Runs a tool and returns what it prints; `None`, loudly, if it is not installed.
fn run(tool: &str, package: &str, args: &[&str]) -> Option<String> {
    let output = match Command::new(tool)
        .args(args)
        .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
        .output()
    {
        Ok(output) => output,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            eprintln!("SKIPPED, NOT TESTED: {tool} is not installed (Debian package {package})");
            return None;
        }
        Err(error) => panic!("{tool}: {error}"),
    };
    let text = format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    assert!(output.status.success(), "{tool} {args:?}: {text}");
    Some(text)
}

fn image_file(tree: &Tree, options: &Options<'_>) -> (NamedTempFile, Written) {
    let file = NamedTempFile::new().unwrap();
    let written = tree.layout().write(tree, options, file.as_file()).unwrap();
    (file, written)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn veritysetup_verify(image: &Path, written: &Written) -> Option<String> {
    let (path, root) = (image.to_str().unwrap(), hex(&written.root_hash));
    let offset = format!("--hash-offset={}", written.hash_offset);
    run(
        "veritysetup",
        "cryptsetup-bin",
        &["verify", path, path, &root, &offset],
    )
}

#[test]
fn veritysetup_verifies() {
    for tree in [Tree::empty(), sample()] {
        for salt in [&b""[..], &[0x5a; 32], &[0xa5; 256]] {
            let (file, written) = image_file(
                &tree,
                &Options {
                    salt,
                    extra: &[1; 5000],
                    ..Options::default()
                },
            );
            veritysetup_verify(file.path(), &written);
        }
    }
    // A second level of the tree begins with block 129, a third with block 16,385.
    let mut large = Tree::empty();
    let contents: Vec<u8> = (0..16_500_u32)
        .flat_map(|block| block.to_le_bytes().repeat(BLOCK_SIZE / 4))
        .collect();
    large.file(0, b"large", &contents);
    let (file, written) = image_file(&large, &Options::default());
    veritysetup_verify(file.path(), &written);
}

#[test]
fn veritysetup_format_makes_the_same_tree() {
    let (file, written) = image_file(
        &sample(),
        &Options {
            salt: &[3; 32],
            extra: b"",
            ..Options::default()
        },
    );
    let image = fs::read(file.path()).unwrap();
    let (data, tree) = image.split_at(written.hash_offset as usize);
    let theirs = NamedTempFile::new().unwrap();
    fs::write(theirs.path(), data).unwrap();
    let path = theirs.path().to_str().unwrap();
    let (offset, salt) = (
        format!("--hash-offset={}", data.len()),
        format!("--salt={}", hex(&[3; 32])),
    );
    let uuid = hex(&image[1024 + 48..1024 + 64]);
    let (a, b, c, d, e) = (
        &uuid[..8],
        &uuid[8..12],
        &uuid[12..16],
        &uuid[16..20],
        &uuid[20..],
    );
    let uuid = format!("--uuid={a}-{b}-{c}-{d}-{e}");
    let blocks = format!("--data-blocks={}", written.data_blocks);
    let Some(text) = run(
        "veritysetup",
        "cryptsetup-bin",
        &["format", path, path, &offset, &salt, &uuid, &blocks],
    ) else {
        return;
    };
    assert!(text.contains(&hex(&written.root_hash)), "{text}");
    assert!(fs::read(theirs.path()).unwrap()[data.len()..] == *tree);
}

#[test]
fn fsck_accepts_and_extracts_the_same_tree() {
    let tree = sample();
    let (file, _) = image_file(
        &tree,
        &Options {
            salt: b"",
            extra: &[0xff; 12_345],
            ..Options::default()
        },
    );
    let path = file.path().to_str().unwrap();
    let Some(text) = run("fsck.erofs", "erofs-utils", &["-d3", path]) else {
        return;
    };
    assert!(text.contains("No errors found"), "{text}");
    let superblock = run("dump.erofs", "erofs-utils", &["-s", path]).unwrap();
    let inodes = format!(
        "Filesystem inode count:                       {}",
        tree.layout().inodes()
    );
    assert!(superblock.contains(&inodes), "{superblock}");

    let inode = run("dump.erofs", "erofs-utils", &["--path=/attributes", path]).unwrap();
    for part in ["Links: 2", "Uid: 100000", "Access: 0711"] {
        assert!(inode.contains(part), "{inode}");
    }

    let directory = tempfile::tempdir().unwrap();
    let target = directory.path().join("tree");
    run(
        "fsck.erofs",
        "erofs-utils",
        &[&format!("--extract={}", target.display()), path],
    );
    let mut found = BTreeMap::new();
    see_directory(&target, &target, &mut found);
    let mut expected = tree.walk();
    // Only root may extract owners and modes.
    let is_root = fs::metadata(directory.path()).unwrap().uid() == 0;
    for seen in found.values_mut().chain(expected.values_mut()) {
        forget_what_extraction_loses(seen, is_root);
    }
    assert!(found.keys().eq(expected.keys()));
    for (path, seen) in &found {
        assert_eq!(seen, &expected[path], "{}", path.escape_ascii());
    }
}

/// erofs-utils 1.5 extracts neither hard links as such nor extended attributes; it sets the owner after the mode, which
/// clears setuid; and nobody changes a link's mode.
fn forget_what_extraction_loses(seen: &mut Seen, is_root: bool) {
    seen.inode = 0;
    seen.nlink = 0;
    seen.xattrs.clear();
    seen.permissions &= 0o1777;
    if !is_root {
        (seen.uid, seen.gid) = (0, 0);
        seen.permissions = 0;
    }
    if matches!(seen.kind, Kind::Symlink(_)) {
        seen.permissions = 0o777;
    }
}

fn see_directory(root: &Path, path: &Path, found: &mut BTreeMap<Vec<u8>, Seen>) {
    let metadata = fs::symlink_metadata(path).unwrap();
    let (major, minor) = (major(metadata.rdev()), minor(metadata.rdev()));
    let kind = metadata.file_type();
    let kind = if kind.is_dir() {
        for entry in fs::read_dir(path).unwrap() {
            see_directory(root, &entry.unwrap().path(), found);
        }
        Kind::Directory(BTreeMap::new())
    } else if kind.is_symlink() {
        Kind::Symlink(fs::read_link(path).unwrap().into_os_string().into_vec())
    } else if kind.is_char_device() {
        Kind::CharDevice(major, minor)
    } else if kind.is_block_device() {
        Kind::BlockDevice(major, minor)
    } else if kind.is_fifo() {
        Kind::Fifo
    } else if kind.is_socket() {
        Kind::Socket
    } else {
        Kind::File(fs::read(path).unwrap())
    };
    let seen = Seen {
        inode: 0,
        permissions: (metadata.mode() & 0o7777) as u16,
        uid: metadata.uid(),
        gid: metadata.gid(),
        mtime: (metadata.mtime(), metadata.mtime_nsec() as u32),
        xattrs: BTreeMap::new(),
        kind,
        nlink: 0,
    };
    found.insert(
        path.as_os_str().as_bytes()[root.as_os_str().len()..].to_vec(),
        seen,
    );
}

fn major(device: u64) -> u32 {
    ((device >> 8) & 0xfff) as u32
}

fn minor(device: u64) -> u32 {
    ((device & 0xff) | ((device >> 12) & 0xf_ff00)) as u32
}

#[test]
fn we_read_what_mkfs_writes() {
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path().join("tree");
    let many = root.join("many");
    fs::create_dir_all(&many).unwrap();
    for i in 0..500 {
        let name = OsString::from_vec([b"file \xff ", i.to_string().as_bytes()].concat());
        fs::write(many.join(&name), common::noise(i * 25, i as u64)).unwrap();
    }
    fs::write(root.join("big"), common::noise(1_000_003, 1)).unwrap();
    fs::set_permissions(root.join("big"), fs::Permissions::from_mode(0o4711)).unwrap();
    fs::hard_link(root.join("big"), many.join("big too")).unwrap();
    std::os::unix::fs::symlink("many/../big", root.join("link")).unwrap();

    let image = directory.path().join("image");
    let (image_name, root_name) = (image.to_str().unwrap(), root.to_str().unwrap());
    let args = ["-Eforce-inode-extended", "-x-1", image_name, root_name];
    if run("mkfs.erofs", "erofs-utils", &args).is_none() {
        return;
    }
    let bytes = fs::read(&image).unwrap();
    let erofs = rootfs::Erofs::<_, CacheLock>::open(Unverified(Image(&bytes)), 16).unwrap();
    let mut found = walk(&erofs).unwrap();
    let mut expected = BTreeMap::new();
    see_directory(&root, &root, &mut expected);
    assert_eq!(found[&b"/big"[..]].nlink, 2);
    found
        .values_mut()
        .for_each(|seen| (seen.inode, seen.nlink) = (0, 0));
    assert!(found == expected);
}
