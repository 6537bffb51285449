//! Compares each number with Linux's own headers.
//!
//! `linux-raw-sys` is generated from them; `libc` stands in for names that those it covers do not have. What neither has is stated
//! a second time, with the file of the kernel's source that has it.

use std::collections::BTreeMap;

use linux_raw_sys::general::membarrier_cmd;
use linux_raw_sys::{auxvec, elf_uapi, errno, general, if_arp, ioctl, net, netlink, prctl, system};

use crate::*;

/// Compares two lists: the same names with the same values.
fn compare(ours: &[(&str, i128)], theirs: &[(&str, i128)]) {
    let ours: BTreeMap<_, _> = ours.iter().copied().collect();
    let theirs: BTreeMap<_, _> = theirs.iter().copied().collect();
    let names = |list: &BTreeMap<&str, i128>| list.keys().map(|&name| name.to_owned()).collect::<Vec<_>>();
    assert_eq!(
        names(&ours),
        names(&theirs),
        "the names compared are those that there are"
    );
    for (name, value) in ours {
        assert_eq!(value, theirs[name], "{name}");
    }
}

/// The constants of a type or module; then each once, below where else it is defined or with its value.
macro_rules! compare {
    ($ours:expr; $($theirs:ident [$($name:ident)*])* $({ $($stated:ident = $value:expr,)* })?) => {
        compare($ours, &[
            $($((stringify!($name), $theirs::$name as i128),)*)*
            $($((stringify!($stated), $value as i128),)*)?
        ]);
    };
}

#[test]
fn aio_is_as_in_the_headers() {
    compare!(AioCommand::ALL;
        {
            // include/uapi/linux/aio_abi.h
            IOCB_CMD_PREAD = 0,
            IOCB_CMD_PWRITE = 1,
            IOCB_CMD_FSYNC = 2,
            IOCB_CMD_FDSYNC = 3,
            IOCB_CMD_POLL = 5,
            IOCB_CMD_NOOP = 6,
            IOCB_CMD_PREADV = 7,
            IOCB_CMD_PWRITEV = 8,
        }
    );
    compare!(AioFlags::ALL;
        {
            // include/uapi/linux/aio_abi.h
            IOCB_FLAG_RESFD = 1 << 0,
            IOCB_FLAG_IOPRIO = 1 << 1,
        }
    );
}

#[test]
fn auxv_is_as_in_the_headers() {
    compare!(AuxiliaryKey::ALL; auxvec [
        AT_NULL AT_PHDR AT_PHENT AT_PHNUM AT_PAGESZ AT_BASE AT_FLAGS AT_ENTRY AT_UID AT_EUID
        AT_GID AT_EGID AT_PLATFORM AT_HWCAP AT_CLKTCK AT_SECURE AT_RANDOM AT_HWCAP2 AT_EXECFN
        AT_SYSINFO_EHDR AT_MINSIGSTKSZ
    ]);
    compare!(auxv::ALL;
        {
            // arch/x86/include/uapi/asm/hwcap2.h
            HWCAP2_FSGSBASE = 1 << 1,
        }
    );
}

#[test]
fn ipc_is_as_in_the_headers() {
    compare!(IpcFlags::ALL;
        {
            // include/uapi/linux/ipc.h
            IPC_CREAT = 0o1000,
            IPC_EXCL = 0o2000,
            IPC_NOWAIT = 0o4000,
        }
    );
    compare!(ShmCommand::ALL;
        {
            // include/uapi/linux/ipc.h and shm.h
            IPC_RMID = 0,
            IPC_SET = 1,
            IPC_STAT = 2,
            IPC_INFO = 3,
            SHM_LOCK = 11,
            SHM_UNLOCK = 12,
            SHM_STAT = 13,
            SHM_INFO = 14,
            SHM_STAT_ANY = 15,
        }
    );
    compare!(SemCommand::ALL;
        {
            // include/uapi/linux/ipc.h and sem.h
            IPC_RMID = 0,
            IPC_SET = 1,
            IPC_STAT = 2,
            IPC_INFO = 3,
            GETPID = 11,
            GETVAL = 12,
            GETALL = 13,
            GETNCNT = 14,
            GETZCNT = 15,
            SETVAL = 16,
            SETALL = 17,
            SEM_STAT = 18,
            SEM_INFO = 19,
            SEM_STAT_ANY = 20,
        }
    );
    compare!(MsgCommand::ALL;
        {
            // include/uapi/linux/ipc.h and msg.h
            IPC_RMID = 0,
            IPC_SET = 1,
            IPC_STAT = 2,
            IPC_INFO = 3,
            MSG_STAT = 11,
            MSG_INFO = 12,
            MSG_STAT_ANY = 13,
        }
    );
    compare!(ShmFlags::ALL;
        {
            // include/uapi/linux/shm.h
            SHM_RDONLY = 0o10000,
            SHM_RND = 0o20000,
            SHM_REMAP = 0o40000,
            SHM_EXEC = 0o100000,
        }
    );
    compare!(SemFlags::ALL;
        {
            // include/uapi/linux/sem.h
            SEM_UNDO = 0x1000,
        }
    );
    compare!(MsgFlags::ALL;
        {
            // include/uapi/linux/msg.h
            MSG_NOERROR = 0o10000,
            MSG_EXCEPT = 0o20000,
            MSG_COPY = 0o40000,
        }
    );
    compare!(ipc::ALL;
        {
            // include/uapi/linux/{ipc,shm,sem,msg,mqueue}.h, include/linux/{ipc_namespace,shm}.h, ipc/util.h
            IPC_PRIVATE = 0,
            IPCMNI_SHIFT = 15,
            SHM_HUGETLB = 0o4000,
            SHM_DEST = 0o1000,
            SHM_LOCKED = 0o2000,
            SHMMNI = 4096,
            SHMMIN = 1,
            SHMMAX = u64::MAX - (1 << 24),
            SHMALL = u64::MAX - (1 << 24),
            SEMMNI = 32000,
            SEMMSL = 32000,
            SEMMNS = 32000 * 32000,
            SEMOPM = 500,
            SEMVMX = 32767,
            SEMAEM = 32767,
            SEMUSZ = 20,
            MSGMNI = 32000,
            MSGMAX = 8192,
            MSGMNB = 16384,
            MSGSSZ = 16,
            MQ_PRIO_MAX = 32768,
            DFLT_MSGMAX = 10,
            DFLT_MSGSIZEMAX = 8192,
            HARD_MSGMAX = 65536,
            HARD_MSGSIZEMAX = 16 * 1024 * 1024,
            DFLT_QUEUESMAX = 256,
        }
    );
}

