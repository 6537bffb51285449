//! What the file systems ask of the rest of the LibOS. What `/dev/attestation` asks is in `attester`.

use alloc::sync::Arc;
use alloc::vec::Vec;

use kobject::{Credentials, Description, File, Result};
use linux_abi::{OpenFlags, SchedulingPolicy};

use crate::context::Context;
use crate::dentry::Dentry;

/// A FIFO's pipe, which all who open it share.
pub trait NamedPipe: Send + Sync {
    /// Opens it, which may wait for the other side (fifo(7)). `inode` answers `fstat`.
    fn open(&self, flags: OpenFlags, inode: Arc<dyn File>) -> Result<Arc<dyn File>>;
}

/// The container as `/proc`, `/sys` and `/dev` show it.
pub trait System: Send + Sync {
    /// The pipe of a FIFO that is opened for the first time.
    fn named_pipe(&self) -> Arc<dyn NamedPipe>;

    /// Opens a terminal's device: the controlling terminal of the calling process (DEV_TTY), a new pseudo-terminal (DEV_PTMX), or the slave
    /// of one. ENXIO if there is none, EIO for a slave that cannot be opened now. `inode` answers `fstat`.
    fn open_terminal(&self, number: u64, flags: OpenFlags, inode: Arc<dyn File>) -> Result<Arc<dyn File>>;

    /// How many pseudo-terminals there are.
    fn terminals(&self) -> usize;

    /// Numbers of the processes, ascending.
    fn processes(&self) -> Vec<u32>;

    /// A process.
    fn process(&self, pid: u32) -> Option<Arc<dyn Process>>;

    /// Numbers of the calling process and of its calling thread.
    fn current(&self) -> (u32, u32);

    /// Memory that programs may have and how much of it is free, in bytes.
    fn memory(&self) -> Memory;

    /// Nanoseconds since the container started.
    fn uptime(&self) -> u64;

    /// Processors that the container uses.
    fn processors(&self) -> u32;

    /// The caches of each processor, from the innermost on.
    fn caches(&self) -> Vec<Cache>;

    /// What `/proc/cpuinfo` says.
    fn cpu_info(&self) -> Vec<u8>;

    /// What `uname` says: release, and version with build date.
    fn kernel(&self) -> Kernel;

    /// What `/proc/sysvipc` has about the objects of a facility.
    fn system_v(&self, facility: SystemV) -> Vec<u8>;

    /// The host name.
    fn host_name(&self) -> Vec<u8>;
}

/// A cache of each processor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cache {
    /// 1 for the innermost.
    pub level: u32,
    /// What it holds.
    pub kind: CacheKind,
    /// Bytes of a line.
    pub line_size: u32,
    /// Lines that share a tag.
    pub partitions: u32,
    /// Places that a line may have.
    pub ways: u32,
    /// Sets of so many ways.
    pub sets: u32,
    /// Whether all processors share it; otherwise each has one of its own.
    pub is_shared: bool,
}

impl Cache {
    /// Bytes that it holds.
    pub fn size(&self) -> u64 {
        [self.partitions, self.ways, self.sets]
            .into_iter()
            .fold(self.line_size.into(), |size: u64, count| {
                size.saturating_mul(count.into())
            })
    }
}

/// What a cache holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CacheKind {
    /// Data only.
    Data,
    /// Instructions only.
    Instruction,
    /// Both.
    Unified,
}

/// The facilities of System V IPC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SystemV {
    /// Shared memory.
    Segments,
    /// Semaphores.
    Semaphores,
    /// Message queues.
    Messages,
}

/// Memory of the container.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Memory {
    /// Bytes that there are.
    pub total: u64,
    /// Bytes that nobody uses.
    pub free: u64,
}

/// The kernel that the LibOS is like.
#[derive(Clone, Copy, Debug)]
pub struct Kernel {
    /// `uname -r`
    pub release: &'static str,
    /// `uname -v`
    pub version: &'static str,
}

/// A process as `/proc/PID` shows it.
pub trait Process: Send + Sync {
    /// Its root, working directory, umask and credentials.
    fn context(&self) -> Context;

    /// Whether the process with this number may look into it (PTRACE_MODE_READ_FSCREDS of ptrace(2)).
    fn is_inspected_by(&self, pid: u32) -> bool;

    /// Whether it has ended, and waits to be waited for.
    fn has_ended(&self) -> bool;

    /// Numbers of its children, ascending.
    fn children(&self) -> Vec<u32>;

    /// Its program; `None` for one without.
    fn executable(&self) -> Option<Arc<Dentry>>;

    /// Arguments, each with a NUL behind it.
    fn arguments(&self) -> Vec<u8>;

    /// Environment, each with a NUL behind it.
    fn environment(&self) -> Vec<u8>;

