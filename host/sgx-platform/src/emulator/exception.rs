//! Asynchronous exits: the signals that a stopped enclave causes, and what becomes of them.
//!
//! # The handler
//! A signal finds the thread with the enclave's FS, so the entry is assembly: it finds the thread's context from the
//! signal stack that it runs on (64 KiB each, at fixed addresses), restores the host's FS, and puts the enclave's back
//! when the signal returns.
//!
//! Faults come by themselves, so their handler blocks nothing, and an exit need not return through the kernel (which
//! would cost a third more): it lands in the host right from the handler. The kernel has reset the vector state by
//! then, which scrubs the enclave's. Interrupts are sent, and real-time signals queue: unless their handler blocks
//! them, many at once would fill the signal stack. Their exits return through the kernel.
//!
//! # Differences from silicon
//! - After a system call (#UD there) RCX and R11 are lost.
//! - CPUID executes where the processor has no CPUID faulting (`privileged`); an access to a pending page succeeds.
//! - A jump out of ELRANGE is found only if it faults.
//! - EREPORT and EGETKEY heed the EPCM, not the host's page tables; where the site is patched, EREPORT and EMODPE do not keep
//!   the status flags.

use std::arch::global_asm;
use std::io;
use std::mem::offset_of;
use std::sync::atomic::Ordering;

use enclave_layout::{ELRANGE_SIZE, PAGE_SIZE, PageRange};
use libc::{c_int, c_void, siginfo_t, ucontext_t};
use sgx_arch::{ExInfo, ExitInfo, ExitKind, GprSgx, SecInfo};

use super::address_space::{CONTEXT_STRIDE, CONTEXTS, MAX_CONTEXTS};
use super::context::Context;
use super::crossing::{self, LeafRegisters};
use super::epcm::{Epcm, LeafFault};
use super::leaf::{self, Identity, Operands, Outcome};
use super::privileged::{self, Answer};
use super::stepping::{self, Step};
use super::untouched;
use crate::{PlatformError, interruptible, processor};

global_asm!(
    r#"
.hidden nacre_emulator_signal
.globl nacre_emulator_signal
nacre_emulator_signal:
    push rbx
    push r12
    push r13
    # The kernel leaves the alignment check of the program's on.
    pushfq
    and dword ptr [rsp], ~0x40000
    popfq
    mov rcx, rsp
    and rcx, -{stride}
    movabs rax, {contexts}
    mov r8, rcx
    sub r8, rax
    cmp r8, {contexts_size}
    jae 2f
    rdfsbase r12
    mov rbx, rcx
    mov rax, [rcx + {host_fs}]
    wrfsbase rax
    mov r8, r12
    call {handle}
    test rax, rax
    jnz nacre_emulator_leave
    wrfsbase r12
1:  pop r13
    pop r12
    pop rbx
    ret
# A thread that never enters the enclave.
2:  xor ecx, ecx
    call {handle}
    jmp 1b
"#,
    stride = const CONTEXT_STRIDE,
    contexts = const CONTEXTS,
    contexts_size = const MAX_CONTEXTS * CONTEXT_STRIDE,
    host_fs = const offset_of!(Context, host_fs),
    handle = sym handle,
);

unsafe extern "C" {
    fn nacre_emulator_signal();
}

const FAULTS: [c_int; 6] = [
    libc::SIGSEGV,
    libc::SIGBUS,
    libc::SIGFPE,
    libc::SIGTRAP,
    libc::SIGILL,
    libc::SIGSYS,
];

/// Installs the handlers, for the whole process.
pub(super) fn install() -> Result<(), PlatformError> {
    // Asked for now: CPUID is slow on a virtual machine, and a handler must not wait for a thread that asks.
    processor::extended_state();
    let interrupt = [interruptible::signal()];
    for signal in FAULTS.into_iter().chain(interrupt) {
        // SAFETY: all zeros is a sigaction.
        let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
        action.sa_sigaction = nacre_emulator_signal as *const () as usize;
        action.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK | libc::SA_NODEFER;
        if signal == interrupt[0] {
            // Restarts host code that does not expect EINTR; what is to be interrupted is, see `interruptible`.
            action.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK | libc::SA_RESTART;
        }
        // SAFETY: the handler is re-entrant and async-signal-safe.
        if unsafe { libc::sigaction(signal, &action, std::ptr::null_mut()) } != 0 {
            return Err(PlatformError::Kernel(
                "cannot handle signals",
                io::Error::last_os_error(),
            ));
        }
    }
    Ok(())
}

/// Returns from the signal.
const RETURN: u64 = 0;

