//! The table of system calls: a row per number, with how far it is supported.
//!
//! Rows of what is answered stand beside their handlers; what is not answered stands here with its reason. `docs/syscalls.md` is
//! generated from this (`cargo xtask syscalls`).

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

/// A system call.
pub struct Row {
    /// Its number on x86-64.
    pub number: u16,
    /// Its name.
    pub name: &'static str,
    /// How far it is supported.
    pub support: Support,
    /// Its arguments for `--trace`, a letter each: `d` a number, `x` an address or flags, `s` a path, `b` bytes whose count follows.
    pub arguments: &'static str,
    pub(crate) restart: Restart,
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
            restart: Restart::Never,
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

    const fn missing(number: u16, name: &'static str, errno: Errno, why: &'static str) -> Self {
        let support = Support::Unsupported(errno, why);
        Self {
            number,
            name,
            support,
            arguments: "",
            restart: Restart::Never,
            handler: None,
        }
    }
}

/// The rows, family by family.
const FAMILIES: &[&[Row]] = &[
    super::sys_clone::ROWS,
    super::sys_copy::ROWS,
    super::sys_descriptor::ROWS,
    super::sys_event::ROWS,
    super::sys_exit::ROWS,
    super::sys_futex::ROWS,
    super::sys_identity::ROWS,
    super::sys_memory::ROWS,
    super::sys_path::ROWS,
    super::sys_poll::ROWS,
    super::sys_process::ROWS,
    super::sys_read::ROWS,
    super::sys_sched::ROWS,
    super::sys_signal::ROWS,
    super::sys_socket::ROWS,
    super::sys_system::ROWS,
    super::sys_time::ROWS,
    super::sys_timer::ROWS,
    super::sys_xattr::ROWS,
    MISSING,
];

/// One more than the highest number of Linux 6.19.
pub const COUNT: usize = 471;

/// Numbers that x86-64 Linux has not given out: new ones begin at 424, where all architectures have the same.
pub const NOT_GIVEN_OUT: core::ops::RangeInclusive<u64> = 337..=423;

/// By number; what is in no family is unknown to this table.
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

/// Whether programs ask for this only to find out what there is, and do well without: no word about it then.
pub(crate) fn is_probe(number: u64) -> bool {
    // rseq, membarrier, io_uring_setup, landlock_create_ruleset, memfd_secret, userfaultfd, perf_event_open, futex_waitv
    matches!(number, 334 | 324 | 425 | 444 | 447 | 323 | 298 | 449)
}

const FORK: &str = "comes with the processes issue";
const ADMIN: &str = "administers the machine, which is the host's";
const NO_MODULES: &str = "there is no kernel to load into";
const REMOVED: &str = "not on x86-64 Linux any more";
const MEASURED: &str = "the file systems are measured with the image";
const NO_WATCH: &str = "not yet; programs fall back to looking again";
const NO_KEYS: &str = "memory protection keys are not used in enclaves";

