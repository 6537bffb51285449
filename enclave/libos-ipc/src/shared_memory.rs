//! System V shared memory (shmget(2), shmat(2), shmctl(2), ipc/shm.c).
//!
//! A segment is a file without a name, which `libos-mm` maps. How often it is attached is not counted but looked up: there are so many
//! mappings of it. A segment that was removed lives as long as one of them.

use alloc::format;
use alloc::sync::{Arc, Weak};
use alloc::vec::Vec;
use core::sync::atomic::{AtomicBool, AtomicI64, AtomicU32, Ordering};

use kobject::{Errno, Mapping, Mutex, Result, SharedPagesSlot};
use libos_mm::{AddressSpace, NamelessFile};
use linux_abi::ipc::{SHM_DEST, SHM_HUGETLB, SHM_LOCKED, SHMMAX, SHMMIN, SHMMNI};
use linux_abi::{Capabilities, ShmFlags};

use crate::permissions::{EXECUTE, Ownership, Permissions, READ, WRITE};
use crate::table::{Object, Table, Usage};
use crate::{Caller, Named};

const PAGE: u64 = 4096;

/// The bytes of a segment, for mappings.
pub struct Segment {
    id: AtomicU32,
    key: i32,
    len: u64,
    /// When it was detached last, seconds since 1970, and by whom it was attached or detached last.
    detached: AtomicI64,
    last_pid: AtomicU32,
    /// It goes with its last attachment.
    is_removed: AtomicBool,
    /// Who detaches, and when.
    now: fn() -> (u32, i64),
    file: NamelessFile,
}

impl Mapping for Segment {
    fn read_pages(&self, offset: u64, out: &mut [u8]) -> Result<usize> {
        self.file.read_pages(offset, out)
    }

    fn write_pages(&self, offset: u64, bytes: &[u8]) -> Result<()> {
        self.file.write_pages(offset, bytes)
    }

    fn len(&self) -> u64 {
        self.len
    }

    /// The inode is the identifier, as on Linux.
    fn identity(&self) -> (u64, u64) {
        (self.file.identity().0, self.id.load(Ordering::Relaxed).into())
    }

    fn path(&self) -> Vec<u8> {
        format!("/SYSV{:08x} (deleted)", self.key.cast_unsigned()).into_bytes()
    }

    fn shared_pages(&self) -> Option<&SharedPagesSlot> {
        self.file.shared_pages()
    }

    fn is_zeros(&self, offset: u64, len: u64) -> bool {
        self.file.is_zeros(offset, len)
    }

    fn outlives_mappings(&self) -> bool {
        !self.is_removed.load(Ordering::Relaxed)
    }

    fn segment(&self) -> Option<i32> {
        Some(self.id.load(Ordering::Relaxed).cast_signed())
    }

    fn unmapped(&self) {
        let (pid, now) = (self.now)();
        self.last_pid.store(pid, Ordering::Relaxed);
        self.detached.store(now, Ordering::Relaxed);
    }
}

/// A segment's bytes, kept by its entry or by its mappings alone.
enum Held {
    Kept(Arc<Segment>),
    Removed(Weak<Segment>),
}

struct Entry {
    permissions: Permissions,
    len: u64,
    attached: i64,
    changed: i64,
    creator_pid: u32,
    held: Held,
}

impl Object for Entry {
    fn permissions(&self) -> &Permissions {
        &self.permissions
    }

    fn permissions_mut(&mut self) -> &mut Permissions {
        &mut self.permissions
    }
}

impl Entry {
    fn segment(&self) -> Option<Arc<Segment>> {
        match &self.held {
            Held::Kept(segment) => Some(segment.clone()),
            Held::Removed(segment) => segment.upgrade(),
        }
    }

    fn pages(&self) -> u64 {
        self.len.div_ceil(PAGE)
    }
}

