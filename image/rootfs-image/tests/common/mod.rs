//! A tree in memory, and the reader over an image in memory.
#![expect(dead_code, reason = "each test binary uses a part")]

use std::collections::{BTreeMap, HashMap};
use std::io;
use std::ops::ControlFlow;
use std::sync::Mutex;

use rootfs::{
    BLOCK_SIZE, Block, BlockSource, Error, Lock, SourceError, VerifiedBlocks, Verity, VerityParams,
};
use rootfs_image::{Device, Layout, Nid, Options, Source, Timestamp, Written};

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    Directory(BTreeMap<Vec<u8>, usize>),
    File(Vec<u8>),
    Symlink(Vec<u8>),
    CharDevice(u32, u32),
    BlockDevice(u32, u32),
    Fifo,
    Socket,
}

#[derive(Clone, Debug)]
pub struct Inode {
    pub permissions: u16,
    pub uid: u32,
    pub gid: u32,
    pub mtime: (i64, u32),
    pub xattrs: BTreeMap<Vec<u8>, Vec<u8>>,
    pub kind: Kind,
}

impl Inode {
    pub fn new(kind: Kind) -> Self {
        Self {
            permissions: 0o755,
            uid: 0,
            gid: 0,
            mtime: (1_700_000_000, 123_456_789),
            xattrs: BTreeMap::new(),
            kind,
        }
    }
}

/// Inode 0 is the root.
#[derive(Clone, Debug)]
pub struct Tree {
    pub inodes: Vec<Inode>,
}

impl Tree {
    pub fn empty() -> Self {
        Self {
            inodes: vec![Inode::new(Kind::Directory(BTreeMap::new()))],
        }
    }

    pub fn add(&mut self, directory: usize, name: &[u8], inode: Inode) -> usize {
        self.inodes.push(inode);
        let id = self.inodes.len() - 1;
        self.link(directory, name, id);
        id
    }

    pub fn link(&mut self, directory: usize, name: &[u8], id: usize) {
        let Kind::Directory(names) = &mut self.inodes[directory].kind else {
            panic!("not a directory")
        };
        assert_eq!(names.insert(name.to_vec(), id), None);
    }

    pub fn directory(&mut self, directory: usize, name: &[u8]) -> usize {
        self.add(directory, name, Inode::new(Kind::Directory(BTreeMap::new())))
    }

    pub fn file(&mut self, directory: usize, name: &[u8], contents: &[u8]) -> usize {
        self.add(directory, name, Inode::new(Kind::File(contents.to_vec())))
    }

    pub fn layout(&self) -> Layout {
        Layout::new(self).unwrap()
    }

    pub fn write(&self, options: &Options<'_>) -> (Vec<u8>, Written) {
        let mut image = Vec::new();
        let written = self.layout().write(self, options, &mut image).unwrap();
        (image, written)
    }

    /// What a walk from the root meets.
    pub fn walk(&self) -> BTreeMap<Vec<u8>, Seen> {
        let mut nlink = HashMap::new();
        let mut seen = BTreeMap::new();
        let mut todo = vec![(Vec::new(), 0)];
        while let Some((path, id)) = todo.pop() {
            let inode = &self.inodes[id];
            let mut subdirectories = 0;
            if let Kind::Directory(names) = &inode.kind {
                for (name, child) in names {
                    subdirectories += u32::from(matches!(self.inodes[*child].kind, Kind::Directory(_)));
                    todo.push(([&path[..], b"/", name].concat(), *child));
                }
            }
            *nlink.entry(id).or_insert(0) += 1;
            let kind = match &inode.kind {
                Kind::Directory(_) => Kind::Directory(BTreeMap::new()),
                other => other.clone(),
            };
            let nlink = if matches!(kind, Kind::Directory(_)) {
                2 + subdirectories
            } else {
                0
            };
            seen.insert(
                path,
                Seen {
                    inode: id as u64,
                    permissions: inode.permissions,
                    uid: inode.uid,
                    gid: inode.gid,
                    mtime: inode.mtime,
                    xattrs: inode.xattrs.clone(),
                    kind,
                    nlink,
                },
            );
        }
        for seen in seen
            .values_mut()
            .filter(|seen| !matches!(seen.kind, Kind::Directory(_)))
        {
            seen.nlink = nlink[&(seen.inode as usize)];
        }
        seen
    }
}

/// An inode as a walk meets it; directories are without their names, which the other paths tell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    pub inode: u64,
    pub permissions: u16,
    pub uid: u32,
    pub gid: u32,
    pub mtime: (i64, u32),
    pub xattrs: BTreeMap<Vec<u8>, Vec<u8>>,
    pub kind: Kind,
    pub nlink: u32,
}

