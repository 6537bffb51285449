//! A software emulator of SGX: the same enclave bytes run as on silicon, and nothing is protected from this host.
//!
//! [`Emulator`] builds an enclave: it measures pages as ECREATE, EADD and EEXTEND do and checks the signature as EINIT
//! does. [`Emulated`] is the enclave, [`EmulatedThread`] a host thread at one of its TCSs. Inside:
//! - `address_space`: where everything lies; `epcm`: the state of each page; `einit`: the signature;
//! - `crossing`: the assembly of EENTER, EEXIT, ERESUME and the fast leaves; `leaf`: all leaves in full;
//!   `simulated_processor`: the secrets behind reports and keys;
//! - `exception`: signals become asynchronous exits; `context`: what a thread needs for that;
//! - `patch`: ENCLU sites become calls; `privileged`: CPUID and RDTSC; [`hostile`]: what a hostile kernel does, for tests; `stepping`: one of these things.
//!
//! System calls of the enclave's never reach the kernel: Syscall User Dispatch allows them outside ELRANGE only, and the
//! enclave sees #UD as on silicon.

mod address_space;
mod context;
mod crossing;
mod einit;
mod epcm;
mod exception;
pub mod hostile;
mod leaf;
mod patch;
mod privileged;
mod simulated_processor;
mod stepping;
mod untouched;

use std::marker::PhantomData;
use std::sync::atomic::{AtomicBool, Ordering};

use enclave_layout::{Acceptance, ELRANGE_SIZE, EntryReason, PageRange, Protection};
use sgx_arch::{
    Attributes, CHUNK_SIZE, ExInfo, ExitInfo, ExitKind, GprSgx, Malformed, Measured, PAGE_SIZE, PageType,
    SecInfo, Secs, SigStruct, Tcs,
};
use sha2::{Digest, Sha256};

use self::address_space::{AddressSpace, MAX_CONTEXTS};
use self::context::Context;
use self::epcm::Epcm;
use self::hostile::{HostRegisters, Left, VectorState};
use self::leaf::Identity;
use self::privileged::Privileged;
use crate::requirements::{self, Missing};
use crate::{
    AsyncExit, Builder, Chunks, Debugged, Enclave, EnclaveError, Exit, Interrupter, PlatformError, Thread,
    processor,
};

pub use self::simulated_processor::{Key, SimulatedProcessor};

/// Whether ENCLU instructions are turned into calls once the enclave has been measured.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum EncluSites {
    /// Yes: fast.
    #[default]
    Patched,
    /// No: each one traps, as a test of that path.
    Trapped,
}

/// An enclave that is being built.
#[derive(Debug)]
pub struct Emulator {
    secs: Secs,
    processor: SimulatedProcessor,
    sites: EncluSites,
    measurement: Sha256,
    run: Option<Run>,
    code: Vec<(PageRange, u64)>,
    threads: Vec<ThreadSlot>,
    epcm: Epcm,
    // Last: it goes when nothing refers to it any more.
    space: AddressSpace,
}

/// Adjacent pages with the same permissions, which are mapped together.
#[derive(Debug)]
struct Run {
    start: u64,
    end: u64,
    permissions: u64,
    /// Up to here, pages are writable already, so that they can be filled.
    writable_end: u64,
}

#[derive(Debug)]
struct ThreadSlot {
    address: u64,
    tcs: Tcs,
    busy: AtomicBool,
}

/// How much is made writable at once while pages are filled.
const FILL_STEP: u64 = 1 << 20;

impl Emulator {
    /// ECREATE. One enclave at a time in a process; ELRANGE is [`ELRANGE_SIZE`] bytes from 0.
    pub fn create(
        secs: Secs,
        processor: SimulatedProcessor,
        sites: EncluSites,
    ) -> Result<Self, PlatformError> {
        requirements::emulator()?;
        check_secs(&secs)?;
        let space = AddressSpace::reserve()?;
        // SAFETY: used by what owns the address space.
        let epcm = unsafe { Epcm::new() };
        epcm.begin();
        untouched::begin();
        let create = Measured::ECreate {
            ssa_frame_pages: secs.ssa_frame_pages,
            size: secs.size,
        };
        Ok(Self {
            secs,
            processor,
            sites,
            measurement: Sha256::new_with_prefix(create.to_bytes()),
            run: None,
            code: Vec::new(),
            threads: Vec::new(),
            epcm,
            space,
        })
    }

