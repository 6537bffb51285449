//! Processes and their threads.
//!
//! A [`Process`] is what its threads share; a [`Thread`] runs on one slot of the enclave. All processes stand in one table
//! ([`table`]), those that have ended until their parents have asked how ([`wait`]). A process shares the addresses of its memory
//! with those that it has forked, and takes turns with them ([`turn`]).
//!
//! Lock order: kinship, the table, a process's locks, a thread's locks. Locks of one level are not held together.

pub(crate) mod barrier;
pub(crate) mod clone;
pub(crate) mod descriptors;
pub(crate) mod exec;
pub(crate) mod exit;
pub(crate) mod kin;
pub(crate) mod limits;
pub(crate) mod pidfd;
pub(crate) mod scheduling;
pub(crate) mod stop;
pub(crate) mod table;
mod thread;
mod transfers;
pub(crate) mod turn;
pub(crate) mod wait;

use alloc::collections::BTreeMap;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};

use kobject::{Credentials, Description, Mutex, Result, SpinLock, WaitQueue, clock};
use libos_fs::{Context, Dentry};
use libos_mm::AddressSpace;
use linux_abi::{CloneFlags, PollEvents};

use crate::aio::AioContexts;
use crate::signal::Actions;
use crate::signal::pending::Pending;
use crate::terminal::PseudoTerminal;
use crate::time::cpu::Gone;
use crate::time::interval::IntervalTimers;
pub(crate) use descriptors::DescriptorTable;
use exit::Ending;
pub(crate) use limits::Limits;
use stop::Stop;
pub(crate) use thread::{CURRENT, Thread};
use transfers::Transfers;

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
    /// Where the program's code begins and ends.
    pub(crate) code: (u64, u64),
}

/// Where a process stands in the file system.
#[derive(Clone)]
pub(crate) struct Place {
    /// Where its absolute paths begin.
    pub(crate) root: Arc<Dentry>,
    /// Where its relative paths begin.
    pub(crate) cwd: Arc<Dentry>,
    /// Permission bits that new files do not get.
    pub(crate) umask: u32,
}

/// A process.
pub(crate) struct Process {
    pub(crate) pid: u32,
    pub(crate) parent: AtomicU32,
    pub(crate) group: AtomicU32,
    pub(crate) session: AtomicU32,
    /// Its controlling terminal.
    pub(crate) terminal: SpinLock<Option<Arc<PseudoTerminal>>>,
    /// Of a session's leader whose terminal was hung up: the group that was in its foreground; else 0.
    pub(crate) former_foreground: AtomicU32,
    /// Its memory: another one from each exec on, and none in the end.
    space: SpinLock<Arc<AddressSpace>>,
    pub(crate) descriptors: DescriptorTable,
    /// Where it stands in the file system. Several processes may share it (CLONE_FS), as the actions (CLONE_SIGHAND).
    pub(crate) place: Arc<Mutex<Place>>,
    /// Who its first thread is, for whoever asks about the process; each thread has its own.
    credentials: Mutex<Arc<Credentials>>,
    pub(crate) actions: Arc<SpinLock<Actions>>,
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
    /// What PR_SET_THP_DISABLE has set: there are no huge pages in any case.
    pub(crate) thp_disabled: AtomicU32,
    /// PR_SET_PDEATHSIG: what it is sent when its parent ends; 0 for nothing.
    pub(crate) death_signal: AtomicU32,
    /// What its parent is sent when it ends; 0 for nothing.
    pub(crate) exit_signal: AtomicU32,
    /// PR_SET_CHILD_SUBREAPER: it becomes the parent of its descendants' orphans.
    pub(crate) is_subreaper: AtomicBool,
    /// It has executed a program since it was forked, which ends what its parent may do with its group.
    pub(crate) has_executed: AtomicBool,
    /// Whether it is stopped.
    pub(crate) stop: Stop,
    /// Its parent has ended, and it was given another one.
    pub(crate) is_adopted: AtomicBool,
    /// It has ended, and waits to be waited for.
    pub(crate) is_zombie: AtomicBool,
    /// Told when it has ended.
    pub(crate) ends: Arc<WaitQueue>,
    /// Told when a child has ended.
    pub(crate) children: Arc<WaitQueue>,
    /// It was made by vfork(2) and uses its parent's memory still.
    pub(crate) borrows: AtomicBool,
    /// Told when it does not any more.
    pub(crate) returns: Arc<WaitQueue>,
    /// personality(2): remembered.
    pub(crate) personality: AtomicU32,
    /// What it has registered for with membarrier(2).
    pub(crate) barriers: AtomicU32,
    threads: SpinLock<BTreeMap<u32, Arc<Thread>>>,
    /// What its first thread was called, once that has ended.
    pub(crate) name_at_end: SpinLock<[u8; 16]>,
    /// The CPU time of those that are gone.
    pub(crate) gone: Gone,
    /// Its contexts of asynchronous input and output.
    pub(crate) aio: AioContexts,
    /// What it has read and written.
    pub(crate) reads: Transfers,
    pub(crate) writes: Transfers,
    /// Told when a thread has ended.
    pub(crate) departures: Arc<WaitQueue>,
    /// The number of the thread that ends the others to execute another program, else 0.
    pub(crate) executing: AtomicU32,
    /// The number of the request that it was made by (`nacre exec`), which its end answers; 0 for none.
    pub(crate) request: AtomicU64,
    /// How it ends: set by the thread that ends it, or by its last one.
    pub(crate) ending: Ending,
}

