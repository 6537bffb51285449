//! New threads and processes (clone(2), clone3(2), fork(2), vfork(2)).

use alloc::boxed::Box;
use alloc::sync::Arc;
use core::sync::atomic::{AtomicBool, Ordering};

use enclave_rt::frame::TrapFrame;
use enclave_rt::thread::{clear_pending, set_pending};
use enclave_rt::{entry, processor};
use host_abi::MessageKind;
use kobject::{Errno, Result, Waiter};
use libos_mm::{AddressSpace, Pin};
use linux_abi::limits::RLIM_INFINITY;
use linux_abi::{Capabilities, CloneFlags, OpenFlags, PollEvents, Resource};

use super::descriptors::Fd;
use super::{Process, Thread, barrier, table};
use crate::console;
use crate::signal::from_host;
use crate::syscall::sys_pidfd;
use crate::user;

/// What clone is asked for.
pub(crate) struct CloneRequest {
    pub(crate) flags: CloneFlags,
    /// What a new process's parent is sent at its end; 0 for nothing.
    pub(crate) exit_signal: u32,
    /// The stack pointer of what is made; 0 for the caller's.
    pub(crate) stack: u64,
    pub(crate) parent_tid: u64,
    /// Where the descriptor of a new process is written (CLONE_PIDFD).
    pub(crate) pidfd: u64,
    pub(crate) child_tid: u64,
    pub(crate) tls: u64,
}

impl CloneRequest {
    /// EINVAL for what Linux does not allow together, EPERM for namespaces: a container has one set of them.
    fn check(&self) -> Result<()> {
        let has = |flags| self.flags.contains(flags);
        let thread = CloneFlags::CLONE_THREAD;
        let signals = CloneFlags::CLONE_SIGHAND;
        let is_wrong = (has(thread) && !has(signals))
            || (has(signals) && !has(CloneFlags::CLONE_VM))
            || has(signals | CloneFlags::CLONE_CLEAR_SIGHAND)
            || has(CloneFlags::CLONE_NEWNS | CloneFlags::CLONE_FS)
            || has(CloneFlags::CLONE_NEWUSER | CloneFlags::CLONE_FS)
            // In clone(2), both numbers would be written to the same place; a descriptor names a process.
            || (has(CloneFlags::CLONE_PIDFD) && (has(thread) || self.pidfd == self.parent_tid && has(CloneFlags::CLONE_PARENT_SETTID)));
        match is_wrong {
            true => Err(Errno::EINVAL),
            false if self.flags.intersects(CloneFlags::NAMESPACES) => Err(Errno::EPERM),
            false => Ok(()),
        }
    }

    /// The state that the child begins with: the caller's, with 0 in `rax`.
    fn state(&self, mut state: TrapFrame) -> Box<TrapFrame> {
        state.registers.rax = 0;
        if self.stack != 0 {
            state.registers.rsp = self.stack;
        }
        Box::new(state)
    }

    fn fs_base(&self) -> u64 {
        match self.flags.contains(CloneFlags::CLONE_SETTLS) {
            true => self.tls,
            false => processor::fs_base(),
        }
    }
}

/// Makes a thread or a process that goes on where the caller does; gives its number.
///
/// # Errors
/// As clone(2). EAGAIN if every thread of the enclave is in use.
pub(crate) fn clone(parent: &Arc<Thread>, request: &CloneRequest, state: TrapFrame) -> Result<u32> {
    request.check()?;
    check_count(parent)?;
    match request.flags.contains(CloneFlags::CLONE_THREAD) {
        true => thread(parent, request, state),
        false => process(parent, request, state),
    }
}

/// EAGAIN if the user has as many threads as RLIMIT_NPROC allows, and no privilege.
fn check_count(parent: &Thread) -> Result<()> {
    let limit = parent.process.limits.lock()[Resource::RLIMIT_NPROC].current;
    let credentials = parent.credentials();
    let [user, ..] = credentials.uid;
    let is_free = user == 0
        || credentials.has(Capabilities::CAP_SYS_RESOURCE)
        || credentials.has(Capabilities::CAP_SYS_ADMIN);
    if limit == RLIM_INFINITY || is_free {
        return Ok(());
    }
    let threads = table::processes()
        .into_iter()
        .flat_map(|process| process.threads());
    let count = threads.filter(|thread| thread.uid() == user).count() as u64;
    if count < limit { Ok(()) } else { Err(Errno::EAGAIN) }
}

fn thread(parent: &Arc<Thread>, request: &CloneRequest, state: TrapFrame) -> Result<u32> {
    let all = CloneFlags::CLONE_VM | CloneFlags::CLONE_FS | CloneFlags::CLONE_FILES;
    if !request.flags.contains(all) {
        return Err(Errno::EINVAL);
    }
    let process = &parent.process;
    let tid = table::new_number();
    let child = parent.sibling(tid);
    if request.flags.contains(CloneFlags::CLONE_PARENT_SETTID) {
        user::put(request.parent_tid, &tid)?;
    }
    let space = process.space();
    space.admit(&child.pin);
    process.add_thread(child.clone());
    if let Err(error) = start(child.clone(), request, state) {
        process.remove_thread(tid);
        space.dismiss(&child.pin);
        return Err(error);
    }
    Ok(tid)
}