    /// The auxiliary vector's bytes.
    fn auxiliary(&self) -> Vec<u8>;

    /// The lines of `maps`.
    fn maps(&self) -> Vec<u8>;

    /// What `smaps` tells of each mapping.
    fn mappings(&self) -> Vec<MappingStatus>;

    /// Bytes read and written, and calls that read and wrote.
    fn transfers(&self) -> Transfers;

    /// Numbers of its open descriptors, ascending.
    fn descriptors(&self) -> Vec<u32>;

    /// An open descriptor.
    fn descriptor(&self, fd: u32) -> Option<Arc<Description>>;

    /// Soft and hard limits by RLIMIT number.
    fn limits(&self) -> [(u64, u64); 16];

    /// The rest.
    fn status(&self) -> ProcessStatus;

    /// Numbers of its threads, ascending.
    fn threads(&self) -> Vec<u32>;

    /// One of its threads.
    fn thread(&self, tid: u32) -> Option<ThreadStatus>;

    /// Names a thread (at most 15 bytes are kept).
    fn set_thread_name(&self, tid: u32, name: &[u8]) -> Result<()>;
}

/// What a process has read and written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Transfers {
    /// Bytes.
    pub read: u64,
    /// Bytes.
    pub written: u64,
    /// Calls that read.
    pub reads: u64,
    /// Calls that wrote.
    pub writes: u64,
}

/// A mapping, as `smaps` shows it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MappingStatus {
    /// Its line in `maps`, with the newline.
    pub line: Vec<u8>,
    /// Bytes.
    pub size: u64,
    /// Bytes of it in memory.
    pub resident: u64,
    /// Whether changes are seen by all who map the same.
    pub is_shared: bool,
    /// Whether it counts as locked (`mlock`).
    pub is_locked: bool,
}

/// Numbers of a process for `stat`, `statm` and `status`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProcessStatus {
    /// Parent.
    pub parent: u32,
    /// Process group.
    pub group: u32,
    /// Session.
    pub session: u32,
    /// Controlling terminal's device number, 0 if there is none.
    pub terminal: u32,
    /// Foreground process group of the terminal, -1 if there is none.
    pub foreground: i32,
    /// When it began, nanoseconds since the container started.
    pub started: u64,
    /// Bytes mapped.
    pub virtual_memory: u64,
    /// Bytes of private memory that are there.
    pub resident_anonymous: u64,
    /// Bytes of shared files that are there.
    pub resident_file: u64,
    /// Bytes of shared memory without a file that are there.
    pub resident_shared_memory: u64,
    /// Bytes that are locked (mlock(2)).
    pub locked: u64,
    /// Bytes of the program's code.
    pub code: u64,
    /// Bytes of other code that is mapped.
    pub libraries: u64,
    /// Bytes of writable private memory, without the stack.
    pub data: u64,
    /// Bytes of the stack.
    pub stack: u64,
    /// The addresses of the program's code.
    pub code_range: [u64; 2],
    /// Where the stack began.
    pub stack_start: u64,
    /// Processor time in nanoseconds: user, system.
    pub times: [u64; 2],
    /// Processor time of children that were waited for.
    pub child_times: [u64; 2],
    /// Signals that wait for the process: bit `n - 1` for signal `n`.
    pub pending: u64,
    /// Signals that are ignored.
    pub ignored: u64,
    /// Signals that are caught.
    pub caught: u64,
    /// Signals that are queued for its user.
    pub signals_queued: u64,
    /// Signals that may be queued.
    pub signal_limit: u64,
}

impl ProcessStatus {
    /// Bytes that are there.
    pub fn resident(&self) -> u64 {
        self.resident_anonymous + self.resident_file + self.resident_shared_memory
    }
}

/// A thread.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ThreadStatus {
    /// Who it is.
    pub credentials: Arc<Credentials>,
    /// Its name, at most 15 bytes.
    pub name: Vec<u8>,
    /// Whether it runs or sleeps, as `stat` has it: `R`, `S`, `T`, `Z`.
    pub state: u8,
    /// When it began, nanoseconds since the container started.
    pub started: u64,
    /// Processor time in nanoseconds: user, system.
    pub times: [u64; 2],
    /// Signals that wait for the thread.
    pub pending: u64,
    /// Signals that are blocked.
    pub blocked: u64,
    /// Its scheduling policy.
    pub policy: SchedulingPolicy,
    /// Its priority under a policy of real time, else 0.
    pub priority: u32,
    /// Its nice value.
    pub nice: i32,
    /// The processors that it may use, a bit each, 8 in a byte.
    pub processors: Vec<u8>,
    /// How late its timers may be, in nanoseconds.
    pub timer_slack: u64,
}