impl Process {
    /// Takes a descriptor out of the table; what it referred to is dropped by the caller, without the table's lock.
    pub(crate) fn take_descriptor(&self, fd: descriptors::Fd) -> Result<Arc<Description>> {
        self.descriptors.with(|table| table.remove(fd))
    }

    /// Closes a range of descriptors, with the record locks that the process holds on the files.
    pub(crate) fn close_descriptors(&self, first: descriptors::Fd, last: descriptors::Fd) {
        let closed = self.descriptors.with(|table| table.remove_range(first, last));
        for file in &closed {
            self.forget_file(file);
        }
    }

    /// A descriptor of it is closed: what the process has with the file, and not with the descriptor, ends.
    pub(crate) fn forget_file(&self, file: &Description) {
        libos_fs::release_records(file, self.pid);
        if let Some(queue) = file.object_as::<libos_ipc::posix_queue::Queue>() {
            queue.announce_no_more_to(self.pid);
        }
    }

    /// The container's first process, without threads.
    pub(crate) fn first(pid: u32, space: Arc<AddressSpace>, context: Context) -> Arc<Self> {
        Arc::new(Self {
            pid,
            parent: AtomicU32::new(0),
            group: AtomicU32::new(pid),
            session: AtomicU32::new(pid),
            terminal: SpinLock::new(None),
            former_foreground: AtomicU32::new(0),
            space: SpinLock::new(space),
            descriptors: DescriptorTable::new(),
            place: Arc::new(Mutex::new(Place {
                root: context.root,
                cwd: context.cwd,
                umask: context.umask,
            })),
            credentials: Mutex::new(context.credentials),
            actions: Arc::new(SpinLock::new(Actions::new())),
            pending: SpinLock::new(Pending::new()),
            signal_observers: WaitQueue::new(),
            limits: SpinLock::new(Limits::initial()),
            image: SpinLock::new(Image::default()),
            timers: IntervalTimers::new(),
            started: kobject::clock::monotonic(),
            dumpable: AtomicU32::new(1),
            thp_disabled: AtomicU32::new(0),
            death_signal: AtomicU32::new(0),
            exit_signal: AtomicU32::new(0),
            is_subreaper: AtomicBool::new(false),
            has_executed: AtomicBool::new(false),
            stop: Stop::new(),
            is_adopted: AtomicBool::new(false),
            is_zombie: AtomicBool::new(false),
            ends: WaitQueue::new(),
            children: WaitQueue::new(),
            borrows: AtomicBool::new(false),
            returns: WaitQueue::new(),
            personality: AtomicU32::new(0),
            barriers: AtomicU32::new(0),
            threads: SpinLock::new(BTreeMap::new()),
            name_at_end: SpinLock::new([0; 16]),
            gone: Gone::default(),
            aio: AioContexts::new(),
            reads: Transfers::default(),
            writes: Transfers::default(),
            departures: WaitQueue::new(),
            executing: AtomicU32::new(0),
            request: AtomicU64::new(0),
            ending: Ending::new(),
        })
    }

