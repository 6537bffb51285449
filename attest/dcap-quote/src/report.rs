//! Reports of enclaves (SGX) and trust domains (TDX), field by field.

use serde::{Serialize, Serializer};

use crate::bytes::{Reader, Truncated};
use crate::hex;

/// A field of fixed length that is shown in hexadecimal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Bytes<const N: usize>(pub [u8; N]);

impl<const N: usize> Bytes<N> {
    /// Reads hexadecimal text of exactly so many bytes, with letters of one case.
    #[must_use]
    pub fn from_hex(text: &str) -> Option<Self> {
        hex::decode_array(text).map(Self)
    }
}

impl<const N: usize> std::fmt::Display for Bytes<N> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&base16ct::lower::encode_string(&self.0))
    }
}

impl<const N: usize> Serialize for Bytes<N> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// REPORTBODY of an SGX enclave (SDM volume 3D, table "Layout of REPORT"), without its reserved bytes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SgxReport {
    /// Security versions of processor and microcode.
    pub cpu_svn: Bytes<16>,
    /// Which extended information an exception leaves in an SSA frame.
    pub misc_select: u32,
    /// ISVEXTPRODID; zero without key separation and sharing.
    pub isv_ext_prod_id: Bytes<16>,
    /// Flags (8 bytes), then XFRM (8 bytes).
    pub attributes: Bytes<16>,
    /// Measurement of the enclave.
    pub mr_enclave: Bytes<32>,
    /// Hash of the signer's key.
    pub mr_signer: Bytes<32>,
    /// CONFIGID; zero without key separation and sharing.
    pub config_id: Bytes<64>,
    /// Product of the signer.
    pub isv_prod_id: u16,
    /// Security version of the enclave.
    pub isv_svn: u16,
    /// CONFIGSVN; zero without key separation and sharing.
    pub config_svn: u16,
    /// ISVFAMILYID; zero without key separation and sharing.
    pub isv_family_id: Bytes<16>,
    /// What the enclave itself says.
    pub report_data: Bytes<64>,
}

impl SgxReport {
    /// Bytes of a REPORTBODY.
    pub const SIZE: usize = 384;

    /// Reads a REPORTBODY. Reserved bytes may have any value: who signs the report vouches for them.
    pub(crate) fn parse(bytes: &[u8; Self::SIZE]) -> Result<Self, Truncated> {
        let mut reader = Reader::new(bytes);
        let reader = &mut reader;
        let cpu_svn = field(reader)?;
        let misc_select = reader.u32()?;
        reader.slice(12)?;
        let isv_ext_prod_id = field(reader)?;
        let attributes = field(reader)?;
        let mr_enclave = field(reader)?;
        reader.slice(32)?;
        let mr_signer = field(reader)?;
        reader.slice(32)?;
        let config_id = field(reader)?;
        let isv_prod_id = reader.u16()?;
        let isv_svn = reader.u16()?;
        let config_svn = reader.u16()?;
        reader.slice(42)?;
        let isv_family_id = field(reader)?;
        let report_data = field(reader)?;
        Ok(Self {
            cpu_svn,
            misc_select,
            isv_ext_prod_id,
            attributes,
            mr_enclave,
            mr_signer,
            config_id,
            isv_prod_id,
            isv_svn,
            config_svn,
            isv_family_id,
            report_data,
        })
    }

    /// Whether the enclave can be read and changed by a debugger (ATTRIBUTES.DEBUG).
    #[must_use]
    pub fn is_debug(&self) -> bool {
        let Bytes([flags, ..]) = self.attributes;
        flags & 0b10 != 0
    }
}

/// TD report of TDX 1.0, and what TDX 1.5 adds (TDX DCAP quoting library API, "TD Quote Body").
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TdReport {
    /// Security versions of the TDX module and what it stands on, when the domain was launched.
    pub tee_tcb_svn: Bytes<16>,
    /// Measurement of the TDX module.
    pub mr_seam: Bytes<48>,
    /// Signer of the TDX module; zero for Intel's own.
    pub mr_signer_seam: Bytes<48>,
    /// Attributes of the TDX module.
    pub seam_attributes: Bytes<8>,
    /// Attributes of the domain.
    pub td_attributes: TdAttributes,
    /// Extended features that the domain may use.
    pub xfam: Bytes<8>,
    /// Measurement of the domain's initial contents.
    pub mr_td: Bytes<48>,
    /// Identity of the domain's configuration, given by its owner.
    pub mr_config_id: Bytes<48>,
    /// Identity of the domain's owner.
    pub mr_owner: Bytes<48>,
    /// Configuration given by the owner.
    pub mr_owner_config: Bytes<48>,
    /// Run-time measurement registers.
    pub rt_mr: [Bytes<48>; 4],
    /// What the domain itself says.
    pub report_data: Bytes<64>,
    /// Only of TDX 1.5.
    pub v1_5: Option<Td15>,
    /// Only of TDX 1.5 with extensions.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub v1_5_ex: Option<Td15Ex>,
}

