//! Threads of processes: their signals, and their place on a slot of the enclave.

use alloc::boxed::Box;
use alloc::string::{String, ToString};
use alloc::sync::Arc;
use core::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};

use enclave_rt::thread::{PerThread, ThreadNumber};
use kobject::{Credentials, Errno, Mutex, Once, Result, SpinLock};
use libos_fs::Context;
use libos_mm::Pin;
use linux_abi::{Signal, SignalSet};

use super::scheduling::Scheduling;
use super::{Process, barrier, turn};
use crate::loader::Prepared;
use crate::signal::deliver::Interrupted;
use crate::signal::pending::Pending;
use crate::signal::{AlternateStack, from_host};
use crate::time::cpu::Meter;

/// The calling thread.
pub(crate) static CURRENT: PerThread<Arc<Thread>> = PerThread::new();

/// What concerns a thread's signals.
pub(crate) struct ThreadSignals {
    pub(crate) mask: SignalSet,
    /// The mask to bring back after sigsuspend, ppoll and the like.
    pub(crate) suspended: Option<SignalSet>,
    pub(crate) pending: Pending,
    pub(crate) stack: AlternateStack,
    /// What sigtimedwait waits for.
    pub(crate) awaited: SignalSet,
}

/// What a thread gets from the one that makes it.
struct Traits {
    mask: SignalSet,
    name: [u8; 16],
    credentials: Arc<Credentials>,
    scheduling: Scheduling,
}

/// A thread.
pub(crate) struct Thread {
    pub(crate) tid: u32,
    pub(crate) process: Arc<Process>,
    /// Who it is.
    credentials: Mutex<Arc<Credentials>>,
    /// What it has asked the scheduler for.
    pub(crate) scheduling: SpinLock<Scheduling>,
    /// How long it ran.
    pub(crate) cpu: Arc<Meter>,
    /// Whether it may touch its process's memory.
    pub(crate) pin: Arc<Pin>,
    /// Where it runs, once it does.
    number: Once<ThreadNumber>,
    /// Whether it waits for something else than its process's turn, as /proc shows it.
    pub(crate) is_away: AtomicBool,
    pub(crate) signals: SpinLock<ThreadSignals>,
    /// CLONE_CHILD_CLEARTID, set_tid_address.
    pub(crate) clear_tid: AtomicU64,
    pub(crate) robust_list: AtomicU64,
    pub(crate) name: SpinLock<[u8; 16]>,
    /// The system call that has just given EINTR.
    pub(crate) interrupted: SpinLock<Option<Interrupted>>,
    /// What it is about to execute in place of its program.
    pub(crate) next_program: SpinLock<Option<Box<Prepared>>>,
    /// Set when its process ends, or another of its threads executes a program: it ends at the next look.
    pub(crate) ending: AtomicU32,
    /// The last barrier of membarrier(2) that it has acknowledged.
    pub(crate) barrier: AtomicU64,
}

impl Thread {
    /// The program's name, as it can be shown.
    pub(crate) fn program(&self) -> String {
        let name = *self.name.lock();
        let name = name.split(|&byte| byte == 0).next().unwrap_or_default();
        name.escape_ascii().to_string()
    }

    /// Names it: of a longer name, 15 bytes are kept.
    pub(crate) fn set_name(&self, name: &[u8]) {
        let mut kept = [0; 16];
        for (place, byte) in kept.iter_mut().take(15).zip(name) {
            *place = *byte;
        }
        *self.name.lock() = kept;
    }

    /// The first thread of a program that no other one has started. It has not begun; its process's space has to admit its pin.
    pub(crate) fn first(process: Arc<Process>) -> Arc<Self> {
        let traits = Traits {
            mask: SignalSet(0),
            name: [0; 16],
            credentials: process.credentials(),
            scheduling: Scheduling::first(),
        };
        Self::with(process.pid, process, traits, Pin::new(), Meter::new().into())
    }

    fn with(tid: u32, process: Arc<Process>, traits: Traits, pin: Arc<Pin>, cpu: Arc<Meter>) -> Arc<Self> {
        let signals = ThreadSignals {
            mask: traits.mask,
            suspended: None,
            pending: Pending::new(),
            stack: AlternateStack::NONE,
            awaited: SignalSet(0),
        };
        Arc::new(Self {
            tid,
            process,
            credentials: Mutex::new(traits.credentials),
            scheduling: SpinLock::new(traits.scheduling),
            cpu,
            pin,
            number: Once::new(),
            is_away: AtomicBool::new(false),
            signals: SpinLock::new(signals),
            clear_tid: AtomicU64::new(0),
            robust_list: AtomicU64::new(0),
            name: SpinLock::new(traits.name),
            interrupted: SpinLock::new(None),
            next_program: SpinLock::new(None),
            ending: AtomicU32::new(0),
            barrier: AtomicU64::new(0),
        })
    }

    fn traits(&self) -> Traits {
        Traits {
            mask: self.signals.lock().mask,
            name: *self.name.lock(),
            credentials: self.credentials(),
            scheduling: self.scheduling.lock().clone(),
        }
    }

    /// What a thread or process has that this one makes.
    fn inherited(&self) -> Traits {
        let traits = self.traits();
        let scheduling = traits.scheduling.inherited();
        Traits { scheduling, ..traits }
    }