impl Source for Tree {
    fn root(&self) -> usize {
        0
    }

    fn inodes(&self) -> usize {
        self.inodes.len()
    }

    fn inode(&self, id: usize) -> rootfs_image::Inode<'_> {
        let inode = &self.inodes[id];
        let device = |major: u32, minor: u32| Device { major, minor };
        rootfs_image::Inode {
            permissions: inode.permissions,
            uid: inode.uid,
            gid: inode.gid,
            mtime: Timestamp {
                seconds: inode.mtime.0,
                nanos: inode.mtime.1,
            },
            kind: match &inode.kind {
                Kind::Directory(_) => rootfs_image::Kind::Directory,
                Kind::File(contents) => rootfs_image::Kind::File {
                    len: contents.len() as u64,
                },
                Kind::Symlink(target) => rootfs_image::Kind::Symlink(target),
                Kind::CharDevice(major, minor) => rootfs_image::Kind::CharDevice(device(*major, *minor)),
                Kind::BlockDevice(major, minor) => rootfs_image::Kind::BlockDevice(device(*major, *minor)),
                Kind::Fifo => rootfs_image::Kind::Fifo,
                Kind::Socket => rootfs_image::Kind::Socket,
            },
        }
    }

    fn entries(&self, id: usize) -> impl Iterator<Item = (&[u8], usize)> {
        let names = match &self.inodes[id].kind {
            Kind::Directory(names) => Some(names),
            _ => None,
        };
        names
            .into_iter()
            .flatten()
            .map(|(name, id)| (name.as_slice(), *id))
    }

    fn xattrs(&self, id: usize) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.inodes[id]
            .xattrs
            .iter()
            .map(|(name, value)| (name.as_slice(), value.as_slice()))
    }

    fn read_exact_at(&self, id: usize, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let Kind::File(contents) = &self.inodes[id].kind else {
            panic!("not a file")
        };
        let start = offset as usize;
        out.copy_from_slice(&contents[start..start + out.len()]);
        Ok(())
    }
}

/// The host's bytes.
pub struct Image<'a>(pub &'a [u8]);

impl BlockSource for Image<'_> {
    fn read_block(&self, index: u64, out: &mut Block) -> Result<(), SourceError> {
        let start = index as usize * BLOCK_SIZE;
        out.copy_from_slice(self.0.get(start..start + BLOCK_SIZE).ok_or(SourceError)?);
        Ok(())
    }

    fn blocks(&self) -> u64 {
        (self.0.len() / BLOCK_SIZE) as u64
    }
}

/// Blocks that nobody vouches for: for images that have no hash tree, or as good as one over whatever they hold.
pub struct Unverified<'a>(pub Image<'a>);

impl VerifiedBlocks for Unverified<'_> {
    fn read_block(&self, index: u64, out: &mut Block) -> Result<(), Error> {
        self.0
            .read_block(index, out)
            .map_err(|SourceError| Error::Source { block: index })
    }

    fn blocks(&self) -> u64 {
        BlockSource::blocks(&self.0)
    }
}

pub struct Locked<T>(Mutex<T>);

impl<T> Lock<T> for Locked<T> {
    fn new(value: T) -> Self {
        Self(Mutex::new(value))
    }

    fn with<R>(&self, f: impl FnOnce(&mut T) -> R) -> R {
        f(&mut self.0.lock().unwrap())
    }
}

pub type CacheLock = Locked<rootfs::CacheSet>;
pub type Verified<'a> = Verity<Image<'a>, CacheLock>;
pub type Erofs<'a> = rootfs::Erofs<Verified<'a>, CacheLock>;

pub fn params(written: &Written, salt: &[u8]) -> VerityParams {
    VerityParams {
        root_hash: written.root_hash,
        data_blocks: written.data_blocks,
        hash_offset: written.hash_offset,
        salt: salt.to_vec(),
    }
}

/// Opens an image with caches of this many blocks.
pub fn open<'a>(image: &'a [u8], params: &VerityParams, cache: usize) -> Result<Erofs<'a>, Error> {
    rootfs::Erofs::open(Verity::new(Image(image), params, cache)?, cache)
}

pub fn is_directory(inode: &rootfs::Inode) -> bool {
    inode.kind == rootfs::Kind::Directory
}

