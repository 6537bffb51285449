//! The program of a process: from a path with arguments and environment to the state that its first thread begins with (execve(2)).
//!
//! [`prepare`] opens and looks at everything, and changes nothing: what it refuses is an error of execve(2). What follows cannot be
//! taken back. It is done on the way out of the system call ([`finish`]), where the old program's state is needed no more: the other
//! threads end, the old memory goes, the new program is loaded. If that fails, the process is killed, as on Linux.

use alloc::boxed::Box;
use alloc::format;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::cell::RefCell;
use core::sync::atomic::Ordering;

use enclave_rt::frame::TrapFrame;
use enclave_rt::processor;
use host_abi::MessageKind;
use kobject::{Credentials, Description, Errno, Result, SetIds, Waiter};
use libos_fs::{At, Context};
use libos_mm::AddressSpace;
use linux_abi::{AtFlags, PollEvents, Resource, Signal};

use super::exit::{self, Status};
use super::{CURRENT, Process, Thread, barrier};
use crate::loader::{self, Loaded, Prepared};
use crate::signal::{AlternateStack, from_host};
use crate::{console, futex};

/// What a process is to run.
pub(crate) struct Request {
    pub(crate) path: Vec<u8>,
    /// The file at the path, where the path alone does not lead there.
    pub(crate) file: Option<Arc<Description>>,
    pub(crate) arguments: Vec<Vec<u8>>,
    pub(crate) environment: Vec<Vec<u8>>,
}

/// Why a program cannot be run.
pub(crate) struct Failure {
    /// The file that failed: the program, or an interpreter that it needs.
    pub(crate) file: Vec<u8>,
    pub(crate) errno: Errno,
}

/// Prepares a program, with the permissions and the credentials of `context`.
pub(crate) fn prepare(context: &Context, request: Request) -> core::result::Result<Prepared, Failure> {
    // What was opened last is what failed.
    let opened = RefCell::new(request.path.clone());
    let first = RefCell::new(request.file);
    let open = |path: &[u8]| {
        opened.replace(path.to_vec());
        match first.take() {
            Some(file) => Ok(file),
            None => open(context, At::Cwd, path, AtFlags::empty()),
        }
    };
    let credentials = &context.credentials;
    let request = loader::Request {
        path: &request.path,
        arguments: request.arguments,
        environment: request.environment,
        identities: [
            credentials.uid[0],
            credentials.uid[1],
            credentials.gid[0],
            credentials.gid[1],
        ],
    };
    loader::prepare(&open, request).map_err(|errno| Failure {
        file: opened.borrow().clone(),
        errno,
    })
}

/// Opens a file that `context` may execute, whether or not it may read it: EACCES for one that is not a regular file.
pub(crate) fn open(context: &Context, at: At<'_>, path: &[u8], flags: AtFlags) -> Result<Arc<Description>> {
    crate::container().vfs().open_program(context, at, path, flags)
}

/// Loads the first program of `thread`'s process, whose address space is empty; gives the state that `thread` begins with.
pub(crate) fn start(thread: &Thread, program: Prepared) -> Result<TrapFrame> {
    let process = &thread.process;
    let limits = process.limits.lock().clone();
    let loaded = program.load(&process.space(), limits[Resource::RLIMIT_STACK].current)?;
    process.space().set_limits(limits.of_addresses());
    Ok(take_over(thread, loaded))
}

/// execve(2): the calling thread's process is going to run another program. The rest is [`finish`]'s.
pub(crate) fn begin(thread: &Thread, program: Prepared) {
    *thread.next_program.lock() = Some(Box::new(program));
    enclave_rt::thread::set_pending();
}

/// Finishes execve(2), if the calling thread has begun it; gives the state that it goes on with.
pub(crate) fn finish() -> Option<TrapFrame> {
    let thread = CURRENT.with(Arc::clone);
    let program = thread.next_program.lock().take()?;
    leave_alone(&thread);
    let thread = lead(thread);
    forget(&thread, program.set_ids());
    // Signals are looked at again before the program begins.
    enclave_rt::thread::set_pending();
    let name = thread.program();
    let loaded = begin_anew(&thread, &program).and_then(|()| start(&thread, *program));
    match loaded {
        Ok(frame) => {
            // Last: a parent that waits for the end of a pipe (Python's subprocess) finds the new program below /proc then.
            close_on_exec(&thread.process);
            Some(frame)
        }
        Err(errno) => {
            let line =
                format!("{name} was killed: the program that it executes cannot be loaded ({errno})\n");
            console::print(MessageKind::Notice, &line);
            exit::process(&thread, Status::killed(Signal::SIGKILL))
        }
    }
}