    /// Another thread of its process, which has not begun. The process's space has to admit its pin.
    pub(crate) fn sibling(&self, tid: u32) -> Arc<Self> {
        let process = self.process.clone();
        Self::with(tid, process, self.inherited(), Pin::new(), Meter::new().into())
    }

    /// The first thread of a process that this one has forked, with its alternate stack.
    pub(crate) fn forked(&self, tid: u32, process: Arc<Process>, pin: Arc<Pin>) -> Arc<Self> {
        let stack = self.signals.lock().stack;
        let thread = Self::with(tid, process, self.inherited(), pin, Meter::new().into());
        thread.signals.lock().stack = stack;
        thread
    }

    /// The same thread with another number. It is the calling one, and takes no part in anything.
    pub(crate) fn renumbered(&self, tid: u32) -> Arc<Self> {
        let process = self.process.clone();
        let thread = Self::with(tid, process, self.traits(), self.pin.clone(), self.cpu.clone());
        let pending = core::mem::replace(&mut self.signals.lock().pending, Pending::new());
        thread.signals.lock().pending = pending;
        thread
            .barrier
            .store(self.barrier.load(Ordering::Acquire), Ordering::Release);
        // Who asks about the process hears of this one from now on.
        thread.process.set_credentials(self.credentials());
        thread
    }

    /// Its real user, for signals that it sends or causes.
    pub(crate) fn uid(&self) -> u32 {
        self.credentials.lock().uid[0]
    }

    /// Who it is.
    pub(crate) fn credentials(&self) -> Arc<Credentials> {
        self.credentials.lock().clone()
    }

    /// It is somebody else from now on.
    pub(crate) fn set_credentials(&self, credentials: Credentials) {
        let credentials = Arc::new(credentials);
        *self.credentials.lock() = credentials.clone();
        if self.tid == self.process.pid {
            self.process.set_credentials(credentials);
        }
    }

    /// What it brings along to every call that takes a path.
    pub(crate) fn context(&self) -> Context {
        self.process.context(self.credentials())
    }

    /// The calling thread begins to be this one, and waits for its process's turn.
    pub(crate) fn begin(self: &Arc<Self>) {
        self.number.get_or_make(ThreadNumber::current);
        self.pin.begin();
        CURRENT.set(self.clone());
        turn::back(self);
        // What was sent before it ran.
        enclave_rt::thread::set_pending();
    }

    /// Makes it look at what is pending, wherever it is.
    pub(crate) fn notify(&self) {
        if let Some(number) = self.number.get() {
            number.notify();
        }
    }

    /// Whether it does not run now: it blocks in the host, or has not begun.
    pub(crate) fn is_outside(&self) -> bool {
        self.number.get().is_none_or(|number| number.is_blocked())
    }

    /// Whether it blocks a signal.
    pub(crate) fn blocks(&self, signal: Signal) -> bool {
        self.signals.lock().mask.contains(signal)
    }

    /// Whether it waits for a signal in sigtimedwait.
    pub(crate) fn awaits(&self, signal: Signal) -> bool {
        self.signals.lock().awaited.contains(signal)
    }

    /// Whether a signal awaits it that it does not block, or its end, or its process is stopped.
    pub(crate) fn has_signal(&self) -> bool {
        if self.ending.load(Ordering::Acquire) != 0 || self.process.stop.is_stopped() {
            return true;
        }
        let signals = self.signals.lock();
        let open = self.open_signals(signals.mask).0;
        let own = signals.pending.set().0;
        drop(signals);
        (own | self.process.pending.lock().set().0) & open != 0
    }

    /// The signals that it takes now, given those that it blocks. What stops waits while its process uses its parent's memory (vfork(2)):
    /// the parent waits for that memory, and could not continue it.
    pub(crate) fn open_signals(&self, mask: SignalSet) -> SignalSet {
        const STOPS: SignalSet = SignalSet::of(Signal::SIGSTOP)
            .with(SignalSet::of(Signal::SIGTSTP))
            .with(SignalSet::of(Signal::SIGTTIN))
            .with(SignalSet::of(Signal::SIGTTOU));
        let open = SignalSet(!mask.0).with(SignalSet::UNSTOPPABLE);
        match self.process.borrows.load(Ordering::Acquire) {
            true => open.without(STOPS),
            false => open,
        }
    }

    /// Makes an attempt that may wait, and makes it again for as long as what interrupts it is no signal for this thread.
    pub(crate) fn retry_interrupted<R>(&self, mut attempt: impl FnMut() -> Result<R>) -> Result<R> {
        loop {
            match attempt() {
                Err(Errno::EINTR) if !self.is_interrupted() => {}
                done => return done,
            }
        }
    }

    /// A wait has ended with EINTR: whether it is over. If not, nothing is pending any more and it can go on.
    pub(crate) fn is_interrupted(&self) -> bool {
        // First this: what comes from here on is seen below, or sets it again.
        enclave_rt::thread::clear_pending();
        from_host::forward();
        barrier::acknowledge(self);
        CURRENT.with(turn::gate);
        let has_signal = self.has_signal();
        if has_signal {
            enclave_rt::thread::set_pending();
        }
        has_signal
    }
}