    /// Maps the pages that have been added last as they are to be.
    fn end_run(&mut self) -> Result<(), PlatformError> {
        let Some(run) = self.run.take() else { return Ok(()) };
        let unmappable = |_| PlatformError::Page(run.start, "cannot be mapped: the host has no memory");
        let pages = PageRange::new(run.start, run.end - run.start).expect("a run has pages");
        if let Some(rest) = run
            .writable_end
            .checked_sub(run.end)
            .and_then(|len| PageRange::new(run.end, len))
        {
            self.space.protect(rest, 0).map_err(unmappable)?;
        }
        if run.writable_end == run.start && run.permissions & (SecInfo::W | SecInfo::X) == SecInfo::W {
            untouched::add(pages, run.permissions);
        } else if run.permissions != 0 || run.writable_end > run.start {
            self.space.protect(pages, run.permissions).map_err(unmappable)?;
        }
        if run.permissions & SecInfo::X != 0 {
            self.code.push((pages, run.permissions));
        }
        Ok(())
    }

    fn fill(&mut self, offset: u64, content: &[u8; PAGE_SIZE as usize]) -> Result<(), PlatformError> {
        let run = self.run.as_mut().expect("the page has begun or continued a run");
        if run.writable_end <= offset {
            let end = (offset + FILL_STEP).min(ELRANGE_SIZE);
            let step = PageRange::new(offset, end - offset).expect("the page lies in ELRANGE");
            self.space
                .protect(step, SecInfo::R | SecInfo::W)
                .map_err(|_| PlatformError::Page(offset, "cannot be filled: the host has no memory"))?;
            run.writable_end = end;
        }
        self.space.write(offset, content);
        Ok(())
    }
}

/// What ECREATE checks (SDM 40.3), and what the emulator has fixed.
fn check_secs(secs: &Secs) -> Result<(), Malformed> {
    if secs.base != 0 || secs.size != ELRANGE_SIZE {
        return Err(Malformed("ELRANGE is not the one that Nacre's enclaves have"));
    }
    let Attributes { flags, xfrm } = secs.attributes;
    if flags & Attributes::MODE64BIT == 0 || flags & Attributes::INIT != 0 {
        return Err(Malformed("SECS.ATTRIBUTES are not those of a new 64-bit enclave"));
    }
    if !xfrm.is_legal() || xfrm.0 & !processor::xcr0() != 0 {
        return Err(Malformed(
            "SECS.ATTRIBUTES.XFRM has components that this machine has not",
        ));
    }
    let used = xfrm.image_size() + ExInfo::SIZE + GprSgx::SIZE;
    if u64::from(secs.ssa_frame_pages) * PAGE_SIZE < used as u64 {
        return Err(Malformed(
            "SECS.SSAFRAMESIZE is too small for the processor's state",
        ));
    }
    Ok(())
}

impl Builder for Emulator {
    type Enclave = Emulated;

