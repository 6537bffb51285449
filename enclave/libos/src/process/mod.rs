//! Processes and their threads.
//!
//! A [`Process`] is what its threads share; a [`Thread`] runs on one slot of the enclave. All processes stand in one table
//! ([`table`]). As long as there is no fork(2), there is one process; nothing here relies on it.
//!
//! Lock order: the table, a process's locks, a thread's locks. Locks of one level are not held together.

pub(crate) mod barrier;
pub(crate) mod clone;
pub(crate) mod descriptors;
pub(crate) mod exec;
pub(crate) mod exit;
pub(crate) mod limits;
pub(crate) mod table;
mod thread;

use alloc::collections::BTreeMap;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::sync::atomic::{AtomicI32, AtomicU32, Ordering};

use kobject::{Description, Mutex, Result, SpinLock, WaitQueue};
use libos_fs::{Context, Dentry};
use libos_mm::AddressSpace;
use linux_abi::PollEvents;

use crate::signal::Actions;
use crate::signal::pending::Pending;
use crate::time::interval::IntervalTimers;
pub(crate) use descriptors::Descriptors;
use exit::Ending;
pub(crate) use limits::Limits;
pub(crate) use thread::{CURRENT, Thread};

/// What the program was started as, for /proc.
#[derive(Clone, Default)]
pub(crate) struct Image {
    /// The executable.
    pub(crate) executable: Option<Arc<Dentry>>,
    pub(crate) arguments: Vec<Vec<u8>>,
    pub(crate) environment: Vec<Vec<u8>>,
    /// The auxiliary vector, as bytes.
    pub(crate) auxiliary: Vec<u8>,
    /// Where the stack began.
    pub(crate) stack_start: u64,
}

/// A process.
pub(crate) struct Process {
    pub(crate) pid: u32,
    pub(crate) parent: AtomicU32,
    pub(crate) group: AtomicU32,
    pub(crate) session: AtomicU32,
    pub(crate) space: Arc<AddressSpace>,
    /// Held for a look or a change of a slot, which is why it is no lock that parks; what is taken out is dropped after.
    pub(crate) descriptors: SpinLock<Descriptors>,
    /// Where it stands in the file system, and who it is.
    pub(crate) context: Mutex<Context>,
    pub(crate) actions: SpinLock<Actions>,
    pub(crate) pending: SpinLock<Pending>,
    /// Told when a signal arrives, for signalfd.
    pub(crate) signal_observers: Arc<WaitQueue>,
    pub(crate) limits: SpinLock<Limits>,
    pub(crate) image: SpinLock<Image>,
    pub(crate) timers: IntervalTimers,
    /// When it began, CLOCK_MONOTONIC.
    pub(crate) started: u64,
    /// PR_SET_DUMPABLE and the like that are only remembered.
    pub(crate) dumpable: AtomicU32,
    /// PR_SET_PDEATHSIG, personality(2) and nice(2): remembered too.
    pub(crate) death_signal: AtomicU32,
    pub(crate) personality: AtomicU32,
    pub(crate) nice: AtomicI32,
    /// What it has registered for with membarrier(2).
    pub(crate) barriers: AtomicU32,
    threads: SpinLock<BTreeMap<u32, Arc<Thread>>>,
    /// Told when a thread has ended.
    pub(crate) departures: Arc<WaitQueue>,
    /// The number of the thread that ends the others to execute another program, else 0.
    pub(crate) executing: AtomicU32,
    /// How it ends: set by the thread that ends it, or by its last one.
    pub(crate) ending: Ending,
}

impl Process {
    /// Takes a descriptor out of the table; what it referred to is dropped by the caller, without the table's lock.
    pub(crate) fn take_descriptor(&self, fd: descriptors::Fd) -> Result<Arc<Description>> {
        self.descriptors.lock().remove(fd)
    }

    /// Closes a range of descriptors, with the record locks that the process holds on the files.
    pub(crate) fn close_descriptors(&self, first: descriptors::Fd, last: descriptors::Fd) {
        let closed = self.descriptors.lock().remove_range(first, last);
        for file in &closed {
            libos_fs::release_records(file, self.pid);
        }
    }

    /// A process without threads.
    pub(crate) fn new(
        pid: u32,
        parent: u32,
        space: Arc<AddressSpace>,
        context: Context,
        limits: Limits,
    ) -> Arc<Self> {
        Arc::new(Self {
            pid,
            parent: AtomicU32::new(parent),
            group: AtomicU32::new(pid),
            session: AtomicU32::new(pid),
            space,
            descriptors: SpinLock::new(Descriptors::new()),
            context: Mutex::new(context),
            actions: SpinLock::new(Actions::new()),
            pending: SpinLock::new(Pending::new()),
            signal_observers: WaitQueue::new(),
            limits: SpinLock::new(limits),
            image: SpinLock::new(Image::default()),
            timers: IntervalTimers::new(),
            started: kobject::clock::monotonic(),
            dumpable: AtomicU32::new(1),
            death_signal: AtomicU32::new(0),
            personality: AtomicU32::new(0),
            nice: AtomicI32::new(0),
            barriers: AtomicU32::new(0),
            threads: SpinLock::new(BTreeMap::new()),
            departures: WaitQueue::new(),
            executing: AtomicU32::new(0),
            ending: Ending::new(),
        })
    }

    /// Its threads, the first one first.
    pub(crate) fn threads(&self) -> Vec<Arc<Thread>> {
        self.threads.lock().values().cloned().collect()
    }

    /// One of its threads.
    pub(crate) fn thread(&self, tid: u32) -> Option<Arc<Thread>> {
        self.threads.lock().get(&tid).cloned()
    }

    pub(crate) fn add_thread(&self, thread: Arc<Thread>) {
        self.threads.lock().insert(thread.tid, thread);
    }

    /// Takes a thread that has ended out; gives how many are left.
    pub(crate) fn remove_thread(&self, tid: u32) -> usize {
        let left = {
            let mut threads = self.threads.lock();
            threads.remove(&tid);
            threads.len()
        };
        self.departures.wake(PollEvents::READABLE);
        left
    }

    /// Its effective user, for signals that it sends.
    pub(crate) fn uid(&self) -> u32 {
        self.context.lock().credentials.uid[0]
    }

    /// The number of its parent.
    pub(crate) fn parent(&self) -> u32 {
        self.parent.load(Ordering::Relaxed)
    }
}
