//! What happens when there is more than fits, and when the image cannot be read.

mod common;

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use common::{Container, Tree, read_all};
use kobject::{Errno, Result};
use libos_fs::Image;
use rootfs::{Chunk, DirEntry, Entry, Inode, Nid, Xattr};

/// More names than are remembered.
const MANY: usize = 12_000;

fn many() -> Tree {
    let mut tree = Tree::new();
    tree.directory("/tmp");
    for part in 0..MANY / 100 {
        tree.directory(&format!("/d{part}"));
        for n in 0..100 {
            tree.file(&format!("/d{part}/f{n}"), format!("{part} {n}").as_bytes());
        }
    }
    tree
}

#[test]
fn names_are_forgotten_but_changes_are_not() {
    let container = Container::new(&many());
    let open = container.open("/d0/f7", 0, 0).unwrap();
    let before = container.stat("/d0/f8").unwrap();
    container.write("/d0/f9", b"changed").unwrap();
    container.unlink("/d0/f10").unwrap();
    container.rename("/d1/f11", "/d0/f11").unwrap();
    container.rename("/d2", "/tmp/d2").unwrap();
    // Twice, so that the hand of the clock passes everything.
    for _ in 0..2 {
        for part in (0..MANY / 100).filter(|part| *part != 2) {
            for n in 12..100 {
                let path = format!("/d{part}/f{n}");
                assert_eq!(container.read(&path).unwrap(), format!("{part} {n}").as_bytes());
                assert_eq!(
                    container.stat(&format!("/d{part}/none{n}")).map(drop),
                    Err(Errno::ENOENT)
                );
            }
        }
    }
    assert_eq!(read_all(&open).unwrap(), b"0 7");
    assert_eq!(container.stat("/d0/f8").unwrap(), before);
    assert_eq!(container.read("/d0/f9").unwrap(), b"changed");
    assert_eq!(container.read("/d0/f10"), Err(Errno::ENOENT));
    assert_eq!(container.read("/d0/f11").unwrap(), b"1 11");
    assert_eq!(container.read("/d1/f11"), Err(Errno::ENOENT));
    assert_eq!(container.read("/tmp/d2/f50").unwrap(), b"2 50");
    assert_eq!(container.list("/d0").unwrap().len(), 99);
}

/// An image of which only so many reads succeed.
struct Failing {
    image: Arc<dyn Image>,
    left: Arc<AtomicI64>,
}

impl Failing {
    fn read(&self) -> Result<&Arc<dyn Image>> {
        match self.left.fetch_sub(1, Ordering::Relaxed) > 0 {
            true => Ok(&self.image),
            false => Err(Errno::EIO),
        }
    }
}

impl Image for Failing {
    fn root(&self) -> Nid {
        self.image.root()
    }

    fn blocks(&self) -> u64 {
        self.image.blocks()
    }

    fn inode(&self, nid: Nid) -> Result<Inode> {
        self.read()?.inode(nid)
    }

    fn lookup(&self, directory: &Inode, name: &[u8]) -> Result<Option<Entry>> {
        self.read()?.lookup(directory, name)
    }

    fn list(
        &self,
        directory: &Inode,
        cookie: u64,
        visit: &mut dyn FnMut(DirEntry<'_>) -> std::ops::ControlFlow<()>,
    ) -> Result<u64> {
        self.read()?.list(directory, cookie, visit)
    }

    fn chunk(&self, file: &Inode, offset: u64) -> Result<Option<Chunk>> {
        self.read()?.chunk(file, offset)
    }

    fn cached_chunk(&self, file: &Inode, offset: u64) -> Result<Option<Chunk>> {
        self.image.cached_chunk(file, offset)
    }

    fn read(&self, file: &Inode, offset: u64, out: &mut [u8]) -> Result<usize> {
        Failing::read(self)?.read(file, offset, out)
    }

    fn readlink(&self, link: &Inode) -> Result<Vec<u8>> {
        Failing::read(self)?.readlink(link)
    }

    fn xattrs(&self, inode: &Inode) -> Result<Vec<Xattr>> {
        Failing::read(self)?.xattrs(inode)
    }
}

#[test]
fn what_cannot_be_read_is_an_error_and_never_wrong() {
    let mut tree = Tree::new();
    tree.directory("/a");
    tree.directory("/a/b");
    let contents: Vec<u8> = (0..20_000u32).map(|n| n as u8).collect();
    tree.file("/a/b/f", &contents);
    tree.symlink("/a/l", "b/f");
    let image = tree.image();
    for reads in 0..60 {
        let left = Arc::new(AtomicI64::new(1000));
        let failing = Failing {
            image: image.clone(),
            left: left.clone(),
        };
        let container = Container::with(Some(Arc::new(failing)), 1 << 20);
        left.store(reads, Ordering::Relaxed);
        let eio = |result: Result<()>| match result {
            Ok(()) | Err(Errno::EIO) => {}
            Err(error) => panic!("{reads} reads: {error}"),
        };
        eio(container
            .read("/a/l")
            .map(|read| assert_eq!(read, contents[..read.len()])));
        eio(container.list("/a/b").map(|names| assert_eq!(names, ["f"])));
        let changed = container.open("/a/b/f", libc::O_RDWR, 0).and_then(|file| {
            file.write_at(5000, &mut kobject::KernelSource(b"changed"))?;
            Ok(())
        });
        eio(changed.and_then(|()| container.rename("/a/b/f", "/a/g")));
        // With all readable again, nothing is lost: the file is whole, changed or not, and has one name.
        left.store(1000, Ordering::Relaxed);
        let mut whole = contents.clone();
        if changed.is_ok() {
            whole[5000..5007].copy_from_slice(b"changed");
        }
        let names = [container.read("/a/b/f"), container.read("/a/g")];
        let found: Vec<_> = names.into_iter().flatten().collect();
        assert_eq!(found, [whole]);
        eio(container.unlink("/a/l"));
        let expected = match container.list("/a/b").unwrap().is_empty() {
            true => Ok(()),
            false => Err(Errno::ENOTEMPTY),
        };
        assert_eq!(container.rmdir("/a/b"), expected);
    }
}

#[test]
fn an_image_of_nothing_works() {
    let container = Container::with(None, 1 << 20);
    assert_eq!(container.list("/").unwrap(), ["dev", "proc", "sys"]);
    container.write("/file", b"contents").unwrap();
    assert_eq!(container.read("/file").unwrap(), b"contents");
}
