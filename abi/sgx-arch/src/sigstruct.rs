//! SIGSTRUCT: the enclave's signature, 1808 bytes (SDM 37.14).

use crate::field::{get, get_u16, get_u32, is_zero, put};
use crate::{Attributes, MiscSelect};

/// Bytes of an RSA-3072 number.
pub const KEY_SIZE: usize = 384;

/// The signature structure. Big numbers are little endian.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SigStruct {
    /// 0x8086 for Intel's own enclaves, else 0.
    pub vendor: u32,
    /// Date of the build, BCD: 0xYYYYMMDD.
    pub date: u32,
    /// For the signer's use.
    pub sw_defined: u32,
    /// The signer's modulus.
    pub modulus: [u8; KEY_SIZE],
    /// RSASSA-PKCS1-v1_5 with SHA-256 over [`SigStruct::signed_bytes`].
    pub signature: [u8; KEY_SIZE],
    /// What an AEX must save, under [`SigStruct::misc_mask`].
    pub misc_select: MiscSelect,
    /// Which bits of MISCSELECT must match.
    pub misc_mask: u32,
    /// What the enclave may do, under [`SigStruct::attributes_mask`].
    pub attributes: Attributes,
    /// Which bits of ATTRIBUTES must match.
    pub attributes_mask: Attributes,
    /// MRENCLAVE (ENCLAVEHASH).
    pub enclave_hash: [u8; 32],
    /// Number of the product.
    pub isv_prod_id: u16,
    /// Security version of the product.
    pub isv_svn: u16,
    /// `signature² / modulus`, rounded down.
    pub q1: [u8; KEY_SIZE],
    /// `(signature³ - q1 · signature · modulus) / modulus`, rounded down.
    pub q2: [u8; KEY_SIZE],
}

/// Why bytes are no SIGSTRUCT.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SigStructError {
    /// It is not 1808 bytes long.
    Length,
    /// HEADER or HEADER2 is not the architecture's constant.
    Header,
    /// EXPONENT is not 3.
    Exponent,
    /// A reserved field is not zero, or one that is not used here (CET, KSS identities) is set.
    Reserved,
}

impl core::fmt::Display for SigStructError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            Self::Length => "a SIGSTRUCT is 1808 bytes long",
            Self::Header => "SIGSTRUCT.HEADER is not the architecture's",
            Self::Exponent => "SIGSTRUCT.EXPONENT is not 3",
            Self::Reserved => "SIGSTRUCT has reserved fields set",
        })
    }
}

impl core::error::Error for SigStructError {}

const HEADER: [u8; 16] = [0x06, 0, 0, 0, 0xe1, 0, 0, 0, 0, 0, 0x01, 0, 0, 0, 0, 0];
const HEADER2: [u8; 16] = [0x01, 0x01, 0, 0, 0x60, 0, 0, 0, 0x60, 0, 0, 0, 0x01, 0, 0, 0];
const EXPONENT: u32 = 3;

/// Offsets of the fields.
mod at {
    pub const VENDOR: usize = 16;
    pub const DATE: usize = 20;
    pub const HEADER2: usize = 24;
    pub const SWDEFINED: usize = 40;
    pub const RESERVED_1: usize = 44;
    pub const MODULUS: usize = 128;
    pub const EXPONENT: usize = 512;
    pub const SIGNATURE: usize = 516;
    pub const MISCSELECT: usize = 900;
    pub const MISCMASK: usize = 904;
    pub const RESERVED_2: usize = 908;
    pub const ATTRIBUTES: usize = 928;
    pub const ATTRIBUTEMASK: usize = 944;
    pub const ENCLAVEHASH: usize = 960;
    pub const RESERVED_3: usize = 992;
    pub const ISVPRODID: usize = 1024;
    pub const ISVSVN: usize = 1026;
    pub const RESERVED_4: usize = 1028;
    pub const Q1: usize = 1040;
    pub const Q2: usize = 1424;
}

impl SigStruct {
    /// Bytes of the structure.
    pub const SIZE: usize = 1808;

    /// Bytes that are signed.
    pub const SIGNED_SIZE: usize = 256;

    /// The structure's bytes.
    pub fn to_bytes(&self) -> [u8; Self::SIZE] {
        let mut bytes = [0; Self::SIZE];
        put(&mut bytes, 0, HEADER);
        put(&mut bytes, at::VENDOR, self.vendor.to_le_bytes());
        put(&mut bytes, at::DATE, self.date.to_le_bytes());
        put(&mut bytes, at::HEADER2, HEADER2);
        put(&mut bytes, at::SWDEFINED, self.sw_defined.to_le_bytes());
        put(&mut bytes, at::MODULUS, self.modulus);
        put(&mut bytes, at::EXPONENT, EXPONENT.to_le_bytes());
        put(&mut bytes, at::SIGNATURE, self.signature);
        put(&mut bytes, at::MISCSELECT, self.misc_select.0.to_le_bytes());
        put(&mut bytes, at::MISCMASK, self.misc_mask.to_le_bytes());
        put(&mut bytes, at::ATTRIBUTES, self.attributes.to_bytes());
        put(&mut bytes, at::ATTRIBUTEMASK, self.attributes_mask.to_bytes());
        put(&mut bytes, at::ENCLAVEHASH, self.enclave_hash);
        put(&mut bytes, at::ISVPRODID, self.isv_prod_id.to_le_bytes());
        put(&mut bytes, at::ISVSVN, self.isv_svn.to_le_bytes());
        put(&mut bytes, at::Q1, self.q1);
        put(&mut bytes, at::Q2, self.q2);
        bytes
    }