/// What `IPC_STAT` gives of a segment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SegmentState {
    /// Its identifier.
    pub id: i32,
    /// Who may do what.
    pub permissions: Permissions,
    /// Bytes.
    pub len: u64,
    /// The last attachment, seconds since 1970; 0 for none.
    pub attached: i64,
    /// The last detachment.
    pub detached: i64,
    /// The last change of the segment itself.
    pub changed: i64,
    /// Who made it.
    pub creator_pid: u32,
    /// Who attached or detached it last.
    pub last_pid: u32,
    /// How often it is attached.
    pub attachments: u64,
}

/// What `shmat` maps.
pub struct Attachment {
    /// The bytes.
    pub segment: Arc<Segment>,
    /// How many there are.
    pub len: u64,
}

/// All segments.
pub struct SharedMemory {
    segments: Mutex<Table<Entry>>,
    /// Bytes of all segments together at most.
    limit: u64,
    now: fn() -> (u32, i64),
}

impl SharedMemory {
    /// No segments. They may have `limit` bytes together: ENOMEM beyond. `now` gives the calling process and the time, for detachments.
    pub fn new(limit: u64, now: fn() -> (u32, i64)) -> Self {
        Self {
            segments: Mutex::new(Table::new(SHMMNI)),
            limit,
            now,
        }
    }

    /// `shmget`.
    pub fn open(&self, caller: Caller<'_>, key: i32, len: u64, flags: u32) -> Result<i32> {
        let suits = |entry: &Entry| match len > entry.len {
            true => Err(Errno::EINVAL),
            false => Ok(()),
        };
        let make = |segments: &mut Table<Entry>, permissions: Permissions| {
            if !(SHMMIN..=SHMMAX).contains(&len) {
                return Err(Errno::EINVAL);
            }
            let len_in_pages = len.checked_next_multiple_of(PAGE).ok_or(Errno::ENOSPC)?;
            let used = pages(segments) * PAGE;
            // There are no huge pages.
            if flags & SHM_HUGETLB != 0 || used.saturating_add(len_in_pages) > self.limit {
                return Err(Errno::ENOMEM);
            }
            let segment = Segment {
                id: AtomicU32::new(0),
                key,
                len,
                detached: AtomicI64::new(0),
                last_pid: AtomicU32::new(0),
                is_removed: AtomicBool::new(false),
                now: self.now,
                file: NamelessFile::new(len),
            };
            Ok(Entry {
                permissions,
                len,
                attached: 0,
                changed: caller.now,
                creator_pid: caller.pid,
                held: Held::Kept(Arc::new(segment)),
            })
        };
        let mut segments = self.lock();
        let id = segments.find_or_make(caller, key, flags, suits, make)?;
        if let Some(segment) = segments.get(id)?.segment() {
            segment.id.store(id.cast_unsigned(), Ordering::Relaxed);
        }
        Ok(id)
    }

    /// What `shmat` is to map: EINVAL, EIDRM, EACCES. [`Self::attached`] is to follow.
    pub fn attach(&self, caller: Caller<'_>, id: i32, flags: ShmFlags) -> Result<Attachment> {
        let segments = self.lock();
        let entry = segments.get(id)?;
        let mut wanted = match flags.contains(ShmFlags::SHM_RDONLY) {
            true => READ,
            false => READ | WRITE,
        };
        if flags.contains(ShmFlags::SHM_EXEC) {
            wanted |= EXECUTE;
        }
        entry.permissions.check(caller, wanted)?;
        Ok(Attachment {
            segment: entry.segment().ok_or(Errno::EIDRM)?,
            len: entry.len,
        })
    }

    /// A segment is attached now.
    pub fn attached(&self, caller: Caller<'_>, segment: &Segment) {
        segment.last_pid.store(caller.pid, Ordering::Relaxed);
        let id = segment.id.load(Ordering::Relaxed).cast_signed();
        if let Ok(entry) = self.segments.lock().get_mut(id) {
            entry.attached = caller.now;
        }
    }

