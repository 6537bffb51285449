//! Measurement records, of which MRENCLAVE is the SHA-256 (SDM 40.3, ECREATE, EADD and EEXTEND), each 64 bytes.
//!
//! An EEXTEND record is followed by the 256 bytes that it measures. An SGXS file is these very records, so its
//! SHA-256 is MRENCLAVE, but for records of content that is loaded and not measured.

use crate::field::{get, get_u32, get_u64, is_zero, put};
use crate::{Malformed, SecInfo};

/// Bytes of a record.
pub const RECORD_SIZE: usize = 64;
/// Bytes that one EEXTEND measures.
pub const CHUNK_SIZE: usize = 256;

/// One record. Offsets count from the start of ELRANGE.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Measured {
    /// The enclave's size.
    ECreate {
        /// Pages of an SSA frame.
        ssa_frame_pages: u32,
        /// Bytes of ELRANGE.
        size: u64,
    },
    /// A page.
    EAdd {
        /// Where, a multiple of 4096.
        offset: u64,
        /// Its type and permissions.
        sec_info: SecInfo,
    },
    /// 256 bytes of the last page, which follow.
    EExtend {
        /// Where, a multiple of 256.
        offset: u64,
    },
    /// 256 bytes of the last page, which follow and are loaded, but are no part of MRENCLAVE (SGXS only).
    Unmeasured {
        /// Where, a multiple of 256.
        offset: u64,
    },
}

const ECREATE: [u8; 8] = *b"ECREATE\0";
const EADD: [u8; 8] = *b"EADD\0\0\0\0";
const EEXTEND: [u8; 8] = *b"EEXTEND\0";
const UNMEASURED: [u8; 8] = *b"UNMEASRD";

impl Measured {
    /// The record's bytes.
    pub fn to_bytes(self) -> [u8; RECORD_SIZE] {
        let mut bytes = [0; RECORD_SIZE];
        match self {
            Self::ECreate {
                ssa_frame_pages,
                size,
            } => {
                put(&mut bytes, 0, ECREATE);
                put(&mut bytes, 8, ssa_frame_pages.to_le_bytes());
                put(&mut bytes, 12, size.to_le_bytes());
            }
            Self::EAdd { offset, sec_info } => {
                put(&mut bytes, 0, EADD);
                put(&mut bytes, 8, offset.to_le_bytes());
                // The first 48 of SECINFO's 64 bytes; all but the first 8 are zero.
                put(&mut bytes, 16, sec_info.flags().to_le_bytes());
            }
            Self::EExtend { offset } | Self::Unmeasured { offset } => {
                let tag = if matches!(self, Self::EExtend { .. }) {
                    EEXTEND
                } else {
                    UNMEASURED
                };
                put(&mut bytes, 0, tag);
                put(&mut bytes, 8, offset.to_le_bytes());
            }
        }
        bytes
    }

    /// The record with these bytes; exactly what [`Measured::to_bytes`] writes.
    pub fn from_bytes(bytes: &[u8; RECORD_SIZE]) -> Result<Self, Malformed> {
        let (record, end) = match get(bytes, 0) {
            ECREATE => {
                let (ssa_frame_pages, size) = (get_u32(bytes, 8), get_u64(bytes, 12));
                (
                    Self::ECreate {
                        ssa_frame_pages,
                        size,
                    },
                    20,
                )
            }
            EADD => {
                let sec_info = SecInfo::from_flags(get_u64(bytes, 16))?;
                (
                    Self::EAdd {
                        offset: get_u64(bytes, 8),
                        sec_info,
                    },
                    24,
                )
            }
            EEXTEND => (
                Self::EExtend {
                    offset: get_u64(bytes, 8),
                },
                16,
            ),
            UNMEASURED => (
                Self::Unmeasured {
                    offset: get_u64(bytes, 8),
                },
                16,
            ),
            _ => return Err(Malformed("unknown record")),
        };
        if !is_zero(bytes, end..RECORD_SIZE) {
            return Err(Malformed("a record has reserved bytes set"));
        }
        Ok(record)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::PageType;

    #[test]
    fn records_are_read_as_written_and_nothing_else_is() {
        let sec_info = SecInfo::new(PageType::Reg, SecInfo::R);
        for record in [
            Measured::ECreate {
                ssa_frame_pages: 1,
                size: 1 << 36,
            },
            Measured::EAdd {
                offset: 0x3000,
                sec_info,
            },
            Measured::EExtend { offset: 0x3100 },
            Measured::Unmeasured { offset: 0x3200 },
        ] {
            let mut bytes = record.to_bytes();
            assert_eq!(Measured::from_bytes(&bytes), Ok(record));
            bytes[63] = 1;
            assert!(Measured::from_bytes(&bytes).is_err());
        }
        assert!(Measured::from_bytes(&[0; 64]).is_err());
    }
}
