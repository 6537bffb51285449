//! Finds the `syscall` instructions of an ELF file and decides how each is replaced.
//!
//! The LibOS has no disassembler: this crate does the looking when an image is converted, and leaves a
//! [`callsite_map`]. A wrong decision here would corrupt a program, a missed site only costs a trap, so everything
//! has to be proven and every doubt is a no:
//!  - a `syscall` is one only at an instruction boundary of code that is known to be code: in a function that
//!    frame descriptions (`.eh_frame`), symbols or Go's function table delimit, or that can be reached from such a
//!    function and is sound throughout (`descent`);
//!  - bytes are overwritten only where nothing can jump into their middle (`targets`).
//!
//! # Key types
//! [`scan`] looks at a file and returns a [`Report`]: its map, and what was found ([`Counts`]).
//!
//! # Neighbours
//! `image/image-convert` calls it for every regular file of an image. `abi/callsite-map` defines patches and their bytes.
//!
//! # Trust
//! The input is the image, which is trusted with its own correctness only: a malicious file may get itself patched
//! in silly ways, which harms nobody else. Broken files must not break the conversion: nothing here panics on bytes.
#![forbid(unsafe_code)]

mod choose;
mod code;
mod descent;
mod elf;
mod functions;
mod go;
mod number;
mod targets;
mod unwind;

use std::collections::BTreeSet;
use std::ops::{AddAssign, Range};

use callsite_map::Sites;
use iced_x86::Mnemonic;

pub use choose::Form;

use descent::Descent;
use elf::{Image, NoImage};
use functions::Functions;
use targets::Targets;

/// Names this scanner: the digest of what it is made of, in hexadecimal. Another scanner may find something else.
pub const SCANNER: &str = env!("CALLSITES_SCANNER");

/// What was found in a file, or in many.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Replaced by a jump in place of the instruction before ([`Form::InstructionBefore`]).
    pub instruction_before: u64,
    /// Replaced by a jump that takes instructions behind along ([`Form::Following`]).
    pub following: u64,
    /// Replaced by a jump that takes instructions before along ([`Form::Preceding`]).
    pub preceding: u64,
    /// Proven to be system calls, but not replaceable: they trap.
    pub trapping: u64,
    /// Byte pairs `0f 05` outside all proven code: data, or code that could not be proven, which would trap.
    pub unproven: u64,
}

impl Counts {
    /// System calls that become jumps.
    pub fn patched(&self) -> u64 {
        self.instruction_before + self.following + self.preceding
    }

    /// System calls that were proven to be some.
    pub fn sites(&self) -> u64 {
        self.patched() + self.trapping
    }
}

impl AddAssign for Counts {
    fn add_assign(&mut self, other: Self) {
        self.instruction_before += other.instruction_before;
        self.following += other.following;
        self.preceding += other.preceding;
        self.trapping += other.trapping;
        self.unproven += other.unproven;
    }
}

/// What was found in a file.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// The patches, for [`callsite_map::encode_file`].
    pub sites: Sites,
    /// How many of which kind.
    pub counts: Counts,
    /// Addresses (as the file gives them) of system calls that will trap, with proof or without.
    pub trapping: Vec<u64>,
    /// Numbers of the system calls, where the code says them as constants. Go's programs, and functions that are given
    /// the number, do not.
    pub numbers: BTreeSet<u32>,
}

/// Looks for system calls in the bytes of a file. `None` if it is no ELF64 x86-64 program or library, or 4 GiB and
/// longer, which no map has room for.
pub fn scan(file: &[u8]) -> Option<Report> {
    if !file.starts_with(b"\x7fELF") || u32::try_from(file.len()).is_err() {
        return None;
    }
    let image = match Image::parse(file) {
        Ok(image) => image,
        Err(NoImage::Foreign) => return None,
        Err(NoImage::Unusable) => {
            let pairs = memchr::memmem::find_iter(file, SYSCALL).count() as u64;
            let counts = Counts {
                unproven: pairs,
                ..Counts::default()
            };
            return Some(Report {
                counts,
                ..Report::default()
            });
        }
    };
    let pairs = syscall_pairs(&image);
    Some(if pairs.is_empty() {
        Report::default()
    } else {
        scan_pairs(&image, &pairs)
    })
}

const SYSCALL: &[u8] = &[0x0f, 0x05];

/// Addresses of all byte pairs in the machine code that look like the instruction, in ascending order.
fn syscall_pairs(image: &Image<'_>) -> Vec<u64> {
    let finder = memchr::memmem::Finder::new(SYSCALL);
    let in_region = |region: &elf::Region<'_>| {
        let addr = region.addr;
        finder
            .find_iter(region.bytes)
            .map(move |at| addr + at as u64)
            .collect::<Vec<_>>()
    };
    image.code.iter().flat_map(in_region).collect()
}

fn scan_pairs(image: &Image<'_>, pairs: &[u64]) -> Report {
    let tables = Functions::read(image);
    let (mut functions, undescribed) = tables.decode_around(image, pairs);
    let descent = (!undescribed.is_empty()).then(|| {
        let parts = tables.undescribed_parts(image);
        Descent::run(image, &parts, tables.roots(image), tables.ranges())
    });
    if let Some(descent) = &descent {
        functions.extend(descent.functions.iter().cloned());
    }
    let mut found: Vec<(u64, usize, usize)> = Vec::new();
    for (which, function) in functions.iter().enumerate() {
        let calls = function
            .instructions
            .iter()
            .enumerate()
            .filter(|(_, i)| i.mnemonic() == Mnemonic::Syscall);
        found.extend(calls.map(|(index, instruction)| (instruction.ip(), which, index)));
    }
    found.sort_unstable();
    found.dedup_by_key(|(addr, ..)| *addr);
    let addresses: Vec<u64> = found.iter().map(|(addr, ..)| *addr).collect();

    let mut report = Report::default();
    if !found.is_empty() {
        let interiors = |range: Range<u64>| {
            let mut interiors = tables.interiors(image, range.clone());
            interiors.extend(
                descent
                    .iter()
                    .flat_map(|descent| descent.interiors(range.clone())),
            );
            interiors
        };
        let targets = Targets::collect(image, &addresses, &functions, tables.arrivals(image), &interiors);
        for (addr, which, index) in found {
            let Some(function) = functions.get(which) else {
                continue;
            };
            report.numbers.extend(number::before(function, index));
            match choose::choose(image, function, index, &targets, &mut report.sites) {
                Some(Form::InstructionBefore) => report.counts.instruction_before += 1,
                Some(Form::Following) => report.counts.following += 1,
                Some(Form::Preceding) => report.counts.preceding += 1,
                None => {
                    report.counts.trapping += 1;
                    report.trapping.push(addr);
                }
            }
        }
    }
    let unproven = undescribed
        .iter()
        .filter(|pair| addresses.binary_search(pair).is_err());
    report.trapping.extend(unproven.clone());
    report.counts.unproven = unproven.count() as u64;
    report
}