#[test]
fn capability_is_as_in_the_headers() {
    // The headers number them.
    let numbered: Vec<_> = Capabilities::ALL
        .iter()
        .map(|&(name, bit)| (name, i128::from(bit.trailing_zeros())))
        .collect();
    compare!(&numbered; general [
        CAP_CHOWN CAP_DAC_OVERRIDE CAP_DAC_READ_SEARCH CAP_FOWNER CAP_FSETID CAP_KILL CAP_SETGID
        CAP_SETUID CAP_SETPCAP CAP_LINUX_IMMUTABLE CAP_NET_BIND_SERVICE CAP_NET_BROADCAST
        CAP_NET_ADMIN CAP_NET_RAW CAP_IPC_LOCK CAP_IPC_OWNER CAP_SYS_MODULE CAP_SYS_RAWIO
        CAP_SYS_CHROOT CAP_SYS_PTRACE CAP_SYS_PACCT CAP_SYS_ADMIN CAP_SYS_BOOT CAP_SYS_NICE
        CAP_SYS_RESOURCE CAP_SYS_TIME CAP_SYS_TTY_CONFIG CAP_MKNOD CAP_LEASE CAP_AUDIT_WRITE
        CAP_AUDIT_CONTROL CAP_SETFCAP CAP_MAC_OVERRIDE CAP_MAC_ADMIN CAP_SYSLOG CAP_WAKE_ALARM
        CAP_BLOCK_SUSPEND CAP_AUDIT_READ CAP_PERFMON CAP_BPF CAP_CHECKPOINT_RESTORE
    ]);
    for &(name, bit) in Capabilities::ALL {
        let number = u64::from(bit.trailing_zeros());
        let found = Capabilities::numbered(number).map(|capability| i128::from(capability.bits()));
        assert_eq!(found, Some(bit), "{name}");
    }
    assert_eq!(Capabilities::numbered(Capabilities::ALL.len() as u64), None);
    compare!(Securebits::ALL;
        {
            // include/uapi/linux/securebits.h
            SECBIT_NOROOT = 1 << 0,
            SECBIT_NOROOT_LOCKED = 1 << 1,
            SECBIT_NO_SETUID_FIXUP = 1 << 2,
            SECBIT_NO_SETUID_FIXUP_LOCKED = 1 << 3,
            SECBIT_KEEP_CAPS = 1 << 4,
            SECBIT_KEEP_CAPS_LOCKED = 1 << 5,
            SECBIT_NO_CAP_AMBIENT_RAISE = 1 << 6,
            SECBIT_NO_CAP_AMBIENT_RAISE_LOCKED = 1 << 7,
        }
    );
    compare!(capability::ALL; general [
        _LINUX_CAPABILITY_VERSION_1 _LINUX_CAPABILITY_VERSION_2 _LINUX_CAPABILITY_VERSION_3 CAP_LAST_CAP
    ]);
}

#[test]
fn clone_is_as_in_the_headers() {
    compare!(CloneFlags::ALL; general [
        CLONE_VM CLONE_FS CLONE_FILES CLONE_SIGHAND CLONE_NEWTIME CLONE_PIDFD CLONE_PTRACE CLONE_VFORK CLONE_PARENT
        CLONE_THREAD CLONE_NEWNS CLONE_SYSVSEM CLONE_SETTLS CLONE_PARENT_SETTID CLONE_CHILD_CLEARTID CLONE_DETACHED
        CLONE_UNTRACED CLONE_CHILD_SETTID CLONE_NEWCGROUP CLONE_NEWUTS CLONE_NEWIPC CLONE_NEWUSER CLONE_NEWPID
        CLONE_NEWNET CLONE_IO CLONE_CLEAR_SIGHAND
    ]);
    compare!(clone::ALL; general [CSIGNAL CLONE_ARGS_SIZE_VER0]);
}

#[test]
fn device_is_as_in_the_headers() {
    compare!(device::ALL;
        {
            // include/uapi/linux/major.h
            MEM_MAJOR = 1,
            TTYAUX_MAJOR = 5,
            UNIX98_PTY_SLAVE_MAJOR = 136,
            // Documentation/admin-guide/devices.txt
            DEV_NULL = libc::makedev(1, 3),
            DEV_ZERO = libc::makedev(1, 5),
            DEV_FULL = libc::makedev(1, 7),
            DEV_RANDOM = libc::makedev(1, 8),
            DEV_URANDOM = libc::makedev(1, 9),
            DEV_TTY = libc::makedev(5, 0),
            DEV_PTMX = libc::makedev(5, 2),
            DEV_PTS_0 = libc::makedev(136, 0),
        }
    );
}

#[test]
fn elf_is_as_in_the_headers() {
    compare!(elf::ALL;
        elf_uapi [
            ELFCLASS64 ELFDATA2LSB EV_CURRENT ET_EXEC ET_DYN EM_X86_64 PT_LOAD PT_DYNAMIC PT_INTERP
            PF_X PF_W PF_R SHT_SYMTAB SHT_DYNSYM STT_FUNC DT_NULL DT_HASH DT_STRTAB DT_SYMTAB
            DT_STRSZ DT_SYMENT DT_SONAME DT_VERSYM DT_VERDEF DT_VERDEFNUM
        ]
        {
            // the GNU extensions to the System V ABI
            STT_GNU_IFUNC = 10,
        }
    );
}

