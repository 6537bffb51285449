//! semget, semop, semtimedop, semctl.

use alloc::vec::Vec;

use kobject::{Errno, Result, clock};
use libos_ipc::{Caller, Named, Operation, SetState};
use linux_abi::SemCommand;
use linux_abi::ipc::{SEMAEM, SEMMNI, SEMMNS, SEMMSL, SEMOPM, SEMUSZ, SEMVMX};
use zerocopy::IntoBytes;

use super::Call;
use super::ipc_object::{check_id, ownership, raw};
use super::table::Row;
use crate::ipc::{caller, sleep};
use crate::uapi::{RawSemaphores, SemaphoreInfo, Sembuf, Timespec};
use crate::user::Address;
use crate::{container, user};

/// Rows of the system-call table.
pub(super) const ROWS: &[Row] = &[
    Row::partial(
        64,
        "semget",
        sys_semget,
        "xdx",
        "ENOMEM beyond 1,048,576 semaphores in all sets",
    ),
    Row::full(65, "semop", sys_semop, "dxd"),
    Row::full(66, "semctl", sys_semctl, "dddx"),
    Row::full(220, "semtimedop", sys_semtimedop, "dxdx"),
];

fn sys_semget(call: &mut Call<'_>) -> Result<u64> {
    let (key, len, flags) = (call.int(0), call.int(1), call.uint(2));
    let process = &call.thread.process;
    let credentials = call.thread.credentials();
    let sets = &container().ipc.semaphores;
    let id = sets.open(caller(process, &credentials), key, len, flags)?;
    Ok(id as u64)
}

fn sys_semop(call: &mut Call<'_>) -> Result<u64> {
    operate(call, None)
}

fn sys_semtimedop(call: &mut Call<'_>) -> Result<u64> {
    operate(call, user::get_if::<Timespec>(call.pointer(3))?)
}

fn operate(call: &Call<'_>, limit: Option<Timespec>) -> Result<u64> {
    let (id, at, count) = (call.int(0), call.pointer(1), call.uint(2) as usize);
    if count > SEMOPM {
        return Err(Errno::E2BIG);
    }
    if count == 0 {
        return Err(Errno::EINVAL);
    }
    let raw: Vec<Sembuf> = user::get_all(at, count, SEMOPM)?;
    check_id(id, 0)?;
    let limit = limit.map(Timespec::nanoseconds).transpose()?;
    let deadline = limit.map(|limit| clock::monotonic().saturating_add(limit));
    let operations: Vec<Operation> = raw
        .iter()
        .map(|raw| Operation {
            number: raw.number,
            change: raw.change,
            flags: raw.flags,
        })
        .collect();
    let process = &call.thread.process;
    let credentials = call.thread.credentials();
    let me = caller(process, &credentials);
    let sets = &container().ipc.semaphores;
    sets.operate(me, id, &operations, &mut sleep(call.thread, deadline))?;
    Ok(0)
}

fn sys_semctl(call: &mut Call<'_>) -> Result<u64> {
    let (id, number, command, argument) = (call.int(0), call.int(1), call.uint(2), call.ulong(3));
    check_id(id, 0)?;
    let process = &call.thread.process;
    let credentials = call.thread.credentials();
    let me = caller(process, &credentials);
    let sets = &container().ipc.semaphores;
    let command = SemCommand(command);
    let value = match command {
        SemCommand::IPC_INFO | SemCommand::SEM_INFO => return inform(command, argument),
        SemCommand::IPC_STAT => return stat(me, Named::Id(id), argument),
        SemCommand::SEM_STAT => return stat(me, Named::Index(id), argument),
        SemCommand::SEM_STAT_ANY => return stat(me, Named::AnyIndex(id), argument),
        SemCommand::GETVAL => sets.value(me, id, number)?,
        SemCommand::GETPID => sets.last_pid(me, id, number)?,
        SemCommand::GETNCNT => sets.waiting_for_more(me, id, number)?,
        SemCommand::GETZCNT => sets.waiting_for_zero(me, id, number)?,
        SemCommand::GETALL => {
            user::put_bytes(argument, sets.values(me, id)?.as_bytes())?;
            0
        }
        // The lower half of the argument, an int.
        SemCommand::SETVAL => {
            sets.set_value(me, id, number, call.int(3))?;
            0
        }
        SemCommand::SETALL => {
            let len = sets.len_to_set(me, id)?;
            sets.set_values(me, id, &user::get_all(argument, len, SEMMSL)?)?;
            0
        }
        SemCommand::IPC_SET => {
            let new: RawSemaphores = user::get(argument)?;
            sets.set_owner(me, id, ownership(new.permissions))?;
            0
        }
        SemCommand::IPC_RMID => {
            sets.remove(me, id)?;
            0
        }
        _ => return Err(Errno::EINVAL),
    };
    Ok(value as u64)
}

fn inform(command: SemCommand, buffer: Address) -> Result<u64> {
    let (usage, semaphores) = container().ipc.semaphores.usage();
    let is_about_use = command == SemCommand::SEM_INFO;
    let info = SemaphoreInfo {
        map: SEMMNS as i32,
        most_sets: SEMMNI as i32,
        most: SEMMNS as i32,
        most_undo: SEMMNS as i32,
        longest: SEMMSL as i32,
        most_operations: SEMOPM as i32,
        undo_entries: SEMOPM as i32,
        undo_size: if is_about_use {
            usage.objects as i32
        } else {
            SEMUSZ
        },
        greatest: SEMVMX,
        adjustment: if is_about_use { semaphores as i32 } else { SEMAEM },
    };
    user::put(buffer, &info)?;
    Ok(usage.highest as u64)
}

fn stat(me: Caller<'_>, named: Named, buffer: Address) -> Result<u64> {
    let state = container().ipc.semaphores.state(me, named)?;
    user::put(buffer, &raw_semaphores(&state))?;
    Ok(match named {
        Named::Id(_) => 0,
        _ => state.id as u64,
    })
}

fn raw_semaphores(state: &SetState) -> RawSemaphores {
    RawSemaphores {
        permissions: raw(&state.permissions),
        operated: state.operated,
        _unused: 0,
        changed: state.changed,
        _unused2: 0,
        len: state.len as u64,
        _unused3: [0; 2],
    }
}
