//! Extended attributes: getxattr, setxattr, listxattr, removexattr, with their l, f and at forms.

use alloc::vec::Vec;

use kobject::{Errno, Result};
use libos_fs::{At, Context};
use linux_abi::file_system::{XATTR_NAME_MAX, XATTR_SIZE_MAX};
use linux_abi::{AtFlags, XattrFlags};

use super::Call;
use super::path::{self, AT_FDCWD, EITHER, at_flags};
use super::table::Row;
use crate::uapi::XattrArgs;
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
    Row::partial(463, "setxattrat", sys_setxattrat, "dsxsxd", NO_ACLS),
    Row::partial(464, "getxattrat", sys_getxattrat, "dsxsxd", NO_ACLS),
    Row::full(465, "listxattrat", sys_listxattrat, "dsxxd"),
    Row::partial(466, "removexattrat", sys_removexattrat, "dsxs", NO_ACLS),
];

const NO_ACLS: &str = "no access control lists";

/// Which file is meant.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    Path,
    Link,
    Descriptor,
    /// A path relative to a descriptor, with flags.
    At,
}

impl Form {
    /// How many arguments name the file.
    fn arguments(self) -> usize {
        match self {
            Self::At => 3,
            _ => 1,
        }
    }
}

/// Calls `f` with the file that the first arguments name.
fn target<R>(
    call: &Call<'_>,
    form: Form,
    f: impl FnOnce(&Context, At<'_>, &[u8], AtFlags) -> Result<R>,
) -> Result<R> {
    let context = call.thread.context();
    match form {
        Form::Path => f(&context, At::Cwd, &call.path(0)?, AtFlags::empty()),
        Form::Link => f(&context, At::Cwd, &call.path(0)?, AtFlags::AT_SYMLINK_NOFOLLOW),
        Form::Descriptor => of_descriptor(call, |at| f(&context, at, b"", AtFlags::AT_EMPTY_PATH)),
        Form::At => {
            let (fd, path, flags) = (call.fd(0), call.pointer(1), at_flags(call.uint(2), EITHER)?);
            // A null pointer is an empty path where that may be.
            let path = match path == 0 && flags.contains(AtFlags::AT_EMPTY_PATH) {
                true => Vec::new(),
                false => user::get_path(path)?,
            };
            match path.is_empty() && flags.contains(AtFlags::AT_EMPTY_PATH) && fd != AT_FDCWD {
                true => of_descriptor(call, |at| f(&context, at, b"", flags)),
                false => path::at(call, fd, &path, |at| f(&context, at, &path, flags)),
            }
        }
    }
}

/// Calls `f` with the open file that the first argument is.
fn of_descriptor<R>(call: &Call<'_>, f: impl FnOnce(At<'_>) -> Result<R>) -> Result<R> {
    let file = call.file(call.fd(0))?;
    f(At::Descriptor(&file))
}

/// Where a program has a value, or room for one.
struct Value {
    at: Address,
    len: usize,
    /// What else it asks for.
    flags: u32,
}

/// The value that the last arguments describe: three of them, or a structure and its size.
fn value(call: &Call<'_>, form: Form) -> Result<Value> {
    if form != Form::At {
        return Ok(Value {
            at: call.pointer(2),
            len: call.len(3),
            flags: call.uint(4),
        });
    }
    let arguments: XattrArgs = user::get_extensible(call.pointer(4), call.len(5), size_of::<XattrArgs>())?;
    // Before the name is looked at, as on Linux.
    at_flags(call.uint(2), EITHER)?;
    Ok(Value {
        at: arguments.value,
        len: arguments.size as usize,
        flags: arguments.flags,
    })
}

/// The name of the attribute.
fn name(call: &Call<'_>, form: Form) -> Result<Vec<u8>> {
    let name = user::get_string(call.pointer(form.arguments()), XATTR_NAME_MAX, Errno::ERANGE)?;
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
    let Value { at, len, flags } = value(call, form)?;
    // The older forms have no flags.
    if form == Form::At && flags != 0 {
        return Err(Errno::EINVAL);
    }
    let name = name(call, form)?;
    let value = target(call, form, |context, at, path, flags| {
        container().vfs().xattr(context, at, path, &name, flags)
    })?;
    give(&value, at, len)
}

fn set(call: &Call<'_>, form: Form) -> Result<u64> {
    let Value { at, len, flags } = value(call, form)?;
    let how = XattrFlags::from_bits(flags).ok_or(Errno::EINVAL)?;
    let name = name(call, form)?;
    if len > XATTR_SIZE_MAX {
        return Err(Errno::E2BIG);
    }
    let value = user::get_bytes(at, len)?;
    target(call, form, |context, at, path, flags| {
        container()
            .vfs()
            .set_xattr(context, at, path, (&name, &value), how, flags)
    })?;
    Ok(0)
}

fn list(call: &Call<'_>, form: Form) -> Result<u64> {
    let (at, room) = (call.pointer(form.arguments()), call.len(form.arguments() + 1));
    let names = target(call, form, |context, at, path, flags| {
        container().vfs().xattr_names(context, at, path, flags)
    })?;
    give(&names, at, room)
}

fn remove(call: &Call<'_>, form: Form) -> Result<u64> {
    if form == Form::At {
        at_flags(call.uint(2), EITHER)?;
    }
    let name = name(call, form)?;
    target(call, form, |context, at, path, flags| {
        container().vfs().remove_xattr(context, at, path, &name, flags)
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
    sys_getxattrat = get(At);
    sys_setxattr = set(Path);
    sys_lsetxattr = set(Link);
    sys_fsetxattr = set(Descriptor);
    sys_setxattrat = set(At);
    sys_listxattr = list(Path);
    sys_llistxattr = list(Link);
    sys_flistxattr = list(Descriptor);
    sys_listxattrat = list(At);
    sys_removexattr = remove(Path);
    sys_lremovexattr = remove(Link);
    sys_fremovexattr = remove(Descriptor);
    sys_removexattrat = remove(At);
}