#[test]
fn epoll_is_as_in_the_headers() {
    compare!(EpollFlags::ALL; general [EPOLLEXCLUSIVE EPOLLWAKEUP EPOLLONESHOT EPOLLET]);
    compare!(EpollCommand::ALL; general [EPOLL_CTL_ADD EPOLL_CTL_DEL EPOLL_CTL_MOD]);
}

#[test]
fn errno_is_as_in_the_headers() {
    compare!(Errno::ALL; errno [
        EPERM ENOENT ESRCH EINTR EIO ENXIO E2BIG ENOEXEC EBADF ECHILD EAGAIN ENOMEM EACCES
        EFAULT ENOTBLK EBUSY EEXIST EXDEV ENODEV ENOTDIR EISDIR EINVAL ENFILE EMFILE ENOTTY
        ETXTBSY EFBIG ENOSPC ESPIPE EROFS EMLINK EPIPE EDOM ERANGE EDEADLK ENAMETOOLONG ENOLCK
        ENOSYS ENOTEMPTY ELOOP ENOMSG EIDRM ENODATA ETIME EPROTO EBADMSG EOVERFLOW EBADFD EILSEQ
        EUSERS ENOTSOCK EDESTADDRREQ EMSGSIZE EPROTOTYPE ENOPROTOOPT EPROTONOSUPPORT
        ESOCKTNOSUPPORT EOPNOTSUPP EPFNOSUPPORT EAFNOSUPPORT EADDRINUSE EADDRNOTAVAIL ENETDOWN
        ENETUNREACH ENETRESET ECONNABORTED ECONNRESET ENOBUFS EISCONN ENOTCONN ESHUTDOWN
        ETIMEDOUT ECONNREFUSED EHOSTDOWN EHOSTUNREACH EALREADY EINPROGRESS ESTALE EDQUOT
        ECANCELED EOWNERDEAD ENOTRECOVERABLE
    ]);
}

#[test]
fn fcntl_is_as_in_the_headers() {
    compare!(FcntlCommand::ALL; general [
        F_DUPFD F_GETFD F_SETFD F_GETFL F_SETFL F_GETLK F_SETLK F_SETLKW F_SETOWN F_GETOWN F_SETLEASE F_GETLEASE F_SETSIG F_GETSIG F_SETOWN_EX F_GETOWN_EX
        F_OFD_GETLK F_OFD_SETLK F_OFD_SETLKW F_DUPFD_QUERY F_DUPFD_CLOEXEC F_SETPIPE_SZ F_GETPIPE_SZ
        F_ADD_SEALS F_GET_SEALS
    ]);
    compare!(OwnerKind::ALL; general [F_OWNER_TID F_OWNER_PID F_OWNER_PGRP]);
    compare!(DescriptorFlags::ALL; general [FD_CLOEXEC]);
    compare!(RecordLockType::ALL; general [F_RDLCK F_WRLCK F_UNLCK]);
    compare!(FlockFlags::ALL; general [LOCK_SH LOCK_EX LOCK_UN LOCK_MAND LOCK_NB]);
    compare!(Seals::ALL; general [
        F_SEAL_SEAL F_SEAL_SHRINK F_SEAL_GROW F_SEAL_WRITE F_SEAL_FUTURE_WRITE F_SEAL_EXEC
    ]);
}

#[test]
fn file_system_is_as_in_the_headers() {
    compare!(MountFlags::ALL;
        libc [ST_RDONLY ST_NOSUID ST_NODEV ST_NOEXEC ST_NOATIME]
        {
            // include/linux/statfs.h
            ST_VALID = 0x20,
        }
    );
    compare!(RenameFlags::ALL; general [RENAME_NOREPLACE RENAME_EXCHANGE]);
    compare!(XattrFlags::ALL; general [XATTR_CREATE XATTR_REPLACE]);
    compare!(file_system::ALL;
        general [
            PATH_MAX NAME_MAX XATTR_NAME_MAX XATTR_SIZE_MAX CGROUP2_SUPER_MAGIC DEVPTS_SUPER_MAGIC OVERLAYFS_SUPER_MAGIC PIPEFS_MAGIC
            PROC_SUPER_MAGIC SYSFS_MAGIC TMPFS_MAGIC
        ]
        {
            // include/linux/namei.h
            MAXSYMLINKS = 40,
            // mm/memfd.c: NAME_MAX without `memfd:`
            MFD_NAME_MAX_LEN = 255 - 6,
        }
    );
}

#[test]
fn futex_is_as_in_the_headers() {
    compare!(FutexCommand::ALL; general [
        FUTEX_WAIT FUTEX_WAKE FUTEX_REQUEUE FUTEX_CMP_REQUEUE FUTEX_WAKE_OP FUTEX_LOCK_PI
        FUTEX_UNLOCK_PI FUTEX_TRYLOCK_PI FUTEX_WAIT_BITSET FUTEX_WAKE_BITSET FUTEX_LOCK_PI2
    ]);
    compare!(FutexFlags::ALL; general [FUTEX_PRIVATE_FLAG FUTEX_CLOCK_REALTIME]);
    compare!(Futex2Flags::ALL; general [FUTEX2_SIZE_U32 FUTEX2_PRIVATE]);
    compare!(FutexOperation::ALL;
        general [FUTEX_OP_SET FUTEX_OP_ADD FUTEX_OP_OR FUTEX_OP_ANDN FUTEX_OP_XOR]
    );
    compare!(FutexComparison::ALL; general [
        FUTEX_OP_CMP_EQ FUTEX_OP_CMP_NE FUTEX_OP_CMP_LT FUTEX_OP_CMP_LE FUTEX_OP_CMP_GT
        FUTEX_OP_CMP_GE
    ]);
    compare!(futex::ALL; general [
        FUTEX_OP_OPARG_SHIFT FUTEX_WAITERS FUTEX_OWNER_DIED FUTEX_TID_MASK
        FUTEX_BITSET_MATCH_ANY FUTEX_WAITV_MAX ROBUST_LIST_LIMIT
    ]);
}

