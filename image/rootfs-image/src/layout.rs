//! The layout of an image: a place for each inode and block; and the writing of it.

use std::io::Write;

use rootfs_format::BLOCK_SIZE;
use rootfs_format::erofs::{
    ExtendedInode, FORMAT_INLINE, FORMAT_PLAIN, MAX_SYMLINK, Nid, S_IFBLK, S_IFCHR, S_IFDIR, S_IFIFO,
    S_IFLNK, S_IFREG, S_IFSOCK, SLOT_SIZE,
};
use rootfs_format::verity::{Digest, hash_levels};
use sector_cipher::SectorCipher;
use sha2::{Digest as _, Sha256};
use zerocopy::{FromZeros, IntoBytes};

use crate::directory::Directory;
use crate::image_writer::{ImageWriter, read_error};
use crate::superblock::{Summary, first_block};
use crate::xattr::Xattrs;
use crate::{Error, Kind, Source};

const BLOCK: u64 = BLOCK_SIZE as u64;

/// The longest contents that stand behind their inode. Longer ones would leave holes between the inodes, which then
/// are spread over more blocks; and a file of a block or more is kept in whole blocks, so that a page of it is a block.
const MAX_INLINE: u64 = BLOCK / 2;

/// The tree has a place for each inode and each block: ready to be written.
pub struct Layout {
    /// In the order of the image: a directory's children together, directories before what is in them.
    places: Vec<Place>,
    /// By the source's id: the index in `places`.
    index: Vec<Option<usize>>,
    uuid: [u8; 16],
    build_time: u64,
    blocks: u32,
    skipped_xattrs: Vec<(usize, Vec<u8>)>,
}

/// The place of one inode.
struct Place {
    id: usize,
    /// The directory that holds a directory; else the inode itself.
    parent: usize,
    nlink: u32,
    nid: Nid,
    /// Bytes of contents.
    size: u64,
    storage: Storage,
}

/// Where contents are.
#[derive(Clone, Copy)]
enum Storage {
    Inline,
    /// From this block on.
    Blocks(u32),
}

/// What the writer may choose.
#[derive(Clone, Default)]
pub struct Options<'a> {
    /// What dm-verity hashes before each block, at most 256 bytes. The root hash is measured and the tree is not secret, so
    /// none is needed.
    pub salt: &'a [u8],
    /// Encrypts the data, that is, all but the hash tree and its superblock. The numbers of the sectors are those of the blocks.
    pub cipher: Option<&'a SectorCipher>,
    /// Bytes to put behind the file system, from a block boundary on, inside the data that the tree covers.
    pub extra: &'a [u8],
}

/// What has been written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    /// Root of the dm-verity hash tree.
    pub root_hash: Digest,
    /// Data blocks of 4096 bytes, from the image's beginning: the file system and [`Options::extra`].
    pub data_blocks: u64,
    /// Byte offset in the image of the verity superblock.
    pub hash_offset: u64,
    /// Bytes of the image.
    pub image_len: u64,
    /// Where [`Options::extra`] lies.
    pub extra: Extent,
}

/// A range of bytes of the image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extent {
    /// First byte.
    pub offset: u64,
    /// Bytes.
    pub len: u64,
}

impl Layout {
    /// Gives every inode of the tree its place. Reads no contents.
    pub fn new(source: &impl Source) -> Result<Self, Error> {
        let (mut places, index) = walk(source)?;
        let mut skipped_xattrs = Vec::new();
        // A block of its own for the superblock, so that it is known when it is written.
        let mut meta = BLOCK;
        let mut data = 0;
        let mut build_time = 0;
        for place in &mut places {
            let xattrs = Xattrs::new(source, place.id, |name| {
                skipped_xattrs.push((place.id, name.to_vec()))
            })?;
            place.size = contents_len(source, place)?;
            let head = size_of::<ExtendedInode>() as u64 + xattrs.bytes.len() as u64;
            let inline = if place.size <= MAX_INLINE { place.size } else { 0 };
            meta = meta_position(meta, head, inline);
            place.nid = Nid(meta / SLOT_SIZE);
            meta += head + inline;
            if inline == 0 && place.size > 0 {
                // Counted from the end of the inodes, which is not yet known.
                place.storage = Storage::Blocks(u32::try_from(data).map_err(|_| Error::TooLong)?);
                data += place.size.div_ceil(BLOCK);
            }
            let seconds = source.inode(place.id).mtime.seconds;
            build_time = u64::try_from(seconds).map_or(build_time, |seconds| seconds.max(build_time));
        }
        let meta_blocks = u32::try_from(meta.div_ceil(BLOCK)).map_err(|_| Error::TooLong)?;
        let blocks = u32::try_from(u64::from(meta_blocks) + data).map_err(|_| Error::TooLong)?;
        for place in &mut places {
            if let Storage::Blocks(first) = &mut place.storage {
                *first += meta_blocks;
            }
        }
        let mut layout = Self {
            places,
            index,
            uuid: [0; 16],
            build_time,
            blocks,
            skipped_xattrs,
        };
        layout.uuid = layout.derive_uuid(source)?;
        Ok(layout)
    }

