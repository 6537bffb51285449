//! ENCLU leaves in full: for sites that are not patched, and for what the fast path does not handle.

use sgx_arch::{Enclu, ErrorCode, KeyRequest, PAGE_SIZE, Report, ReportBody, SecInfo, Secs, TargetInfo};

use super::address_space;
use super::epcm::{Epcm, LeafFault};
use super::simulated_processor::SimulatedProcessor;

/// Who executes a leaf, and on what.
#[derive(Debug)]
pub(super) struct Identity {
    pub(super) secs: Secs,
    pub(super) processor: SimulatedProcessor,
}

/// The instruction's bytes.
pub(super) const ENCLU: [u8; 3] = [0x0f, 0x01, 0xd7];

/// The operands of a leaf.
#[derive(Clone, Copy, Debug)]
pub(super) struct Operands {
    pub(super) rax: u64,
    pub(super) rbx: u64,
    pub(super) rcx: u64,
    pub(super) rdx: u64,
}

/// What a leaf does to the thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// EEXIT: goes on at this address.
    Leave(u64),
    /// Goes on behind the instruction, RAX and the status flags unchanged.
    Done,
    /// Goes on behind the instruction with the result in RAX and ZF.
    Result(Result<(), ErrorCode>),
    /// Raises an exception at the instruction.
    Fault(LeafFault),
}

/// Does one leaf.
///
/// # Safety
/// The calling thread is one that the enclave runs on: its pages are mapped as the EPCM says.
pub(super) unsafe fn execute(epcm: Epcm, identity: &Identity, operands: Operands) -> Outcome {
    let Operands { rax, rbx, rcx, rdx } = operands;
    match Enclu::from_raw(rax as u32) {
        Some(Enclu::EReport) => {
            report(epcm, identity, rbx, rcx, rdx).map_or_else(Outcome::Fault, |()| Outcome::Done)
        }
        Some(Enclu::EGetKey) => key(epcm, identity, rbx, rcx).map_or_else(Outcome::Fault, Outcome::Result),
        Some(Enclu::EExit) => Outcome::Leave(rbx),
        Some(Enclu::EAccept) => {
            // SAFETY: the caller's promise.
            let accepted = unsafe { sec_info(epcm, rbx) }.and_then(|info| epcm.accept(rcx, info));
            accepted.map_or_else(Outcome::Fault, Outcome::Result)
        }
        Some(Enclu::EModPe) => {
            // SAFETY: the caller's promise.
            let extended = unsafe { sec_info(epcm, rbx) }.and_then(|info| epcm.extend(rcx, info));
            extended.map_or_else(Outcome::Fault, |()| Outcome::Done)
        }
        Some(Enclu::EAcceptCopy) => {
            // SAFETY: the caller's promise.
            let info = unsafe { sec_info(epcm, rbx) };
            let copied = info.and_then(|info| accept_copy(epcm, info, rcx, rdx));
            copied.map_or_else(Outcome::Fault, Outcome::Result)
        }
        _ => Outcome::Fault(LeafFault::Protection),
    }
}

/// Reads the SECINFO at `address`.
///
/// # Safety
/// As [`execute`].
unsafe fn sec_info(epcm: Epcm, address: u64) -> Result<SecInfo, LeafFault> {
    if !address.is_multiple_of(SecInfo::SIZE as u64) {
        return Err(LeafFault::Protection);
    }
    if !epcm.allows(address, SecInfo::R) {
        return Err(LeafFault::Page(address));
    }
    let pointer = std::ptr::with_exposed_provenance::<[u8; SecInfo::SIZE]>(address as usize);
    // SAFETY: within one page that the enclave may read; plain bytes.
    let bytes = unsafe { pointer.read_volatile() };
    SecInfo::from_bytes(bytes).map_err(|_| LeafFault::Protection)
}

/// EREPORT: `target` and `data` are read, `output` is written.
fn report(epcm: Epcm, identity: &Identity, target: u64, data: u64, output: u64) -> Result<(), LeafFault> {
    let target: [u8; TargetInfo::SIZE] = input(epcm, target, TargetInfo::SIZE)?;
    let target = TargetInfo::from_bytes(&target).map_err(|_| LeafFault::Protection)?;
    let data = input(epcm, data, ReportBody::DATA_ALIGNMENT)?;
    require(epcm, output, Report::ALIGNMENT, SecInfo::W)?;
    let report = identity.processor.report(&identity.secs, &target, data);
    write(output, &report.to_bytes())
}

/// EGETKEY: `request` is read, `output` is written unless there is an error code.
fn key(
    epcm: Epcm,
    identity: &Identity,
    request: u64,
    output: u64,
) -> Result<Result<(), ErrorCode>, LeafFault> {
    let request: [u8; KeyRequest::SIZE] = input(epcm, request, KeyRequest::SIZE)?;
    require(epcm, output, KeyRequest::KEY_SIZE, SecInfo::W)?;
    let request = KeyRequest::from_bytes(&request).map_err(|_| LeafFault::Protection)?;
    let key = identity.processor.key(&identity.secs, &request);
    match key.map_err(|_| LeafFault::Protection)? {
        Ok(key) => write(output, &*key).map(Ok),
        Err(code) => Ok(Err(code)),
    }
}

/// Checks an operand in memory: its alignment, which keeps it within one page; then that it lies in the enclave, in a page
/// that allows the access.
fn require(epcm: Epcm, address: u64, alignment: usize, access: u64) -> Result<(), LeafFault> {
    if !address.is_multiple_of(alignment as u64) || address >= enclave_layout::ELRANGE_SIZE {
        return Err(LeafFault::Protection);
    }
    if !epcm.allows(address, access) {
        return Err(LeafFault::Page(address));
    }
    Ok(())
}

/// Reads an operand of at most its alignment. Like what is written, it is not held against the host's page tables.
fn input<const N: usize>(epcm: Epcm, address: u64, alignment: usize) -> Result<[u8; N], LeafFault> {
    const { assert!(N <= PAGE_SIZE as usize) };
    require(epcm, address, alignment, SecInfo::R)?;
    address_space::read(address).ok_or(LeafFault::Page(address))
}

fn write(address: u64, bytes: &[u8]) -> Result<(), LeafFault> {
    if address_space::write(address, bytes) {
        Ok(())
    } else {
        Err(LeafFault::Page(address))
    }
}

/// EACCEPTCOPY: fills a pending page with a copy of another one.
fn accept_copy(epcm: Epcm, info: SecInfo, to: u64, from: u64) -> Result<Result<(), ErrorCode>, LeafFault> {
    let plain = info.page_type() == sgx_arch::PageType::Reg && info.state() == 0;
    if !plain || !to.is_multiple_of(PAGE_SIZE) || !from.is_multiple_of(PAGE_SIZE) {
        return Err(LeafFault::Protection);
    }
    if !epcm.allows(from, SecInfo::R) {
        return Err(LeafFault::Page(from));
    }
    if !epcm.is_pending(to) {
        return Ok(Err(ErrorCode::PageAttributesMismatch));
    }
    if !address_space::copy_page(to, from) {
        return Err(LeafFault::Page(from));
    }
    epcm.complete_copy(to, info)
}