#[test]
fn inotify_is_as_in_the_headers() {
    compare!(InotifyMask::ALL; general [
        IN_ACCESS IN_MODIFY IN_ATTRIB IN_CLOSE_WRITE IN_CLOSE_NOWRITE IN_OPEN IN_MOVED_FROM
        IN_MOVED_TO IN_CREATE IN_DELETE IN_DELETE_SELF IN_MOVE_SELF IN_UNMOUNT IN_Q_OVERFLOW
        IN_IGNORED IN_ONLYDIR IN_DONT_FOLLOW IN_EXCL_UNLINK IN_MASK_CREATE IN_MASK_ADD IN_ISDIR
        IN_ONESHOT
    ]);
}

#[test]
fn ioctl_is_as_in_the_headers() {
    compare!(Ioctl::ALL;
        ioctl [
            TCGETS TCSETS TCSETSW TCSETSF TCSBRK TCXONC TCFLSH TIOCEXCL TIOCNXCL TIOCSCTTY
            TIOCGPGRP TIOCSPGRP TIOCOUTQ TIOCSTI TIOCGWINSZ TIOCSWINSZ FIONREAD RNDGETENTCNT TIOCPKT FIONBIO
            TIOCNOTTY TIOCSETD TIOCGETD TCSBRKP TIOCSBRK TIOCCBRK TIOCGSID TCGETS2 TCSETS2
            TCSETSW2 TCSETSF2 TIOCGPTN TIOCSPTLCK TIOCGDEV TIOCVHANGUP TIOCGPKT TIOCGPTLCK
            TIOCGEXCL TIOCGPTPEER FIONCLEX FIOCLEX FIOASYNC FIOSETOWN SIOCSPGRP FIOGETOWN SIOCGPGRP
            SIOCATMARK SIOCADDRT SIOCDELRT SIOCGIFNAME SIOCGIFCONF SIOCGIFFLAGS SIOCSIFFLAGS
            SIOCGIFADDR SIOCSIFADDR SIOCGIFDSTADDR SIOCSIFDSTADDR SIOCGIFBRDADDR SIOCSIFBRDADDR
            SIOCGIFNETMASK SIOCSIFNETMASK SIOCGIFMETRIC SIOCSIFMETRIC SIOCGIFMTU SIOCSIFMTU
            SIOCSIFNAME SIOCSIFHWADDR SIOCGIFHWADDR SIOCGIFSLAVE SIOCADDMULTI SIOCDELMULTI
            SIOCGIFINDEX SIOCSIFPFLAGS SIOCGIFPFLAGS SIOCSIFHWBROADCAST SIOCGIFTXQLEN
            SIOCSIFTXQLEN SIOCDARP SIOCSARP SIOCGIFMAP SIOCSIFMAP
        ]
        {
            // include/uapi/linux/sockios.h
            SIOCETHTOOL = 0x8946,
            SIOCGMIIPHY = 0x8947,
            SIOCGMIIREG = 0x8948,
            SIOCSMIIREG = 0x8949,
        }
    );
}

#[test]
fn memory_policy_is_as_in_the_headers() {
    compare!(MemoryPolicyMode::ALL;
        {
            // include/uapi/linux/mempolicy.h
            MPOL_DEFAULT = 0,
            MPOL_PREFERRED = 1,
            MPOL_BIND = 2,
            MPOL_INTERLEAVE = 3,
            MPOL_LOCAL = 4,
            MPOL_PREFERRED_MANY = 5,
            MPOL_WEIGHTED_INTERLEAVE = 6,
        }
    );
    compare!(MemoryPolicyModeFlags::ALL;
        {
            // include/uapi/linux/mempolicy.h
            MPOL_F_NUMA_BALANCING = 1 << 13,
            MPOL_F_RELATIVE_NODES = 1 << 14,
            MPOL_F_STATIC_NODES = 1 << 15,
        }
    );
    compare!(PolicyQuery::ALL;
        {
            // include/uapi/linux/mempolicy.h
            MPOL_F_NODE = 1,
            MPOL_F_ADDR = 2,
            MPOL_F_MEMS_ALLOWED = 4,
        }
    );
    compare!(BindFlags::ALL;
        {
            // include/uapi/linux/mempolicy.h
            MPOL_MF_STRICT = 1,
            MPOL_MF_MOVE = 2,
            MPOL_MF_MOVE_ALL = 4,
        }
    );
    compare!(memory_policy::ALL;
        {
            // include/uapi/linux/mempolicy.h
            MPOL_MODE_FLAGS = 0xe000,
            // CONFIG_NODES_SHIFT of distributions: 10
            MAX_NODES = 1 << 10,
        }
    );
}

#[test]
fn limits_is_as_in_the_headers() {
    compare!(Resource::ALL; general [
        RLIMIT_CPU RLIMIT_FSIZE RLIMIT_DATA RLIMIT_STACK RLIMIT_CORE RLIMIT_RSS RLIMIT_NPROC
        RLIMIT_NOFILE RLIMIT_MEMLOCK RLIMIT_AS RLIMIT_LOCKS RLIMIT_SIGPENDING RLIMIT_MSGQUEUE
        RLIMIT_NICE RLIMIT_RTPRIO RLIMIT_RTTIME
    ]);
    compare!(limits::ALL; libc [RLIM_INFINITY]);
}