/// What a signal has found: the machine's registers in the frame that the kernel will restore.
struct Stopped<'a> {
    registers: &'a mut [i64; 23],
    vector_state: &'a mut *mut libc::_libc_fpstate,
    context: &'a mut Context,
    enclave_fs: u64,
}

extern "C" fn handle(
    signal: c_int,
    info: *const siginfo_t,
    user: *mut ucontext_t,
    context: *mut Context,
    enclave_fs: u64,
) -> u64 {
    // SAFETY: the kernel's frame, which is ours until the handler returns.
    let machine = unsafe { &mut (*user).uc_mcontext };
    // SAFETY: as above.
    let code = unsafe { (*info).si_code };
    let rip = register(&machine.gregs, libc::REG_RIP);
    // SAFETY: null, or the calling thread's own context: other code of the thread waits for the handler, and holds no
    // reference into the context while the enclave runs.
    let context = unsafe { context.as_mut() };
    if signal == interruptible::signal() {
        if let Some(rip) = interruptible::diverted(rip) {
            set_register(&mut machine.gregs, libc::REG_RIP, rip);
            return RETURN;
        }
        let Some(context) = context else { return RETURN };
        let (registers, vector_state) = (&mut machine.gregs, &mut machine.fpregs);
        interrupt(Stopped {
            registers,
            vector_state,
            context,
            enclave_fs,
        });
        return RETURN;
    }
    // Whoever touches it: the enclave, or the emulator for it.
    let is_page_fault = signal == libc::SIGSEGV && machine.gregs[libc::REG_TRAPNO as usize] == 14;
    if is_page_fault && code > 0 && is_untouched(register(&machine.gregs, libc::REG_CR2)) {
        return RETURN;
    }
    let is_protection = signal == libc::SIGSEGV && machine.gregs[libc::REG_TRAPNO as usize] == 13;
    let is_illegal = match is_protection.then(|| privileged(&mut machine.gregs)).flatten() {
        Some(Answer::Done(_)) => return RETURN,
        Some(Answer::Illegal) => true,
        None => false,
    };
    match context {
        // Codes above 0 are the kernel's own; others come from kill().
        Some(context) if code > 0 && context.inside != 0 => {
            let (registers, vector_state) = (&mut machine.gregs, &mut machine.fpregs);
            let mut stopped = Stopped {
                registers,
                vector_state,
                context,
                enclave_fs,
            };
            if is_illegal {
                return stopped.undefined();
            }
            fault(stopped, signal).unwrap_or_else(|HostFault| die_of(signal, code))
        }
        _ => die_of(signal, code),
    }
}

/// Does an instruction that is forbidden to the thread, if that is why it has met #GP.
fn privileged(machine: &mut [i64; 23]) -> Option<Answer> {
    let answer = privileged::answer(privileged::Registers {
        rip: register(machine, libc::REG_RIP),
        rax: register(machine, libc::REG_RAX),
        rbx: register(machine, libc::REG_RBX),
        rcx: register(machine, libc::REG_RCX),
        rdx: register(machine, libc::REG_RDX),
    })?;
    if let Answer::Done(registers) = answer {
        set_register(machine, libc::REG_RIP, registers.rip);
        set_register(machine, libc::REG_RAX, registers.rax);
        set_register(machine, libc::REG_RBX, registers.rbx);
        set_register(machine, libc::REG_RCX, registers.rcx);
        set_register(machine, libc::REG_RDX, registers.rdx);
    }
    Some(answer)
}

/// A fault of the host's own code.
struct HostFault;

/// An interrupt: an asynchronous exit if the enclave runs and can be told.
fn interrupt(mut stopped: Stopped) {
    if crossing::is_resuming(stopped.get(libc::REG_RIP)) {
        return stopped.go(crossing::leave(), crossing::NOT_RESUMED);
    }
    if stopped.context.inside != 0 && stopped.context.cssa == 0 {
        stopped.settle();
        if stopped.get(libc::REG_RIP) < ELRANGE_SIZE {
            stopped.exit(None, ExInfo::default());
            return stopped.go(crossing::leave(), crossing::INTERRUPT);
        }
    }
    // On its way in or out, or in its exception handler, or in the host.
    stopped.context.interrupted.store(1, Ordering::Relaxed);
}

