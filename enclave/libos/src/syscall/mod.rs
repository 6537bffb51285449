//! System calls: from a program's registers to a handler and back.
//!
//! [`table`] has a row for each number. A file `sys_NAME` holds the rows and the handlers of one family, named after the system call that
//! leads it; `unsupported` holds the rows without handlers. [`Call`] gives a handler its arguments by Linux's types. The other files hold
//! what several families share. How to add one: `docs/howto/add-a-system-call.md`.

mod call;
mod deadline;
mod file_owner;
mod iovec;
mod ipc_object;
mod message;
mod new_descriptor;
mod path;
mod record_lock;
mod signal_mask;
mod socket;
mod sys_accept;
mod sys_access;
mod sys_arch_prctl;
mod sys_bind;
mod sys_brk;
mod sys_capget;
mod sys_chdir;
mod sys_chmod;
mod sys_chown;
mod sys_chroot;
mod sys_clock_gettime;
mod sys_clone;
mod sys_close;
mod sys_connect;
mod sys_dup;
mod sys_epoll;
mod sys_eventfd;
mod sys_execve;
mod sys_exit;
mod sys_fadvise64;
mod sys_fallocate;
mod sys_fcntl;
mod sys_flock;
mod sys_fsync;
mod sys_futex;
mod sys_futex_waitv;
mod sys_getdents;
mod sys_getgroups;
mod sys_getpid;
mod sys_getpriority;
mod sys_getrandom;
mod sys_getrusage;
mod sys_getsockname;
mod sys_getsockopt;
mod sys_inotify;
mod sys_io_setup;
mod sys_ioctl;
mod sys_kcmp;
mod sys_kill;
mod sys_link;
mod sys_listen;
mod sys_lseek;
mod sys_madvise;
mod sys_mbind;
mod sys_membarrier;
mod sys_memfd_create;
mod sys_mincore;
mod sys_mkdir;
mod sys_mknod;
mod sys_mlock;
mod sys_mmap;
mod sys_mount;
mod sys_mprotect;
mod sys_mq_open;
mod sys_mseal;
mod sys_msgget;
mod sys_msync;
mod sys_nanosleep;
mod sys_open;
mod sys_personality;
pub(crate) mod sys_pidfd;
mod sys_pipe;
mod sys_poll;
mod sys_prctl;
mod sys_prlimit64;
mod sys_read;
mod sys_readlink;
mod sys_recvmsg;
mod sys_rename;
mod sys_robust_list;
mod sys_rt_sigaction;
mod sys_rt_sigprocmask;
mod sys_rt_sigreturn;
mod sys_rt_sigsuspend;
mod sys_rt_sigtimedwait;
mod sys_sched;
mod sys_sched_setaffinity;
mod sys_sched_setattr;
mod sys_select;
mod sys_semget;
mod sys_sendmsg;
mod sys_setitimer;
mod sys_setpgid;
mod sys_setuid;
mod sys_shmget;
mod sys_shutdown;
mod sys_sigaltstack;
mod sys_signalfd;
mod sys_socket;
mod sys_splice;
mod sys_stat;
mod sys_statfs;
mod sys_statx;
mod sys_symlink;
mod sys_sysinfo;
mod sys_timer_create;
mod sys_timerfd;
mod sys_truncate;
mod sys_umask;
mod sys_uname;
mod sys_unlink;
mod sys_utimensat;
mod sys_wait4;
mod sys_write;
mod sys_xattr;
pub mod table;
mod unsupported;
mod write_effects;

pub(crate) use call::{Call, Frame};
pub(crate) use sys_uname::{RELEASE, VERSION};

use enclave_rt::thread as rt_thread;
use kobject::{Errno, Result};

use crate::process::CURRENT;
use crate::signal::deliver::Interrupted;
use crate::{stats, trace};
use table::{Restart, Row};

/// Answers system calls.
pub(crate) type Handler = fn(&mut Call<'_>) -> Result<u64>;

/// Makes the system call that the registers name, and puts the answer there.
pub(crate) fn dispatch(mut frame: Frame<'_>) {
    CURRENT.with(|thread| {
        // The kernel takes the number as 32 bits.
        let number = frame.registers().rax as u32;
        let mut call = Call::new(thread, frame);
        let row = table::row(number.into());
        stats::count(number.into());
        let result = match row {
            Some(Row {
                handler: Some(handler),
                ..
            }) => handler(&mut call),
            _ => unsupported::refuse(row),
        };
        match result {
            Err(Errno::EINTR) => note_interrupted(&call, number.into(), row),
            Err(Errno::ENOSYS) => unsupported::name_once(thread, number.cast_signed(), row),
            _ => {}
        }
        if trace::is_on() {
            trace::line(thread, row, number.into(), call.args(), &result);
        }
        call.frame.registers().rax = match result {
            Ok(value) => value,
            Err(errno) => errno.as_return() as u64,
        };
    });
}

/// What the way back needs to know if a signal is delivered now.
#[cold]
fn note_interrupted(call: &Call<'_>, number: u64, row: Option<&Row>) {
    let restart = match socket::has_time_limit(call, row.and_then(|row| row.socket_limit)) {
        true => Restart::Never,
        false => row.map_or(Restart::Never, |row| row.restart),
    };
    *call.thread.interrupted.lock() = match restart {
        Restart::Never => None,
        Restart::WithFlag => Some(Interrupted {
            number,
            after_handler: true,
        }),
        Restart::WithoutHandler => Some(Interrupted {
            number,
            after_handler: false,
        }),
    };
    // Nothing may be pending any more; the call is then made again all the same.
    rt_thread::set_pending();
}
