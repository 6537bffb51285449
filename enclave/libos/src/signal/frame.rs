//! The signal frame on a program's stack, as Linux lays it out on x86-64 (`struct rt_sigframe`).

use enclave_rt::frame::{Exception, Registers, TrapFrame, XsaveArea};
use enclave_rt::processor;
use kobject::{Errno, Result};
use linux_abi::signal::{
    FP_XSTATE_MAGIC1, FP_XSTATE_MAGIC2, UC_FP_XSTATE, UC_SIGCONTEXT_SS, UC_STRICT_RESTORE_SS,
};
use linux_abi::{ActionFlags, SignalSet, StackFlags};
use zerocopy::{FromBytes, Immutable, IntoBytes};

use super::{Action, AlternateStack, SignalInfo};
use crate::uapi::SignalStack;
use crate::user;

/// `struct ucontext` with `struct sigcontext` in it.
#[derive(Clone, Copy, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
struct UserContext {
    flags: u64,
    link: u64,
    stack: SignalStack,
    registers: [u64; 18],
    segments: [u16; 4],
    error: u64,
    trap: u64,
    old_mask: u64,
    fault_address: u64,
    vector_state: u64,
    _reserved: [u64; 8],
    mask: u64,
}

/// `struct rt_sigframe`: the return address of the handler, the context, the information.
#[derive(Clone, Copy, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
struct SignalFrame {
    return_address: u64,
    context: UserContext,
    info: SignalInfo,
}

const _: () = assert!(size_of::<UserContext>() == 304 && size_of::<SignalFrame>() == 440);

const CONTEXT_FLAGS: u64 = UC_FP_XSTATE | UC_SIGCONTEXT_SS | UC_STRICT_RESTORE_SS;
/// The user-mode selectors of Linux: CS, GS, FS, SS.
const SEGMENTS: [u16; 4] = [0x33, 0, 0, 0x2b];
/// Below a program's stack pointer, these bytes are its own (System V ABI).
const RED_ZONE: u64 = 128;

// Software-reserved bytes of the legacy area, by which programs find the extended state.
const SOFTWARE_RESERVED: usize = 464;

/// What sigaltstack(2) says of a stack.
pub(crate) fn describe(stack: &AlternateStack, stack_pointer: u64) -> SignalStack {
    let mut flags = match () {
        () if stack.size == 0 => StackFlags::SS_DISABLE,
        () if stack.contains(stack_pointer) && !stack.disarm => StackFlags::SS_ONSTACK,
        () => StackFlags::empty(),
    };
    flags.set(StackFlags::SS_AUTODISARM, stack.disarm);
    SignalStack {
        base: stack.base,
        flags: flags.bits().cast_signed(),
        _pad: 0,
        size: stack.size,
    }
}

/// The stack that sigaltstack(2) is asked to set.
pub(crate) fn parse(raw: &SignalStack) -> Result<AlternateStack> {
    let flags = StackFlags::from_bits(raw.flags.cast_unsigned()).ok_or(Errno::EINVAL)?;
    match flags - StackFlags::SS_AUTODISARM {
        StackFlags::SS_DISABLE => Ok(AlternateStack::NONE),
        // As Linux: both at once are neither.
        state if state.contains(StackFlags::SS_DISABLE) => Err(Errno::EINVAL),
        _ if raw.size < minimum_stack() => Err(Errno::ENOMEM),
        _ => Ok(AlternateStack {
            base: raw.base,
            size: raw.size,
            disarm: flags.contains(StackFlags::SS_AUTODISARM),
        }),
    }
}

/// Whether a stack is what there is already, to the letter.
pub(crate) fn is_same(stack: &AlternateStack, raw: &SignalStack) -> bool {
    let flags = match stack.disarm {
        true => StackFlags::SS_AUTODISARM,
        false => StackFlags::empty(),
    };
    (stack.base, stack.size, flags.bits()) == (raw.base, raw.size, raw.flags.cast_unsigned())
}

/// AT_MINSIGSTKSZ: what a frame may take.
pub(crate) fn minimum_stack() -> u64 {
    (size_of::<SignalFrame>() + processor::xsave_size() + 4 + 64 + 16) as u64
}

/// Where a handler's frame is built from.
pub(crate) struct Setting<'a> {
    pub(crate) action: &'a Action,
    pub(crate) info: &'a SignalInfo,
    /// The mask that sigreturn brings back.
    pub(crate) mask: SignalSet,
    pub(crate) stack: AlternateStack,
    /// `rip` as the program knows it, where a call-site stub holds the instruction now.
    pub(crate) canonical_rip: u64,
}

