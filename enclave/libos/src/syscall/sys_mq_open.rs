//! mq_open, mq_unlink, mq_timedsend, mq_timedreceive, mq_notify, mq_getsetattr.

use alloc::sync::Arc;
use alloc::vec::Vec;

use kobject::credentials::AccessMode;
use kobject::{Description, Errno, Result, clock};
use libos_ipc::Sleep;
use libos_ipc::posix_queue::{Making, Notice, Opener, Queue, Shape};
use linux_abi::ipc::MQ_PRIO_MAX;
use linux_abi::{OpenFlags, Resource, Signal, SignalCode, SignalEvent};

use super::Call;
use super::new_descriptor::add_open;
use super::table::{Restart, Row};
use crate::ipc::sleep;
use crate::process::descriptors::OnExec;
use crate::process::table;
use crate::signal::{SignalInfo, send};
use crate::uapi::{QueueAttributes, Timespec};
use crate::user::{self, Address};
use crate::{container, futex};

/// Rows of the system-call table.
pub(super) const ROWS: &[Row] = &[
    Row::partial(
        240,
        "mq_open",
        sys_mq_open,
        "sxxx",
        "queues are not files below /dev/mqueue",
    ),
    Row::full(241, "mq_unlink", sys_mq_unlink, "s"),
    Row::full(242, "mq_timedsend", sys_mq_timedsend, "dxddx").restarts(Restart::WithFlag),
    Row::full(243, "mq_timedreceive", sys_mq_timedreceive, "dxdxx").restarts(Restart::WithFlag),
    Row::partial(
        244,
        "mq_notify",
        sys_mq_notify,
        "dx",
        "SIGEV_THREAD is ENOSYS: glibc waits for it on a kind of netlink socket that is not there",
    ),
    Row::full(245, "mq_getsetattr", sys_mq_getsetattr, "dxx"),
];

fn sys_mq_open(call: &mut Call<'_>) -> Result<u64> {
    let (name, raw, mode, attributes) = (call.pointer(0), call.uint(1), call.uint(2), call.pointer(3));
    let shape = user::get_if::<QueueAttributes>(attributes)?.map(|attributes| Shape {
        messages: attributes.most_messages,
        message_len: attributes.message_len,
    });
    let name = user::get_path(name)?;
    let flags = OpenFlags::from_bits_retain(raw);
    let access = match flags & OpenFlags::O_ACCMODE {
        mode if mode.is_empty() => AccessMode::READ,
        OpenFlags::O_WRONLY => AccessMode::WRITE,
        OpenFlags::O_RDWR => AccessMode::READ_WRITE,
        _ => return Err(Errno::EINVAL),
    };
    let making = match (
        flags.contains(OpenFlags::O_CREAT),
        flags.contains(OpenFlags::O_EXCL),
    ) {
        (false, _) => Making::Never,
        (true, false) => Making::IfMissing(mode, shape),
        (true, true) => Making::Always(mode, shape),
    };
    let process = &call.thread.process;
    let context = call.thread.context();
    let opener = Opener {
        credentials: &context.credentials,
        umask: context.umask,
        limit: process.limits.lock()[Resource::RLIMIT_MSGQUEUE].current,
        now: clock::timestamp(),
    };
    let queue = container().ipc.queues.open(opener, &name, making, access)?;
    let kept = OpenFlags::O_ACCMODE | OpenFlags::O_NONBLOCK;
    let path: Vec<u8> = b"/".iter().chain(&name).copied().collect();
    let file = Description::new(queue, flags & kept, &path);
    Ok(add_open(process, file, OnExec::of(true))?.into())
}

fn sys_mq_unlink(call: &mut Call<'_>) -> Result<u64> {
    let name = call.path(0)?;
    let credentials = call.thread.credentials();
    container().ipc.queues.unlink(&credentials, &name)?;
    Ok(0)
}

/// What a descriptor refers to, and the queue that it is: EBADF for everything else.
fn queue(call: &Call<'_>) -> Result<(Arc<Description>, Arc<Queue>)> {
    let file = call.file(call.fd(0))?;
    let object: Arc<dyn core::any::Any + Send + Sync> = file.object().clone();
    let queue = object.downcast().map_err(|_| Errno::EBADF)?;
    Ok((file, queue))
}

/// An absolute time on CLOCK_REALTIME as a deadline; `None` for none.
fn deadline(at: Address) -> Result<Option<u64>> {
    let limit = user::get_if::<Timespec>(at)?;
    let limit = limit.map(Timespec::nanoseconds).transpose()?;
    Ok(limit.map(futex::deadline_of_realtime))
}

