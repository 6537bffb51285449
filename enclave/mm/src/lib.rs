//! Memory management: address spaces, mappings, population and call-site patching.
//!
//! All processes live in one range of addresses (D3), which [`AddressSpace`]s share out among themselves. Each keeps its
//! mappings ([`mapping`]); what each page of the range is at the moment stands in one table ([`pages`]); who may have which
//! addresses is [`ranges`]' business. A page is *committed* when the enclave has it; pages of large mappings are committed
//! when they are first touched ([`AddressSpace::handle_fault`]).
//!
//! Neighbours: `kobject::Mapping` is what a file gives to map; `libos` turns system calls into calls of these.
//!
//! # What costs
//! Each change of the enclave's pages leaves the enclave, so changes are batched into runs, and pages of anonymous
//! mappings that are unmapped stay committed up to a limit ([`WARM_PAGES`]) to be zeroed and used again. That is the one way in
//! which this memory differs from Linux's: a stray access to memory that was just unmapped may find (old or zero) bytes
//! instead of SIGSEGV.
//!
//! Lock order: an address space's lock, then the table of ranges. No lock of a file's is taken under them but those that
//! `Mapping::read_pages` takes.
#![cfg_attr(not(test), no_std)]
#![forbid(unsafe_code)]

extern crate alloc;

mod call_sites;
mod mapping;
mod pages;
mod populate;
mod ranges;
mod space;

pub use call_sites::{CallSites, install as install_call_sites};
pub use mapping::{Advice, Backing, MapFlags};
pub use pages::WARM_PAGES;
pub use space::{AddressSpace, FaultOutcome};
