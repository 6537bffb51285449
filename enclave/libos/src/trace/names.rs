//! The names of flags and numbers in the lines of `--trace`, as strace(1) prints them.
//!
//! [`ARGUMENTS`] says which argument of which call has names. The names themselves are those of `linux-abi`.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use linux_abi::clone::CSIGNAL;
use linux_abi::ipc::IPC_PRIVATE;
use linux_abi::open::AT_FDCWD;
use linux_abi::socket::SOCK_TYPE_MASK;
use linux_abi::stat::S_IRWXUGO;
use linux_abi::{
    AddressFamily, AllocateFlags, ArchPrctlOption, AtFlags, ClockId, CloneFlags, CloseRangeFlags,
    DescriptorFlags, EpollCommand, EventFdFlags, FcntlCommand, FileAdvice, FlockFlags, FutexCommand,
    FutexFlags, InotifyMask, IntervalTimer, Ioctl, IpcFlags, Ipv4Option, Ipv6Option, LockAllFlags, LockFlags,
    MapFlags, MaskOperation, MembarrierCommand, MemfdFlags, MemoryAdvice, MessageFlags, MsgCommand, MsgFlags,
    OpenFlags, OptionLevel, PrctlOption, PriorityTarget, ProtectionFlags, Protocol, RandomFlags,
    ReadWriteFlags, RemapFlags, RenameFlags, Resource, SchedulingPolicy, Seals, SemCommand, ShmCommand,
    ShmFlags, ShutdownDirection, Signal, SocketFlags, SocketOption, SocketType, SpliceFlags, StatxMask,
    SyncFlags, SyncRangeFlags, TcpOption, TimerFdFlags, TimerFlags, UdpOption, UsageTarget, WaitFlags,
    WaitTarget, Whence, XattrFlags,
};

