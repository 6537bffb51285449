//! SGXS: the file format of an enclave, a stream of the records that its measurement hashes.
//!
//! The format is that of the `sgxs` crate and tools. We write its canonical form without UNMEASRD records.

use std::io::{self, Write};

use enclave_layout::{CONFIG_START, ELRANGE_SIZE, IMAGE_BASE, PAGE_SIZE, SLOTS_START, SSA_FRAME_PAGES, Slot};
use sgx_arch::{CHUNK_SIZE, Malformed, Measured, PageType, RECORD_SIZE, SecInfo};
use sha2::{Digest, Sha256};

use crate::{Content, Layout, MrEnclave};

const CREATE: Measured = Measured::ECreate {
    ssa_frame_pages: SSA_FRAME_PAGES as u32,
    size: ELRANGE_SIZE,
};

/// Chunks of a page that is measured in whole.
const CHUNKS: u64 = PAGE_SIZE / CHUNK_SIZE as u64;

impl Layout<'_> {
    /// Writes the enclave's SGXS file and measures it.
    pub fn write(&self, out: impl Write) -> io::Result<MrEnclave> {
        let mut out = Hashed {
            out,
            hash: Sha256::new(),
        };
        out.write_all(&CREATE.to_bytes())?;
        for page in self.pages() {
            let add = Measured::EAdd {
                offset: page.address,
                sec_info: page.sec_info,
            };
            out.write_all(&add.to_bytes())?;
            let bytes: &[u8] = match &page.content {
                Content::Measured(bytes) => bytes.as_slice(),
                Content::Unmeasured => &[],
            };
            for (chunk, index) in bytes.chunks_exact(CHUNK_SIZE).zip(0..) {
                let extend = Measured::EExtend {
                    offset: page.address + index * CHUNK_SIZE as u64,
                };
                out.write_all(&extend.to_bytes())?;
                out.write_all(chunk)?;
            }
        }
        out.flush()?;
        Ok(MrEnclave(out.hash.finalize().into()))
    }
}

struct Hashed<W> {
    out: W,
    hash: Sha256,
}

impl<W: Write> Write for Hashed<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.out.write(bytes)?;
        self.hash.update(bytes.get(..written).unwrap_or(bytes));
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// What an SGXS file says about the enclave that it builds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sgxs {
    /// Its measurement, computed from the file.
    pub mr_enclave: MrEnclave,
    /// Its pages.
    pub pages: PageCounts,
    /// The configuration's canonical bytes, as they lie in its pages.
    pub config: Vec<u8>,
}

/// Pages of an enclave, by what they are for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PageCounts {
    /// Code of the LibOS.
    pub code: u64,
    /// Other segments of the LibOS.
    pub data: u64,
    /// The encoded configuration.
    pub config: u64,
    /// Stacks, SSA frames and per-thread areas.
    pub threads: u64,
    /// Thread control structures: the number of threads.
    pub tcs: u64,
}

/// Why a file is not an enclave of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SgxsError {
    /// It ends within a record, or before the enclave is whole.
    #[error("the file is truncated")]
    Truncated,
    /// A record is malformed.
    #[error("byte {0}: {1}")]
    Record(usize, Malformed),
    /// Records that are each valid, and together no enclave that Nacre writes.
    #[error("byte {0}: {1}")]
    Order(usize, &'static str),
    /// The configuration's length does not fit its pages.
    #[error("the configuration in the enclave is damaged")]
    Config,
}

