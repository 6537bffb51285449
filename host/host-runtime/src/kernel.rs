//! System calls whose results go to the enclave as they are: a value, or a negated error number.

use std::arch::asm;
use std::time::Duration;

use host_abi::Wait;

/// Makes a system call.
///
/// # Safety
/// As of the system call.
pub(crate) unsafe fn syscall(number: libc::c_long, args: [u64; 6]) -> i64 {
    let [a, b, c, d, e, f] = args;
    let result;
    // SAFETY: the caller's promise; the kernel changes RCX and R11 besides.
    unsafe {
        asm!("syscall", inlateout("rax") number => result, in("rdi") a, in("rsi") b, in("rdx") c, in("r10") d,
            in("r8") e, in("r9") f, lateout("rcx") _, lateout("r11") _, options(nostack));
    }
    result
}

/// What an error number looks like as a result.
pub(crate) const fn error(number: libc::c_int) -> i64 {
    -(number as i64)
}

/// The result of a C function that leaves its error in `errno`.
pub(crate) fn result(value: libc::c_int) -> i64 {
    match value {
        -1 => error(
            std::io::Error::last_os_error()
                .raw_os_error()
                .unwrap_or(libc::EIO),
        ),
        value => value.into(),
    }
}

/// A `struct timespec` of this length.
pub(crate) fn timespec(nanoseconds: u64) -> libc::timespec {
    let duration = Duration::from_nanos(nanoseconds);
    libc::timespec {
        tv_sec: duration.as_secs() as i64,
        tv_nsec: duration.subsec_nanos().into(),
    }
}

/// CLOCK_MONOTONIC in nanoseconds.
pub(crate) fn monotonic() -> u64 {
    clock(libc::CLOCK_MONOTONIC)
}

/// A clock in nanoseconds.
pub(crate) fn clock(id: libc::clockid_t) -> u64 {
    let mut now = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: writes the structure.
    unsafe { libc::clock_gettime(id, &mut now) };
    now.tv_sec
        .cast_unsigned()
        .wrapping_mul(1_000_000_000)
        .wrapping_add(now.tv_nsec.cast_unsigned())
}

/// The end of a wait that may be made of several system calls.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Deadline {
    /// There is no wait.
    Now,
    /// CLOCK_MONOTONIC in nanoseconds.
    At(u64),
    /// There is no end.
    Never,
}

impl Deadline {
    /// Of a wait that begins now.
    pub(crate) fn of(wait: Wait) -> Self {
        match wait.limit() {
            Some(0) => Self::Now,
            Some(limit) => Self::At(monotonic().saturating_add(limit)),
            None => Self::Never,
        }
    }

    /// Whether it has passed.
    pub(crate) fn is_over(self) -> bool {
        match self {
            Self::Now => true,
            Self::At(end) => monotonic() >= end,
            Self::Never => false,
        }
    }

    /// What is left of it, for calls that take a `struct timespec` or null.
    pub(crate) fn remaining(self) -> Option<libc::timespec> {
        match self {
            Self::Now => Some(timespec(0)),
            Self::At(end) => Some(timespec(end.saturating_sub(monotonic()))),
            Self::Never => None,
        }
    }
}

/// Address of a `struct timespec` for the kernel, null for none.
pub(crate) fn timespec_address(time: Option<&libc::timespec>) -> u64 {
    time.map_or(0, |time| std::ptr::from_ref(time) as u64)
}
