//! SECS: the enclave's control structure, one page (SDM 37.7).

use crate::field::put;
use crate::{Attributes, MiscSelect};

/// The fields of SECS that the one who creates an enclave chooses, and those that EINIT fills in. The enclave
/// starts with MRENCLAVE and MRSIGNER zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Secs {
    /// Size of ELRANGE in bytes, a power of two.
    pub size: u64,
    /// First address of ELRANGE, a multiple of `size`.
    pub base: u64,
    /// Pages of an SSA frame.
    pub ssa_frame_pages: u32,
    /// What an AEX saves besides the registers.
    pub misc_select: MiscSelect,
    /// What the enclave may do.
    pub attributes: Attributes,
    /// Measurement of the enclave's content.
    pub mr_enclave: [u8; 32],
    /// SHA-256 of the signer's modulus.
    pub mr_signer: [u8; 32],
    /// Number of the product, from SIGSTRUCT.
    pub isv_prod_id: u16,
    /// Security version of the product, from SIGSTRUCT.
    pub isv_svn: u16,
}

impl Secs {
    /// An enclave that has not been measured yet.
    pub const fn new(
        base: u64,
        size: u64,
        ssa_frame_pages: u32,
        misc: MiscSelect,
        attrs: Attributes,
    ) -> Self {
        Self {
            size,
            base,
            ssa_frame_pages,
            misc_select: misc,
            attributes: attrs,
            mr_enclave: [0; 32],
            mr_signer: [0; 32],
            isv_prod_id: 0,
            isv_svn: 0,
        }
    }

    /// Bytes of the structure: a page.
    pub const SIZE: usize = 4096;

    /// The structure as ECREATE reads it (the rest of the page is zero).
    pub fn to_bytes(&self) -> [u8; Self::SIZE] {
        let mut bytes = [0; Self::SIZE];
        put(&mut bytes, 0, self.size.to_le_bytes());
        put(&mut bytes, 8, self.base.to_le_bytes());
        put(&mut bytes, 16, self.ssa_frame_pages.to_le_bytes());
        put(&mut bytes, 20, self.misc_select.0.to_le_bytes());
        put(&mut bytes, 48, self.attributes.to_bytes());
        put(&mut bytes, 64, self.mr_enclave);
        put(&mut bytes, 128, self.mr_signer);
        put(&mut bytes, 256, self.isv_prod_id.to_le_bytes());
        put(&mut bytes, 258, self.isv_svn.to_le_bytes());
        bytes
    }
}
