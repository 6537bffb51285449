//! Stubs: their layout and their machine code.

use enclave_layout::GS_SYSCALL_ENTRY;

use crate::{Kind, Patch, Step};

/// Bytes of every stub. One size, so that the stub of the n-th patch is found without a table.
pub const STUB_SIZE: usize = 32;

/// Bytes of the jump that overwrites the beginning of a site: `jmp rel32`.
pub const JUMP_LEN: usize = 5;

/// `lea rcx, [rip + rel32]`: the next RIP, where the `syscall` instruction leaves it.
const LEA_RCX_RIP: [u8; 3] = [0x48, 0x8d, 0x0d];
const LEA_LEN: usize = LEA_RCX_RIP.len() + 4;
/// `jmp gs:[disp32]`: into the LibOS.
const JMP_GS: [u8; 4] = [0x65, 0xff, 0x24, 0x25];
const JMP_GS_LEN: usize = JMP_GS.len() + 4;
const JMP_REL32: u8 = 0xe9;
const INT3: u8 = 0xcc;

/// Bytes of the way into the LibOS.
pub(crate) const ENTRY_LEN: usize = LEA_LEN + JMP_GS_LEN;

/// Something that a stub refers to is further away than a 32-bit displacement reaches. The site stays as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OutOfReach;

impl core::fmt::Display for OutOfReach {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("the stub is further than 2 GiB from what it refers to")
    }
}

impl core::error::Error for OutOfReach {}

/// A step with its place: `at` in the stub, `original` in the run.
pub(crate) struct Placed<'a> {
    pub(crate) step: Step<'a>,
    pub(crate) at: usize,
    pub(crate) original: usize,
}

/// The steps with their places.
pub(crate) fn layout<'a>(patch: Patch<'a>) -> impl Iterator<Item = Placed<'a>> {
    patch.steps().scan((0, 0), |(at, original), step| {
        let placed = Placed {
            step,
            at: *at,
            original: *original,
        };
        *at += step.stub_len();
        *original += step.bytes.len();
        Some(placed)
    })
}

/// Bytes of the jump back to what follows the run, if control gets there through the stub: not if the run ends
/// with the `syscall` (the LibOS then goes on behind it) or with an end.
pub(crate) fn tail_len(patch: Patch<'_>) -> usize {
    let last = patch.steps().last().map(|step| step.kind);
    match last {
        Some(Kind::Syscall | Kind::CopyEnd | Kind::Jump | Kind::Dead) | None => 0,
        Some(_) => JUMP_LEN,
    }
}

/// `jmp rel32` at `from`, to `to`.
pub(crate) fn jump(from: u64, to: u64) -> Result<[u8; JUMP_LEN], OutOfReach> {
    let [a, b, c, d] = displacement(from, JUMP_LEN, to)?;
    Ok([JMP_REL32, a, b, c, d])
}

/// The 32-bit displacement in an instruction at `from`, `len` bytes long, that refers to `to`.
fn displacement(from: u64, len: usize, to: u64) -> Result<[u8; 4], OutOfReach> {
    let distance = to.wrapping_sub(from.wrapping_add(len as u64)) as i64;
    i32::try_from(distance)
        .map(i32::to_le_bytes)
        .map_err(|_| OutOfReach)
}

pub(crate) fn emit(
    patch: Patch<'_>,
    stub_addr: u64,
    site_addr: u64,
    out: &mut [u8; STUB_SIZE],
) -> Result<(), OutOfReach> {
    out.fill(INT3);
    let run_end = site_addr.wrapping_add(patch.original().len() as u64);
    let has_more = patch
        .steps()
        .last()
        .is_some_and(|step| step.kind != Kind::Syscall);
    let mut writer = Writer {
        rest: out,
        addr: stub_addr,
    };
    for Placed { step, original, .. } in layout(patch) {
        let original_end = site_addr.wrapping_add((original + step.bytes.len()) as u64);
        match step.kind {
            Kind::Copy | Kind::CopyEnd => writer.bytes(step.bytes)?,
            Kind::Dead => {}
            Kind::Syscall => {
                // Behind the way in: the rest of the run; or, with none, what follows in the program.
                let behind = writer.addr.wrapping_add(ENTRY_LEN as u64);
                let continuation = if has_more { behind } else { original_end };
                let rel32 = displacement(writer.addr, LEA_LEN, continuation)?;
                writer.bytes(&LEA_RCX_RIP)?;
                writer.bytes(&rel32)?;
                writer.bytes(&JMP_GS)?;
                writer.bytes(&GS_SYSCALL_ENTRY.to_le_bytes())?;
            }
            Kind::RipRelative | Kind::RipRelativeImm8 | Kind::RipRelativeImm16 | Kind::RipRelativeImm32 => {
                let (head, old, immediate) = split_displacement(step).ok_or(OutOfReach)?;
                let target = original_end.wrapping_add_signed(i64::from(old));
                let rel32 = displacement(writer.addr, step.bytes.len(), target)?;
                writer.bytes(head)?;
                writer.bytes(&rel32)?;
                writer.bytes(immediate)?;
            }
            Kind::Jump | Kind::Branch => {
                let old = step.branch_displacement().ok_or(OutOfReach)?;
                let target = original_end.wrapping_add_signed(i64::from(old));
                let rel32 = displacement(writer.addr, step.stub_len(), target)?;
                match step.kind {
                    Kind::Jump => writer.bytes(&[JMP_REL32])?,
                    _ => writer.bytes(&[0x0f, 0x80 | step.condition()])?,
                }
                writer.bytes(&rel32)?;
            }
        }
    }
    if tail_len(patch) != 0 {
        let back = jump(writer.addr, run_end)?;
        writer.bytes(&back)?;
    }
    Ok(())
}

/// An instruction cut into what precedes its displacement, the displacement, and the immediate behind it.
fn split_displacement(step: Step<'_>) -> Option<(&[u8], i32, &[u8])> {
    let at = step.bytes.len().checked_sub(4 + step.kind.immediate_len()?)?;
    let (head, rest) = step.bytes.split_at_checked(at)?;
    let (displacement, immediate) = rest.split_first_chunk::<4>()?;
    Some((head, i32::from_le_bytes(*displacement), immediate))
}

/// Writes the stub from its beginning, and knows the address that it has reached.
struct Writer<'a> {
    rest: &'a mut [u8],
    addr: u64,
}

impl Writer<'_> {
    /// `Patch::new` has checked that a stub holds its steps; a longer one would be refused here as out of reach.
    fn bytes(&mut self, bytes: &[u8]) -> Result<(), OutOfReach> {
        let rest = core::mem::take(&mut self.rest);
        let (place, rest) = rest.split_at_mut_checked(bytes.len()).ok_or(OutOfReach)?;
        place.copy_from_slice(bytes);
        self.rest = rest;
        self.addr = self.addr.wrapping_add(bytes.len() as u64);
        Ok(())
    }
}