    fn add_page(
        &mut self,
        offset: u64,
        sec_info: SecInfo,
        content: Option<&[u8; PAGE_SIZE as usize]>,
        measured: Chunks,
    ) -> Result<(), PlatformError> {
        let refused = |why| Err(PlatformError::Page(offset, why));
        const ZEROS: &[u8; PAGE_SIZE as usize] = &[0; PAGE_SIZE as usize];
        let bytes = content.unwrap_or(ZEROS);
        if !offset.is_multiple_of(PAGE_SIZE) || !(enclave_layout::USER_START..ELRANGE_SIZE).contains(&offset)
        {
            return refused("lies outside the enclave");
        }
        match sec_info.page_type() {
            _ if sec_info.state() != 0 => return refused("is to be added in a state that no new page has"),
            PageType::Reg => {}
            PageType::Tcs if sec_info.permissions() == 0 => {
                let tcs = Tcs::from_page(bytes)?;
                let frames_end = u64::from(tcs.ssa_frames)
                    .checked_mul(u64::from(self.secs.ssa_frame_pages) * PAGE_SIZE)
                    .and_then(|len| tcs.ssa.checked_add(len));
                if frames_end.is_none_or(|end| end > ELRANGE_SIZE) || tcs.entry >= ELRANGE_SIZE {
                    return refused("is a TCS that points outside the enclave");
                }
                if tcs.fs >= ELRANGE_SIZE || tcs.gs >= ELRANGE_SIZE {
                    return refused("is a TCS that points outside the enclave");
                }
                if self.threads.len() as u64 == MAX_CONTEXTS {
                    return refused("is one TCS more than this platform serves");
                }
                self.threads.push(ThreadSlot {
                    address: offset,
                    tcs,
                    busy: AtomicBool::new(false),
                });
            }
            _ => return refused("has a type that cannot be added"),
        }
        match self.epcm.add(offset, sec_info) {
            Ok(true) => {}
            Ok(false) => return refused("is added twice"),
            Err(_) => return refused("cannot be added: the host has no memory"),
        }

        let permissions = sec_info.permissions();
        if !self
            .run
            .as_ref()
            .is_some_and(|run| run.end == offset && run.permissions == permissions)
        {
            self.end_run()?;
            self.run = Some(Run {
                start: offset,
                end: offset,
                permissions,
                writable_end: offset,
            });
        }
        // A TCS is the processor's alone: its page stays inaccessible and its content lies in `threads`.
        // Pages are zero before they are touched, and most that are to be zero never are.
        let content = content.filter(|&content| content != ZEROS);
        if let (PageType::Reg, Some(content)) = (sec_info.page_type(), content) {
            self.fill(offset, content)?;
        }
        if let Some(run) = self.run.as_mut() {
            run.end = offset + PAGE_SIZE;
        }

        self.measurement
            .update(Measured::EAdd { offset, sec_info }.to_bytes());
        for (index, chunk) in bytes.chunks_exact(CHUNK_SIZE).enumerate() {
            if measured.0 >> index & 1 != 0 {
                let offset = offset + (index * CHUNK_SIZE) as u64;
                self.measurement.update(Measured::EExtend { offset }.to_bytes());
                self.measurement.update(chunk);
            }
        }
        Ok(())
    }

    fn init(mut self, signature: &SigStruct) -> Result<Emulated, PlatformError> {
        self.secs.mr_enclave = self.measurement.clone().finalize().into();
        self.secs.mr_signer = einit::check(&self.secs, signature).map_err(PlatformError::Signature)?;
        self.secs.isv_prod_id = signature.isv_prod_id;
        self.secs.isv_svn = signature.isv_svn;
        self.secs.attributes.flags |= Attributes::INIT;
        self.end_run()?;

        patch::write_trampoline(&self.space)?;
        if self.sites == EncluSites::Patched {
            for &(code, permissions) in &self.code {
                patch::sites(&self.space, code, permissions)?;
            }
        }
        exception::install()?;
        self.threads.sort_unstable_by_key(|thread| thread.address);
        hostile::set_alive(true);
        Ok(Emulated {
            identity: Identity {
                secs: self.secs,
                processor: self.processor,
            },
            threads: self.threads,
            epcm: self.epcm,
            space: self.space,
        })
    }
}

/// An enclave in the emulator.
#[derive(Debug)]
pub struct Emulated {
    identity: Identity,
    threads: Vec<ThreadSlot>,
    epcm: Epcm,
    space: AddressSpace,
}

impl Drop for Emulated {
    fn drop(&mut self) {
        hostile::set_alive(false);
    }
}

impl Emulated {
    /// What the enclave is: MRENCLAVE, MRSIGNER and so on.
    pub fn secs(&self) -> &Secs {
        &self.identity.secs
    }

    /// What it runs on: who checks its reports.
    pub fn processor(&self) -> &SimulatedProcessor {
        &self.identity.processor
    }
}

impl Enclave for Emulated {
    type Thread<'a> = EmulatedThread<'a>;

