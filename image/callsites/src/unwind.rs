//! Reads the unwinder's tables: where functions are, and where exceptions land in them.

use std::ops::Range;

use gimli::{
    BaseAddresses, CieOrFde, EhFrame, EhFrameHdr, EndianSlice, LittleEndian, Pointer, UnwindSection as _,
};

use crate::elf::{Image, Region};

type Slice<'a> = EndianSlice<'a, LittleEndian>;

/// One frame description entry.
#[derive(Clone, Debug)]
pub(crate) struct Frame {
    pub(crate) range: Range<u64>,
    /// Address of the language-specific data area.
    pub(crate) lsda: Option<u64>,
    /// Marked as the code that a signal handler returns to.
    pub(crate) is_signal_return: bool,
}

/// All frame description entries, in ascending order of address. What cannot be read is left out.
pub(crate) fn frames(image: &Image<'_>) -> Vec<Frame> {
    let Some(section) = image.section(".eh_frame").or_else(|| find_by_header(image)) else {
        return Vec::new();
    };
    let eh_frame = EhFrame::new(section.bytes, LittleEndian);
    let bases = BaseAddresses::default().set_eh_frame(section.addr);
    let mut frames = Vec::new();
    let mut entries = eh_frame.entries(&bases);
    while let Ok(Some(entry)) = entries.next() {
        let CieOrFde::Fde(partial) = entry else { continue };
        let Ok(fde) = partial.parse(EhFrame::cie_from_offset) else {
            continue;
        };
        let range = fde.initial_address()..fde.end_address();
        if range.is_empty() {
            continue;
        }
        let lsda = match fde.lsda() {
            Some(Pointer::Direct(addr)) => Some(addr),
            _ => None,
        };
        frames.push(Frame {
            range,
            lsda,
            is_signal_return: fde.is_signal_trampoline(),
        });
    }
    frames.sort_by_key(|frame| frame.range.start);
    frames
}

/// `.eh_frame` of a file without sections: its header has a program header of its own.
fn find_by_header<'a>(image: &Image<'a>) -> Option<Region<'a>> {
    let header = image.eh_frame_hdr()?;
    let bases = BaseAddresses::default().set_eh_frame_hdr(header.addr);
    let parsed = EhFrameHdr::new(header.bytes, LittleEndian)
        .parse(&bases, 8)
        .ok()?;
    let Pointer::Direct(addr) = parsed.eh_frame_ptr() else {
        return None;
    };
    let bytes = image.bytes_from(addr)?;
    Some(Region {
        addr,
        offset: 0,
        bytes,
    })
}

/// Where exceptions land in a function: the addresses in the call-site table of its language-specific data area
/// (Itanium C++ ABI: Exception Handling, "Exception Handling Tables"). `None`: the table cannot be read.
pub(crate) fn landing_pads(image: &Image<'_>, frame: &Frame) -> Option<Vec<u64>> {
    let Some(lsda) = frame.lsda.filter(|lsda| *lsda != 0) else {
        return Some(Vec::new());
    };
    let bytes = image.bytes_from(lsda)?;
    let mut data = EndianSlice::new(bytes, LittleEndian);
    let start = match read_u8(&mut data)? {
        DW_EH_PE_OMIT => frame.range.start,
        // What GCC writes where the landing pads are in a function's cold part.
        DW_EH_PE_ABSPTR => gimli::Reader::read_u64(&mut data).ok()?,
        DW_EH_PE_PCREL_SDATA4 => {
            let field = lsda.checked_add((bytes.len() - data.len()) as u64)?;
            field.wrapping_add_signed(i64::from(gimli::Reader::read_i32(&mut data).ok()?))
        }
        _ => return None,
    };
    if read_u8(&mut data)? != DW_EH_PE_OMIT {
        uleb(&mut data)?;
    }
    if read_u8(&mut data)? != DW_EH_PE_ULEB128 {
        return None;
    }
    let table_len = usize::try_from(uleb(&mut data)?).ok()?;
    let mut table = EndianSlice::new(data.slice().get(..table_len)?, LittleEndian);
    let mut pads = Vec::new();
    while !table.is_empty() {
        let (_start, _len) = (uleb(&mut table)?, uleb(&mut table)?);
        let pad = uleb(&mut table)?;
        let _action = uleb(&mut table)?;
        if pad != 0 {
            pads.push(start.wrapping_add(pad));
        }
    }
    Some(pads)
}

const DW_EH_PE_ABSPTR: u8 = 0x00;
const DW_EH_PE_ULEB128: u8 = 0x01;
const DW_EH_PE_PCREL_SDATA4: u8 = 0x1b;
const DW_EH_PE_OMIT: u8 = 0xff;

fn read_u8(data: &mut Slice<'_>) -> Option<u8> {
    gimli::Reader::read_u8(data).ok()
}

fn uleb(data: &mut Slice<'_>) -> Option<u64> {
    gimli::Reader::read_uleb128(data).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A library full of exception handlers: every table can be read, and leads to code of a described function.
    #[test]
    fn landing_pads_of_the_cpp_library() {
        let Ok(file) = std::fs::read("/lib/x86_64-linux-gnu/libstdc++.so.6") else {
            return eprintln!("skipped: libstdc++ is not there");
        };
        let image = Image::parse(&file).unwrap();
        let frames = frames(&image);
        let mut pads = 0;
        for frame in &frames {
            for pad in landing_pads(&image, frame).unwrap() {
                let behind = frames.partition_point(|other| other.range.start <= pad);
                assert!(frames[behind - 1].range.contains(&pad), "{pad:#x} of {frame:x?}");
                pads += 1;
            }
        }
        assert!(pads > 1000, "{pads}");
    }
}
