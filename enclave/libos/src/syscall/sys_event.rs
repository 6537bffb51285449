//! pipe, eventfd, timerfd, signalfd, memfd_create, epoll.

use alloc::boxed::Box;
use alloc::sync::Arc;

use kobject::{Description, Errno, File, Result, StatusFlags, WaitQueue};
use libos_io::{
    Epoll, EpollEvent, EpollOperation, EventFd, SIGNAL_INFO_SIZE, SignalFd, SignalSource, TimerClock, TimerFd,
};
use zerocopy::IntoBytes;

use super::Call;
use super::sys_descriptor::limit;
use super::sys_poll::{deadline_of_milliseconds, deadline_of_timespec};
use super::sys_signal::{mask_argument, with_mask};
use super::table::{Restart, Row};
use crate::process::descriptors::OnExec;
use crate::process::{CURRENT, Process};
use crate::signal::{SignalInfo, SignalSet};
use crate::uapi::{Itimerspec, RawEpollEvent, Timespec};
use crate::user;

/// What the table says of these.
pub(super) const ROWS: &[Row] = &[
    Row::full(22, "pipe", sys_pipe, "x"),
    Row::full(293, "pipe2", sys_pipe2, "xx"),
    Row::full(284, "eventfd", sys_eventfd, "d"),
    Row::full(290, "eventfd2", sys_eventfd2, "dx"),
    Row::partial(
        283,
        "timerfd_create",
        sys_timerfd_create,
        "dx",
        "a machine's sleep is not noticed",
    ),
    Row::partial(
        286,
        "timerfd_settime",
        sys_timerfd_settime,
        "dxxx",
        "no TFD_TIMER_CANCEL_ON_SET",
    ),
    Row::full(287, "timerfd_gettime", sys_timerfd_gettime, "dx"),
    Row::full(282, "signalfd", sys_signalfd, "dxd"),
    Row::full(289, "signalfd4", sys_signalfd4, "dxdx"),
    Row::partial(
        319,
        "memfd_create",
        sys_memfd_create,
        "sx",
        "MFD_HUGETLB has no effect",
    ),
    Row::full(213, "epoll_create", sys_epoll_create, "d"),
    Row::full(291, "epoll_create1", sys_epoll_create1, "x"),
    Row::full(233, "epoll_ctl", sys_epoll_ctl, "dddx"),
    Row::full(232, "epoll_wait", sys_epoll_wait, "dxdd"),
    Row::full(281, "epoll_pwait", sys_epoll_pwait, "dxddxd"),
    Row::full(441, "epoll_pwait2", sys_epoll_pwait2, "dxdxxd").restarts(Restart::Never),
];

const CLOEXEC: u64 = 0o2000000;
const NONBLOCK: u64 = 0o4000;

/// Opens a descriptor for a new object.
pub(super) fn add(
    process: &Process,
    object: Arc<dyn File>,
    flags: StatusFlags,
    on_exec: OnExec,
) -> Result<u64> {
    add_open(process, Description::new(object, flags, b""), on_exec)
}

/// Opens a descriptor for an open file.
pub(super) fn add_open(process: &Process, file: Arc<Description>, on_exec: OnExec) -> Result<u64> {
    let limit = limit(process);
    let fd = process.descriptors.lock().add(&file, on_exec, 0, limit)?;
    Ok(fd.into())
}

/// The flags that all these calls take.
fn flags(raw: u64, others: u64) -> Result<(StatusFlags, OnExec)> {
    if raw & !(CLOEXEC | NONBLOCK | others) != 0 {
        return Err(Errno::EINVAL);
    }
    let mut flags = StatusFlags::READ_WRITE;
    flags.set(StatusFlags::NONBLOCK, raw & NONBLOCK != 0);
    Ok((flags, OnExec::of(raw & CLOEXEC != 0)))
}

fn sys_pipe(call: &mut Call<'_>) -> Result<u64> {
    make_pipe(call, 0)
}

fn sys_pipe2(call: &mut Call<'_>) -> Result<u64> {
    make_pipe(call, call.args[1])
}

fn make_pipe(call: &Call<'_>, raw: u64) -> Result<u64> {
    const DIRECT: u64 = 0o40000;
    let (both, on_exec) = flags(raw, DIRECT)?;
    let common = both & StatusFlags::NONBLOCK;
    let (reader, writer) = libos_io::pipe::pipe();
    if raw & DIRECT != 0 {
        writer.set_packets(true);
    }
    let process = &call.thread.process;
    let first = add(process, reader, common, on_exec)?;
    let second = match add(process, writer, common | StatusFlags::WRITE_ONLY, on_exec) {
        Ok(second) => second,
        Err(error) => {
            drop(process.take_descriptor(first as u32));
            return Err(error);
        }
    };
    let put = user::put(call.args[0], &[first as u32, second as u32]);
    if put.is_err() {
        let closed = [first, second].map(|fd| process.take_descriptor(fd as u32));
        drop(closed);
    }
    put.map(|()| 0)
}

fn sys_eventfd(call: &mut Call<'_>) -> Result<u64> {
    make_eventfd(call, 0)
}

