//! Memory management: address spaces, mappings, population and call-site patching.
//!
//! All processes live in one range of addresses (D3), the [`arena`], which [`AddressSpace`]s share out among themselves. Each keeps
//! its mappings ([`mapping`]). A page is *committed* when the enclave has it; pages of large mappings are committed when they are
//! first touched ([`AddressSpace::handle_fault`], [`populate`]). Pages of files that are mapped shared belong to the file
//! ([`shared`]). Memory that is shared without a file is a file without a name ([`nameless`]). Executable mappings of the image's files are
//! patched ([`call_sites`]).
//!
//! Neighbours: `kobject::Mapping` is what a file gives to map; `libos` turns system calls into calls of these.
//!
//! # What costs
//! Each change of the enclave's pages leaves the enclave, so changes are batched into runs, and runs of pages that are unmapped
//! stay committed, from [`WARM_MIN`] on and up to [`MAX_WARM`] in total, to be zeroed and used again. That is the one way in
//! which this memory differs from Linux's: a stray access to much memory that was just unmapped may find old bytes instead of
//! SIGSEGV.
//!
//! # Trust
//! The host gives and takes pages, and nothing else: what it does is checked page by page in `enclave_rt::memory`. Arguments come from
//! programs, which can harm only themselves.
//!
//! Lock order: a family's lock, then a shared file's, then the stash's, then the ranges'; and before the stash's what `Mapping::read_pages` and
//! `write_pages` take. No program's memory that might have to be brought is touched under any of them.
#![cfg_attr(not(test), no_std)]
#![forbid(unsafe_code)]
#![cfg_attr(
    not(test),
    deny(
        clippy::expect_used,
        clippy::indexing_slicing,
        clippy::panic,
        clippy::unwrap_used
    )
)]

extern crate alloc;

mod arena;
mod call_sites;
mod kept;
mod mapping;
mod memory;
mod nameless;
mod populate;
mod ranges;
mod segments;
mod shared;
mod space;
mod stash;
#[cfg(test)]
mod tests;
mod turns;

pub use arena::{MAX_WARM, WARM_MIN, is_present};
pub use call_sites::{CallSites, install as install_call_sites};
pub use mapping::{Advice, Backing};
pub use nameless::NamelessFile;
pub use space::{
    ADDRESSES_END, AddressLimits, AddressSpace, Bring, FaultOutcome, MappingReport, STACK_NAME, Sizes,
    SpaceId, Word,
};
pub use turns::{Pin, TurnCosts, turn_costs};
