//! A step: one instruction of a patch, and its form in the stub.

/// What becomes of an original instruction in the stub.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Kind {
    /// Copied as it is; control passes to the next instruction (or does not come back: `hlt`, `ud2`).
    Copy = 0,
    /// Copied as it is; control never passes to the next instruction (`ret`, `jmp rax`).
    CopyEnd = 1,
    /// Never reached (padding behind an end): left out.
    Dead = 2,
    /// The `syscall`: becomes the way into the LibOS.
    Syscall = 3,
    /// Copied, with the RIP-relative displacement in its last four bytes adjusted.
    RipRelative = 4,
    /// The same with an immediate of one byte behind the displacement.
    RipRelativeImm8 = 5,
    /// The same with an immediate of two bytes behind the displacement.
    RipRelativeImm16 = 6,
    /// The same with an immediate of four bytes behind the displacement.
    RipRelativeImm32 = 7,
    /// `jmp rel8` (`eb`) or `jmp rel32` (`e9`): becomes `jmp rel32` to the same target.
    Jump = 8,
    /// `jcc rel8` (`7x`) or `jcc rel32` (`0f 8x`): becomes `jcc rel32` to the same target.
    Branch = 9,
}

impl Kind {
    const ALL: [Self; 10] = [
        Self::Copy,
        Self::CopyEnd,
        Self::Dead,
        Self::Syscall,
        Self::RipRelative,
        Self::RipRelativeImm8,
        Self::RipRelativeImm16,
        Self::RipRelativeImm32,
        Self::Jump,
        Self::Branch,
    ];

    /// Whether control never reaches the instruction behind.
    pub(crate) const fn is_end(self) -> bool {
        matches!(self, Self::CopyEnd | Self::Jump)
    }

    /// Bytes behind the displacement, if it is one of the RIP-relative kinds.
    pub(crate) const fn immediate_len(self) -> Option<usize> {
        match self {
            Self::RipRelative => Some(0),
            Self::RipRelativeImm8 => Some(1),
            Self::RipRelativeImm16 => Some(2),
            Self::RipRelativeImm32 => Some(4),
            _ => None,
        }
    }
}

/// One original instruction and what becomes of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step<'a> {
    /// What becomes of it.
    pub kind: Kind,
    /// The instruction as it is in the file, 1 to 15 bytes.
    pub bytes: &'a [u8],
}

impl<'a> Step<'a> {
    /// The kind in the upper four bits and the length in the lower four, as the map stores them.
    pub(crate) fn tag(self) -> u8 {
        // Lengths are at most 15: `Patch` has checked, or will refuse what is read back.
        (self.kind as u8) << 4 | (self.bytes.len().min(15) as u8)
    }

    /// The kind and length of a tag.
    pub(crate) fn from_tag(tag: u8) -> Option<(Kind, usize)> {
        let kind = *Kind::ALL.get(usize::from(tag >> 4))?;
        let len = usize::from(tag & 15);
        (len != 0).then_some((kind, len))
    }

    /// Whether the bytes are what the kind says, as far as can be told without a disassembler.
    pub(crate) fn is_consistent(self) -> bool {
        let plausible = match (self.kind, self.bytes) {
            (Kind::Syscall, bytes) => bytes == [0x0f, 0x05],
            (Kind::Jump, [0xeb, _] | [0xe9, _, _, _, _]) => true,
            (Kind::Jump, _) => false,
            (Kind::Branch, [0x70..=0x7f, _] | [0x0f, 0x80..=0x8f, _, _, _, _]) => true,
            (Kind::Branch, _) => false,
            (kind, bytes) => match kind.immediate_len() {
                // Opcode, ModRM, disp32, immediate.
                Some(immediate) => bytes.len() >= 6 + immediate,
                None => true,
            },
        };
        plausible && !self.bytes.is_empty() && self.bytes.len() <= 15
    }

    /// Where a [`Kind::Jump`] or [`Kind::Branch`] goes, relative to its own end, in bytes.
    pub(crate) fn branch_displacement(self) -> Option<i32> {
        match *self.bytes {
            [0xeb | 0x70..=0x7f, rel8] => Some(i32::from(rel8 as i8)),
            [0xe9, a, b, c, d] | [0x0f, 0x80..=0x8f, a, b, c, d] => Some(i32::from_le_bytes([a, b, c, d])),
            _ => None,
        }
    }

    /// Where it goes if it is a [`Kind::Jump`] or [`Kind::Branch`] that ends at `end`: an offset from the site, as
    /// `end` is.
    pub(crate) fn branch_target(self, end: usize) -> Option<i64> {
        match self.kind {
            Kind::Jump | Kind::Branch => Some(end as i64 + i64::from(self.branch_displacement()?)),
            _ => None,
        }
    }

    /// The low four bits of the opcode of a [`Kind::Branch`]: its condition.
    pub(crate) fn condition(self) -> u8 {
        match *self.bytes {
            [0x0f, opcode, ..] | [opcode, ..] => opcode & 15,
            [] => 0,
        }
    }

    /// Bytes that the instruction takes in the stub.
    pub(crate) fn stub_len(self) -> usize {
        match self.kind {
            Kind::Dead => 0,
            Kind::Syscall => crate::stub::ENTRY_LEN,
            Kind::Jump => 5,
            Kind::Branch => 6,
            _ => self.bytes.len(),
        }
    }
}