#[test]
fn memory_is_as_in_the_headers() {
    compare!(ProtectionFlags::ALL;
        general [PROT_READ PROT_WRITE PROT_EXEC PROT_SEM PROT_GROWSDOWN PROT_GROWSUP]
    );
    compare!(MapFlags::ALL; general [
        MAP_SHARED MAP_PRIVATE MAP_SHARED_VALIDATE MAP_FIXED MAP_ANONYMOUS MAP_32BIT MAP_ABOVE4G
        MAP_GROWSDOWN MAP_DENYWRITE MAP_EXECUTABLE MAP_LOCKED MAP_NORESERVE MAP_POPULATE
        MAP_NONBLOCK MAP_STACK MAP_HUGETLB MAP_SYNC MAP_FIXED_NOREPLACE
    ]);
    compare!(LockFlags::ALL; general [MLOCK_ONFAULT]);
    compare!(LockAllFlags::ALL; general [MCL_CURRENT MCL_FUTURE MCL_ONFAULT]);
    compare!(RemapFlags::ALL; general [MREMAP_MAYMOVE MREMAP_FIXED MREMAP_DONTUNMAP]);
    compare!(MemoryAdvice::ALL; general [
        MADV_NORMAL MADV_RANDOM MADV_SEQUENTIAL MADV_WILLNEED MADV_DONTNEED MADV_FREE
        MADV_DONTFORK MADV_DOFORK MADV_MERGEABLE MADV_UNMERGEABLE MADV_HUGEPAGE MADV_NOHUGEPAGE
        MADV_DONTDUMP MADV_DODUMP MADV_WIPEONFORK MADV_KEEPONFORK MADV_COLD MADV_PAGEOUT
        MADV_POPULATE_READ MADV_POPULATE_WRITE MADV_COLLAPSE
    ]);
    compare!(SyncFlags::ALL; general [MS_ASYNC MS_INVALIDATE MS_SYNC]);
    compare!(MemfdFlags::ALL;
        general [MFD_CLOEXEC MFD_ALLOW_SEALING MFD_HUGETLB MFD_NOEXEC_SEAL MFD_EXEC]
    );
    compare!(memory::ALL; general [MFD_HUGE_SHIFT MFD_HUGE_MASK]);
}

#[test]
fn netlink_is_as_in_the_headers() {
    compare!(crate::netlink::MessageType::ALL; netlink [
        NLMSG_ERROR NLMSG_DONE RTM_NEWLINK RTM_GETLINK RTM_NEWADDR RTM_GETADDR
    ]);
    compare!(crate::netlink::RequestFlags::ALL; netlink [NLM_F_REQUEST NLM_F_DUMP]);
    compare!(crate::netlink::LinkAttribute::ALL; netlink [
        IFLA_ADDRESS IFLA_IFNAME IFLA_MTU IFLA_TXQLEN
    ]);
    compare!(crate::netlink::AddressAttribute::ALL; netlink [IFA_ADDRESS IFA_LOCAL IFA_BROADCAST]);
    compare!(crate::netlink::ALL;
        {
            NLA_TYPE_MASK = linux_raw_sys::netlink::NLA_TYPE_MASK as u16,
        }
    );
}

#[test]
fn open_is_as_in_the_headers() {
    compare!(OpenFlags::ALL;
        general [
            O_WRONLY O_RDWR O_CREAT O_EXCL O_NOCTTY O_TRUNC O_APPEND O_NONBLOCK O_DSYNC O_DIRECT
            O_LARGEFILE O_DIRECTORY O_NOFOLLOW O_NOATIME O_CLOEXEC __O_SYNC O_PATH __O_TMPFILE
        ]
        libc [O_ASYNC]
    );
    compare!(AtFlags::ALL; general [
        AT_SYMLINK_NOFOLLOW AT_REMOVEDIR AT_EACCESS AT_SYMLINK_FOLLOW AT_NO_AUTOMOUNT
        AT_EMPTY_PATH AT_STATX_FORCE_SYNC AT_STATX_DONT_SYNC AT_STATX_SYNC_TYPE
    ]);
    compare!(ResolveFlags::ALL; general [
        RESOLVE_NO_XDEV RESOLVE_NO_MAGICLINKS RESOLVE_NO_SYMLINKS RESOLVE_BENEATH
        RESOLVE_IN_ROOT RESOLVE_CACHED
    ]);
    compare!(CloseRangeFlags::ALL; libc [CLOSE_RANGE_UNSHARE CLOSE_RANGE_CLOEXEC]);
    compare!(open::ALL;
        general [AT_FDCWD]
        {
            // include/linux/fcntl.h
            OPEN_HOW_SIZE_VER0 = 24,
        }
    );
}

#[test]
fn poll_is_as_in_the_headers() {
    compare!(PollEvents::ALL; general [
        POLLIN POLLPRI POLLOUT POLLERR POLLHUP POLLNVAL POLLRDNORM POLLRDBAND POLLWRNORM
        POLLWRBAND POLLRDHUP
    ]);
}

#[test]
fn prctl_is_as_in_the_headers() {
    compare!(PrctlOption::ALL; prctl [
        PR_SET_PDEATHSIG PR_GET_PDEATHSIG PR_GET_DUMPABLE PR_SET_DUMPABLE PR_GET_KEEPCAPS
        PR_SET_KEEPCAPS PR_SET_NAME PR_GET_NAME PR_GET_SECCOMP PR_CAPBSET_READ PR_CAPBSET_DROP
        PR_GET_TIMING PR_SET_TIMING PR_GET_TSC PR_SET_TSC PR_SET_TIMERSLACK PR_GET_TIMERSLACK PR_SET_CHILD_SUBREAPER PR_GET_CHILD_SUBREAPER
        PR_SET_NO_NEW_PRIVS PR_GET_NO_NEW_PRIVS PR_SET_THP_DISABLE PR_GET_THP_DISABLE
        PR_CAP_AMBIENT PR_SET_VMA PR_GET_SECUREBITS PR_SET_SECUREBITS
    ]);
    compare!(AmbientCommand::ALL; prctl [
        PR_CAP_AMBIENT_IS_SET PR_CAP_AMBIENT_RAISE PR_CAP_AMBIENT_LOWER PR_CAP_AMBIENT_CLEAR_ALL
    ]);
    compare!(ArchPrctlOption::ALL;
        general [ARCH_SET_FS]
        {
            // arch/x86/include/uapi/asm/prctl.h
            ARCH_SET_GS = 0x1001,
            ARCH_GET_FS = 0x1003,
            ARCH_GET_GS = 0x1004,
            ARCH_GET_CPUID = 0x1011,
            ARCH_SET_CPUID = 0x1012,
        }
    );
    compare!(crate::prctl::ALL;
        prctl [PR_TSC_ENABLE]
        {
            // include/linux/sched.h
            TASK_COMM_LEN = 16,
            // kernel/exec_domain.c
            PERSONALITY_QUERY = u32::MAX,
        }
    );
}