    /// `IPC_STAT` and its kin.
    pub fn state(&self, caller: Caller<'_>, named: Named) -> Result<SegmentState> {
        let mut state = {
            let segments = self.lock();
            let (id, entry) = segments.look_at(caller, named)?;
            state(id, entry)
        };
        state.attachments = AddressSpace::attachments(state.id);
        Ok(state)
    }

    /// `IPC_SET`.
    pub fn set_owner(&self, caller: Caller<'_>, id: i32, new: Ownership) -> Result<()> {
        let mut segments = self.lock();
        let entry = segments.changeable(caller, id)?;
        entry.permissions.set(new)?;
        entry.changed = caller.now;
        Ok(())
    }

    /// `IPC_RMID`: it goes with its last attachment, and nobody finds it by its key any more.
    pub fn remove(&self, caller: Caller<'_>, id: i32) -> Result<()> {
        let kept = {
            let mut segments = self.lock();
            let entry = segments.changeable(caller, id)?;
            entry.permissions.mode |= SHM_DEST;
            let segment = entry.segment();
            if let Some(segment) = &segment {
                segment.is_removed.store(true, Ordering::Relaxed);
                entry.held = Held::Removed(Arc::downgrade(segment));
            }
            segments.forget_key(id);
            segment
        };
        // Perhaps the last reference.
        drop(kept);
        Ok(())
    }

    /// `SHM_LOCK` and `SHM_UNLOCK`. `may_lock` says whether RLIMIT_MEMLOCK allows anything.
    pub fn lock_in_memory(&self, caller: Caller<'_>, id: i32, lock: bool, may_lock: bool) -> Result<()> {
        let mut segments = self.lock();
        let entry = segments.get_mut(id)?;
        if !caller.credentials.has(Capabilities::CAP_IPC_LOCK)
            && (!entry.permissions.is_owner(caller.credentials) || (lock && !may_lock))
        {
            return Err(Errno::EPERM);
        }
        match lock {
            true => entry.permissions.mode |= SHM_LOCKED,
            false => entry.permissions.mode &= !SHM_LOCKED,
        }
        Ok(())
    }

    /// `IPC_INFO` and `SHM_INFO`: the table's usage, and pages of all segments.
    pub fn usage(&self) -> (Usage, u64) {
        let segments = self.lock();
        (segments.usage(), pages(&segments))
    }

    /// All segments, for /proc.
    pub fn all(&self) -> Vec<SegmentState> {
        let mut states: Vec<SegmentState> = {
            let segments = self.lock();
            segments.all().map(|(id, entry)| state(id, entry)).collect()
        };
        for state in &mut states {
            state.attachments = AddressSpace::attachments(state.id);
        }
        states
    }

    /// The table without the segments that are gone.
    fn lock(&self) -> kobject::MutexGuard<'_, Table<Entry>> {
        let mut segments = self.segments.lock();
        let is_gone = |entry: &Entry| match &entry.held {
            Held::Kept(_) => false,
            Held::Removed(segment) => segment.strong_count() == 0,
        };
        let gone: Vec<i32> = segments
            .all()
            .filter(|(_, entry)| is_gone(entry))
            .map(|(id, _)| id)
            .collect();
        for id in gone {
            segments.remove(id);
        }
        segments
    }
}

fn pages(segments: &Table<Entry>) -> u64 {
    segments.all().map(|(_, entry)| entry.pages()).sum()
}

/// All but the attachments, which are counted without the table's lock.
fn state(id: i32, entry: &Entry) -> SegmentState {
    let segment = entry.segment();
    let segment = segment.as_deref();
    SegmentState {
        id,
        permissions: entry.permissions.clone(),
        len: entry.len,
        attached: entry.attached,
        detached: segment.map_or(0, |segment| segment.detached.load(Ordering::Relaxed)),
        changed: entry.changed,
        creator_pid: entry.creator_pid,
        last_pid: segment.map_or(0, |segment| segment.last_pid.load(Ordering::Relaxed)),
        attachments: 0,
    }
}