fn process(parent: &Arc<Thread>, request: &CloneRequest, state: TrapFrame) -> Result<u32> {
    let flags = request.flags;
    let pid = table::new_number();
    if flags.contains(CloneFlags::CLONE_PARENT_SETTID) {
        user::put(request.parent_tid, &pid)?;
    }
    let caller = &parent.process;
    let pid_of_parent = match flags.contains(CloneFlags::CLONE_PARENT) {
        true => caller.parent(),
        false => caller.pid,
    };
    let process = caller.child(pid, pid_of_parent, caller.space(), flags, parent.credentials());
    // While the memory is the caller's to write to.
    let descriptor = match flags.contains(CloneFlags::CLONE_PIDFD) {
        true => Some(describe(caller, &process, request.pidfd)?),
        false => None,
    };
    let pin = Pin::new();
    let space = match memory(parent, flags, &pin) {
        Ok(space) => space,
        Err(error) => {
            take_back(caller, descriptor);
            return Err(error);
        }
    };
    drop(process.replace_space(space.clone()));
    process.exit_signal.store(request.exit_signal, Ordering::Relaxed);
    let child = parent.forked(pid, process.clone(), pin);
    process.add_thread(child.clone());
    table::add(process.clone());
    // Best effort: a new process has used nothing, and all of its limits besides hold.
    let _ = process.timers.limit_cpu(&process);
    if let Err(error) = start(child.clone(), request, state) {
        process.remove_thread(pid);
        table::remove(pid);
        space.unpin(&child.pin);
        space.dismiss(&child.pin);
        take_back(caller, descriptor);
        return Err(error);
    }
    drop((space, child));
    if flags.contains(CloneFlags::CLONE_VFORK) {
        wait_for_memory(parent, &process);
    }
    Ok(pid)
}

/// The memory of a new process: the caller's, or a copy of it, which then has the turn.
fn memory(parent: &Thread, flags: CloneFlags, pin: &Arc<Pin>) -> Result<Arc<AddressSpace>> {
    let space = parent.process.space();
    if flags.contains(CloneFlags::CLONE_VM) {
        space.admit(pin);
        return Ok(space);
    }
    let forked = space.fork(&parent.pin, pin)?;
    // The caller waits for its own turn on the way back to its program.
    set_pending();
    Ok(forked)
}

/// Opens a descriptor of a new process, and writes its number to the caller's memory.
fn describe(caller: &Process, process: &Arc<Process>, at: u64) -> Result<Fd> {
    let descriptor = sys_pidfd::open(caller, process.clone(), OpenFlags::empty())?;
    match user::put(at, &descriptor) {
        Ok(()) => Ok(descriptor),
        Err(error) => {
            take_back(caller, Some(descriptor));
            Err(error)
        }
    }
}

/// Closes a descriptor whose process did not come to be.
fn take_back(caller: &Process, descriptor: Option<Fd>) {
    if let Some(fd) = descriptor {
        drop(caller.take_descriptor(fd));
    }
}

/// Starts a thread of a program.
fn start(child: Arc<Thread>, request: &CloneRequest, state: TrapFrame) -> Result<()> {
    let flags = request.flags;
    let child_tid = request.child_tid;
    if flags.contains(CloneFlags::CLONE_CHILD_CLEARTID) {
        child.clear_tid.store(child_tid, Ordering::Relaxed);
    }
    let fs_base = request.fs_base();
    let state = request.state(state);
    let started = enclave_rt::thread::spawn(Box::new(move || {
        child.begin();
        if flags.contains(CloneFlags::CLONE_CHILD_SETTID) {
            // The memory that it is written to is the child's. Linux does not say either if it cannot be.
            let _ = user::put(child_tid, &child.tid);
        }
        drop(child);
        processor::set_fs_base(fs_base);
        // On the stack: the box would never be freed, since nothing returns from the program.
        let mut frame = *state;
        entry::enter_program(&mut frame)
    }));
    if started.is_err() {
        say_threads_are_short();
    }
    started
}

/// Programs say no more than "try again": names the limit, once.
fn say_threads_are_short() {
    static SAID: AtomicBool = AtomicBool::new(false);
    if !SAID.swap(true, Ordering::Relaxed) {
        let line = "all threads of the enclave are in use: convert with a larger --threads\n";
        console::print(MessageKind::Notice, line);
    }
}

/// vfork(2): waits until the child does not use the memory any more. Only what ends the caller ends the wait.
fn wait_for_memory(parent: &Thread, child: &Process) {
    let waiter = Waiter::new();
    let _subscription = child.returns.subscribe(PollEvents::READABLE, waiter.observer());
    loop {
        waiter.reset();
        if !child.borrows.load(Ordering::Acquire) || parent.ending.load(Ordering::Acquire) != 0 {
            break;
        }
        // Signals wait.
        clear_pending();
        from_host::forward();
        barrier::acknowledge(parent);
        let _ = waiter.sleep(None);
    }
    set_pending();
}