/// The names of a directory without the dots, one call of `readdir` for each `step` entries.
pub fn names<B: VerifiedBlocks>(
    erofs: &rootfs::Erofs<B, CacheLock>,
    directory: &rootfs::Inode,
    step: usize,
) -> Result<Vec<(Vec<u8>, rootfs::Entry)>, Error> {
    let mut names = Vec::new();
    let mut cookie = 0;
    loop {
        let mut left = step;
        let after = erofs.readdir(directory, cookie, |entry| {
            if left == 0 {
                return ControlFlow::Break(());
            }
            left -= 1;
            names.push((entry.name.to_vec(), entry.entry));
            ControlFlow::Continue(())
        })?;
        if left > 0 {
            break;
        }
        assert!(after > cookie);
        cookie = after;
    }
    names.retain(|(name, _)| name != b"." && name != b"..");
    Ok(names)
}

pub fn contents<B: VerifiedBlocks>(
    erofs: &rootfs::Erofs<B, CacheLock>,
    file: &rootfs::Inode,
) -> Result<Vec<u8>, Error> {
    // A hostile size is not a reason to allocate that much.
    let mut contents = vec![0; (file.size as usize).min(1 << 24)];
    let read = erofs.read(file, 0, &mut contents)?;
    contents.truncate(read);
    Ok(contents)
}

/// What a walk through the image meets, or the first error.
pub fn walk<B: VerifiedBlocks>(
    erofs: &rootfs::Erofs<B, CacheLock>,
) -> Result<BTreeMap<Vec<u8>, Seen>, Error> {
    let mut seen = BTreeMap::new();
    let mut todo = vec![(Vec::new(), erofs.root(), 4)];
    while let Some((path, nid, d_type)) = todo.pop() {
        let (inode, found) = see(erofs, nid)?;
        assert_eq!(d_type, file_type(&inode));
        if is_directory(&inode) {
            for (name, entry) in names(erofs, &inode, 7)? {
                assert_eq!(erofs.lookup(&inode, &name)?, Some(entry));
                todo.push(([&path[..], b"/", &name].concat(), entry.nid, entry.d_type));
            }
        }
        seen.insert(path, found);
    }
    Ok(seen)
}

pub fn see<B: VerifiedBlocks>(
    erofs: &rootfs::Erofs<B, CacheLock>,
    nid: Nid,
) -> Result<(rootfs::Inode, Seen), Error> {
    let inode = erofs.inode(nid)?;
    let kind = match inode.kind {
        rootfs::Kind::Directory => Kind::Directory(BTreeMap::new()),
        rootfs::Kind::File => Kind::File(contents(erofs, &inode)?),
        rootfs::Kind::Symlink => Kind::Symlink(erofs.readlink(&inode)?),
        rootfs::Kind::CharDevice(device) => Kind::CharDevice(device.major, device.minor),
        rootfs::Kind::BlockDevice(device) => Kind::BlockDevice(device.major, device.minor),
        rootfs::Kind::Fifo => Kind::Fifo,
        rootfs::Kind::Socket => Kind::Socket,
    };
    let xattrs = erofs
        .xattrs(&inode)?
        .into_iter()
        .map(|xattr| (xattr.name, xattr.value))
        .collect();
    let seen = Seen {
        inode: nid.0,
        permissions: inode.permissions,
        uid: inode.uid,
        gid: inode.gid,
        mtime: (inode.mtime.seconds, inode.mtime.nanos),
        xattrs,
        kind,
        nlink: inode.nlink,
    };
    Ok((inode, seen))
}

/// `d_type` of an inode.
fn file_type(inode: &rootfs::Inode) -> u8 {
    match inode.kind {
        rootfs::Kind::Fifo => 1,
        rootfs::Kind::CharDevice(_) => 2,
        rootfs::Kind::Directory => 4,
        rootfs::Kind::BlockDevice(_) => 6,
        rootfs::Kind::File => 8,
        rootfs::Kind::Symlink => 10,
        rootfs::Kind::Socket => 12,
    }
}

/// Numbers that look like chance and are the same each time (xorshift).
pub struct Chance(u64);

impl Chance {
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    pub fn below(&mut self, end: usize) -> usize {
        ((self.next() >> 16) % end as u64) as usize
    }
}

/// Bytes that look like chance and are the same each time.
pub fn noise(len: usize, seed: u64) -> Vec<u8> {
    let mut chance = Chance::new(seed);
    std::iter::repeat_with(|| (chance.next() >> 32) as u8)
        .take(len)
        .collect()
}