/// A fault while the enclave runs.
fn fault(mut stopped: Stopped, signal: c_int) -> Result<u64, HostFault> {
    /// #PF's error code: the access was an instruction fetch.
    const FETCH: i64 = 1 << 4;
    let rip = stopped.get(libc::REG_RIP);
    let trap = stopped.registers[libc::REG_TRAPNO as usize];
    let error = stopped.registers[libc::REG_ERR as usize];
    let address = stopped.get(libc::REG_CR2);

    if trap == 1
        && let Some(landing) = stopped.step()
    {
        return Ok(landing);
    }
    if crossing::is_slow_leaf(rip) {
        stopped.settle();
        return Ok(stopped.leaf(crossing::SITE_SIZE));
    }
    if trap == 16 && crossing::is_leaving(rip) {
        *stopped.vector_state = std::ptr::null_mut();
        return Ok(RETURN);
    }
    if rip >= ELRANGE_SIZE {
        // A wild jump out of ELRANGE.
        let is_jump = trap == 14 && error & FETCH != 0 && address == rip;
        return if is_jump {
            Ok(stopped.exception(14, error as u32, address))
        } else {
            Err(HostFault)
        };
    }
    match (signal, trap) {
        // Syscall User Dispatch: the instruction, 2 bytes long, is over; #UD is a fault.
        (libc::SIGSYS, _) => {
            stopped.set(libc::REG_RIP, rip - 2);
            Ok(stopped.undefined())
        }
        // ENCLU: #UD without SGX, #GP with it (outside an enclave).
        (_, 6 | 13) if stopped.is_at_enclu() => Ok(stopped.leaf(leaf::ENCLU.len() as u64)),
        // INT3 is a trap here, and a fault in an enclave that is not debugged (SDM 41.3.2).
        (_, 3) => {
            stopped.set(libc::REG_RIP, rip - 1);
            Ok(stopped.exception(3, 0, 0))
        }
        (_, 14) => Ok(stopped.exception(14, error as u32, address)),
        (_, vector) => Ok(stopped.exception(vector as u8, error as u32, 0)),
    }
}

/// Whether an address lies in a page that nobody had touched, and that is mapped now: the access is made again.
fn is_untouched(address: u64) -> bool {
    PageRange::new(address & !(PAGE_SIZE - 1), PAGE_SIZE)
        .filter(|page| page.end() <= ELRANGE_SIZE)
        .is_some_and(untouched::map)
}

