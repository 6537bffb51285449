//! REPORT and TARGETINFO: what an enclave is, for another enclave on the same machine (SDM 37.16 and 37.17).

use crate::field::{get, get_u16, get_u32, is_zero, put};
use crate::{Attributes, Malformed, MiscSelect};

/// REPORT, 432 bytes: a body that the processor authenticates for one target. In memory it is 512-byte aligned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Report {
    /// What is reported.
    pub body: ReportBody,
    /// Wear-out protection of the report key (KEYID): the target derives its key with it.
    pub key_id: [u8; 32],
    /// AES-128-CMAC over the body's bytes with the target's report key.
    pub mac: [u8; 16],
}

/// REPORTBODY: the first 384 bytes of a REPORT, which its MAC covers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReportBody {
    /// Security versions of processor and microcode.
    pub cpu_svn: [u8; 16],
    /// What an AEX of the enclave saves besides the registers.
    pub misc_select: MiscSelect,
    /// What the enclave does with control-flow enforcement; zero without ATTRIBUTES.CET.
    pub cet_attributes: u8,
    /// Extended product number; zero without ATTRIBUTES.KSS.
    pub isv_ext_prod_id: [u8; 16],
    /// What the enclave may do.
    pub attributes: Attributes,
    /// Measurement of the enclave.
    pub mr_enclave: [u8; 32],
    /// SHA-256 of the signer's modulus.
    pub mr_signer: [u8; 32],
    /// Configuration named at ECREATE; zero without ATTRIBUTES.KSS.
    pub config_id: [u8; 64],
    /// Number of the product.
    pub isv_prod_id: u16,
    /// Security version of the product.
    pub isv_svn: u16,
    /// Security version of the configuration; zero without ATTRIBUTES.KSS.
    pub config_svn: u16,
    /// Family of the product; zero without ATTRIBUTES.KSS.
    pub isv_family_id: [u8; 16],
    /// What the enclave itself says (REPORTDATA).
    pub report_data: [u8; ReportBody::DATA_SIZE],
}

/// TARGETINFO, 512 bytes and 512-byte aligned: the enclave that is to check a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TargetInfo {
    /// Its measurement (MEASUREMENT).
    pub mr_enclave: [u8; 32],
    /// Its attributes.
    pub attributes: Attributes,
    /// Its CET attributes.
    pub cet_attributes: u8,
    /// Security version of its configuration.
    pub config_svn: u16,
    /// Its MISCSELECT.
    pub misc_select: MiscSelect,
    /// Its configuration.
    pub config_id: [u8; 64],
}

/// Offsets of a REPORT's fields.
mod at {
    pub const CPUSVN: usize = 0;
    pub const MISCSELECT: usize = 16;
    pub const CET_ATTRIBUTES: usize = 20;
    pub const RESERVED_1: usize = 21;
    pub const ISVEXTPRODID: usize = 32;
    pub const ATTRIBUTES: usize = 48;
    pub const MRENCLAVE: usize = 64;
    pub const RESERVED_2: usize = 96;
    pub const MRSIGNER: usize = 128;
    pub const RESERVED_3: usize = 160;
    pub const CONFIGID: usize = 192;
    pub const ISVPRODID: usize = 256;
    pub const ISVSVN: usize = 258;
    pub const CONFIGSVN: usize = 260;
    pub const RESERVED_4: usize = 262;
    pub const ISVFAMILYID: usize = 304;
    pub const REPORTDATA: usize = 320;
    pub const KEYID: usize = 384;
    pub const MAC: usize = 416;
}

/// Offsets of TARGETINFO's fields.
mod target {
    pub const MEASUREMENT: usize = 0;
    pub const ATTRIBUTES: usize = 32;
    pub const CET_ATTRIBUTES: usize = 48;
    pub const RESERVED_1: usize = 49;
    pub const CONFIGSVN: usize = 50;
    pub const MISCSELECT: usize = 52;
    pub const RESERVED_2: usize = 56;
    pub const CONFIGID: usize = 64;
    pub const RESERVED_3: usize = 128;
}

