//! The oracle: what GNU tar extracts, with whiteouts done by hand, is what our tree holds.

mod support;

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileExt, FileTypeExt, MetadataExt, PermissionsExt, symlink};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, SystemTime};

use oci_image::{Digest, InodeId, Kind, Tree};
use support::*;

/// Everything that can be compared of a file; hard links by the first of their names.
type Description = BTreeMap<Vec<u8>, String>;

fn describe_dir(root: &Path) -> Description {
    let mut description = Description::new();
    let mut first_names = BTreeMap::new();
    let mut pending = vec![root.to_owned()];
    let mut all = Vec::new();
    while let Some(path) = pending.pop() {
        let metadata = fs::symlink_metadata(&path).unwrap();
        if metadata.is_dir() {
            pending.extend(fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
        }
        all.push((
            path.strip_prefix(root).unwrap().as_os_str().as_bytes().to_vec(),
            path,
            metadata,
        ));
    }
    all.sort_by(|a, b| a.0.cmp(&b.0));
    for (name, path, metadata) in all {
        let kind = match metadata.file_type() {
            kind if kind.is_dir() => "directory".to_owned(),
            kind if kind.is_symlink() => {
                format!("-> {:?}", fs::read_link(&path).unwrap().as_os_str().as_bytes())
            }
            kind if kind.is_fifo() => "fifo".to_owned(),
            kind if kind.is_char_device() => {
                let (major, minor) = (
                    rustix::fs::major(metadata.rdev()),
                    rustix::fs::minor(metadata.rdev()),
                );
                format!("device {major} {minor}")
            }
            _ => format!(
                "{} bytes, {}",
                metadata.len(),
                Digest::of(&fs::read(&path).unwrap())
            ),
        };
        let first = first_names
            .entry(metadata.ino())
            .or_insert_with(|| name.clone())
            .clone();
        let nlink = if metadata.is_dir() { 0 } else { metadata.nlink() };
        let mut value = [0; 100];
        let xattr = rustix::fs::lgetxattr(&path, "user.test", &mut value).map(|len| value[..len].to_vec());
        description.insert(
            name,
            line(
                &kind,
                metadata.mode(),
                metadata.uid(),
                metadata.gid(),
                metadata.mtime(),
                metadata.mtime_nsec() as u32,
            ) + &format!(" {xattr:?} {nlink} {}", first.escape_ascii()).replace(
                "Err(Os { code: 61, kind: Uncategorized, message: \"No data available\" })",
                "none",
            ),
        );
    }
    description
}

fn describe_tree(tree: &Tree) -> Description {
    let mut paths = Vec::new();
    let mut pending = vec![(Vec::new(), InodeId::ROOT)];
    while let Some((path, id)) = pending.pop() {
        if let Kind::Directory(entries) = &tree.inode(id).kind {
            for (name, &child) in entries {
                let path = if path.is_empty() {
                    name.clone()
                } else {
                    [&path[..], b"/", name].concat()
                };
                pending.push((path, child));
            }
        }
        paths.push((path, id));
    }
    paths.sort();
    let mut first_names = BTreeMap::new();
    let describe = |(path, id): (Vec<u8>, InodeId)| {
        let inode = tree.inode(id);
        let (kind, nlink) = match &inode.kind {
            Kind::Directory(_) => ("directory".to_owned(), 0),
            Kind::Symlink(target) => (format!("-> {target:?}"), inode.nlink),
            Kind::Fifo => ("fifo".to_owned(), inode.nlink),
            Kind::CharDevice { major, minor } => (format!("device {major} {minor}"), inode.nlink),
            Kind::BlockDevice { .. } => ("block device".to_owned(), inode.nlink),
            Kind::File(file) => (
                format!("{} bytes, {}", file.len(), Digest::of(&content(tree, id))),
                inode.nlink,
            ),
        };
        // As Linux shows it.
        let mode = if matches!(inode.kind, Kind::Symlink(_)) {
            0o777
        } else {
            inode.mode
        };
        let first = first_names.entry(id).or_insert_with(|| path.clone()).clone();
        let xattr = match inode.xattrs.get(&b"user.test"[..]) {
            Some(value) => format!("{:?}", Ok::<_, ()>(value)),
            None => "none".to_owned(),
        };
        let text = line(
            &kind,
            mode,
            inode.uid,
            inode.gid,
            inode.mtime.seconds,
            inode.mtime.nanoseconds,
        ) + &format!(" {xattr} {nlink} {}", first.escape_ascii());
        (path, text)
    };
    paths.into_iter().map(describe).collect()
}

fn line(kind: &str, mode: u32, uid: u32, gid: u32, seconds: i64, nanoseconds: u32) -> String {
    format!(
        "{kind}, {:o} {uid}:{gid} {seconds}.{nanoseconds:09}",
        mode & 0o7777
    )
}

fn write(root: &Path, path: &str, content: &[u8]) {
    let path = root.join(path);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, content).unwrap();
}