impl Stopped<'_> {
    fn get(&self, name: c_int) -> u64 {
        register(self.registers, name)
    }

    fn set(&mut self, name: c_int, value: u64) {
        set_register(self.registers, name, value);
    }

    /// Makes the signal return to the host's code at `rip`, which takes its context and the kind of landing.
    fn go(&mut self, rip: u64, kind: u64) {
        let context = std::ptr::from_mut(self.context) as u64;
        self.set(libc::REG_RIP, rip);
        self.set(libc::REG_RBX, context);
        self.set(libc::REG_RAX, kind);
        // As after a reset: no trap, no alignment check, direction upwards.
        self.set(libc::REG_EFL, 0x202);
        // Without an image, the kernel clears the vector state.
        *self.vector_state = std::ptr::null_mut();
    }

    /// Brings a thread in a leaf's fast path before or behind the leaf.
    fn settle(&mut self) {
        let found = LeafRegisters {
            rip: self.get(libc::REG_RIP),
            rsp: self.get(libc::REG_RSP),
            rax: self.get(libc::REG_RAX),
            rdx: self.get(libc::REG_RDX),
            rsi: self.get(libc::REG_RSI),
            rcx: self.get(libc::REG_RCX),
            rdi: self.get(libc::REG_RDI),
            r10: self.get(libc::REG_R10),
            r11: self.get(libc::REG_R11),
            rflags: self.get(libc::REG_EFL),
        };
        // SAFETY: the enclave runs on this thread.
        let Some(settled) = (unsafe { crossing::settle(found) }) else {
            return;
        };
        self.set(libc::REG_RIP, settled.rip);
        self.set(libc::REG_RSP, settled.rsp);
        self.set(libc::REG_RAX, settled.rax);
        self.set(libc::REG_RDX, settled.rdx);
        self.set(libc::REG_RSI, settled.rsi);
        self.set(libc::REG_RCX, settled.rcx);
        self.set(libc::REG_RDI, settled.rdi);
        self.set(libc::REG_R10, settled.r10);
        self.set(libc::REG_R11, settled.r11);
        self.set(libc::REG_EFL, settled.rflags);
    }

    /// If the thread is stepped through: what comes after the instruction that it has executed.
    fn step(&mut self) -> Option<u64> {
        if self.context.unusual == 0 {
            return None;
        }
        let mut registers = stepping::Registers {
            rip: self.get(libc::REG_RIP),
            rsp: self.get(libc::REG_RSP),
            rflags: self.get(libc::REG_EFL),
        };
        let step = self.context.step(epcm(), &mut registers);
        self.set(libc::REG_RIP, registers.rip);
        self.set(libc::REG_RSP, registers.rsp);
        self.set(libc::REG_EFL, registers.rflags);
        Some(match step {
            Step::GoOn => RETURN,
            Step::Illegal => self.undefined(),
            Step::Interrupt => {
                self.exit(None, ExInfo::default());
                crossing::INTERRUPT
            }
        })
    }

    fn is_at_enclu(&self) -> bool {
        let rip = self.get(libc::REG_RIP);
        let last = rip + leaf::ENCLU.len() as u64 - 1;
        let epcm = epcm();
        if !epcm.allows(rip, SecInfo::X) || !epcm.allows(last, SecInfo::X) {
            return false;
        }
        let code = std::ptr::with_exposed_provenance::<[u8; 3]>(rip as usize);
        // SAFETY: executable pages of the enclave, which are readable.
        unsafe { code.read_unaligned() == leaf::ENCLU }
    }

    /// Does the ENCLU leaf that the thread is at, an instruction of `size` bytes.
    fn leaf(&mut self, size: u64) -> u64 {
        let operands = Operands {
            rax: self.get(libc::REG_RAX),
            rbx: self.get(libc::REG_RBX),
            rcx: self.get(libc::REG_RCX),
            rdx: self.get(libc::REG_RDX),
        };
        let behind = self.get(libc::REG_RIP) + size;
        // SAFETY: `Emulated::thread` has set it, and the thread that runs in the enclave borrows what it points to.
        let identity = unsafe { &*self.context.identity.cast::<Identity>() };
        // SAFETY: the enclave runs on this thread.
        match unsafe { leaf::execute(epcm(), identity, operands) } {
            Outcome::Leave(to) => self.set(libc::REG_RIP, to),
            Outcome::Done => self.set(libc::REG_RIP, behind),
            Outcome::Result(result) => {
                const ZF: u64 = 0x40;
                let (code, zf) = result.map_or_else(|code| (code as u64, ZF), |()| (0, 0));
                self.set(libc::REG_RAX, code);
                let flags = self.get(libc::REG_EFL) & !crossing::STATUS_FLAGS | zf;
                self.set(libc::REG_EFL, flags);
                self.set(libc::REG_RIP, behind);
            }
            Outcome::Fault(LeafFault::Protection) => return self.exception(13, 0, 0),
            Outcome::Fault(LeafFault::Page(address)) => {
                /// #PF's error code: caused by the EPCM.
                const SGX: u32 = 1 << 15;
                return self.exception(14, SGX, address);
            }
        }
        RETURN
    }

    /// #UD.
    fn undefined(&mut self) -> u64 {
        const VECTOR: u8 = 6;
        self.exception(VECTOR, 0, 0)
    }

    /// An asynchronous exit because of an exception.
    fn exception(&mut self, vector: u8, error: u32, address: u64) -> u64 {
        let kind = if vector == 3 {
            ExitKind::Software
        } else {
            ExitKind::Hardware
        };
        // What an enclave is told of (SDM table 37-13); #GP and #PF only with EXINFO.
        let reported = match vector {
            0 | 1 | 3 | 5 | 6 | 16 | 17 | 19 => true,
            13 | 14 => self.context.has_exinfo != 0,
            _ => false,
        };
        let has_detail = reported && matches!(vector, 13 | 14);
        let detail = if has_detail {
            ExInfo {
                maddr: address,
                errcd: error,
            }
        } else {
            ExInfo::default()
        };
        self.exit(reported.then_some(ExitInfo { vector, kind }), detail);
        self.context.vector = vector.into();
        self.context.address = address;
        crossing::EXCEPTION
    }

    /// AEX (SDM 37.4): saves the state in the SSA frame and takes the next one.
    fn exit(&mut self, info: Option<ExitInfo>, detail: ExInfo) {
        let frame = self.context.next_frame();
        let registers = GprSgx {
            rax: self.get(libc::REG_RAX),
            rcx: self.get(libc::REG_RCX),
            rdx: self.get(libc::REG_RDX),
            rbx: self.get(libc::REG_RBX),
            rsp: self.get(libc::REG_RSP),
            rbp: self.get(libc::REG_RBP),
            rsi: self.get(libc::REG_RSI),
            rdi: self.get(libc::REG_RDI),
            r8: self.get(libc::REG_R8),
            r9: self.get(libc::REG_R9),
            r10: self.get(libc::REG_R10),
            r11: self.get(libc::REG_R11),
            r12: self.get(libc::REG_R12),
            r13: self.get(libc::REG_R13),
            r14: self.get(libc::REG_R14),
            r15: self.get(libc::REG_R15),
            rflags: self
                .context
                .flags_to_resume(self.get(libc::REG_RIP), self.get(libc::REG_EFL)),
            rip: self.get(libc::REG_RIP),
            ursp: self.context.host_rsp,
            urbp: 0,
            exit_info: 0,
            reserved: 0,
            fs_base: self.enclave_fs,
            gs_base: processor::gs_base(),
        };
        // SAFETY: CSSA is below NSSA while the enclave runs, so this frame is one of the TCS's.
        unsafe { frame.registers().write_volatile(registers) };
        // SAFETY: as above.
        unsafe { frame.set_cause(info, detail) };
        // SAFETY: as above; the kernel's frame holds an XSAVE image.
        unsafe { save_vector_state((*self.vector_state).cast(), frame.xsave(), self.context.xfrm) };
        self.context.cssa += 1;
    }
}

