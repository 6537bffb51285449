//! The root file system, with a hash tree that vouches for arbitrary contents: the tool that wrote it may have been fooled.
//!
//! The input is an image, of which everything is looked at within bounds. Its blocks are believed: a wrong digest would stop
//! the fuzzer before the reader.

use std::collections::BTreeMap;
use std::io;
use std::ops::ControlFlow;
use std::sync::Mutex;

use rootfs::{BLOCK_SIZE, Block, CacheSet, Erofs, Error, Inode, Kind, Lock, Timestamp, VerifiedBlocks};
use rootfs_image::{Layout, Options, Source};

/// Inodes that are looked at.
const INODES: usize = 200;
/// Names of a directory that are looked at.
const NAMES: usize = 300;

struct Believed<'a>(&'a [u8]);

impl VerifiedBlocks for Believed<'_> {
    fn read_block(&self, index: u64, out: &mut Block) -> Result<(), Error> {
        let start = usize::try_from(index)
            .ok()
            .and_then(|index| index.checked_mul(BLOCK_SIZE));
        let block = start.and_then(|start| self.0.get(start..start + BLOCK_SIZE));
        out.copy_from_slice(block.ok_or(Error::Source { block: index })?);
        Ok(())
    }

    fn blocks(&self) -> u64 {
        (self.0.len() / BLOCK_SIZE) as u64
    }
}

struct Locked<T>(Mutex<T>);

impl<T> Lock<T> for Locked<T> {
    fn new(value: T) -> Self {
        Self(Mutex::new(value))
    }

    fn with<R>(&self, f: impl FnOnce(&mut T) -> R) -> R {
        f(&mut self.0.lock().expect("no panic"))
    }
}

type Reader<'a> = Erofs<Believed<'a>, Locked<CacheSet>>;

pub(crate) fn run(input: &[u8]) {
    // A fuzzer writes no whole blocks.
    let mut image = input.to_vec();
    image.resize(input.len().next_multiple_of(BLOCK_SIZE), 0);
    let Ok(erofs) = Reader::open(Believed(&image), 16) else {
        return;
    };
    let mut todo = vec![erofs.root()];
    let mut seen = 0;
    while let Some(nid) = todo.pop() {
        seen += 1;
        if seen > INODES {
            return;
        }
        let Ok(inode) = erofs.inode(nid) else { continue };
        look_at(&erofs, &inode);
        let mut names = Vec::new();
        let _ = erofs.readdir(&inode, 0, |entry| {
            names.push((entry.name.to_vec(), entry.entry));
            if names.len() < NAMES {
                ControlFlow::Continue(())
            } else {
                ControlFlow::Break(())
            }
        });
        for (name, entry) in names {
            assert!((1..=255).contains(&name.len()) && !name.contains(&0) && !name.contains(&b'/'));
            // In a directory that is not in order, a name may be missed.
            let _ = erofs.lookup(&inode, &name);
            todo.push(entry.nid);
        }
        let _ = erofs.readdir(&inode, u64::MAX, |_| ControlFlow::Continue(()));
        let _ = erofs.readdir(&inode, 5, |_| ControlFlow::Break(()));
    }
}

fn look_at(erofs: &Reader<'_>, inode: &Inode) {
    assert!(inode.mtime.nanos < 1_000_000_000 && inode.permissions <= 0o7777);
    if let Ok(xattrs) = erofs.xattrs(inode) {
        for xattr in xattrs.iter().take(20) {
            let found = erofs.xattr(inode, &xattr.name);
            assert!(matches!(found, Ok(Some(_))), "{found:?}");
        }
    }
    if let Ok(target) = erofs.readlink(inode) {
        assert!(target.len() <= 4095);
    }
    let mut out = [0; 3000];
    for offset in [
        0,
        1,
        4095,
        4096,
        inode.size.saturating_sub(1),
        inode.size,
        u64::MAX,
    ] {
        let reads = [
            erofs.read(inode, offset, &mut out),
            erofs.read_past_cache(inode, offset, &mut out),
        ];
        for count in reads.into_iter().flatten() {
            assert!(count as u64 <= inode.size.saturating_sub(offset) && count <= out.len());
        }
        if let Ok(Some(chunk)) = erofs.chunk(inode, offset) {
            assert!(!chunk.is_empty() && chunk.len() <= BLOCK_SIZE);
        }
    }
}

/// One of everything: id, names of a directory or contents, attributes.
struct Sample {
    names: BTreeMap<Vec<u8>, usize>,
    files: Vec<Vec<u8>>,
    target: Vec<u8>,
}

impl Source for Sample {
    fn root(&self) -> usize {
        0
    }

    fn inodes(&self) -> usize {
        3 + self.files.len()
    }

    fn inode(&self, id: usize) -> rootfs_image::Inode<'_> {
        let kind = match id {
            0 => rootfs_image::Kind::Directory,
            1 => rootfs_image::Kind::Symlink(&self.target),
            2 => rootfs_image::Kind::Fifo,
            _ => rootfs_image::Kind::File {
                len: self.files[id - 3].len() as u64,
            },
        };
        rootfs_image::Inode {
            permissions: 0o755,
            uid: 1,
            gid: 2,
            mtime: Timestamp { seconds: 3, nanos: 4 },
            kind,
        }
    }

    fn entries(&self, id: usize) -> impl Iterator<Item = (&[u8], usize)> {
        let names = (id == 0).then_some(&self.names);
        names
            .into_iter()
            .flatten()
            .map(|(name, id)| (name.as_slice(), *id))
    }

    fn xattrs(&self, id: usize) -> impl Iterator<Item = (&[u8], &[u8])> {
        let all: &[(&[u8], &[u8])] = &[(b"security.capability", b"0123"), (b"user.a", b"")];
        all.iter().copied().filter(move |_| id == 3)
    }

    fn read_exact_at(&self, id: usize, offset: u64, out: &mut [u8]) -> io::Result<()> {
        out.copy_from_slice(&self.files[id - 3][offset as usize..][..out.len()]);
        Ok(())
    }
}

pub(crate) fn seeds() -> Vec<Vec<u8>> {
    let image = |count: usize, files: Vec<Vec<u8>>| {
        let mut names = BTreeMap::from([(b"link".to_vec(), 1), (b"pipe".to_vec(), 2)]);
        for index in 0..count {
            names.insert(format!("file-{index}").into_bytes(), 3 + index % files.len());
        }
        let sample = Sample {
            names,
            files,
            target: b"file-0".to_vec(),
        };
        let mut image = Vec::new();
        let options = Options {
            salt: &[],
            cipher: None,
            extra: &[],
        };
        let layout = Layout::new(&sample).expect("a small tree");
        let written = layout.write(&sample, &options, &mut image).expect("memory");
        // Without the hash tree.
        image.truncate(written.data_blocks as usize * BLOCK_SIZE);
        image
    };
    let small = image(2, vec![b"contents".to_vec(), vec![7; 4000]]);
    // Two blocks of names.
    let large = image(200, vec![vec![1; 100], vec![2; 9000]]);
    let reader = Reader::open(Believed(&small), 16).expect("a file system");
    assert_eq!(
        reader.inode(reader.root()).map(|root| root.kind),
        Ok(Kind::Directory)
    );
    vec![small, large]
}