/// A tree that has one of everything and fits into a few blocks, so that it can be read thousands of times.
pub fn small_sample() -> Tree {
    let mut tree = Tree::empty();
    tree.file(0, b"blocks", &noise(3 * 4096 + 100, 1));
    tree.file(0, b"inline", &noise(900, 2));
    let many = tree.directory(0, b"many");
    for i in 0..120 {
        tree.file(
            many,
            format!("a name that is {i:03} long enough to fill blocks").as_bytes(),
            &noise(i, 3),
        );
    }
    let inner = tree.directory(many, b"inner");
    let id = tree.file(inner, b"file", b"contents");
    tree.link(0, b"hard link", id);
    tree.add(0, b"link", Inode::new(Kind::Symlink(b"many/inner/file".to_vec())));
    tree.add(0, b"long link", Inode::new(Kind::Symlink(vec![b'l'; 3000])));
    tree.add(inner, b"null", Inode::new(Kind::CharDevice(1, 3)));
    tree.add(inner, b"pipe", Inode::new(Kind::Fifo));
    tree.inodes[id]
        .xattrs
        .insert(b"security.capability".to_vec(), noise(20, 4));
    tree.inodes[id]
        .xattrs
        .insert(b"user.something".to_vec(), noise(300, 5));
    tree.inodes[inner]
        .xattrs
        .insert(b"system.posix_acl_default".to_vec(), noise(28, 6));
    tree
}

/// A tree that has one of everything.
pub fn sample() -> Tree {
    let mut tree = Tree::empty();
    tree.inodes[0].permissions = 0o1755;
    for (name, len) in [
        ("0", 0),
        ("1", 1),
        ("half", 2048),
        ("half+1", 2049),
        ("block-1", 4095),
        ("block", 4096),
    ] {
        tree.file(0, name.as_bytes(), &noise(len, len as u64 + 1));
    }
    tree.file(0, b"block+1", &noise(4097, 7));
    tree.file(0, b"big", &noise(3_000_000, 8));
    let many = tree.directory(0, b"many");
    for i in 0..300 {
        tree.file(
            many,
            format!("file with a longish name, number {i:03}").as_bytes(),
            &noise(i * 20, i as u64),
        );
    }
    let mut deep = 0;
    for i in 0..200 {
        deep = tree.directory(deep, format!("d{i}").as_bytes());
    }
    let linked = tree.file(deep, b"bottom", b"of the sea");
    tree.link(0, b"hard link", linked);
    tree.link(many, b"!another", linked);
    tree.add(
        0,
        b"short link",
        Inode::new(Kind::Symlink(b"many/../big".to_vec())),
    );
    tree.add(
        0,
        b"long link",
        Inode::new(Kind::Symlink(noise(4095, 9).iter().map(|b| b | 1).collect())),
    );
    tree.add(
        0,
        b"\xff\xfe odd \x01\n name",
        Inode::new(Kind::File(b"odd".to_vec())),
    );
    tree.add(0, b"-", Inode::new(Kind::File(b"before the dots".to_vec())));
    tree.add(0, b"...", Inode::new(Kind::File(b"behind the dots".to_vec())));
    tree.add(0, &[b'x'; 255], Inode::new(Kind::File(b"long name".to_vec())));
    tree.add(0, b"null", Inode::new(Kind::CharDevice(1, 3)));
    tree.add(
        0,
        b"large numbers",
        Inode::new(Kind::CharDevice(4095, (1 << 20) - 1)),
    );
    tree.add(0, b"disk", Inode::new(Kind::BlockDevice(259, 300)));
    tree.add(0, b"pipe", Inode::new(Kind::Fifo));
    tree.add(0, b"socket", Inode::new(Kind::Socket));
    let mut odd = Inode::new(Kind::File(b"setuid".to_vec()));
    odd.permissions = 0o4711;
    (odd.uid, odd.gid) = (100_000, u32::MAX - 1);
    odd.mtime = (-1, 999_999_999);
    odd.xattrs.insert(b"security.capability".to_vec(), noise(20, 1));
    odd.xattrs.insert(b"user.empty".to_vec(), Vec::new());
    odd.xattrs
        .insert(b"trusted.overlay.opaque".to_vec(), b"y".to_vec());
    odd.xattrs
        .insert(b"system.posix_acl_access".to_vec(), noise(28, 2));
    let odd = tree.add(0, b"attributes", odd);
    tree.inodes[many]
        .xattrs
        .insert(b"system.posix_acl_default".to_vec(), noise(28, 3));
    tree.inodes[many]
        .xattrs
        .insert(b"user.large".to_vec(), noise(65_535, 4));
    tree.link(many, b"~attributes", odd);
    tree
}
