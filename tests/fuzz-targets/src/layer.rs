//! Layers: a tar archive can do anything except leave its tree.
//!
//! The input becomes the only layer of an image whose digests are right, and whose headers' checksums are made right, so that
//! what is read behind them is reached.

use std::path::Path;

use oci_image::{ImageRef, ImageSource, Kind, Limits, Tree};

use crate::oci_image::{image_of, scratch};

const BLOCK: usize = 512;

pub(crate) fn run(input: &[u8]) {
    let mut layer = input.to_vec();
    mend_checksums(&mut layer);
    let dir = scratch();
    let path = dir.path().join("image.tar");
    std::fs::write(&path, image_of(&layer)).expect("room for an image");
    let place: ImageRef = format!("docker-archive:{}", path.display())
        .parse()
        .expect("a place");
    let image = ImageSource::open(&place).expect("an image around the layer");
    build(&image, dir.path());
}

/// Applies all layers; what comes of it is a tree, or an error of one line.
pub(crate) fn build(image: &ImageSource, spool: &Path) {
    match Tree::build(image, spool, &LIMITS, &mut |_| {}) {
        Ok(tree) => check(&tree),
        Err(error) => assert!(!error.to_string().contains('\n'), "{error}"),
    }
}

const LIMITS: Limits = Limits {
    entries: 500,
    depth: 40,
    metadata_len: 1 << 20,
    xattrs_len: 16 << 10,
    content_len: 4 << 20,
};

fn check(tree: &Tree) {
    for inode in tree.inodes() {
        match &inode.kind {
            Kind::Directory(names) => {
                for (name, id) in names {
                    assert!((1..=255).contains(&name.len()) && !name.contains(&0) && !name.contains(&b'/'));
                    assert!(name != b"." && name != b".." && id.index() < tree.inodes().len());
                }
            }
            Kind::File(content) => {
                assert!(content.len() <= LIMITS.content_len);
                let mut buffer = [0; 100];
                tree.read_at(content, content.len() / 2, &mut buffer)
                    .expect("its content");
                tree.read_at(content, u64::MAX, &mut buffer).expect("nothing");
            }
            Kind::Symlink(target) => assert!((1..=4095).contains(&target.len()) && !target.contains(&0)),
            _ => {}
        }
    }
    tree.lookup(b"/../a//./b");
    let _ = tree.follow(b"/../a//./b/../c");
}

/// Goes from header to header, as their sizes say, and makes each checksum right.
fn mend_checksums(layer: &mut [u8]) {
    let mut at = 0;
    while let Some(header) = layer.get_mut(at..at + BLOCK) {
        header[148..156].fill(b' ');
        let sum: u32 = header.iter().map(|&byte| u32::from(byte)).sum();
        let digits = format!("{sum:06o}\0 ");
        if sum > u32::from(b' ') * 8 {
            header[148..156].copy_from_slice(digits.as_bytes());
        } else {
            // A block of zeros is the end.
            header[148..156].fill(0);
        }
        let size = std::str::from_utf8(&header[124..135]).unwrap_or_default();
        let size = usize::from_str_radix(size.trim_matches(['\0', ' ']), 8).unwrap_or(0);
        at += BLOCK + size.next_multiple_of(BLOCK);
    }
}

/// A layer with one of everything.
pub(crate) fn sample() -> Vec<u8> {
    let mut tar = tar::Builder::new(Vec::new());
    let mut add = |kind: tar::EntryType, path: &str, target: &str, bytes: &[u8]| {
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(kind);
        header.set_mode(0o755);
        header.set_size(bytes.len() as u64);
        header.set_uid(1);
        header.set_gid(1);
        header.set_mtime(7);
        header.set_device_major(1).expect("a device");
        header.set_device_minor(3).expect("a device");
        if target.is_empty() {
            tar.append_data(&mut header, path, bytes).expect("memory");
        } else {
            tar.append_link(&mut header, path, target).expect("memory");
        }
    };
    use tar::EntryType as Type;
    add(Type::Directory, "d/", "", b"");
    add(
        Type::XHeader,
        "pax",
        "",
        b"30 SCHILY.xattr.user.a=12345\n\n20 mtime=1234.5678\n",
    );
    add(Type::Regular, "d/a", "", &[b'a'; 600]);
    add(Type::Link, "d/b", "d/a", b"");
    add(Type::Symlink, "s", "d", b"");
    add(Type::Regular, "s/through-a-link", "", b"x");
    add(Type::Char, "null", "", b"");
    add(Type::Fifo, "pipe", "", b"");
    add(Type::Regular, "d/.wh.b", "", b"");
    add(Type::Regular, &"long/".repeat(50), "", b"");
    add(Type::XGlobalHeader, "pax_global", "", b"11 path=zz\n");
    tar.into_inner().expect("memory")
}

pub(crate) fn seeds() -> Vec<Vec<u8>> {
    // The sparse format of GNU tar: the map behind the name, real size 8192.
    let mut sparse = vec![0; 1024 + 512];
    sparse[..6].copy_from_slice(b"sparse");
    sparse[100..107].copy_from_slice(b"0000644");
    sparse[124..135].copy_from_slice(b"00000001000");
    sparse[156] = b'S';
    sparse[257..265].copy_from_slice(b"ustar  \0");
    sparse[386..397].copy_from_slice(b"00000010000");
    sparse[398..409].copy_from_slice(b"00000001000");
    sparse[483..494].copy_from_slice(b"00000020000");
    vec![sample(), sparse]
}