    /// The number of an inode in the image; `None` if no name leads to this id.
    pub fn nid(&self, id: usize) -> Option<Nid> {
        Some(self.place(id)?.nid)
    }

    /// Bytes of the image with an extra blob of this length.
    pub fn image_len(&self, extra_len: u64) -> u64 {
        let data_blocks = u64::from(self.blocks) + extra_len.div_ceil(BLOCK);
        let tree: u64 = hash_levels(data_blocks).into_iter().sum();
        (data_blocks + 1 + tree) * BLOCK
    }

    /// How many inodes the image has.
    pub fn inodes(&self) -> usize {
        self.places.len()
    }

    /// Inodes with extended attributes whose names Linux does not know, and those names: the image is without them.
    pub fn skipped_xattrs(&self) -> &[(usize, Vec<u8>)] {
        &self.skipped_xattrs
    }

    /// Writes the image. `source` is the tree that [`Layout::new`] saw, unchanged.
    pub fn write(
        &self,
        source: &impl Source,
        options: &Options<'_>,
        out: impl Write,
    ) -> Result<Written, Error> {
        let mut writer = ImageWriter::new(out, options)?;
        writer.put(&first_block(&Summary {
            root: self.nid(source.root()).expect("the walk begins at the root"),
            inodes: self.places.len() as u64,
            blocks: self.blocks,
            uuid: self.uuid,
            build_time: self.build_time,
        }))?;
        for place in &self.places {
            writer.pad_to(place.nid.0 * SLOT_SIZE)?;
            writer.put(&self.encode_head(source, place)?)?;
            if matches!(place.storage, Storage::Inline) {
                self.write_contents(source, place, &mut writer)?;
            }
        }
        for place in &self.places {
            if let Storage::Blocks(first) = place.storage {
                writer.pad_to(u64::from(first) * BLOCK)?;
                self.write_contents(source, place, &mut writer)?;
            }
        }
        let extra = Extent {
            offset: u64::from(self.blocks) * BLOCK,
            len: options.extra.len() as u64,
        };
        writer.pad_to(extra.offset)?;
        writer.put(options.extra)?;
        let tail = writer.finish(self.uuid, options.salt)?;
        Ok(Written {
            root_hash: tail.root_hash,
            data_blocks: tail.data_blocks,
            hash_offset: tail.hash_offset,
            image_len: tail.image_len,
            extra,
        })
    }

    fn place(&self, id: usize) -> Option<&Place> {
        self.places.get((*self.index.get(id)?)?)
    }

    /// The inode and its extended attributes.
    fn encode_head(&self, source: &impl Source, place: &Place) -> Result<Vec<u8>, Error> {
        let inode = source.inode(place.id);
        let xattrs = Xattrs::new(source, place.id, |_| ())?;
        let (kind, device) = match inode.kind {
            Kind::Directory => (S_IFDIR, None),
            Kind::File { .. } => (S_IFREG, None),
            Kind::Symlink(_) => (S_IFLNK, None),
            Kind::CharDevice(device) => (S_IFCHR, Some(device)),
            Kind::BlockDevice(device) => (S_IFBLK, Some(device)),
            Kind::Fifo => (S_IFIFO, None),
            Kind::Socket => (S_IFSOCK, None),
        };
        let (format, first_block) = match place.storage {
            Storage::Inline if place.size > 0 => (FORMAT_INLINE, 0),
            Storage::Inline => (FORMAT_PLAIN, 0),
            Storage::Blocks(first) => (FORMAT_PLAIN, first),
        };
        if inode.mtime.nanos >= 1_000_000_000 {
            return Err(Error::Time(place.id));
        }
        let mut raw = ExtendedInode::new_zeroed();
        raw.format = format.into();
        raw.xattr_count = xattrs.count().into();
        raw.mode = (kind | (inode.permissions & 0o7777)).into();
        raw.size = place.size.into();
        raw.location = match device {
            Some(device) => device.encode().ok_or(Error::Device(place.id))?.into(),
            None => first_block.into(),
        };
        // For `stat` on systems whose inode numbers have 32 bits.
        raw.number = u32::try_from(place.nid.0).unwrap_or(u32::MAX).into();
        raw.uid = inode.uid.into();
        raw.gid = inode.gid.into();
        raw.mtime = inode.mtime.seconds.cast_unsigned().into();
        raw.mtime_nanos = inode.mtime.nanos.into();
        raw.nlink = place.nlink.into();
        Ok([raw.as_bytes(), &xattrs.bytes].concat())
    }

