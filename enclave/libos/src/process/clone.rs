//! New threads (clone(2), clone3(2)).

use alloc::boxed::Box;
use alloc::sync::Arc;
use core::sync::atomic::Ordering;

use enclave_rt::frame::TrapFrame;
use enclave_rt::{entry, processor};
use kobject::{Errno, Result};
use linux_abi::CloneFlags;

use super::{Thread, table};
use crate::user;

/// What clone is asked for.
pub(crate) struct CloneRequest {
    pub(crate) flags: CloneFlags,
    /// The new thread's stack pointer; 0 for the caller's.
    pub(crate) stack: u64,
    pub(crate) parent_tid: u64,
    pub(crate) child_tid: u64,
    pub(crate) tls: u64,
}

/// Makes a thread that goes on where the caller does, with 0 in `rax`.
pub(crate) fn thread(parent: &Arc<Thread>, request: &CloneRequest, state: TrapFrame) -> Result<u32> {
    let flags = request.flags;
    let all = CloneFlags::CLONE_VM
        | CloneFlags::CLONE_FS
        | CloneFlags::CLONE_FILES
        | CloneFlags::CLONE_SIGHAND
        | CloneFlags::CLONE_THREAD;
    if !flags.contains(CloneFlags::CLONE_THREAD) {
        // fork, vfork and posix_spawn are not available yet: there is one process.
        return Err(Errno::ENOSYS);
    }
    if !flags.contains(all) {
        return Err(Errno::EINVAL);
    }
    let process = &parent.process;
    let tid = table::new_number();
    let mask = parent.signals.lock().mask;
    let name = *parent.name.lock();
    let child = Thread::new(tid, process.clone(), mask, name);
    if flags.contains(CloneFlags::CLONE_CHILD_CLEARTID) {
        child.clear_tid.store(request.child_tid, Ordering::Relaxed);
    }
    if flags.contains(CloneFlags::CLONE_PARENT_SETTID) {
        user::put(request.parent_tid, &tid)?;
    }
    if flags.contains(CloneFlags::CLONE_CHILD_SETTID) {
        user::put(request.child_tid, &tid)?;
    }
    let fs_base = if flags.contains(CloneFlags::CLONE_SETTLS) {
        request.tls
    } else {
        processor::fs_base()
    };
    let mut state = Box::new(state);
    state.registers.rax = 0;
    if request.stack != 0 {
        state.registers.rsp = request.stack;
    }
    process.add_thread(child.clone());
    let started = enclave_rt::thread::spawn(Box::new(move || {
        child.begin();
        drop(child);
        processor::set_fs_base(fs_base);
        // On the stack: the box would never be freed, since nothing returns from the program.
        let mut frame = *state;
        entry::enter_program(&mut frame)
    }));
    if let Err(error) = started {
        process.remove_thread(tid);
        return Err(error);
    }
    Ok(tid)
}