    fn thread(&self, tcs: u64) -> Result<EmulatedThread<'_>, PlatformError> {
        let index = self
            .threads
            .binary_search_by_key(&tcs, |thread| thread.address)
            .map_err(|_| PlatformError::Tcs(tcs, "is no thread control structure"))?;
        let slot = &self.threads[index];
        if slot.busy.swap(true, Ordering::Acquire) {
            return Err(PlatformError::Tcs(tcs, "is in use"));
        }
        let pointer = std::ptr::with_exposed_provenance_mut::<Context>(Context::address(index) as usize);
        let thread = EmulatedThread {
            context: pointer,
            slot,
            may_debug: self.secs().attributes.flags & Attributes::DEBUG != 0,
            _enclave: PhantomData,
        };
        // SAFETY: mapped, zero at first, a valid value in any state, and ours alone since `busy` was false.
        let context = unsafe { &mut *pointer };
        context.host_fs = processor::fs_base();
        context.exit_thunk = crossing::exit_thunk(index);
        context.tcs = tcs;
        context.entry = slot.tcs.entry;
        context.fs = slot.tcs.fs;
        context.gs = slot.tcs.gs;
        context.ssa = slot.tcs.ssa;
        // The emulator itself writes there.
        let frames = u64::from(slot.tcs.ssa_frames) * u64::from(self.secs().ssa_frame_pages) * PAGE_SIZE;
        PageRange::new(slot.tcs.ssa, frames).map(untouched::map);
        context.ssa_frame_size = u64::from(self.secs().ssa_frame_pages) * PAGE_SIZE;
        context.xfrm = self.secs().attributes.xfrm.0;
        context.identity = (&raw const self.identity).cast();
        context.nssa = slot.tcs.ssa_frames;
        context.has_exinfo = self.secs().misc_select.has_exinfo().into();
        context.begin_steps(hostile::steps());
        context.take_interrupt();
        exception::set_signal_stack(index)?;
        // Not every processor can, and not every kernel lets it.
        let _ = Privileged::Cpuid.forbid();
        dispatch_system_calls()?;
        Ok(thread)
    }

    fn commit(&self, range: PageRange, acceptance: Acceptance) -> Result<(), EnclaveError> {
        self.epcm.require_free(range)?;
        // What is free is inaccessible, and is copied to by another way.
        if acceptance == Acceptance::Zeros {
            self.space.protect(range, SecInfo::R | SecInfo::W)?;
        }
        self.epcm.augment(range)
    }

    fn protect(&self, range: PageRange, protection: Protection) -> Result<(), EnclaveError> {
        let permissions = protection.bits().into();
        self.epcm.require_modifiable(range)?;
        untouched::map(range);
        self.space.protect(range, permissions)?;
        self.epcm.restrict(range, permissions);
        Ok(())
    }

    fn trim(&self, range: PageRange) -> Result<(), EnclaveError> {
        self.epcm.require_modifiable(range)?;
        untouched::map(range);
        // A page of this type cannot be accessed any more, so its memory can go now.
        self.space.discard(range)?;
        self.epcm.trim(range);
        Ok(())
    }

    fn remove(&self, range: PageRange) -> Result<(), EnclaveError> {
        self.epcm.remove(range)
    }
}

/// The calling thread's system calls reach the kernel from outside ELRANGE only.
fn dispatch_system_calls() -> Result<(), PlatformError> {
    const PR_SET_SYSCALL_USER_DISPATCH: libc::c_int = 59;
    const ON: libc::c_ulong = 1;
    const USER_END: u64 = (1 << 47) - PAGE_SIZE;
    let selector: libc::c_ulong = 0;
    // SAFETY: allows the range in which all of the host's code lies, without a selector byte to read.
    let result = unsafe {
        libc::prctl(
            PR_SET_SYSCALL_USER_DISPATCH,
            ON,
            ELRANGE_SIZE,
            USER_END - ELRANGE_SIZE,
            selector,
        )
    };
    if result == 0 {
        return Ok(());
    }
    // Since Linux 7.3 a sysctl can forbid it: another error, and another remedy.
    Err(match std::io::Error::last_os_error().raw_os_error() {
        Some(libc::EPERM) => Missing::SyscallUserDispatchForbidden,
        _ => Missing::SyscallUserDispatch,
    }
    .into())
}

/// A host thread at a TCS.
#[derive(Debug)]
pub struct EmulatedThread<'a> {
    /// In memory that the enclave's life bounds; the signal handler of this thread uses it while the enclave runs.
    /// The pointer also keeps the value on its thread.
    context: *mut Context,
    slot: &'a ThreadSlot,
    may_debug: bool,
    _enclave: PhantomData<&'a Emulated>,
}

