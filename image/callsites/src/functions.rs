//! Finds functions by the tables of the ELF file.

use std::collections::BTreeMap;
use std::ops::Range;

use crate::choose::SIGNAL_RETURN;
use crate::code::{self, Function};
use crate::elf::Image;
use crate::go;
use crate::unwind::{self, Frame};

/// Functions that the file's tables delimit: by frame descriptions, symbols, and Go's table.
pub(crate) struct Functions {
    frames: Vec<Frame>,
    /// By symbols with a size, where no frame description is; and Go's.
    others: Vec<Range<u64>>,
}

impl Functions {
    pub(crate) fn read(image: &Image<'_>) -> Self {
        let mut frames = unwind::frames(image);
        for frame in &mut frames {
            // glibc lets the description begin one byte early, so that a return address is found in it.
            let start = frame.range.start;
            if frame.is_signal_return
                && image
                    .bytes_from(start + 1)
                    .is_some_and(|bytes| bytes.starts_with(&SIGNAL_RETURN))
            {
                frame.range.start += 1;
            }
        }
        let go = go::function_starts(image);
        let mut others: Vec<Range<u64>> = go
            .windows(2)
            .filter_map(|pair| Some(*pair.first()?..*pair.get(1)?))
            .collect();
        let sized = image.symbols().iter().filter(|symbol| symbol.size != 0);
        others.extend(sized.filter_map(|symbol| Some(symbol.addr..symbol.addr.checked_add(symbol.size)?)));
        others.sort_by_key(|range| (range.start, range.end));
        others.dedup_by_key(|range| range.start);
        Self { frames, others }
    }

    /// Decodes the functions that these byte pairs lie in; also returns the pairs that lie in none.
    pub(crate) fn decode_around(&self, image: &Image<'_>, pairs: &[u64]) -> (Vec<Function>, Vec<u64>) {
        let mut functions = BTreeMap::new();
        let mut undescribed = Vec::new();
        for pair in pairs {
            let Some((range, frame)) = self.at(*pair) else {
                undescribed.push(*pair);
                continue;
            };
            let decode = || {
                let function = Function::linear(image, range.clone())?;
                let is_open = function.is_open
                    || frame.is_some_and(|frame| unwind::landing_pads(image, frame).is_none());
                Some(Function {
                    is_open,
                    has_frame: frame.is_some(),
                    ..function
                })
            };
            if functions.entry(range.start).or_insert_with(decode).is_none() {
                undescribed.push(*pair);
            }
        }
        (functions.into_values().flatten().collect(), undescribed)
    }

    /// The function that an address lies in.
    fn at(&self, addr: u64) -> Option<(Range<u64>, Option<&Frame>)> {
        let behind = self.frames.partition_point(|frame| frame.range.start <= addr);
        let frame = behind.checked_sub(1).and_then(|index| self.frames.get(index));
        if let Some(frame) = frame.filter(|frame| frame.range.contains(&addr)) {
            return Some((frame.range.clone(), Some(frame)));
        }
        let behind = self.others.partition_point(|range| range.start <= addr);
        let range = behind.checked_sub(1).and_then(|index| self.others.get(index))?;
        range.contains(&addr).then(|| (range.clone(), None))
    }

    /// All ranges, in no particular order.
    pub(crate) fn ranges(&self) -> impl Iterator<Item = Range<u64>> {
        self.frames
            .iter()
            .map(|frame| &frame.range)
            .chain(&self.others)
            .cloned()
    }

    /// The parts of the machine code that no table describes, without those that are padding only.
    pub(crate) fn undescribed_parts(&self, image: &Image<'_>) -> Vec<Range<u64>> {
        let mut described: Vec<_> = self.ranges().collect();
        described.sort_by_key(|range| range.start);
        let mut parts = Vec::new();
        for region in &image.code {
            let mut start = region.addr;
            let end = region.range().end;
            let first = described.partition_point(|range| range.start < region.addr);
            // One that begins before the region cannot be code of it.
            for range in described.iter().skip(first).take_while(|range| range.start < end) {
                if start < range.start {
                    parts.push(start..range.start);
                }
                start = start.max(range.end);
            }
            if start < end {
                parts.push(start..end);
            }
        }
        parts.retain(|part| !is_padding(image, part.clone()));
        parts
    }

    /// Where undescribed code is certainly entered.
    pub(crate) fn roots(&self, image: &Image<'_>) -> impl Iterator<Item = u64> {
        const DT_INIT: u64 = 12;
        const DT_FINI: u64 = 13;
        let named = [DT_INIT, DT_FINI]
            .into_iter()
            .filter_map(|tag| image.dynamic(tag));
        let symbols = image.symbols().iter().map(|symbol| symbol.addr);
        [image.entry]
            .into_iter()
            .chain(named)
            .chain(symbols)
            .collect::<Vec<_>>()
            .into_iter()
    }

    /// Where control arrives without a branch: starts of functions, and where exceptions land.
    pub(crate) fn arrivals(&self, image: &Image<'_>) -> impl Iterator<Item = u64> {
        let starts = self.ranges().map(|range| range.start);
        let pads = self
            .frames
            .iter()
            .filter_map(|frame| unwind::landing_pads(image, frame))
            .flatten();
        starts
            .chain(pads)
            .chain(image.symbols().iter().map(|symbol| symbol.addr))
    }

    /// The ranges inside instructions of described functions near `range`, from the second byte to the last.
    pub(crate) fn interiors(&self, image: &Image<'_>, range: Range<u64>) -> Vec<Range<u64>> {
        let mut interiors = Vec::new();
        let mut addr = range.start;
        while addr < range.end {
            let Some((function, _)) = self.at(addr) else {
                addr += 1;
                continue;
            };
            if let Some(decoded) = Function::linear(image, function.clone()) {
                let near = decoded
                    .instructions
                    .iter()
                    .filter(|i| i.next_ip() > range.start && i.ip() < range.end);
                interiors.extend(near.map(|i| i.ip() + 1..i.next_ip()));
            }
            addr = function.end.max(addr + 1);
        }
        interiors
    }
}

/// Whether a part holds nothing but what fills the space between functions.
fn is_padding(image: &Image<'_>, part: Range<u64>) -> bool {
    // The usual filling, told without decoding.
    let bytes = image.code_bytes(part.clone()).unwrap_or_default();
    bytes.iter().all(|byte| matches!(byte, 0x90 | 0xcc | 0))
        || part.end - part.start < 64
            && code::decode_all(image, part).is_some_and(|decoded| decoded.iter().all(code::is_padding))
}
