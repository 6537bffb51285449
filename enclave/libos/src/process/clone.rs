//! New threads (clone(2), clone3(2)).

use alloc::boxed::Box;
use alloc::sync::Arc;
use core::sync::atomic::Ordering;

use enclave_rt::frame::TrapFrame;
use enclave_rt::{entry, processor};
use kobject::{Errno, Result};

use super::{Thread, table};
use crate::user;

bitflags::bitflags! {
    /// CLONE_ flags.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub(crate) struct CloneFlags: u64 {
        const VM = 0x100;
        const FS = 0x200;
        const FILES = 0x400;
        const SIGHAND = 0x800;
        const VFORK = 0x4000;
        const THREAD = 0x1_0000;
        const SYSVSEM = 0x4_0000;
        const SETTLS = 0x8_0000;
        const PARENT_SETTID = 0x10_0000;
        const CHILD_CLEARTID = 0x20_0000;
        const DETACHED = 0x40_0000;
        const CHILD_SETTID = 0x100_0000;
    }
}

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
    let all = CloneFlags::VM | CloneFlags::FS | CloneFlags::FILES | CloneFlags::SIGHAND | CloneFlags::THREAD;
    if !flags.contains(CloneFlags::THREAD) {
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
    if flags.contains(CloneFlags::CHILD_CLEARTID) {
        child.clear_tid.store(request.child_tid, Ordering::Relaxed);
    }
    if flags.contains(CloneFlags::PARENT_SETTID) {
        user::put(request.parent_tid, &tid)?;
    }
    if flags.contains(CloneFlags::CHILD_SETTID) {
        user::put(request.child_tid, &tid)?;
    }
    let fs_base = if flags.contains(CloneFlags::SETTLS) {
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