impl Report {
    /// Bytes of the structure.
    pub const SIZE: usize = 432;

    /// Alignment that EREPORT asks of it in memory.
    pub const ALIGNMENT: usize = 512;

    /// The bytes.
    pub fn to_bytes(&self) -> [u8; Self::SIZE] {
        let mut bytes = [0; Self::SIZE];
        put(&mut bytes, 0, self.body.to_bytes());
        put(&mut bytes, at::KEYID, self.key_id);
        put(&mut bytes, at::MAC, self.mac);
        bytes
    }

    /// From the bytes; whether the MAC is good is not looked at.
    pub fn from_bytes(bytes: &[u8; Self::SIZE]) -> Result<Self, Malformed> {
        Ok(Self {
            body: ReportBody::from_bytes(&get(bytes, 0))?,
            key_id: get(bytes, at::KEYID),
            mac: get(bytes, at::MAC),
        })
    }
}

impl ReportBody {
    /// Bytes of the structure.
    pub const SIZE: usize = 384;

    /// Bytes of REPORTDATA.
    pub const DATA_SIZE: usize = 64;

    /// Alignment that EREPORT asks of REPORTDATA in memory.
    pub const DATA_ALIGNMENT: usize = 128;

    /// The bytes.
    pub fn to_bytes(&self) -> [u8; Self::SIZE] {
        let mut bytes = [0; Self::SIZE];
        put(&mut bytes, at::CPUSVN, self.cpu_svn);
        put(&mut bytes, at::MISCSELECT, self.misc_select.0.to_le_bytes());
        put(&mut bytes, at::CET_ATTRIBUTES, [self.cet_attributes]);
        put(&mut bytes, at::ISVEXTPRODID, self.isv_ext_prod_id);
        put(&mut bytes, at::ATTRIBUTES, self.attributes.to_bytes());
        put(&mut bytes, at::MRENCLAVE, self.mr_enclave);
        put(&mut bytes, at::MRSIGNER, self.mr_signer);
        put(&mut bytes, at::CONFIGID, self.config_id);
        put(&mut bytes, at::ISVPRODID, self.isv_prod_id.to_le_bytes());
        put(&mut bytes, at::ISVSVN, self.isv_svn.to_le_bytes());
        put(&mut bytes, at::CONFIGSVN, self.config_svn.to_le_bytes());
        put(&mut bytes, at::ISVFAMILYID, self.isv_family_id);
        put(&mut bytes, at::REPORTDATA, self.report_data);
        bytes
    }

    /// From the bytes.
    pub fn from_bytes(bytes: &[u8; Self::SIZE]) -> Result<Self, Malformed> {
        let reserved = [
            at::RESERVED_1..at::ISVEXTPRODID,
            at::RESERVED_2..at::MRSIGNER,
            at::RESERVED_3..at::CONFIGID,
            at::RESERVED_4..at::ISVFAMILYID,
        ];
        if !reserved.into_iter().all(|range| is_zero(bytes, range)) {
            return Err(Malformed("REPORT has reserved bytes set"));
        }
        Ok(Self {
            cpu_svn: get(bytes, at::CPUSVN),
            misc_select: MiscSelect(get_u32(bytes, at::MISCSELECT)),
            cet_attributes: bytes[at::CET_ATTRIBUTES],
            isv_ext_prod_id: get(bytes, at::ISVEXTPRODID),
            attributes: Attributes::from_bytes(get(bytes, at::ATTRIBUTES)),
            mr_enclave: get(bytes, at::MRENCLAVE),
            mr_signer: get(bytes, at::MRSIGNER),
            config_id: get(bytes, at::CONFIGID),
            isv_prod_id: get_u16(bytes, at::ISVPRODID),
            isv_svn: get_u16(bytes, at::ISVSVN),
            config_svn: get_u16(bytes, at::CONFIGSVN),
            isv_family_id: get(bytes, at::ISVFAMILYID),
            report_data: get(bytes, at::REPORTDATA),
        })
    }