fn sys_eventfd2(call: &mut Call<'_>) -> Result<u64> {
    make_eventfd(call, call.args[1])
}

fn make_eventfd(call: &Call<'_>, raw: u64) -> Result<u64> {
    const SEMAPHORE: u64 = 1;
    let (flags, on_exec) = flags(raw, SEMAPHORE)?;
    let mode = if raw & SEMAPHORE != 0 {
        libos_io::EventMode::Semaphore
    } else {
        libos_io::EventMode::Counter
    };
    add(
        &call.thread.process,
        EventFd::new(call.args[0] as u32, mode),
        flags,
        on_exec,
    )
}

fn sys_timerfd_create(call: &mut Call<'_>) -> Result<u64> {
    let (flags, on_exec) = flags(call.args[1], 0)?;
    let clock = TimerClock::from_raw(call.args[0] as u32)?;
    let timer = TimerFd::new(clock, crate::container().timers.clone());
    add(&call.thread.process, timer, flags, on_exec)
}

fn setting(raw: libos_io::TimerSetting) -> Itimerspec {
    Itimerspec {
        interval: Timespec::of(raw.interval),
        value: Timespec::of(raw.value),
    }
}

fn sys_timerfd_settime(call: &mut Call<'_>) -> Result<u64> {
    let [fd, flags, new, old, ..] = call.args;
    // TFD_TIMER_ABSTIME, TFD_TIMER_CANCEL_ON_SET
    if flags & !3 != 0 {
        return Err(Errno::EINVAL);
    }
    let file = call.file(fd)?;
    let timer = file.object_as::<TimerFd>().ok_or(Errno::EINVAL)?;
    let new: Itimerspec = user::get(new)?;
    let new = libos_io::TimerSetting {
        value: new.value.nanoseconds()?,
        interval: new.interval.nanoseconds()?,
    };
    let base = if flags & 1 != 0 {
        libos_io::TimerBase::Absolute
    } else {
        libos_io::TimerBase::Relative
    };
    let before = timer.set(new, base)?;
    user::put_if(old, &setting(before))?;
    Ok(0)
}

fn sys_timerfd_gettime(call: &mut Call<'_>) -> Result<u64> {
    let file = call.file(call.args[0])?;
    let timer = file.object_as::<TimerFd>().ok_or(Errno::EINVAL)?;
    user::put(call.args[1], &setting(timer.get()))?;
    Ok(0)
}

/// The pending signals of whoever reads.
struct Pending {
    queue: Arc<WaitQueue>,
}

impl SignalSource for Pending {
    fn is_pending(&self, set: u64) -> bool {
        CURRENT.with(|thread| {
            let own = thread.signals.lock().pending.set().0;
            (own | thread.process.pending.lock().set().0) & set != 0
        })
    }

    fn dequeue(&self, set: u64) -> Option<[u8; SIGNAL_INFO_SIZE]> {
        let set = SignalSet(set);
        let info = CURRENT.with(|thread| {
            let own = thread.signals.lock().pending.take(set);
            own.or_else(|| thread.process.pending.lock().take(set))
        })?;
        Some(signalfd_info(&info))
    }

    fn queue(&self) -> Arc<WaitQueue> {
        self.queue.clone()
    }
}

/// `struct signalfd_siginfo` (signalfd(2)).
fn signalfd_info(info: &SignalInfo) -> [u8; SIGNAL_INFO_SIZE] {
    let mut bytes = [0; SIGNAL_INFO_SIZE];
    let mut put = |at: usize, word: u32| {
        if let Some(place) = bytes.get_mut(at..at + 4) {
            place.copy_from_slice(&word.to_le_bytes());
        }
    };
    let [first, second] = [info.fields[0], info.fields[1]];
    put(0, info.signal as u32);
    put(4, info.errno as u32);
    put(8, info.code as u32);
    match info.code {
        crate::signal::code::TIMER => {
            put(24, first as u32);
            put(32, (first >> 32) as u32);
        }
        _ => {
            put(12, first as u32);
            put(16, (first >> 32) as u32);
        }
    }
    put(44, second as u32);
    put(48, second as u32);
    put(52, (second >> 32) as u32);
    bytes
}

fn sys_signalfd(call: &mut Call<'_>) -> Result<u64> {
    make_signalfd(call, 0)
}

fn sys_signalfd4(call: &mut Call<'_>) -> Result<u64> {
    make_signalfd(call, call.args[3])
}

fn make_signalfd(call: &Call<'_>, raw: u64) -> Result<u64> {
    let [_, set, size, ..] = call.args;
    let (flags, on_exec) = flags(raw, 0)?;
    let set = mask_argument(set, size)?
        .ok_or(Errno::EFAULT)?
        .without(SignalSet::UNSTOPPABLE);
    if call.int(0) != -1 {
        let file = call.file(call.args[0])?;
        let existing = file.object_as::<SignalFd>().ok_or(Errno::EINVAL)?;
        existing.set_signals(set.0);
        return Ok(call.args[0]);
    }
    let process = &call.thread.process;
    let source = Pending {
        queue: process.signal_observers.clone(),
    };
    add(process, SignalFd::new(Box::new(source), set.0), flags, on_exec)
}

