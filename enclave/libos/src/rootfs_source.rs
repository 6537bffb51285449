//! The root file system's image in the host's memory, and the call-site maps in it.

use alloc::format;
use alloc::sync::Arc;
use alloc::vec;
use alloc::vec::Vec;
use core::sync::atomic::{AtomicU64, Ordering};

use callsite_map::{Container, ReadAt};
use enclave_config::{Extent, Rootfs};
use enclave_rt::untrusted::HostMemory;
use host_abi::MessageKind;
use kobject::SpinLock;
use libos_mm::CallSites;
use rootfs::{
    BLOCK_SIZE, Block, BlockSource, CacheSet, Erofs, Error, Lock, Sectors, SourceError, VerifiedBlocks,
    Verity, VerityParams,
};
use sector_cipher::{ImageKey, SectorCipher};

use crate::console;

/// Blocks of the hash tree that stay in memory: each covers 512 KiB of the image.
const TREE_CACHE: usize = 256;

/// The image as the host has mapped it.
pub(crate) struct HostImage {
    memory: HostMemory,
}

impl BlockSource for HostImage {
    fn read_block(&self, index: u64, out: &mut Block) -> Result<(), SourceError> {
        if index >= self.blocks() {
            return Err(SourceError);
        }
        let at = index as usize * BLOCK_SIZE;
        self.memory.part(at, BLOCK_SIZE).read(out);
        Ok(())
    }

    fn blocks(&self) -> u64 {
        (self.memory.len() / BLOCK_SIZE) as u64
    }
}

/// The lock of the caches.
pub(crate) struct CacheLock<T>(SpinLock<T>);

impl<T> Lock<T> for CacheLock<T> {
    fn new(value: T) -> Self {
        Self(SpinLock::new(value))
    }

    fn with<R>(&self, f: impl FnOnce(&mut T) -> R) -> R {
        f(&mut self.0.lock())
    }
}

/// Verified blocks; it is remembered when one is not what was measured.
pub(crate) struct Watched(Verity<HostImage, CacheLock<CacheSet>>);

/// The number of the first block that was not what was measured; `u64::MAX` while there is none.
static TAMPERED: AtomicU64 = AtomicU64::new(u64::MAX);

impl VerifiedBlocks for Watched {
    fn read_block(&self, index: u64, out: &mut Block) -> Result<(), Error> {
        self.0.read_block(index, out).inspect_err(remember)
    }

    fn read_pair(&self, index: u64, out: [&mut Block; 2]) -> Result<(), Error> {
        self.0.read_pair(index, out).inspect_err(remember)
    }

    fn blocks(&self) -> u64 {
        self.0.blocks()
    }
}

fn remember(error: &Error) {
    if let Error::Tampered { block } = *error {
        // The first one stays. The notice has to wait: this may be a fault in the middle of a host call's staging.
        let _ = TAMPERED.compare_exchange(u64::MAX, block, Ordering::Relaxed, Ordering::Relaxed);
    }
}

/// Says, at the container's end, why its programs met errors: they know EIO or SIGBUS only.
pub(crate) fn report() {
    let block = TAMPERED.load(Ordering::Relaxed);
    if block != u64::MAX {
        let line = format!(
            "the image was changed, or is damaged: block {block} of its root file system is not what was measured"
        );
        console::print(MessageKind::Notice, &line);
    }
}

/// The root file system.
pub(crate) type RootImage = Erofs<Sectors<Watched>, CacheLock<CacheSet>>;

/// Opens the image that the configuration measures, with its key if it is encrypted; `cache` in bytes.
pub(crate) fn open(
    memory: HostMemory,
    rootfs: &Rootfs,
    key: Option<&ImageKey>,
    cache: u64,
) -> Result<Arc<RootImage>, Error> {
    let params = VerityParams {
        root_hash: rootfs.root_hash,
        data_blocks: rootfs.data_blocks,
        hash_offset: rootfs.hash_offset,
        salt: rootfs.salt.clone(),
    };
    let verity = Verity::new(HostImage { memory }, &params, TREE_CACHE)?;
    Ok(Arc::new(Erofs::open(
        Sectors::new(Watched(verity), key.map(SectorCipher::new)),
        (cache / BLOCK_SIZE as u64) as usize,
    )?))
}

/// The call-site maps of the image's files.
pub(crate) struct ImageCallSites {
    image: Arc<RootImage>,
    extent: Extent,
    container: Container,
}

struct Blob<'a>(&'a RootImage, u64);

impl ReadAt for Blob<'_> {
    type Error = Error;

    fn read_at(&self, offset: u64, out: &mut [u8]) -> Result<(), Error> {
        let at = self
            .1
            .checked_add(offset)
            .ok_or(Error::Corrupt("an offset in the call-site maps"))?;
        self.0.read_image(at, out)
    }
}

impl ImageCallSites {
    /// `None` if the image has none, or what is there is no map: everything traps then, which is slow and right.
    pub(crate) fn open(image: Arc<RootImage>, extent: Extent) -> Option<Self> {
        let container = Container::open(&Blob(&image, extent.offset), extent.len).ok()?;
        Some(Self {
            image,
            extent,
            container,
        })
    }
}

impl CallSites for ImageCallSites {
    fn map_of(&self, key: u64) -> Option<Vec<u8>> {
        let blob = Blob(&self.image, self.extent.offset);
        let range = self.container.find(&blob, key).ok()??;
        let mut bytes = vec![0; usize::try_from(range.end.checked_sub(range.start)?).ok()?];
        blob.read_at(range.start, &mut bytes).ok()?;
        Some(bytes)
    }
}