#[test]
fn read_write_is_as_in_the_headers() {
    compare!(Whence::ALL; general [SEEK_SET SEEK_CUR SEEK_END SEEK_DATA SEEK_HOLE]);
    compare!(ReadWriteFlags::ALL; general [RWF_HIPRI RWF_DSYNC RWF_SYNC RWF_NOWAIT RWF_APPEND]);
    compare!(SpliceFlags::ALL;
        general [SPLICE_F_MOVE SPLICE_F_NONBLOCK SPLICE_F_MORE SPLICE_F_GIFT]
    );
    compare!(SyncRangeFlags::ALL; general [
        SYNC_FILE_RANGE_WAIT_BEFORE SYNC_FILE_RANGE_WRITE SYNC_FILE_RANGE_WAIT_AFTER
    ]);
    compare!(AllocateFlags::ALL; general [
        FALLOC_FL_KEEP_SIZE FALLOC_FL_PUNCH_HOLE FALLOC_FL_ZERO_RANGE FALLOC_FL_UNSHARE_RANGE
    ]);
    compare!(FileAdvice::ALL; general [
        POSIX_FADV_NORMAL POSIX_FADV_RANDOM POSIX_FADV_SEQUENTIAL POSIX_FADV_WILLNEED
        POSIX_FADV_DONTNEED POSIX_FADV_NOREUSE
    ]);
    compare!(read_write::ALL;
        general [UIO_MAXIOV]
        {
            // include/linux/fs.h
            MAX_RW_COUNT = (i32::MAX as u64) & !4095,
        }
    );
}

#[test]
fn sched_is_as_in_the_headers() {
    compare!(SchedulingPolicy::ALL; general [
        SCHED_NORMAL SCHED_FIFO SCHED_RR SCHED_BATCH SCHED_IDLE SCHED_DEADLINE
    ]);
    compare!(PriorityTarget::ALL; general [PRIO_PROCESS PRIO_PGRP PRIO_USER]);
    compare!(IoPriorityTarget::ALL;
        {
            // include/uapi/linux/ioprio.h
            IOPRIO_WHO_PROCESS = 1,
            IOPRIO_WHO_PGRP = 2,
            IOPRIO_WHO_USER = 3,
        }
    );
    compare!(IoPriorityClass::ALL;
        {
            // include/uapi/linux/ioprio.h
            IOPRIO_CLASS_NONE = 0,
            IOPRIO_CLASS_RT = 1,
            IOPRIO_CLASS_BE = 2,
            IOPRIO_CLASS_IDLE = 3,
        }
    );
    compare!(UsageTarget::ALL; general [RUSAGE_SELF RUSAGE_THREAD RUSAGE_CHILDREN]);
    compare!(MembarrierCommand::ALL; membarrier_cmd [
        MEMBARRIER_CMD_GLOBAL MEMBARRIER_CMD_GLOBAL_EXPEDITED
        MEMBARRIER_CMD_REGISTER_GLOBAL_EXPEDITED MEMBARRIER_CMD_PRIVATE_EXPEDITED
        MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED MEMBARRIER_CMD_GET_REGISTRATIONS
    ]);
    compare!(SchedulingFlags::ALL; general [
        SCHED_FLAG_RESET_ON_FORK SCHED_FLAG_RECLAIM SCHED_FLAG_DL_OVERRUN SCHED_FLAG_KEEP_POLICY
        SCHED_FLAG_KEEP_PARAMS SCHED_FLAG_UTIL_CLAMP_MIN SCHED_FLAG_UTIL_CLAMP_MAX
    ]);
    compare!(sched::ALL;
        general [SCHED_RESET_ON_FORK]
        {
            // include/uapi/linux/sched/types.h
            SCHED_ATTR_SIZE_VER0 = 48,
            SCHED_ATTR_SIZE_VER1 = 56,
            // include/uapi/linux/ioprio.h
            IOPRIO_CLASS_SHIFT = 13,
            IOPRIO_LEVELS = 1 << 3,
            // include/linux/sched/prio.h
            MIN_NICE = -20,
            MAX_NICE = 19,
            // include/linux/sched.h
            PF_RANDOMIZE = 0x00400000,
            // include/linux/sched/prio.h
            MAX_RT_PRIO = 100 - 1,
        }
    );
}

#[test]
fn signal_is_as_in_the_headers() {
    compare!(Signal::ALL; general [
        SIGHUP SIGINT SIGQUIT SIGILL SIGTRAP SIGABRT SIGBUS SIGFPE SIGKILL SIGUSR1 SIGSEGV
        SIGUSR2 SIGPIPE SIGALRM SIGTERM SIGSTKFLT SIGCHLD SIGCONT SIGSTOP SIGTSTP SIGTTIN
        SIGTTOU SIGURG SIGXCPU SIGXFSZ SIGVTALRM SIGPROF SIGWINCH SIGIO SIGPWR SIGSYS SIGRTMIN
    ]);
    compare!(SignalCode::ALL; general [
        SI_USER SI_KERNEL SI_TIMER SI_MESGQ SI_TKILL ILL_ILLOPN FPE_INTDIV FPE_FLTDIV FPE_FLTOVF
        FPE_FLTUND FPE_FLTRES FPE_FLTINV SEGV_MAPERR SEGV_ACCERR BUS_ADRALN BUS_ADRERR
        TRAP_TRACE POLL_IN POLL_OUT POLL_MSG POLL_HUP CLD_EXITED CLD_KILLED CLD_DUMPED CLD_STOPPED CLD_CONTINUED
    ]);
    compare!(ActionFlags::ALL; general [
        SA_NOCLDSTOP SA_NOCLDWAIT SA_SIGINFO SA_RESTORER SA_ONSTACK SA_RESTART SA_NODEFER
        SA_RESETHAND
    ]);
    compare!(MaskOperation::ALL; general [SIG_BLOCK SIG_UNBLOCK SIG_SETMASK]);
    compare!(StackFlags::ALL; general [SS_ONSTACK SS_DISABLE SS_AUTODISARM]);
    compare!(SignalEvent::ALL; general [SIGEV_SIGNAL SIGEV_NONE SIGEV_THREAD SIGEV_THREAD_ID]);
    compare!(signal::ALL;
        libc [SIG_DFL SIG_IGN]
        {
            // arch/x86/include/uapi/asm/sigcontext.h
            FP_XSTATE_MAGIC1 = 0x46505853,
            FP_XSTATE_MAGIC2 = 0x46505845,
            // arch/x86/include/uapi/asm/ucontext.h
            UC_FP_XSTATE = 1,
            UC_SIGCONTEXT_SS = 2,
            UC_STRICT_RESTORE_SS = 4,
        }
    );
}

