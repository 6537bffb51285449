//! Where the state components lie in an XSAVE image: facts that the processor shows, since CPUID is the host's word.

use core::arch::asm;

use crate::processor;
use crate::vector_state::MAX_XSAVE_SIZE;

/// A state component in an XSAVE image in standard form (SDM vol. 1, 13.4.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StateComponent {
    /// Its bit in XCR0.
    pub number: u32,
    /// Bytes from the beginning of the image.
    pub offset: u32,
    /// Bytes.
    pub size: u32,
}

/// The components behind the legacy area, as one vendor lays them out.
type Layout = [StateComponent; 4];

const fn layout(masks: u32, zmm_high: u32, high_zmm: u32) -> Layout {
    const fn component(number: u32, offset: u32, size: u32) -> StateComponent {
        StateComponent { number, offset, size }
    }
    [
        component(2, 576, 256),
        component(5, masks, 64),
        component(6, zmm_high, 512),
        component(7, high_zmm, 1024),
    ]
}

/// Intel's processors leave room for MPX in front of AVX-512.
const INTEL: Layout = layout(1088, 1152, 1664);
/// AMD's do not.
const AMD: Layout = layout(832, 896, 1408);

/// The bit of the opmask registers in XCR0.
const MASKS: u64 = 1 << 5;

/// The components that the enclave has beside x87 and SSE. `None` for a processor that lays them out as nobody is known to.
pub fn all() -> Option<impl Iterator<Item = StateComponent> + Clone> {
    let components = processor::components();
    let layout = match components & MASKS {
        0 => INTEL,
        _ => known_layout(&image_of_a_mask())?,
    };
    Some(
        layout
            .into_iter()
            .filter(move |component| components >> component.number & 1 != 0),
    )
}

/// What the mask register of the image holds.
const MARK: u64 = 0x5aa5;
/// Where K1 lies in its component.
const K1: usize = 8;

fn known_layout(image: &Image) -> Option<Layout> {
    let has_mark = |layout: &Layout| {
        let at = layout.iter().find(|component| 1 << component.number == MASKS)?;
        let start = usize::try_from(at.offset).ok()?.checked_add(K1)?;
        let word = image.0.get(start..)?.first_chunk()?;
        (u64::from_le_bytes(*word) == MARK).then_some(*layout)
    };
    [INTEL, AMD].iter().find_map(has_mark)
}

#[repr(C, align(64))]
struct Image([u8; MAX_XSAVE_SIZE]);

/// An image with nothing but a mask register in it.
fn image_of_a_mask() -> Image {
    let mut image = Image([0; MAX_XSAVE_SIZE]);
    // SAFETY: the processor has mask registers, which neither the compiler nor the LibOS uses; K1 is in its initial state again
    // afterwards. The image is aligned, large enough and ours.
    unsafe {
        asm!(
            "kmovw k1, {mark:e}",
            "xsave64 [{image}]",
            "kxorw k1, k1, k1",
            mark = in(reg) MARK as u32,
            image = in(reg) &raw mut image,
            in("eax") MASKS as u32,
            in("edx") 0,
            out("k1") _,
            options(nostack, preserves_flags),
        );
    }
    image
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::arch::x86_64::__cpuid_count;

    #[test]
    fn the_layout_is_what_this_machine_tells() {
        for component in all().expect("a known layout") {
            let told = __cpuid_count(0xd, component.number);
            assert_eq!([told.eax, told.ebx], [component.size, component.offset]);
        }
    }

    #[test]
    fn an_unknown_layout_is_none() {
        assert_eq!(known_layout(&Image([0; MAX_XSAVE_SIZE])), None);
    }
}
