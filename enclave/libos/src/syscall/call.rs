//! A system call that is being made: the program's state, and the arguments by the types that Linux gives them.
//!
//! A register holds 64 bits. Of an `int`, an `unsigned` and a descriptor Linux takes the lower half and does not look at the upper one;
//! programs do leave rubbish there. So a handler reads each argument by the type that it has in Linux's own declaration of the call
//! (SYSCALL_DEFINE), and this file is the one place that cuts registers down.

use alloc::sync::Arc;
use alloc::vec::Vec;

use bitflags::Flags;
use enclave_rt::frame::{Registers, SyscallFrame, TrapFrame};
use kobject::{Description, Errno, Result};
use linux_abi::OpenFlags;

use crate::process::Thread;
use crate::process::descriptors::Fd;
use crate::user::{self, Address};

/// A program's state while it makes a system call.
pub(crate) enum Frame<'a> {
    /// By a stub.
    Stub(&'a mut SyscallFrame),
    /// By the `syscall` instruction, which trapped.
    Trap(&'a mut TrapFrame),
}

impl Frame<'_> {
    /// The general registers; `rip` is where the program goes on.
    pub(super) fn registers(&mut self) -> &mut Registers {
        match self {
            Self::Stub(frame) => &mut frame.registers,
            Self::Trap(frame) => &mut frame.registers,
        }
    }

    fn args(&self) -> [u64; 6] {
        match self {
            Self::Stub(frame) => frame.args,
            Self::Trap(frame) => frame.registers.args(),
        }
    }

    /// The whole state, for a thread that goes on like this one.
    pub(super) fn whole(&self) -> TrapFrame {
        match self {
            Self::Stub(frame) => TrapFrame::of_syscall(frame),
            Self::Trap(frame) => (*frame).clone(),
        }
    }
}

/// A system call that is being made.
pub(crate) struct Call<'a> {
    args: [u64; 6],
    pub(super) thread: &'a Arc<Thread>,
    pub(super) frame: Frame<'a>,
}

impl<'a> Call<'a> {
    /// What `thread` asks for by the registers of `frame`.
    pub(super) fn new(thread: &'a Arc<Thread>, frame: Frame<'a>) -> Self {
        let args = frame.args();
        Self { args, thread, frame }
    }

    /// The registers of the arguments, for traces.
    pub(super) fn args(&self) -> &[u64; 6] {
        &self.args
    }

    /// The open file that a descriptor refers to; EBADF for one that is a path only (O_PATH), as for nearly all calls (`fdget` of the
    /// kernel).
    pub(super) fn file(&self, fd: Fd) -> Result<Arc<Description>> {
        match self.file_or_path(fd)? {
            file if file.flags().contains(OpenFlags::O_PATH) => Err(Errno::EBADF),
            file => Ok(file),
        }
    }

    /// What a descriptor refers to, for a call that needs no more than its place (`fdget_raw` of the kernel); EBADF.
    pub(super) fn file_or_path(&self, fd: Fd) -> Result<Arc<Description>> {
        self.thread
            .process
            .descriptors
            .with(|table| table.find(fd).cloned())
    }
}

/// Arguments, counted from 0.
impl Call<'_> {
    /// A descriptor.
    pub(super) fn fd(&self, index: usize) -> Fd {
        self.uint(index)
    }

    /// An `int`.
    pub(super) fn int(&self, index: usize) -> i32 {
        self.uint(index).cast_signed()
    }

    /// An `unsigned int`, or an `int` of which the sign does not matter.
    pub(super) fn uint(&self, index: usize) -> u32 {
        self.ulong(index) as u32
    }

    /// An `unsigned long`.
    pub(super) fn ulong(&self, index: usize) -> u64 {
        self.args.get(index).copied().unwrap_or_default()
    }

    /// An `off_t` or `loff_t` of either sign.
    pub(super) fn long(&self, index: usize) -> i64 {
        self.ulong(index).cast_signed()
    }

    /// A `size_t`.
    pub(super) fn len(&self, index: usize) -> usize {
        self.ulong(index) as usize
    }

    /// A `loff_t` that must not be negative: EINVAL.
    pub(super) fn offset(&self, index: usize) -> Result<u64> {
        let offset = self.ulong(index);
        if offset.cast_signed() < 0 {
            return Err(Errno::EINVAL);
        }
        Ok(offset)
    }

    /// A pointer into the program's memory; 0 is null.
    pub(super) fn pointer(&self, index: usize) -> Address {
        self.ulong(index)
    }

    /// The path that a pointer leads to: EFAULT, ENAMETOOLONG.
    pub(super) fn path(&self, index: usize) -> Result<Vec<u8>> {
        user::get_path(self.pointer(index))
    }

    /// Flags that are an `int` or `unsigned`: EINVAL for those that `T` does not name.
    pub(super) fn flags<T: Flags<Bits = u32>>(&self, index: usize) -> Result<T> {
        T::from_bits(self.uint(index)).ok_or(Errno::EINVAL)
    }
}
