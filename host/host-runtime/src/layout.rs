//! The layout of this process's own memory, which the kernel chooses when a program is executed.
//!
//! Normally everything of a process lies in the upper half of its addresses, and the lower one is free for the enclave. If the stack
//! may grow without limit, or somebody asked for the layout of old kernels (`setarch -L`), libraries lie in the lower half
//! (arch/x86/mm/mmap.c: `mmap_is_legacy`, `mmap_base`).

use std::io;
use std::os::unix::process::CommandExt;
use std::process::Command;

/// A stack that may grow beyond this pushes libraries into the lower half, in bytes.
const MOST_STACK: libc::rlim_t = 1 << 40;
/// What Linux gives a process, in bytes.
const USUAL_STACK: libc::rlim_t = 8 << 20;

/// Executes this program anew, with the same arguments, if its memory lies where an enclave has to. To be called before anything else
/// is done.
///
/// # Errors
/// The kernel refuses that.
pub fn make_room_for_enclave() -> io::Result<()> {
    let mut stack = libc::rlimit {
        rlim_cur: 0,
        rlim_max: 0,
    };
    // SAFETY: writes the structure.
    check(unsafe { libc::getrlimit(libc::RLIMIT_STACK, &mut stack) })?;
    /// Asks, and changes nothing.
    const QUERY: libc::c_ulong = 0xffff_ffff;
    // SAFETY: changes nothing.
    let personality = unsafe { libc::personality(QUERY) };
    let is_old = personality & libc::ADDR_COMPAT_LAYOUT != 0;
    if stack.rlim_cur <= MOST_STACK && !is_old {
        return Ok(());
    }
    if stack.rlim_cur > MOST_STACK {
        stack.rlim_cur = USUAL_STACK;
        // SAFETY: reads the structure.
        check(unsafe { libc::setrlimit(libc::RLIMIT_STACK, &stack) })?;
    }
    if is_old {
        let modern = (personality & !libc::ADDR_COMPAT_LAYOUT) as libc::c_ulong;
        // SAFETY: matters when a program is executed.
        check(unsafe { libc::personality(modern) })?;
    }
    let mut arguments = std::env::args_os();
    let mut again = Command::new("/proc/self/exe");
    if let Some(name) = arguments.next() {
        again.arg0(name);
    }
    Err(again.args(arguments).exec())
}

fn check(result: libc::c_int) -> io::Result<()> {
    match result {
        -1 => Err(io::Error::last_os_error()),
        _ => Ok(()),
    }
}
