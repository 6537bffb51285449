//! Finds the addresses near a site that jumps may lead to.
//!
//! A missed branch target corrupts a program, an imagined one costs a little speed. So this does not follow the
//! code: it looks at every position of the file that could hold a reference, in whatever instruction or data, and
//! keeps those that point close to a site.

use std::collections::BTreeSet;
use std::ops::Range;

use crate::code::{self, Function};
use crate::elf::{Image, Region};

/// How far around a site bytes may be overwritten or moved.
const WINDOW: u64 = 64;
/// How far a branch with an 8-bit displacement reaches, the instruction included.
const SHORT_REACH: u64 = 130;

/// Addresses near the sites where control may arrive.
#[derive(Clone, Debug, Default)]
pub(crate) struct Targets(BTreeSet<u64>);

impl Targets {
    pub(crate) fn contains(&self, addr: u64) -> bool {
        self.0.contains(&addr)
    }

    /// The targets near `sites`. `functions` are the decoded ones that the sites lie in, `arrivals` where control
    /// arrives without a branch, and `interiors` tells which bytes of a range are known to lie inside an
    /// instruction, behind its first byte.
    pub(crate) fn collect(
        image: &Image<'_>,
        sites: &[u64],
        functions: &[Function],
        arrivals: impl Iterator<Item = u64>,
        interiors: &dyn Fn(Range<u64>) -> Vec<Range<u64>>,
    ) -> Self {
        let windows = Windows::around(image, sites);
        let mut found: Vec<u64> = arrivals.collect();
        for function in functions {
            found.extend(function.instructions.iter().filter_map(code::branch_target));
            found.extend(&function.arrivals);
        }
        for region in &image.code {
            found.extend(near_references(region.bytes, region.addr).filter(|to| windows.contain(*to)));
            if image.is_fixed {
                found.extend(absolute_references(region.bytes).filter(|to| windows.contain(*to)));
            }
        }
        for region in &image.loads {
            windows.pointers(region, &mut found);
        }
        for site in sites {
            short_branches(image, *site, interiors, &mut found);
        }
        Self(found.into_iter().filter(|addr| windows.contain(*addr)).collect())
    }
}

/// Branches with an 8-bit displacement around a site: a byte that could be such an opcode counts, unless it is
/// known to lie inside another instruction.
fn short_branches(
    image: &Image<'_>,
    site: u64,
    interiors: &dyn Fn(Range<u64>) -> Vec<Range<u64>>,
    found: &mut Vec<u64>,
) {
    let Some(region) = image.code_at(site) else { return };
    let around = site.saturating_sub(WINDOW + SHORT_REACH).max(region.addr)..site + WINDOW + SHORT_REACH;
    let Some(bytes) = region.bytes_from(around.start) else {
        return;
    };
    let candidates = bytes
        .array_windows()
        .zip(around.clone())
        .filter_map(|(pair, at)| match *pair {
            [0x70..=0x7f | 0xe0..=0xe3 | 0xeb, rel8] => {
                Some((at, (at + 2).wrapping_add_signed(i64::from(rel8 as i8))))
            }
            _ => None,
        });
    let interiors = interiors(around);
    let is_opcode = |at: u64| !interiors.iter().any(|interior| interior.contains(&at));
    found.extend(candidates.filter(|(at, _)| is_opcode(*at)).map(|(_, to)| to));
}

/// One bit for each byte of the machine code: set near a site.
struct Windows {
    /// Address and bits of each region, in ascending order. Not one piece, since a hostile file may say that its regions lie
    /// any distance apart.
    regions: Vec<(u64, Vec<u64>)>,
}

impl Windows {
    fn around(image: &Image<'_>, sites: &[u64]) -> Self {
        let clear = |region: &Region<'_>| (region.addr, vec![0; region.bytes.len() / 64 + 1]);
        let mut regions: Vec<(u64, Vec<u64>)> = image.code.iter().map(clear).collect();
        for site in sites {
            let around = site.saturating_sub(WINDOW)..site.saturating_add(WINDOW);
            let first = regions.partition_point(|(start, _)| *start <= around.start);
            let near = regions.iter_mut().skip(first.saturating_sub(1));
            for (start, bits) in near.take_while(|(start, _)| *start < around.end) {
                for addr in around.start.max(*start)..around.end {
                    let at = addr - *start;
                    if let Some(word) = bits.get_mut((at / 64) as usize) {
                        *word |= 1 << (at % 64);
                    }
                }
            }
        }
        Self { regions }
    }

    #[inline]
    fn contain(&self, addr: u64) -> bool {
        let behind = self.regions.partition_point(|(start, _)| *start <= addr);
        let region = behind.checked_sub(1).and_then(|at| self.regions.get(at));
        region.is_some_and(|(start, bits)| {
            let at = addr - start;
            let word = usize::try_from(at / 64).ok().and_then(|word| bits.get(word));
            word.is_some_and(|word| word >> (at % 64) & 1 != 0)
        })
    }

    /// Every aligned word that could be a pointer, or the addend of a pointer's relocation.
    fn pointers(&self, region: &Region<'_>, found: &mut Vec<u64>) {
        let skip = (region.addr.wrapping_neg() % 8) as usize;
        let words = region.bytes.get(skip..).unwrap_or_default().as_chunks::<8>().0;
        found.extend(
            words
                .iter()
                .map(|word| u64::from_le_bytes(*word))
                .filter(|word| self.contain(*word)),
        );
    }
}

/// Where every position of some code, which begins at `start`, would go or point if it were the displacement of a
/// `jmp`, `call`, `jcc`, `xbegin`, or of a RIP-relative `lea`.
pub(crate) fn near_references(bytes: &[u8], start: u64) -> impl Iterator<Item = u64> {
    near(bytes, start, |before2, before1| match before1 {
        0xe8 | 0xe9 => true,
        0x80..=0x8f => before2 == 0x0f,
        0xf8 => before2 == 0xc7,
        _ => is_rip_relative_lea(before2, before1),
    })
}

/// The same for `lea` alone.
pub(crate) fn lea_references(bytes: &[u8], start: u64) -> impl Iterator<Item = u64> {
    near(bytes, start, is_rip_relative_lea)
}

/// The 32-bit values at every position: addresses, in a program at a fixed address.
pub(crate) fn absolute_references(bytes: &[u8]) -> impl Iterator<Item = u64> {
    bytes
        .array_windows()
        .map(|value| u64::from(u32::from_le_bytes(*value)))
}

fn is_rip_relative_lea(opcode: u8, mod_rm: u8) -> bool {
    mod_rm & 0xc7 == 0x05 && opcode == 0x8d
}

/// Targets of the displacements whose two bytes before them are such an opcode.
fn near(bytes: &[u8], start: u64, is_opcode: impl Fn(u8, u8) -> bool) -> impl Iterator<Item = u64> {
    // At the very beginning there can be one opcode byte only.
    let first = bytes
        .first_chunk()
        .map(|[only, a, b, c, d]| [0, *only, *a, *b, *c, *d]);
    let first = first.filter(|[before2, before1, ..]| is_opcode(*before2, *before1));
    let first = first.map(|[_, _, a, b, c, d]| target(start + 5, [a, b, c, d]));
    let others = bytes
        .array_windows::<6>()
        .zip(start + 6..)
        .filter(move |([before2, before1, ..], _)| is_opcode(*before2, *before1))
        .map(|([_, _, a, b, c, d], end)| target(end, [*a, *b, *c, *d]));
    others.chain(first)
}

fn target(end: u64, displacement: [u8; 4]) -> u64 {
    end.wrapping_add_signed(i64::from(i32::from_le_bytes(displacement)))
}
