//! epoll_create, epoll_ctl, epoll_wait, with their newer forms.

use kobject::{Errno, FileKind, Result};
use libos_io::{Epoll, EpollEvent, EpollOperation};
use linux_abi::{EpollCommand, OpenFlags};
use zerocopy::IntoBytes;

use super::Call;
use super::deadline::{deadline_of_milliseconds, deadline_of_timespec};
use super::iovec::reaches;
use super::new_descriptor::add;
use super::signal_mask::{mask_argument, with_mask};
use super::table::{Restart, Row};
use crate::process::descriptors::OnExec;
use crate::uapi::RawEpollEvent;
use crate::user;

/// Rows of the system-call table.
pub(super) const ROWS: &[Row] = &[
    Row::full(213, "epoll_create", sys_epoll_create, "d"),
    Row::full(291, "epoll_create1", sys_epoll_create1, "x"),
    Row::full(233, "epoll_ctl", sys_epoll_ctl, "dddx"),
    Row::full(232, "epoll_wait", sys_epoll_wait, "dxdd"),
    Row::full(281, "epoll_pwait", sys_epoll_pwait, "dxddxd"),
    Row::full(441, "epoll_pwait2", sys_epoll_pwait2, "dxdxxd").restarts(Restart::Never),
];

fn sys_epoll_create(call: &mut Call<'_>) -> Result<u64> {
    if call.int(0) <= 0 {
        return Err(Errno::EINVAL);
    }
    let fd = add(
        &call.thread.process,
        Epoll::new(),
        OpenFlags::O_RDWR,
        OnExec::Keep,
    )?;
    Ok(fd.into())
}

fn sys_epoll_create1(call: &mut Call<'_>) -> Result<u64> {
    // EPOLL_CLOEXEC is the same.
    let flags: OpenFlags = call.flags(0)?;
    if !OpenFlags::O_CLOEXEC.contains(flags) {
        return Err(Errno::EINVAL);
    }
    let fd = add(
        &call.thread.process,
        Epoll::new(),
        OpenFlags::O_RDWR,
        OnExec::of(!flags.is_empty()),
    )?;
    Ok(fd.into())
}

fn sys_epoll_ctl(call: &mut Call<'_>) -> Result<u64> {
    let (epoll, operation, fd, event) = (call.fd(0), call.int(1), call.fd(2), call.pointer(3));
    // The event is read first, unless there is to be none, and the operation is looked at last.
    let event = match EpollCommand(operation) {
        EpollCommand::EPOLL_CTL_DEL => EpollEvent { events: 0, data: 0 },
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
    let Some(epoll) = epoll.object_as::<Epoll>() else {
        // Files, which are always ready, are refused before.
        return Err(match target.object().stat()?.kind {
            FileKind::Regular | FileKind::Directory => Errno::EPERM,
            _ => Errno::EINVAL,
        });
    };
    let operation = match EpollCommand(operation) {
        EpollCommand::EPOLL_CTL_ADD => EpollOperation::Add,
        EpollCommand::EPOLL_CTL_DEL => EpollOperation::Delete,
        EpollCommand::EPOLL_CTL_MOD => EpollOperation::Modify,
        _ => return Err(Errno::EINVAL),
    };
    epoll.control(operation, fd, &target, event)?;
    Ok(0)
}

fn sys_epoll_wait(call: &mut Call<'_>) -> Result<u64> {
    let deadline = deadline_of_milliseconds(call.int(3));
    wait(call, deadline)
}

fn sys_epoll_pwait(call: &mut Call<'_>) -> Result<u64> {
    let deadline = deadline_of_milliseconds(call.int(3));
    let mask = mask_argument(call.pointer(4), call.len(5))?;
    with_mask(call, mask, |call| wait(call, deadline))
}

fn sys_epoll_pwait2(call: &mut Call<'_>) -> Result<u64> {
    let deadline = deadline_of_timespec(call.pointer(3))?;
    let mask = mask_argument(call.pointer(4), call.len(5))?;
    with_mask(call, mask, |call| wait(call, deadline))
}

/// Most events of one wait, as the manual allows: more come with the next. Programs ask for thousands, and room for those
/// would be cleared each time.
const MOST_EVENTS: usize = 128;

/// How many of them are copied to the program at once.
const COPIED: usize = 16;

fn wait(call: &mut Call<'_>, deadline: Option<u64>) -> Result<u64> {
    let (epoll, at) = (call.fd(0), call.pointer(1));
    let most = usize::try_from(call.int(2))
        .ok()
        .filter(|&most| most > 0)
        .ok_or(Errno::EINVAL)?;
    let most = most.min(MOST_EVENTS);
    reaches(at, most * size_of::<RawEpollEvent>())?;
    let file = call.file(epoll)?;
    let epoll = file.object_as::<Epoll>().ok_or(Errno::EINVAL)?;
    let mut out = [EpollEvent { events: 0, data: 0 }; MOST_EVENTS];
    let room = out.get_mut(..most).ok_or(Errno::EINVAL)?;
    let count = call.thread.retry_interrupted(|| epoll.wait(room, deadline))?;
    let mut at = at;
    for events in out.get(..count).unwrap_or_default().chunks(COPIED) {
        let mut raw = [RawEpollEvent {
            events: 0,
            data: [0; 8],
        }; COPIED];
        for (raw, event) in raw.iter_mut().zip(events) {
            raw.events = event.events;
            raw.data = event.data.to_le_bytes();
        }
        let bytes = raw.get(..events.len()).unwrap_or_default().as_bytes();
        user::put_bytes(at, bytes)?;
        at += bytes.len() as u64;
    }
    Ok(count as u64)
}
