//! A program's registers, as the runtime saves them.

use crate::user::Access;
use crate::vector_state::MAX_XSAVE_SIZE;

/// General registers in the order of Linux's `struct sigcontext`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
#[expect(missing_docs, reason = "the names are the registers'")]
pub struct Registers {
    pub r8: u64,
    pub r9: u64,
    pub r10: u64,
    pub r11: u64,
    pub r12: u64,
    pub r13: u64,
    pub r14: u64,
    pub r15: u64,
    pub rdi: u64,
    pub rsi: u64,
    pub rbp: u64,
    pub rbx: u64,
    pub rdx: u64,
    pub rax: u64,
    pub rcx: u64,
    pub rsp: u64,
    pub rip: u64,
    pub rflags: u64,
}

/// What a system call saves: the LibOS is compiled for legacy SSE, so only the low halves of the vector
/// registers can change while it runs; [`crate::call`] takes care of the rest around host calls.
#[derive(Clone, Copy, Debug)]
#[repr(C, align(16))]
pub struct SyscallFrame {
    /// XMM0 to XMM15.
    pub xmm: [[u64; 2]; 16],
    /// The system call's arguments, as the registers have them too.
    pub args: [u64; 6],
    /// The general registers; `rip` is where the program goes on.
    pub registers: Registers,
}

impl Registers {
    /// A system call's arguments.
    pub fn args(&self) -> [u64; 6] {
        [self.rdi, self.rsi, self.rdx, self.r10, self.r8, self.r9]
    }
}

/// What interrupted a program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct Exception {
    /// The exception's vector (SDM vol. 3A, table 6-1); [`Exception::NONE`] for an interrupt.
    pub vector: u32,
    /// For #PF and #GP: the error code.
    pub error: u32,
    /// For #PF and #GP: the linear address, else 0.
    pub address: u64,
}

impl Exception {
    /// How the memory was touched, for #PF.
    pub fn access(&self) -> Access {
        match self.error {
            error if error & Self::PF_FETCH != 0 => Access::Execute,
            error if error & Self::PF_WRITE != 0 => Access::Write,
            _ => Access::Read,
        }
    }

    /// No exception: the thread was interrupted to look at what is pending.
    pub const NONE: u32 = u32::MAX;
    /// #DE
    pub const DIVIDE: u32 = 0;
    /// #DB
    pub const DEBUG: u32 = 1;
    /// #BP
    pub const BREAKPOINT: u32 = 3;
    /// #UD
    pub const INVALID_OPCODE: u32 = 6;
    /// #GP
    pub const GENERAL_PROTECTION: u32 = 13;
    /// #PF
    pub const PAGE_FAULT: u32 = 14;
    /// #MF
    pub const X87: u32 = 16;
    /// #AC
    pub const ALIGNMENT: u32 = 17;
    /// #XM
    pub const SIMD: u32 = 19;
    /// Error-code bit of #PF: the access was a write.
    pub const PF_WRITE: u32 = 2;
    /// Error-code bit of #PF: the access was an instruction fetch.
    pub const PF_FETCH: u32 = 16;
}

/// A program's whole state: registers, vector state, and what stopped it.
#[derive(Clone)]
#[repr(C, align(64))]
pub struct TrapFrame {
    /// The general registers.
    pub registers: Registers,
    /// What stopped the program.
    pub exception: Exception,
    _align: [u64; 4],
    /// The vector state in XSAVE's standard form, of [`crate::processor::xsave_size`] bytes.
    pub xsave: XsaveArea,
}

/// An XSAVE image in standard form.
#[derive(Clone)]
#[repr(C, align(64))]
pub struct XsaveArea(pub [u8; MAX_XSAVE_SIZE]);

const _: () = assert!(core::mem::offset_of!(TrapFrame, xsave).is_multiple_of(64));

impl TrapFrame {
    /// A state with these registers and the vector state that a fresh program has.
    pub fn new(registers: Registers) -> Self {
        let exception = Exception {
            vector: Exception::NONE,
            error: 0,
            address: 0,
        };
        Self {
            registers,
            exception,
            _align: [0; 4],
            xsave: XsaveArea::initial(),
        }
    }

    /// The whole state of a program that made a system call and is still in it.
    pub fn of_syscall(frame: &SyscallFrame) -> Self {
        let mut trap = Self::new(frame.registers);
        trap.xsave.capture();
        for (register, saved) in frame.xmm.iter().enumerate() {
            trap.xsave.set_xmm(register, *saved);
        }
        trap
    }
}
