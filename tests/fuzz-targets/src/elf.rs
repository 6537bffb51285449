//! ELF files: the call-site map that is made of one can always be parsed.

use callsite_map::{FileMap, encode_file};

pub(crate) fn run(input: &[u8]) {
    if let Some(report) = callsites::scan(input) {
        let map = encode_file(&report.sites).expect("shorter than the program");
        let map = FileMap::parse(map).expect("what was written is read");
        assert_eq!(map.len() as u64, report.counts.patched());
        for (_, patch) in map.patches() {
            let start = patch.offset() as usize;
            let found = input.get(start..start + patch.original().len());
            assert_eq!(
                found,
                Some(patch.original()),
                "a patch of what is not in the file"
            );
        }
    }
}

/// System calls in the ways that compilers write them: `mov eax, n` before, a comparison behind, in a row, and at the end.
const CODE: &[u8] = &[
    0xb8, 0x27, 0, 0, 0, 0x0f, 0x05, 0xc3, // mov eax, 39; syscall; ret
    0x0f, 0x05, 0x48, 0x3d, 0x01, 0xf0, 0xff, 0xff, 0x73, 0x01, 0xc3,
    0xc3, // syscall; cmp rax, -4095; jae; ret
    0x48, 0x8b, 0x05, 0x10, 0, 0, 0, 0x0f, 0x05, 0x90, 0xc3, // mov rax, [rip+16]; syscall; nop; ret
    0x31, 0xc0, 0xeb, 0x02, 0x0f, 0x05, 0x0f, 0x05, 0x75, 0xfa,
    0xc3, // xor; jmp; syscall; syscall; jne; ret
];

const CODE_OFFSET: u64 = 0x200;
const ADDRESS: u64 = 0x40_0000 + CODE_OFFSET;

/// A small program with sections and symbols.
pub(crate) fn sample() -> Vec<u8> {
    let names = b"\0.text\0.symtab\0";
    let symbols = CODE_OFFSET + CODE.len() as u64;
    let starts = [0u64, 8, 20, 31];
    let symbols_len = 24 * (1 + starts.len() as u64);
    let names_at = symbols + symbols_len;
    let sections = (names_at + names.len() as u64).next_multiple_of(8);

    let mut out = b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0".to_vec();
    put(&mut out, 2, &[2, 62]);
    put(&mut out, 4, &[1]);
    put(&mut out, 8, &[ADDRESS, 64, sections]);
    put(&mut out, 4, &[0]);
    put(&mut out, 2, &[64, 56, 1, 64, 4, 3]);
    put(&mut out, 4, &[1, 5]);
    let len = CODE.len() as u64;
    put(&mut out, 8, &[CODE_OFFSET, ADDRESS, ADDRESS, len, len, 0x1000]);
    out.resize(CODE_OFFSET as usize, 0);
    out.extend(CODE);
    out.extend([0; 24]);
    let ends = starts.iter().skip(1).copied().chain([len]);
    for (start, end) in starts.into_iter().zip(ends) {
        put(&mut out, 4, &[0]);
        // A global function in section 1.
        put(&mut out, 1, &[0x12, 0]);
        put(&mut out, 2, &[1]);
        put(&mut out, 8, &[ADDRESS + start, end - start]);
    }
    out.extend(names);
    out.resize(sections as usize, 0);
    // Name, type; flags, address, offset, size; link, info; alignment, size of an entry.
    let none = [0; 6];
    let text = [6, ADDRESS, CODE_OFFSET, len, 16, 0];
    let table = [0, 0, symbols, symbols_len, 8, 24];
    let strings = [0, 0, names_at, names.len() as u64, 1, 0];
    for (name, kind, words, link) in [
        (0, 0, none, 0),
        (1, 1, text, 0),
        (7, 2, table, 3),
        (0, 3, strings, 0),
    ] {
        put(&mut out, 4, &[name, kind]);
        put(&mut out, 8, &words[..4]);
        put(&mut out, 4, &[link, 0]);
        put(&mut out, 8, &words[4..]);
    }
    out
}

/// Little-endian numbers of `size` bytes.
fn put(out: &mut Vec<u8>, size: usize, numbers: &[u64]) {
    for number in numbers {
        out.extend(&number.to_le_bytes()[..size]);
    }
}

pub(crate) fn seeds() -> Vec<Vec<u8>> {
    let sample = sample();
    // Stripped: without sections, functions are found by descent.
    let mut stripped = sample.clone();
    stripped[40..48].fill(0);
    stripped[60..64].fill(0);
    vec![sample, stripped]
}