    /// A child without threads, with what fork(2) says is inherited, and the credentials of the thread that forks.
    pub(crate) fn child(
        &self,
        pid: u32,
        parent: u32,
        space: Arc<AddressSpace>,
        shares: CloneFlags,
        credentials: Arc<Credentials>,
    ) -> Arc<Self> {
        let descriptors = match shares.contains(CloneFlags::CLONE_FILES) {
            true => self.descriptors.share(),
            false => self.descriptors.copy(),
        };
        let actions = match shares.contains(CloneFlags::CLONE_SIGHAND) {
            true => self.actions.clone(),
            false => Arc::new(SpinLock::new(self.actions.lock().clone())),
        };
        if shares.contains(CloneFlags::CLONE_CLEAR_SIGHAND) {
            actions.lock().reset_for_exec();
        }
        let place = match shares.contains(CloneFlags::CLONE_FS) {
            true => self.place.clone(),
            false => Arc::new(Mutex::new(self.place.lock().clone())),
        };
        let copy = |value: &AtomicU32| AtomicU32::new(value.load(Ordering::Relaxed));
        Arc::new(Self {
            pid,
            parent: AtomicU32::new(parent),
            group: copy(&self.group),
            session: copy(&self.session),
            terminal: SpinLock::new(self.terminal.lock().clone()),
            former_foreground: AtomicU32::new(0),
            space: SpinLock::new(space),
            descriptors,
            place,
            credentials: Mutex::new(credentials),
            actions,
            pending: SpinLock::new(Pending::new()),
            signal_observers: WaitQueue::new(),
            limits: SpinLock::new(self.limits.lock().clone()),
            image: SpinLock::new(self.image.lock().clone()),
            timers: IntervalTimers::new(),
            started: kobject::clock::monotonic(),
            dumpable: copy(&self.dumpable),
            thp_disabled: copy(&self.thp_disabled),
            death_signal: AtomicU32::new(0),
            exit_signal: AtomicU32::new(0),
            is_subreaper: AtomicBool::new(false),
            has_executed: AtomicBool::new(false),
            stop: Stop::new(),
            is_adopted: AtomicBool::new(false),
            is_zombie: AtomicBool::new(false),
            ends: WaitQueue::new(),
            children: WaitQueue::new(),
            borrows: AtomicBool::new(shares.contains(CloneFlags::CLONE_VFORK)),
            returns: WaitQueue::new(),
            personality: copy(&self.personality),
            barriers: copy(&self.barriers),
            threads: SpinLock::new(BTreeMap::new()),
            name_at_end: SpinLock::new([0; 16]),
            gone: Gone::default(),
            aio: AioContexts::new(),
            reads: Transfers::default(),
            writes: Transfers::default(),
            departures: WaitQueue::new(),
            executing: AtomicU32::new(0),
            request: AtomicU64::new(0),
            ending: Ending::new(),
        })
    }

    /// Its memory.
    pub(crate) fn space(&self) -> Arc<AddressSpace> {
        self.space.lock().clone()
    }

    /// Gives it other memory; gives what it had, to be dropped without a lock.
    pub(crate) fn replace_space(&self, space: Arc<AddressSpace>) -> Arc<AddressSpace> {
        core::mem::replace(&mut *self.space.lock(), space)
    }

    /// It does not use its parent's memory any more, if it did.
    pub(crate) fn give_memory_back(&self) {
        if self.borrows.swap(false, Ordering::AcqRel) {
            self.returns.wake(PollEvents::READABLE);
        }
    }

    /// Its threads, the first one first.
    pub(crate) fn threads(&self) -> Vec<Arc<Thread>> {
        self.threads.lock().values().cloned().collect()
    }

    /// Nanoseconds that its threads ran, with those that have ended.
    pub(crate) fn cpu_time(&self) -> u64 {
        let now = clock::monotonic();
        let threads = self.threads.lock();
        let running: u64 = threads.values().map(|thread| thread.cpu.at(now)).sum();
        running + self.gone.threads()
    }

    /// How many threads it has.
    pub(crate) fn thread_count(&self) -> usize {
        self.threads.lock().len()
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
        if let Some(first) = self.thread(tid).filter(|_| tid == self.pid) {
            *self.name_at_end.lock() = *first.name.lock();
        }
        let now = clock::monotonic();
        let left = {
            let mut threads = self.threads.lock();
            if let Some(gone) = threads.remove(&tid) {
                // Under the lock, so that its time always counts once.
                self.gone.add_thread(gone.cpu.take(now));
            }
            threads.len()
        };
        self.departures.wake(PollEvents::READABLE);
        left
    }

    /// Its real user, for signals that it causes.
    pub(crate) fn uid(&self) -> u32 {
        self.credentials.lock().uid[0]
    }

    /// Who it is: its first thread.
    pub(crate) fn credentials(&self) -> Arc<Credentials> {
        self.credentials.lock().clone()
    }

    /// Its first thread is somebody else from now on.
    fn set_credentials(&self, credentials: Arc<Credentials>) {
        *self.credentials.lock() = credentials;
    }

    /// Where it stands in the file system, for a thread of it.
    pub(crate) fn context(&self, credentials: Arc<Credentials>) -> Context {
        let Place { root, cwd, umask } = self.place.lock().clone();
        Context {
            root,
            cwd,
            umask,
            credentials,
        }
    }

    /// The number of its parent.
    pub(crate) fn parent(&self) -> u32 {
        self.parent.load(Ordering::Relaxed)
    }
}