impl Sgxs {
    /// Reads the contents of an SGXS file.
    pub fn read(file: &[u8]) -> Result<Self, SgxsError> {
        let mut records = Records { file, at: 0 };
        if records.next()? != Some(CREATE) {
            return Err(SgxsError::Order(
                0,
                "it does not begin with the ECREATE record of a Nacre enclave",
            ));
        }
        let mut pages = PageCounts::default();
        let mut config_pages = Vec::new();
        let mut next_page = 0;
        loop {
            let at = records.at;
            let disorder = |words| SgxsError::Order(at, words);
            let (offset, sec_info) = match records.next()? {
                None => break,
                Some(Measured::EAdd { offset, sec_info }) => (offset, sec_info),
                Some(_) => return Err(disorder("a page (EADD) should begin here")),
            };
            if offset < next_page || !offset.is_multiple_of(PAGE_SIZE) {
                return Err(disorder("the pages are not in ascending order"));
            }
            next_page = offset.saturating_add(PAGE_SIZE);
            for chunk in 0..pages.count(offset, sec_info).map_err(disorder)? {
                let at = records.at;
                let extend = Measured::EExtend {
                    offset: offset + chunk * CHUNK_SIZE as u64,
                };
                if records.next()?.ok_or(SgxsError::Truncated)? != extend {
                    return Err(SgxsError::Order(
                        at,
                        "the content of a page (EEXTEND) should follow here",
                    ));
                }
                let bytes = records.chunk()?;
                if (CONFIG_START..SLOTS_START).contains(&offset) {
                    config_pages.extend_from_slice(bytes);
                }
            }
        }
        if pages.code == 0 || pages.tcs == 0 {
            return Err(SgxsError::Truncated);
        }
        Ok(Self {
            mr_enclave: MrEnclave(Sha256::digest(file).into()),
            pages,
            config: config_bytes(&config_pages).ok_or(SgxsError::Config)?.to_vec(),
        })
    }
}

impl PageCounts {
    /// All pages.
    pub fn total(&self) -> u64 {
        self.code + self.data + self.config + self.threads + self.tcs
    }

    /// Counts a page, and says how many of its chunks are measured.
    fn count(&mut self, address: u64, sec_info: SecInfo) -> Result<u64, &'static str> {
        let regular = sec_info.page_type() == PageType::Reg;
        let code = sec_info.permissions() & SecInfo::X != 0;
        let (kind, chunks) = match address {
            IMAGE_BASE..CONFIG_START if regular && code => (&mut self.code, CHUNKS),
            IMAGE_BASE..CONFIG_START if regular => (&mut self.data, CHUNKS),
            CONFIG_START..SLOTS_START if regular => (&mut self.config, CHUNKS),
            SLOTS_START..ELRANGE_SIZE if sec_info == SecInfo::TCS => (&mut self.tcs, CHUNKS),
            SLOTS_START..ELRANGE_SIZE if regular && Slot::of_gs(address).is_some() => {
                (&mut self.threads, CHUNKS)
            }
            SLOTS_START..ELRANGE_SIZE if regular => (&mut self.threads, 0),
            _ => return Err("a page is where Nacre puts none"),
        };
        *kind += 1;
        Ok(chunks)
    }
}

/// The canonical bytes in the configuration's pages.
fn config_bytes(pages: &[u8]) -> Option<&[u8]> {
    let (len, rest) = pages.split_first_chunk()?;
    let len = usize::try_from(u64::from_le_bytes(*len)).ok()?;
    let (bytes, padding) = rest.split_at_checked(len)?;
    (padding.len() < PAGE_SIZE as usize && padding.iter().all(|&byte| byte == 0)).then_some(bytes)
}

struct Records<'a> {
    file: &'a [u8],
    at: usize,
}

impl<'a> Records<'a> {
    fn next(&mut self) -> Result<Option<Measured>, SgxsError> {
        let at = self.at;
        if at == self.file.len() {
            return Ok(None);
        }
        let bytes = self.take::<RECORD_SIZE>()?;
        Measured::from_bytes(bytes)
            .map(Some)
            .map_err(|malformed| SgxsError::Record(at, malformed))
    }

    fn chunk(&mut self) -> Result<&'a [u8; CHUNK_SIZE], SgxsError> {
        self.take()
    }

    fn take<const LEN: usize>(&mut self) -> Result<&'a [u8; LEN], SgxsError> {
        let rest = self.file.get(self.at..).unwrap_or_default();
        let (bytes, _) = rest.split_first_chunk().ok_or(SgxsError::Truncated)?;
        self.at += LEN;
        Ok(bytes)
    }
}
