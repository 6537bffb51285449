//! Decodes machine code.

use std::ops::Range;

use iced_x86::{Code, Decoder, DecoderOptions, FlowControl, Instruction, Mnemonic, OpKind, Register};

use crate::elf::Image;

/// Decoded instructions of one function (or of the part of it that could be followed), in ascending order.
#[derive(Clone, Debug)]
pub(crate) struct Function {
    pub(crate) instructions: Vec<Instruction>,
    /// Where its computed jumps may go: everything that could be an entry of its jump tables.
    pub(crate) arrivals: Vec<u64>,
    /// Whether control may arrive at any of its instructions: it has a computed jump without a jump table, or
    /// exception tables that cannot be read.
    pub(crate) is_open: bool,
    /// Whether an unwinder finds it by its frame description rather than by its bytes.
    pub(crate) has_frame: bool,
}

impl Function {
    pub(crate) fn new(image: &Image<'_>, instructions: Vec<Instruction>) -> Self {
        // Too many rather than too few: whatever points into code, up to the end of the segment.
        let tables = jump_tables(
            image,
            &instructions,
            |addr| image.code_at(addr).is_some(),
            |_| u64::MAX,
        );
        let computed_jumps = instructions
            .iter()
            .filter(|instruction| is_computed_jump(instruction))
            .count();
        let is_open = computed_jumps > tables.len();
        Self {
            instructions,
            arrivals: tables.concat(),
            is_open,
            has_frame: false,
        }
    }

    /// Decodes a range that is known to hold code from its first byte to its last one. `None` if it does not.
    pub(crate) fn linear(image: &Image<'_>, range: Range<u64>) -> Option<Self> {
        let instructions = decode_all(image, range)?;
        (!instructions.iter().any(Instruction::is_invalid)).then(|| Self::new(image, instructions))
    }
}

/// Decodes from the first byte of a range to its end, whatever it holds.
pub(crate) fn decode_all(image: &Image<'_>, range: Range<u64>) -> Option<Vec<Instruction>> {
    let bytes = image.code_bytes(range.clone())?;
    Some(
        Decoder::with_ip(64, bytes, range.start, DecoderOptions::NONE)
            .into_iter()
            .collect(),
    )
}

/// Where a direct branch or call goes.
pub(crate) fn branch_target(instruction: &Instruction) -> Option<u64> {
    (instruction.op_count() > 0 && instruction.op0_kind() == OpKind::NearBranch64)
        .then(|| instruction.near_branch64())
}

/// An address that an instruction computes or holds: the operand of `lea`, or an immediate of a program at a fixed
/// address.
pub(crate) fn referenced_address(instruction: &Instruction, is_fixed: bool) -> Option<u64> {
    if instruction.mnemonic() == Mnemonic::Lea && instruction.is_ip_rel_memory_operand() {
        return Some(instruction.ip_rel_memory_address());
    }
    if !is_fixed {
        return None;
    }
    (0..instruction.op_count()).find_map(|operand| match instruction.op_kind(operand) {
        OpKind::Immediate32 => Some(u64::from(instruction.immediate32())),
        OpKind::Immediate32to64 => u64::try_from(instruction.immediate32to64()).ok(),
        OpKind::Immediate64 => Some(instruction.immediate64()),
        OpKind::Memory if instruction.memory_displ_size() >= 4 && !instruction.is_ip_rel_memory_operand() => {
            Some(instruction.memory_displacement64())
        }
        _ => None,
    })
}

/// A jump whose target was computed. A jump through a slot at a fixed place (`jmp [rip+x]`: PLT, tail call through
/// the GOT) goes to another function, or to what the pointers in the data say.
pub(crate) fn is_computed_jump(instruction: &Instruction) -> bool {
    instruction.flow_control() == FlowControl::IndirectBranch
        && !instruction.is_ip_rel_memory_operand()
        && !(instruction.op0_kind() == OpKind::Memory
            && instruction.memory_base() == Register::None
            && instruction.memory_index() == Register::None)
}

/// Entries of each jump table that these instructions might use, up to the first one that does not lead inside:
/// tables of 32-bit distances from the table itself (what GCC and LLVM write for position-independent code), and
/// of 64-bit addresses. `end` says where a table that begins at an address ends at the latest.
pub(crate) fn jump_tables(
    image: &Image<'_>,
    instructions: &[Instruction],
    is_inside: impl Fn(u64) -> bool,
    end: impl Fn(u64) -> u64,
) -> Vec<Vec<u64>> {
    if !instructions.iter().any(is_computed_jump) {
        return Vec::new();
    }
    let mut places: Vec<u64> = instructions
        .iter()
        .filter_map(|i| referenced_address(i, image.is_fixed))
        .collect();
    places.sort_unstable();
    places.dedup();
    let table_at = |place: u64| {
        let bytes = image.bytes_from(place)?;
        let len = usize::try_from(end(place).saturating_sub(place))
            .unwrap_or(usize::MAX)
            .min(bytes.len());
        let bytes = bytes.get(..len)?;
        let distances = bytes
            .as_chunks::<4>()
            .0
            .iter()
            .map(|entry| i32::from_le_bytes(*entry));
        let relative = distances.map(|distance| place.wrapping_add_signed(i64::from(distance)));
        let absolute = bytes
            .as_chunks::<8>()
            .0
            .iter()
            .map(|entry| u64::from_le_bytes(*entry));
        let entries: Vec<u64> = relative
            .take_while(|target| is_inside(*target))
            .chain(absolute.take_while(|target| is_inside(*target)))
            .collect();
        (!entries.is_empty()).then_some(entries)
    };
    places.into_iter().filter_map(table_at).collect()
}

/// Whether control never reaches what follows.
pub(crate) fn is_end(instruction: &Instruction) -> bool {
    match instruction.flow_control() {
        FlowControl::Return
        | FlowControl::UnconditionalBranch
        | FlowControl::IndirectBranch
        | FlowControl::Exception
        | FlowControl::Interrupt => true,
        _ => instruction.code() == Code::Hlt,
    }
}

/// What fills the space between functions.
pub(crate) fn is_padding(instruction: &Instruction) -> bool {
    matches!(instruction.mnemonic(), Mnemonic::Nop | Mnemonic::Int3)
}