fn sys_memfd_create(call: &mut Call<'_>) -> Result<u64> {
    const CLOEXEC: u64 = 1;
    const ALLOW_SEALING: u64 = 2;
    const HUGETLB: u64 = 4;
    const NOEXEC_SEAL: u64 = 8;
    const EXEC: u64 = 16;
    const F_SEAL_SEAL: u32 = 1;
    let [name, raw, ..] = call.args;
    if raw & !(CLOEXEC | ALLOW_SEALING | HUGETLB | NOEXEC_SEAL | EXEC | 0xfc00_0000) != 0 {
        return Err(Errno::EINVAL);
    }
    let name = user::get_string(name, 249, Errno::EINVAL)?;
    let context = call.thread.process.context.lock().clone();
    let seals = if raw & (ALLOW_SEALING | NOEXEC_SEAL) != 0 {
        0
    } else {
        F_SEAL_SEAL
    };
    let file = crate::container()
        .vfs
        .anonymous_file(&context, &name, Some(seals))?;
    add_open(&call.thread.process, file, OnExec::of(raw & CLOEXEC != 0))
}

fn sys_epoll_create(call: &mut Call<'_>) -> Result<u64> {
    if call.int(0) <= 0 {
        return Err(Errno::EINVAL);
    }
    add(
        &call.thread.process,
        Epoll::new(),
        StatusFlags::READ_WRITE,
        OnExec::Keep,
    )
}

fn sys_epoll_create1(call: &mut Call<'_>) -> Result<u64> {
    if call.args[0] & !CLOEXEC != 0 {
        return Err(Errno::EINVAL);
    }
    add(
        &call.thread.process,
        Epoll::new(),
        StatusFlags::READ_WRITE,
        OnExec::of(call.args[0] != 0),
    )
}

fn sys_epoll_ctl(call: &mut Call<'_>) -> Result<u64> {
    let [epoll, operation, fd, event, ..] = call.args;
    let operation = match operation {
        1 => EpollOperation::Add,
        2 => EpollOperation::Delete,
        3 => EpollOperation::Modify,
        _ => return Err(Errno::EINVAL),
    };
    let event = match operation {
        EpollOperation::Delete => EpollEvent { events: 0, data: 0 },
        _ => {
            let raw: RawEpollEvent = user::get(event)?;
            EpollEvent {
                events: raw.events,
                data: u64::from_le_bytes(raw.data),
            }
        }
    };
    let epoll = call.file(epoll)?;
    let target = call.file(fd)?;
    let epoll = epoll.object_as::<Epoll>().ok_or(Errno::EINVAL)?;
    epoll.control(operation, fd as u32, &target, event)?;
    Ok(0)
}

fn sys_epoll_wait(call: &mut Call<'_>) -> Result<u64> {
    let deadline = deadline_of_milliseconds(call.int(3));
    wait(call, deadline)
}

fn sys_epoll_pwait(call: &mut Call<'_>) -> Result<u64> {
    let deadline = deadline_of_milliseconds(call.int(3));
    let mask = mask_argument(call.args[4], call.args[5])?;
    with_mask(call, mask, |call| wait(call, deadline))
}

fn sys_epoll_pwait2(call: &mut Call<'_>) -> Result<u64> {
    let deadline = deadline_of_timespec(call.args[3])?;
    let mask = mask_argument(call.args[4], call.args[5])?;
    with_mask(call, mask, |call| wait(call, deadline))
}

/// Most events of one wait, as the manual allows: more come with the next. Programs ask for thousands, and room for those
/// would be cleared each time.
const MOST_EVENTS: usize = 128;
/// How many of them are copied to the program at once.
const COPIED: usize = 16;

fn wait(call: &mut Call<'_>, deadline: Option<u64>) -> Result<u64> {
    let [epoll, at, ..] = call.args;
    let most = usize::try_from(call.int(2))
        .ok()
        .filter(|&most| most > 0)
        .ok_or(Errno::EINVAL)?;
    let most = most.min(MOST_EVENTS);
    enclave_rt::user::check(at, most * size_of::<RawEpollEvent>())?;
    let file = call.file(epoll)?;
    let epoll = file.object_as::<Epoll>().ok_or(Errno::EINVAL)?;
    let mut out = [EpollEvent { events: 0, data: 0 }; MOST_EVENTS];
    let room = out.get_mut(..most).ok_or(Errno::EINVAL)?;
    let count = loop {
        match epoll.wait(room, deadline) {
            Err(Errno::EINTR) if !call.thread.is_interrupted() => {}
            done => break done?,
        }
    };
    let mut at = at;
    for events in out[..count].chunks(COPIED) {
        let mut raw = [RawEpollEvent {
            events: 0,
            data: [0; 8],
        }; COPIED];
        for (raw, event) in raw.iter_mut().zip(events) {
            raw.events = event.events;
            raw.data = event.data.to_le_bytes();
        }
        let bytes = raw[..events.len()].as_bytes();
        user::put_bytes(at, bytes)?;
        at += bytes.len() as u64;
    }
    Ok(count as u64)
}