/// Gives each file another time, deepest first, so that directories keep theirs.
fn set_times(path: &Path, step: &mut u32) {
    let metadata = fs::symlink_metadata(path).unwrap();
    if metadata.is_dir() {
        for entry in fs::read_dir(path).unwrap() {
            set_times(&entry.unwrap().path(), step);
        }
    }
    if metadata.is_file() || metadata.is_dir() {
        *step += 1;
        let time = SystemTime::UNIX_EPOCH + Duration::new(1_600_000_000 + u64::from(*step), *step * 1000 + 7);
        File::open(path).unwrap().set_modified(time).unwrap();
    }
}

fn make_sources(lower: &Path, upper: &Path) {
    write(lower, "etc/passwd", b"root");
    write(lower, "etc/deep/er/file", b"x");
    write(lower, "bin/busybox", &vec![7; 100_000]);
    fs::hard_link(lower.join("bin/busybox"), lower.join("bin/sh")).unwrap();
    fs::hard_link(lower.join("bin/busybox"), lower.join("etc/link")).unwrap();
    symlink("../etc", lower.join("bin/etc")).unwrap();
    symlink("t".repeat(150), lower.join("long-target")).unwrap();
    write(
        lower,
        &format!("{}/{}", "d".repeat(120), "n".repeat(255)),
        b"long names",
    );
    write(lower, "odd \\ \n\u{fe} name", b"");
    write(lower, "becomes-dir", b"");
    write(lower, "becomes-file/x", b"");
    write(lower, "opaque/old", b"");
    write(lower, "opaque/sub/old", b"");
    write(lower, "gone-dir/x/y", b"");
    fs::set_permissions(lower.join("etc/passwd"), fs::Permissions::from_mode(0o4711)).unwrap();
    fs::create_dir(lower.join("tmp")).unwrap();
    fs::set_permissions(lower.join("tmp"), fs::Permissions::from_mode(0o1777)).unwrap();
    rustix::fs::mknodat(
        rustix::fs::CWD,
        lower.join("pipe"),
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::from_raw_mode(0o640),
        0,
    )
    .unwrap();
    if is_root() {
        let device = rustix::fs::makedev(1, 3);
        let (kind, mode) = (
            rustix::fs::FileType::CharacterDevice,
            rustix::fs::Mode::from_raw_mode(0o666),
        );
        rustix::fs::mknodat(rustix::fs::CWD, lower.join("null"), kind, mode, device).unwrap();
        std::os::unix::fs::lchown(lower.join("bin/etc"), Some(12), Some(345_678)).unwrap();
        std::os::unix::fs::chown(lower.join("tmp"), Some(3_000_000), Some(9)).unwrap();
    }
    let sparse = File::create(lower.join("sparse")).unwrap();
    for (position, byte) in [(0u64, 1), (1 << 17, 2), (3 << 17, 3)] {
        sparse.write_all_at(&[byte; 3000], position).unwrap();
    }
    sparse.set_len(600_001).unwrap();
    let many = File::create(lower.join("sparse-many")).unwrap();
    for part in 0..40u64 {
        many.write_all_at(b"data", part * 8192).unwrap();
    }
    let all_hole = File::create(lower.join("hole")).unwrap();
    all_hole.set_len(1 << 17).unwrap();

    write(upper, "etc/passwd", b"changed");
    write(upper, "etc/.wh.deep", b"");
    write(upper, "bin/.wh.sh", b"");
    write(upper, "bin/new", b"n");
    write(upper, "becomes-dir/x", b"");
    write(upper, "becomes-file", b"now a file");
    write(upper, "opaque/.wh..wh..opq", b"");
    write(upper, "opaque/new", b"");
    write(upper, ".wh.gone-dir", b"");
    for source in [lower, upper] {
        set_times(source, &mut 0);
    }
}

