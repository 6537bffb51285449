//! The numbers of Linux's user interface on x86-64, as far as the trusted base knows them.
//!
//! Every number stands here once, with Linux's name and a type, in a file per family. Three macros make them:
//!
//! - `numbers!`: a type for numbers of which a program gives one. Programs may give any number, so unknown ones can be held;
//!   the constants serve as patterns, as in `match FcntlCommand(raw) { FcntlCommand::F_GETFD => … }`.
//! - `flags!`: a type for sets of bits (bitflags).
//! - `constants!`: single values.
//!
//! The crate has no behaviour beyond what Linux's headers have as macros. The `witness` test compares each number with
//! `linux-raw-sys`, or with `libc` where that has no such name.
#![cfg_attr(not(test), no_std)]
#![forbid(unsafe_code)]

#[macro_use]
mod macros;

pub mod aio;
pub mod auxv;
pub mod capability;
pub mod clone;
pub mod device;
pub mod elf;
pub mod epoll;
mod errno;
pub mod fcntl;
pub mod file_system;
pub mod futex;
pub mod inotify;
pub mod ioctl;
pub mod ipc;
pub mod limits;
pub mod memory;
pub mod memory_policy;
pub mod netlink;
pub mod open;
pub mod poll;
pub mod prctl;
pub mod read_write;
pub mod sched;
pub mod signal;
pub mod socket;
pub mod socket_option;
pub mod stat;
pub mod system;
pub mod termios;
pub mod time;
pub mod wait;

#[cfg(test)]
mod witness;

pub use aio::{AioCommand, AioFlags};
pub use auxv::AuxiliaryKey;
pub use capability::{Capabilities, Securebits};
pub use clone::CloneFlags;
pub use epoll::{EpollCommand, EpollFlags};
pub use errno::Errno;
pub use fcntl::{DescriptorFlags, FcntlCommand, FlockFlags, RecordLockType, Seals};
pub use file_system::{MountFlags, RenameFlags, XattrFlags};
pub use futex::{Futex2Flags, FutexCommand, FutexComparison, FutexFlags, FutexOperation};
pub use inotify::InotifyMask;
pub use ioctl::Ioctl;
pub use ipc::{IpcFlags, MsgCommand, MsgFlags, SemCommand, SemFlags, ShmCommand, ShmFlags};
pub use limits::Resource;
pub use memory::{MapFlags, MemfdFlags, MemoryAdvice, ProtectionFlags, RemapFlags, SyncFlags};
pub use memory_policy::{BindFlags, MemoryPolicyMode, MemoryPolicyModeFlags, PolicyQuery};
pub use open::{AtFlags, CloseRangeFlags, OpenFlags, ResolveFlags};
pub use poll::PollEvents;
pub use prctl::{AmbientCommand, ArchPrctlOption, PrctlOption};
pub use read_write::{AllocateFlags, FileAdvice, ReadWriteFlags, SpliceFlags, Whence};
pub use sched::{
    IoPriorityClass, IoPriorityTarget, MembarrierCommand, PriorityTarget, SchedulingFlags, SchedulingPolicy,
    UsageTarget,
};
pub use signal::{ActionFlags, MaskOperation, Signal, SignalCode, SignalEvent, SignalSet, StackFlags};
pub use socket::{
    AddressFamily, ControlMessage, MessageFlags, Protocol, ShutdownDirection, SocketFlags, SocketType,
};
pub use socket_option::{
    Ipv4Option, Ipv6Option, OptionLevel, SocketOption, TcpOption, TimestampingFlags, UdpOption,
};
pub use stat::StatxMask;
pub use system::{CompareType, EventFdFlags, RandomFlags};
pub use termios::{FlowAction, FlushQueue, InputModes, LocalModes, OutputModes, PacketStatus};
pub use time::{ClockId, IntervalTimer, TimerFdFlags, TimerFlags};
pub use wait::{WaitFlags, WaitTarget};