impl EmulatedThread<'_> {
    fn context(&mut self) -> &mut Context {
        // SAFETY: ours alone while `busy` is set, and the enclave does not run now.
        unsafe { &mut *self.context }
    }

    /// An entry with registers of the host's choice, and a look at them after the exit.
    fn enter_hostile(&mut self, registers: &dyn HostRegisters, call_area: u64, reason: EntryReason) -> Exit {
        let mut presented = registers.present();
        let mut observed = VectorState::empty();
        let context = self.context();
        if let Some(presented) = &mut presented {
            context.presented = presented.address();
        }
        context.observed_components = observed.components();
        context.observed = observed.address();
        context.unusual = 1;
        // SAFETY: as in `enter`; both images live until the exit.
        let landing = unsafe { crossing::enter(self.context, call_area, reason as u64) };
        let context = self.context();
        context.presented = std::ptr::null();
        context.observed = std::ptr::null_mut();
        let left = Left {
            general: context.general,
            stack: context.host_stack,
            vector: observed,
        };
        if landing.kind == crossing::LEFT {
            registers.observe(&left);
        }
        self.landed(landing)
    }

    fn landed(&mut self, landing: crossing::Landing) -> Exit {
        match landing.kind {
            crossing::LEFT => Exit::Left(landing.value),
            crossing::EXCEPTION => Exit::Async(AsyncExit::Exception(self.context().vector as u8)),
            _ => Exit::Async(AsyncExit::Interrupt),
        }
    }

    /// An exit right after ERESUME, before the first instruction: the SSA frame stays as it is but for the cause.
    fn exit_again(&mut self, frame: context::SsaFrame, info: Option<ExitInfo>, detail: ExInfo) -> Exit {
        // SAFETY: the last frame of the TCS.
        unsafe { frame.set_cause(info, detail) };
        match info {
            Some(info) => Exit::Async(AsyncExit::Exception(info.vector)),
            None => Exit::Async(AsyncExit::Interrupt),
        }
    }
}

/// RFLAGS that ERESUME restores: CF, PF, AF, ZF, SF, TF, DF, OF, RF, AC and ID.
const RESUMED_FLAGS: u64 = 0x25_0dd5;
/// RFLAGS that are always set: bit 1, and IF.
const FIXED_FLAGS: u64 = 0x202;
/// Linux's selectors of user code and data (arch/x86/include/asm/segment.h).
const USER_CS: u64 = 0x33;
const USER_SS: u64 = 0x2b;

impl Thread for EmulatedThread<'_> {
    fn enter(&mut self, call_area: u64, reason: EntryReason) -> Exit {
        let context = self.context();
        if context.cssa >= context.nssa {
            return Exit::Refused;
        }
        if reason == EntryReason::Normal {
            // The enclave looks at what is pending after it has been entered.
            context.take_interrupt();
        }
        if let Some(registers) = hostile::registers() {
            return self.enter_hostile(registers, call_area, reason);
        }
        // SAFETY: the calling thread's context of a free TCS.
        let landing = unsafe { crossing::enter(self.context, call_area, reason as u64) };
        self.landed(landing)
    }

    fn resume(&mut self) -> Exit {
        let context = self.context();
        let Some(frame) = context.last_frame() else {
            return Exit::Refused;
        };
        if context.take_interrupt() {
            return self.exit_again(frame, None, ExInfo::default());
        }
        // SAFETY: the last SSA frame of the TCS.
        let registers = unsafe { frame.registers().read_volatile() };
        if registers.rip >= ELRANGE_SIZE {
            const PRESENT_USER_FETCH: u32 = 0x15;
            let info = ExitInfo {
                vector: 14,
                kind: ExitKind::Hardware,
            };
            let detail = ExInfo {
                maddr: registers.rip,
                errcd: PRESENT_USER_FETCH,
            };
            return self.exit_again(frame, Some(info), detail);
        }
        context.iret = [
            registers.rip,
            USER_CS,
            registers.rflags & RESUMED_FLAGS | FIXED_FLAGS,
            registers.rsp,
            USER_SS,
        ];
        context.cssa -= 1;
        // SAFETY: the calling thread's context; IRETQ's frame is complete, the pointers are into the last SSA frame.
        let landing = unsafe { crossing::resume(self.context, frame.registers(), frame.xsave()) };
        if landing.kind == crossing::NOT_RESUMED {
            let context = self.context();
            context.cssa += 1;
            context.take_interrupt();
            return self.exit_again(frame, None, ExInfo::default());
        }
        self.landed(landing)
    }

    fn interrupter(&self) -> Interrupter {
        Interrupter::current()
    }

    fn debugged(&self) -> Option<Debugged> {
        if !self.may_debug {
            return None;
        }
        // SAFETY: as in `context`.
        let context = unsafe { &*self.context };
        let frame = context.last_frame()?;
        // SAFETY: the last SSA frame of the TCS.
        let registers = unsafe { frame.registers().read_volatile() };
        Some(Debugged {
            registers,
            address: context.address,
        })
    }
}

impl Drop for EmulatedThread<'_> {
    fn drop(&mut self) {
        exception::clear_signal_stack();
        self.slot.busy.store(false, Ordering::Release);
    }
}
