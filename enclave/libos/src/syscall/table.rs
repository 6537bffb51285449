//! The table of system calls: a row per number, with how far it is supported.
//!
//! Rows stand beside their handlers, and those of what is not answered in `unsupported`. `docs/syscalls.md` is generated from this
//! (`cargo xtask syscalls`).

use kobject::Errno;

use super::Handler;

/// How far a system call is supported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Support {
    /// As on Linux.
    Full,
    /// As on Linux but for what the note says.
    Partial(&'static str),
    /// Not at all: the error that it gives, and why.
    Unsupported(Errno, &'static str),
}

/// What becomes of a system call that a signal interrupted (signal(7)).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Restart {
    /// EINTR, whatever the handler's flags.
    Never,
    /// Made again after a handler with SA_RESTART, or if no handler ran.
    WithFlag,
    /// Made again only if no handler ran.
    WithoutHandler,
}

/// Which time limit of a socket a system call obeys if that is what its descriptor refers to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SocketLimit {
    /// SO_RCVTIMEO.
    Receive,
    /// SO_SNDTIMEO.
    Send,
}

/// A system call.
pub struct Row {
    /// Its number on x86-64.
    pub number: u16,
    /// Its name.
    pub name: &'static str,
    /// How far it is supported.
    pub support: Support,
    /// Its arguments for `--trace`, a letter each: `d` an `int`, `l` a number of 64 bits, `x` an address or flags, `s` a path, `b` bytes whose count follows.
    pub arguments: &'static str,
    /// Why nobody is told when a program gets ENOSYS; everything else that gives it is named once.
    pub quiet: Option<&'static str>,
    pub(crate) restart: Restart,
    pub(crate) socket_limit: Option<SocketLimit>,
    pub(crate) handler: Option<Handler>,
}

impl Row {
    pub(crate) const fn full(
        number: u16,
        name: &'static str,
        handler: Handler,
        arguments: &'static str,
    ) -> Self {
        let handler = Some(handler);
        Self {
            number,
            name,
            support: Support::Full,
            arguments,
            quiet: None,
            restart: Restart::Never,
            socket_limit: None,
            handler,
        }
    }

    pub(crate) const fn partial(
        number: u16,
        name: &'static str,
        handler: Handler,
        arguments: &'static str,
        note: &'static str,
    ) -> Self {
        Self {
            support: Support::Partial(note),
            ..Self::full(number, name, handler, arguments)
        }
    }

    pub(crate) const fn restarts(self, restart: Restart) -> Self {
        Self { restart, ..self }
    }

    pub(crate) const fn obeys(self, limit: SocketLimit) -> Self {
        Self {
            socket_limit: Some(limit),
            ..self
        }
    }

    /// Nobody is told when a program gets ENOSYS: programs ask only to find out what there is, all the time.
    pub(crate) const fn quiet(self, why: &'static str) -> Self {
        Self {
            quiet: Some(why),
            ..self
        }
    }

    pub(crate) const fn unsupported(
        number: u16,
        name: &'static str,
        errno: Errno,
        why: &'static str,
    ) -> Self {
        let support = Support::Unsupported(errno, why);
        Self {
            number,
            name,
            support,
            arguments: "",
            quiet: None,
            restart: Restart::Never,
            socket_limit: None,
            handler: None,
        }
    }
}

