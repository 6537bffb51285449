//! msgget, msgsnd, msgrcv, msgctl.

use core::cmp::Ordering;

use kobject::{Errno, Result};
use libos_ipc::{Caller, Message, Named, QueueState, Selection};
use linux_abi::ipc::{MSGMAX, MSGMNB, MSGMNI, MSGSSZ};
use linux_abi::{IpcFlags, MsgCommand, MsgFlags};

use super::Call;
use super::ipc_object::{check_id, ownership, raw};
use super::table::{Restart, Row};
use crate::container;
use crate::ipc::{caller, sleep};
use crate::uapi::{MessageInfo, RawMessages};
use crate::user::{self, Address};

/// Rows of the system-call table.
pub(super) const ROWS: &[Row] = &[
    Row::full(68, "msgget", sys_msgget, "xx"),
    Row::partial(
        69,
        "msgsnd",
        sys_msgsnd,
        "dxdx",
        "ENOMEM beyond 64 MiB of messages in all queues",
    )
    .restarts(Restart::WithoutHandler),
    Row::full(70, "msgrcv", sys_msgrcv, "dxddx").restarts(Restart::WithoutHandler),
    Row::full(71, "msgctl", sys_msgctl, "ddx"),
];

/// Bytes of a message's type, before its text.
const KIND_LEN: u64 = 8;

fn sys_msgget(call: &mut Call<'_>) -> Result<u64> {
    let (key, flags) = (call.int(0), call.uint(1));
    let process = &call.thread.process;
    let credentials = call.thread.credentials();
    let queues = &container().ipc.messages;
    let id = queues.open(caller(process, &credentials), key, flags)?;
    Ok(id as u64)
}

fn sys_msgsnd(call: &mut Call<'_>) -> Result<u64> {
    let (id, at, len, flags) = (
        call.int(0),
        call.pointer(1),
        call.len(2),
        IpcFlags::from_bits_truncate(call.uint(3)),
    );
    let kind: i64 = user::get(at)?;
    check_id(id, 0)?;
    if len > MSGMAX || kind < 1 {
        return Err(Errno::EINVAL);
    }
    let text = user::get_bytes(at + KIND_LEN, len)?;
    let process = &call.thread.process;
    let credentials = call.thread.credentials();
    let mut wait = sleep(call.thread, None);
    let sleep: Option<libos_ipc::Sleep<'_>> = match flags.contains(IpcFlags::IPC_NOWAIT) {
        true => None,
        false => Some(&mut wait),
    };
    let queues = &container().ipc.messages;
    queues.send(caller(process, &credentials), id, Message { kind, text }, sleep)?;
    Ok(0)
}

fn sys_msgrcv(call: &mut Call<'_>) -> Result<u64> {
    let (id, at, len, kind, raw_flags) = (
        call.int(0),
        call.pointer(1),
        call.long(2),
        call.long(3),
        call.uint(4),
    );
    let len = usize::try_from(len).map_err(|_| Errno::EINVAL)?;
    check_id(id, 0)?;
    let flags = MsgFlags::from_bits_truncate(raw_flags);
    let may_wait = !IpcFlags::from_bits_truncate(raw_flags).contains(IpcFlags::IPC_NOWAIT);
    let limit = (!flags.contains(MsgFlags::MSG_NOERROR)).then_some(len);
    let process = &call.thread.process;
    let credentials = call.thread.credentials();
    let me = caller(process, &credentials);
    let queues = &container().ipc.messages;
    let message = if flags.contains(MsgFlags::MSG_COPY) {
        if flags.contains(MsgFlags::MSG_EXCEPT) || may_wait {
            return Err(Errno::EINVAL);
        }
        queues.copy(me, id, kind, limit)?
    } else {
        let mut wait = sleep(call.thread, None);
        let sleep: Option<libos_ipc::Sleep<'_>> = match may_wait {
            true => Some(&mut wait),
            false => None,
        };
        queues.receive(me, id, selection(kind, flags), limit, sleep)?
    };
    let count = message.text.len().min(len);
    user::put(at, &message.kind)?;
    user::put_bytes(at + KIND_LEN, message.text.get(..count).unwrap_or_default())?;
    Ok(count as u64)
}

/// What a type given to `msgrcv` means.
fn selection(kind: i64, flags: MsgFlags) -> Selection {
    match kind.cmp(&0) {
        Ordering::Equal => Selection::Any,
        Ordering::Less => Selection::UpTo(kind.checked_neg().unwrap_or(i64::MAX)),
        Ordering::Greater if flags.contains(MsgFlags::MSG_EXCEPT) => Selection::Except(kind),
        Ordering::Greater => Selection::Of(kind),
    }
}

fn sys_msgctl(call: &mut Call<'_>) -> Result<u64> {
    let (id, command, buffer) = (call.int(0), call.int(1), call.pointer(2));
    check_id(id, command)?;
    let process = &call.thread.process;
    let credentials = call.thread.credentials();
    let me = caller(process, &credentials);
    let queues = &container().ipc.messages;
    let command = MsgCommand(command.cast_unsigned());
    match command {
        MsgCommand::IPC_INFO | MsgCommand::MSG_INFO => inform(command, buffer),
        MsgCommand::IPC_STAT => stat(me, Named::Id(id), buffer),
        MsgCommand::MSG_STAT => stat(me, Named::Index(id), buffer),
        MsgCommand::MSG_STAT_ANY => stat(me, Named::AnyIndex(id), buffer),
        MsgCommand::IPC_SET => {
            let new: RawMessages = user::get(buffer)?;
            queues.set(me, id, ownership(new.permissions), new.limit)?;
            Ok(0)
        }
        MsgCommand::IPC_RMID => {
            queues.remove(me, id)?;
            Ok(0)
        }
        _ => Err(Errno::EINVAL),
    }
}

fn inform(command: MsgCommand, buffer: Address) -> Result<u64> {
    /// Of memory that Linux had for messages once: kilobytes, and segments.
    const POOL: i32 = MSGMNI as i32 * (MSGMNB as i32 / 1024);
    const SEGMENTS: u16 = u16::MAX;
    let (usage, messages, bytes) = container().ipc.messages.usage();
    let (pool, map, headers) = match command {
        MsgCommand::MSG_INFO => (usage.objects as i32, messages as i32, bytes as i32),
        _ => (POOL, MSGMNB as i32, MSGMNB as i32),
    };
    let info = MessageInfo {
        pool,
        map,
        longest: MSGMAX as i32,
        most_bytes: MSGMNB as i32,
        most_queues: MSGMNI as i32,
        segment_size: MSGSSZ,
        headers,
        segments: SEGMENTS,
        _pad: 0,
    };
    user::put(buffer, &info)?;
    Ok(usage.highest as u64)
}

fn stat(me: Caller<'_>, named: Named, buffer: Address) -> Result<u64> {
    let state = container().ipc.messages.state(me, named)?;
    user::put(buffer, &raw_messages(&state))?;
    Ok(match named {
        Named::Id(_) => 0,
        _ => state.id as u64,
    })
}

fn raw_messages(state: &QueueState) -> RawMessages {
    RawMessages {
        permissions: raw(&state.permissions),
        sent: state.sent,
        received: state.received,
        changed: state.changed,
        bytes: state.bytes,
        count: state.len,
        limit: state.limit,
        last_sender: state.last_sender,
        last_receiver: state.last_receiver,
        _unused: [0; 2],
    }
}