    /// From the bytes; whether the signature is good is not looked at.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, SigStructError> {
        if bytes.len() != Self::SIZE {
            return Err(SigStructError::Length);
        }
        if get(bytes, 0) != HEADER || get(bytes, at::HEADER2) != HEADER2 {
            return Err(SigStructError::Header);
        }
        if get_u32(bytes, at::EXPONENT) != EXPONENT {
            return Err(SigStructError::Exponent);
        }
        let reserved = [
            at::RESERVED_1..at::MODULUS,
            at::RESERVED_2..at::ATTRIBUTES,
            at::RESERVED_3..at::ISVPRODID,
            at::RESERVED_4..at::Q1,
        ];
        if !reserved.into_iter().all(|range| is_zero(bytes, range)) {
            return Err(SigStructError::Reserved);
        }
        Ok(Self {
            vendor: get_u32(bytes, at::VENDOR),
            date: get_u32(bytes, at::DATE),
            sw_defined: get_u32(bytes, at::SWDEFINED),
            modulus: get(bytes, at::MODULUS),
            signature: get(bytes, at::SIGNATURE),
            misc_select: MiscSelect(get_u32(bytes, at::MISCSELECT)),
            misc_mask: get_u32(bytes, at::MISCMASK),
            attributes: Attributes::from_bytes(get(bytes, at::ATTRIBUTES)),
            attributes_mask: Attributes::from_bytes(get(bytes, at::ATTRIBUTEMASK)),
            enclave_hash: get(bytes, at::ENCLAVEHASH),
            isv_prod_id: get_u16(bytes, at::ISVPRODID),
            isv_svn: get_u16(bytes, at::ISVSVN),
            q1: get(bytes, at::Q1),
            q2: get(bytes, at::Q2),
        })
    }

    /// What is signed: the header (128 bytes) and the body (128 bytes).
    pub fn signed_bytes(&self) -> [u8; Self::SIGNED_SIZE] {
        let bytes = self.to_bytes();
        let mut signed = [0; Self::SIGNED_SIZE];
        signed[..128].copy_from_slice(&bytes[..at::MODULUS]);
        signed[128..].copy_from_slice(&bytes[at::MISCSELECT..at::RESERVED_4]);
        signed
    }
}

const _: () = assert!(at::Q2 + KEY_SIZE == SigStruct::SIZE);
const _: () = assert!(at::RESERVED_4 - at::MISCSELECT == 128);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Xfrm;

    fn sample() -> SigStruct {
        SigStruct {
            vendor: 0,
            date: 0x2026_0102,
            sw_defined: 7,
            modulus: [1; KEY_SIZE],
            signature: [2; KEY_SIZE],
            misc_select: MiscSelect::EXINFO,
            misc_mask: u32::MAX,
            attributes: Attributes {
                flags: Attributes::MODE64BIT,
                xfrm: Xfrm(7),
            },
            attributes_mask: Attributes {
                flags: !0,
                xfrm: Xfrm(3),
            },
            enclave_hash: [3; 32],
            isv_prod_id: 4,
            isv_svn: 5,
            q1: [6; KEY_SIZE],
            q2: [7; KEY_SIZE],
        }
    }

    #[test]
    fn what_is_written_is_read() {
        let bytes = sample().to_bytes();
        assert_eq!(SigStruct::from_bytes(&bytes), Ok(sample()));
        assert_eq!(SigStruct::from_bytes(&bytes[1..]), Err(SigStructError::Length));
    }

    #[test]
    fn every_constant_and_reserved_byte_is_checked() {
        let bytes = sample().to_bytes();
        for at in (0..16)
            .chain(24..40)
            .chain(44..128)
            .chain(512..516)
            .chain(908..928)
            .chain(992..1024)
        {
            let mut bytes = bytes;
            bytes[at] ^= 0x80;
            assert!(SigStruct::from_bytes(&bytes).is_err(), "byte {at}");
        }
    }

    #[test]
    fn header_and_body_are_signed_and_nothing_else() {
        let signed = sample().signed_bytes();
        let mut changed = sample();
        changed.modulus = [9; KEY_SIZE];
        changed.signature = [9; KEY_SIZE];
        changed.q1 = [9; KEY_SIZE];
        assert_eq!(changed.signed_bytes(), signed);
        changed.isv_svn += 1;
        assert_ne!(changed.signed_bytes(), signed);
    }
}
