//! Who is told of events at an open file: F_SETOWN and its kin, and O_ASYNC.

use alloc::sync::Arc;

use kobject::async_notice::{Notice, Owner};
use kobject::{Description, Errno, Result};
use libos_fs::Lease;
use linux_abi::{FcntlCommand, OpenFlags, OwnerKind, Signal};

use super::Call;
use crate::process::descriptors::Fd;
use crate::process::table;
use crate::signal::async_notice;
use crate::uapi::FileOwner;
use crate::user;

/// F_SETFL: changes the flags of an open file.
pub(super) fn set_flags(file: &Description, fd: Fd, flags: OpenFlags) {
    let told = |file: &Description| file.flags().contains(OpenFlags::O_ASYNC);
    let before = told(file);
    file.set_flags(flags);
    match (before, told(file)) {
        (false, true) => async_notice::begin(file, fd),
        (true, false) => async_notice::end(file),
        _ => {}
    }
}

/// F_SETOWN, F_GETOWN, F_SETOWN_EX, F_GETOWN_EX, F_SETSIG, F_GETSIG.
pub(super) fn owner(call: &Call<'_>, file: &Description, command: FcntlCommand) -> Result<u64> {
    let notices = file.async_notice();
    let notice = notices.notice();
    match command {
        FcntlCommand::F_SETSIG => {
            let signal = call.ulong(2);
            if signal != 0 && Signal::from_raw(signal).is_none() {
                return Err(Errno::EINVAL);
            }
            notices.change(|notice| notice.signal = signal as u32);
            Ok(0)
        }
        FcntlCommand::F_GETSIG => Ok(notice.signal.into()),
        FcntlCommand::F_GETOWN => Ok(match notice.owner {
            Owner::Nobody => 0,
            Owner::Thread(number) | Owner::Process(number) => number.into(),
            // Small groups look like errors, as on Linux.
            Owner::Group(number) => i64::from(number).wrapping_neg() as u64,
        }),
        FcntlCommand::F_GETOWN_EX => {
            let (kind, number) = match notice.owner {
                Owner::Thread(number) => (OwnerKind::F_OWNER_TID, number),
                Owner::Nobody => (OwnerKind::F_OWNER_TID, 0),
                Owner::Process(number) => (OwnerKind::F_OWNER_PID, number),
                Owner::Group(number) => (OwnerKind::F_OWNER_PGRP, number),
            };
            let owner = FileOwner {
                kind: kind.0,
                number: number.cast_signed(),
            };
            user::put(call.pointer(2), &owner)?;
            Ok(0)
        }
        FcntlCommand::F_SETOWN_EX => {
            let owner: FileOwner = user::get(call.pointer(2))?;
            set_owner(call, file, OwnerKind(owner.kind), owner.number.cast_unsigned())
        }
        _ => match call.int(2) {
            // It has no positive counterpart.
            i32::MIN => Err(Errno::EINVAL),
            group @ ..0 => set_owner(call, file, OwnerKind::F_OWNER_PGRP, group.unsigned_abs()),
            pid => set_owner(call, file, OwnerKind::F_OWNER_PID, pid.unsigned_abs()),
        },
    }
}

/// ESRCH for an owner that does not exist; 0 is nobody.
/// F_SETLEASE: the caller is told of who wants to open the file, unless somebody else is named already.
pub(super) fn set_lease(call: &Call<'_>, file: &Arc<Description>, fd: Fd, lease: Lease) -> Result<u64> {
    let told = async_notice::of_leases(file, fd);
    let context = call.thread.context();
    crate::container().vfs().set_lease(&context, file, lease, told)?;
    let notices = file.async_notice();
    match lease {
        // Who gives it up forgets whom to tell, and how (`lease_modify` of the kernel).
        Lease::None => notices.change(|notice| *notice = Notice::default()),
        _ if notices.notice().owner == Owner::Nobody => {
            set_owner(call, file, OwnerKind::F_OWNER_PID, call.thread.process.pid)?;
        }
        _ => {}
    }
    Ok(0)
}

fn set_owner(call: &Call<'_>, file: &Description, kind: OwnerKind, number: u32) -> Result<u64> {
    let owner = match kind {
        OwnerKind::F_OWNER_TID => Owner::Thread(number),
        OwnerKind::F_OWNER_PID => Owner::Process(number),
        OwnerKind::F_OWNER_PGRP => Owner::Group(number),
        _ => return Err(Errno::EINVAL),
    };
    if number != 0 && !table::is_used(number) {
        return Err(Errno::ESRCH);
    }
    let [real, effective, ..] = call.thread.credentials().uid;
    file.async_notice().change(|notice| {
        notice.owner = if number == 0 { Owner::Nobody } else { owner };
        notice.users = [real, effective];
    });
    Ok(0)
}