const MISSING: &[Row] = &[
    Row::missing(57, "fork", Errno::ENOSYS, FORK),
    Row::missing(58, "vfork", Errno::ENOSYS, FORK),
    Row::missing(59, "execve", Errno::ENOSYS, FORK),
    Row::missing(322, "execveat", Errno::ENOSYS, FORK),
    Row::missing(
        101,
        "ptrace",
        Errno::EPERM,
        "nobody traces a confidential program",
    ),
    Row::missing(
        324,
        "membarrier",
        Errno::ENOSYS,
        "the host would have to be trusted to interrupt every thread",
    ),
    Row::missing(
        334,
        "rseq",
        Errno::ENOSYS,
        "the LibOS cannot see when the host preempts a thread",
    ),
    Row::missing(
        425,
        "io_uring_setup",
        Errno::ENOSYS,
        "not yet; programs fall back to epoll",
    ),
    Row::missing(426, "io_uring_enter", Errno::ENOSYS, "see io_uring_setup"),
    Row::missing(427, "io_uring_register", Errno::ENOSYS, "see io_uring_setup"),
    Row::missing(165, "mount", Errno::EPERM, MEASURED),
    Row::missing(166, "umount2", Errno::EPERM, MEASURED),
    Row::missing(155, "pivot_root", Errno::EPERM, MEASURED),
    Row::missing(167, "swapon", Errno::EPERM, ADMIN),
    Row::missing(168, "swapoff", Errno::EPERM, ADMIN),
    Row::missing(169, "reboot", Errno::EPERM, ADMIN),
    Row::missing(171, "setdomainname", Errno::EPERM, ADMIN),
    Row::missing(172, "iopl", Errno::EPERM, ADMIN),
    Row::missing(173, "ioperm", Errno::EPERM, ADMIN),
    Row::missing(175, "init_module", Errno::EPERM, NO_MODULES),
    Row::missing(176, "delete_module", Errno::EPERM, NO_MODULES),
    Row::missing(313, "finit_module", Errno::EPERM, NO_MODULES),
    Row::missing(246, "kexec_load", Errno::EPERM, NO_MODULES),
    Row::missing(320, "kexec_file_load", Errno::EPERM, NO_MODULES),
    Row::missing(163, "acct", Errno::EPERM, ADMIN),
    Row::missing(179, "quotactl", Errno::EPERM, ADMIN),
    Row::missing(443, "quotactl_fd", Errno::EPERM, ADMIN),
    Row::missing(159, "adjtimex", Errno::EPERM, "the clocks are the host's"),
    Row::missing(305, "clock_adjtime", Errno::EPERM, "the clocks are the host's"),
    Row::missing(103, "syslog", Errno::EPERM, "the kernel log is the host's"),
    Row::missing(
        298,
        "perf_event_open",
        Errno::EPERM,
        "performance counters are a side channel",
    ),
    Row::missing(321, "bpf", Errno::EPERM, NO_MODULES),
    Row::missing(323, "userfaultfd", Errno::ENOSYS, "page faults are the LibOS's"),
    Row::missing(308, "setns", Errno::EPERM, "a container is one set of namespaces"),
    Row::missing(
        272,
        "unshare",
        Errno::EPERM,
        "a container is one set of namespaces",
    ),
    Row::missing(
        304,
        "open_by_handle_at",
        Errno::EPERM,
        "needs a capability that containers lack",
    ),
    Row::missing(
        303,
        "name_to_handle_at",
        Errno::EOPNOTSUPP,
        "files have no handles",
    ),
    Row::missing(
        310,
        "process_vm_readv",
        Errno::EPERM,
        "nobody reads a confidential program's memory",
    ),
    Row::missing(
        311,
        "process_vm_writev",
        Errno::EPERM,
        "nobody writes a confidential program's memory",
    ),
    Row::missing(312, "kcmp", Errno::ENOSYS, FORK),
    Row::missing(
        317,
        "seccomp",
        Errno::EINVAL,
        "filters would need an interpreter in the trusted base",
    ),
    Row::missing(444, "landlock_create_ruleset", Errno::EOPNOTSUPP, "not supported"),
    Row::missing(445, "landlock_add_rule", Errno::EOPNOTSUPP, "not supported"),
    Row::missing(446, "landlock_restrict_self", Errno::EOPNOTSUPP, "not supported"),
    Row::missing(447, "memfd_secret", Errno::ENOSYS, "all memory is secret"),
    Row::missing(156, "_sysctl", Errno::ENOSYS, REMOVED),
    Row::missing(134, "uselib", Errno::ENOSYS, REMOVED),
    Row::missing(136, "ustat", Errno::ENOSYS, REMOVED),
    Row::missing(139, "sysfs", Errno::ENOSYS, REMOVED),
    Row::missing(174, "create_module", Errno::ENOSYS, REMOVED),
    Row::missing(177, "get_kernel_syms", Errno::ENOSYS, REMOVED),
    Row::missing(178, "query_module", Errno::ENOSYS, REMOVED),
    Row::missing(180, "nfsservctl", Errno::ENOSYS, REMOVED),
    Row::missing(181, "getpmsg", Errno::ENOSYS, REMOVED),
    Row::missing(182, "putpmsg", Errno::ENOSYS, REMOVED),
    Row::missing(183, "afs_syscall", Errno::ENOSYS, REMOVED),
    Row::missing(184, "tuxcall", Errno::ENOSYS, REMOVED),
    Row::missing(185, "security", Errno::ENOSYS, REMOVED),
    Row::missing(205, "set_thread_area", Errno::ENOSYS, REMOVED),
    Row::missing(211, "get_thread_area", Errno::ENOSYS, REMOVED),
    Row::missing(212, "lookup_dcookie", Errno::ENOSYS, REMOVED),
    Row::missing(236, "vserver", Errno::ENOSYS, REMOVED),
    Row::missing(248, "add_key", Errno::ENOSYS, "keys come from the key broker"),
    Row::missing(249, "request_key", Errno::ENOSYS, "keys come from the key broker"),
    Row::missing(250, "keyctl", Errno::ENOSYS, "keys come from the key broker"),
    Row::missing(
        206,
        "io_setup",
        Errno::ENOSYS,
        "not yet; programs fall back to threads",
    ),
    Row::missing(207, "io_destroy", Errno::ENOSYS, "see io_setup"),
    Row::missing(208, "io_getevents", Errno::ENOSYS, "see io_setup"),
    Row::missing(209, "io_submit", Errno::ENOSYS, "see io_setup"),
    Row::missing(210, "io_cancel", Errno::ENOSYS, "see io_setup"),
    Row::missing(333, "io_pgetevents", Errno::ENOSYS, "see io_setup"),
    Row::missing(29, "shmget", Errno::ENOSYS, FORK),
    Row::missing(30, "shmat", Errno::ENOSYS, FORK),
    Row::missing(31, "shmctl", Errno::ENOSYS, FORK),
    Row::missing(67, "shmdt", Errno::ENOSYS, FORK),
    Row::missing(64, "semget", Errno::ENOSYS, FORK),
    Row::missing(65, "semop", Errno::ENOSYS, FORK),
    Row::missing(66, "semctl", Errno::ENOSYS, FORK),
    Row::missing(220, "semtimedop", Errno::ENOSYS, FORK),
    Row::missing(68, "msgget", Errno::ENOSYS, FORK),
    Row::missing(69, "msgsnd", Errno::ENOSYS, FORK),
    Row::missing(70, "msgrcv", Errno::ENOSYS, FORK),
    Row::missing(71, "msgctl", Errno::ENOSYS, FORK),
    Row::missing(240, "mq_open", Errno::ENOSYS, FORK),
    Row::missing(241, "mq_unlink", Errno::ENOSYS, FORK),
    Row::missing(242, "mq_timedsend", Errno::ENOSYS, FORK),
    Row::missing(243, "mq_timedreceive", Errno::ENOSYS, FORK),
    Row::missing(244, "mq_notify", Errno::ENOSYS, FORK),
    Row::missing(245, "mq_getsetattr", Errno::ENOSYS, FORK),
    Row::missing(434, "pidfd_open", Errno::ENOSYS, FORK),
    Row::missing(424, "pidfd_send_signal", Errno::ENOSYS, FORK),
    Row::missing(438, "pidfd_getfd", Errno::ENOSYS, FORK),
    Row::missing(237, "mbind", Errno::ENOSYS, "memory policy is the host's"),
    Row::missing(238, "set_mempolicy", Errno::ENOSYS, "memory policy is the host's"),
    Row::missing(239, "get_mempolicy", Errno::ENOSYS, "memory policy is the host's"),
    Row::missing(256, "migrate_pages", Errno::ENOSYS, "memory policy is the host's"),
    Row::missing(279, "move_pages", Errno::ENOSYS, "memory policy is the host's"),
    Row::missing(
        148,
        "sched_rr_get_interval",
        Errno::ENOSYS,
        "there are no real-time policies",
    ),
    Row::missing(153, "vhangup", Errno::EPERM, ADMIN),
    Row::missing(
        154,
        "modify_ldt",
        Errno::ENOSYS,
        "no 16-bit segments in an enclave",
    ),
    Row::missing(214, "epoll_ctl_old", Errno::ENOSYS, REMOVED),
    Row::missing(215, "epoll_wait_old", Errno::ENOSYS, REMOVED),
    Row::missing(
        216,
        "remap_file_pages",
        Errno::ENOSYS,
        "not yet; deprecated since Linux 3.16",
    ),
    Row::missing(
        219,
        "restart_syscall",
        Errno::EINTR,
        "the LibOS restarts the system call itself",
    ),
    Row::missing(251, "ioprio_set", Errno::ENOSYS, "disks are the host's"),
    Row::missing(252, "ioprio_get", Errno::ENOSYS, "disks are the host's"),
    Row::missing(253, "inotify_init", Errno::ENOSYS, NO_WATCH),
    Row::missing(254, "inotify_add_watch", Errno::ENOSYS, NO_WATCH),
    Row::missing(255, "inotify_rm_watch", Errno::ENOSYS, NO_WATCH),
    Row::missing(294, "inotify_init1", Errno::ENOSYS, NO_WATCH),
    Row::missing(300, "fanotify_init", Errno::EPERM, ADMIN),
    Row::missing(301, "fanotify_mark", Errno::EPERM, ADMIN),
    Row::missing(
        314,
        "sched_setattr",
        Errno::ENOSYS,
        "not yet; sched_setscheduler is there",
    ),
    Row::missing(
        315,
        "sched_getattr",
        Errno::ENOSYS,
        "not yet; sched_getscheduler is there",
    ),
    Row::missing(329, "pkey_mprotect", Errno::EINVAL, NO_KEYS),
    Row::missing(330, "pkey_alloc", Errno::ENOSPC, NO_KEYS),
    Row::missing(331, "pkey_free", Errno::EINVAL, NO_KEYS),
    Row::missing(
        335,
        "uretprobe",
        Errno::ENOSYS,
        "no probes: nobody traces a confidential program",
    ),
    Row::missing(
        336,
        "uprobe",
        Errno::ENOSYS,
        "no probes: nobody traces a confidential program",
    ),
    Row::missing(428, "open_tree", Errno::EPERM, MEASURED),
    Row::missing(429, "move_mount", Errno::EPERM, MEASURED),
    Row::missing(430, "fsopen", Errno::EPERM, MEASURED),
    Row::missing(431, "fsconfig", Errno::EPERM, MEASURED),
    Row::missing(432, "fsmount", Errno::EPERM, MEASURED),
    Row::missing(433, "fspick", Errno::EPERM, MEASURED),
    Row::missing(440, "process_madvise", Errno::ENOSYS, FORK),
    Row::missing(442, "mount_setattr", Errno::EPERM, MEASURED),
    Row::missing(448, "process_mrelease", Errno::ENOSYS, FORK),
    Row::missing(
        449,
        "futex_waitv",
        Errno::ENOSYS,
        "not yet; programs fall back to futex",
    ),
    Row::missing(
        450,
        "set_mempolicy_home_node",
        Errno::ENOSYS,
        "memory policy is the host's",
    ),
    Row::missing(
        451,
        "cachestat",
        Errno::ENOSYS,
        "there is no page cache to speak of",
    ),
    Row::missing(453, "map_shadow_stack", Errno::EOPNOTSUPP, "no shadow stacks yet"),
    Row::missing(
        454,
        "futex_wake",
        Errno::ENOSYS,
        "not yet; programs fall back to futex",
    ),
    Row::missing(
        455,
        "futex_wait",
        Errno::ENOSYS,
        "not yet; programs fall back to futex",
    ),
    Row::missing(
        456,
        "futex_requeue",
        Errno::ENOSYS,
        "not yet; programs fall back to futex",
    ),
    Row::missing(457, "statmount", Errno::ENOSYS, "/proc/self/mountinfo tells it"),
    Row::missing(458, "listmount", Errno::ENOSYS, "/proc/self/mountinfo tells it"),
    Row::missing(
        459,
        "lsm_get_self_attr",
        Errno::EOPNOTSUPP,
        "there are no security modules",
    ),
    Row::missing(
        460,
        "lsm_set_self_attr",
        Errno::EOPNOTSUPP,
        "there are no security modules",
    ),
    Row::missing(
        461,
        "lsm_list_modules",
        Errno::EOPNOTSUPP,
        "there are no security modules",
    ),
    Row::missing(462, "mseal", Errno::ENOSYS, "not yet"),
    Row::missing(463, "setxattrat", Errno::ENOSYS, "not yet; setxattr is there"),
    Row::missing(464, "getxattrat", Errno::ENOSYS, "not yet; getxattr is there"),
    Row::missing(465, "listxattrat", Errno::ENOSYS, "not yet; listxattr is there"),
    Row::missing(
        466,
        "removexattrat",
        Errno::ENOSYS,
        "not yet; removexattr is there",
    ),
    Row::missing(467, "open_tree_attr", Errno::EPERM, MEASURED),
    Row::missing(
        468,
        "file_getattr",
        Errno::EOPNOTSUPP,
        "files have no such attributes",
    ),
    Row::missing(
        469,
        "file_setattr",
        Errno::EOPNOTSUPP,
        "files have no such attributes",
    ),
    Row::missing(
        470,
        "listns",
        Errno::ENOSYS,
        "a container is one set of namespaces",
    ),
];

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