#[test]
fn socket_is_as_in_the_headers() {
    compare!(AddressFamily::ALL; net [AF_UNSPEC AF_UNIX AF_INET AF_INET6 AF_NETLINK]);
    compare!(SocketType::ALL; net [SOCK_STREAM SOCK_DGRAM SOCK_RAW SOCK_SEQPACKET]);
    compare!(SocketFlags::ALL; libc [SOCK_NONBLOCK SOCK_CLOEXEC]);
    compare!(Protocol::ALL;
        net [
            IPPROTO_IP IPPROTO_ICMP IPPROTO_TCP IPPROTO_UDP IPPROTO_IPV6 IPPROTO_ICMPV6
        ]
        netlink [NETLINK_ROUTE]
    );
    compare!(ShutdownDirection::ALL; net [SHUT_RD SHUT_WR SHUT_RDWR]);
    compare!(MessageFlags::ALL;
        net [
            MSG_OOB MSG_PEEK MSG_DONTROUTE MSG_CTRUNC MSG_TRUNC MSG_DONTWAIT MSG_EOR MSG_WAITALL
            MSG_CONFIRM MSG_ERRQUEUE MSG_NOSIGNAL MSG_MORE MSG_CMSG_CLOEXEC
        ]
        libc [MSG_WAITFORONE]
    );
    compare!(ControlMessage::ALL; net [SCM_RIGHTS SCM_CREDENTIALS]);
    compare!(socket::ALL;
        net [IFNAMSIZ]
        if_arp [ARPHRD_LOOPBACK]
        {
            // include/linux/socket.h, include/linux/net.h, include/uapi/linux/in.h
            AF_MAX = 46,
            SOCK_MAX = 10 + 1,
            SOCK_TYPE_MASK = 0xf,
            IPPROTO_MAX = 262 + 1,
        }
    );
}

#[test]
fn socket_option_is_as_in_the_headers() {
    compare!(OptionLevel::ALL; net [SOL_IP SOL_SOCKET SOL_TCP SOL_UDP SOL_IPV6]);
    compare!(SocketOption::ALL;
        net [
            SO_DEBUG SO_REUSEADDR SO_TYPE SO_ERROR SO_DONTROUTE SO_BROADCAST SO_SNDBUF SO_RCVBUF
            SO_KEEPALIVE SO_OOBINLINE SO_NO_CHECK SO_PRIORITY SO_LINGER SO_REUSEPORT SO_PASSCRED
            SO_PEERCRED SO_RCVLOWAT SO_RCVTIMEO SO_SNDTIMEO SO_BINDTODEVICE SO_ATTACH_FILTER
            SO_DETACH_FILTER SO_TIMESTAMP_OLD SO_ACCEPTCONN SO_SNDBUFFORCE SO_RCVBUFFORCE
            SO_TIMESTAMPNS_OLD SO_MARK SO_TIMESTAMPING_OLD SO_PROTOCOL SO_DOMAIN SO_RXQ_OVFL
            SO_BUSY_POLL SO_MAX_PACING_RATE SO_INCOMING_CPU SO_COOKIE SO_TIMESTAMP_NEW
            SO_TIMESTAMPNS_NEW SO_TIMESTAMPING_NEW
        ]
    );
    compare!(Ipv4Option::ALL;
        net [
            IP_TOS IP_TTL IP_PKTINFO IP_MTU_DISCOVER IP_RECVERR IP_RECVTTL IP_RECVTOS IP_MTU
            IP_FREEBIND IP_TRANSPARENT IP_RECVORIGDSTADDR IP_BIND_ADDRESS_NO_PORT
            IP_MULTICAST_IF IP_MULTICAST_TTL IP_MULTICAST_LOOP IP_ADD_MEMBERSHIP
            IP_DROP_MEMBERSHIP IP_MULTICAST_ALL IP_LOCAL_PORT_RANGE
        ]
    );
    compare!(Ipv6Option::ALL;
        net [
            IPV6_UNICAST_HOPS IPV6_MULTICAST_IF IPV6_MULTICAST_HOPS IPV6_MULTICAST_LOOP
            IPV6_ADD_MEMBERSHIP IPV6_DROP_MEMBERSHIP IPV6_MTU_DISCOVER IPV6_MTU IPV6_RECVERR
            IPV6_V6ONLY IPV6_RECVPKTINFO IPV6_PKTINFO IPV6_RECVHOPLIMIT IPV6_HOPLIMIT
            IPV6_DONTFRAG IPV6_RECVTCLASS IPV6_TCLASS IPV6_ADDR_PREFERENCES IPV6_TRANSPARENT
        ]
    );
    compare!(TcpOption::ALL;
        net [
            TCP_NODELAY TCP_MAXSEG TCP_CORK TCP_KEEPIDLE TCP_KEEPINTVL TCP_KEEPCNT TCP_SYNCNT
            TCP_LINGER2 TCP_DEFER_ACCEPT TCP_WINDOW_CLAMP TCP_INFO TCP_QUICKACK TCP_CONGESTION
            TCP_USER_TIMEOUT TCP_FASTOPEN TCP_NOTSENT_LOWAT TCP_FASTOPEN_CONNECT TCP_INQ
        ]
    );
    compare!(UdpOption::ALL;
        libc [
            UDP_CORK UDP_SEGMENT UDP_GRO
        ]
    );
    compare!(TimestampingFlags::ALL;
        net [
            SOF_TIMESTAMPING_TX_HARDWARE SOF_TIMESTAMPING_TX_SOFTWARE
            SOF_TIMESTAMPING_RX_HARDWARE SOF_TIMESTAMPING_RX_SOFTWARE SOF_TIMESTAMPING_SOFTWARE
            SOF_TIMESTAMPING_SYS_HARDWARE SOF_TIMESTAMPING_RAW_HARDWARE SOF_TIMESTAMPING_OPT_ID
            SOF_TIMESTAMPING_TX_SCHED SOF_TIMESTAMPING_TX_ACK SOF_TIMESTAMPING_OPT_CMSG
            SOF_TIMESTAMPING_OPT_TSONLY
        ]
    );
}