/// Builds a frame on the program's stack and lets `frame` go on in the handler. EFAULT if the stack cannot take it.
pub(crate) fn push(frame: &mut TrapFrame, setting: &Setting<'_>) -> Result<()> {
    let registers = &frame.registers;
    let on_alternate = setting.stack.contains(registers.rsp) && !setting.stack.disarm;
    let wants_alternate =
        setting.action.flags.contains(ActionFlags::SA_ONSTACK) && setting.stack.size != 0 && !on_alternate;
    let top = if wants_alternate {
        setting.stack.base + setting.stack.size
    } else {
        registers.rsp.wrapping_sub(RED_ZONE)
    };

    let size = processor::xsave_size();
    let vector_state = top.wrapping_sub(size as u64 + 4) & !63;
    // The handler is entered as by a call: 8 below a multiple of 16.
    let at = (vector_state.wrapping_sub(size_of::<SignalFrame>() as u64) & !15).wrapping_sub(8);
    // What is below a full alternate stack is not its own (get_sigframe of the kernel).
    if (wants_alternate || on_alternate) && !setting.stack.contains(at) {
        return Err(Errno::EFAULT);
    }
    let mut image = frame.xsave.0;
    describe_vector_state(&mut image, size);
    user::put_bytes(vector_state, image.get(..size).ok_or(Errno::EFAULT)?)?;
    user::put(vector_state + size as u64, &FP_XSTATE_MAGIC2)?;

    let r = registers;
    let context = UserContext {
        flags: CONTEXT_FLAGS,
        link: 0,
        stack: describe(&setting.stack, r.rsp),
        registers: [
            r.r8,
            r.r9,
            r.r10,
            r.r11,
            r.r12,
            r.r13,
            r.r14,
            r.r15,
            r.rdi,
            r.rsi,
            r.rbp,
            r.rbx,
            r.rdx,
            r.rax,
            r.rcx,
            r.rsp,
            setting.canonical_rip,
            r.rflags,
        ],
        segments: SEGMENTS,
        error: frame.exception.error.into(),
        trap: if frame.exception.vector == Exception::NONE {
            0
        } else {
            frame.exception.vector.into()
        },
        old_mask: setting.mask.0,
        fault_address: frame.exception.address,
        vector_state,
        _reserved: [0; 8],
        mask: setting.mask.0,
    };
    let on_stack = SignalFrame {
        return_address: setting.action.restorer,
        context,
        info: *setting.info,
    };
    user::put(at, &on_stack)?;

    let registers = &mut frame.registers;
    registers.rip = setting.action.handler;
    registers.rsp = at;
    registers.rdi = u64::from(setting.info.signal as u32);
    registers.rsi = at + core::mem::offset_of!(SignalFrame, info) as u64;
    registers.rdx = at + core::mem::offset_of!(SignalFrame, context) as u64;
    registers.rax = 0;
    // DF, RF and TF are clear in a handler.
    registers.rflags &= !(1 << 10 | 1 << 16 | 1 << 8);
    frame.exception.vector = Exception::NONE;
    Ok(())
}

fn describe_vector_state(image: &mut [u8], size: usize) {
    let words: [(usize, u32); 4] = [
        (0, FP_XSTATE_MAGIC1),
        (4, size as u32 + 4),
        (8, processor::components() as u32),
        (16, size as u32),
    ];
    for (offset, word) in words {
        let at = SOFTWARE_RESERVED + offset;
        if let Some(place) = image.get_mut(at..at + 4) {
            place.copy_from_slice(&word.to_le_bytes());
        }
    }
}

/// What sigreturn brings back.
pub(crate) struct Restored {
    pub(crate) frame: TrapFrame,
    pub(crate) mask: SignalSet,
    pub(crate) stack: SignalStack,
}

/// Reads the frame of the handler that has just returned: its return address has been popped.
pub(crate) fn pop(stack_pointer: u64) -> Result<Restored> {
    let context: UserContext = user::get(stack_pointer)?;
    let [
        r8,
        r9,
        r10,
        r11,
        r12,
        r13,
        r14,
        r15,
        rdi,
        rsi,
        rbp,
        rbx,
        rdx,
        rax,
        rcx,
        rsp,
        rip,
        rflags,
    ] = context.registers;
    // The flags that a program may set: status and control flags, never IOPL, VM or the like; nor TF, which would trap on the way back.
    let rflags = (rflags & 0x0024_0cd5) | 2 | 1 << 9;
    let mut frame = TrapFrame::new(Registers {
        r8,
        r9,
        r10,
        r11,
        r12,
        r13,
        r14,
        r15,
        rdi,
        rsi,
        rbp,
        rbx,
        rdx,
        rax,
        rcx,
        rsp,
        rip,
        rflags,
    });
    if context.vector_state != 0 {
        read_vector_state(context.vector_state, &mut frame.xsave)?;
    }
    Ok(Restored {
        frame,
        mask: SignalSet(context.mask),
        stack: context.stack,
    })
}

fn read_vector_state(at: u64, area: &mut XsaveArea) -> Result<()> {
    let size = processor::xsave_size();
    let magic: u32 = user::get(at + SOFTWARE_RESERVED as u64)?;
    let image = area.0.get_mut(..size).ok_or(Errno::EFAULT)?;
    if magic == FP_XSTATE_MAGIC1 {
        enclave_rt::user::read(at, image)?;
    } else {
        // A program that builds frames by itself may have the legacy area only: x87 and SSE.
        enclave_rt::user::read(at, image.get_mut(..512).ok_or(Errno::EFAULT)?)?;
        image
            .get_mut(512)
            .map(|header| *header = 3)
            .ok_or(Errno::EFAULT)?;
    }
    Ok(())
}
