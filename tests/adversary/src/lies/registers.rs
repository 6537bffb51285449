//! A host that enters with registers of its choice, and looks at what each exit leaves in them.

use super::{End, Lie, RIGHT, Registers, Tell};

const fn registers(name: &'static str, registers: Registers) -> Lie {
    Lie {
        name,
        guest: "registers",
        tell: Tell::Registers(registers),
        ends: RIGHT,
    }
}

/// State components: x87, SSE, AVX, AVX-512's masks, and both halves of its registers.
const X87: u64 = 1;
const SSE: u64 = 1 << 1;
const AVX: u64 = 1 << 2;
const MASKS: u64 = 1 << 5;
const WIDE: u64 = 0b111 << 5;

/// All exceptions masked, rounding to nearest.
const MXCSR: u32 = 0x1f80;
/// Rounding toward zero, flush to zero, denormals are zero.
const COARSE: u32 = 0xffc0;
/// No exception masked.
const UNMASKED: u32 = 0;
const FCW: u16 = 0x37f;
/// Single precision, rounding up.
const SINGLE: u16 = 0x87f;

pub(super) const LIES: &[Lie] = table! {
    registers("registers/as-they-are", Registers::AsTheyAre),
    registers("registers/initial", Registers::Used(0, MXCSR, FCW)),
    registers("registers/mxcsr", Registers::Used(SSE, COARSE, FCW)),
    registers("registers/mxcsr-unmasked", Registers::Used(SSE, UNMASKED, FCW)),
    registers("registers/x87", Registers::Used(X87, MXCSR, SINGLE)),
    registers("registers/avx", Registers::Used(AVX, MXCSR, FCW)),
    registers("registers/avx-and-mxcsr", Registers::Used(SSE | AVX, COARSE, FCW)),
    registers("registers/masks", Registers::Used(MASKS, COARSE, FCW)),
    registers("registers/avx-512", Registers::Used(WIDE, COARSE, FCW)),
    registers("registers/avx-512-and-x87", Registers::Used(WIDE | X87, UNMASKED, SINGLE)),
    Lie { name: "registers/gs", guest: "gs", tell: Tell::Truth, ends: &[End::Stopped] },
    registers("registers/everything", Registers::Used(u64::MAX, COARSE, SINGLE)),
};
