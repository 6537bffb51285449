//! The pages of an enclave, in ascending order of addresses.

use enclave_config::{Config, ConfigError};
use enclave_layout::{
    CONFIG_START, EXCEPTION_STACK_SIZE, PAGE_SIZE, SSA_FRAME_PAGES, SSA_FRAMES, STACK_SIZE, Slot,
};
use sgx_arch::{PageType, SecInfo, Tcs};

use crate::Libos;
use crate::elf::Segment;

/// What goes into an enclave.
#[derive(Debug)]
pub struct Layout<'a> {
    libos: &'a Libos<'a>,
    /// The configuration's pages: length, canonical bytes, padding.
    config: Vec<u8>,
    slots: Vec<Slot>,
}

/// A page to be added.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// Its address.
    pub address: u64,
    /// Its type and permissions.
    pub sec_info: SecInfo,
    /// What it holds.
    pub content: Content,
}

/// What a page holds at first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    /// These bytes, all of them measured: Linux's driver measures whole pages or none.
    Measured(Box<[u8; PAGE_SIZE as usize]>),
    /// Zeros if the loader is honest: the LibOS believes nothing that it finds here.
    Unmeasured,
}

const READ_ONLY: SecInfo = SecInfo::new(PageType::Reg, SecInfo::R);
const READ_WRITE: SecInfo = SecInfo::new(PageType::Reg, SecInfo::R | SecInfo::W);

impl<'a> Layout<'a> {
    /// Lays out the enclave that runs this LibOS with this configuration.
    pub fn new(libos: &'a Libos<'a>, config: &Config) -> Result<Self, ConfigError> {
        let bytes = config.encode()?;
        let mut pages = (bytes.len() as u64).to_le_bytes().to_vec();
        pages.extend(bytes);
        pages.resize(pages.len().next_multiple_of(PAGE_SIZE as usize), 0);

        // The configuration's rules have bounded the number.
        let slots = (0..u64::from(config.threads)).map_while(Slot::new).collect();
        Ok(Self {
            libos,
            config: pages,
            slots,
        })
    }

    /// The pages: the LibOS's segments, the configuration, the thread slots.
    pub fn pages(&self) -> impl Iterator<Item = Page> + '_ {
        let libos = self.libos.segments.iter().flat_map(segment_pages);
        let config = self
            .config
            .chunks_exact(PAGE_SIZE as usize)
            .zip(0..)
            .map(|(bytes, index)| Page {
                address: CONFIG_START + index * PAGE_SIZE,
                sec_info: READ_ONLY,
                content: Content::Measured(page_of(bytes)),
            });
        let slots = self
            .slots
            .iter()
            .flat_map(|slot| slot_pages(*slot, self.libos.entry));
        libos.chain(config).chain(slots)
    }
}

fn segment_pages<'a>(segment: &'a Segment<'a>) -> impl Iterator<Item = Page> + 'a {
    let sec_info = SecInfo::new(PageType::Reg, segment.permissions);
    segment.pages().step_by(PAGE_SIZE as usize).map(move |address| {
        let mut bytes = Box::new([0; PAGE_SIZE as usize]);
        // Where the page's first byte is in the segment, or the segment's first byte in the page.
        let from = address.saturating_sub(segment.address) as usize;
        let to = segment.address.saturating_sub(address) as usize;
        let data = segment.data.get(from..).unwrap_or_default();
        let len = data.len().min(bytes.len() - to);
        bytes[to..to + len].copy_from_slice(&data[..len]);
        Page {
            address,
            sec_info,
            content: Content::Measured(bytes),
        }
    })
}

fn slot_pages(slot: Slot, entry: u64) -> impl Iterator<Item = Page> {
    let fresh = |start: u64, len: u64| {
        (start..start + len)
            .step_by(PAGE_SIZE as usize)
            .map(|address| Page {
                address,
                sec_info: READ_WRITE,
                content: Content::Unmeasured,
            })
    };
    let gs = Page {
        address: slot.gs(),
        sec_info: READ_WRITE,
        content: Content::Measured(page_of(&[])),
    };
    let tcs = Tcs {
        flags: 0,
        ssa: slot.ssa(),
        ssa_frames: SSA_FRAMES as u32,
        entry,
        // Both, so that the enclave never runs with a base that the host chose.
        fs: slot.gs(),
        gs: slot.gs(),
        fs_limit: 0xfff,
        gs_limit: 0xfff,
    };
    let tcs = Page {
        address: slot.tcs(),
        sec_info: SecInfo::TCS,
        content: Content::Measured(page_of(&tcs.to_bytes())),
    };
    fresh(slot.stack(), STACK_SIZE)
        .chain(fresh(slot.exception_stack(), EXCEPTION_STACK_SIZE))
        .chain([gs])
        .chain(fresh(slot.ssa(), SSA_FRAMES * SSA_FRAME_PAGES * PAGE_SIZE))
        .chain([tcs])
}

/// A page that begins with `bytes` (at most a page of them).
fn page_of(bytes: &[u8]) -> Box<[u8; PAGE_SIZE as usize]> {
    let mut page = Box::new([0; PAGE_SIZE as usize]);
    page[..bytes.len()].copy_from_slice(bytes);
    page
}