/// What a TD report of TDX 1.5 has beyond that of 1.0.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Td15 {
    /// As `tee_tcb_svn`, but now: the TDX module may have been updated under a running domain.
    pub tee_tcb_svn2: Bytes<16>,
    /// Measurement of the service domains bound to this one; zero without any.
    pub mr_service_td: Bytes<48>,
}

/// What a TD report has beyond that of TDX 1.5, in quotes of version 5 with the body type 4 (`sgx_report2_body_v1_5_ex_t` in
/// Intel's `sgx_quote_5.h`, DCAP 1.25). The quoting enclave has judged which of the fields are filled in; others are zero.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Td15Ex {
    /// Which virtual machine of a partitioned domain asked for the report; zero for the domain or its own hypervisor.
    pub vm_id: u8,
    /// Of this launch of the domain: another one after a relaunch, the same after an update of the module or a migration.
    pub td_id: Bytes<32>,
    /// Hash of the description of the domain's devices.
    pub device_info: Bytes<48>,
    /// Measurement of the service domains that were bound first.
    pub init_service_td: Bytes<48>,
    /// Their attributes.
    pub init_service_td_attributes: Bytes<8>,
    /// Security versions of the processor that the domain was made on.
    pub init_cpu_svn: Bytes<16>,
    /// Security versions of the TDX module that the domain was made with.
    pub init_tee_tcb_svn: Bytes<16>,
    /// The kind of platform that the domain was made on.
    pub init_fmspc: Bytes<12>,
    /// Measurement of the service domains that are bound now.
    pub current_service_td: Bytes<48>,
    /// Their attributes.
    pub current_service_td_attributes: Bytes<8>,
}

impl TdReport {
    /// Bytes of a TDX 1.0 report.
    pub const SIZE: usize = 584;
    /// Bytes of a TDX 1.5 report.
    pub const SIZE_1_5: usize = 648;
    /// Bytes of a TDX 1.5 report with extensions.
    pub const SIZE_1_5_EX: usize = 885;

    pub(crate) fn parse(bytes: &[u8; Self::SIZE]) -> Result<Self, Truncated> {
        let mut reader = Reader::new(bytes);
        let reader = &mut reader;
        Ok(Self {
            tee_tcb_svn: field(reader)?,
            mr_seam: field(reader)?,
            mr_signer_seam: field(reader)?,
            seam_attributes: field(reader)?,
            td_attributes: TdAttributes(reader.u64()?),
            xfam: field(reader)?,
            mr_td: field(reader)?,
            mr_config_id: field(reader)?,
            mr_owner: field(reader)?,
            mr_owner_config: field(reader)?,
            rt_mr: [field(reader)?, field(reader)?, field(reader)?, field(reader)?],
            report_data: field(reader)?,
            v1_5: None,
            v1_5_ex: None,
        })
    }

    pub(crate) fn parse_1_5(bytes: &[u8; Self::SIZE_1_5]) -> Result<Self, Truncated> {
        let mut reader = Reader::new(bytes);
        let mut report = Self::parse(reader.array()?)?;
        report.v1_5 = Some(Td15 {
            tee_tcb_svn2: field(&mut reader)?,
            mr_service_td: field(&mut reader)?,
        });
        Ok(report)
    }

    pub(crate) fn parse_1_5_ex(bytes: &[u8; Self::SIZE_1_5_EX]) -> Result<Self, Truncated> {
        let mut reader = Reader::new(bytes);
        let reader = &mut reader;
        let mut report = Self::parse_1_5(reader.array()?)?;
        let [vm_id] = *reader.array()?;
        report.v1_5_ex = Some(Td15Ex {
            vm_id,
            td_id: field(reader)?,
            device_info: field(reader)?,
            init_service_td: field(reader)?,
            init_service_td_attributes: field(reader)?,
            init_cpu_svn: field(reader)?,
            init_tee_tcb_svn: field(reader)?,
            init_fmspc: field(reader)?,
            current_service_td: field(reader)?,
            current_service_td_attributes: field(reader)?,
        });
        Ok(report)
    }