fn sys_mq_timedsend(call: &mut Call<'_>) -> Result<u64> {
    let (text, len, priority) = (call.pointer(1), call.len(2), call.uint(3));
    let deadline = deadline(call.pointer(4))?;
    if priority >= MQ_PRIO_MAX {
        return Err(Errno::EINVAL);
    }
    let (file, queue) = queue(call)?;
    if !file.flags().writable() {
        return Err(Errno::EBADF);
    }
    if len as u64 > queue.shape().message_len as u64 {
        return Err(Errno::EMSGSIZE);
    }
    let text = user::get_bytes(text, len)?;
    let mut wait = sleep(call.thread, deadline);
    let notice = queue.send(priority, text, may_wait(&file, &mut wait))?;
    if let Some(notice) = notice {
        announce(call, notice);
    }
    Ok(0)
}

fn sys_mq_timedreceive(call: &mut Call<'_>) -> Result<u64> {
    let (at, len, priority_at) = (call.pointer(1), call.len(2), call.pointer(3));
    let deadline = deadline(call.pointer(4))?;
    let (file, queue) = queue(call)?;
    if !file.flags().readable() {
        return Err(Errno::EBADF);
    }
    if (len as u64) < queue.shape().message_len as u64 {
        return Err(Errno::EMSGSIZE);
    }
    let mut wait = sleep(call.thread, deadline);
    let (priority, text) = queue.receive(may_wait(&file, &mut wait))?;
    user::put_if(priority_at, &priority)?;
    user::put_bytes(at, &text)?;
    Ok(text.len() as u64)
}

fn may_wait<'a>(file: &Description, wait: Sleep<'a>) -> Option<Sleep<'a>> {
    (!file.flags().contains(OpenFlags::O_NONBLOCK)).then_some(wait)
}

/// Tells a process of a message that the caller has sent.
fn announce(call: &Call<'_>, notice: Notice) {
    let (Some(signal), Some(process)) = (notice.signal, table::process(notice.pid)) else {
        return;
    };
    let sender = call.thread;
    let mut info = SignalInfo::sent(signal, SignalCode::SI_MESGQ, sender.process.pid, sender.uid());
    info.fields[1] = notice.value;
    // EAGAIN: too many signals wait already, and this one is lost, as on Linux.
    let _ = send::to_process(&process, info);
}

fn sys_mq_notify(call: &mut Call<'_>) -> Result<u64> {
    let event = call.pointer(1);
    let pid = call.thread.process.pid;
    if event == 0 {
        queue(call)?.1.announce_no_more_to(pid);
        return Ok(0);
    }
    // struct sigevent: value (8), signal (4), notify (4).
    let value: u64 = user::get(event)?;
    let [signal, notify]: [u32; 2] = user::get(event + 8)?;
    let signal = match SignalEvent(notify) {
        SignalEvent::SIGEV_NONE => None,
        SignalEvent::SIGEV_SIGNAL if signal as usize <= Signal::COUNT => Signal::from_raw(signal.into()),
        SignalEvent::SIGEV_THREAD => return Err(Errno::ENOSYS),
        _ => return Err(Errno::EINVAL),
    };
    queue(call)?.1.announce_to(Notice { pid, signal, value })?;
    Ok(0)
}

fn sys_mq_getsetattr(call: &mut Call<'_>) -> Result<u64> {
    const NONBLOCK: i64 = OpenFlags::O_NONBLOCK.bits() as i64;
    let (new, old) = (call.pointer(1), call.pointer(2));
    let new = user::get_if::<QueueAttributes>(new)?;
    if new.is_some_and(|new| new.flags & !NONBLOCK != 0) {
        return Err(Errno::EINVAL);
    }
    let (file, queue) = queue(call)?;
    let (flags, shape) = (file.flags(), queue.shape());
    let before = QueueAttributes {
        flags: i64::from((flags & OpenFlags::O_NONBLOCK).bits()),
        most_messages: shape.messages,
        message_len: shape.message_len,
        messages: queue.len(),
        _reserved: [0; 4],
    };
    if let Some(new) = new {
        let mut changed = flags;
        changed.set(OpenFlags::O_NONBLOCK, new.flags & NONBLOCK != 0);
        file.set_flags(changed);
    }
    user::put_if(old, &before)?;
    Ok(0)
}
