//! System calls that are not supported, each with its error and the reason, and the notice to the user about it.

use alloc::collections::BTreeSet;
use alloc::format;

use host_abi::MessageKind;
use kobject::{Errno, Mutex, Result};

use super::table::{Row, Support};
use crate::console;
use crate::process::Thread;

const NO_KEY_STORE: &str = "there is no key store; sealing keys are below /dev/attestation";
const ONE_SET: &str = "a container has one set of namespaces";
const ADMIN: &str = "only the host can administer the machine";
const NO_MODULES: &str = "there is no kernel to load code into";
const REMOVED: &str = "x86-64 Linux no longer has it";
const MEASURED: &str = "the mounts are fixed at conversion and measured";
const NO_KEYS: &str = "memory protection keys are not available in an enclave";

pub(super) const ROWS: &[Row] = &[
    Row::unsupported(
        101,
        "ptrace",
        Errno::EPERM,
        "nobody may trace a confidential program",
    ),
    Row::unsupported(
        334,
        "rseq",
        Errno::ENOSYS,
        "the LibOS cannot see when the host preempts a thread",
    )
    .quiet("glibc registers every thread at its start"),
    Row::unsupported(
        425,
        "io_uring_setup",
        Errno::ENOSYS,
        "not available in this version; programs fall back to epoll",
    )
    .quiet("Node and others try it at every start"),
    Row::unsupported(426, "io_uring_enter", Errno::ENOSYS, "see io_uring_setup"),
    Row::unsupported(427, "io_uring_register", Errno::ENOSYS, "see io_uring_setup"),
    Row::unsupported(166, "umount2", Errno::EPERM, MEASURED),
    Row::unsupported(155, "pivot_root", Errno::EPERM, MEASURED),
    Row::unsupported(167, "swapon", Errno::EPERM, ADMIN),
    Row::unsupported(168, "swapoff", Errno::EPERM, ADMIN),
    Row::unsupported(169, "reboot", Errno::EPERM, ADMIN),
    Row::unsupported(171, "setdomainname", Errno::EPERM, ADMIN),
    Row::unsupported(172, "iopl", Errno::EPERM, ADMIN),
    Row::unsupported(173, "ioperm", Errno::EPERM, ADMIN),
    Row::unsupported(175, "init_module", Errno::EPERM, NO_MODULES),
    Row::unsupported(176, "delete_module", Errno::EPERM, NO_MODULES),
    Row::unsupported(313, "finit_module", Errno::EPERM, NO_MODULES),
    Row::unsupported(246, "kexec_load", Errno::EPERM, NO_MODULES),
    Row::unsupported(320, "kexec_file_load", Errno::EPERM, NO_MODULES),
    Row::unsupported(163, "acct", Errno::EPERM, ADMIN),
    Row::unsupported(179, "quotactl", Errno::EPERM, ADMIN),
    Row::unsupported(443, "quotactl_fd", Errno::EPERM, ADMIN),
    Row::unsupported(159, "adjtimex", Errno::EPERM, "only the host can set the clocks"),
    Row::unsupported(
        305,
        "clock_adjtime",
        Errno::EPERM,
        "only the host can set the clocks",
    ),
    Row::unsupported(103, "syslog", Errno::EPERM, "the kernel log belongs to the host"),
    Row::unsupported(
        298,
        "perf_event_open",
        Errno::EPERM,
        "performance counters are a side channel",
    ),
    Row::unsupported(321, "bpf", Errno::EPERM, NO_MODULES),
    Row::unsupported(
        323,
        "userfaultfd",
        Errno::ENOSYS,
        "the LibOS handles page faults itself",
    ),
    Row::unsupported(308, "setns", Errno::EPERM, ONE_SET),
    Row::unsupported(272, "unshare", Errno::EPERM, ONE_SET),
    Row::unsupported(
        304,
        "open_by_handle_at",
        Errno::EPERM,
        "needs a capability that containers lack",
    ),
    Row::unsupported(
        303,
        "name_to_handle_at",
        Errno::EOPNOTSUPP,
        "files have no handles",
    ),
    Row::unsupported(
        310,
        "process_vm_readv",
        Errno::EPERM,
        "nobody may read a confidential program's memory",
    ),
    Row::unsupported(
        311,
        "process_vm_writev",
        Errno::EPERM,
        "nobody may write a confidential program's memory",
    ),
    Row::unsupported(
        317,
        "seccomp",
        Errno::EINVAL,
        "filters would need an interpreter in the trusted base",
    ),
    Row::unsupported(
        444,
        "landlock_create_ruleset",
        Errno::EOPNOTSUPP,
        "Landlock is not available in this version",
    ),
    Row::unsupported(
        445,
        "landlock_add_rule",
        Errno::EOPNOTSUPP,
        "Landlock is not available in this version",
    ),
    Row::unsupported(
        446,
        "landlock_restrict_self",
        Errno::EOPNOTSUPP,
        "Landlock is not available in this version",
    ),
    Row::unsupported(
        447,
        "memfd_secret",
        Errno::ENOSYS,
        "all memory of an enclave is secret already",
    ),
    Row::unsupported(156, "_sysctl", Errno::ENOSYS, REMOVED),
    Row::unsupported(134, "uselib", Errno::ENOSYS, REMOVED),
    Row::unsupported(174, "create_module", Errno::ENOSYS, REMOVED),
    Row::unsupported(177, "get_kernel_syms", Errno::ENOSYS, REMOVED),
    Row::unsupported(178, "query_module", Errno::ENOSYS, REMOVED),
    Row::unsupported(180, "nfsservctl", Errno::ENOSYS, REMOVED),
    Row::unsupported(181, "getpmsg", Errno::ENOSYS, REMOVED),
    Row::unsupported(182, "putpmsg", Errno::ENOSYS, REMOVED),
    Row::unsupported(183, "afs_syscall", Errno::ENOSYS, REMOVED),
    Row::unsupported(184, "tuxcall", Errno::ENOSYS, REMOVED),
    Row::unsupported(185, "security", Errno::ENOSYS, REMOVED),
    Row::unsupported(205, "set_thread_area", Errno::ENOSYS, REMOVED),
    Row::unsupported(211, "get_thread_area", Errno::ENOSYS, REMOVED),
    Row::unsupported(212, "lookup_dcookie", Errno::ENOSYS, REMOVED),
    Row::unsupported(236, "vserver", Errno::ENOSYS, REMOVED),
    Row::unsupported(248, "add_key", Errno::ENOSYS, NO_KEY_STORE),
    Row::unsupported(249, "request_key", Errno::ENOSYS, NO_KEY_STORE),
    Row::unsupported(250, "keyctl", Errno::ENOSYS, NO_KEY_STORE),
    Row::unsupported(153, "vhangup", Errno::EPERM, ADMIN),
    Row::unsupported(
        154,
        "modify_ldt",
        Errno::ENOSYS,
        "no 16-bit segments in an enclave",
    ),
    Row::unsupported(214, "epoll_ctl_old", Errno::ENOSYS, REMOVED),
    Row::unsupported(215, "epoll_wait_old", Errno::ENOSYS, REMOVED),
    Row::unsupported(
        219,
        "restart_syscall",
        Errno::EINTR,
        "the LibOS restarts the system call itself",
    ),
    Row::unsupported(300, "fanotify_init", Errno::EPERM, ADMIN),
    Row::unsupported(301, "fanotify_mark", Errno::EPERM, ADMIN),
    Row::unsupported(329, "pkey_mprotect", Errno::EINVAL, NO_KEYS),
    Row::unsupported(330, "pkey_alloc", Errno::ENOSPC, NO_KEYS),
    Row::unsupported(331, "pkey_free", Errno::EINVAL, NO_KEYS),
    Row::unsupported(
        335,
        "uretprobe",
        Errno::ENOSYS,
        "no probes: nobody may trace a confidential program",
    ),
    Row::unsupported(
        336,
        "uprobe",
        Errno::ENOSYS,
        "no probes: nobody may trace a confidential program",
    ),
    Row::unsupported(428, "open_tree", Errno::EPERM, MEASURED),
    Row::unsupported(429, "move_mount", Errno::EPERM, MEASURED),
    Row::unsupported(430, "fsopen", Errno::EPERM, MEASURED),
    Row::unsupported(431, "fsconfig", Errno::EPERM, MEASURED),
    Row::unsupported(432, "fsmount", Errno::EPERM, MEASURED),
    Row::unsupported(433, "fspick", Errno::EPERM, MEASURED),
    Row::unsupported(442, "mount_setattr", Errno::EPERM, MEASURED),
    Row::unsupported(
        451,
        "cachestat",
        Errno::ENOSYS,
        "there are no statistics of a page cache",
    )
    .quiet("Go and databases try it, and go on without"),
    Row::unsupported(
        453,
        "map_shadow_stack",
        Errno::EOPNOTSUPP,
        "shadow stacks are not available in this version",
    ),
    Row::unsupported(
        457,
        "statmount",
        Errno::ENOSYS,
        "/proc/self/mountinfo has this information",
    ),
    Row::unsupported(
        458,
        "listmount",
        Errno::ENOSYS,
        "/proc/self/mountinfo has this information",
    ),
    Row::unsupported(
        459,
        "lsm_get_self_attr",
        Errno::EOPNOTSUPP,
        "there are no security modules",
    ),
    Row::unsupported(
        460,
        "lsm_set_self_attr",
        Errno::EOPNOTSUPP,
        "there are no security modules",
    ),
    Row::unsupported(
        461,
        "lsm_list_modules",
        Errno::EOPNOTSUPP,
        "there are no security modules",
    ),
    Row::unsupported(467, "open_tree_attr", Errno::EPERM, MEASURED),
    Row::unsupported(
        468,
        "file_getattr",
        Errno::EOPNOTSUPP,
        "files have no such attributes",
    ),
    Row::unsupported(
        469,
        "file_setattr",
        Errno::EOPNOTSUPP,
        "files have no such attributes",
    ),
    Row::unsupported(470, "listns", Errno::ENOSYS, ONE_SET),
    Row::unsupported(
        471,
        "rseq_slice_yield",
        Errno::ENOSYS,
        "there are no restartable sequences, see rseq",
    ),
    Row::unsupported(
        472,
        "fchroot",
        Errno::ENOSYS,
        "not available in this version; chroot is",
    ),
];