/// The rows, family by family.
const FAMILIES: &[&[Row]] = &[
    super::sys_accept::ROWS,
    super::sys_access::ROWS,
    super::sys_arch_prctl::ROWS,
    super::sys_bind::ROWS,
    super::sys_brk::ROWS,
    super::sys_capget::ROWS,
    super::sys_chdir::ROWS,
    super::sys_chmod::ROWS,
    super::sys_chown::ROWS,
    super::sys_chroot::ROWS,
    super::sys_clock_gettime::ROWS,
    super::sys_clone::ROWS,
    super::sys_close::ROWS,
    super::sys_connect::ROWS,
    super::sys_dup::ROWS,
    super::sys_epoll::ROWS,
    super::sys_eventfd::ROWS,
    super::sys_execve::ROWS,
    super::sys_exit::ROWS,
    super::sys_fadvise64::ROWS,
    super::sys_fallocate::ROWS,
    super::sys_fcntl::ROWS,
    super::sys_flock::ROWS,
    super::sys_fsync::ROWS,
    super::sys_futex::ROWS,
    super::sys_futex_waitv::ROWS,
    super::sys_getdents::ROWS,
    super::sys_getgroups::ROWS,
    super::sys_getpid::ROWS,
    super::sys_getpriority::ROWS,
    super::sys_getrandom::ROWS,
    super::sys_getrusage::ROWS,
    super::sys_getsockname::ROWS,
    super::sys_getsockopt::ROWS,
    super::sys_inotify::ROWS,
    super::sys_io_setup::ROWS,
    super::sys_ioctl::ROWS,
    super::sys_kcmp::ROWS,
    super::sys_kill::ROWS,
    super::sys_link::ROWS,
    super::sys_listen::ROWS,
    super::sys_lseek::ROWS,
    super::sys_madvise::ROWS,
    super::sys_mbind::ROWS,
    super::sys_membarrier::ROWS,
    super::sys_memfd_create::ROWS,
    super::sys_mincore::ROWS,
    super::sys_mkdir::ROWS,
    super::sys_mknod::ROWS,
    super::sys_mount::ROWS,
    super::sys_mlock::ROWS,
    super::sys_mmap::ROWS,
    super::sys_mprotect::ROWS,
    super::sys_mq_open::ROWS,
    super::sys_mseal::ROWS,
    super::sys_msgget::ROWS,
    super::sys_msync::ROWS,
    super::sys_nanosleep::ROWS,
    super::sys_open::ROWS,
    super::sys_personality::ROWS,
    super::sys_pidfd::ROWS,
    super::sys_pipe::ROWS,
    super::sys_poll::ROWS,
    super::sys_prctl::ROWS,
    super::sys_prlimit64::ROWS,
    super::sys_read::ROWS,
    super::sys_readlink::ROWS,
    super::sys_recvmsg::ROWS,
    super::sys_rename::ROWS,
    super::sys_robust_list::ROWS,
    super::sys_rt_sigaction::ROWS,
    super::sys_rt_sigprocmask::ROWS,
    super::sys_rt_sigreturn::ROWS,
    super::sys_rt_sigsuspend::ROWS,
    super::sys_rt_sigtimedwait::ROWS,
    super::sys_sched::ROWS,
    super::sys_sched_setaffinity::ROWS,
    super::sys_sched_setattr::ROWS,
    super::sys_select::ROWS,
    super::sys_semget::ROWS,
    super::sys_sendmsg::ROWS,
    super::sys_setitimer::ROWS,
    super::sys_setpgid::ROWS,
    super::sys_setuid::ROWS,
    super::sys_shmget::ROWS,
    super::sys_shutdown::ROWS,
    super::sys_sigaltstack::ROWS,
    super::sys_signalfd::ROWS,
    super::sys_socket::ROWS,
    super::sys_splice::ROWS,
    super::sys_stat::ROWS,
    super::sys_statfs::ROWS,
    super::sys_statx::ROWS,
    super::sys_symlink::ROWS,
    super::sys_sysinfo::ROWS,
    super::sys_timer_create::ROWS,
    super::sys_timerfd::ROWS,
    super::sys_truncate::ROWS,
    super::sys_umask::ROWS,
    super::sys_uname::ROWS,
    super::sys_unlink::ROWS,
    super::sys_utimensat::ROWS,
    super::sys_wait4::ROWS,
    super::sys_write::ROWS,
    super::sys_xattr::ROWS,
    super::unsupported::ROWS,
];

/// One more than the highest number of Linux 7.3.
pub const COUNT: usize = 473;

/// Numbers that x86-64 Linux has not given out: new ones begin at 424, where all architectures have the same.
pub const NOT_GIVEN_OUT: core::ops::RangeInclusive<u64> = 337..=423;

/// By number; what is in no family is unknown to this table.
#[expect(
    clippy::indexing_slicing,
    reason = "evaluated by the compiler, which refuses what is out of bounds"
)]
static INDEX: [Option<&Row>; COUNT] = {
    let mut index: [Option<&Row>; COUNT] = [None; COUNT];
    let mut family = 0;
    while family < FAMILIES.len() {
        let rows = FAMILIES[family];
        let mut row = 0;
        while row < rows.len() {
            let number = rows[row].number as usize;
            assert!(index[number].is_none(), "two rows for one number");
            index[number] = Some(&rows[row]);
            row += 1;
        }
        family += 1;
    }
    index
};

/// All rows, by number.
pub fn rows() -> impl Iterator<Item = &'static Row> {
    INDEX.iter().copied().flatten()
}

/// The row of a number.
pub fn row(number: u64) -> Option<&'static Row> {
    INDEX.get(usize::try_from(number).ok()?).copied().flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_index_finds_each_row() {
        for row in FAMILIES.iter().copied().flatten() {
            assert_eq!(
                self::row(row.number.into()).map(|found| found.name),
                Some(row.name)
            );
            assert_eq!(
                row.handler.is_none(),
                matches!(row.support, Support::Unsupported(..))
            );
        }
        assert!(row(COUNT as u64).is_none() && row(u64::MAX).is_none());
    }

    #[test]
    fn every_number_of_linux_has_a_row() {
        let missing: Vec<u64> = (0..COUNT as u64)
            .filter(|&number| row(number).is_none() != NOT_GIVEN_OUT.contains(&number))
            .collect();
        assert_eq!(missing, []);
    }
}
