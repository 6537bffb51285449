//! A container without programs: an image in memory, a system with one process, and shorthands.
#![expect(dead_code, reason = "each test binary uses a part")]

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex};

use enclave_rt::attestation::Key;
use kobject::{
    Credentials, Description, DirectoryEntry, DirectorySink, Errno, File, FileKind, KernelSink, KernelSource,
    Result, Stat, Timestamp,
};
use libos_fs::{
    At, Attester, Context, Dentry, Image, Kernel, MappingStatus, Memory, NamedPipe, OpenHow, Process,
    ProcessStatus, Secret, SecurityVersions, System, ThreadStatus, Transfers, Vfs, VfsOptions,
};
use linux_abi::{AtFlags, OpenFlags, RenameFlags, SchedulingPolicy};
use rootfs::{BLOCK_SIZE, Block, Erofs, Error, Lock, VerifiedBlocks};
use rootfs_image::{Device, Layout, Options, Source};

/// What an inode of a test image is.
#[derive(Clone, Debug)]
pub enum Kind {
    Directory(BTreeMap<Vec<u8>, usize>),
    File(Vec<u8>),
    Symlink(Vec<u8>),
    CharDevice(u32, u32),
}

#[derive(Clone, Debug)]
pub struct Inode {
    pub permissions: u16,
    pub owner: (u32, u32),
    pub xattrs: Vec<(Vec<u8>, Vec<u8>)>,
    pub kind: Kind,
}

/// A tree to make an image of; inode 0 is the root.
#[derive(Clone, Debug)]
pub struct Tree(pub Vec<Inode>);

impl Tree {
    pub fn new() -> Self {
        Self(vec![Inode {
            permissions: 0o755,
            owner: (0, 0),
            xattrs: Vec::new(),
            kind: Kind::Directory(BTreeMap::new()),
        }])
    }

    /// Adds an inode by its path, whose parent must be there.
    pub fn add(&mut self, path: &str, permissions: u16, owner: (u32, u32), kind: Kind) -> usize {
        self.0.push(Inode {
            permissions,
            owner,
            xattrs: Vec::new(),
            kind,
        });
        let id = self.0.len() - 1;
        self.link(path, id);
        id
    }

    pub fn link(&mut self, path: &str, id: usize) {
        let (parent, name) = path.rsplit_once('/').unwrap();
        let parent = self.find(parent);
        let Kind::Directory(names) = &mut self.0[parent].kind else {
            panic!("{path}")
        };
        assert_eq!(names.insert(name.as_bytes().to_vec(), id), None, "{path}");
    }

    pub fn find(&self, path: &str) -> usize {
        path.split('/')
            .filter(|name| !name.is_empty())
            .fold(0, |id, name| {
                let Kind::Directory(names) = &self.0[id].kind else {
                    panic!("{path}")
                };
                names[name.as_bytes()]
            })
    }

    pub fn directory(&mut self, path: &str) -> usize {
        self.add(path, 0o755, (0, 0), Kind::Directory(BTreeMap::new()))
    }

    pub fn file(&mut self, path: &str, contents: &[u8]) -> usize {
        self.add(path, 0o644, (0, 0), Kind::File(contents.to_vec()))
    }

    pub fn symlink(&mut self, path: &str, target: &str) -> usize {
        self.add(path, 0o777, (0, 0), Kind::Symlink(target.into()))
    }

    /// The file system, as an enclave would read it.
    pub fn image(&self) -> Arc<dyn Image> {
        let mut bytes = Vec::new();
        let options = Options {
            cipher: None,
            salt: b"salt",
            extra: &[],
        };
        Layout::new(self)
            .unwrap()
            .write(self, &options, &mut bytes)
            .unwrap();
        let erofs: Erofs<Blocks, Locked<rootfs::CacheSet>> = Erofs::open(Blocks(bytes), 1024).unwrap();
        Arc::new(erofs)
    }
}

impl Source for Tree {
    fn root(&self) -> usize {
        0
    }

    fn inodes(&self) -> usize {
        self.0.len()
    }

    fn inode(&self, id: usize) -> rootfs_image::Inode<'_> {
        let inode = &self.0[id];
        rootfs_image::Inode {
            permissions: inode.permissions,
            uid: inode.owner.0,
            gid: inode.owner.1,
            mtime: rootfs_image::Timestamp {
                seconds: 1_700_000_000,
                nanos: 5,
            },
            kind: match &inode.kind {
                Kind::Directory(_) => rootfs_image::Kind::Directory,
                Kind::File(contents) => rootfs_image::Kind::File {
                    len: contents.len() as u64,
                },
                Kind::Symlink(target) => rootfs_image::Kind::Symlink(target),
                Kind::CharDevice(major, minor) => rootfs_image::Kind::CharDevice(Device {
                    major: *major,
                    minor: *minor,
                }),
            },
        }
    }

    fn entries(&self, id: usize) -> impl Iterator<Item = (&[u8], usize)> {
        let names = match &self.0[id].kind {
            Kind::Directory(names) => Some(names),
            _ => None,
        };
        names
            .into_iter()
            .flatten()
            .map(|(name, id)| (name.as_slice(), *id))
    }

    fn xattrs(&self, id: usize) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.0[id]
            .xattrs
            .iter()
            .map(|(name, value)| (name.as_slice(), value.as_slice()))
    }

    fn read_exact_at(&self, id: usize, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let Kind::File(contents) = &self.0[id].kind else {
            panic!("not a file")
        };
        out.copy_from_slice(&contents[offset as usize..][..out.len()]);
        Ok(())
    }
}