/// What a program gets that makes a system call without a handler.
#[cold]
pub(super) fn refuse(row: Option<&Row>) -> Result<u64> {
    Err(match row {
        Some(Row {
            support: Support::Unsupported(errno, _),
            ..
        }) => *errno,
        _ => Errno::ENOSYS,
    })
}

/// Numbers that have been named.
static NAMED: Mutex<BTreeSet<i32>> = Mutex::new(BTreeSet::new());

/// How many are named: beyond, a program is trying them out.
const MAX_NAMED: usize = 64;

/// Tells the user that a program got ENOSYS, once per system call.
#[cold]
pub(super) fn name_once(thread: &Thread, number: i32, row: Option<&Row>) {
    if row.is_some_and(|row| row.quiet.is_some()) {
        return;
    }
    {
        let mut named = NAMED.lock();
        if named.len() == MAX_NAMED || !named.insert(number) {
            return;
        }
    }
    let program = thread.program();
    let text = match row {
        Some(row) => {
            let (Support::Unsupported(_, why) | Support::Partial(why)) = row.support else {
                return;
            };
            format!(
                "{program} called {} (system call {number}), which is not supported (ENOSYS): {why}\n",
                row.name
            )
        }
        None => format!("{program} made unknown system call {number} (ENOSYS)\n"),
    };
    console::print(MessageKind::Notice, &text);
}
