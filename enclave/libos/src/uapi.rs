//! Structures of Linux's programming interface, as programs lay them out on x86-64.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use kobject::clock::SECOND;
use kobject::{Errno, Result};

macro_rules! structures {
    ($($(#[$doc:meta])* $name:ident { $($(#[$field_doc:meta])* $field:ident: $type:ty,)* })*) => { $(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
        #[repr(C)]
        pub(crate) struct $name { $($(#[$field_doc])* pub(crate) $field: $type,)* }
    )* };
}

structures! {
    /// `struct timespec`
    Timespec { seconds: i64, nanoseconds: i64, }
    /// `struct timeval`
    Timeval { seconds: i64, microseconds: i64, }
    /// `struct itimerspec`
    Itimerspec { interval: Timespec, value: Timespec, }
    /// `struct itimerval`
    Itimerval { interval: Timeval, value: Timeval, }
    /// `struct sigaction`, as the kernel has it
    Sigaction { handler: u64, flags: u64, restorer: u64, mask: u64, }
    /// `stack_t`
    SignalStack { base: u64, flags: i32, _pad: u32, size: u64, }
    /// `struct iovec`
    RawIoVec { base: u64, len: u64, }
    /// `struct iocb`
    IoControlBlock {
        data: u64, key: u32, rw_flags: u32, command: u16, priority: i16, descriptor: u32,
        buffer: u64, len: u64, offset: i64, reserved: u64, flags: u32, event_descriptor: u32,
    }
    /// `struct futex_waitv`
    FutexWaiter { value: u64, address: u64, flags: u32, reserved: u32, }
    /// `struct ustat`
    Ustat { free_blocks: i32, _pad: u32, free_inodes: u64, names: [u8; 12], _end: [u8; 4], }
    /// `struct kcmp_epoll_slot`
    EpollSlot { instance: u32, descriptor: u32, index: u32, }
    /// `struct xattr_args`
    XattrArgs { value: u64, size: u32, flags: u32, }
    /// `struct rlimit64`
    Rlimit { current: u64, maximum: u64, }
    /// `struct rusage`
    Rusage { user: Timeval, system: Timeval, counts: [i64; 14], }
    /// `struct tms`
    Tms { user: i64, system: i64, children_user: i64, children_system: i64, }
    /// `struct utsname`
    Utsname { system: [u8; 65], node: [u8; 65], release: [u8; 65], version: [u8; 65], machine: [u8; 65], domain: [u8; 65], }
    /// `struct sysinfo`
    Sysinfo {
        uptime: i64, loads: [u64; 3], total_ram: u64, free_ram: u64, shared_ram: u64, buffer_ram: u64,
        total_swap: u64, free_swap: u64, processes: u16, pad: u16, pad2: u32, total_high: u64, free_high: u64,
        unit: u32, _end: u32,
    }
    /// `struct stat`
    RawStat {
        device: u64, inode: u64, links: u64, mode: u32, uid: u32, gid: u32, _pad: u32, special_device: u64,
        size: i64, block_size: i64, blocks: i64, accessed: Timespec, modified: Timespec, changed: Timespec,
        _unused: [i64; 3],
    }
    /// `struct statx_timestamp`
    StatxTimestamp { seconds: i64, nanoseconds: u32, _reserved: i32, }
    /// `struct statx`
    Statx {
        mask: u32, block_size: u32, attributes: u64, links: u32, uid: u32, gid: u32, mode: u16, _spare0: u16,
        inode: u64, size: u64, blocks: u64, attributes_mask: u64, accessed: StatxTimestamp, created: StatxTimestamp,
        changed: StatxTimestamp, modified: StatxTimestamp, special_major: u32, special_minor: u32,
        device_major: u32, device_minor: u32, mount: u64, _spare: [u64; 13],
    }
    /// `struct statfs`
    Statfs {
        kind: i64, block_size: i64, blocks: u64, free: u64, available: u64, files: u64, free_files: u64,
        id: [i32; 2], name_len: i64, fragment_size: i64, flags: i64, _spare: [i64; 4],
    }
    /// `struct pollfd`
    PollFd { fd: i32, events: u16, happened: u16, }
    /// `struct msghdr`
    MessageHeader {
        name: u64, name_len: i32, _pad: u32, pieces: u64, piece_count: u64, control: u64, control_len: u64,
        flags: i32, _pad2: u32,
    }
    /// `struct clone_args`
    CloneArgs {
        flags: u64, pidfd: u64, child_tid: u64, parent_tid: u64, exit_signal: u64, stack: u64, stack_size: u64,
        tls: u64, set_tid: u64, set_tid_size: u64, cgroup: u64,
    }
    /// `struct robust_list_head`
    RobustListHead { next: u64, futex_offset: i64, pending: u64, }
    /// `struct flock`
    Flock { kind: i16, whence: i16, _pad: u32, start: i64, len: i64, pid: i32, _pad2: u32, }
    /// `struct ipc64_perm`
    IpcPermissions {
        key: i32, uid: u32, gid: u32, creator: u32, creator_group: u32, mode: u32, sequence: u16, _pad: u16,
        _pad2: u32, _unused: [u64; 2],
    }
    /// `struct shmid64_ds`
    RawSegment {
        permissions: IpcPermissions, len: u64, attached: i64, detached: i64, changed: i64, creator_pid: u32,
        last_pid: u32, attachments: u64, _unused: [u64; 2],
    }
    /// `struct shminfo64`
    SegmentLimits {
        longest: u64, shortest: u64, most: u64, most_of_process: u64, most_pages: u64, _unused: [u64; 4],
    }
    /// `struct shm_info`
    SegmentInfo { segments: u32, _pad: u32, pages: u64, resident: u64, swapped: u64, _unused: [u64; 2], }
    /// `struct sembuf`
    Sembuf { number: u16, change: i16, flags: i16, }
    /// `struct semid64_ds`
    RawSemaphores {
        permissions: IpcPermissions, operated: i64, _unused: u64, changed: i64, _unused2: u64, len: u64,
        _unused3: [u64; 2],
    }
    /// `struct seminfo`
    SemaphoreInfo {
        map: i32, most_sets: i32, most: i32, most_undo: i32, longest: i32, most_operations: i32,
        undo_entries: i32, undo_size: i32, greatest: i32, adjustment: i32,
    }
    /// `struct msqid64_ds`
    RawMessages {
        permissions: IpcPermissions, sent: i64, received: i64, changed: i64, bytes: u64, count: u64, limit: u64,
        last_sender: u32, last_receiver: u32, _unused: [u64; 2],
    }
    /// `struct msginfo`
    MessageInfo {
        pool: i32, map: i32, longest: i32, most_bytes: i32, most_queues: i32, segment_size: i32, headers: i32,
        segments: u16, _pad: u16,
    }
    /// `struct mq_attr`
    QueueAttributes {
        flags: i64, most_messages: i64, message_len: i64, messages: i64, _reserved: [i64; 4],
    }
    /// `struct epoll_event` is packed: this is its first word and the rest by bytes
    RawEpollEvent { events: u32, data: [u8; 8], }
}

const _: () = assert!(size_of::<RawStat>() == 144);
const _: () = assert!(size_of::<Statx>() == 256);
const _: () = assert!(size_of::<Statfs>() == 120);
const _: () = assert!(size_of::<RawEpollEvent>() == 12);
const _: () = assert!(size_of::<MessageHeader>() == 56);
const _: () = assert!(size_of::<IpcPermissions>() == 48);
const _: () = assert!(size_of::<RawSegment>() == 112);
const _: () = assert!(size_of::<RawSemaphores>() == 104);
const _: () = assert!(size_of::<RawMessages>() == 120);

impl Timespec {
    /// Nanoseconds; EINVAL if it is not normal.
    pub(crate) fn nanoseconds(self) -> Result<u64> {
        let nanoseconds = u64::try_from(self.nanoseconds)
            .ok()
            .filter(|&n| n < SECOND)
            .ok_or(Errno::EINVAL)?;
        let seconds = u64::try_from(self.seconds).map_err(|_| Errno::EINVAL)?;
        Ok(seconds.saturating_mul(SECOND).saturating_add(nanoseconds))
    }

    /// From nanoseconds.
    pub(crate) fn of(nanoseconds: u64) -> Self {
        Self {
            seconds: (nanoseconds / SECOND) as i64,
            nanoseconds: (nanoseconds % SECOND) as i64,
        }
    }
}

impl Timeval {
    pub(crate) const ZERO: Self = Self {
        seconds: 0,
        microseconds: 0,
    };

    /// Nanoseconds; EINVAL if it is not normal.
    pub(crate) fn nanoseconds(self) -> Result<u64> {
        let micros = u64::try_from(self.microseconds)
            .ok()
            .filter(|&n| n < 1_000_000)
            .ok_or(Errno::EINVAL)?;
        let seconds = u64::try_from(self.seconds).map_err(|_| Errno::EINVAL)?;
        Ok(seconds.saturating_mul(SECOND).saturating_add(micros * 1000))
    }

    /// From nanoseconds.
    pub(crate) fn of(nanoseconds: u64) -> Self {
        Self {
            seconds: (nanoseconds / SECOND) as i64,
            microseconds: (nanoseconds % SECOND / 1000) as i64,
        }
    }
}