    /// The enclave that this is about, as the target of others' reports.
    pub const fn target_info(&self) -> TargetInfo {
        TargetInfo {
            mr_enclave: self.mr_enclave,
            attributes: self.attributes,
            cet_attributes: self.cet_attributes,
            config_svn: self.config_svn,
            misc_select: self.misc_select,
            config_id: self.config_id,
        }
    }
}

impl TargetInfo {
    /// Bytes of the structure, and its alignment in memory.
    pub const SIZE: usize = 512;

    /// The bytes.
    pub fn to_bytes(&self) -> [u8; Self::SIZE] {
        let mut bytes = [0; Self::SIZE];
        put(&mut bytes, target::MEASUREMENT, self.mr_enclave);
        put(&mut bytes, target::ATTRIBUTES, self.attributes.to_bytes());
        put(&mut bytes, target::CET_ATTRIBUTES, [self.cet_attributes]);
        put(&mut bytes, target::CONFIGSVN, self.config_svn.to_le_bytes());
        put(&mut bytes, target::MISCSELECT, self.misc_select.0.to_le_bytes());
        put(&mut bytes, target::CONFIGID, self.config_id);
        bytes
    }

    /// From the bytes.
    pub fn from_bytes(bytes: &[u8; Self::SIZE]) -> Result<Self, Malformed> {
        let reserved = [
            target::RESERVED_1..target::CONFIGSVN,
            target::RESERVED_2..target::CONFIGID,
            target::RESERVED_3..Self::SIZE,
        ];
        if !reserved.into_iter().all(|range| is_zero(bytes, range)) {
            return Err(Malformed("TARGETINFO has reserved bytes set"));
        }
        Ok(Self {
            mr_enclave: get(bytes, target::MEASUREMENT),
            attributes: Attributes::from_bytes(get(bytes, target::ATTRIBUTES)),
            cet_attributes: bytes[target::CET_ATTRIBUTES],
            config_svn: get_u16(bytes, target::CONFIGSVN),
            misc_select: MiscSelect(get_u32(bytes, target::MISCSELECT)),
            config_id: get(bytes, target::CONFIGID),
        })
    }
}

const _: () = assert!(at::REPORTDATA + ReportBody::DATA_SIZE == ReportBody::SIZE);
const _: () = assert!(at::KEYID == ReportBody::SIZE && at::MAC + 16 == Report::SIZE);

#[cfg(test)]
mod tests {
    use super::*;

    /// Bytes that differ from their neighbours everywhere but where `reserved` says.
    fn sample<const N: usize>(reserved: &[core::ops::Range<usize>]) -> [u8; N] {
        core::array::from_fn(|at| match reserved.iter().any(|range| range.contains(&at)) {
            true => 0,
            false => (at % 251) as u8 | 1,
        })
    }

    const REPORT_RESERVED: [core::ops::Range<usize>; 4] = [21..32, 96..128, 160..192, 262..304];
    const TARGET_RESERVED: [core::ops::Range<usize>; 3] = [49..50, 56..64, 128..512];

    #[test]
    fn every_byte_is_a_field_or_reserved() {
        let report = sample(&REPORT_RESERVED);
        assert_eq!(Report::from_bytes(&report).unwrap().to_bytes(), report);
        for at in REPORT_RESERVED.into_iter().flatten() {
            let mut report = report;
            report[at] = 1;
            assert!(Report::from_bytes(&report).is_err(), "byte {at}");
        }
        let target = sample(&TARGET_RESERVED);
        assert_eq!(TargetInfo::from_bytes(&target).unwrap().to_bytes(), target);
        for at in TARGET_RESERVED.into_iter().flatten() {
            let mut target = target;
            target[at] = 1;
            assert!(TargetInfo::from_bytes(&target).is_err(), "byte {at}");
        }
    }
}