    /// Whether service domains are bound to this one or were, or the report covers what they may do.
    pub(crate) fn has_service_td(&self) -> bool {
        let zero = Bytes([0; 48]);
        let v1_5 = self.v1_5.as_ref();
        let v1_5_ex = self.v1_5_ex.as_ref();
        self.td_attributes.has_service_td_extension()
            || v1_5.is_some_and(|report| report.mr_service_td != zero)
            || v1_5_ex.is_some_and(|report| {
                let hashes = [report.init_service_td, report.current_service_td];
                let attributes = [
                    report.init_service_td_attributes,
                    report.current_service_td_attributes,
                ];
                hashes != [zero; 2] || attributes != [Bytes([0; 8]); 2]
            })
    }

    /// Whether all service domains that it tells of have this measurement (MRSERVICETD).
    pub(crate) fn has_only_service_td(&self, measurement: &[u8; 48]) -> bool {
        let is = |found: &Bytes<48>| found.0 == *measurement;
        let v1_5_ex = self.v1_5_ex.as_ref();
        self.v1_5.as_ref().is_some_and(|report| is(&report.mr_service_td))
            && v1_5_ex.is_none_or(|report| {
                let now = &report.current_service_td;
                now.0 == [0; 48] || is(now)
            })
    }
}

/// ATTRIBUTES of a trust domain (Intel TDX Module ABI specification 348551-008US, table 3.23).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TdAttributes(pub u64);

impl TdAttributes {
    /// The host can debug the domain.
    #[must_use]
    pub const fn is_debug(self) -> bool {
        self.0 & 1 != 0
    }

    /// The host can profile the domain in one of three ways.
    #[must_use]
    pub const fn is_profiled(self) -> bool {
        self.0 & 0b111_0000 != 0
    }

    /// A service domain may move this one to another machine.
    #[must_use]
    pub const fn is_migratable(self) -> bool {
        self.0 & (1 << 29) != 0
    }

    /// The domain's report covers service domains' attributes.
    #[must_use]
    pub const fn has_service_td_extension(self) -> bool {
        self.0 & (1 << 17) != 0
    }

    /// The host cannot make the domain's accesses to missing pages into exceptions (SEPT_VE_DISABLE).
    #[must_use]
    pub const fn is_sept_ve_disabled(self) -> bool {
        self.0 & (1 << 28) != 0
    }

    /// Bits that must be zero are not.
    #[must_use]
    pub const fn has_reserved_bits(self) -> bool {
        const RESERVED: u64 = bits(1, 3) | bits(7, 15) | bits(23, 26) | bits(32, 61);
        self.0 & RESERVED != 0
    }
}

/// Bits `first` to `last`, both included.
const fn bits(first: u32, last: u32) -> u64 {
    (u64::MAX << first) & !(u64::MAX << last << 1)
}

impl std::fmt::Display for TdAttributes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        Bytes(self.0.to_le_bytes()).fmt(f)
    }
}

impl Serialize for TdAttributes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

fn field<const N: usize>(reader: &mut Reader<'_>) -> Result<Bytes<N>, Truncated> {
    reader.array().copied().map(Bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_lie_where_the_sdm_draws_them() {
        let mut bytes = [0; SgxReport::SIZE];
        let starts = [
            (0, 1),
            (16, 2),
            (32, 3),
            (48, 4),
            (64, 5),
            (128, 6),
            (192, 7),
            (256, 8),
            (258, 9),
            (260, 10),
            (304, 11),
            (320, 12),
        ];
        for (offset, value) in starts {
            bytes[offset] = value;
        }
        let report = SgxReport::parse(&bytes).unwrap();
        let found = [
            report.cpu_svn.0[0],
            report.misc_select.to_le_bytes()[0],
            report.isv_ext_prod_id.0[0],
            report.attributes.0[0],
            report.mr_enclave.0[0],
            report.mr_signer.0[0],
            report.config_id.0[0],
            report.isv_prod_id.to_le_bytes()[0],
            report.isv_svn.to_le_bytes()[0],
            report.config_svn.to_le_bytes()[0],
            report.isv_family_id.0[0],
            report.report_data.0[0],
        ];
        assert_eq!(found, starts.map(|(_, value)| value));
    }

    #[test]
    fn td_attributes_that_must_be_zero() {
        let defined = [0, 4, 5, 6, 16, 17, 18, 19, 20, 21, 22, 27, 28, 29, 30, 31, 62, 63];
        for bit in 0..64 {
            assert_eq!(
                TdAttributes(1 << bit).has_reserved_bits(),
                !defined.contains(&bit),
                "bit {bit}"
            );
        }
    }
}
