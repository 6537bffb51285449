//! execve, execveat.

use alloc::format;
use alloc::vec::Vec;

use enclave_layout::PAGE_SIZE;
use kobject::{Errno, Result};
use libos_fs::At;
use linux_abi::AtFlags;

use super::Call;
use super::path::{AT_FDCWD, EITHER, at, at_flags, context};
use super::table::Row;
use crate::process::exec::{self, Request};
use crate::process::limits::MAX_ARGUMENTS;
use crate::user::{self, Address};

const NOTE: &str = "file capabilities of programs have no effect";

/// Rows of the system-call table.
pub(super) const ROWS: &[Row] = &[
    Row::partial(59, "execve", sys_execve, "sxx", NOTE),
    Row::partial(322, "execveat", sys_execveat, "dsxxx", NOTE),
];

/// Most bytes of one argument or variable, its zero byte included (MAX_ARG_STRLEN).
const MAX_STRING: usize = 32 * PAGE_SIZE as usize;

fn sys_execve(call: &mut Call<'_>) -> Result<u64> {
    let path = call.path(0)?;
    // Linux looks at the file first, then at the arguments.
    let file = exec::open(&context(call), At::Cwd, &path, AtFlags::empty())?;
    let [arguments, environment] = vectors(call, 1)?;
    let request = Request {
        path,
        file: Some(file),
        arguments,
        environment,
    };
    execute(call, request)
}

fn sys_execveat(call: &mut Call<'_>) -> Result<u64> {
    let directory = call.fd(0);
    let flags = at_flags(call.uint(4), EITHER)?;
    let path = call.path(1)?;
    if path.is_empty() && !flags.contains(AtFlags::AT_EMPTY_PATH) {
        return Err(Errno::ENOENT);
    }
    // What a script's interpreter is told to read (execveat(2)).
    let name = match &path[..] {
        path if directory == AT_FDCWD || path.starts_with(b"/") => path.to_vec(),
        b"" => format!("/dev/fd/{directory}").into_bytes(),
        path => [format!("/dev/fd/{directory}/").as_bytes(), path].concat(),
    };
    let file = match &path[..] {
        b"" if directory != AT_FDCWD => {
            call.file_or_path(directory)?;
            let link = format!("/proc/self/fd/{directory}").into_bytes();
            exec::open(&context(call), At::Cwd, &link, AtFlags::empty())?
        }
        path => {
            let context = context(call);
            let flags = flags.intersection(AtFlags::AT_SYMLINK_NOFOLLOW);
            at(call, directory, path, |at| exec::open(&context, at, path, flags))?
        }
    };
    let [arguments, environment] = vectors(call, 2)?;
    let request = Request {
        path: name,
        file: Some(file),
        arguments,
        environment,
    };
    execute(call, request)
}

fn execute(call: &Call<'_>, request: Request) -> Result<u64> {
    let context = context(call);
    let mut program = exec::prepare(&context, request).map_err(|failure| match failure.errno {
        // Reading a directory gives it; executing one is not allowed.
        Errno::EISDIR => Errno::EACCES,
        errno => errno,
    })?;
    if !context.credentials.privileges.no_new_privs {
        program.heed_set_ids()?;
    }
    exec::begin(call.thread, program);
    Ok(0)
}

/// The arguments and the environment, whose pointers are the call's arguments from `first` on. A program without arguments gets an
/// empty one, as on Linux since 5.18.
fn vectors(call: &Call<'_>, first: usize) -> Result<[Vec<Vec<u8>>; 2]> {
    let mut room = MAX_ARGUMENTS;
    let mut arguments = strings(call.pointer(first), &mut room)?;
    let environment = strings(call.pointer(first + 1), &mut room)?;
    if arguments.is_empty() {
        arguments.push(Vec::new());
    }
    Ok([arguments, environment])
}

/// The strings of an array of pointers that ends with a null pointer; none if the array's own pointer is null. E2BIG beyond `room`.
fn strings(array: Address, room: &mut usize) -> Result<Vec<Vec<u8>>> {
    let mut strings = Vec::new();
    if array == 0 {
        return Ok(strings);
    }
    for index in 0.. {
        let place = array.checked_add(index * 8).ok_or(Errno::EFAULT)?;
        let pointer: Address = user::get(place)?;
        if pointer == 0 {
            break;
        }
        let string = user::get_string(pointer, MAX_STRING - 1, Errno::E2BIG)?;
        *room = room.checked_sub(string.len() + 9).ok_or(Errno::E2BIG)?;
        strings.push(string);
    }
    Ok(strings)
}
