//! How fast an image is written, and read from memory with everything verified: `cargo run --release -p rootfs-image
//! --example throughput`. One thread.

use std::io;
use std::sync::Mutex;
use std::time::Instant;

use rootfs::{BLOCK_SIZE, Block, BlockSource, CacheSet, Erofs, Lock, SourceError, Verity, VerityParams};
use rootfs_image::{Inode, Kind, Layout, Options, Source, Timestamp};

const FILE: usize = 256 << 20;

/// A directory with one large file.
struct OneFile;

impl Source for OneFile {
    fn root(&self) -> usize {
        0
    }

    fn inodes(&self) -> usize {
        2
    }

    fn inode(&self, id: usize) -> Inode<'_> {
        let kind = if id == 0 {
            Kind::Directory
        } else {
            Kind::File { len: FILE as u64 }
        };
        let mtime = Timestamp { seconds: 0, nanos: 0 };
        Inode {
            permissions: 0o755,
            uid: 0,
            gid: 0,
            mtime,
            kind,
        }
    }

    fn entries(&self, id: usize) -> impl Iterator<Item = (&[u8], usize)> {
        (id == 0).then_some((&b"file"[..], 1)).into_iter()
    }

    fn xattrs(&self, _: usize) -> impl Iterator<Item = (&[u8], &[u8])> {
        std::iter::empty()
    }

    fn read_exact_at(&self, _: usize, offset: u64, out: &mut [u8]) -> io::Result<()> {
        out.fill((offset / BLOCK_SIZE as u64) as u8);
        Ok(())
    }
}

struct Image(Vec<u8>);

impl BlockSource for &Image {
    fn read_block(&self, index: u64, out: &mut Block) -> Result<(), SourceError> {
        let (blocks, _) = self.0.as_chunks::<BLOCK_SIZE>();
        out.copy_from_slice(blocks.get(index as usize).ok_or(SourceError)?);
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
        f(&mut self.0.lock().expect("nobody panics"))
    }
}

type Locks = Locked<CacheSet>;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let layout = Layout::new(&OneFile)?;
    // Ones, so that the pages are there before the clock runs.
    let mut image = vec![1; usize::try_from(layout.image_len(0))?];
    let start = Instant::now();
    let written = layout.write(&OneFile, &Options::default(), image.as_mut_slice())?;
    rate("write, hashing and copying", start, FILE);

    let image = Image(image);
    let params = VerityParams {
        root_hash: written.root_hash,
        data_blocks: written.data_blocks,
        hash_offset: written.hash_offset,
        salt: Vec::new(),
    };
    let open = |cache| -> Result<_, rootfs::Error> {
        let verity = Verity::<_, Locks>::new(&image, &params, 64)?;
        let erofs = Erofs::<_, Locks>::open(verity, cache)?;
        let root = erofs.inode(erofs.root())?;
        let entry = erofs.lookup(&root, b"file")?.ok_or(rootfs::Error::OutOfRange)?;
        let file = erofs.inode(entry.nid)?;
        Ok((erofs, file))
    };
    let start = Instant::now();
    open(4096)?;
    println!(
        "open with a cache of 16 MiB, look up one file: {:.0} µs",
        start.elapsed().as_secs_f64() * 1e6
    );
    let (erofs, file) = open(FILE / BLOCK_SIZE + 64)?;

    let mut buffer = vec![1; 1 << 20];
    let start = Instant::now();
    for offset in (0..FILE).step_by(buffer.len()) {
        erofs.read_past_cache(&file, offset as u64, &mut buffer)?;
    }
    rate("cold sequential read past the cache", start, FILE);
    for label in ["cold sequential read into the cache", "warm sequential read"] {
        let start = Instant::now();
        for offset in (0..FILE).step_by(buffer.len()) {
            erofs.read(&file, offset as u64, &mut buffer)?;
        }
        rate(label, start, FILE);
    }
    let (reads, hot) = (1_000_000_u64, 256);
    let start = Instant::now();
    for i in 0..reads {
        erofs.read(&file, (i % hot) * BLOCK_SIZE as u64, &mut buffer[..BLOCK_SIZE])?;
    }
    per_call("warm read of 4 KiB", start, reads);
    let start = Instant::now();
    for _ in 0..reads {
        erofs.inode(file.nid)?;
    }
    per_call("warm inode", start, reads);
    let root = erofs.inode(erofs.root())?;
    let start = Instant::now();
    for _ in 0..reads {
        erofs.lookup(&root, b"file")?;
    }
    per_call("warm look-up of a name", start, reads);
    Ok(())
}

fn rate(label: &str, start: Instant, bytes: usize) {
    println!(
        "{label}: {:.2} GB/s",
        bytes as f64 / start.elapsed().as_secs_f64() / 1e9
    );
}

fn per_call(label: &str, start: Instant, calls: u64) {
    println!(
        "{label}: {:.0} ns",
        start.elapsed().as_secs_f64() / calls as f64 * 1e9
    );
}
