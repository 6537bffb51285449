//! KEYREQUEST: the request for a key that EGETKEY derives (SDM 37.18).

use crate::field::{get, get_u16, get_u32, is_zero, put};
use crate::{Attributes, Malformed};

/// KEYREQUEST, 512 bytes and 512-byte aligned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyRequest {
    /// Which kind of key.
    pub name: KeyName,
    /// What of the enclave's identity the key depends on.
    pub policy: KeyPolicy,
    /// Security version of the product; at most the enclave's.
    pub isv_svn: u16,
    /// Security versions of the processor; at most its own.
    pub cpu_svn: [u8; 16],
    /// Which of the enclave's attributes the key depends on; INIT and DEBUG always count.
    pub attributes_mask: Attributes,
    /// Makes different keys of one kind.
    pub key_id: [u8; 32],
    /// Which bits of MISCSELECT the key depends on.
    pub misc_mask: u32,
    /// Security version of the configuration; zero without ATTRIBUTES.KSS.
    pub config_svn: u16,
}

/// KEYNAME: the kind of a key. Other values than these are for EGETKEY to refuse.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyName(pub u16);

impl KeyName {
    /// Makes EINIT tokens.
    pub const EINITTOKEN: Self = Self(0);
    /// Proves to Intel which processor this is.
    pub const PROVISION: Self = Self(1);
    /// Seals what belongs to provisioning.
    pub const PROVISION_SEAL: Self = Self(2);
    /// Checks reports that target the enclave.
    pub const REPORT: Self = Self(3);
    /// Seals the enclave's own data.
    pub const SEAL: Self = Self(4);
}

/// KEYPOLICY: what of the enclave's identity a sealing key depends on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct KeyPolicy(u16);

impl KeyPolicy {
    /// The enclave itself.
    pub const MRENCLAVE: Self = Self(1 << 0);
    /// Its signer.
    pub const MRSIGNER: Self = Self(1 << 1);
    /// Not on the number of the product (KSS).
    pub const NOISVPRODID: Self = Self(1 << 2);
    /// Its configuration and that one's version (KSS).
    pub const CONFIGID: Self = Self(1 << 3);
    /// The family of the product (KSS).
    pub const ISVFAMILYID: Self = Self(1 << 4);
    /// The extended number of the product (KSS).
    pub const ISVEXTPRODID: Self = Self(1 << 5);

    const KSS: u16 = Self::NOISVPRODID.0 | Self::CONFIGID.0 | Self::ISVFAMILYID.0 | Self::ISVEXTPRODID.0;
    const ALL: u16 = Self::MRENCLAVE.0 | Self::MRSIGNER.0 | Self::KSS;

    /// From the bits; refuses reserved ones.
    pub const fn from_bits(bits: u16) -> Result<Self, Malformed> {
        if bits & !Self::ALL != 0 {
            return Err(Malformed("KEYREQUEST.KEYPOLICY has reserved bits set"));
        }
        Ok(Self(bits))
    }

    /// The bits.
    pub const fn bits(self) -> u16 {
        self.0
    }

    /// Both policies.
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether all of `other` is chosen.
    pub const fn has(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Whether anything is chosen that only an enclave with ATTRIBUTES.KSS may choose.
    pub const fn needs_kss(self) -> bool {
        self.0 & Self::KSS != 0
    }
}

/// Offsets of the fields.
mod at {
    pub const KEYNAME: usize = 0;
    pub const KEYPOLICY: usize = 2;
    pub const ISVSVN: usize = 4;
    pub const RESERVED_1: usize = 6;
    pub const CPUSVN: usize = 8;
    pub const ATTRIBUTEMASK: usize = 24;
    pub const KEYID: usize = 40;
    pub const MISCMASK: usize = 72;
    pub const CONFIGSVN: usize = 76;
    pub const RESERVED_2: usize = 78;
}

impl KeyRequest {
    /// Bytes of the structure, and its alignment in memory.
    pub const SIZE: usize = 512;

    /// Bytes of a key, and its alignment in memory.
    pub const KEY_SIZE: usize = 16;

    /// The bytes.
    pub fn to_bytes(&self) -> [u8; Self::SIZE] {
        let mut bytes = [0; Self::SIZE];
        put(&mut bytes, at::KEYNAME, self.name.0.to_le_bytes());
        put(&mut bytes, at::KEYPOLICY, self.policy.0.to_le_bytes());
        put(&mut bytes, at::ISVSVN, self.isv_svn.to_le_bytes());
        put(&mut bytes, at::CPUSVN, self.cpu_svn);
        put(&mut bytes, at::ATTRIBUTEMASK, self.attributes_mask.to_bytes());
        put(&mut bytes, at::KEYID, self.key_id);
        put(&mut bytes, at::MISCMASK, self.misc_mask.to_le_bytes());
        put(&mut bytes, at::CONFIGSVN, self.config_svn.to_le_bytes());
        bytes
    }

    /// From the bytes.
    pub fn from_bytes(bytes: &[u8; Self::SIZE]) -> Result<Self, Malformed> {
        let reserved = [at::RESERVED_1..at::CPUSVN, at::RESERVED_2..Self::SIZE];
        if !reserved.into_iter().all(|range| is_zero(bytes, range)) {
            return Err(Malformed("KEYREQUEST has reserved bytes set"));
        }
        Ok(Self {
            name: KeyName(get_u16(bytes, at::KEYNAME)),
            policy: KeyPolicy::from_bits(get_u16(bytes, at::KEYPOLICY))?,
            isv_svn: get_u16(bytes, at::ISVSVN),
            cpu_svn: get(bytes, at::CPUSVN),
            attributes_mask: Attributes::from_bytes(get(bytes, at::ATTRIBUTEMASK)),
            key_id: get(bytes, at::KEYID),
            misc_mask: get_u32(bytes, at::MISCMASK),
            config_svn: get_u16(bytes, at::CONFIGSVN),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_is_a_field_or_reserved() {
        let reserved = |at| (6..8).contains(&at) || at >= 78;
        let mut request: [u8; KeyRequest::SIZE] =
            core::array::from_fn(|at| if reserved(at) { 0 } else { (at % 251) as u8 | 1 });
        request[2..4].copy_from_slice(&[0x3f, 0]);
        assert_eq!(KeyRequest::from_bytes(&request).unwrap().to_bytes(), request);
        for at in (0..KeyRequest::SIZE).filter(|&at| reserved(at)) {
            let mut request = request;
            request[at] = 1;
            assert!(KeyRequest::from_bytes(&request).is_err(), "byte {at}");
        }
        for bit in 6..16 {
            let mut request = request;
            request[2 + bit / 8] |= 1 << (bit % 8);
            assert!(KeyRequest::from_bytes(&request).is_err(), "policy bit {bit}");
        }
    }
}