/// Names and values. A name of zero is for an argument that has no bit.
type Names = &'static [&'static [(&'static str, i128)]];

/// How an argument is printed.
#[derive(Clone, Copy)]
enum Form {
    /// A descriptor of a directory, or the working directory.
    Directory,
    /// Permission bits.
    Mode,
    /// A number of these.
    One(Names),
    /// Bits of these.
    Set(Names),
    /// Bits of these, and permission bits.
    SetAndMode(Names),
    /// A number of the first in the bits of the mask; the other bits are of the second.
    OneAndSet(u64, Names, Names),
    /// The same, with the number behind the bits.
    SetAndOne(Names, u64, Names),
    /// What the argument before it decides; nothing if it decides that this one is not looked at.
    By(fn(u64) -> Option<Form>),
    /// What the first argument decides.
    ByFirst(fn(u64) -> Form),
    /// A number that has no name.
    Decimal,
    /// An address, or flags that have no names.
    Hexadecimal,
}

const ACCESS: Form = Form::Set(&[&[("F_OK", 0), ("R_OK", 4), ("W_OK", 2), ("X_OK", 1)]]);
const ACCESS_MODES: Names = &[&[("O_RDONLY", 0), ("O_WRONLY", 1), ("O_RDWR", 2), ("O_ACCMODE", 3)]];
/// Two names are of more than one bit.
const OPEN_BITS: Names = &[
    &[
        (
            "O_SYNC",
            (OpenFlags::__O_SYNC.bits() | OpenFlags::O_DSYNC.bits()) as i128,
        ),
        (
            "O_TMPFILE",
            (OpenFlags::__O_TMPFILE.bits() | OpenFlags::O_DIRECTORY.bits()) as i128,
        ),
    ],
    OpenFlags::ALL,
];
const OPEN: Form = Form::OneAndSet(OpenFlags::O_ACCMODE.bits() as u64, ACCESS_MODES, OPEN_BITS);
const MODE_OF_OPEN: Form = Form::By(|flags| {
    let makes = OpenFlags::O_CREAT | OpenFlags::__O_TMPFILE;
    let flags = OpenFlags::from_bits_retain(flags as u32);
    flags.intersects(makes).then_some(Form::Mode)
});
/// For calls that make descriptors; strace says `SOCK_CLOEXEC` and its like where Linux gave the bit several names.
const DESCRIPTOR: Form = Form::Set(&[OpenFlags::ALL]);
const EPOLL: Form = Form::Set(&[&[("EPOLL_CLOEXEC", OpenFlags::O_CLOEXEC.bits() as i128)]]);
const EVENTFD: Form = Form::Set(&[
    EventFdFlags::ALL,
    &[
        ("EFD_CLOEXEC", OpenFlags::O_CLOEXEC.bits() as i128),
        ("EFD_NONBLOCK", OpenFlags::O_NONBLOCK.bits() as i128),
    ],
]);
const INOTIFY: Form = Form::Set(&[&[
    ("IN_CLOEXEC", OpenFlags::O_CLOEXEC.bits() as i128),
    ("IN_NONBLOCK", OpenFlags::O_NONBLOCK.bits() as i128),
]]);
const SIGNALFD: Form = Form::Set(&[&[
    ("SFD_CLOEXEC", OpenFlags::O_CLOEXEC.bits() as i128),
    ("SFD_NONBLOCK", OpenFlags::O_NONBLOCK.bits() as i128),
]]);
const TIMERFD: Form = Form::Set(&[&[
    ("TFD_CLOEXEC", OpenFlags::O_CLOEXEC.bits() as i128),
    ("TFD_NONBLOCK", OpenFlags::O_NONBLOCK.bits() as i128),
]]);
const AT: Form = Form::Set(&[AtFlags::ALL]);
/// One bit has two names.
const AT_OF_ACCESS: Form = Form::Set(&[
    &[("AT_EACCESS", AtFlags::AT_EACCESS.bits() as i128)],
    AtFlags::ALL,
]);
const CLOCK: Form = Form::One(&[ClockId::ALL]);
const FCNTL_ARGUMENT: Form = Form::By(|command| match FcntlCommand(command as u32) {
    FcntlCommand::F_GETFD
    | FcntlCommand::F_GETFL
    | FcntlCommand::F_GETOWN
    | FcntlCommand::F_GETSIG
    | FcntlCommand::F_GETLEASE
    | FcntlCommand::F_GETPIPE_SZ
    | FcntlCommand::F_GET_SEALS => None,
    FcntlCommand::F_SETFD => Some(Form::Set(&[DescriptorFlags::ALL])),
    FcntlCommand::F_SETFL => Some(OPEN),
    FcntlCommand::F_ADD_SEALS => Some(Form::Set(&[Seals::ALL])),
    FcntlCommand::F_SETSIG => Some(SIGNAL),
    _ => Some(Form::Hexadecimal),
});
const FUTEX: Form = Form::OneAndSet(
    !(FutexFlags::all().bits() as u64),
    &[FutexCommand::ALL],
    &[FutexFlags::ALL],
);
const KEY: Form = Form::One(&[&[("IPC_PRIVATE", IPC_PRIVATE as i128)]]);
const MAP: Form = Form::OneAndSet(
    MapFlags::MAP_TYPE.bits() as u64,
    &[MapFlags::ALL],
    &[MapFlags::ALL],
);
const MESSAGE: Form = Form::Set(&[MessageFlags::ALL]);
const OPTION: Form = Form::By(|level| {
    Some(match OptionLevel(level as u32) {
        OptionLevel::SOL_SOCKET => Form::One(&[SocketOption::ALL]),
        OptionLevel::SOL_IP => Form::One(&[Ipv4Option::ALL]),
        OptionLevel::SOL_IPV6 => Form::One(&[Ipv6Option::ALL]),
        OptionLevel::SOL_TCP => Form::One(&[TcpOption::ALL]),
        OptionLevel::SOL_UDP => Form::One(&[UdpOption::ALL]),
        _ => Form::Hexadecimal,
    })
});
const PRIORITY_TARGET: Form = Form::One(&[PriorityTarget::ALL]);
const PROTECTION: Form = Form::Set(&[&[("PROT_NONE", 0)], ProtectionFlags::ALL]);
const PROTOCOL: Form = Form::ByFirst(|family| match AddressFamily(family as u16) {
    AddressFamily::AF_INET | AddressFamily::AF_INET6 => Form::One(&[Protocol::ALL]),
    _ => Form::Decimal,
});
const READ_WRITE: Form = Form::Set(&[ReadWriteFlags::ALL]);
const RESOURCE: Form = Form::One(&[Resource::ALL]);
const SCHEDULING_POLICY: Form = Form::One(&[SchedulingPolicy::ALL]);
const SIGNAL: Form = Form::One(&[Signal::ALL, REALTIME]);
/// The first real-time signals by number, of which programs use few.
const REALTIME: &[(&str, i128)] = &[("SIGRT_1", 33), ("SIGRT_2", 34), ("SIGRT_3", 35)];
const SOCKET_FLAGS: Form = Form::Set(&[SocketFlags::ALL]);
const SOCKET_TYPE: Form = Form::OneAndSet(SOCK_TYPE_MASK as u64, &[SocketType::ALL], &[SocketFlags::ALL]);
const SPLICE: Form = Form::Set(&[SpliceFlags::ALL]);
const WAIT: Form = Form::Set(&[WaitFlags::ALL]);
const XATTR: Form = Form::Set(&[XattrFlags::ALL]);

/// Which argument, from 0, of which call has names.
const ARGUMENTS: &[(&str, usize, Form)] = &[
    ("accept4", 3, SOCKET_FLAGS),
    ("access", 1, ACCESS),
    ("arch_prctl", 0, Form::One(&[ArchPrctlOption::ALL])),
    ("chmod", 1, Form::Mode),
    ("clock_getres", 0, CLOCK),
    ("clock_gettime", 0, CLOCK),
    ("clock_nanosleep", 0, CLOCK),
    ("clock_nanosleep", 1, Form::Set(&[TimerFlags::ALL])),
    ("clock_settime", 0, CLOCK),
    (
        "clone",
        0,
        Form::SetAndOne(&[CloneFlags::ALL], CSIGNAL, &[Signal::ALL]),
    ),
    ("close_range", 2, Form::Set(&[CloseRangeFlags::ALL])),
    ("creat", 1, Form::Mode),
    ("dup3", 2, DESCRIPTOR),
    ("epoll_create1", 0, EPOLL),
    ("epoll_ctl", 1, Form::One(&[EpollCommand::ALL])),
    ("eventfd2", 1, EVENTFD),
    ("execveat", 0, Form::Directory),
    ("execveat", 4, AT),
    ("faccessat", 0, Form::Directory),
    ("faccessat", 2, ACCESS),
    ("faccessat2", 0, Form::Directory),
    ("faccessat2", 2, ACCESS),
    ("faccessat2", 3, AT_OF_ACCESS),
    ("fadvise64", 3, Form::One(&[FileAdvice::ALL])),
    ("fallocate", 1, Form::Set(&[AllocateFlags::ALL])),
    ("fchmod", 1, Form::Mode),
    ("fchmodat", 0, Form::Directory),
    ("fchmodat", 2, Form::Mode),
    ("fchmodat2", 0, Form::Directory),
    ("fchmodat2", 2, Form::Mode),
    ("fchmodat2", 3, AT),
    ("fchownat", 0, Form::Directory),
    ("fchownat", 4, AT),
    ("fcntl", 1, Form::One(&[FcntlCommand::ALL])),
    ("fcntl", 2, FCNTL_ARGUMENT),
    ("flock", 1, Form::Set(&[FlockFlags::ALL])),
    ("futex", 1, FUTEX),
    ("futimesat", 0, Form::Directory),
    ("getitimer", 0, Form::One(&[IntervalTimer::ALL])),
    ("getpriority", 0, PRIORITY_TARGET),
    ("getrandom", 2, Form::Set(&[RandomFlags::ALL])),
    ("getrlimit", 0, RESOURCE),
    ("getrusage", 0, Form::One(&[UsageTarget::ALL])),
    ("getsockopt", 1, Form::One(&[OptionLevel::ALL])),
    ("getsockopt", 2, OPTION),
    ("inotify_add_watch", 2, Form::Set(&[InotifyMask::ALL])),
    ("inotify_init1", 0, INOTIFY),
    ("ioctl", 1, Form::One(&[Ioctl::ALL])),
    ("kill", 1, SIGNAL),
    ("linkat", 0, Form::Directory),
    ("linkat", 2, Form::Directory),
    ("linkat", 4, AT),
    ("lseek", 2, Form::One(&[Whence::ALL])),
    ("madvise", 2, Form::One(&[MemoryAdvice::ALL])),
    (
        "membarrier",
        0,
        Form::Set(&[&[("MEMBARRIER_CMD_QUERY", 0)], MembarrierCommand::ALL]),
    ),
    ("memfd_create", 1, Form::Set(&[MemfdFlags::ALL])),
    ("mkdir", 1, Form::Mode),
    ("mkdirat", 0, Form::Directory),
    ("mkdirat", 2, Form::Mode),
    ("mknodat", 0, Form::Directory),
    ("mlock2", 2, Form::Set(&[LockFlags::ALL])),
    ("mlockall", 0, Form::Set(&[LockAllFlags::ALL])),
    ("mmap", 2, PROTECTION),
    ("mmap", 3, MAP),
    ("mprotect", 2, PROTECTION),
    ("mq_open", 1, OPEN),
    ("mq_open", 2, MODE_OF_OPEN),
    ("mremap", 3, Form::Set(&[RemapFlags::ALL])),
    ("msgctl", 1, Form::One(&[MsgCommand::ALL])),
    ("msgget", 0, KEY),
    ("msgget", 1, Form::SetAndMode(&[IpcFlags::ALL])),
    ("msgrcv", 4, Form::Set(&[IpcFlags::ALL, MsgFlags::ALL])),
    ("msgsnd", 3, Form::Set(&[IpcFlags::ALL])),
    ("msync", 2, Form::Set(&[SyncFlags::ALL])),
    ("newfstatat", 0, Form::Directory),
    ("newfstatat", 3, AT),
    ("open", 1, OPEN),
    ("open", 2, MODE_OF_OPEN),
    ("openat", 0, Form::Directory),
    ("openat", 2, OPEN),
    ("openat", 3, MODE_OF_OPEN),
    ("openat2", 0, Form::Directory),
    ("pidfd_send_signal", 1, SIGNAL),
    ("pipe2", 1, DESCRIPTOR),
    ("prctl", 0, Form::One(&[PrctlOption::ALL])),
    ("preadv2", 5, READ_WRITE),
    ("prlimit64", 1, RESOURCE),
    ("pwritev2", 5, READ_WRITE),
    ("readlinkat", 0, Form::Directory),
    ("recvfrom", 3, MESSAGE),
    ("recvmmsg", 3, MESSAGE),
    ("recvmsg", 2, MESSAGE),
    ("renameat", 0, Form::Directory),
    ("renameat", 2, Form::Directory),
    ("renameat2", 0, Form::Directory),
    ("renameat2", 2, Form::Directory),
    ("renameat2", 4, Form::Set(&[RenameFlags::ALL])),
    ("rt_sigaction", 0, SIGNAL),
    ("rt_sigprocmask", 0, Form::One(&[MaskOperation::ALL])),
    ("rt_sigqueueinfo", 1, SIGNAL),
    ("rt_tgsigqueueinfo", 2, SIGNAL),
    ("sched_get_priority_max", 0, SCHEDULING_POLICY),
    ("sched_get_priority_min", 0, SCHEDULING_POLICY),
    ("sched_setscheduler", 1, SCHEDULING_POLICY),
    ("semctl", 2, Form::One(&[SemCommand::ALL])),
    ("semget", 0, KEY),
    ("semget", 2, Form::SetAndMode(&[IpcFlags::ALL])),
    ("sendmmsg", 3, MESSAGE),
    ("sendmsg", 2, MESSAGE),
    ("sendto", 3, MESSAGE),
    ("setitimer", 0, Form::One(&[IntervalTimer::ALL])),
    ("setpriority", 0, PRIORITY_TARGET),
    ("setrlimit", 0, RESOURCE),
    ("setsockopt", 1, Form::One(&[OptionLevel::ALL])),
    ("setsockopt", 2, OPTION),
    ("setxattr", 4, XATTR),
    ("lsetxattr", 4, XATTR),
    ("fsetxattr", 4, XATTR),
    ("shmat", 2, Form::Set(&[ShmFlags::ALL])),
    ("shmctl", 1, Form::One(&[ShmCommand::ALL])),
    ("shmget", 0, KEY),
    ("shmget", 2, Form::SetAndMode(&[IpcFlags::ALL])),
    ("shutdown", 1, Form::One(&[ShutdownDirection::ALL])),
    ("signalfd4", 3, SIGNALFD),
    ("socket", 0, Form::One(&[AddressFamily::ALL])),
    ("socket", 1, SOCKET_TYPE),
    ("socket", 2, PROTOCOL),
    ("socketpair", 0, Form::One(&[AddressFamily::ALL])),
    ("socketpair", 1, SOCKET_TYPE),
    ("socketpair", 2, PROTOCOL),
    ("splice", 5, SPLICE),
    ("statx", 0, Form::Directory),
    ("statx", 2, AT),
    ("statx", 3, Form::Set(&[StatxMask::ALL])),
    ("symlinkat", 1, Form::Directory),
    ("sync_file_range", 3, Form::Set(&[SyncRangeFlags::ALL])),
    ("tee", 3, SPLICE),
    ("tgkill", 2, SIGNAL),
    ("timer_create", 0, CLOCK),
    ("timer_settime", 1, Form::Set(&[TimerFlags::ALL])),
    ("timerfd_create", 0, CLOCK),
    ("timerfd_create", 1, TIMERFD),
    ("timerfd_settime", 1, Form::Set(&[TimerFdFlags::ALL])),
    ("tkill", 1, SIGNAL),
    ("umask", 0, Form::Mode),
    ("unlinkat", 0, Form::Directory),
    ("unlinkat", 2, AT),
    ("utimensat", 0, Form::Directory),
    ("utimensat", 3, AT),
    ("vmsplice", 3, SPLICE),
    ("wait4", 2, WAIT),
    ("waitid", 0, Form::One(&[WaitTarget::ALL])),
    ("waitid", 3, WAIT),
];

/// What an argument is printed as.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Shown {
    /// Its names.
    Names(String),
    /// Nothing: the call does not look at it.
    Nothing,
}

/// Argument `index` of a call by the names of its flags or numbers; none if it has no names.
pub(super) fn show(call: &str, index: usize, args: &[u64; 6]) -> Option<Shown> {
    let (_, _, form) = ARGUMENTS
        .iter()
        .find(|(name, at, _)| *name == call && *at == index)?;
    Some(match text(*form, index, args) {
        Some(text) => Shown::Names(text),
        None => Shown::Nothing,
    })
}

/// Linux looks at the lower half of flags and of such numbers.
fn text(form: Form, index: usize, args: &[u64; 6]) -> Option<String> {
    let value = args.get(index)? & u64::from(u32::MAX);
    Some(match form {
        Form::Directory if value as i32 == AT_FDCWD => "AT_FDCWD".into(),
        Form::Directory => format!("{}", value as i32),
        Form::Mode => mode(value),
        Form::One(names) => one(names, value, u64::from(u32::MAX)).unwrap_or_else(|| format!("{value:#x}")),
        Form::Set(names) => set(names, value),
        Form::SetAndMode(names) => {
            let permissions = value & u64::from(S_IRWXUGO);
            let last = (permissions != 0).then(|| mode(permissions));
            joined(bits(names, value & !u64::from(S_IRWXUGO)), last)
        }
        Form::OneAndSet(mask, first, rest) => {
            let low = value & mask;
            let number = one(first, low, mask).or_else(|| (low != 0).then(|| format!("{low:#x}")));
            let rest = bits(rest, value & !mask);
            let all = number.into_iter().chain(rest).collect();
            // strace, and programmers, write it as one word.
            joined(all, None).replace("|FUTEX_PRIVATE_FLAG", "_PRIVATE")
        }
        Form::SetAndOne(names, mask, last) => {
            let low = value & mask;
            let number = (low != 0).then(|| one(last, low, mask).unwrap_or_else(|| format!("{low}")));
            joined(bits(names, value & !mask), number)
        }
        Form::By(decide) => {
            let before = index.checked_sub(1).and_then(|at| args.get(at));
            return text(decide(before.copied()?)?, index, args);
        }
        Form::ByFirst(decide) => return text(decide(args.first().copied()?), index, args),
        Form::Decimal => format!("{}", value as i32),
        Form::Hexadecimal => format!("{value:#x}"),
    })
}

/// Octal, with at least three digits.
fn mode(value: u64) -> String {
    format!("{:0>3}", format!("0{value:o}"))
}

/// The name of a number.
fn one(names: Names, value: u64, mask: u64) -> Option<String> {
    let mut all = names.iter().copied().flatten();
    let (name, _) = all.find(|(_, number)| (*number as u64) & mask == value)?;
    Some((*name).into())
}

fn set(names: Names, value: u64) -> String {
    match (value, one(names, 0, u64::MAX)) {
        (0, Some(name)) => name,
        _ => joined(bits(names, value), None),
    }
}

/// The names of bits, and what has none.
fn bits(names: Names, value: u64) -> Vec<String> {
    let mut left = value;
    let mut found = Vec::new();
    for &(name, number) in names.iter().copied().flatten() {
        let bits = number as u64;
        if bits != 0 && left & bits == bits {
            found.push(name.into());
            left &= !bits;
        }
    }
    if left != 0 {
        found.push(format!("{left:#x}"));
    }
    found
}

fn joined(mut names: Vec<String>, last: Option<String>) -> String {
    names.extend(last);
    if names.is_empty() {
        return "0".into();
    }
    names.join("|")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::syscall::table;

    fn shown(call: &str, index: usize, args: &[u64]) -> String {
        let mut all = [0; 6];
        all[..args.len()].copy_from_slice(args);
        match show(call, index, &all) {
            Some(Shown::Names(names)) => names,
            other => format!("{other:?}"),
        }
    }

    #[test]
    fn each_entry_is_an_argument_of_a_call() {
        for (name, index, _) in ARGUMENTS {
            let row = table::rows().find(|row| row.name == *name);
            let row = row.unwrap_or_else(|| panic!("no call {name}"));
            assert!(row.arguments.len() > *index, "{name} has no argument {index}");
        }
    }

    #[test]
    fn names_are_those_of_strace() {
        let cwd = i64::from(AT_FDCWD).cast_unsigned();
        assert_eq!(shown("openat", 0, &[cwd]), "AT_FDCWD");
        assert_eq!(shown("openat", 0, &[7]), "7");
        assert_eq!(shown("openat", 2, &[0, 0, 0]), "O_RDONLY");
        assert_eq!(
            shown("openat", 2, &[0, 0, 0o2000101]),
            "O_WRONLY|O_CREAT|O_CLOEXEC"
        );
        assert_eq!(shown("openat", 2, &[0, 0, 0o4010002]), "O_RDWR|O_SYNC");
        assert_eq!(shown("openat", 2, &[0, 0, 0o20200002]), "O_RDWR|O_TMPFILE");
        assert_eq!(shown("openat", 2, &[0, 0, 1 << 30]), "O_RDONLY|0x40000000");
        assert_eq!(shown("openat", 3, &[0, 0, 0o100, 0o644]), "0644");
        assert_eq!(shown("openat", 3, &[0, 0, 0, 0o644]), "Some(Nothing)");
        assert_eq!(shown("mmap", 2, &[0, 0, 0]), "PROT_NONE");
        assert_eq!(shown("mmap", 2, &[0, 0, 3]), "PROT_READ|PROT_WRITE");
        assert_eq!(shown("mmap", 3, &[0, 0, 0, 0x22]), "MAP_PRIVATE|MAP_ANONYMOUS");
        assert_eq!(
            shown("mmap", 3, &[0, 0, 0, 0x80003]),
            "MAP_SHARED_VALIDATE|MAP_SYNC"
        );
        assert_eq!(shown("futex", 1, &[0, 128]), "FUTEX_WAIT_PRIVATE");
        assert_eq!(
            shown("futex", 1, &[0, 393]),
            "FUTEX_WAIT_BITSET_PRIVATE|FUTEX_CLOCK_REALTIME"
        );
        assert_eq!(
            shown("clone", 0, &[0x0120_0011]),
            "CLONE_CHILD_CLEARTID|CLONE_CHILD_SETTID|SIGCHLD"
        );
        assert_eq!(shown("socket", 0, &[10]), "AF_INET6");
        assert_eq!(shown("socket", 1, &[0, 0o2000001]), "SOCK_STREAM|SOCK_CLOEXEC");
        assert_eq!(shown("setsockopt", 2, &[0, 6, 1]), "TCP_NODELAY");
        assert_eq!(shown("setsockopt", 2, &[0, 1, 2]), "SO_REUSEADDR");
        assert_eq!(shown("fcntl", 2, &[0, 2, 1]), "FD_CLOEXEC");
        assert_eq!(shown("fcntl", 2, &[0, 1, 99]), "Some(Nothing)");
        assert_eq!(shown("shmget", 2, &[0, 0, 0o1600]), "IPC_CREAT|0600");
        assert_eq!(shown("getrusage", 0, &[u64::MAX]), "RUSAGE_CHILDREN");
        assert_eq!(shown("kill", 1, &[0, 15]), "SIGTERM");
        assert_eq!(shown("access", 1, &[0, 0]), "F_OK");
        assert_eq!(shown("access", 1, &[0, 6]), "R_OK|W_OK");
        assert_eq!(shown("chmod", 1, &[0, 0o1777]), "01777");
        assert_eq!(shown("chmod", 1, &[0, 0]), "000");
        assert_eq!(shown("lseek", 2, &[0, 0, 9]), "0x9");
        assert_eq!(shown("recvfrom", 3, &[0, 0, 0, 0]), "0");
        assert_eq!(shown("read", 0, &[0]), "None");
    }
}