/// Copies the components of `xfrm` from a signal frame's XSAVE image (standard form) to an SSA frame's.
///
/// # Safety
/// `from` is null (all components are in their initial state) or a signal frame's image; `to` has room for `xfrm`'s.
unsafe fn save_vector_state(from: *const u8, to: *mut u8, xfrm: u64) {
    const LEGACY: usize = 512;
    const HEADER: usize = 64;
    /// Where the kernel writes about its frame, into bytes of the legacy area that are software's.
    const SOFTWARE: usize = 464;
    let mut header = [0u64; HEADER / 8];
    if !from.is_null() {
        // SAFETY: the legacy area and header of an image.
        header[0] = unsafe { from.add(LEGACY).cast::<u64>().read_unaligned() } & xfrm;
        // SAFETY: as above.
        unsafe { std::ptr::copy_nonoverlapping(from, to, SOFTWARE) };
    } else {
        // SAFETY: room for an image.
        unsafe { to.write_bytes(0, SOFTWARE) };
        // SAFETY: as above; MXCSR is loaded whatever the header says.
        unsafe { to.add(24).cast::<u32>().write_unaligned(0x1f80) };
    }
    // SAFETY: room for an image.
    unsafe { to.add(SOFTWARE).write_bytes(0, LEGACY - SOFTWARE) };
    // SAFETY: as above.
    unsafe { to.add(LEGACY).cast::<[u64; HEADER / 8]>().write_unaligned(header) };
    for part in processor::extended_state() {
        if header[0] >> part.component & 1 != 0 {
            // SAFETY: the component lies within both images.
            let source = unsafe { from.add(part.offset) };
            // SAFETY: as above.
            let target = unsafe { to.add(part.offset) };
            // SAFETY: as above.
            unsafe { std::ptr::copy_nonoverlapping(source, target, part.len) };
        }
    }
}

fn epcm() -> Epcm {
    // SAFETY: the enclave runs on this thread, so the address space exists.
    unsafe { Epcm::new() }
}

fn register(registers: &[i64; 23], name: c_int) -> u64 {
    registers[name as usize].cast_unsigned()
}

fn set_register(registers: &mut [i64; 23], name: c_int, value: u64) {
    registers[name as usize] = value.cast_signed();
}

/// A fault of the host's own, or a signal that somebody sent: what it does by default.
fn die_of(signal: c_int, code: c_int) -> u64 {
    // SAFETY: async-signal-safe.
    unsafe { libc::signal(signal, libc::SIG_DFL) };
    if code <= 0 {
        // SAFETY: async-signal-safe. (A fault comes again by itself.)
        unsafe { libc::raise(signal) };
    }
    RETURN
}

/// Gives the calling thread its signal stack.
pub(super) fn set_signal_stack(index: usize) -> Result<(), PlatformError> {
    let (start, len) = Context::signal_stack(index);
    let stack = libc::stack_t {
        ss_sp: std::ptr::with_exposed_provenance_mut::<c_void>(start as usize),
        ss_flags: 0,
        ss_size: len as usize,
    };
    // SAFETY: the memory is this thread's alone while it holds the context.
    if unsafe { libc::sigaltstack(&stack, std::ptr::null_mut()) } != 0 {
        return Err(PlatformError::Kernel(
            "cannot set a signal stack",
            io::Error::last_os_error(),
        ));
    }
    Ok(())
}

/// Takes the signal stack away again.
pub(super) fn clear_signal_stack() {
    let stack = libc::stack_t {
        ss_sp: std::ptr::null_mut(),
        ss_flags: libc::SS_DISABLE,
        ss_size: 0,
    };
    // SAFETY: no handler runs on it now.
    unsafe { libc::sigaltstack(&stack, std::ptr::null_mut()) };
}