/// Makes the process of `thread` the program that was loaded.
fn take_over(thread: &Thread, loaded: Loaded) -> TrapFrame {
    *thread.process.image.lock() = loaded.image;
    let name = loaded
        .name
        .rsplit(|&byte| byte == b'/')
        .next()
        .unwrap_or_default();
    thread.set_name(name);
    processor::set_fs_base(0);
    loaded.start
}

/// Ends all other threads of the calling thread's process. Of several threads that execute a program, one wins; the others end, too.
fn leave_alone(thread: &Arc<Thread>) {
    let process = &thread.process;
    let is_first = process
        .executing
        .compare_exchange(0, thread.tid, Ordering::AcqRel, Ordering::Acquire)
        .is_ok();
    if !is_first {
        exit::thread(thread, 0);
    }
    let others = || -> Vec<Arc<Thread>> {
        let threads = process.threads().into_iter();
        threads.filter(|other| other.tid != thread.tid).collect()
    };
    let waiter = Waiter::new();
    let _subscription = process
        .departures
        .subscribe(PollEvents::READABLE, waiter.observer());
    loop {
        waiter.reset();
        let others = others();
        if others.is_empty() {
            break;
        }
        // exit_group(2) by another thread.
        if thread.ending.load(Ordering::Acquire) != 0 {
            exit::thread(thread, 0);
        }
        for other in &others {
            if other.ending.swap(1, Ordering::AcqRel) == 0 {
                other.notify();
            }
        }
        drop(others);
        // Signals wait for the new program.
        enclave_rt::thread::clear_pending();
        from_host::forward();
        barrier::acknowledge(thread);
        let _ = waiter.sleep(None);
    }
    process.executing.store(0, Ordering::Release);
}

/// Makes the calling thread, the only one of its process, the first one: with the process's number.
fn lead(thread: Arc<Thread>) -> Arc<Thread> {
    let process = thread.process.clone();
    if thread.tid == process.pid {
        return thread;
    }
    let leader = thread.renumbered(process.pid);
    process.remove_thread(thread.tid);
    process.add_thread(leader.clone());
    leader.begin();
    leader
}

/// Gives the calling thread's process, which has no other thread, memory of its own with nothing in it. What it had goes, unless its
/// parent has lent it.
fn begin_anew(thread: &Thread, program: &Prepared) -> Result<()> {
    let process = &thread.process;
    let nothing = AddressSpace::new(0);
    nothing.admit(&thread.pin);
    let old = process.replace_space(nothing.clone());
    old.unpin(&thread.pin);
    old.dismiss(&thread.pin);
    // The addresses are free before others are looked for.
    drop(old);
    process.aio.clear();
    process.give_memory_back();
    process.has_executed.store(true, Ordering::Relaxed);
    nothing.dismiss(&thread.pin);
    let new = program.space(crate::container().memory)?;
    new.admit(&thread.pin);
    process.replace_space(new.clone());
    new.pin(&thread.pin)
}

/// Forgets what a new program does not inherit (execve(2), "Effect on process attributes").
fn forget(thread: &Thread, set_ids: SetIds) {
    let process = &thread.process;
    futex::release_robust_list(thread);
    thread.robust_list.store(0, Ordering::Relaxed);
    thread.clear_tid.store(0, Ordering::Relaxed);
    {
        let mut signals = thread.signals.lock();
        signals.stack = AlternateStack::NONE;
        signals.suspended = None;
    }
    process.timers.delete_created();
    // Of timers that the new program does not know: it has no handler any more, and they would end it.
    thread.signals.lock().pending.remove_of_timers();
    process.pending.lock().remove_of_timers();
    process.actions.lock().reset_for_exec();
    process.barriers.store(0, Ordering::Relaxed);
    let after = Credentials::clone(&thread.credentials()).executed(set_ids);
    let acts_as_another = after.uid[0] != after.uid[1] || after.gid[0] != after.gid[1];
    thread.set_credentials(after);
    // What acts as another user than its own is not for that user's eyes, nor for its parent's signals.
    process
        .dumpable
        .store(u32::from(!acts_as_another), Ordering::Relaxed);
    if acts_as_another {
        process.death_signal.store(0, Ordering::Relaxed);
    }
}

fn close_on_exec(process: &Process) {
    process.descriptors.unshare();
    let closed = process.descriptors.with(|table| table.remove_on_exec());
    for file in &closed {
        process.forget_file(file);
    }
}