    /// A directory's bytes.
    fn encode_directory(&self, source: &impl Source, place: &Place) -> Result<Vec<u8>, Error> {
        let directory = Directory::new(source, place.id, place.parent)?;
        Ok(directory.encode(source, |id| self.nid(id).expect("the walk has met every name")))
    }

    fn write_contents<W: Write>(
        &self,
        source: &impl Source,
        place: &Place,
        writer: &mut ImageWriter<W>,
    ) -> Result<(), Error> {
        match source.inode(place.id).kind {
            Kind::Directory => writer.put(&self.encode_directory(source, place)?),
            Kind::Symlink(target) => writer.put(target),
            Kind::File { len } => writer.fill(len, |offset, room| {
                source
                    .read_exact_at(place.id, offset, room)
                    .map_err(read_error(place.id))
            }),
            Kind::CharDevice(_) | Kind::BlockDevice(_) | Kind::Fifo | Kind::Socket => Ok(()),
        }
    }

    /// An identifier of the tree: a digest of all metadata, in the form of RFC 9562, version 8.
    fn derive_uuid(&self, source: &impl Source) -> Result<[u8; 16], Error> {
        let mut hash = Sha256::new_with_prefix("nacre root file system");
        for place in &self.places {
            hash.update(self.encode_head(source, place)?);
            match source.inode(place.id).kind {
                Kind::Directory => hash.update(self.encode_directory(source, place)?),
                Kind::Symlink(target) => hash.update(target),
                _ => {}
            }
        }
        let digest: Digest = hash.finalize().into();
        let mut uuid = *digest.first_chunk().expect("32 bytes are more than 16");
        uuid[6] = (uuid[6] & 0x0f) | 0x80;
        uuid[8] = (uuid[8] & 0x3f) | 0x80;
        Ok(uuid)
    }
}

/// Finds every inode that has a name, in the order of the image, and counts the names.
fn walk(source: &impl Source) -> Result<(Vec<Place>, Vec<Option<usize>>), Error> {
    let root = source.root();
    if root >= source.inodes() || !matches!(source.inode(root).kind, Kind::Directory) {
        return Err(Error::WrongKind(root));
    }
    let mut index = vec![None; source.inodes()];
    let mut places = vec![Place::directory(root, root)];
    index[root] = Some(0);
    // Not a recursion: hostile images are deep.
    let mut directories = vec![root];
    while let Some(directory) = directories.pop() {
        let first_child = directories.len();
        for (_, id) in source.entries(directory) {
            let known = *index.get(id).ok_or(Error::WrongKind(id))?;
            let is_directory = matches!(source.inode(id).kind, Kind::Directory);
            if is_directory && known.is_some() {
                return Err(Error::DirectoryTwice(id));
            }
            let at = known.unwrap_or_else(|| {
                index[id] = Some(places.len());
                places.push(if is_directory {
                    Place::directory(id, directory)
                } else {
                    Place::leaf(id)
                });
                places.len() - 1
            });
            if is_directory {
                // Its `..` is one more name of the parent.
                let parent = index[directory].expect("it was given a place before");
                places[parent].nlink += 1;
                directories.push(id);
            } else {
                places[at].nlink += 1;
            }
        }
        directories[first_child..].reverse();
    }
    Ok((places, index))
}

impl Place {
    /// A directory has two names from the start: that in its parent, and its `.`.
    fn directory(id: usize, parent: usize) -> Self {
        Self {
            parent,
            nlink: 2,
            ..Self::leaf(id)
        }
    }

    /// Of what is no directory, the names are counted where they are met.
    fn leaf(id: usize) -> Self {
        Self {
            id,
            parent: id,
            nlink: 0,
            nid: Nid(0),
            size: 0,
            storage: Storage::Inline,
        }
    }
}

/// Where the next inode goes, whose head and inline contents have these lengths: so that neither the inode nor its
/// inline contents cross the end of a block.
fn meta_position(free: u64, head: u64, inline: u64) -> u64 {
    let fits = |position: u64| {
        let tail = position + head;
        position % BLOCK + size_of::<ExtendedInode>() as u64 <= BLOCK
            && (inline == 0 || tail % BLOCK + inline <= BLOCK)
    };
    let mut position = free.next_multiple_of(SLOT_SIZE);
    while !fits(position) {
        position += SLOT_SIZE;
    }
    position
}

/// Bytes of an inode's contents.
fn contents_len(source: &impl Source, place: &Place) -> Result<u64, Error> {
    match source.inode(place.id).kind {
        Kind::Directory => Ok(Directory::new(source, place.id, place.parent)?.len()),
        Kind::File { len } => Ok(len),
        Kind::Symlink(target) if (1..=MAX_SYMLINK).contains(&target.len()) && !target.contains(&0) => {
            Ok(target.len() as u64)
        }
        Kind::Symlink(_) => Err(Error::Symlink(place.id)),
        Kind::CharDevice(_) | Kind::BlockDevice(_) | Kind::Fifo | Kind::Socket => Ok(0),
    }
}
