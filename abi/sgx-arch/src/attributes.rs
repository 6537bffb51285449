//! ATTRIBUTES, XFRM and MISCSELECT: what an enclave may do, and the processor state that it uses (SDM 37.7.1 and 37.7.2).

use crate::field::{get_u64, put};

/// ATTRIBUTES: 16 bytes, flags and XFRM.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Attributes {
    /// Flags, such as [`Attributes::DEBUG`].
    pub flags: u64,
    /// Which XSAVE state components the enclave uses.
    pub xfrm: Xfrm,
}

impl Attributes {
    /// Set by EINIT; never in a SIGSTRUCT or at ECREATE.
    pub const INIT: u64 = 1 << 0;
    /// A debugger may read and write the enclave.
    pub const DEBUG: u64 = 1 << 1;
    /// The enclave runs in 64-bit mode.
    pub const MODE64BIT: u64 = 1 << 2;
    /// The provisioning key is available.
    pub const PROVISIONKEY: u64 = 1 << 4;
    /// The key for EINIT tokens is available.
    pub const EINITTOKEN_KEY: u64 = 1 << 5;
    /// Key separation and sharing.
    pub const KSS: u64 = 1 << 7;

    /// Bytes of the structure.
    pub const SIZE: usize = 16;

    /// The bytes.
    pub fn to_bytes(self) -> [u8; Self::SIZE] {
        let mut bytes = [0; Self::SIZE];
        put(&mut bytes, 0, self.flags.to_le_bytes());
        put(&mut bytes, 8, self.xfrm.0.to_le_bytes());
        bytes
    }

    /// From the bytes; every value is one.
    pub fn from_bytes(bytes: [u8; Self::SIZE]) -> Self {
        Self {
            flags: get_u64(&bytes, 0),
            xfrm: Xfrm(get_u64(&bytes, 8)),
        }
    }

    /// The bits that `mask` selects.
    pub const fn masked(self, mask: Self) -> Self {
        Self {
            flags: self.flags & mask.flags,
            xfrm: Xfrm(self.xfrm.0 & mask.xfrm.0),
        }
    }
}

/// XFRM: the value of XCR0 in the enclave, which is also the set of components that an AEX saves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Xfrm(pub u64);

impl Xfrm {
    /// x87 and SSE: every enclave has them.
    pub const LEGACY: Self = Self(0x3);
    /// The upper halves of YMM registers.
    pub const AVX: u64 = 1 << 2;
    /// Opmask and the upper parts of ZMM registers.
    pub const AVX512: u64 = 0b111 << 5;
    /// Protection keys for user pages.
    pub const PKRU: u64 = 1 << 9;

    /// Whether the architecture allows it: x87 and SSE always, AVX-512 with AVX only.
    pub const fn is_legal(self) -> bool {
        let legacy = self.0 & 3 == 3;
        let avx512 = self.0 & Self::AVX512;
        legacy && (avx512 == 0 || avx512 == Self::AVX512 && self.0 & Self::AVX != 0)
    }

    /// How many components there can be.
    pub const BITS: u32 = u64::BITS;

    /// Bytes of the XSAVE image in an SSA frame, in standard form, on the processors where it is largest: Intel's,
    /// which leave room for MPX between AVX and AVX-512 (SDM volume 1, 13.4.3); AMD's do not.
    pub const fn image_size(self) -> usize {
        match self.0 {
            bits if bits & Self::PKRU != 0 => 2696,
            bits if bits & Self::AVX512 != 0 => 2688,
            bits if bits & 0x18 != 0 => 1088,
            bits if bits & Self::AVX != 0 => 832,
            _ => 576,
        }
    }
}

/// MISCSELECT: what an AEX saves besides (SDM 37.7.3).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MiscSelect(pub u32);

impl MiscSelect {
    /// The address and error code of #PF and #GP are reported to the enclave ([`crate::ExInfo`]).
    pub const EXINFO: Self = Self(1);

    /// Whether EXINFO is selected.
    pub const fn has_exinfo(self) -> bool {
        self.0 & 1 != 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn avx512_needs_avx_and_everything_needs_sse() {
        assert!(Xfrm::LEGACY.is_legal());
        assert!(Xfrm(0xe7).is_legal());
        assert!(!Xfrm(0xe3).is_legal());
        assert!(!Xfrm(0x27).is_legal());
        assert!(!Xfrm(0x1).is_legal());
    }

    #[test]
    fn images_have_the_sizes_of_cpuid() {
        assert_eq!(Xfrm(3).image_size(), 576);
        assert_eq!(Xfrm(7).image_size(), 832);
        assert_eq!(Xfrm(0xe7).image_size(), 2688);
        assert_eq!(Xfrm(0x2e7).image_size(), 2696);
    }
}
