//! kcmp.

use alloc::sync::Arc;
use core::cmp::Ordering as Order;
use core::sync::atomic::Ordering;

use kobject::{Description, Errno, Result};
use libos_io::Epoll;
use linux_abi::{Capabilities, CompareType};

use super::Call;
use super::table::Row;
use crate::process::descriptors::Fd;
use crate::process::{Process, Thread, table};
use crate::uapi::EpollSlot;
use crate::{container, user};

/// Rows of the system-call table.
pub(super) const ROWS: &[Row] = &[Row::full(312, "kcmp", sys_kcmp, "dddxx")];

fn sys_kcmp(call: &mut Call<'_>) -> Result<u64> {
    let (kind, first, second) = (CompareType(call.int(2)), call.ulong(3), call.ulong(4));
    let (one, two) = (thread_of(call.int(0))?, thread_of(call.int(1))?);
    if !may_inspect(call.thread, &one.process) || !may_inspect(call.thread, &two.process) {
        return Err(Errno::EPERM);
    }
    let order = match kind {
        CompareType::KCMP_FILE => {
            let (first, second) = (open_file(&one, first as Fd)?, open_file(&two, second as Fd)?);
            compare(&first, &second)
        }
        CompareType::KCMP_EPOLL_TFD => {
            let slot = user::get(second)?;
            let first = open_file(&one, first as Fd)?;
            compare(&first, &watched(&two, slot)?)
        }
        CompareType::KCMP_VM => one.process.space().id().cmp(&two.process.space().id()),
        CompareType::KCMP_FILES => one.process.descriptors.cmp(&two.process.descriptors),
        CompareType::KCMP_FS => compare(&one.process.place, &two.process.place),
        CompareType::KCMP_SIGHAND => compare(&one.process.actions, &two.process.actions),
        // Nobody shares these: they are the same if there are none yet.
        CompareType::KCMP_IO => {
            let has_one = |thread: &Thread| thread.scheduling.lock().io_priority != 0;
            let number = |thread: &Thread| if has_one(thread) { thread.tid } else { 0 };
            number(&one).cmp(&number(&two))
        }
        CompareType::KCMP_SYSVSEM => {
            let number = |process: &Process| match container().ipc.semaphores.undoes(process.pid) {
                false => 0,
                true => process.pid,
            };
            number(&one.process).cmp(&number(&two.process))
        }
        _ => return Err(Errno::EINVAL),
    };
    Ok(match order {
        Order::Equal => 0,
        Order::Less => 1,
        Order::Greater => 2,
    })
}

fn thread_of(number: i32) -> Result<Arc<Thread>> {
    let number = u32::try_from(number).map_err(|_| Errno::ESRCH)?;
    table::thread(number).ok_or(Errno::ESRCH)
}

/// Whether the caller may look into another's process (PTRACE_MODE_READ_REALCREDS of ptrace(2)).
pub(super) fn may_inspect(caller: &Thread, target: &Process) -> bool {
    if caller.process.pid == target.pid {
        return true;
    }
    let (credentials, its) = (caller.credentials(), target.credentials());
    let is_same = its.uid.iter().take(3).all(|&id| id == credentials.uid[0])
        && its.gid.iter().take(3).all(|&id| id == credentials.gid[0])
        && credentials
            .privileges
            .permitted
            .contains(its.privileges.permitted)
        && target.dumpable.load(Ordering::Relaxed) == 1;
    is_same || credentials.has(Capabilities::CAP_SYS_PTRACE)
}

/// By their addresses: which one comes first means nothing.
fn compare<T: ?Sized>(one: &Arc<T>, two: &Arc<T>) -> Order {
    Arc::as_ptr(one).addr().cmp(&Arc::as_ptr(two).addr())
}

fn open_file(thread: &Thread, fd: Fd) -> Result<Arc<Description>> {
    thread.process.descriptors.with(|table| table.find(fd).cloned())
}

/// What an epoll instance of a process watches under a descriptor's number.
fn watched(thread: &Thread, slot: EpollSlot) -> Result<Arc<Description>> {
    let file = open_file(thread, slot.instance)?;
    let instance = file.object_as::<Epoll>().ok_or(Errno::EINVAL)?;
    instance
        .watched(slot.descriptor, slot.index as usize)
        .ok_or(Errno::ENOENT)
}