#[test]
fn stat_is_as_in_the_headers() {
    compare!(StatxMask::ALL; general [STATX_BASIC_STATS STATX_BTIME STATX_MNT_ID STATX__RESERVED]);
    compare!(stat::ALL;
        general [S_ISUID S_ISGID S_ISVTX S_IRUSR S_IWUSR S_IXUSR S_IXGRP
            S_IFMT S_IFSOCK S_IFLNK S_IFREG S_IFBLK S_IFDIR S_IFCHR S_IFIFO UTIME_NOW UTIME_OMIT
        ]
        {
            // include/linux/stat.h
            S_IALLUGO = 0o7777,
            S_IRWXUGO = 0o777,
            S_IXUGO = 0o111,
        }
    );
}

#[test]
fn system_is_as_in_the_headers() {
    compare!(RandomFlags::ALL; general [GRND_NONBLOCK GRND_RANDOM GRND_INSECURE]);
    compare!(CompareType::ALL;
        {
            // include/uapi/linux/kcmp.h
            KCMP_FILE = 0,
            KCMP_VM = 1,
            KCMP_FILES = 2,
            KCMP_FS = 3,
            KCMP_SIGHAND = 4,
            KCMP_IO = 5,
            KCMP_SYSVSEM = 6,
            KCMP_EPOLL_TFD = 7,
        }
    );
    compare!(EventFdFlags::ALL; general [EFD_SEMAPHORE]);
    compare!(crate::system::ALL;
        system [__NEW_UTS_LEN]
        general [NGROUPS_MAX]
    );
}

#[test]
fn time_is_as_in_the_headers() {
    compare!(ClockId::ALL; general [
        CLOCK_REALTIME CLOCK_MONOTONIC CLOCK_PROCESS_CPUTIME_ID CLOCK_THREAD_CPUTIME_ID
        CLOCK_MONOTONIC_RAW CLOCK_REALTIME_COARSE CLOCK_MONOTONIC_COARSE CLOCK_BOOTTIME
        CLOCK_REALTIME_ALARM CLOCK_BOOTTIME_ALARM CLOCK_TAI
    ]);
    compare!(IntervalTimer::ALL; general [ITIMER_REAL ITIMER_VIRTUAL ITIMER_PROF]);
    compare!(TimerFlags::ALL; general [TIMER_ABSTIME]);
    compare!(TimerFdFlags::ALL; general [TFD_TIMER_ABSTIME TFD_TIMER_CANCEL_ON_SET]);
    compare!(time::ALL;
        {
            // include/asm-generic/param.h
            USER_HZ = 100,
        }
    );
}

#[test]
fn wait_is_as_in_the_headers() {
    compare!(WaitFlags::ALL; general [
        WNOHANG WSTOPPED WEXITED WCONTINUED WNOWAIT __WNOTHREAD __WALL __WCLONE
    ]);
    compare!(WaitTarget::ALL; general [P_ALL P_PID P_PGID P_PIDFD]);
}

#[test]
fn termios_is_as_in_the_headers() {
    compare!(InputModes::ALL; general [
        IGNBRK BRKINT IGNPAR PARMRK INPCK ISTRIP INLCR IGNCR ICRNL IUCLC IXON IXANY IXOFF IMAXBEL IUTF8
    ]);
    compare!(OutputModes::ALL; general [OPOST OLCUC ONLCR OCRNL ONOCR ONLRET OFILL OFDEL XTABS]);
    compare!(LocalModes::ALL; general [
        ISIG ICANON XCASE ECHO ECHOE ECHOK ECHONL NOFLSH TOSTOP ECHOCTL ECHOPRT ECHOKE FLUSHO PENDIN IEXTEN
        EXTPROC
    ]);
    compare!(PacketStatus::ALL;
        {
            // include/uapi/asm-generic/ioctls.h
            TIOCPKT_FLUSHREAD = 1,
            TIOCPKT_FLUSHWRITE = 2,
            TIOCPKT_STOP = 4,
            TIOCPKT_START = 8,
            TIOCPKT_NOSTOP = 16,
            TIOCPKT_DOSTOP = 32,
            TIOCPKT_IOCTL = 64,
        }
    );
    compare!(FlushQueue::ALL; general [TCIFLUSH TCOFLUSH TCIOFLUSH]);
    compare!(FlowAction::ALL; general [TCOOFF TCOON TCIOFF TCION]);
    compare!(termios::ALL;
        general [
            VINTR VQUIT VERASE VKILL VEOF VTIME VMIN VSWTC VSTART VSTOP VSUSP VEOL VREPRINT VDISCARD
            VWERASE VLNEXT VEOL2 NCCS CBAUD CBAUDEX B38400 BOTHER CSIZE CS8 CREAD PARENB TABDLY
        ]
        {
            // include/uapi/asm-generic/ioctls.h
            TIOCPKT_DATA = 0,
            // include/uapi/linux/tty.h
            N_TTY = 0,
        }
    );
}