/// The whiteouts and replacements of `upper`, by hand.
const HIDDEN: [&str; 7] = [
    "etc/deep",
    "bin/sh",
    "becomes-dir",
    "becomes-file",
    "opaque/old",
    "opaque/sub",
    "gone-dir",
];

#[test]
fn layers_agree_with_gnu_tar() {
    let scratch = Scratch::new();
    let (lower, upper) = (scratch.path("lower"), scratch.path("upper"));
    make_sources(&lower, &upper);
    let xattr = rustix::fs::lsetxattr(
        lower.join("etc/passwd"),
        "user.test",
        b"a=\n\xff",
        rustix::fs::XattrFlags::empty(),
    );
    if xattr.is_err() {
        eprintln!(
            "SKIPPED in part: {} holds no extended attributes",
            scratch.0.path().display()
        );
    }
    for (number, options) in [
        &["--format=gnu"][..],
        &["--format=gnu", "--sparse"],
        &["--format=posix", "--xattrs"],
        &["--format=posix", "--xattrs", "--sparse", "--sparse-version=0.0"],
        &["--format=posix", "--xattrs", "--sparse", "--sparse-version=0.1"],
        &["--format=posix", "--xattrs", "--sparse", "--sparse-version=1.0"],
    ]
    .into_iter()
    .enumerate()
    {
        let archive = |source: &Path, name: &str| {
            let path = scratch.path(&format!("{name}{number}.tar"));
            let mut tar = Command::new("tar");
            tar.args(options)
                .arg("-cf")
                .arg(&path)
                .arg("-C")
                .arg(source)
                .arg(".");
            tool_ok(&mut tar).map(|_| path)
        };
        let Some(lower_tar) = archive(&lower, "lower") else {
            return;
        };
        let upper_tar = archive(&upper, "upper").unwrap();

        let expected = scratch.path(&format!("expected{number}"));
        fs::create_dir(&expected).unwrap();
        let extract = |archive: &Path| {
            let mut tar = Command::new("tar");
            tar.args(["--xattrs", "--exclude=.wh.*", "-xpf"])
                .arg(archive)
                .arg("-C")
                .arg(&expected);
            tool_ok(&mut tar).unwrap();
        };
        extract(&lower_tar);
        let of_lower = describe_dir(&expected);
        for hidden in HIDDEN {
            let path = expected.join(hidden);
            if path.is_dir() {
                fs::remove_dir_all(path).unwrap()
            } else {
                fs::remove_file(path).unwrap()
            }
        }
        extract(&upper_tar);

        let read = |path: &Path| {
            let mut bytes = Vec::new();
            File::open(path).unwrap().read_to_end(&mut bytes).unwrap();
            bytes
        };
        let layers = [read(&lower_tar), read(&upper_tar)];
        compare(options, &describe_tree(&tree(&layers[..1])), &of_lower);
        compare(options, &describe_tree(&tree(&layers)), &describe_dir(&expected));
    }
}

fn compare(options: &[&str], found: &Description, expected: &Description) {
    for (path, line) in expected {
        let ours = found.get(path);
        assert_eq!(ours, Some(line), "{options:?}: {}", path.escape_ascii());
    }
    assert_eq!(found.len(), expected.len());
}

/// Devices and owners need root; without it they are left out.
fn is_root() -> bool {
    let is_root = fs::metadata("/proc/self").is_ok_and(|own| own.uid() == 0);
    if !is_root {
        eprintln!("SKIPPED in part: only root can make devices and change owners");
    }
    is_root
}
