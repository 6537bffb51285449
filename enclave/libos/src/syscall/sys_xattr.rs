//! Extended attributes: getxattr, setxattr, listxattr, removexattr, with their l and f forms.

use alloc::vec::Vec;

use kobject::{Errno, Result};
use libos_fs::{At, Context};
use linux_abi::file_system::{XATTR_NAME_MAX, XATTR_SIZE_MAX};
use linux_abi::{AtFlags, OpenFlags, XattrFlags};

use super::Call;
use super::table::Row;
use crate::user::Address;
use crate::{container, user};

/// Rows of the system-call table.
pub(super) const ROWS: &[Row] = &[
    Row::partial(191, "getxattr", sys_getxattr, "ssxd", NO_ACLS),
    Row::partial(192, "lgetxattr", sys_lgetxattr, "ssxd", NO_ACLS),
    Row::partial(193, "fgetxattr", sys_fgetxattr, "dsxd", NO_ACLS),
    Row::partial(188, "setxattr", sys_setxattr, "ssxdx", NO_ACLS),
    Row::partial(189, "lsetxattr", sys_lsetxattr, "ssxdx", NO_ACLS),
    Row::partial(190, "fsetxattr", sys_fsetxattr, "dsxdx", NO_ACLS),
    Row::full(194, "listxattr", sys_listxattr, "sxd"),
    Row::full(195, "llistxattr", sys_llistxattr, "sxd"),
    Row::full(196, "flistxattr", sys_flistxattr, "dxd"),
    Row::partial(197, "removexattr", sys_removexattr, "ss", NO_ACLS),
    Row::partial(198, "lremovexattr", sys_lremovexattr, "ss", NO_ACLS),
    Row::partial(199, "fremovexattr", sys_fremovexattr, "ds", NO_ACLS),
];

const NO_ACLS: &str = "no access control lists";

/// Which file is meant.
#[derive(Clone, Copy)]
enum Form {
    Path,
    Link,
    Descriptor,
}

/// Calls `f` with the file that the first argument names.
fn target<R>(
    call: &Call<'_>,
    form: Form,
    f: impl FnOnce(&Context, At<'_>, &[u8], AtFlags) -> Result<R>,
) -> Result<R> {
    let context = call.thread.process.context();
    match form {
        Form::Path => f(&context, At::Cwd, &call.path(0)?, AtFlags::empty()),
        Form::Link => f(&context, At::Cwd, &call.path(0)?, AtFlags::AT_SYMLINK_NOFOLLOW),
        Form::Descriptor => {
            let file = call.file(call.fd(0))?;
            if file.flags().contains(OpenFlags::O_PATH) {
                return Err(Errno::EBADF);
            }
            f(&context, At::Descriptor(&file), b"", AtFlags::AT_EMPTY_PATH)
        }
    }
}

fn name(at: Address) -> Result<Vec<u8>> {
    let name = user::get_string(at, XATTR_NAME_MAX, Errno::ERANGE)?;
    if name.is_empty() {
        Err(Errno::ERANGE)
    } else {
        Ok(name)
    }
}

/// Gives bytes to a program that may have asked for their length only.
fn give(bytes: &[u8], at: Address, room: usize) -> Result<u64> {
    if room != 0 {
        if bytes.len() > room {
            return Err(Errno::ERANGE);
        }
        user::put_bytes(at, bytes)?;
    }
    Ok(bytes.len() as u64)
}

fn get(call: &Call<'_>, form: Form) -> Result<u64> {
    let (name_at, at, room) = (call.pointer(1), call.pointer(2), call.len(3));
    let name = name(name_at)?;
    let value = target(call, form, |context, at, path, flags| {
        container().vfs.xattr(context, at, path, &name, flags)
    })?;
    give(&value, at, room)
}

fn set(call: &Call<'_>, form: Form) -> Result<u64> {
    let (at, len) = (call.pointer(2), call.len(3));
    let how: XattrFlags = call.flags(4)?;
    let name = name(call.pointer(1))?;
    if len > XATTR_SIZE_MAX {
        return Err(Errno::E2BIG);
    }
    let value = user::get_bytes(at, len)?;
    target(call, form, |context, at, path, flags| {
        container()
            .vfs
            .set_xattr(context, at, path, (&name, &value), how, flags)
    })?;
    Ok(0)
}

fn list(call: &Call<'_>, form: Form) -> Result<u64> {
    let (at, room) = (call.pointer(1), call.len(2));
    let names = target(call, form, |context, at, path, flags| {
        container().vfs.xattr_names(context, at, path, flags)
    })?;
    give(&names, at, room)
}

fn remove(call: &Call<'_>, form: Form) -> Result<u64> {
    let name = name(call.pointer(1))?;
    target(call, form, |context, at, path, flags| {
        container().vfs.remove_xattr(context, at, path, &name, flags)
    })?;
    Ok(0)
}

macro_rules! forms {
    ($($name:ident = $operation:ident($form:ident);)*) => { $(
        fn $name(call: &mut Call<'_>) -> Result<u64> {
            $operation(call, Form::$form)
        }
    )* };
}

forms! {
    sys_getxattr = get(Path);
    sys_lgetxattr = get(Link);
    sys_fgetxattr = get(Descriptor);
    sys_setxattr = set(Path);
    sys_lsetxattr = set(Link);
    sys_fsetxattr = set(Descriptor);
    sys_listxattr = list(Path);
    sys_llistxattr = list(Link);
    sys_flistxattr = list(Descriptor);
    sys_removexattr = remove(Path);
    sys_lremovexattr = remove(Link);
    sys_fremovexattr = remove(Descriptor);
}