/// An image that nobody lies about.
struct Blocks(Vec<u8>);

impl VerifiedBlocks for Blocks {
    fn read_block(&self, index: u64, out: &mut Block) -> std::result::Result<(), Error> {
        let start = index as usize * BLOCK_SIZE;
        out.copy_from_slice(self.0.get(start..start + BLOCK_SIZE).ok_or(Error::OutOfRange)?);
        Ok(())
    }

    fn blocks(&self) -> u64 {
        (self.0.len() / BLOCK_SIZE) as u64
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

/// A system with one process, number 7 with one thread, that has whatever descriptors a test gives it.
#[derive(Default)]
pub struct OneProcess {
    pub descriptors: Mutex<BTreeMap<u32, Arc<Description>>>,
    pub context: Mutex<Option<Context>>,
    pub executable: Mutex<Option<Arc<Dentry>>>,
    pub name: Mutex<Vec<u8>>,
    pub limits: Mutex<[(u64, u64); 16]>,
    /// How many quotes it has got; there are 255.
    pub quotes: Mutex<u8>,
}

/// The process of a [`OneProcess`].
struct Seven(Arc<OneProcess>);

/// What a test's system is, as the file systems see it.
pub struct TestSystem(pub Arc<OneProcess>);

impl System for TestSystem {
    fn named_pipe(&self) -> Arc<dyn NamedPipe> {
        Arc::new(NoPipe)
    }

    fn open_terminal(&self, _: u64, _: OpenFlags, _: Arc<dyn File>) -> Result<Arc<dyn File>> {
        Err(Errno::ENXIO)
    }

    fn terminals(&self) -> usize {
        0
    }

    fn processes(&self) -> Vec<u32> {
        vec![7]
    }

    fn process(&self, pid: u32) -> Option<Arc<dyn Process>> {
        (pid == 7).then(|| Arc::new(Seven(self.0.clone())) as Arc<dyn Process>)
    }

    fn current(&self) -> (u32, u32) {
        (7, 7)
    }

    fn system_v(&self, _: libos_fs::SystemV) -> Vec<u8> {
        b"       key\n".to_vec()
    }

    fn memory(&self) -> Memory {
        Memory {
            total: 1 << 30,
            free: 1 << 29,
        }
    }

    fn uptime(&self) -> u64 {
        12_345_678_900
    }

    fn processors(&self) -> u32 {
        2
    }

    fn caches(&self) -> Vec<libos_fs::Cache> {
        let cache = libos_fs::Cache {
            level: 1,
            kind: libos_fs::CacheKind::Data,
            line_size: 64,
            partitions: 1,
            ways: 8,
            sets: 64,
            is_shared: false,
        };
        let last = libos_fs::Cache {
            level: 3,
            kind: libos_fs::CacheKind::Unified,
            sets: 32768,
            ways: 16,
            is_shared: true,
            ..cache
        };
        vec![cache, last]
    }

    fn cpu_info(&self) -> Vec<u8> {
        b"processor\t: 0\n".to_vec()
    }

    fn kernel(&self) -> Kernel {
        Kernel {
            release: "6.6.0",
            version: "#1 SMP",
        }
    }

    fn host_name(&self) -> Vec<u8> {
        b"container".to_vec()
    }
}

impl Attester for TestSystem {
    fn target_info(&self) -> Result<[u8; libos_fs::TARGET_INFO_SIZE]> {
        Ok([7; libos_fs::TARGET_INFO_SIZE])
    }

    /// The data at the start, then the target as far as it fits.
    fn report(&self, target: &[u8; 512], data: &[u8; 64]) -> Result<[u8; libos_fs::REPORT_SIZE]> {
        if target[511] != 0 {
            return Err(Errno::EINVAL);
        }
        let both = [&data[..], &target[..]].concat();
        Ok(std::array::from_fn(|at| both[at]))
    }

    /// The data and the number of the quote.
    fn quote(&self, data: &[u8; 64]) -> Result<Vec<u8>> {
        let mut quotes = self.0.quotes.lock().unwrap();
        *quotes = quotes.checked_add(1).ok_or(Errno::ENODEV)?;
        Ok([&data[..], &[*quotes]].concat())
    }

    /// Version 5 on a processor of sevens.
    fn security_versions(&self) -> Result<SecurityVersions> {
        Ok(SecurityVersions {
            isv_svn: 5,
            cpu_svn: [7; 16],
        })
    }

    /// What it is bound to, its versions, and the last two components of the processor's.
    fn sealing_key(&self, bound_to: libos_fs::SealedTo, versions: &SecurityVersions) -> Result<Key> {
        let own = self.security_versions()?;
        if versions.isv_svn > own.isv_svn || versions.cpu_svn > own.cpu_svn {
            return Err(Errno::EACCES);
        }
        let mut key = [bound_to as u8 + 1; 16];
        key[13] = versions.isv_svn as u8;
        key[14..].copy_from_slice(&versions.cpu_svn[14..]);
        Ok(Key::new(key))
    }

    fn tls_key(&self) -> Result<Secret> {
        Ok(Secret::new(b"private".to_vec()))
    }

    /// The number of the quote in it.
    fn tls_certificate(&self) -> Result<Vec<u8>> {
        let quote = self.quote(&[0; 64])?;
        Ok(vec![b'0' + quote[64]])
    }
}

impl Process for Seven {
    fn is_inspected_by(&self, _: u32) -> bool {
        true
    }

    fn has_ended(&self) -> bool {
        false
    }

    fn children(&self) -> Vec<u32> {
        Vec::new()
    }

    fn context(&self) -> Context {
        self.0
            .context
            .lock()
            .unwrap()
            .clone()
            .expect("a test gives a context")
    }

    fn executable(&self) -> Option<Arc<Dentry>> {
        self.0.executable.lock().unwrap().clone()
    }

    fn arguments(&self) -> Vec<u8> {
        b"test\0--fast\0".to_vec()
    }

    fn environment(&self) -> Vec<u8> {
        b"A=1\0".to_vec()
    }

    fn auxiliary(&self) -> Vec<u8> {
        vec![0; 16]
    }

    fn maps(&self) -> Vec<u8> {
        b"00400000-00401000 r-xp 00000000 00:01 5 /bin/test\n".to_vec()
    }

    fn mappings(&self) -> Vec<MappingStatus> {
        vec![MappingStatus {
            line: self.maps(),
            size: 4096,
            resident: 4096,
            is_shared: false,
            is_locked: false,
        }]
    }

    fn transfers(&self) -> Transfers {
        Transfers::default()
    }

    fn descriptors(&self) -> Vec<u32> {
        self.0.descriptors.lock().unwrap().keys().copied().collect()
    }

    fn descriptor(&self, fd: u32) -> Option<Arc<Description>> {
        self.0.descriptors.lock().unwrap().get(&fd).cloned()
    }

    fn limits(&self) -> [(u64, u64); 16] {
        *self.0.limits.lock().unwrap()
    }

    fn status(&self) -> ProcessStatus {
        ProcessStatus {
            parent: 1,
            group: 7,
            session: 7,
            foreground: -1,
            ..ProcessStatus::default()
        }
    }

    fn threads(&self) -> Vec<u32> {
        vec![7]
    }

    fn thread(&self, tid: u32) -> Option<ThreadStatus> {
        let name = self.0.name.lock().unwrap().clone();
        (tid == 7).then(|| ThreadStatus {
            name,
            state: b'R',
            credentials: Arc::new(Credentials::new(0, 0, Vec::new())),
            started: 0,
            times: [0; 2],
            pending: 0,
            blocked: 0,
            policy: SchedulingPolicy::SCHED_NORMAL,
            priority: 0,
            nice: 0,
            processors: vec![1],
            timer_slack: 50_000,
        })
    }

    fn set_thread_name(&self, _: u32, name: &[u8]) -> Result<()> {
        *self.0.name.lock().unwrap() = name.to_vec();
        Ok(())
    }
}

/// A FIFO that nobody can open.
struct NoPipe;

impl NamedPipe for NoPipe {
    fn open(&self, _: OpenFlags, _: Arc<dyn File>) -> Result<Arc<dyn File>> {
        Err(Errno::ENXIO)
    }
}

/// A container.
pub struct Container {
    pub vfs: Vfs,
    pub context: Context,
    pub process: Arc<OneProcess>,
}

/// A clock that never shows the same time twice.
pub fn now() -> Timestamp {
    use std::sync::atomic::{AtomicI64, Ordering};
    static SECONDS: AtomicI64 = AtomicI64::new(1_800_000_000);
    Timestamp {
        seconds: SECONDS.fetch_add(1, Ordering::Relaxed),
        nanoseconds: 0,
    }
}

impl Container {
    pub fn new(tree: &Tree) -> Self {
        Self::with(Some(tree.image()), 64 << 20)
    }

    pub fn with(image: Option<Arc<dyn Image>>, memory_limit: u64) -> Self {
        let process = Arc::new(OneProcess::default());
        let system = Arc::new(TestSystem(process.clone()));
        let vfs = Vfs::new(VfsOptions {
            image,
            memory_limit,
            now,
            seed: [3, 4, 5],
            system: system.clone(),
            attester: system,
        })
        .unwrap();
        let mut context = vfs.root_context();
        context.umask = 0o022;
        *process.context.lock().unwrap() = Some(context.clone());
        Self {
            vfs,
            context,
            process,
        }
    }

    /// The same, seen by somebody else.
    pub fn as_user(&self, uid: u32, gid: u32) -> Context {
        Context {
            credentials: Arc::new(Credentials::new(uid, gid, Vec::new())),
            ..self.context.clone()
        }
    }

    pub fn open(&self, path: &str, flags: i32, mode: u32) -> Result<Arc<Description>> {
        self.vfs.open(
            &self.context,
            At::Cwd,
            path.as_bytes(),
            OpenHow::open(flags as u32, mode)?,
        )
    }

    pub fn read(&self, path: &str) -> Result<Vec<u8>> {
        read_all(&*self.open(path, 0, 0)?)
    }

    pub fn write(&self, path: &str, contents: &[u8]) -> Result<()> {
        let file = self.open(path, libc::O_WRONLY | libc::O_CREAT | libc::O_TRUNC, 0o644)?;
        assert_eq!(write(&file, contents)?, contents.len());
        Ok(())
    }

    pub fn stat(&self, path: &str) -> Result<Stat> {
        self.vfs.stat(
            &self.context,
            At::Cwd,
            path.as_bytes(),
            AtFlags::AT_SYMLINK_NOFOLLOW,
        )
    }

    pub fn mkdir(&self, path: &str) -> Result<()> {
        self.vfs
            .make_directory(&self.context, At::Cwd, path.as_bytes(), 0o755)
    }

    pub fn unlink(&self, path: &str) -> Result<()> {
        self.vfs.unlink(&self.context, At::Cwd, path.as_bytes())
    }

    pub fn rmdir(&self, path: &str) -> Result<()> {
        self.vfs.remove_directory(&self.context, At::Cwd, path.as_bytes())
    }

    pub fn rename(&self, old: &str, new: &str) -> Result<()> {
        self.vfs.rename(
            &self.context,
            (At::Cwd, old.as_bytes()),
            (At::Cwd, new.as_bytes()),
            RenameFlags::empty(),
        )
    }

    pub fn readlink(&self, path: &str) -> Result<String> {
        let target = self.vfs.read_link(&self.context, At::Cwd, path.as_bytes())?;
        Ok(String::from_utf8(target).unwrap())
    }

    /// Names of a directory, sorted, without `.` and `..`.
    pub fn list(&self, path: &str) -> Result<Vec<String>> {
        let directory = self.open(path, libc::O_DIRECTORY, 0)?;
        let mut names: Vec<String> = list_all(&directory, usize::MAX)?
            .into_iter()
            .map(|entry| entry.name)
            .collect();
        names.retain(|name| name != "." && name != "..");
        names.sort();
        Ok(names)
    }
}

pub fn read_all(file: &Description) -> Result<Vec<u8>> {
    let mut all = Vec::new();
    loop {
        let mut sink = KernelSink::new(10_000);
        if file.read(&mut sink)? == 0 {
            return Ok(all);
        }
        all.extend(sink.into_bytes());
    }
}

pub fn write(file: &Description, bytes: &[u8]) -> Result<usize> {
    file.write(&mut KernelSource(bytes))
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    pub name: String,
    pub inode: u64,
    pub kind: FileKind,
    pub next: u64,
}

/// Takes some entries.
pub struct Lister {
    pub entries: Vec<Listed>,
    pub most: usize,
}

impl DirectorySink for Lister {
    fn entry(&mut self, entry: DirectoryEntry<'_>) -> std::ops::ControlFlow<()> {
        if self.entries.len() == self.most {
            return std::ops::ControlFlow::Break(());
        }
        self.entries.push(Listed {
            name: String::from_utf8(entry.name.to_vec()).unwrap(),
            inode: entry.inode,
            kind: entry.kind,
            next: entry.next,
        });
        std::ops::ControlFlow::Continue(())
    }
}

/// All entries from here on, `most` at a time.
pub fn list_all(directory: &Description, most: usize) -> Result<Vec<Listed>> {
    let mut all = Vec::new();
    loop {
        let mut lister = Lister {
            entries: Vec::new(),
            most,
        };
        directory.read_directory(&mut lister)?;
        if lister.entries.is_empty() {
            return Ok(all);
        }
        all.append(&mut lister.entries);
    }
}
